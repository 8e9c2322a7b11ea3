"""The bytes of a file of rnnlite: a zip of arrays, which is what NumPy calls ``.npz``.

    rnnlite.json     what the file is, which arrays follow, and the header
    NAME.npy         one a array, sorted by name, not compressed
    ...
    directory        of a zip
    comment          "rnnlite sha256 " and the SHA-256 of all bytes before it, 64 hex digits

Nothing of it is a choice: no date, no order, no alternative form.  Whoever knows
the JSON and the arrays knows every byte.  So the reader believes nothing that
the file says about itself: it computes what the file must be and compares.

The first name and the last 64 bytes mean the same in every version of the format.

Numbers of zip are from PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3 (all sizes are
written in the long form, zip64, so that a file of 5 GB is written as one of 5 KB is);
those of ``.npy`` from numpy.lib.format, version 1.0.
"""

import struct
from typing import NamedTuple

import numpy as np

HEADER = "rnnlite.json"
DIGEST = 64  # hex digits of a SHA-256
MARK = b"rnnlite sha256 "

# What arrays may hold, and how a file says it: little-endian.
TYPES = {
    np.dtype(kind).name: np.dtype(kind).newbyteorder("<")
    for kind in ("?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
}

# Version 4.5 is needed for zip64; names are UTF-8; stored; midnight on 1 January 1980.
_COMMON = (45, 0x800, 0, 0, 0x21)
_LATER = 0xFFFFFFFF  # "see the zip64 field"
_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_SIZES = struct.Struct("<2H2Q")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_CENTRAL_SIZES = struct.Struct("<2H3Q")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")


class Member(NamedTuple):
    """A file inside the zip: its name, number of bytes, CRC-32, and where it begins."""

    name: str
    size: int
    crc: int
    offset: int = 0


def beginning(member):
    """What stands before the bytes of a member."""
    name = member.name.encode()
    sizes = _LOCAL_SIZES.pack(1, _LOCAL_SIZES.size - 4, member.size, member.size)
    fixed = _LOCAL.pack(
        b"PK\3\4", *_COMMON, member.crc, _LATER, _LATER, len(name), len(sizes)
    )  # fmt: skip
    return fixed + name + sizes


def beginning_size(name):
    """Bytes of ``beginning``."""
    return _LOCAL.size + len(name.encode()) + _LOCAL_SIZES.size


def stated(data):
    """Size and CRC-32 that a member's ``beginning`` states."""
    return _LOCAL_SIZES.unpack(data[-_LOCAL_SIZES.size :])[2], _LOCAL.unpack_from(data)[6]


def looks_like_ours(data):
    """Whether a file that begins with ``data`` can be one of rnnlite, as far as it goes."""
    wanted = beginning(Member(HEADER, 0, 0))
    crc, sizes = 14, len(wanted) - 16  # where the numbers stand that differ from file to file
    return (
        data[:crc] == wanted[:crc][: len(data)]
        and data[crc + 4 : sizes] == wanted[crc + 4 : sizes][: max(len(data) - crc - 4, 0)]
    )


def ending(members, offset):
    """All that follows the members, but for the digest; ``offset`` is where it begins."""
    directory = b"".join(map(_entry, members))
    count, size = len(members), len(directory)
    comment = len(MARK) + DIGEST
    return b"".join(
        (
            directory,
            _END64.pack(
                b"PK\6\6", _END64.size - 12, 45, 45, 0, 0, count, count, size, offset
            ),
            _LOCATOR.pack(b"PK\6\7", 0, offset + size, 1),
            _END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _LATER, _LATER, comment),
            MARK,
        )
    )  # fmt: skip


def ending_size(names):
    """Bytes of ``ending``."""
    entries = sum(_CENTRAL.size + len(name.encode()) + _CENTRAL_SIZES.size for name in names)
    return entries + _END64.size + _LOCATOR.size + _END.size + len(MARK)


def _entry(member):
    name = member.name.encode()
    sizes = _CENTRAL_SIZES.pack(
        1, _CENTRAL_SIZES.size - 4, member.size, member.size, member.offset
    )  # fmt: skip
    fixed = _CENTRAL.pack(
        b"PK\1\2", 45, *_COMMON, member.crc, _LATER, _LATER, len(name), len(sizes),
        0, 0, 0, 0, _LATER,
    )  # fmt: skip
    return fixed + name + sizes


def npy_header(dtype, shape):
    """What stands before the numbers in a ``.npy`` file, padded to whole 64 bytes."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    size = -(-(10 + len(text) + 1) // 64) * 64
    return b"\x93NUMPY\1\0" + struct.pack("<H", size - 10) + text.ljust(size - 11).encode() + b"\n"
