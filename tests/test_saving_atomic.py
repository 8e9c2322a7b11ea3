"""A file is replaced as a whole: whatever fails, and whenever, nothing that was there is lost."""

import contextlib
import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from conftest import assert_refused
from replaced_files import NEW, OLD, OLDER, UNCHANGED, folder_of, path

from rnnlite.saving import atomic, container, previous_path
from rnnlite.saving.atomic import replace_file

__all__ = ["path"]  # fixtures

REPLACED = {"run.npz": NEW, "run.previous.npz": OLDER}
KEPT = {"run.npz": NEW, "run.previous.npz": OLD}


@pytest.mark.parametrize(("keep", "after"), [(False, REPLACED), (True, KEPT)])
@pytest.mark.parametrize("content", [NEW, [b"n", b"", b"ew"], bytearray(NEW), memoryview(NEW)])
def test_a_file_is_replaced(path, keep, after, content):
    replace_file(path, content, keep_previous=keep)
    assert folder_of(path) == after


@pytest.mark.parametrize("keep", [False, True])
def test_a_first_file_has_none_before_it(tmp_path, keep):
    replace_file(str(tmp_path / "run.npz"), NEW, keep_previous=keep)
    assert folder_of(tmp_path / "run.npz") == {"run.npz": NEW}


@pytest.mark.parametrize(
    ("name", "previous"),
    [
        ("run.npz", "run.previous.npz"),
        ("run", "run.previous"),
        ("a.b.npz", "a.b.previous.npz"),
        (".run", ".run.previous"),
    ],
)
def test_the_name_of_the_file_before(name, previous):
    assert previous_path(Path("folder") / name) == Path("folder") / previous
    assert previous_path(f"folder/{name}") == Path("folder") / previous


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path):
    path = tmp_path / ("a" * 240)
    for content in (OLD, NEW):
        replace_file(path, content, keep_previous=True)
    assert path.read_bytes() == NEW


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_new_file_has_the_permissions_that_any_new_file_has(path):
    replace_file(path, NEW)
    (path.parent / "other").write_bytes(b"")
    assert path.stat().st_mode == (path.parent / "other").stat().st_mode


# ---- every step fails once -----------------------------------------------------------------

STEPS = ((Path, "open"), (os, "fsync"), (os, "link"), (shutil, "copyfile"), (os, "replace"))


class Fails:
    """The n-th of all steps raises an error, before or after it does its work."""

    def __init__(self, monkeypatch, number, error, afterwards=False):
        self.number, self.error, self.afterwards, self.done = number, error, afterwards, []
        for place, name in STEPS:
            monkeypatch.setattr(place, name, self.wrapped(name, getattr(place, name)))

    def wrapped(self, name, function):
        def step(*arguments, **keywords):
            self.done.append(name)
            now = len(self.done) - 1 == self.number
            if now and not self.afterwards:
                raise self.error
            result = function(*arguments, **keywords)
            if now:
                if hasattr(result, "close"):
                    result.close()
                raise self.error
            return result

        return step


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_links(monkeypatch):
    """A disk on which a file has one name, which ``os.link`` says as Linux does."""

    def link(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted", str(source), None, target)

    monkeypatch.setattr(os, "link", link)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=repr)
def test_whichever_step_fails_nothing_is_lost(path, monkeypatch, keep, links, afterwards, error):
    if not links:
        no_links(monkeypatch)
    steps = ["open", "fsync", "replace", "fsync"]
    if keep:
        names = ["link"] if links else ["link", "copyfile", "open", "fsync"]
        steps = ["open", "fsync", *names, "replace", "replace", "fsync"]
    # From here on the names are right, and there is nothing to take back.
    settled = len(steps) - 1 - afterwards
    for number in range(len(steps) + 1):
        path.write_bytes(OLD)
        previous_path(path).write_bytes(OLDER)
        with monkeypatch.context() as patch:
            fails = Fails(patch, number, error, afterwards)
            with contextlib.suppress(type(error)):
                replace_file(path, NEW, keep_previous=keep)
        assert fails.done[number : number + 1] == steps[number : number + 1]
        after, replaced = folder_of(path), KEPT if keep else REPLACED
        if steps[number : number + 1] == ["link"]:  # then it is copied
            assert after in (UNCHANGED, replaced)
        else:
            assert after == (UNCHANGED if number < settled else replaced), steps[number]


@pytest.mark.parametrize("keep", [False, True])
def test_a_copy_that_ends_half_way_never_becomes_the_file(path, monkeypatch, keep):
    def half(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:1])
        full()

    no_links(monkeypatch)
    monkeypatch.setattr(shutil, "copyfile", half)
    if keep:
        assert_refused(OSError, ["No space"], replace_file, path, NEW, keep_previous=True)
    else:
        replace_file(path, NEW)
    assert folder_of(path) == (UNCHANGED if keep else REPLACED)


@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError()]
)
def test_pieces_that_cannot_be_had_leave_the_file(path, after, error):
    def pieces():
        yield from [b"x" * 100_000] * after
        raise error

    with pytest.raises(type(error)):
        replace_file(path, pieces(), keep_previous=True)
    assert folder_of(path) == UNCHANGED


@pytest.mark.parametrize("failures", [1, 3, 4])
def test_a_file_that_another_program_holds_for_a_moment_is_replaced(path, monkeypatch, failures):
    waited, replace = [], os.replace

    def held(*arguments):
        if len(waited) < failures:
            raise PermissionError(errno.EACCES, "in use by another process")
        return replace(*arguments)

    monkeypatch.setattr(os, "replace", held)
    monkeypatch.setattr(time, "sleep", waited.append)
    replace_file(path, NEW)
    assert folder_of(path) == REPLACED
    assert waited == list(atomic.PATIENCE)[:failures] and sum(atomic.PATIENCE) < 1


def test_a_file_that_another_program_keeps_is_left(path, monkeypatch):
    def held(*_):
        raise PermissionError(errno.EACCES, "in use by another process")

    monkeypatch.setattr(os, "replace", held)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert_refused(PermissionError, ["in use", "permissions"], replace_file, path, NEW)
    assert folder_of(path) == UNCHANGED


# ---- what the error says -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind", "advice"),
    [
        (errno.ENOSPC, OSError, "free some space there, or give another folder"),
        (errno.EFBIG, OSError, "free some space there, or give another folder"),
        (errno.EACCES, PermissionError, "change its permissions, or give another folder"),
        (errno.EROFS, OSError, "change its permissions, or give another folder"),
        (errno.EIO, OSError, "give another path"),
    ],
)
def test_the_error_names_the_path_and_what_to_do(path, monkeypatch, number, kind, advice):
    def fails(descriptor):
        raise OSError(number, "broken")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(kind) as raised:
        container.write(path, "model", {}, {})
    error = raised.value
    assert (error.errno, error.filename) == (number, str(path))
    assert f"broken; {advice} (what was there before is as it was)" in str(error)
    assert str(path) in str(error)
    assert folder_of(path) == UNCHANGED


def test_a_place_where_no_file_can_be_is_told(path):
    nowhere = path.parent / "none" / "run.npz"
    fragments = [str(nowhere), f"there is no folder {nowhere.parent}; make it first"]
    assert_refused(FileNotFoundError, fragments, replace_file, nowhere, NEW)
    fragments = [str(path / "a"), f"{path} is not a folder"]
    assert_refused(NotADirectoryError, fragments, replace_file, path / "a", NEW)
    fragments = [str(path.parent), "is a folder; give the name of a file in it"]
    assert_refused(IsADirectoryError, fragments, replace_file, path.parent, NEW)
    previous_path(path).unlink()
    previous_path(path).mkdir()
    replace_file(path, OLD)
    fragments = [str(previous_path(path)), "is a folder"]
    assert_refused(IsADirectoryError, fragments, replace_file, path, NEW, keep_previous=True)
    assert path.read_bytes() == OLD and len(list(path.parent.iterdir())) == 2
