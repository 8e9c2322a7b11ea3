"""A file that is there, with the one before it, to be replaced."""

import pytest

from rnnlite.saving import previous_path

OLDER, OLD, NEW = b"older", b"old", b"new"


@pytest.fixture
def path(tmp_path):
    """A file and the one before it, alone in a folder."""
    path = tmp_path / "run.npz"
    path.write_bytes(OLD)
    previous_path(path).write_bytes(OLDER)
    return path


def folder_of(path):
    """Content of every file in the folder, by name."""
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


UNCHANGED = {"run.npz": OLD, "run.previous.npz": OLDER}
