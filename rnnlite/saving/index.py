"""The JSON at the beginning of a file: what the file is, its header, and which arrays follow.

{"format": "rnnlite", "version": 1, "kind": "model",
 "arrays": [["params/0.Wx", "float32", [28, 512]], ...], "header": {...}}
"""

import itertools
import json
import math
import re
import reprlib

from rnnlite.saving import layout

FORMAT, VERSION = "rnnlite", 1
KEYS = ["format", "version", "kind", "arrays", "header"]
LARGEST = 1 << 26  # bytes of JSON
DEEPEST = 100  # lists and dicts in one another
MOST_AXES = 32

# Part of a name between slashes: a file name on every system, and no way out of a folder.
_PART = re.compile(r"""(?!\.\.?$)[^/\\:*?"<>|]+""")


class CorruptFile(ValueError):
    """A file is damaged, or is not what is wanted here; nothing of it was used.

    Examples
    --------
    >>> import tempfile, rnnlite
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.npz"
    ...     _ = path.write_bytes(b"<html>")
    ...     try:
    ...         rnnlite.load(path)
    ...     except CorruptFile as error:
    ...         print(str(error).removeprefix(folder))
    /model.npz: rnnlite did not write it; it begins 3c68746d6c3e
    """


def encode(where, kind, header, arrays):
    """The JSON of a file, as bytes.

    Parameters
    ----------
    where : str
        Function that a message names.
    kind : str
    header : dict
    arrays : list of tuple
        Name, dtype and shape of each.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError, ValueError
        For what a file cannot hold.
    """
    if not isinstance(kind, str) or not kind:
        raise TypeError(f"{where}: kind is {kind!r}; wanted a str")
    if not isinstance(header, dict):
        raise TypeError(f"{where}: header is of type {type(header).__name__}; wanted a dict")
    problem = _not_json(header, DEEPEST)
    if problem:
        raise TypeError(f"{where}: header{problem}")
    for name, dtype, shape in arrays:
        if not _is_name(name):
            raise ValueError(
                f"{where}: arrays has the name {name!r}; wanted names of files on any system, "
                "with slashes between them"
            )
        if dtype.name not in layout.TYPES:
            raise TypeError(f"{where}: arrays[{name!r}] holds {dtype}; wanted real numbers")
        if not _is_shape(shape):
            raise ValueError(f"{where}: arrays[{name!r}] has shape {shape}; that is too large")
    entries = [[name, dtype.name, list(shape)] for name, dtype, shape in arrays]
    text = _json(dict(zip(KEYS, (FORMAT, VERSION, kind, entries, header), strict=True)))
    if len(text) > LARGEST:
        raise ValueError(
            f"{where}: header takes {len(text):,} bytes as JSON; wanted at most {LARGEST:,} "
            "(arrays are the place for many numbers)"
        )
    return text


def decode(text, kinds):
    """What ``encode`` made JSON of, if the file is of one of these kinds.

    Parameters
    ----------
    text : bytes
    kinds : tuple of str

    Returns
    -------
    kind : str
    header : dict
    arrays : list of tuple
        Name, dtype and shape of each, sorted by name.

    Raises
    ------
    CorruptFile
        For anything else.
    """
    try:
        found = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        raise CorruptFile("its header is not JSON, or too deep") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CorruptFile(f"its header does not say that its format is {FORMAT!r}")
    version = found.get("version")
    if type(version) is not int or version != VERSION:
        newer = type(version) is int and version > VERSION
        raise CorruptFile(
            f"it has version {reprlib.repr(version)} of the format; this rnnlite reads version "
            f"{VERSION}{': a newer rnnlite wrote it' if newer else ''}"
        )
    # In exactly one form: no key twice, no space, no number written otherwise.
    if list(found) != KEYS or _not_json(found, DEEPEST + 1) or _json(found) != text:
        raise CorruptFile("its header is not as rnnlite writes it")
    kind, entries, header = found["kind"], found["arrays"], found["header"]
    if not isinstance(kind, str) or kind not in kinds:
        wanted = " or ".join(map(repr, kinds))
        raise CorruptFile(f"its kind is {reprlib.repr(kind)}; wanted {wanted}")
    if not isinstance(header, dict) or not isinstance(entries, list):
        raise CorruptFile("its header is not as rnnlite writes it")
    arrays = []
    for entry in entries:
        if not (
            isinstance(entry, list)
            and len(entry) == 3
            and _is_name(entry[0])
            and isinstance(entry[1], str)
            and entry[1] in layout.TYPES
            and isinstance(entry[2], list)
            and _is_shape(entry[2])
        ):
            raise CorruptFile(f"its header lists the array {reprlib.repr(entry)}")
        arrays.append((entry[0], layout.TYPES[entry[1]], tuple(entry[2])))
    names = [name for name, _, _ in arrays]
    if any(first >= second for first, second in itertools.pairwise(names)):
        raise CorruptFile("its header lists arrays twice or out of order")
    return kind, header, arrays


def _json(value):
    return json.dumps(value, separators=(",", ":")).encode()


def _not_json(value, depth):
    """Where and why JSON would not give ``value`` back, or None."""
    if not isinstance(value, dict | list | tuple):
        plain = value is None or isinstance(value, bool | int | float | str)
        return None if plain else f" is of type {type(value).__name__}; wanted what JSON holds"
    if depth == 0:
        return f" has more than {DEEPEST} lists and dicts in one another"
    is_dict = isinstance(value, dict)
    for key, part in value.items() if is_dict else enumerate(value):
        if is_dict and not isinstance(key, str):
            return f" has the key {key!r}; wanted a str"
        problem = _not_json(part, depth - 1)
        if problem:
            return f"[{key!r}]{problem}"
    return None


def _is_name(name):
    return (
        isinstance(name, str)
        and len(name) <= 1000
        and name.isprintable()
        and all(_PART.fullmatch(part) for part in name.split("/"))
    )


def _is_shape(shape):
    """Whether NumPy can have such an array, and every file system the file of it."""
    return (
        len(shape) <= MOST_AXES
        and all(type(length) is int and 0 <= length for length in shape)
        and math.prod(length or 1 for length in shape) < 1 << 56
    )
