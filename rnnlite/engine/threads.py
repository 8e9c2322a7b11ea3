"""A few threads that share the rows of a batch.

Kernels run without Python's global lock, so ordinary Python threads compute side by side.  They are
started once and wait for work; the caller takes the first share itself.  Numba's own ``prange``
ends the process, where OpenMP is missing, when two Python threads use it at once (numba issues
8563 and 9288).  Kernels give the same bits for any number of threads; see ``kernels/tile.py``.
"""

import os
import queue
import threading

import numpy as np

from rnnlite import checking
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.parallel import CALLER, LEFT, LINE, MISSED, SPIN_LIMIT, SPINS

# Multiplications below which a second thread costs more than it saves: some 20 microseconds.
WORTH_A_THREAD = 2_500_000

# For how many sections a thread does not spin after it missed too many signals.
SHORTEST_REST, LONGEST_REST = 64, 1000


def _available():
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Spin:
    """How long it pays to spin: to look for another thread's signal before going to sleep.

    Spinning saves the time to be woken, and is wasted if the signal does not come.  So who misses
    more than finds does not look for a while, longer each time, and then tries again.
    """

    def __init__(self):
        self.missed = 0.0  # share of the last attempts
        self.rest = self.next_rest = 0  # sections without looking

    def limit(self):
        """How often to look for the signal at most; 0: do not spin."""
        return 0 if self.rest else SPINS

    def learn(self, outcome):
        """Take note of what came of it; whether spinning has stopped paying."""
        if self.rest:
            self.rest -= 1
        elif outcome != LEFT:
            self.missed += ((outcome == MISSED) - self.missed) / 8
            if self.missed > 0.6:
                self.missed, self.rest = 0.0, self.next_rest
                self.next_rest = min(2 * self.next_rest + SHORTEST_REST, LONGEST_REST)
                return True
            if self.missed < 0.01:
                self.next_rest = 0
        return False


class _Pool:
    """Worker threads; grows on demand."""

    def __init__(self):
        self.size = _available()
        self.shares = []  # of worker 1, 2, ...: the queue of what it is to compute
        self.changing = threading.Lock()
        self.start_flags = np.zeros((1 + self.size) * LINE, np.int64)
        self.spin = _Spin()  # of the callers

    def hand_out(self, kernel, arguments, count, n):
        """Give workers 1 to n - 1 their shares of ``range(count)``; returns the section."""
        with self.changing:  # a worker that is replaced meanwhile would leave its share
            if self.start_flags.size < n * LINE:
                # A worker that spins on its old flag misses one start, no more.
                self.start_flags = np.zeros(n * LINE, np.int64)
            for number in range(len(self.shares) + 1, n):
                self.shares.append(_start_worker(number))
            section = _Section(kernel, arguments, n, self.start_flags, self.spin.limit())
            for number, shares in enumerate(self.shares[: n - 1], 1):
                shares.put((section, count * number // n, count * (number + 1) // n))
        return section

    def replace_workers(self):
        """New threads for old ones: a new one starts where there is least to do.

        Caller and worker may take turns on one processor while another is idle, for as long as both
        are busy: seen on a virtual machine, and three times as slow.
        """
        with self.changing:
            for number, shares in enumerate(self.shares, 1):
                shares.put(None)
                self.shares[number - 1] = _start_worker(number)


class _Section:
    """A kernel call whose rows are dealt out."""

    __slots__ = ("arguments", "done", "finished", "kernel", "others", "run", "start_flags")

    def __init__(self, kernel, arguments, n, start_flags, spins):
        self.kernel, self.arguments, self.others = kernel, arguments, n - 1
        self.run = getattr(kernel, "run", None)  # compiled, with signals
        self.start_flags = start_flags
        self.done = np.zeros(n * LINE, np.int64)
        self.done[SPIN_LIMIT] = spins
        self.finished = queue.SimpleQueue()

    def compute(self, who, first, last):
        """One share of the rows; returns what came of looking for the next signal."""
        if self.run is None:
            self.kernel(first, last, *self.arguments)
            return LEFT
        return self.run(self.start_flags, self.done, who, first, last, *self.arguments)

    def wait(self):
        """Until all others are done; an error of theirs is raised."""
        if self.done[LINE::LINE].all():  # marks that only compiled code sets
            return
        errors = [self.finished.get() for _ in range(self.others)]
        for error in errors:
            if error is not None:
                raise error


def _start_worker(number):
    shares, name = queue.SimpleQueue(), f"rnnlite-{number}"
    threading.Thread(target=_serve, args=(shares, number), name=name, daemon=True).start()
    return shares


def _serve(shares, number):
    spin = _Spin()
    while (share := shares.get()) is not None:
        section, first, last = share
        error = None
        section.start_flags[number * LINE + SPIN_LIMIT] = spin.limit()
        try:
            spin.learn(section.compute(number, first, last))
        except BaseException as caught:  # handed to the caller, who raises it
            error = caught
        section.finished.put(error)
        share = section = error = None  # hold no arrays while waiting


_pool = _Pool()


def _forget_threads():
    # A forked child has none of its parent's threads.
    global _pool
    size, _pool = _pool.size, _Pool()
    _pool.size = size


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def get_num_threads():
    """Number of threads that rnnlite computes with.

    Returns
    -------
    int
        All processors that this process may use, or what ``set_num_threads`` was given.

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

    Examples
    --------
    >>> set_num_threads(get_num_threads())
    """
    _pool.size = checking.whole_number("set_num_threads", "n", n)


def parallel_for(kernel, count, work, *arguments):
    """Run ``kernel(first, last, *arguments)`` over ``range(count)``, dealt to the threads.

    ``work`` counts multiplications: little work is done by the caller alone.
    """
    pool = _pool
    n = min(pool.size, count, 1 + int(work / WORTH_A_THREAD))
    if n <= 1 or JIT_DISABLED:
        kernel(0, count, *arguments)
        return
    section = pool.hand_out(kernel, arguments, count, n)
    try:
        outcome = section.compute(CALLER, 0, count // n)
    finally:
        # The workers write into the caller's arrays: never leave before they end.
        section.wait()
    if pool.spin.learn(outcome):
        pool.replace_workers()
