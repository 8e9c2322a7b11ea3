"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, and a bundled 5,000 of them.

A recurrent network reads an image from the top down: 28 steps of 28 pixels.

    mnist()      the whole set, from a folder, the cache or the net
    mnist_5k()   500 images of each digit that come with the package
"""

import importlib.resources
import operator
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import idx
from rnnlite.datasets.download import DataNotFound, fetch
from rnnlite.datasets.idx import CorruptData, IdxFile

FILES = (
    IdxFile("train-images-idx3-ubyte", (60_000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"),
    IdxFile("train-labels-idx1-ubyte", (60_000,), "a25bea736e30d166cdddb491f175f624"),
    IdxFile("t10k-images-idx3-ubyte", (10_000, 28, 28), "2646ac647ad5339dbf082846283269ea"),
    IdxFile("t10k-labels-idx1-ubyte", (10_000,), "27ae3e4e09519cfbb04c329615203637"),
)

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

CLASSES = 10


class Split(NamedTuple):
    """Images and the digits they show.

    Attributes
    ----------
    images : numpy.ndarray, (n, 28, 28) float32
        0 (paper) to 1 (ink); rows from the top down.
    labels : numpy.ndarray
        (n,) int64, the digits; or (n, 10) float32, one-hot.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> images, labels = datasets.mnist_5k().test
    >>> images.shape, labels.shape
    ((1000, 28, 28), (1000,))
    """

    images: np.ndarray
    labels: np.ndarray


class MNIST(NamedTuple):
    """The three parts of a data set.

    Attributes
    ----------
    train, validation, test : Split

    Examples
    --------
    >>> from rnnlite import datasets
    >>> data = datasets.mnist_5k(validation=500)
    >>> [len(part.labels) for part in data]
    [3500, 500, 1000]
    """

    train: Split
    validation: Split
    test: Split


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
    _check_flag("mnist", "one_hot", one_hot)
    _check_flag("mnist", "download", download)
    total = FILES[0].shape[0]
    validation = _checked_count("mnist", validation, total - 1)
    if folder is not None and not isinstance(folder, str | os.PathLike):
        raise TypeError(f"mnist: folder is {folder!r}; wanted a path or None")

    paths = _located(folder, download)
    images, labels, test_images, test_labels = (
        _read(path, file) for path, file in zip(paths, FILES, strict=True)
    )
    whole = _split(images, labels, one_hot)
    return MNIST(
        train=Split(whole.images[validation:], whole.labels[validation:]),
        validation=Split(whole.images[:validation], whole.labels[:validation]),
        test=_split(test_images, test_labels, one_hot),
    )


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
    _check_flag("mnist_5k", "one_hot", one_hot)
    validation = _checked_count("mnist_5k", validation, BUNDLED_TRAIN - CLASSES)
    if validation % CLASSES:
        raise ValueError(
            f"mnist_5k: validation is {validation}; wanted a multiple of {CLASSES},"
            " the same number of each digit"
        )
    images, labels = (_bundled(file) for file in BUNDLED)
    train, test = slice(BUNDLED_TRAIN), slice(BUNDLED_TRAIN, None)
    held_out = _first_of_each(labels[train], validation // CLASSES)
    return MNIST(
        train=_split(images[train][~held_out], labels[train][~held_out], one_hot),
        validation=_split(images[train][held_out], labels[train][held_out], one_hot),
        test=_split(images[test], labels[test], one_hot),
    )


def _located(folder, download):
    """Paths of the four files, which are there."""
    if folder is not None:
        folder = Path(folder).expanduser()
        paths = [_find(file, [folder]) for file in FILES]
        missing = [file.name for file, path in zip(FILES, paths, strict=True) if path is None]
        if missing:
            wanted = "all four files" if len(missing) == 4 else ", ".join(f.name for f in FILES)
            raise DataNotFound(
                f"mnist: folder {folder} lacks {', '.join(missing)};"
                f" wanted {wanted} there, each plain or with .gz"
            )
        return paths

    cache = cache_folder() / "mnist"
    named = os.environ.get("RNNLITE_DATA")
    places = [Path(named).expanduser(), cache] if named else [cache]
    missing = [file for file in FILES if _find(file, places) is None]
    if missing and not download:
        raise DataNotFound(
            f"mnist: {', '.join(file.name for file in missing)} not found in"
            f" {f'{places[0]} (RNNLITE_DATA)' if named else 'RNNLITE_DATA (not set)'} or {cache};"
            " call mnist(download=True), or let RNNLITE_DATA name a folder with the files"
        )
    if missing:
        fetch("MNIST", missing, cache, MIRRORS)
    return [_find(file, places) for file in FILES]


def _find(file, places):
    """Path of a file, plain or compressed, in the first place that has it; else None."""
    for place in places:
        for name in (file.name, f"{file.name}.gz"):
            if (place / name).is_file():
                return place / name
    return None


def _read(path, file):
    """uint8 array in a file that must be ``file``."""
    try:
        return idx.read(path, file.shape, file.md5)
    except CorruptData as error:
        if path.parent != cache_folder() / "mnist":
            raise
        raise CorruptData(f"{error}; delete it to have it downloaded again") from None


def _bundled(file):
    """uint8 array in a file that comes with the package."""
    name = f"{file.name}.gz"
    data = importlib.resources.files("rnnlite.datasets").joinpath("data", name)
    return idx.decode(data.read_bytes(), name, file.shape, file.md5)


def _split(images, labels, one_hot):
    """uint8 images (n, 28, 28) and labels (n,), as the public functions return them."""
    # One pass, no intermediate: 31 ms for 60,000 images; a table of 256 values takes 85 ms.
    images = np.divide(images, np.float32(255), dtype=np.float32)
    labels = np.eye(CLASSES, dtype=np.float32)[labels] if one_hot else labels.astype(np.int64)
    return Split(images, labels)


def _first_of_each(labels, count):
    """Mask (n,) of the first ``count`` places of each digit."""
    mask = np.zeros(len(labels), bool)
    for digit in range(CLASSES):
        mask[np.flatnonzero(labels == digit)[:count]] = True
    return mask


def _check_flag(caller, name, value):
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{caller}: {name} is {value!r}; wanted True or False")


def _checked_count(caller, validation, largest):
    """``validation`` as an int in 0..largest."""
    if isinstance(validation, bool | np.bool_):
        raise TypeError(f"{caller}: validation is {validation!r}; wanted an integer")
    try:
        count = operator.index(validation)
    except TypeError:
        raise TypeError(f"{caller}: validation is {validation!r}; wanted an integer") from None
    if not 0 <= count <= largest:
        raise ValueError(f"{caller}: validation is {count}; wanted 0 to {largest}")
    return count
