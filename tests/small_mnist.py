"""Small stand-ins for the files of MNIST and of Fashion-MNIST, and folders of them."""

import gzip
import hashlib

import numpy as np

from rnnlite.datasets import idx, images


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def make_files(source, seed):
    """A data set of 40 and 20 images as idx bytes, by name: (bytes, IdxFile)."""
    rng = np.random.default_rng(seed)
    made = {}
    for known in source.files:
        count = 40 if known.name.startswith("train") else 20
        shape = (count, *known.shape[1:])
        high = 256 if len(shape) == 3 else 10
        content = idx.encode(rng.integers(0, high, shape, dtype=np.uint8))
        sums = md5(content), md5(packed(content))
        made[known.name] = content, idx.IdxFile(known.name, shape, *sums)
    return made


def packed(content):
    return gzip.compress(content, mtime=0)


def array(made, name):
    """What such a file holds."""
    content, known = made[name]
    return np.frombuffer(content, np.uint8)[-int(np.prod(known.shape)) :].reshape(known.shape)


def put(folder, names=None, as_gz=True, made=None):
    """Write files, all four if not named, into a folder, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    made = SMALL if made is None else made
    for name in made if names is None else names:
        content = made[name][0]
        if as_gz:
            (folder / f"{name}.gz").write_bytes(packed(content))
        else:
            (folder / name).write_bytes(content)
    return folder


SMALL = make_files(images.DIGITS, 0)
CLOTHES = make_files(images.CLOTHES, 1)
NAMES = tuple(SMALL)
IMAGES, LABELS = NAMES[:2]
GOOD, FILE = SMALL[IMAGES]
