"""What this machine has: processors, as many as this process may use, and what they can do.

How many threads pay is what the environment says, or else their number:

    RNNLITE_NUM_THREADS, NUMBA_NUM_THREADS, OMP_NUM_THREADS    the first that is set
    otherwise the processors that the process is bound to, or the whole ones that its container
    (a control group of Linux, version 1 or 2) may use of them

joblib sets the last two variables for its loky workers.  Its other kind, of ``multiprocessing``,
is a daemon process, which computes with one thread where no variable says otherwise.
"""

import math
import multiprocessing
import os
from pathlib import Path

from rnnlite.kernels.target import CHOSEN

VARIABLES = ("RNNLITE_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")


def default_threads():
    """Threads to compute with until ``set_num_threads`` is called."""
    own = os.environ.get(VARIABLES[0])
    if own and not (own.isascii() and own.isdigit() and int(own) > 0):
        raise ValueError(f"{VARIABLES[0]} is {own!r}; wanted a whole number of at least 1")
    for name in VARIABLES:
        # OMP_NUM_THREADS may list a number for each level of nesting.
        value = os.environ.get(name, "").split(",")[0].strip()
        if value.isascii() and value.isdigit() and int(value) > 0:
            return int(value)
    return 1 if multiprocessing.current_process().daemon else processors()


def multiplies_bfloat16():
    """Whether ``compute_dtype="bfloat16"`` is made for this processor: it has AVX512-BF16.

    Elsewhere the same products are computed by integer operations and float32 arithmetic, slower
    than float32 alone.

    Returns
    -------
    bool

    Examples
    --------
    >>> multiplies_bfloat16() in (True, False)
    True
    """
    return CHOSEN.multiplies_pairs


def processors():
    """Processors that this process may use: those it is bound to, as far as its quota goes."""
    return max(1, math.ceil(min(len(bound_to()), quota())))


def bound_to():
    """Numbers of the processors that this process may run on, as the system has them."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def quota(mounted="/sys/fs/cgroup", groups="/proc/self/cgroup"):
    """Processors' worth of time that the control groups of this process allow; inf if they do not.

    A group is bound by those above it.  In a container, its path may be that outside.
    """
    try:
        lines = Path(groups).read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        return math.inf
    least = math.inf
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has one tree, version 1 one for each controller, or for some together.
        for tree in map(Path(mounted).joinpath, ("cpu", controllers) if controllers else (".",)):
            group = tree / path.lstrip("/")
            for folder in (group, *group.parents):
                if folder == tree or tree in folder.parents:
                    least = min(least, _quota_of(folder))
    return least


def _quota_of(folder):
    """The limit that one group's folder tells: quota and period, in microseconds."""
    try:
        if (folder / "cpu.max").exists():
            allowed, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            allowed, period = ((folder / name).read_text(encoding="ascii") for name in files)
        allowed, period = math.inf if allowed == "max" else float(allowed), float(period)
    except (OSError, ValueError):  # no such file, or none that this Linux writes
        return math.inf
    return allowed / period if allowed > 0 and period > 0 else math.inf
