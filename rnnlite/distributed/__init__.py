"""Training in several processes, on one machine or many, by MPI: the door to mpi4py.

    fit(model, x, y, comm=rnnlite.distributed.world())      started by ``mpiexec -n 4``

world.py      whether this program was started by MPI
team.py       what the processes of a run tell one another; how they end together
messages.py   bytes between processes, waiting without keeping others from computing
machine.py    who shares a machine: who compiles first, how many threads each has

``fit``, ``evaluate`` and ``predict`` take ``comm``; docs/many_machines.md says how to begin.
"""

from rnnlite.distributed.team import ProcessFailed
from rnnlite.distributed.world import world

__all__ = ["ProcessFailed", "world"]
