"""A few threads that share the rows of a batch.

Kernels run without Python's global lock, so ordinary Python threads compute
side by side.  They are started once and wait for work; the caller takes the
first share itself.  Numba's own ``prange`` was not taken: its ``workqueue``
layer, the default where OpenMP is missing, ends the process when two Python
threads use it at once (numba issues 8563 and 9288).

Kernels give the same bits for any number of threads; see ``kernels/tile.py``.
"""

import os
import queue
import threading

from rnnlite.kernels.jit import JIT_DISABLED

# Multiplications below which a second thread costs more than it saves.
WORTH_A_THREAD = 400_000


def _available():
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pool:
    """Worker threads, each with a queue of its own; grows on demand."""

    def __init__(self):
        self.size = _available()
        self.queues = []
        self.growing = threading.Lock()

    def queue_of(self, worker):
        if worker >= len(self.queues):
            with self.growing:
                while worker >= len(self.queues):
                    work = queue.SimpleQueue()
                    name = f"rnnlite-{len(self.queues) + 1}"
                    threading.Thread(target=_serve, args=(work,), name=name, daemon=True).start()
                    self.queues.append(work)
        return self.queues[worker]


def _serve(work):
    while True:
        kernel, first, last, arguments, done = work.get()
        try:
            kernel(first, last, *arguments)
        except BaseException as error:  # handed to the caller, who raises it
            done.put(error)
        else:
            done.put(None)
        kernel = arguments = done = None  # hold no arrays while waiting


_pool = _Pool()


def _forget_threads():
    # A forked child has none of its parent's threads.
    global _pool
    size = _pool.size
    _pool = _Pool()
    _pool.size = size


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def get_num_threads():
    """Number of threads that rnnlite computes with.

    Returns
    -------
    int
        All processors this process may use, unless ``set_num_threads`` was called.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    return _pool.size


def set_num_threads(n):
    """Compute with ``n`` threads from now on; results do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is not an integer, or less than 1.

    Examples
    --------
    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"set_num_threads: n is {n!r}; it must be an integer")
    if n < 1:
        raise ValueError(f"set_num_threads: n is {n}; it must be at least 1")
    _pool.size = int(n)


def share(kernel, count, work, *arguments):
    """Run ``kernel(first, last, *arguments)`` over ``range(count)``, dealt to the threads.

    Parameters
    ----------
    kernel : function
        Gives the same result however the range is cut.
    count : int
        Length of the range.
    work : float
        Multiplications in all; little work is done by the caller alone.
    *arguments
        Passed on to ``kernel``.
    """
    pool = _pool
    n = min(pool.size, count, 1 + int(work / WORTH_A_THREAD))
    if n <= 1 or JIT_DISABLED:
        kernel(0, count, *arguments)
        return
    done = queue.SimpleQueue()
    for i in range(1, n):
        pool.queue_of(i - 1).put((kernel, count * i // n, count * (i + 1) // n, arguments, done))
    errors = []
    try:
        kernel(0, count // n, *arguments)
    finally:
        # The workers write into the caller's arrays: never leave before they end.
        for _ in range(1, n):
            errors.append(done.get())
    for error in errors:
        if error is not None:
            raise error
