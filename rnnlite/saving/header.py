"""The JSON at the beginning of a file: what the file is, which arrays follow, and its header.

{"format": "rnnlite", "version": 1, "kind": "model",
 "arrays": [["params/0.Wx", "float32", [28, 512]], ...], "header": {...}}
"""

import json
import math
import re
import reprlib

import numpy as np

FORMAT, VERSION = "rnnlite", 1
# Bytes of JSON.  4 MiB of nothing but "[]," take a second and 150 MB; 64 MiB took 17 s and 1.7 GB.
LARGEST = 1 << 22
DEEPEST = 100  # lists and dicts in one another
MOST_AXES = 32

# What arrays may hold, and how a file says it: little-endian.
_KINDS = ("?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
TYPES = {np.dtype(kind).name: np.dtype(kind).newbyteorder("<") for kind in _KINDS}
# Part of a name between slashes: a file name on every system, and no way out of a folder.
_PART = re.compile(r"""(?!\.\.?$)[^/\\:*?"<>|]+""")


class CorruptFile(ValueError):
    """A file is damaged, or is not what is wanted here; nothing of it was used.

    Examples
    --------
    >>> import pathlib, tempfile, rnnlite
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pathlib.Path(folder, "model.npz").touch()
    ...     try:
    ...         rnnlite.load(f"{folder}/model.npz")
    ...     except CorruptFile as error:
    ...         print(str(error).rpartition(": ")[2])
    it is empty; wanted a file that rnnlite wrote
    """


def encode(kind, header, arrays):
    """The JSON, as bytes; ``arrays`` lists name, dtype and shape of each."""
    if not isinstance(kind, str) or not kind:
        raise TypeError(f"save: kind is {kind!r}; wanted a str")
    if not isinstance(header, dict):
        raise TypeError(f"save: header is of type {type(header).__name__}; wanted a dict")
    if problem := _not_json(header, DEEPEST):
        raise TypeError(f"save: header{problem}")
    for name, dtype, shape in arrays:
        if not _is_name(name):
            wanted = "names of files on any system, with slashes between them"
            raise ValueError(f"save: arrays has the name {name!r}; wanted {wanted}")
        if dtype.name not in TYPES:
            raise TypeError(f"save: arrays[{name!r}] holds {dtype}; wanted real numbers")
        if not _is_shape(shape):
            raise ValueError(f"save: arrays[{name!r}] has shape {shape}; that is too large")
    entries = [[name, dtype.name, list(shape)] for name, dtype, shape in arrays]
    found = {"format": FORMAT, "version": VERSION, "kind": kind, "arrays": entries}
    text = json.dumps(found | {"header": header}, separators=(",", ":")).encode()
    if len(text) > LARGEST:
        problem = f"header takes {len(text):,} bytes as JSON; wanted at most {LARGEST:,}"
        raise ValueError(f"save: {problem} (arrays are the place for many numbers)")
    return text


def json_size(value):
    """How many bytes a part of a header takes."""
    return len(json.dumps(value, separators=(",", ":")))


def decode(text, kinds):
    """Kind, header and list of arrays, if ``encode`` makes exactly this text of them."""
    try:
        found = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        raise CorruptFile("its header is not JSON, or too deep") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise CorruptFile(f"its header does not say that its format is {FORMAT!r}")
    version = found.get("version")
    if type(version) is not int or version != VERSION:
        newer = type(version) is int and version > VERSION
        wanted = f"{VERSION}{': a newer rnnlite wrote it' if newer else ''}"
        found = f"it has version {reprlib.repr(version)} of the format"
        raise CorruptFile(f"{found}; this rnnlite reads version {wanted}")
    kind, header = found.get("kind"), found.get("header")
    if not isinstance(kind, str) or kind not in kinds:
        wanted = " or ".join(map(repr, kinds))
        raise CorruptFile(f"its kind is {reprlib.repr(kind)}; wanted {wanted}")
    try:
        arrays = [(name, TYPES[dtype], tuple(shape)) for name, dtype, shape in found["arrays"]]
        again = encode(kind, header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = error.args[0] if isinstance(error, ValueError) else repr(error)
        raise CorruptFile(f"its header is not as rnnlite writes it: {str(why)[:200]}") from None
    names = [name for name, _, _ in arrays]
    # In exactly one form: no key twice, no space, no number written otherwise, no other order.
    if again != text or names != sorted(set(names)):
        raise CorruptFile("its header is not as rnnlite writes it")
    return kind, header, arrays


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
        if problem := _not_json(part, depth - 1):
            return f"[{key!r}]{problem}"
    return None


def _is_name(name):
    is_text = isinstance(name, str) and len(name) <= 1000 and name.isprintable()
    return is_text and all(_PART.fullmatch(part) for part in name.split("/"))


def _is_shape(shape):
    """Whether NumPy can have such an array, and every file system the file of it."""
    is_whole = all(type(length) is int and length >= 0 for length in shape)
    return len(shape) <= MOST_AXES and is_whole and math.prod(n or 1 for n in shape) < 1 << 56
