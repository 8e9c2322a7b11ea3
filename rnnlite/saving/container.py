"""A file of arrays with a header: a zip, which ``numpy.load`` reads as ``.npz``.

    rnnlite.json     what the file is, which arrays follow, and the header (``header.py``)
    NAME.npy         one an array, sorted by name, not compressed
    ...
    directory        of a zip
    comment          "rnnlite sha256 " and the SHA-256 of all bytes before it, 64 hex digits

Nothing of it is a choice: no date, no order, no other form.  Whoever knows the header and the
arrays knows every byte.  So the reader believes nothing that a file says about itself: a file
is right if writing what was read from it gives the same bytes, the SHA-256 with them.

The bytes are made here, not by ``zipfile`` and ``numpy.lib.format``, for two promises.  Equal
models are equal files, and old files stay right, whatever wrote them: ``zipfile`` of Python 3.11.7
writes other bytes than that of 3.10.13.  And there is no byte to hide in, even where somebody made
a new SHA-256: of 386 bytes those two read the same with any one of 133 changed.

Numbers of zip are from PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3 (all sizes are written in
the long form, zip64, at 5 KB as at 5 GB); those of ``.npy`` from numpy.lib.format, version 1.0.
"""

import hashlib
import math
import os
import stat
import struct
import zlib

import numpy as np

from rnnlite import checking
from rnnlite.saving import header as headers
from rnnlite.saving.atomic import previous_path, replace_file
from rnnlite.saving.header import TYPES, CorruptFile

PIECE = 1 << 20  # bytes hashed and written, or compared, while they are in the cache
HEADER, MARK, DIGEST = "rnnlite.json", b"rnnlite sha256 ", 64

# Version 4.5 is needed for zip64; names are UTF-8; stored; midnight on 1 January 1980.
_COMMON = (45, 0x800, 0, 0, 0x21)
_LATER = 0xFFFFFFFF  # "see the zip64 field"


def write(path, kind, header, arrays, keep_previous=False):
    """Write a file, whole or not at all; ``keep_previous`` as in ``replace_file``."""
    file = checking.file_name("save", "path", path)
    replace_file(file, dump(kind, header, arrays), keep_previous)


def dump(kind, header, arrays):
    """The bytes of a file, as an iterable of pieces; what cannot be held is refused at once."""
    plain = [(name, np.asarray(arrays[name])) for name in sorted(arrays, key=str)]
    text = headers.encode(kind, header, [(name, a.dtype, a.shape) for name, a in plain])
    # Little-endian, one row after the other; copied only if it is not so already.
    stored = {name: np.asarray(a, TYPES[a.dtype.name], order="C") for name, a in plain}
    return _signed(_pieces(_members(text, stored)))


def read(path, kinds):
    """Kind, header and arrays of a file of one of these kinds, if every byte of it is right."""
    path = checking.file_name("load", "path", path)
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would be to wait for its writer
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise CorruptFile(f"{path}: {what}; wanted a file that rnnlite wrote")
    try:
        with path.open("rb") as file:
            return parse(file, (kinds,) if isinstance(kinds, str) else tuple(kinds))
    except CorruptFile as problem:
        older = previous_path(path)
        hint = f"; the file before it is {older}" if older.is_file() else ""
        raise CorruptFile(f"{path}: {problem}{hint}") from None


def parse(file, kinds):
    """As ``read``, from an open file or an ``io.BytesIO``."""
    start = file.read(42)
    zipped, name = _local(HEADER, 0, 0).startswith(start[:14]), HEADER.encode()
    if not (start and zipped and name.startswith(start[30:])):
        raise CorruptFile(_what_it_is(start))
    try:
        return _contents(file, kinds)
    except CorruptFile:
        # What does not fit together is most often damage, which is then the better message.
        if _sha256(file) != file.read(DIGEST + 1):
            problem = "it is damaged or cut short: its SHA-256 is not the one at its end"
            raise CorruptFile(problem) from None
        raise


def _local(name, size, crc):
    """What stands before the bytes of a member."""
    name = name.encode()
    return struct.pack(
        f"<4s5H3I2H{len(name)}s2H2Q",
        b"PK\3\4", *_COMMON, crc, _LATER, _LATER, len(name), 20, name, 1, 16, size, size,
    )  # fmt: skip


def _entry(name, size, crc, offset):
    """The same in the directory, with the place where ``_local`` is."""
    name = name.encode()
    return struct.pack(
        f"<4s6H3I5H2I{len(name)}s2H3Q",
        b"PK\1\2", 45, *_COMMON, crc, _LATER, _LATER, len(name), 28, 0, 0, 0, 0, _LATER,
        name, 1, 24, size, size, offset,
    )  # fmt: skip


def _ending(count, size, offset):
    """What follows a directory of ``count`` entries and ``size`` bytes, but for the digest."""
    return struct.pack(
        "<4sQ2H2I4Q4sIQI4s4H2IH",
        b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset,
        b"PK\6\7", 0, offset + size, 1,
        b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _LATER, _LATER, len(MARK) + DIGEST,
    ) + MARK  # fmt: skip


def npy_header(dtype, shape):
    """What stands before the numbers in a ``.npy`` file, padded to whole 64 bytes."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    size = -(-(10 + len(text) + 1) // 64) * 64
    return b"\x93NUMPY\1\0" + struct.pack("<H", size - 10) + text.ljust(size - 11).encode() + b"\n"


def _members(text, arrays):
    """Name and parts of each file in the zip."""
    yield HEADER, (text,)
    for name, array in arrays.items():
        yield f"{name}.npy", (npy_header(array.dtype, array.shape), _bytes(array))


def _bytes(array):
    """The memory of an array in C order."""
    return array.reshape(-1).view(np.uint8).data


def _pieces(members):
    """The bytes of the file, but for the digest."""
    directory, offset = [], 0
    for name, parts in members:
        crc = written = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        size = sum(map(len, parts))
        yield _local(name, size, crc)
        for part in parts:
            for start in range(0, len(part), PIECE):
                # A copy: what is hashed is what is written, whatever another thread does.
                piece = bytes(part[start : start + PIECE])
                written = zlib.crc32(piece, written)
                yield piece
        if written != crc:
            raise RuntimeError(f"save: {name} changed while it was written; another thread trains")
        directory.append(_entry(name, size, crc, offset))
        offset += len(_local(name, 0, 0)) + size
    entries = b"".join(directory)
    yield entries + _ending(len(directory), len(entries), offset)


def _signed(pieces):
    """The pieces, and the SHA-256 of all of them."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    yield digest.hexdigest().encode()


def _contents(file, kinds):
    """Kind, header and arrays; memory is taken only for what is there."""
    size, start = file.seek(0, os.SEEK_END), len(_local(HEADER, 0, 0))
    file.seek(start - 8)
    length = int.from_bytes(file.read(8), "little")
    if length > min(headers.LARGEST, size):
        wanted = f"at most {headers.LARGEST:,}, and {size:,} are there"
        raise CorruptFile(f"its header takes {length:,} bytes; wanted {wanted}")
    text = file.read(length)
    kind, header, listed = headers.decode(text, kinds)
    leads = [npy_header(dtype, shape) for _, dtype, shape in listed]
    sizes = {HEADER: length} | {
        f"{name}.npy": len(lead) + dtype.itemsize * math.prod(shape)
        for lead, (name, dtype, shape) in zip(leads, listed, strict=True)
    }
    wanted = sum(sizes.values()) + len(_ending(0, 0, 0)) + DIGEST
    wanted += sum(len(_local(name, 0, 0)) + len(_entry(name, 0, 0, 0)) for name in sizes)
    if size != wanted:
        raise CorruptFile(f"it has {size:,} bytes; its header lists arrays that need {wanted:,}")
    arrays = {}
    for lead, (name, dtype, shape) in zip(leads, listed, strict=True):
        file.seek(len(_local(f"{name}.npy", 0, 0)) + len(lead), os.SEEK_CUR)
        arrays[name] = np.empty(shape, dtype)
        if file.readinto(_bytes(arrays[name])) != arrays[name].nbytes:
            raise CorruptFile("it became shorter while it was read")
    file.seek(0)
    for piece in _signed(_pieces(_members(text, arrays))):
        if file.read(len(piece)) != piece:
            raise CorruptFile("its zip is not what rnnlite writes of its header and its arrays")
    native = {name: a.astype(a.dtype.newbyteorder("="), copy=False) for name, a in arrays.items()}
    return kind, header, native


def _sha256(file):
    """The SHA-256 of all bytes but the digest at the end, before which the file then stands."""
    digest, left = hashlib.sha256(), file.seek(0, os.SEEK_END) - DIGEST
    file.seek(0)
    while left > 0 and (piece := file.read(min(PIECE, left))):
        digest.update(piece)
        left -= len(piece)
    return digest.hexdigest().encode()


def _what_it_is(start):
    """Why a file that does not begin as those of rnnlite is none."""
    if not start:
        return "it is empty; wanted a file that rnnlite wrote"
    if start.startswith(b"PK"):
        return "rnnlite did not write it, though it is a zip, as .npz files are"
    if start.startswith(b"\x80"):
        pickle = "it looks like a pickle, which rnnlite never reads: a pickle can run any program"
        return f"rnnlite did not write it; {pickle}"
    return f"rnnlite did not write it; it begins {start[:8].hex()}"
