"""Fashion-MNIST: 70,000 pictures of clothes, in the form of MNIST and harder."""

import os

from rnnlite.datasets import image_files, known_files
from rnnlite.datasets.image_files import MNIST

FILES = known_files.CLOTHES

MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # Keras's
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # the authors'
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)

# Debian's and Ubuntu's package dataset-fashion-mnist.
SYSTEM = ("/usr/share/datasets/fashion-mnist",)

FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def fashion_mnist(
    folder: str | os.PathLike | None = None,
    one_hot: bool = False,
    validation: int = 5_000,
    download: bool = True,
) -> MNIST:
    """Fashion-MNIST: 55,000 training, 5,000 validation and 10,000 test images of clothes.

    Of Xiao, Rasul & Vollgraf 2017, under the MIT licence: photographs of an
    online shop, in grey, as small as MNIST's digits and in the same files.  What is
    hard about it: shirts, T-shirts, pullovers and coats differ in a few pixels.
    A guess without looking is right once in ten, people are in a share of 0.835 and
    the best convolutional networks of 0.967 (both from the authors' list); an LSTM
    of 128 units that reads the rows came to 0.876 in five passes.  No score counts as solved.

    The files are looked for in ``folder`` if given, and only there; else in the
    folder ``fashion-mnist`` inside the one that the environment variable
    ``RNNLITE_DATA`` names (they have the same names as MNIST's), in
    ``/usr/share/datasets/fashion-mnist``, where Debian's package
    ``dataset-fashion-mnist`` puts them, then in the user's cache, to which
    they are downloaded (30 MB).  MD5 sums are checked, and MNIST's files refused.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        Folder with the four files.
    one_hot : bool
        Labels as rows with a single 1 instead of numbers.
    validation : int
        How many images to hold out from training, 0 to 59,999: the FIRST ones of
        the 60,000, as for MNIST.
    download : bool
        Whether files that are not on this machine may be downloaded.

    Returns
    -------
    MNIST
        ``.train``, ``.validation`` and ``.test``, each with ``.images``
        (n, 28, 28) float32 in [0, 1] and ``.labels`` (n,) int64, or (n, 10)
        float32 if ``one_hot``; ``FASHION_CLASSES[label]`` is what it shows.

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
    >>> data = datasets.fashion_mnist()             # doctest: +SKIP
    >>> data.train.images.shape                     # doctest: +SKIP
    (55000, 28, 28)
    >>> datasets.FASHION_CLASSES[9]
    'ankle boot'
    """
    source = image_files.Source(
        "fashion_mnist", "Fashion-MNIST", FILES, MIRRORS, "fashion-mnist",
        shares_names=True, system=SYSTEM,
    )  # fmt: skip
    return image_files.load(source, folder, one_hot, validation, download)
