"""The idx file format of MNIST: known files read and checked.

    00 00 08 nd     magic number: 08 = unsigned bytes, nd = number of dimensions
    d1 ... d_nd     the size of each dimension, 4 bytes each, high byte first
    data            d1 * ... * d_nd bytes, last dimension fastest

A file whose name ends in ``.gz`` is the same, compressed.  What a file must hold is known: no
more is read or decompressed than one byte too many, so that a small file cannot fill the memory.
"""

import gzip
import hashlib
import math
import zlib
from typing import NamedTuple

import numpy as np


class CorruptData(ValueError):
    """A data file is damaged, or is not the file its name promises.

    ``md5`` is that of a file of the right form but the wrong content, else None.

    Examples
    --------
    >>> issubclass(CorruptData, ValueError)
    True
    """

    md5 = None


class IdxFile(NamedTuple):
    """A known file: its name without ``.gz``, the shape in it, MD5 sums plain and compressed."""

    name: str
    shape: tuple[int, ...]
    md5: str = ""
    packed_md5: str = ""


def header(shape):
    """The bytes before the data."""
    return bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes()


def encode(array):
    """The bytes of an uncompressed file that holds an array of uint8."""
    return header(array.shape) + array.tobytes()


def unpacked(stream, name, size=-1):
    """The bytes of an open file, at most ``size``; decompressed if its name ends in ``.gz``."""
    if str(name).endswith(".gz"):
        stream = gzip.GzipFile(fileobj=stream)
    try:
        return stream.read(size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorruptData(f"{name}: damaged gzip data ({error})") from None


def check_md5(content, name, expected):
    """Refuse a file of another content."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != expected:
        error = CorruptData(f"{name}: MD5 {md5}; expected {expected}")
        error.md5 = md5
        raise error


def read(stream, name, known):
    """The array (uint8, read-only) in an open file, named ``name``, which must be ``known``."""
    start, count = header(known.shape), math.prod(known.shape)
    content = unpacked(stream, name, len(start) + count + 1)
    if not content.startswith(start):
        found = content[: len(start)].hex() or "with nothing"
        head = f"{start.hex()}, the head of an idx file of unsigned bytes of shape {known.shape}"
        raise CorruptData(f"{name}: begins {found}; expected {head}")
    found = len(content) - len(start)
    if found != count:
        found = f"{found} bytes" if found < count else f"more than {count} bytes"
        raise CorruptData(f"{name}: {found} of data; expected {count}")
    check_md5(content, name, known.md5)
    return np.frombuffer(content, np.uint8, offset=len(start)).reshape(known.shape)
