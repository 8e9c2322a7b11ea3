"""Processes that share a machine: its processors, and its folder of compiled kernels."""

import importlib
import os
from importlib import metadata
from typing import NamedTuple

from rnnlite.distributed import messages
from rnnlite.engine import processors, threads
from rnnlite.kernels import jit, target


class Place(NamedTuple):
    """Where a process runs."""

    number: int  # among the processes of its machine
    threads: int | None  # that it should compute with; None: as many as it was told
    is_only: bool  # whether there are no other machines


def find(comm):
    """The place of this process; all processes of a communicator call it at once.

    Each processor is divided among the processes that may run on it: those that ``mpiexec`` has
    bound to processors of their own have these to themselves.  Who was told how many threads, by
    a variable or by ``set_num_threads``, has as many.
    """
    was_told = any(map(os.environ.get, processors.VARIABLES)) or threads.chosen() is not None
    mine = sorted(() if was_told else processors.bound_to())
    from mpi4py import MPI

    local = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        number, neighbours = local.rank, messages.values_of_all(local, mine)
    finally:
        local.Free()
    told = None if was_told else share(mine, neighbours, processors.quota())
    return Place(number, told, len(neighbours) == comm.size)


def share(mine, neighbours, quota):
    """Threads for a process that may use the processors ``mine``, as all its neighbours theirs."""
    processors_worth = sum(1 / sum(each in other for other in neighbours) for each in mine)
    return max(1, int(min(processors_worth, quota / len(neighbours)) + 1e-9))


def versions():
    """What computes, by name: only the same instructions give the same numbers."""
    pairs = " with bfloat16" if target.CHOSEN.multiplies_pairs else ""
    return {
        "rnnlite": importlib.import_module("rnnlite").__version__,
        "numpy": metadata.version("numpy"),
        "numba": metadata.version("numba"),
        "vector registers (RNNLITE_SIMD chooses)": f"{target.CHOSEN.name}{pairs}",
        "NUMBA_DISABLE_JIT": str(jit.JIT_DISABLED),
        "kernels' sources": jit.source_hash(),
    }
