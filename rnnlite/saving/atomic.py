"""Files that change as a whole: under its name a file is the old one or the new one.

    new file -> a name nobody reads -> the disk (fsync) -> renamed over the old one

Renaming is one step for everybody who looks.  A crash before it leaves the old file, after it the
new one; two processes that write at once leave the file of one of them.
"""

import errno
import os
import secrets
import shutil
import stat
import time
from pathlib import Path

# Seconds to wait before renaming again: on Windows a file that a virus scanner, say, is reading
# cannot be replaced.
PATIENCE = (0.01, 0.05, 0.2, 0.5)

_FULL, _FORBIDDEN = "free some space there", "change its permissions"
_ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _FULL)
_ADVICE |= dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _FORBIDDEN)

# How a disk says that it has no fsync of folders, as some in networks.
_NOT_FOR_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


def previous_path(path):
    """Where the file goes that a new one replaces, if it is kept.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> previous_path("run.npz").name, previous_path("run").name
    ('run.previous.npz', 'run.previous')
    """
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def real_path(path):
    """The file itself where a name is a link to it: it is written through the link, which stays."""
    path = Path(path)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def replace_file(path, content, keep_previous=False):
    """Write a file so that under its name there is all of it or what was there before.

    ``content`` is bytes, or an iterable of them.  With ``keep_previous`` the file that was there
    gets the name ``previous_path(path)``; at every instant there is a whole file under the one
    name, and under the other once there were two.  After an error all files are as they were, or
    the new ones are in place: the message says which.
    """
    path = real_path(path)
    content = (content,) if isinstance(content, (bytes, bytearray, memoryview)) else content
    for name in (path, previous_path(path)) if keep_previous else (path,):
        _check_place(name)
    token = secrets.token_hex(8)
    # Short names, so that a long one of the file itself is not too long with an addition.
    new, old = (path.with_name(f".rnnlite-{token}.{what}") for what in ("new", "old"))
    made = in_place = False
    try:
        with new.open("xb") as file:
            made = True
            _copy_mode(path, new)
            for piece in content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        keep_old = keep_previous and _second_name(path, old)
        _rename(new, path)
        if keep_old:
            _rename(old, previous_path(path))
        in_place = True
        if keep_old:
            # Two names of one file, which two writers can make of it, are not renamed.
            old.unlink(missing_ok=True)
        _fsync_folder(path.parent)
    except BaseException as error:  # Ctrl-C too
        # A disk in a network may do its work and say that it failed.
        in_place = in_place or (made and not new.exists() and not old.exists())
        failed = _undo(path, new, old, in_place)
        if isinstance(error, OSError):
            raise _explained(error, path, in_place, failed) from error
        raise


def _check_place(path):
    """Complain of a place where there cannot be a file."""
    if path.is_dir():
        problem = errno.EISDIR, "is a folder; give the name of a file in it"
    elif not path.parent.exists():
        problem = errno.ENOENT, f"there is no folder {path.parent}; make it first"
    elif not path.parent.is_dir():
        problem = errno.ENOTDIR, f"{path.parent} is not a folder; give a file in a folder"
    else:
        return
    raise OSError(*problem, str(path))


def _copy_mode(path, new):
    """Let those read and write the new file who may the one there is."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_IMODE(mode) != stat.S_IMODE(new.stat().st_mode):
        new.chmod(stat.S_IMODE(mode))


def _second_name(path, name):
    """Give a file a second name; whether there is such a file."""
    try:
        os.link(path, name)
    except FileNotFoundError:
        return False
    except OSError:  # a disk without such names, as USB sticks are
        shutil.copyfile(path, name)
        with name.open("r+b") as file:
            os.fsync(file.fileno())
    return True


def _rename(source, target):
    for seconds in PATIENCE:
        try:
            return source.replace(target)
        except PermissionError:
            time.sleep(seconds)
    return source.replace(target)


def _undo(path, new, old, in_place):
    """Make everything as it was, unless the new is in place; what could not be done, in words."""
    failed = []
    try:
        # Without ``new`` the renaming is done, and ``old``, if it is there, whole.
        if not in_place and old.exists() and not new.exists():
            _rename(old, path)
    except OSError:  # ``old`` stays: there must be a name for what was there
        return [f"but for {path.name} if {old.name} is there: that is what was there before"]
    for name in (new, old):
        try:
            name.unlink(missing_ok=True)
        except OSError:
            failed.append(f"but {name.name} is left over")
    return failed


def _fsync_folder(folder):
    """Have the new names on the disk as well, on systems that can be asked for it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows, or a folder that may be written and not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_FOR_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def _explained(error, path, in_place, failed):
    """The error with the path and with what to do, of the same class."""
    what = _ADVICE.get(error.errno)
    advice = f"{what}, or give another folder" if what else "give another path"
    state = "what was there before is as it was"
    if in_place:
        state = "the new file is in place, but a power failure may yet undo that"
    state = ", ".join([state, *failed])
    message = f"{error.strerror or error}; {advice} ({state})"
    return OSError(error.errno or errno.EIO, message, str(path))
