"""Bytes from every process to every process, and waiting for them.

MPI's own waiting asks again and again, and leaves its processor to nobody.  Where another process,
or a thread of this one, has work for that processor, it waits for the one that waits.  So whoever
waits here lets others have the processor after each look, and goes to sleep for longer and longer
when nothing comes for a while, as when another process compiles.
"""

import contextlib
import contextvars
import json
import os
import signal
import threading
import time

import numpy as np

PATIENCE = 0.002  # seconds of looking without sleep
LONGEST = 0.001  # seconds of a sleep
SHORT = 0.0002  # the same, where another thread of this process computes meanwhile


def packed(value):
    """A value as bytes: JSON, which runs nothing where it is read."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def unpacked(content, sizes):
    """The values of all processes; None of one that gave no bytes."""
    pieces = np.split(content, np.cumsum(sizes)[:-1])
    return [json.loads(piece.tobytes()) if piece.size else None for piece in pieces]


def values_of_all(comm, value):
    """A value from each process, as JSON can hold it."""
    piece = packed(value)
    sizes = rows_of_all(comm, np.array([piece.size]))[:, 0]
    out = np.empty(sizes.sum(), np.uint8)
    bytes_of_all(comm, piece, sizes.tolist(), out)
    return unpacked(out, sizes)


def rows_of_all(comm, row):
    """An array (n,) from each process, all of one length and dtype; (processes, n)."""
    rows = np.empty((comm.size, row.size), row.dtype)
    wait(comm.Iallgather(row, rows))
    return rows


def bytes_of_all(comm, piece, sizes, out):
    """Bytes (n,) of as many as ``sizes`` says from each process, one after the other in ``out``.

    Each sends to all others at once: in a ring, as MPI gathers, each waits for the one before it.
    """
    _exchange(comm, piece, [piece.size] * comm.size, [0] * comm.size, sizes, out)


def slices_of_all(comm, slices, sizes, out):
    """Process k gets the k-th part of everybody's ``slices``: ``sizes`` says of how many bytes."""
    own = [len(slices) // comm.size] * comm.size
    _exchange(comm, slices, own, [n * own[0] for n in range(comm.size)], sizes, out)


def _exchange(comm, own, counts, places, sizes, out):
    from mpi4py import MPI

    wait(comm.Ialltoallv([own, (counts, places), MPI.BYTE], [out, sizes, MPI.BYTE]))


def wait(request):
    """Until it is done."""
    beside = _beside.get()
    patience, longest = (PATIENCE, LONGEST) if beside is None else (0.0, SHORT)
    began, pause = time.perf_counter(), 1e-5
    while not request.Test():
        if (beside is not None and beside.is_over) or time.perf_counter() - began < patience:
            let_others()
        else:
            time.sleep(pause)
            pause = min(2 * pause, longest)


class Work:
    """What another thread of this process computes, until it waits, too."""

    is_over = False


_beside = contextvars.ContextVar("_beside", default=None)


def beside_work(work, call, *arguments):
    """Call a function whose waiting leaves the processor to ``work``."""
    _beside.set(work)
    return call(*arguments)


let_others = getattr(os, "sched_yield", lambda: time.sleep(0))  # Windows has no such call


@contextlib.contextmanager
def whole():
    """A block that Ctrl-C does not break off: it is raised at the end.

    Else the other processes would be left in the middle of it.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came = []
    signal.signal(signal.SIGINT, lambda *signal_and_frame: came.append(signal_and_frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(*came[0])
