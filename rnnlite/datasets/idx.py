"""The idx file format of MNIST: known files read and checked.

    00 00 08 nd     magic number: 08 = unsigned bytes, nd = number of dimensions
    d1 ... d_nd     the size of each dimension, 4 bytes each, high byte first
    data            d1 * ... * d_nd bytes, last dimension fastest

A file whose name ends in ``.gz`` is the same, compressed.  What a file must hold is known: no
more is read or decompressed than one byte too many, so that a small file cannot fill the memory.
"""

import contextlib
import gzip
import hashlib
import reprlib
import zlib
from typing import NamedTuple

import numpy as np

PIECE = 1 << 16  # bytes read at once


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


@contextlib.contextmanager
def unpacked(stream, name):
    """An open file, decompressed if its name ends in ``.gz``; damage met there names the file."""
    try:
        yield gzip.GzipFile(fileobj=stream) if str(name).endswith(".gz") else stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorruptData(f"{name}: damaged gzip data ({error})") from None


def check_md5(pieces, name, expected):
    """Refuse a file of another content."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        digest.update(piece)
    md5 = digest.hexdigest()
    if md5 != expected:
        error = CorruptData(f"{name}: MD5 {md5}; expected {expected}")
        error.md5 = md5
        raise error


def read(stream, name, known):
    """The array (uint8, read-only) in an open file, named ``name``, which must be ``known``."""
    try:
        start, array = header(known.shape), np.empty(known.shape, np.uint8)
    except (ValueError, OverflowError) as error:  # of no numbers, say, but 2**32 - 1 along others
        shape = reprlib.repr(known.shape)
        raise CorruptData(f"{name}: no array can have shape {shape}: {error}") from None
    data, found = array.reshape(-1).data, 0
    with unpacked(stream, name) as stream:
        begin = stream.read(len(start))
        if begin != start:
            head = f"{start.hex()}, the head of an idx file of unsigned bytes of shape"
            begin = begin.hex() or "with nothing"
            raise CorruptData(f"{name}: begins {begin}; expected {head} {known.shape}")
        # Piece by piece into its place: ``read`` of all would hold the data twice.
        while piece := stream.read(min(PIECE, array.size + 1 - found)):
            data[found : found + len(piece)] = piece[: array.size - found]
            found += len(piece)
    if found != array.size:
        found = f"{found} bytes" if found < array.size else f"more than {array.size} bytes"
        raise CorruptData(f"{name}: {found} of data; expected {array.size}")
    check_md5((start, data), name, known.md5)
    array.flags.writeable = False
    return array
