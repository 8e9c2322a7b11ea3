"""A file of arrays with a header: written whole or not at all, read if all of it is right.

``numpy.load`` reads it too.  Which bytes it has says ``layout.py``, what its
JSON ``index.py``, how it gets its name ``atomic.py``.
"""

import hashlib
import math
import os
import stat
import zlib
from pathlib import Path

import numpy as np

from rnnlite.saving import index, layout
from rnnlite.saving.atomic import previous_path, replace_file
from rnnlite.saving.index import CorruptFile
from rnnlite.saving.layout import Member

PIECE = 1 << 20  # bytes hashed and written, or read and hashed, while they are in the cache


def write(path, kind, header, arrays, keep_previous=False):
    """Write a file; what was there before stays until the new one is whole.

    Parameters
    ----------
    path : str or os.PathLike
        Taken as it is, in a folder that exists.
    kind : str
        What the file is: "model", "checkpoint".
    header : dict
        What JSON holds: None, True, False, numbers, str, lists, and dicts
        with str as keys, whose order is kept.
    arrays : dict of str to numpy.ndarray
        Of real numbers.  Equal headers and arrays give equal bytes.
    keep_previous : bool
        Whether the file that was there becomes ``previous_path(path)``.

    Raises
    ------
    OSError
        It cannot be written; all files are then as they were.
    TypeError, ValueError
        Something cannot be held by such a file.
    RuntimeError
        Another thread changed an array meanwhile.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "lengths.npz"
    ...     write(path, "lengths", {"unit": "m"}, {"x": np.arange(3.0)})
    ...     read(path, ("lengths",)), np.load(path)["x"]
    (('lengths', {'unit': 'm'}, {'x': array([0., 1., 2.])}), array([0., 1., 2.]))
    """
    path = checked_path("save", path)
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    listed = [(name, array.dtype, array.shape) for name, array in plain.items()]
    listed.sort(key=lambda entry: str(entry[0]))
    text = index.encode("write", kind, header, listed)
    members = [(layout.HEADER, (text,))]
    for name, dtype, shape in listed:
        stored = layout.TYPES[dtype.name]
        # Little-endian, one row after the other; copied only if it is not so already.
        array = np.asarray(plain[name], stored, order="C")
        members.append((f"{name}.npy", (layout.npy_header(stored, shape), _bytes(array))))
    replace_file(path, _signed(_pieces(members)), keep_previous)


def read(path, kinds):
    """Read a file that ``write`` wrote; none of it is used before all of it is checked.

    Parameters
    ----------
    path : str or os.PathLike
    kinds : tuple of str
        Kinds of files that will do.

    Returns
    -------
    kind : str
    header : dict
    arrays : dict of str to numpy.ndarray
        Yours to keep and to change.

    Raises
    ------
    CorruptFile
        For a damaged file, and for any other than wanted.
    OSError
        It is not there (FileNotFoundError) or cannot be read.
    """
    path = checked_path("load", path)
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would be to wait for its writer
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise CorruptFile(f"{path}: {what}; wanted a file that rnnlite wrote")
    try:
        with path.open("rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size, kinds)
    except CorruptFile as problem:
        older = previous_path(path)
        hint = f"; the file before it is {older}" if older.is_file() else ""
        raise CorruptFile(f"{path}: {problem}{hint}") from None


def checked_path(where, path):
    """``path`` as a Path.

    Parameters
    ----------
    where : str
        Function that a message names.
    path : str or os.PathLike

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TypeError, ValueError
        It cannot be the name of a file.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(f"{where}: path is {path!r}; wanted the name of a file")
    if not text or "\0" in text:
        raise ValueError(f"{where}: path is {text!r}; wanted the name of a file")
    return Path(text)


def _bytes(array):
    """The memory of an array in C order, as bytes."""
    return array.reshape(-1).view(np.uint8).data


# ---- writing -------------------------------------------------------------------------------


def _pieces(contents):
    """The bytes of the file, from name and parts of each member."""
    members, offset = [], 0
    for name, parts in contents:
        crc = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        member = Member(name, sum(map(len, parts)), crc, offset)
        yield layout.beginning(member)
        written = 0
        for part in parts:
            for start in range(0, len(part), PIECE):
                # A copy: what is hashed is what is written, whatever another thread does.
                piece = bytes(part[start : start + PIECE])
                written = zlib.crc32(piece, written)
                yield piece
        if written != crc:
            raise RuntimeError(f"write: {name} changed while it was written; another thread trains")
        members.append(member)
        offset += layout.beginning_size(name) + member.size
    yield layout.ending(members, offset)


def _signed(pieces):
    """The pieces, and the SHA-256 of all of them."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    yield digest.hexdigest().encode()


# ---- reading -------------------------------------------------------------------------------


class _Source:
    """The bytes of a file one after the other, hashed as they come."""

    def __init__(self, file, size):
        self.file, self.left, self.digest = file, size, hashlib.sha256()

    def take(self, count):
        """The next ``count`` bytes; memory is taken only for what is there."""
        if count > self.left:
            raise CorruptFile("it ends too early")
        return self._took(self.file.read(count), count)

    def fill(self, array):
        """``array`` with the next bytes as its memory."""
        memory = _bytes(array)
        for start in range(0, len(memory), PIECE):
            piece = memory[start : start + PIECE]
            self._took(piece[: self.file.readinto(piece)], len(piece))
        return array

    def finish(self):
        """Hash what is left."""
        while self.left > 0:
            self.take(min(PIECE, self.left))
        return self.digest.hexdigest().encode()

    def _took(self, data, count):
        if len(data) < count:
            raise CorruptFile("it became shorter while it was read")
        self.digest.update(data)
        self.left -= count
        return data


def _read(file, size, kinds):
    start = file.read(layout.beginning_size(layout.HEADER))
    if not start or not layout.looks_like_ours(start):
        raise CorruptFile(_what_it_is(start))
    file.seek(0)
    source, problem = _Source(file, size - layout.DIGEST), None
    try:
        found = _contents(source, kinds)
    except CorruptFile as error:
        problem = error
    # What does not fit together is most often damage, which is then the better message.
    if source.finish() != file.read(layout.DIGEST + 1):
        raise CorruptFile("it is damaged or cut short: its SHA-256 is not the one at its end")
    if problem:
        raise problem
    return found


def _what_it_is(start):
    """Why a file that does not begin as those of rnnlite is none."""
    if not start:
        return "it is empty; wanted a file that rnnlite wrote"
    if start.startswith(b"PK"):
        return "rnnlite did not write it, though it is a zip, as .npz files are"
    if start.startswith(b"\x80"):
        return (
            "rnnlite did not write it; it looks like a pickle, which rnnlite never reads: "
            "a pickle can run any program"
        )
    return f"rnnlite did not write it; it begins {start[:8].hex()}"


def _contents(source, kinds):
    """Kind, header and arrays, if every byte before the digest is what it must be."""
    head = source.take(layout.beginning_size(layout.HEADER))
    size, _ = layout.stated(head)
    if size > index.LARGEST:
        raise CorruptFile(f"its header takes {size:,} bytes; wanted at most {index.LARGEST:,}")
    text = source.take(size)
    members = [Member(layout.HEADER, size, zlib.crc32(text))]
    if head != layout.beginning(members[0]):
        raise CorruptFile("its beginning is not as its header is")
    kind, header, listed = index.decode(text, kinds)

    names = [layout.HEADER, *(f"{name}.npy" for name, _, _ in listed)]
    npy_headers = [layout.npy_header(dtype, shape) for _, dtype, shape in listed]
    sizes = [
        len(npy) + dtype.itemsize * math.prod(shape)
        for npy, (_, dtype, shape) in zip(npy_headers, listed, strict=True)
    ]
    wanted = sum(sizes) + sum(map(layout.beginning_size, names[1:])) + layout.ending_size(names)
    if wanted != source.left:
        raise CorruptFile(
            f"{source.left:,} bytes follow its header, which lists arrays that need {wanted:,}"
        )
    arrays, offset = {}, len(head) + size
    for (name, dtype, shape), npy, size in zip(listed, npy_headers, sizes, strict=True):
        file_name = f"{name}.npy"
        head, lead = source.take(layout.beginning_size(file_name)), source.take(len(npy))
        array = source.fill(np.empty(shape, dtype))
        members.append(Member(file_name, size, zlib.crc32(_bytes(array), zlib.crc32(npy)), offset))
        if head != layout.beginning(members[-1]) or lead != npy:
            raise CorruptFile(f"{file_name} in it is not as its header says")
        arrays[name] = array.astype(dtype.newbyteorder("="), copy=False)
        offset += len(head) + size
    if source.take(layout.ending_size(names)) != layout.ending(members, offset):
        raise CorruptFile("its directory is not that of its arrays")
    return kind, header, arrays
