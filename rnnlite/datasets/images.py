"""MNIST, Fashion-MNIST and 5,000 bundled digits: where they are looked for, what comes back.

Files are known by the MD5 sum of what is in them, since compressed ones differ from place to
place; a download by pooch is held against the sum of the compressed file as published.
"""

import importlib.resources
import importlib.util
import os
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from rnnlite import checking
from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import idx
from rnnlite.datasets.idx import CorruptData, IdxFile

CLASSES = 10
TIMEOUT = (4, 15)  # seconds to reach a mirror, and to wait for more of what it sends
BUNDLED = importlib.resources.files("rnnlite.datasets") / "data"


class DataNotFound(FileNotFoundError):
    """Data are not on this machine, and could not be (or were not to be) downloaded.

    Examples
    --------
    >>> issubclass(DataNotFound, FileNotFoundError)
    True
    """


class Split(NamedTuple):
    """Images and what they show.

    Attributes
    ----------
    images : numpy.ndarray, (n, 28, 28) float32
        0 (paper) to 1 (ink); rows from the top down: 28 steps of 28 pixels.
    labels : numpy.ndarray
        (n,) int64, the classes, of MNIST the digits; or (n, 10) float32, one-hot.

    Examples
    --------
    >>> images, labels = mnist_5k().test
    >>> images.shape, labels.shape
    ((1000, 28, 28), (1000,))
    """

    images: np.ndarray
    labels: np.ndarray


class MNIST(NamedTuple):
    """The three parts of MNIST, or of a data set of its form.

    Examples
    --------
    >>> [len(part.labels) for part in mnist_5k(validation=500)]
    [3500, 500, 1000]
    """

    train: Split
    validation: Split
    test: Split


class Source(NamedTuple):
    """A set of four files, and where they may be."""

    name: str  # of the function that loads them
    title: str
    files: tuple[IdxFile, ...]  # training images and labels, test images and labels
    mirrors: tuple[str, ...]  # tried in turn
    own_folder: str  # inside the cache
    in_data: str = ""  # inside the folder that RNNLITE_DATA names
    system: tuple[str, ...] = ()  # folders of the operating system's packages


def _files(*sums):
    """The four files of a set, told by their MD5 sums, plain and compressed."""
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    shapes = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))
    known = zip(names, shapes, sums, strict=True)
    return tuple(IdxFile(f"{name}-ubyte", shape, *md5) for name, shape, md5 in known)


DIGITS = Source(
    "mnist", "MNIST",
    _files(
        ("6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
        ("27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",  # PyTorch's
        "https://storage.googleapis.com/cvdf-datasets/mnist/",  # TensorFlow's
        "http://yann.lecun.com/exdb/mnist/",  # the original
    ),
    own_folder="mnist",
)  # fmt: skip

# The authors published the sums of the compressed files;
# scripts/check_fashion_mnist.py derives the others from them.
CLOTHES = Source(
    "fashion_mnist", "Fashion-MNIST",
    _files(
        ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("9018921c3c673c538a1fc5bad174d6f9", "25c81989df183df01b3e8a0aad5dffbe"),
        ("8181f5470baa50b63fa0f6fddb340f0a", "bef4ecab320f06d8554ea6380940ec79"),
        ("15d484375f8d13e6eb1aabb0c3f46965", "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # Keras's
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # the authors'
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    own_folder="fashion-mnist",
    in_data="fashion-mnist",  # beside MNIST's files, which have the same names
    system=("/usr/share/datasets/fashion-mnist",),  # Debian's package dataset-fashion-mnist
)  # fmt: skip

# Made by scripts/make_mnist_5k.py: 4,000 training images, then 1,000 test images, each part mixed.
DIGITS_5K = (
    IdxFile("mnist_5k-images-idx3-ubyte", (5_000, 28, 28), "21ea94caca296f451d1aeb0cc8d2679a"),
    IdxFile("mnist_5k-labels-idx1-ubyte", (5_000,), "58459b8b8f9b72fb5faf04f46d964461"),
)
TRAIN_5K = 4_000

FASHION_CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def mnist(folder=None, one_hot=False, validation=5_000, download=True):
    """MNIST: 55,000 training, 5,000 validation and 10,000 test images.

    The files are looked for in ``folder`` if given, and only there; else in the folder named by the
    environment variable ``RNNLITE_DATA``, then in the user's cache, to which they are downloaded
    (11 MB) if need be.  Each may be plain (``train-images-idx3-ubyte``) or compressed
    (``train-images-idx3-ubyte.gz``), and must have the published MD5.

    Parameters
    ----------
    folder : str or os.PathLike, optional
        Folder with the four files.
    one_hot : bool
        Labels as rows with a single 1 instead of digits.
    validation : int
        How many images to hold out from training, 0 to 59,999: the FIRST ones of the 60,000.
    download : bool
        Whether files that are not on this machine may be downloaded.

    Returns
    -------
    MNIST
        ``.train``, ``.validation`` and ``.test``, each with ``.images`` (n, 28, 28) float32 in
        [0, 1] and ``.labels`` (n,) int64, or (n, 10) float32 if ``one_hot``, in the original order.

    Raises
    ------
    DataNotFound, CorruptData
        A file is in none of the places and was not downloaded; is damaged or another one.

    Examples
    --------
    >>> mnist().train.images.shape                      # doctest: +SKIP
    (55000, 28, 28)
    """
    return _load(DIGITS, folder, one_hot, validation, download)


def fashion_mnist(folder=None, one_hot=False, validation=5_000, download=True):
    """Fashion-MNIST: 55,000 training, 5,000 validation and 10,000 test images of clothes.

    Of Xiao, Rasul & Vollgraf 2017, under the MIT licence: photographs of an online shop, in grey,
    as small as MNIST's digits.  What is hard about it: shirts, T-shirts, pullovers and coats differ
    in a few pixels.  A guess without looking is right once in ten, people are in a share of 0.835
    and the best convolutional networks of 0.967 (both from the authors' list); an LSTM of 128 units
    that reads the rows came to 0.876 in five passes.  No score counts as solved.

    The files (30 MB) are looked for as MNIST's are, but in the folder ``fashion-mnist`` inside that
    of ``RNNLITE_DATA``, for they have the same names; and before the cache in
    ``/usr/share/datasets/fashion-mnist``, the place of Debian's package ``dataset-fashion-mnist``.

    Parameters
    ----------
    folder, one_hot, validation, download : optional
        As in ``mnist``.

    Returns
    -------
    MNIST
        As from ``mnist``; ``FASHION_CLASSES[label]`` is what an image shows.

    Examples
    --------
    >>> fashion_mnist().train.images.shape              # doctest: +SKIP
    (55000, 28, 28)
    >>> FASHION_CLASSES[9]
    'ankle boot'
    """
    return _load(CLOTHES, folder, one_hot, validation, download)


def mnist_5k(one_hot=False, validation=0):
    """The 5,000 MNIST images that come with the package: 4,000 to train, 1,000 to test.

    They are the first 500 training images of each digit; the last 100 of each are held out as the
    test set.  The order is a fixed shuffle, so that successive images make mixed batches.

    Parameters
    ----------
    one_hot : bool
        Labels as rows with a single 1 instead of digits.
    validation : int
        How many images of training to hold out, equally many of each digit: 0, 10, ..., 3,990.

    Returns
    -------
    MNIST
        ``.train`` (4,000 less ``validation``), ``.validation`` and ``.test``, as from ``mnist``.

    Examples
    --------
    >>> data = mnist_5k(one_hot=True)
    >>> data.train.images.shape, data.train.labels.shape, data.test.labels.shape
    ((4000, 28, 28), (4000, 10), (1000, 10))
    """
    checking.true_or_false("mnist_5k", "one_hot", one_hot)
    validation = checking.whole_number("mnist_5k", "validation", validation, 0, TRAIN_5K - CLASSES)
    if validation % CLASSES:
        wanted = f"a multiple of {CLASSES}, the same number of each digit"
        raise ValueError(f"mnist_5k: validation is {validation}; wanted {wanted}")
    images, labels = (_read(BUNDLED / f"{file.name}.gz", file) for file in DIGITS_5K)
    part = np.where(np.arange(len(labels)) < TRAIN_5K, 0, 2)
    for digit in range(CLASSES):  # the first ones are the validation part
        part[np.flatnonzero(labels == digit)[: validation // CLASSES]] = 1
    return MNIST(*(_split(images[part == k], labels[part == k], one_hot) for k in range(3)))


def _load(source, folder, one_hot, validation, download):
    """Find, read and divide the four files of a set."""
    checking.true_or_false(source.name, "one_hot", one_hot)
    checking.true_or_false(source.name, "download", download)
    images = source.files[0].shape[0]
    validation = checking.whole_number(source.name, "validation", validation, 0, images - 1)
    if folder is not None and not isinstance(folder, str | os.PathLike):
        raise TypeError(f"{source.name}: folder is {folder!r}; wanted a path or None")
    paths = _paths(source, folder, download)
    images, labels, test_images, test_labels = map(_read, paths, source.files)
    images, labels = _split(images, labels, one_hot)
    parts = (slice(validation, None), slice(validation))
    train, held_out = (Split(images[part], labels[part]) for part in parts)
    return MNIST(train, held_out, _split(test_images, test_labels, one_hot))


def _paths(source, folder, download):
    """Paths of the four files, which are there; downloaded if need be and allowed."""
    named, cache = os.environ.get("RNNLITE_DATA"), cache_folder() / source.own_folder
    data = Path(named).expanduser() / source.in_data if named else None
    places = [*([data] if named else []), *map(Path, source.system), cache]
    if folder is not None:
        places = [Path(folder).expanduser()]
    missing = [file for file in source.files if _find(file, places) is None]
    names = ", ".join(file.name for file in missing)
    if missing and folder is not None:
        wanted = "all four files there, each plain or with .gz"
        raise DataNotFound(f"{source.name}: folder {places[0]} lacks {names}; wanted {wanted}")
    by_hand = f"the folder {data or cache}"
    if missing and not download:
        others = [f"{data} (RNNLITE_DATA)" if named else "RNNLITE_DATA (not set)", *source.system]
        got = f"{names} not found in {', '.join(others)} or {cache}"
        hint = f"call {source.name}(download=True), or put the files in {by_hand}"
        raise DataNotFound(f"{source.name}: {got}; {hint}")
    if missing:
        _download(source, missing, cache, by_hand)
    return [_find(file, places) for file in source.files]


def _find(file, places):
    """Path of a file, plain or compressed, in the first place that has it; else None."""
    names = (file.name, f"{file.name}.gz")
    return next(filter(Path.is_file, (place / name for place in places for name in names)), None)


def _download(source, files, folder, by_hand):
    """Download files, compressed, from the first mirror that has them all and right."""
    try:
        import pooch
        import requests  # pooch imports it only when it downloads
    except ImportError as error:
        hint = f"to download it the library {error.name} is needed: pip install pooch"
        raise DataNotFound(f"{source.title} is not on this machine, and {hint}") from None
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(
        progressbar=on_terminal and importlib.util.find_spec("tqdm") is not None,
        timeout=TIMEOUT,
        headers={"Accept-Encoding": "identity"},  # the .gz itself, not decompressed on the way
    )
    logger, failures = pooch.get_logger(), []
    level = logger.level
    logger.setLevel("WARNING")  # or it announces every attempt
    try:
        for mirror in source.mirrors:
            try:
                for file in files:
                    name, md5 = f"{file.name}.gz", f"md5:{file.packed_md5}"
                    pooch.retrieve(mirror + name, md5, name, folder, downloader=downloader)
                return
            except (requests.RequestException, ValueError) as error:
                failures.append(f"{urlsplit(mirror).netloc} ({_reason(error)})")
    except OSError as error:
        got = f"could not be kept in {folder} ({_reason(error)})"
        hint = "set RNNLITE_CACHE to a folder that can be written"
        raise DataNotFound(f"{source.title} {got}; {hint}") from None
    finally:
        logger.setLevel(level)
    hint = f"put its files in {by_hand}"
    raise DataNotFound(f"{source.title} could not be downloaded from {', '.join(failures)}; {hint}")


def _reason(error):
    """Few words for why a download failed: those of the innermost error."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP {status}"
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split())[:100]


def _read(path, file):
    """The uint8 array in a file that must be ``file``."""
    try:
        with path.open("rb") as stream:
            return idx.read(stream, path, file)
    except CorruptData as error:
        message = str(error)
        for source in (DIGITS, CLOTHES):
            if error.md5 in (known.md5 for known in source.files):
                message += f"; it is a file of {source.title}"
            if path.parent == cache_folder() / source.own_folder:
                message += "; delete it to have it downloaded again"
        raise CorruptData(message) from None


def _split(images, labels, one_hot):
    """Images (n, 28, 28) uint8 and labels (n,) uint8 as the public functions return them."""
    # One pass, no intermediate: 31 ms for 60,000 images; a table of 256 values takes 85 ms.
    images = np.divide(images, np.float32(255), dtype=np.float32)
    labels = np.eye(CLASSES, dtype=np.float32)[labels] if one_hot else labels.astype(np.int64)
    return Split(images, labels)
