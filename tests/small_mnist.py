"""Small stand-ins for the four files of MNIST, and a folder of them."""

import gzip
import hashlib
import importlib

import numpy as np

from rnnlite.datasets import idx

# The package's function of the same name hides the module.
mnist_module = importlib.import_module("rnnlite.datasets.mnist")


def make_files():
    """Two small data sets' worth of idx bytes, by name: (bytes, IdxFile)."""
    rng = np.random.default_rng(0)
    made = {}
    for known in mnist_module.FILES:
        count = 40 if known.name.startswith("train") else 20
        shape = (count, *known.shape[1:])
        high = 256 if len(shape) == 3 else 10
        content = idx.encode(rng.integers(0, high, shape, dtype=np.uint8))
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        made[known.name] = content, idx.IdxFile(known.name, shape, md5)
    return made


SMALL = make_files()
NAMES = tuple(SMALL)
IMAGES, LABELS = NAMES[:2]

GOOD, FILE = SMALL[IMAGES]


def put(folder, names=NAMES, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        content = SMALL[name][0]
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder
