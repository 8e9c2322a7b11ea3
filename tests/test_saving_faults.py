"""Every system call of saving fails, at any moment, once or from then on: no file is ever lost.

``Faults`` counts the calls that change a disk and lets the n-th fail, for every n there is.  What
a crash leaves is worked out from the list of these calls: names change in order, and what was
written is there for sure only once ``fsync`` has said so.
"""

import errno
import io
import itertools
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite.saving import CorruptFile, atomic, container, previous_path
from rnnlite.saving.atomic import replace_file

OLDER, OLD, NEW = b"older", b"old", b"new" * 100
KINDS = ("model", "checkpoint")

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


class Faults:
    """All calls that change a disk, counted; the one of this number fails, or all from it on.

    ``after``: the call does its work, or half of it if it writes, and then says that it failed.
    """

    def __init__(self, patch, number=None, code=errno.EIO, lasting=False, after=False):
        self.number, self.code, self.lasting, self.after = number, code, lasting, after
        self.calls, self.failed = [], 0
        for name in ("open", "fsync", "close", "link", "replace", "unlink", "chmod"):
            patch.setattr(os, name, self.counted(name, getattr(os, name)))
        patch.setattr(shutil, "copyfile", self.counted("copyfile", shutil.copyfile))
        patch.setattr(Path, "open", self.opened(Path.open))
        patch.setattr(atomic, "_rename", self.rename)  # without its patience
        patch.setattr(time, "sleep", lambda _: None)

    def tried(self, name, work, half=None):
        """Do this, and count it; or fail."""
        self.calls.append(name)
        now, number = len(self.calls) - 1, self.number
        if number is None or (now < number if self.lasting else now != number):
            return work()
        if self.after:
            (half or work)()
        self.failed += 1
        raise OSError(self.code, os.strerror(self.code))

    def counted(self, name, call):
        return lambda *given, **named: self.tried(name, lambda: call(*given, **named))

    def rename(self, source, target):
        Path(source).replace(target)

    def opened(self, open_path):
        faults = self

        class File(io.FileIO):
            def write(self, data):
                half = memoryview(data)[: len(data) // 2]
                write = super().write
                return faults.tried("write", lambda: write(data), lambda: write(half))

        def opened(path, mode="r", *more):
            if mode not in ("xb", "r+b"):
                return open_path(path, mode, *more)
            made = []
            try:
                faults.tried("create", lambda: made.append(File(path, mode)))
            except OSError:
                for file in made:
                    file.close()
                raise
            return io.BufferedWriter(made[0], 100) if mode == "xb" else made[0]

        return opened


def no_links(monkeypatch):
    def link(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


def every_number(attempt):
    """Call ``attempt(n)`` for n = 0, 1, ... as long as there is such a call; how many there are."""
    for number in itertools.count():
        if not attempt(number):
            return number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("keep", [False, True], ids=["alone", "keep"])
def test_whatever_fails_the_old_or_the_new_is_there(tmp_path, keep, links, lasting, after):
    path, before = tmp_path / "run.npz", tmp_path / "run.previous.npz"
    seen = set()

    def attempt(number):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        path.write_bytes(OLD)
        before.write_bytes(OLDER)
        path.chmod(0o600)  # so that the mode of the new file must be changed
        message = None
        with pytest.MonkeyPatch.context() as patch:
            if not links:
                no_links(patch)
            faults = Faults(patch, number, lasting=lasting, after=after)
            try:
                replace_file(path, [NEW[:150], NEW[150:]], keep_previous=keep)
            except OSError as error:
                message = str(error)
        files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        extra = [name for name in files if name.startswith(".")]
        found, earlier = files.pop("run.npz"), files.pop("run.previous.npz")
        assert found in (OLD, NEW) and earlier in (OLDER, OLD)
        if message is None:
            assert not faults.failed or faults.calls[number] == "link"  # then it is copied
            assert found == NEW and earlier == (OLD if keep else OLDER) and not extra
        elif "the new file is in place" in message:
            assert found == NEW and earlier == (OLD if keep else OLDER)
        elif "but for run.npz" in message:
            assert OLD in ([files[name] for name in extra] if extra else [found])
        else:
            assert "as it was" in message and (found, earlier) == (OLD, OLDER)
        assert message is None or all(name in message for name in extra)
        assert OLD in (found, earlier, *files.values()) or not keep
        seen.update(faults.calls)
        return number < len(faults.calls)

    assert every_number(attempt) >= 8
    wanted = {"create", "chmod", "write", "fsync", "replace", "open", "close"}
    wanted |= ({"link"} if links else {"copyfile"}) | {"unlink"} if keep else set()
    assert wanted <= seen


# ---- what people call ----------------------------------------------------------------------


def small_model():
    return rnnlite.Sequential([rnnlite.Dropout(0.5, seed=1), rnnlite.Dense(2, 2, seed=0)])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
def test_a_model_is_the_older_or_the_newer(tmp_path, lasting, code):
    path, model, newer = tmp_path / "model.npz", small_model(), small_model()
    newer.flat_params[...] = 7.0

    def attempt(number):
        rnnlite.save(model, path)
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, number, code, lasting)
            error = None
            try:
                rnnlite.save(newer, path)
            except OSError as raised:
                error = raised
        assert bool(faults.failed) == (error is not None), faults.calls
        in_place = error is None or "in place" in str(error)
        assert error is None or (error.errno, error.filename) == (code, str(path))
        wanted = newer if in_place else model
        assert np.array_equal(rnnlite.load(path).flat_params, wanted.flat_params)
        return number < len(faults.calls)

    assert every_number(attempt) > 14


X, Y = np.linspace(-1.0, 1.0, 24, dtype=np.float32).reshape(12, 2), np.arange(12) % 2


def trained(path, resume):
    model = small_model()
    options = {"checkpoint": path, "resume": resume}
    rnnlite.fit(model, X, Y, epochs=1, batch_size=4, seed=0, progress=False, **options)
    return model


@pytest.mark.long
def test_a_run_goes_on_from_whatever_checkpoint_a_failure_leaves(tmp_path):
    path = tmp_path / "run.npz"
    wanted = trained(path, resume=False)

    def attempt(number):
        for file in tmp_path.iterdir():
            file.unlink()
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, number, lasting=number % 2 == 0)
            try:
                trained(path, resume=False)
            except OSError as error:
                assert str(path) in str(error)
                there = path.exists() or previous_path(path).exists()
                assert there or "replace" not in faults.calls[:number], "the first one is in place"
            else:
                assert not faults.failed or faults.calls[number] == "link"
        if path.exists():
            rnnlite.load(path)
        assert np.array_equal(trained(path, resume=True).flat_params, wanted.flat_params)
        return number < len(faults.calls)

    assert every_number(attempt) > 40


def test_figures_of_a_run_are_written_whole_or_not_at_all(tmp_path):
    path, history = (
        tmp_path / "history.csv",
        rnnlite.training.History({"epoch": [1], "loss": [2.0]}),
    )

    def attempt(number):
        path.write_bytes(OLD)
        with pytest.MonkeyPatch.context() as patch:
            faults = Faults(patch, number, after=True)
            try:
                history.to_csv(path)
                assert not faults.failed
            except OSError as error:
                assert "what was there" in str(error) or "in place" in str(error)
        assert path.read_bytes() in (OLD, b"epoch,loss\n1,2.0\n")
        return number < len(faults.calls)

    assert every_number(attempt) > 5


def test_a_folder_that_fsync_does_not_know_is_no_error(tmp_path, monkeypatch):
    fsync, codes = os.fsync, iter((errno.EINVAL, errno.ENOTSUP))

    def only_files(descriptor):
        if os.fstat(descriptor).st_mode & 0o40000:
            raise OSError(next(codes), "no fsync of folders")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    for content in (OLD, NEW):
        replace_file(tmp_path / "a", content)
        assert (tmp_path / "a").read_bytes() == content
    assert next(codes, None) is None or os.name == "nt"


# ---- a crash, and a disk that lies ----------------------------------------------------------


class Disk:
    """What happens to names and contents in a folder, in order."""

    def __init__(self, patch, folder):
        self.events, self.number = [], itertools.count()
        self.ids = {}  # of files, by inode
        for path in folder.iterdir():
            self.file(path.stat())
        self.start = {path.name: self.file(path.stat()) for path in folder.iterdir()}
        fsync = os.fsync

        def synced(descriptor):
            found = os.fstat(descriptor)
            is_folder = found.st_mode & 0o40000
            self.events.append(("fsync folder",) if is_folder else ("fsync", self.file(found)))
            fsync(descriptor)

        patch.setattr(os, "fsync", synced)
        open_path, copyfile = Path.open, shutil.copyfile

        def opened(path, mode="r", *more):
            file = open_path(path, mode, *more)
            if mode == "xb":
                self.events.append(("name", path.name, self.file(os.fstat(file.fileno()))))
            return file

        def copied(source, target):
            copyfile(source, target)
            self.events.append(("name", Path(target).name, self.file(Path(target).stat())))

        patch.setattr(Path, "open", opened)
        patch.setattr(shutil, "copyfile", copied)
        for name in ("replace", "link", "unlink"):
            patch.setattr(os, name, self.noted(name, getattr(os, name)))

    def file(self, found):
        return self.ids.setdefault(found.st_ino, f"file {len(self.ids)}")

    def noted(self, name, call):
        def noting(*paths, **named):
            call(*paths, **named)
            self.events.append((name, *(Path(path).name for path in paths)))

        return noting

    def after_a_crash(self, events):
        """All that may be there: name -> (file, whether its content is sure)."""
        safe = set(self.start.values()) | {event[1] for event in events if event[0] == "fsync"}
        changes = [event for event in events if event[0] != "fsync"]
        folders = [n for n, event in enumerate(changes) if event[0] == "fsync folder"]
        for count in range(folders[-1] if folders else 0, len(changes) + 1):
            names = dict(self.start)
            for kind, *rest in changes[:count]:
                if kind == "name":
                    names[rest[0]] = rest[1]
                elif kind == "link":
                    names[rest[1]] = names[rest[0]]
                elif kind == "replace" and names[rest[0]] != names.get(rest[1]):
                    names[rest[1]] = names.pop(rest[0])
                elif kind == "unlink":
                    del names[rest[0]]
            yield {name: (file, file in safe) for name, file in names.items()}


@pytest.fixture(params=["alone", "keep", "keep, no links"])
def disk(request, tmp_path, monkeypatch):
    """What happened while a file was replaced, and whether the one before was to stay."""
    path, keep = tmp_path / "run.npz", request.param != "alone"
    path.write_bytes(OLD)
    previous_path(path).write_bytes(OLDER)
    if request.param == "keep, no links":
        no_links(monkeypatch)
    disk = Disk(monkeypatch, tmp_path)
    replace_file(path, NEW, keep_previous=keep)
    monkeypatch.undo()
    return disk, keep


def test_after_a_crash_at_any_moment_every_file_is_whole(disk):
    disk, keep = disk
    for count in range(len(disk.events) + 1):
        for names in disk.after_a_crash(disk.events[:count]):
            assert names["run.npz"][1] and names["run.previous.npz"][1], disk.events[:count]
    old = disk.start["run.npz"]
    for names in disk.after_a_crash(disk.events):  # all is done, and nothing comes back
        assert names["run.npz"][0] not in disk.start.values()
        copied = names["run.previous.npz"][0] not in disk.start.values()
        assert (copied or names["run.previous.npz"][0] == old) == keep


def test_a_lost_fsync_leaves_one_whole_file_where_two_are_kept(disk):
    disk, keep = disk
    lost = [n for n, event in enumerate(disk.events) if event[0] == "fsync"]
    torn = 0
    for n in lost:
        events = disk.events[:n] + disk.events[n + 1 :]
        for count in range(len(events) + 1):
            for names in disk.after_a_crash(events[:count]):
                whole = [names[name][1] for name in ("run.npz", "run.previous.npz")]
                assert any(whole) or not keep
                torn += not all(whole)
    assert torn, "each fsync counts"


def test_a_file_that_a_lying_disk_tore_is_refused_and_the_other_loads(tmp_path):
    path, model = tmp_path / "run.npz", small_model()
    trained(path, resume=False)
    whole = path.read_bytes()
    older = rnnlite.load(previous_path(path))
    for torn in (b"", whole[: len(whole) // 2], whole[:-1], bytes(len(whole))):
        path.write_bytes(torn)
        with pytest.raises(CorruptFile, match=r"the file before it is .*run\.previous\.npz"):
            rnnlite.load(path, into=model)
        rnnlite.load(previous_path(path), into=model)
        assert np.array_equal(model.flat_params, older.flat_params)
        assert container.read(previous_path(path), KINDS)[0] == "checkpoint"
