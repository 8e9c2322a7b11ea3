"""Kernels whose rows several threads share, and how the threads signal one another.

Waking a sleeping thread takes the operating system 5 to 40 microseconds, as long as a whole section
of a small model.  So a thread that has finished its share spins, which is to look again and again,
for its next one a little while before it goes to sleep, and the caller spins for the end of the
others' shares.  A thread that finds Python busy (the GIL) goes to sleep as well.  Hence all signals
are given and awaited inside compiled code, which runs without the GIL:

    caller                              worker
    ------                              ------
    hands out the shares                (spins on its start flag)
    enters the kernel, frees the GIL
    sets the start flags       ----->   takes the GIL, fetches its share, enters the kernel
    computes                            computes
    spins on the done flags    <-----   sets its done flag
    leaves                              spins on its start flag again

Nothing depends on these signals but time: who misses one goes to sleep and is woken by the
operating system, see ``rnnlite/engine/threads.py``.
"""

import functools
import inspect

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rnnlite.kernels.jit import JIT_DISABLED, exact_inner, inner, kernel, without_jit
from rnnlite.kernels.simd.memory import element_pointer

# Each flag has a cache line to itself: 8 numbers.  The second of them says how often its
# thread looks before it goes to sleep; the caller's first, in ``done``, that it sleeps.
LINE = 8
ASLEEP, SPIN_LIMIT = 0, 1
# What came of spinning: what was looked for, nothing, or a reason to leave.
FOUND, MISSED, LEFT = 1, 0, -1
# How often to look at most: 200 microseconds on a Zen 4.
# x86's "pause" takes 40 cycles or more, ARM's "yield" none.
ARM = llvm.get_default_triple().startswith(("aarch64", "arm64"))
X86 = llvm.get_default_triple().startswith(("x86_64", "i686", "amd64"))
SPINS = 8_000 if X86 else 100_000

ALONE, CALLER = -1, 0
NO_SIGNALS = np.zeros(0, np.int64)


@intrinsic
def read(typingctx, signals, position):
    """A number that another thread may write at any time."""

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, signature.args[0], *arguments)
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(signals, types.intp), codegen


@intrinsic
def write(typingctx, signals, position, value):
    """Write for other threads to see, after everything that was written before."""

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.none(signals, types.intp, types.int64), codegen


@intrinsic
def pause(typingctx):
    """Tell the processor that this is a waiting loop."""

    def codegen(context, builder, signature, arguments):
        if ARM:
            hint = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
            function = builder.module.declare_intrinsic("llvm.aarch64.hint", (), hint)
            builder.call(function, [ir.Constant(ir.IntType(32), 1)])
        elif X86:
            nothing = ir.FunctionType(ir.VoidType(), [])
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), nothing), [])
        return context.get_dummy_value()

    return types.none(), codegen


@inner
def _begin(start_flags, done, who):
    """The caller sets the start flags of the others; a worker remembers its own."""
    if who == ALONE:
        return 0
    if who > CALLER:
        return read(start_flags, who * LINE)
    for worker in range(1, done.size // LINE):
        write(start_flags, worker * LINE, read(start_flags, worker * LINE) + 1)
    return 0


@inner
def _end(start_flags, done, who, seen):
    """A worker sets its done flag, then spins on its start flag; the caller on all done flags."""
    if who > CALLER:
        write(done, who * LINE, 1)
        for _ in range(start_flags[who * LINE + SPIN_LIMIT]):
            if read(start_flags, who * LINE) != seen:
                return FOUND
            if read(done, ASLEEP) != 0:  # this thread wakes the caller when it leaves
                return LEFT
            pause()
        return MISSED
    if who == CALLER:
        worker, workers = 1, done.size // LINE
        for _ in range(done[SPIN_LIMIT]):
            while worker < workers and read(done, worker * LINE) != 0:
                worker += 1
            if worker == workers:
                return FOUND
            pause()
        write(done, ASLEEP, 1)
    return MISSED


class ParallelKernel(functools.partial):
    """A kernel over rows ``first`` to ``last``, alone; ``run`` takes signals before these."""

    @property
    def run(self):
        """Compute a share of the rows, with signals."""
        return self.func


def parallel(function=None, *, identity="", exact=False):
    """``kernel``, for a function ``(first, last, ...)`` whose range may be cut anywhere.

    ``exact``, for loops that LLVM is to turn into registers: no operation is fused with another.
    """
    if function is None:
        return functools.partial(parallel, identity=identity, exact=exact)
    if JIT_DISABLED:
        return without_jit(function)
    compute = exact_inner(function) if exact else inner(function)
    run = kernel(_with_signals(function, compute), identity=identity)
    alone = ParallelKernel(run, NO_SIGNALS, NO_SIGNALS, ALONE)
    return functools.update_wrapper(alone, function)


def _with_signals(function, compute):
    """``function`` between ``_begin`` and ``_end``, as one function for Numba.

    With the names of its parameters: ``*arguments`` would cost several microseconds a call.
    """
    names = ", ".join(inspect.signature(function).parameters)
    source = (
        f"def {function.__name__}(start_flags, done, who, {names}):\n"
        f"    seen = begin(start_flags, done, who)\n"
        f"    compute({names})\n"
        f"    return end(start_flags, done, who, seen)\n"
    )
    names = {"begin": _begin, "end": _end, "compute": compute}
    exec(compile(source, function.__code__.co_filename, "exec"), names)
    twin = names[function.__name__]
    twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
    return twin
