"""A few threads that share the rows of a batch.

Kernels run without Python's global lock, so ordinary Python threads compute side by side.  They are
started once and wait for work; the caller takes the first share itself.  Numba's own ``prange``
ends the process, where OpenMP is missing, when two Python threads use it at once (numba issues
8563 and 9288).  Kernels give the same bits for any number of threads; see ``kernels/tile.py``.
"""

import contextlib
import functools
import logging
import os
import queue
import threading

import numpy as np

from rnnlite import checking
from rnnlite.engine.processors import default_threads
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.parallel import CALLER, LEFT, LINE, MISSED, SPIN_LIMIT, SPINS

# Multiplications below which a second thread costs more than it saves: some 20 microseconds.
WORTH_A_THREAD = 2_500_000

# For how many sections a thread does not spin after it missed too many signals.
SHORTEST_REST, LONGEST_REST = 64, 1000


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

    def __init__(self, chosen=None, found=None):
        self.chosen, self.found = chosen, found  # by set_num_threads; in the environment
        self.workers = []  # number 1, 2, ...: the queue of the sections it is to work on
        # Reentrant: a signal handler may compute, too, in the middle of all this.
        self.changing = threading.RLock()
        self.start_flags = np.zeros(LINE, np.int64)
        self.spin = _Spin()  # of the callers

    @property
    def size(self):
        """How many threads there may be, the caller's among them."""
        if self.found is None:
            self.found = default_threads()
        return self.chosen or self.found

    def grow(self, n):
        """How many can compute side by side: n, or fewer where no more threads can be started."""
        if len(self.workers) >= n - 1 and self.start_flags.size >= n * LINE:
            return n
        with self.changing:
            while len(self.workers) < n - 1 and self._start(len(self.workers) + 1):
                pass
            if self.start_flags.size < n * LINE:
                # A worker that spins on its old flag misses one start, no more.
                self.start_flags = np.zeros(n * LINE, np.int64)
            return min(n, 1 + len(self.workers))

    def hand_out(self, section):
        """Tell the workers of a section of it."""
        with self.changing:  # a worker that is replaced meanwhile would leave its share
            for worker in self.workers[: section.n - 1]:
                worker.put(section)
            section.handed_out = True

    def replace_workers(self):
        """New threads for old ones: a new one starts where there is least to do.

        Caller and worker may take turns on one processor while another is idle, for as long as both
        are busy: seen on a virtual machine, and three times as slow.
        """
        with self.changing:
            for number in range(1, len(self.workers) + 1):
                if not self._start(number):
                    return

    def _start(self, number):
        """Start a worker, put it in its place, and tell the one that stood there to go.

        In this order: whatever comes in between, an interrupt say, who stands there is running.
        Returns whether it could be started.
        """
        new, old = queue.SimpleQueue(), self.workers[number - 1 : number]
        thread = threading.Thread(
            target=_serve, args=(new, number), name=f"rnnlite-{number}", daemon=True
        )
        try:
            thread.start()
            self.workers[number - 1 : number] = [new]
        except (RuntimeError, MemoryError) as error:  # can't start new thread
            _say_once(f"rnnlite: computing with fewer threads: {error}")
            return False
        finally:
            for worker in old if new in self.workers else [new]:
                worker.put(None)
        return True


class _Section:
    """A kernel call whose rows are dealt out: a share to the caller, one to each worker."""

    __slots__ = (
        "arguments", "count", "done", "errors", "handed_out", "kernel", "n", "news", "run",
        "start_flags", "takers",
    )  # fmt: skip

    def __init__(self, kernel, arguments, count, n, start_flags, spins):
        self.kernel, self.arguments, self.count, self.n = kernel, arguments, count, n
        self.run = getattr(kernel, "run", None)  # compiled, with signals
        self.start_flags = start_flags
        self.done = np.zeros(n * LINE, np.int64)
        self.done[SPIN_LIMIT] = spins
        self.handed_out = False
        self.takers = {}  # of each share: the worker, or the caller who took it back
        self.errors, self.news = [], queue.SimpleQueue()

    def compute(self, who):
        """One share of the rows; returns what came of looking for the next signal."""
        first, last = (self.count * number // self.n for number in (who, who + 1))
        if self.run is None:
            self.kernel(first, last, *self.arguments)
            return LEFT
        return self.run(self.start_flags, self.done, who, first, last, *self.arguments)

    def compute_as_worker(self, number, spin):
        """A worker's share, unless the caller, who was interrupted, took it back."""
        if self.takers.setdefault(number, number) != number:  # one step: only one can take it
            return
        self.start_flags[number * LINE + SPIN_LIMIT] = spin.limit()
        try:
            spin.learn(self.compute(number))
        except BaseException as error:  # handed to the caller, who raises it
            self.errors.append(error)
        self.done[number * LINE] = 1
        self.news.put(None)

    def wait(self):
        """Until no worker computes any more, whatever comes in between; then raise what came."""
        interrupt = None
        while True:
            try:
                if not self.handed_out:
                    for number in range(1, self.n):
                        if self.takers.setdefault(number, CALLER) == CALLER:
                            self.done[number * LINE] = 1
                while not self.done[LINE::LINE].all():  # marks that compiled code sets, too
                    self.news.get()
                break
            except BaseException as error:
                interrupt = error
        for error in (interrupt, *self.errors):
            if error is not None:
                raise error


def _serve(sections, number):
    spin = _Spin()
    while (section := sections.get()) is not None:
        section.compute_as_worker(number, spin)
        section = None  # hold no arrays while waiting


@functools.cache
def _say_once(text):
    logging.getLogger("rnnlite").warning(text)


_pool = _Pool(found=default_threads())


def _forget_threads():
    # A forked child has none of its parent's threads, and may be one of many workers.
    global _pool
    _pool = _Pool(_pool.chosen)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def get_num_threads():
    """Number of threads that rnnlite computes with.

    Returns
    -------
    int
        What ``set_num_threads`` was given; otherwise ``RNNLITE_NUM_THREADS``,
        ``NUMBA_NUM_THREADS`` or ``OMP_NUM_THREADS``, the first that was set at import; otherwise
        all processors that this process may use (bound to some, in a container with a quota).

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    return _size()


def set_num_threads(n):
    """Compute with ``n`` threads from now on; results do not depend on it.

    Until then it is the environment that says how many, see ``get_num_threads``.  Where the system
    has no more threads to give, fewer compute, with a line in the log.

    Parameters
    ----------
    n : int
        At least 1.

    Examples
    --------
    >>> set_num_threads(get_num_threads())
    """
    _pool.chosen = checking.whole_number("set_num_threads", "n", n)


def chosen():
    """What ``set_num_threads`` was given; None if it was not called."""
    return _pool.chosen


_here = threading.local()  # ``n``: what the calling thread was told in a block of ``threads_here``


@contextlib.contextmanager
def threads_here(n):
    """A block in which the calling thread computes with ``n`` threads; None: with what it has."""
    before = getattr(_here, "n", None)
    _here.n = before if n is None else n
    try:
        yield
    finally:
        _here.n = before


def _size():
    return getattr(_here, "n", None) or _pool.size


def parallel_for(kernel, count, work, *arguments):
    """Run ``kernel(first, last, *arguments)`` over ``range(count)``, dealt to the threads.

    ``work`` counts multiplications: little work is done by the caller alone.
    """
    pool = _pool
    n = min(count, 1 + int(work / WORTH_A_THREAD))
    if n > 1 and not JIT_DISABLED:
        n = pool.grow(min(n, _size()))
    if n <= 1 or JIT_DISABLED:
        kernel(0, count, *arguments)
        return
    section = _Section(kernel, arguments, count, n, pool.start_flags, pool.spin.limit())
    try:
        pool.hand_out(section)
        outcome = section.compute(CALLER)
    finally:
        # The workers write into the caller's arrays: never leave before they end.
        section.wait()
    if pool.spin.learn(outcome):
        pool.replace_workers()
