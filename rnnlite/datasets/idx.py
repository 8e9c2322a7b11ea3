"""The idx file format of MNIST: read, checked, written.

    00 00 08 nd     magic number: 08 = unsigned bytes, nd = number of dimensions
    d1 ... d_nd     the size of each dimension, 4 bytes each, high byte first
    data            d1 * ... * d_nd bytes, last dimension fastest

A file whose name ends in ``.gz`` is the same, compressed.

Nothing a file says of itself is believed: its declared sizes are compared with
what is really there before memory is taken for them, and decompression stops
one byte after the declared end, so that a small file cannot fill the memory.
"""

import gzip
import hashlib
import io
import math
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnlite.datasets.corrupt_data import CorruptData

# Deflate cannot compress further than this, whatever the data.
LARGEST_RATIO = 1032

# A file may be larger than its data by its header and, if they do not compress, a little more.
SLACK = 1 << 16


class IdxFile(NamedTuple):
    """What a known idx file must be.

    Attributes
    ----------
    name : str
        File name, without ``.gz``.
    shape : tuple of int
    md5 : str
        MD5 of its decompressed bytes, header included.

    Examples
    --------
    >>> IdxFile("train-labels-idx1-ubyte", (60000,), "a25bea736e30d166cdddb491f175f624").shape
    (60000,)
    """

    name: str
    shape: tuple[int, ...]
    md5: str

    @property
    def largest(self):
        """Bytes that neither this file nor its compressed form exceeds."""
        return math.prod(self.shape) + SLACK


class _Plain:
    """Bytes handed out a piece at a time."""

    def __init__(self, content):
        self.rest = memoryview(content)
        self.largest = math.inf  # bytes worth asking for: asking takes no memory here

    def take(self, count):
        """The next ``count`` bytes, or as many as are left."""
        piece, self.rest = self.rest[:count], self.rest[count:]
        return piece

    def trailing(self):
        """Whether bytes are left over."""
        return len(self.rest) > 0


class _Gzip:
    """The same over compressed bytes, decompressing no more than is asked for."""

    def __init__(self, content, name):
        if content[:2] != b"\x1f\x8b":
            raise CorruptData(
                f"{name}: not a gzip file: it begins {content[:4].hex()}; expected 1f8b"
            )
        self.name, self.rest = name, content
        self.stream = zlib.decompressobj(wbits=31)  # 31: gzip, its checksum verified
        self.largest = LARGEST_RATIO * len(content)  # there cannot be more

    def take(self, count):
        if count == 0:  # zlib reads 0 as "no limit"
            return b""
        try:
            piece = self.stream.decompress(self.rest, count)
        except zlib.error as error:
            raise CorruptData(f"{self.name}: damaged gzip data ({error})") from None
        self.rest = self.stream.unconsumed_tail
        if len(piece) < count and not self.stream.eof:
            raise CorruptData(
                f"{self.name}: the gzip data ends early; expected its end mark and checksum"
            )
        return piece

    def trailing(self):
        return len(self.take(1)) > 0 or len(self.stream.unused_data) > 0


def decode(content, name, shape=None, md5=None):
    """Array in the bytes of an idx file.

    Parameters
    ----------
    content : bytes
        The whole file.
    name : str or os.PathLike
        Named in errors; ``content`` is decompressed if this ends in ``.gz``.
    shape : tuple of int, optional
        The only shape accepted.
    md5 : str, optional
        The only MD5 of the decompressed bytes accepted.

    Returns
    -------
    numpy.ndarray
        uint8, of the shape the file declares; read-only.

    Raises
    ------
    CorruptData
        The content is anything else than exactly such a file.

    Examples
    --------
    >>> decode(b"\\0\\0\\x08\\x01" + b"\\0\\0\\0\\x03" + b"abc", "letters")
    array([97, 98, 99], dtype=uint8)
    """
    name = str(name)
    if len(content) == 0:
        raise CorruptData(f"{name}: empty file; expected an idx file")
    source = _Gzip(content, name) if name.endswith(".gz") else _Plain(content)

    magic = source.take(4)
    wanted = None if shape is None else bytes((0, 0, 8, len(shape)))
    if wanted is not None and magic != wanted:
        raise CorruptData(
            f"{name}: magic number {bytes(magic).hex()}; expected {wanted.hex()}"
            f" (unsigned bytes, {len(shape)} dimensions)"
        )
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 32:
        raise CorruptData(
            f"{name}: not an idx file of unsigned bytes: it begins {bytes(magic).hex()};"
            " expected 000008 and the number of dimensions"
        )

    sizes = source.take(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise CorruptData(
            f"{name}: ends within its header; expected the sizes of {magic[3]} dimensions"
        )
    found = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    if shape is not None and found != tuple(shape):
        raise CorruptData(f"{name}: declares shape {found}; expected {tuple(shape)}")

    count = math.prod(found)
    if count > source.largest:
        raise CorruptData(
            f"{name}: declares shape {found}, {count} bytes;"
            f" a file of {len(content)} bytes cannot hold them"
        )
    data = source.take(count)
    if len(data) < count:
        raise CorruptData(f"{name}: ends after {len(data)} bytes of data; expected {count}")
    if source.trailing():
        raise CorruptData(f"{name}: more bytes follow its data; expected {count} bytes and the end")

    if md5 is not None:
        digest = hashlib.md5(magic, usedforsecurity=False)
        digest.update(sizes)
        digest.update(data)
        if digest.hexdigest() != md5:
            error = CorruptData(f"{name}: MD5 {digest.hexdigest()}; expected {md5}")
            error.md5 = digest.hexdigest()
            raise error
    return np.frombuffer(data, np.uint8).reshape(found)


def encode(array):
    """Bytes of an uncompressed idx file.

    Parameters
    ----------
    array : array_like
        uint8, one dimension or more.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError
        ``array`` is not of unsigned bytes.
    ValueError
        ``array`` has no dimension, or more than 32.

    Examples
    --------
    >>> encode(np.array([97, 98, 99], np.uint8)).hex()
    '0000080100000003616263'
    """
    array = np.asarray(array)
    if array.dtype != np.uint8:
        raise TypeError(f"idx.encode: array has dtype {array.dtype}; wanted uint8")
    if not 1 <= array.ndim <= 32:
        raise ValueError(f"idx.encode: array has shape {array.shape}; wanted 1 to 32 dimensions")
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def read(path, shape=None, md5=None):
    """Array in an idx file, plain or (``.gz``) compressed.

    Parameters
    ----------
    path : str or os.PathLike
    shape, md5 : optional
        As in `decode`.

    Returns
    -------
    numpy.ndarray
        uint8, of the shape the file declares; read-only.

    Raises
    ------
    CorruptData
        The file is anything else than exactly such a file.
    OSError
        It cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "numbers.gz"
    ...     write(path, np.arange(6, dtype=np.uint8).reshape(2, 3))
    ...     read(path)
    array([[0, 1, 2],
           [3, 4, 5]], dtype=uint8)
    """
    path = Path(path)
    if shape is not None:
        size, largest = path.stat().st_size, math.prod(shape) + SLACK
        if size > largest:
            raise CorruptData(f"{path}: {size} bytes; expected {largest} at most")
    return decode(path.read_bytes(), path, shape, md5)


def write(path, array):
    """Write an idx file, compressed if the name ends in ``.gz``.

    The same array gives the same bytes at any time of day: the compressed file
    holds neither date nor name.

    Parameters
    ----------
    path : str or os.PathLike
    array : array_like
        uint8, one dimension or more.

    Raises
    ------
    TypeError, ValueError
        As `encode`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "numbers", np.zeros(5, np.uint8))
    ...     (Path(folder) / "numbers").stat().st_size
    13
    """
    path, content = Path(path), encode(array)
    if path.name.endswith(".gz"):
        packed = io.BytesIO()
        with gzip.GzipFile("", "wb", compresslevel=9, fileobj=packed, mtime=0) as file:
            file.write(content)
        content = packed.getvalue()
    path.write_bytes(content)
