"""Data to train on.

    mnist       handwritten digits: 55,000 to train, 5,000 to validate, 10,000 to test
    mnist_5k    5,000 of them, bundled: no download, loaded in an instant

Both return an `MNIST` of three `Split` s, each with ``.images`` and ``.labels``.
Data that are nowhere raise `DataNotFound`, damaged files `CorruptData`.

    augment.py    images moved, turned and stretched at random
    idx.py        the file format: read, checked, written
    download.py   from mirrors into the cache, whole or not at all
    data/         the bundled files, their licence and source
"""

from rnnlite.datasets.augment import random_affine
from rnnlite.datasets.download import DataNotFound
from rnnlite.datasets.idx import CorruptData
from rnnlite.datasets.mnist import MNIST, Split, mnist, mnist_5k

__all__ = ["MNIST", "CorruptData", "DataNotFound", "Split", "mnist", "mnist_5k", "random_affine"]
