"""Where rnnlite keeps what it can make again: compiled kernels, downloaded data."""

import os
import sys
from pathlib import Path


def cache_folder():
    """Folder for this user's cached files (it may not exist yet), or that of ``RNNLITE_CACHE``."""
    chosen = os.environ.get("RNNLITE_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    home = Path("~").expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return (base / "rnnlite").absolute()
