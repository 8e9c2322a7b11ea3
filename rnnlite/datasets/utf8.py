"""Text files read as they are found: UTF-8, with or without a byte order mark, any line ends."""

import os
from pathlib import Path

from rnnlite.datasets.download import DataNotFound


def read_utf8(where, path):
    """The text of a file.

    Parameters
    ----------
    where : str
        For errors.
    path : str or os.PathLike

    Returns
    -------
    str
        Without a byte order mark; every line ends in a single newline character,
        whether the file says CR LF, CR or LF.

    Raises
    ------
    TypeError
        ``path`` is not a path.
    DataNotFound
        There is no such file.
    ValueError
        The file is not UTF-8; the message names the first wrong byte and its place.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "note.txt"
    ...     _ = path.write_bytes(b"\\xef\\xbb\\xbfone\\r\\ntwo\\r\\n")
    ...     read_utf8("note", path)
    'one\\ntwo\\n'
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{where}: path is {path!r}; wanted the path of a text file")
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataNotFound(f"{where}: there is no file {path}")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{where}: {path} is not UTF-8: byte {content[error.start]:#04x} at offset"
            f" {error.start} (line {line}); save the file as UTF-8"
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
