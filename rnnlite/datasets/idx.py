"""The idx file format of MNIST: known files read and checked.

    00 00 08 nd     magic number: 08 = unsigned bytes, nd = number of dimensions
    d1 ... d_nd     the size of each dimension, 4 bytes each, high byte first
    data            d1 * ... * d_nd bytes, last dimension fastest

A file whose name ends in ``.gz`` is the same, compressed.  What a file must hold is
known beforehand: nothing it says of its size is believed, and no more of it is read or
decompressed than one byte too many, so that a small file cannot fill the memory.
"""

import gzip
import hashlib
import math
import zlib
from typing import NamedTuple

import numpy as np


class CorruptData(ValueError):
    """A data file is damaged, or is not the file its name promises.

    The message names the file, what was found and what was expected; ``md5`` is that of a
    file of the right form but the wrong content, else None.

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


def read(stream, name, known):
    """The array (uint8, read-only) in an open file, which must be the ``known`` one.

    ``name`` is named in errors; if it ends in ``.gz``, the file is decompressed.
    """
    start, count = header(known.shape), math.prod(known.shape)
    if str(name).endswith(".gz"):
        stream = gzip.GzipFile(fileobj=stream)
    try:
        content = stream.read(len(start) + count + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorruptData(f"{name}: damaged gzip data ({error})") from None
    if not content.startswith(start):
        raise CorruptData(
            f"{name}: begins {content[: len(start)].hex() or 'with nothing'}; expected"
            f" {start.hex()}, the head of an idx file of unsigned bytes of shape {known.shape}"
        )
    found = len(content) - len(start)
    if found != count:
        found = f"{found} bytes" if found < count else f"more than {count} bytes"
        raise CorruptData(f"{name}: {found} of data; expected {count}")
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != known.md5:
        error = CorruptData(f"{name}: MD5 {md5}; expected {known.md5}")
        error.md5 = md5
        raise error
    return np.frombuffer(content, np.uint8, offset=len(start)).reshape(known.shape)
