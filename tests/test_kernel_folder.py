"""The folder of compiled kernels: they are code, read only where nobody else can write.

Asked of a kernel that doubles an array, compiled or loaded in this process as a new one would.
"""

import errno
import os
import pickle
import re
import stat
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from rnnlite import cache_folder as cache_module
from rnnlite.cache_folder import cache_folder
from rnnlite.kernels import jit


def double(a):
    for i in range(a.size):
        a[i] *= 2.0


def cache_hits():
    """Compile or load a kernel as a new process would; how often it was found."""
    kernel, a = jit.kernel(double), np.ones(3)
    kernel(a)
    assert a.tolist() == [2.0, 2.0, 2.0]
    return sum(kernel.stats.cache_hits.values())


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of its own, with everything yet to be said."""
    if jit.JIT_DISABLED:
        pytest.skip("without the JIT there are no kernels to cache")
    folder = tmp_path / "cache"
    monkeypatch.setenv("RNNLITE_CACHE", str(folder))
    for function in (jit.kernel_folder, jit._say_once):
        function.cache_clear()
    yield folder
    for function in (jit.kernel_folder, jit._say_once):
        function.cache_clear()


def warnings(caplog):
    found = [record.getMessage() for record in caplog.records if record.name == "rnnlite"]
    caplog.clear()
    return [text for text in found if "compiling kernels" not in text]


posix = pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead of modes")


@posix
def test_folders_and_kernels_are_this_user_s_alone(cache, caplog):
    before = os.umask(0)  # a careless one
    try:
        assert (cache_hits(), cache_hits()) == (0, 1)
    finally:
        os.umask(before)
    assert len(list(cache.rglob("*"))) == 3
    for path in (cache, *cache.rglob("*")):
        assert path.stat().st_mode & 0o77 == 0, path
    assert warnings(caplog) == []


@posix
@pytest.mark.parametrize(
    ("depth", "mode"), [(0, 0o777), (1, 0o770), (2, 0o707), (0, 0o1777), (2, 0o1777)]
)
def test_a_folder_that_others_may_write_to_is_not_used(cache, caplog, depth, mode):
    folder = cache / "kernels" / jit.source_hash()
    folder.mkdir(parents=True, mode=0o700)
    place = (cache, cache / "kernels", folder)[depth]
    place.chmod(mode)
    assert [cache_hits() for _ in range(2)] == [0, 0]
    (line,) = warnings(caplog)
    assert line.startswith("rnnlite: cannot keep compiled kernels in")
    assert f"{place} may be written by other users" in line
    assert list(folder.iterdir()) == []


@posix
@pytest.mark.parametrize("name", ["kernels", "hash"])
def test_no_link_leads_out_of_the_folder(cache, caplog, tmp_path, name):
    target = tmp_path / "elsewhere"
    (target / jit.source_hash()).mkdir(parents=True)
    cache.mkdir(mode=0o700)
    if name == "hash":
        (cache / "kernels").mkdir(mode=0o700)
    link = cache / "kernels" / ("" if name == "kernels" else jit.source_hash())
    link.symlink_to(target, target_is_directory=True)
    assert [cache_hits() for _ in range(2)] == [0, 0]
    assert [f"{link} is a link" in line for line in warnings(caplog)] == [True]
    assert [path for path in target.rglob("*") if path.is_file()] == []


@posix
def test_the_folder_that_was_chosen_may_be_a_link(cache, caplog, tmp_path):
    (tmp_path / "disk").mkdir(mode=0o700)
    cache.symlink_to(tmp_path / "disk", target_is_directory=True)
    assert [cache_hits() for _ in range(2)] == [0, 1] and warnings(caplog) == []


def status(mode=0o100600, uid=7):
    return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


@posix
def test_what_belongs_to_another_user_is_refused_and_root_s_is_not(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    refuse = cache_module._refuse_foreign
    for uid in (7, 0):
        refuse(Path("x"), status(uid=uid), stat.S_ISREG)
    for uid, mode, problem in [
        (8, 0o100600, "belongs to another user (number 8)"),
        (65534, 0o100600, "belongs to another user"),  # of nobody in this container
        (7, 0o100620, "may be written"), (0, 0o100602, "may be written"), (7, 0o040700, "link"),
    ]:  # fmt: skip
        with pytest.raises(PermissionError, match=re.escape(problem)):
            refuse(Path("x"), status(mode, uid), stat.S_ISREG)
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # root in a container: not root outside
    with pytest.raises(PermissionError):
        refuse(Path("x"), status(uid=7), stat.S_ISREG)
    monkeypatch.delattr(os, "geteuid")  # Windows: no owner, no modes
    refuse(Path("x"), status(0o100666, 0), stat.S_ISREG)


class Raises:
    """Unpickled, it raises."""

    def __reduce__(self):
        return (int, ("no number",))


def is_a_link(path):
    path.rename(path.with_suffix(".other"))
    path.symlink_to(path.with_suffix(".other"))


def is_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def holds(payload):
    return lambda path: path.write_bytes(jit._checksum(path, payload) + payload)


def holds_another(path):
    path.write_bytes(
        jit._checksum(path.with_name("another"), b"") + path.read_bytes()[jit.DIGEST :]
    )


NO_KERNEL = {
    "a link": is_a_link,
    "a pipe": is_a_pipe,
    "for others to write": lambda path: path.chmod(0o666),
    "empty": holds(b""),
    "no pickle": holds(b"garbage"),
    "cut": holds(pickle.dumps((1, 2, 3))[:-3]),
    "a number": holds(pickle.dumps(1)),
    "a tuple": holds(pickle.dumps(tuple(range(20)))),
    "raises": holds(pickle.dumps(Raises())),
    "a module that is gone": holds(b"cno_such_module\nname\n."),
    "another kernel": holds_another,
}


@pytest.mark.quick(every=4)
@posix
@pytest.mark.parametrize("what", NO_KERNEL)
def test_what_is_no_kernel_of_ours_is_compiled_again(cache, caplog, what):
    assert cache_hits() == 0
    (path,) = cache.rglob("*.kernel")
    NO_KERNEL[what](path)
    assert cache_hits() == 0
    assert [line.startswith("rnnlite: compiling again, ") for line in warnings(caplog)] == [True]
    assert path.is_file() and not path.is_symlink()
    assert cache_hits() == 1 and warnings(caplog) == []


def test_a_cache_that_can_only_be_read_is_used_and_nothing_is_written(cache, caplog, monkeypatch):
    cache_hits()
    caplog.clear()
    jit.kernel_folder.cache_clear()

    def write(*arguments, **options):
        raise AssertionError("something was written")

    for module, name in [(tempfile, "NamedTemporaryFile"), (tempfile, "TemporaryFile"),
                         (os, "mkdir"), (os, "replace")]:  # fmt: skip
        monkeypatch.setattr(module, name, write)
    assert cache_hits() == 1
    assert caplog.records == []


def test_a_kernel_that_is_not_in_such_a_cache_costs_a_line(cache, caplog, monkeypatch):
    cache_hits()
    caplog.clear()
    jit._say_once.cache_clear()
    next(cache.rglob("*.kernel")).unlink()

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    assert [cache_hits() for _ in range(2)] == [0, 0]
    (line,) = warnings(caplog)
    assert "cannot keep compiled kernels (Read-only file system); each start" in line


@pytest.mark.parametrize(
    ("system", "variables", "wanted"),
    [
        ("linux", {}, "home/.cache"),
        ("linux", {"XDG_CACHE_HOME": "caches"}, "caches"),
        ("darwin", {"XDG_CACHE_HOME": "caches"}, "home/Library/Caches"),
        ("win32", {}, "home/AppData/Local"),
        ("win32", {"LOCALAPPDATA": "local"}, "local"),
        ("win32", {"LOCALAPPDATA": "local", "RNNLITE_CACHE": "own"}, None),
    ],
)
def test_the_folder_is_where_each_system_has_its_caches(monkeypatch, system, variables, wanted):
    for name in ("RNNLITE_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(Path(value).absolute()))
    monkeypatch.setattr(Path, "expanduser", lambda path: Path(str(path).replace("~", "home")))
    monkeypatch.setattr(sys, "platform", system)
    found = cache_folder()
    monkeypatch.undo()
    assert found == Path(f"{wanted}/rnnlite" if wanted else "own").absolute()


def test_without_a_home_it_uses_what_it_is_given_and_otherwise_says_so(cache, caplog, monkeypatch):
    def no_home(path):
        if str(path).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.setattr(Path, "expanduser", no_home)
    assert cache_folder() == cache and cache_hits() == 0 and warnings(caplog) == []
    monkeypatch.setenv("RNNLITE_CACHE", "")
    if sys.platform.startswith("linux"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        assert cache_folder() == cache / "rnnlite"
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    jit.kernel_folder.cache_clear()
    assert [cache_hits() for _ in range(2)] == [0, 0]
    (line,) = warnings(caplog)
    assert line.startswith("rnnlite: cannot keep compiled kernels") and "RNNLITE_CACHE" in line
