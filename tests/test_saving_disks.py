"""Files on disks that are full or only read, by processes that are killed or write at once."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused
from replaced_files import NEW, UNCHANGED, folder_of, path

from rnnlite.saving import container, previous_path
from rnnlite.saving.atomic import replace_file

__all__ = ["path"]  # fixtures

unix_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


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
from test_saving_disks import previous_path, saved, whole

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
from test_saving_disks import previous_path, saved, whole

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
