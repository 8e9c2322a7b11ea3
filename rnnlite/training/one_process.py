"""A run in one process: what several would have to tell one another, it knows by itself."""

import contextlib


class OneProcess:
    """What ``fit`` and ``evaluate`` ask of the processes that work together, if there is one.

    ``rnnlite.distributed.Team`` has the same methods, for the processes of an MPI communicator.
    All processes call the same methods in the same order; ``what`` says at which point that is.
    """

    process, processes, is_first = 0, 1, True
    sends_early = False  # whether messages go on while something else is computed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """What a process raises in the block, all raise."""

    def chunks(self, where, chunks):
        """In how many chunks to compute a batch, if ``chunks`` were asked for; None: as a whole."""
        return chunks

    def compiling(self):
        """A block in which kernels may be compiled: one process of each machine goes first."""
        return contextlib.nullcontext()

    def numbers(self, what, number):
        """A whole number from each process."""
        return [number]

    def share(self, what, value):
        """A value from each process, as JSON can hold it."""
        return [value]

    def slices(self, what, rows):
        """A p-th of each row of bytes (n, size) of all p processes: process k gets the k-th."""
        return rows

    def gather(self, what, rows, place=0):
        """Rows of bytes (n, size) from each process, one below the other."""
        return rows

    def bytes_of_first(self, what, content):
        """What the first process gives."""
        return content

    def of_first(self, what, function):
        """What a function returns in the first process, which alone calls it."""
        return function()

    def compare(self, where, facts):
        """Refuse what ``facts()`` returns, texts by name, where it is not the same everywhere."""


def team_of(where, comm):
    """The processes of an MPI communicator, or this one alone for None."""
    if comm is None:
        return OneProcess()
    from rnnlite.distributed.team import Team  # a door, which nothing else needs

    return Team(where, comm)
