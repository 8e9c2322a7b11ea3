"""How a second thread joins one that is already computing, and how the two keep in step.

Threads that share rows never wait for each other.  Two that share the *units* of one row need at
each step what the other one computed at the step before.  If both waited for each other from the
first step on, the caller would do nothing until the operating system has woken its worker, which
may take as long as the whole sequence.  So the caller begins alone, and looks at every step whether
the worker has come:

    state        set by
    NOBODY       at first
    HERE         the worker, when it enters; it then spins until the caller has answered
    2 + t        the caller: from step t on we are two
    OVER         the caller after its last step, or a worker that got no answer
    -2 - t       the caller: up to step t we are two, then I am alone

Each change until they meet is one compare-and-exchange: nobody can answer a worker that has just
left.  From then on each of the two counts the steps that it has done, and spins until the other one
has done as many (``keep_step``); both are in compiled code, and neither can just leave.

Where other programs use the processors, one of the two may lose its own for milliseconds, in which
the other one can only wait.  A caller that has waited long therefore parts: not at once, since the
worker may be in the next step already, but after that one.
"""

import numpy as np
from numba import types
from numba.extending import intrinsic

from rnnlite.kernels.jit import inner
from rnnlite.kernels.parallel import LINE, pause, read, write
from rnnlite.kernels.simd.memory import element_pointer

NOBODY, HERE, OVER = 0, 1, -1
FIRST = 2  # the number of a step is told as so much more
# How often a worker looks for the answer.  Its caller answers at the next step, unless it was
# interrupted on its way into the kernel and never comes.
ANSWER_WITHIN = 20_000
# Spins that are a long wait, some 50 microseconds: a dozen steps, or another program.
PATIENCE = 2_000


def new():
    """A meeting: the state, and the steps done by the caller and by the worker, a line each."""
    return np.zeros(3 * LINE, np.int64)


def parted(meeting):
    """Whether the caller has parted from its worker, after a run."""
    return bool(meeting[0] <= -FIRST)


@intrinsic
def _exchange(typingctx, signals, position, expected, new):
    """Write ``new`` if ``expected`` stands there, in one; returns whether it did."""

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, signature.args[0], *arguments[:2])
        result = builder.cmpxchg(pointer, *arguments[2:], "acq_rel", "acquire")
        return builder.extract_value(result, 1)

    return types.boolean(signals, types.intp, types.int64, types.int64), codegen


@inner
def join(meeting, T):
    """The worker: the step from which on we are two; T, the end, if it is too late."""
    if not _exchange(meeting, 0, NOBODY, HERE):
        return T
    for _ in range(ANSWER_WITHIN):
        if read(meeting, 0) != HERE:
            break
        pause()
    if _exchange(meeting, 0, HERE, OVER) or read(meeting, 0) == OVER:
        return T
    return read(meeting, 0) - FIRST


@inner
def has_come(meeting, t):
    """The caller: whether the worker is here, who is told that we are two from step t on."""
    return read(meeting, 0) == HERE and _exchange(meeting, 0, HERE, FIRST + t)


@inner
def close(meeting):
    """The caller, after its last step: a worker that has not met it comes too late."""
    if not _exchange(meeting, 0, NOBODY, OVER):
        _exchange(meeting, 0, HERE, OVER)


@inner
def keep_step(meeting, who, t):
    """Tell that step t is done by this one (0: the caller, 1: the worker); wait for the other.

    Returns how often this one had to look.
    """
    write(meeting, (1 + who) * LINE, t + 1)
    spins = 0
    while read(meeting, (2 - who) * LINE) <= t:
        pause()
        spins += 1
    return spins


@inner
def part(meeting, t):
    """The caller, between steps t - 2 and t - 1: up to step t we are two.  Returns t."""
    write(meeting, 0, -FIRST - t)
    return t


@inner
def parting(meeting, T):
    """The worker, after ``keep_step``: the step up to which we are two, so far T, the end."""
    state = read(meeting, 0)
    return -FIRST - state if state <= -FIRST else T
