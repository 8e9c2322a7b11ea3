"""What the tests of files of arrays share: some content, a digest that fits, what refused means."""

import hashlib
import json

import numpy as np
import pytest

from rnnlite.saving import CorruptFile, container

HEADER = {
    "none": None, "yes": True, "no": False, "int": -(2**127), "float": 0.1, "nan": float("inf"),
    "text": 'ü "\\\n\ud800', "list": [1, [2, {}]], "dict": {"z": 1, "a": {"": []}},
}  # fmt: skip
ARRAYS = {"b": np.arange(6.0).reshape(2, 3), "a/x": np.array([1, 2], np.int64)}
BAD_NAMES = [
    "", ".", "..", "a/../b", "../a", "/a", "a/", "a//b", "./a", "C:a", "a\\b", "a\0", "a\nb", "a*",
    "a" * 1001, "\ud800", 3,
]  # fmt: skip
KINDS = ("model",)
KEYS = ("format", "version", "kind", "arrays", "header")


def bytes_of(path, header=HEADER, arrays=ARRAYS, kind="model"):
    container.write(path, kind, header, arrays)
    return path.read_bytes()


def refused(path, content, fragments=()):
    """The file is refused, by a message that begins with its path."""
    path.write_bytes(content)
    with pytest.raises(CorruptFile) as raised:
        container.read(path, KINDS)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    for fragment in fragments:
        assert fragment in message, f"no {fragment!r} in: {message}"
    assert len(message) < len(str(path)) + 400


def signed(body):
    """A file whose digest is right, whatever it is."""
    return body + hashlib.sha256(body).hexdigest().encode()


def forged(listed, members, text=None, edit=None):
    """A file of these members whose digest is right; its JSON lists other arrays, or is another."""
    if text is None:
        found = dict(zip(KEYS, ("rnnlite", 1, "model", listed, {}), strict=True))
        text = json.dumps(edit(found) if edit else found, separators=(",", ":")).encode()
    contents = [(container.HEADER, [text]), *members]
    return b"".join(container._signed(container._pieces(contents)))
