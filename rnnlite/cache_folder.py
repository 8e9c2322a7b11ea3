"""Where rnnlite keeps what it can make again: compiled kernels, downloaded data.

A compiled kernel is code, so it is taken only from where nobody else can write: see SECURITY.md.
"""

import errno
import os
import stat
import sys
from pathlib import Path


def cache_folder():
    """Folder for this user's cached files (it may not exist yet), or that of ``RNNLITE_CACHE``.

    OSError where there is none: no variable names it, and this user has no home.
    """
    try:
        return _chosen().absolute()
    except RuntimeError as error:  # from expanduser
        message = "no home directory is known; RNNLITE_CACHE can name a folder"
        raise FileNotFoundError(errno.ENOENT, message) from error


def _chosen():
    if chosen := os.environ.get("RNNLITE_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path("~/AppData/Local").expanduser()
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches").expanduser()
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "rnnlite"


def make_folder(path):
    """Make a folder, and the folders above it that are missing, for this user alone."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def private_folder(base, *names):
    """Folder ``base/names[0]/...``, made if need be; OSError if somebody else may write there.

    ``base`` may be a link: whoever chose it meant where it leads.  Below it none is followed.
    """
    place, status = base, os.stat
    for name in ("", *names):
        place = place / name
        make_folder(place)
        _refuse_foreign(place, status(place), stat.S_ISDIR)
        status = os.lstat
    return place


def read_private(path):
    """Bytes of a file; OSError if it is a link, no plain file, or not this user's alone."""
    # Without waiting for whoever might write into a pipe of this name.
    names = ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
    flags = sum(getattr(os, name, 0) for name in names)
    with os.fdopen(os.open(path, os.O_RDONLY | flags), "rb") as file:
        _refuse_foreign(path, os.fstat(file.fileno()), stat.S_ISREG)
        return file.read()


def _refuse_foreign(path, status, is_right_kind):
    problem = None
    if not is_right_kind(status.st_mode):
        problem = "is a link, or something else than it should be"
    # Windows has neither: there, the folder's access list decides, which is private in a profile.
    elif hasattr(os, "geteuid"):
        if status.st_uid not in (os.geteuid(), 0):  # root may do anything anyway
            problem = f"belongs to another user (number {status.st_uid})"
        elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            problem = "may be written by other users"
    if problem:
        raise PermissionError(errno.EPERM, f"{path} {problem}")
