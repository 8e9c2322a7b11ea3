"""Whether this program was started as one of several processes."""

import os

from rnnlite.needed import needed

# What starts MPI processes sets one of these: MPICH and Slurm, Slurm with PMIx, Open MPI.
VARIABLES = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")


def world():
    """All processes of this program, if ``mpiexec`` or the like has started it, else None.

    So a program that says ``fit(..., comm=world())`` runs both ways, and imports mpi4py only
    where it is one of several processes.

    Returns
    -------
    mpi4py.MPI.Comm or None
        ``MPI.COMM_WORLD``.

    Examples
    --------
    >>> comm = world()
    >>> comm is None or comm.size >= 1
    True
    """
    if not any(name in os.environ for name in VARIABLES):
        return None
    return needed("rnnlite.distributed.world", "mpi4py", "MPI").MPI.COMM_WORLD
