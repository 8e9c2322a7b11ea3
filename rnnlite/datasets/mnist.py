"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, and a bundled 5,000 of them.

A recurrent network reads an image from the top down: 28 steps of 28 pixels.

    mnist()      the whole set, from a folder, the cache or the net
    mnist_5k()   500 images of each digit that come with the package
"""

import os

import numpy as np

from rnnlite import checking
from rnnlite.datasets import idx, image_files, known_files
from rnnlite.datasets.bundled import bundled
from rnnlite.datasets.idx import IdxFile
from rnnlite.datasets.image_files import CLASSES, MNIST

FILES = known_files.DIGITS

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",  # PyTorch's
    "https://storage.googleapis.com/cvdf-datasets/mnist/",  # TensorFlow's
    "http://yann.lecun.com/exdb/mnist/",  # the original; what it sends is checked like the rest
)

# Made by scripts/make_mnist_5k.py: 4,000 training images, then 1,000 test images, each part mixed.
BUNDLED = (
    IdxFile("mnist_5k-images-idx3-ubyte", (5_000, 28, 28), "21ea94caca296f451d1aeb0cc8d2679a"),
    IdxFile("mnist_5k-labels-idx1-ubyte", (5_000,), "58459b8b8f9b72fb5faf04f46d964461"),
)
BUNDLED_TRAIN = 4_000


def mnist(
    folder: str | os.PathLike | None = None,
    one_hot: bool = False,
    validation: int = 5_000,
    download: bool = True,
) -> MNIST:
    """MNIST: 55,000 training, 5,000 validation and 10,000 test images.

    The files are looked for in ``folder`` if given, and only there; else in the
    folder named by the environment variable ``RNNLITE_DATA``, then in the
    user's cache, to which they are downloaded (11 MB) if they are in neither.
    Each may be plain (``train-images-idx3-ubyte``) or compressed
    (``train-images-idx3-ubyte.gz``), and must have the published MD5.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        Folder with the four files.
    one_hot : bool
        Labels as rows with a single 1 instead of digits.
    validation : int
        How many images to hold out from training, 0 to 59,999: the FIRST ones of
        the 60,000, as the tutorials of the old TensorFlow did.
    download : bool
        Whether files that are not on this machine may be downloaded.

    Returns
    -------
    MNIST
        ``.train``, ``.validation`` and ``.test``, each with ``.images``
        (n, 28, 28) float32 in [0, 1] and ``.labels`` (n,) int64, or (n, 10)
        float32 if ``one_hot``.  The order is the original one.

    Raises
    ------
    DataNotFound
        A file is not where it was looked for, and was not downloaded.
    CorruptData
        A file that was found is damaged or another one.
    TypeError, ValueError
        A bad argument.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> data = datasets.mnist()                     # doctest: +SKIP
    >>> data.train.images.shape                     # doctest: +SKIP
    (55000, 28, 28)

    Its small sibling needs no files and is used in the same way:

    >>> data = datasets.mnist_5k(validation=500)
    >>> data.train.images.shape, data.train.images.dtype
    ((3500, 28, 28), dtype('float32'))
    """
    source = image_files.Source("mnist", "MNIST", FILES, MIRRORS, "mnist")
    return image_files.load(source, folder, one_hot, validation, download)


def mnist_5k(one_hot: bool = False, validation: int = 0) -> MNIST:
    """The 5,000 MNIST images that come with the package: 4,000 to train, 1,000 to test.

    They are the first 500 training images of each digit; the last 100 of each
    are held out as the test set.  The order is a fixed shuffle, so that
    successive images make mixed batches.

    Parameters
    ----------
    one_hot : bool
        Labels as rows with a single 1 instead of digits.
    validation : int
        How many images to hold out from training, the same number of each
        digit: a multiple of 10, 0 to 3,990.

    Returns
    -------
    MNIST
        ``.train`` (4,000 less ``validation``), ``.validation`` and ``.test``
        (1,000), each with ``.images`` (n, 28, 28) float32 in [0, 1] and
        ``.labels`` (n,) int64, or (n, 10) float32 if ``one_hot``.

    Raises
    ------
    TypeError, ValueError
        A bad argument.
    CorruptData
        The installed data file is damaged.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> data = datasets.mnist_5k(one_hot=True)
    >>> data.train.images.shape, data.train.labels.shape, data.test.labels.shape
    ((4000, 28, 28), (4000, 10), (1000, 10))
    >>> data.test.labels.sum(axis=0).astype(int)
    array([100, 100, 100, 100, 100, 100, 100, 100, 100, 100])
    """
    checking.true_or_false("mnist_5k", "one_hot", one_hot)
    most = BUNDLED_TRAIN - CLASSES
    validation = checking.whole_number("mnist_5k", "validation", validation, 0, most)
    if validation % CLASSES:
        raise ValueError(
            f"mnist_5k: validation is {validation}; wanted a multiple of {CLASSES},"
            " the same number of each digit"
        )
    images, labels = (
        idx.decode(bundled(f"{file.name}.gz"), f"{file.name}.gz", file.shape, file.md5)
        for file in BUNDLED
    )
    train, test = slice(BUNDLED_TRAIN), slice(BUNDLED_TRAIN, None)
    held_out = _first_of_each(labels[train], validation // CLASSES)
    return MNIST(
        train=image_files.split(images[train][~held_out], labels[train][~held_out], one_hot),
        validation=image_files.split(images[train][held_out], labels[train][held_out], one_hot),
        test=image_files.split(images[test], labels[test], one_hot),
    )


def _first_of_each(labels, count):
    """Mask (n,) of the first ``count`` places of each digit."""
    mask = np.zeros(len(labels), bool)
    for digit in range(CLASSES):
        mask[np.flatnonzero(labels == digit)[:count]] = True
    return mask
