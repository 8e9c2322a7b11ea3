"""A file is replaced as a whole: whatever fails, and whenever, nothing that was there is lost."""

import contextlib
import errno
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused

from rnnlite.saving import atomic, container, previous_path
from rnnlite.saving.atomic import replace_file

OLDER, OLD, NEW = b"older", b"old", b"new"
unix_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


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


# ---- real disks ----------------------------------------------------------------------------


@pytest.mark.skipif(
    getattr(os, "geteuid", lambda: 0)() == 0, reason="permissions bind neither root nor Windows"
)
def test_a_folder_that_may_not_be_written_is_told(path):
    path.parent.chmod(0o555)
    try:
        fragments = [str(path), "change its permissions"]
        assert_refused(PermissionError, fragments, replace_file, path, NEW, keep_previous=True)
        assert folder_of(path) == UNCHANGED
    finally:
        path.parent.chmod(0o755)


def saved(path, number, size, **options):
    container.write(path, "model", {"n": number}, {"a": np.full(size, number)}, **options)


def whole(path):
    """The number in a file of ``saved``, all of which is read and compared."""
    _, header, arrays = container.read(path, ("model",))
    assert np.all(arrays["a"] == header["n"])
    return header["n"]


def test_a_file_that_may_not_grow_that_far_is_told(path):
    """The kernel ends a write half-way, at any of its bytes."""
    resource = pytest.importorskip("resource", reason="this system has no limit of a file's size")
    saved(path, 1, 10)
    saved(path, 2, 10, keep_previous=True)
    size, (limit, most) = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    for allowed in (0, 1, 40, size // 2, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, most))
        try:
            assert_refused(OSError, [str(path), "free some"], saved, path, 3, 10)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        assert (whole(path), whole(previous_path(path))) == (2, 1)
        assert len(folder_of(path)) == 2


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 128 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux can make a small disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_nothing_is_lost(small_disk):
    path = small_disk / "run.npz"
    saved(path, 1, 2000)
    saved(path, 2, 2000, keep_previous=True)
    for size in (20_000, 12_000):
        for keep in (True, False):
            call = (saved, path, 3, size)
            fragments = [str(path), "free some space there"]
            assert_refused(OSError, fragments, *call, keep_previous=keep)
            assert (whole(path), whole(previous_path(path))) == (2, 1)
            assert len(list(small_disk.iterdir())) == 2
    saved(path, 3, 5000, keep_previous=True)
    assert (whole(path), whole(previous_path(path))) == (3, 2)


def test_a_disk_that_is_only_read_is_told(small_disk):
    path = small_disk / "run.npz"
    saved(path, 1, 10)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert_refused(OSError, [str(path), "change its permissions"], saved, path, 2, 10)
    assert whole(path) == 1


# ---- real processes ------------------------------------------------------------------------

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from test_saving_atomic import previous_path, saved, whole

path, rng, interrupted, last = Path(sys.argv[1]), random.Random(0), 0, 1
saved(path, 0, 20_000)
begun = time.monotonic()
saved(path, 1, 20_000, keep_previous=True)
longest = 4 * (time.monotonic() - begun)
round = 0
while round < 24 or interrupted < 5 or last < 3:  # some killed while they wrote, some later
    round += 1
    longest *= 1.05  # on a busy machine the first save says little of the others
    child = os.fork()
    if child == 0:
        try:
            while True:
                last += 1
                saved(path, last, 20_000, keep_previous=True)
        except KeyboardInterrupt:
            os._exit(0)
    time.sleep(rng.uniform(0.0, longest))
    if round % 4 == 3:  # Ctrl-C, which a process that has only just begun does not notice
        os.kill(child, signal.SIGINT)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    now, before = whole(path), whole(previous_path(path))
    assert now >= last and before in (now - 1, now - 2), (last, now, before)
    last = now
    rest = [file for file in path.parent.iterdir() if file.name.startswith(".")]
    interrupted += bool(rest)
    for file in rest:
        file.unlink()
print(last, interrupted)
"""

AT_ONCE = """
import os, sys
from pathlib import Path
from test_saving_atomic import previous_path, saved, whole

path, rounds = Path(sys.argv[1]), 60
saved(path, 0, 5_000)
saved(path, 0, 5_000, keep_previous=True)
children = []
for start in (1, 1001):
    child = os.fork()
    if child == 0:
        for number in range(start, start + rounds):
            saved(path, number, 5_000 + start, keep_previous=True)
        os._exit(0)
    children.append(child)
seen, running = set(), set(children)
while running:
    seen |= {whole(path), whole(previous_path(path))}
    for child in list(running):
        done, status = os.waitpid(child, os.WNOHANG)
        assert status == 0
        if done:
            running.remove(child)
assert whole(path) in (rounds, 1000 + rounds)
assert sorted(file.name for file in path.parent.iterdir()) == ["run.npz", "run.previous.npz"]
print(sum(n < 1000 for n in seen), sum(n > 1000 for n in seen))
"""


def run(script, path):
    folders = [str(Path(__file__).parent), str(Path(container.__file__).parents[2])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return map(int, done.stdout.split())


@unix_only
def test_a_process_that_is_killed_at_any_moment_leaves_whole_files(tmp_path):
    last, interrupted = run(KILLED, tmp_path / "run.npz")
    assert last > 1 and interrupted > 4


@pytest.mark.long
@unix_only
def test_two_processes_that_write_at_once_never_mix_their_files(tmp_path):
    first, second = run(AT_ONCE, tmp_path / "run.npz")
    assert first > 1 and second > 1, "both were seen at work"


@pytest.mark.skipif(os.name == "nt", reason="links and permissions of other systems")
def test_a_link_is_written_through_and_permissions_stay(tmp_path):
    (tmp_path / "large disk").mkdir()
    file, link = tmp_path / "large disk" / "a", tmp_path / "a"
    file.write_bytes(b"first")
    file.chmod(0o600)
    link.symlink_to(file)
    replace_file(link, b"second", keep_previous=True)
    assert link.is_symlink() and file.read_bytes() == link.read_bytes() == b"second"
    assert previous_path(file).read_bytes() == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
