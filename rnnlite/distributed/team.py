"""The processes of a run: what they tell one another, and how they end together.

All of them go from one meeting to the next.  At each, everybody first gives four numbers: at which
point of the run it is, whether it is well, a number of its own, and how many bytes will follow.
Hence a process that raises an error has to come to one more meeting only, whichever that may be,
to say so: all others learn of it there, are told its message, and end with it.

Some meetings are gone to by a thread, while the process computes on (``soon``); the process itself
goes to none before these are over.
"""

import contextlib
import contextvars
import functools
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rnnlite.distributed import machine, messages
from rnnlite.engine import threads
from rnnlite.needed import needed
from rnnlite.saving import architecture
from rnnlite.training.one_process import OneProcess

CHUNKS = 8  # of a batch, if nobody says how many
POINT, FAILED, NUMBER, BYTES = range(4)
NOTHING = np.zeros(0, np.uint8)


class ProcessFailed(RuntimeError):
    """Another process of the run raised an error, with which this one ends, too.

    Examples
    --------
    >>> str(ProcessFailed("fit: process 1 of 2 ended with ValueError: ..."))
    'fit: process 1 of 2 ended with ValueError: ...'
    """


class Team(OneProcess):
    """What ``fit`` and ``evaluate`` ask of the processes of an MPI communicator.

    ``with Team(where, comm) as team:`` is run by all of them; see ``OneProcess`` for the methods.

    Parameters
    ----------
    where : str
        Who asks, for messages.
    comm : mpi4py.MPI.Comm

    Examples
    --------
    >>> from rnnlite.distributed import world
    >>> from rnnlite.distributed.team import Team
    >>> if (comm := world()) is not None:       # else there is one process, without MPI
    ...     with Team("hello", comm) as team:
    ...         greetings = team.share("a greeting", f"from {team.process}")
    """

    def __init__(self, where, comm):
        MPI = needed(where, "mpi4py", "MPI").MPI
        if not isinstance(comm, MPI.Intracomm) or comm == MPI.COMM_NULL:
            wanted = "a communicator of mpi4py, as MPI.COMM_WORLD"
            raise TypeError(f"{where}: comm is {comm!r:.100}; wanted {wanted}")
        self._where, self._is_over = where, False
        self._call_failed = False  # of those that ``soon`` is told
        self._memory = {}  # by what it is for
        self._comm = comm.Dup()  # what else the program sends is not mixed up with this
        self.process, self.processes = comm.rank, comm.size
        self.is_first = self.process == 0
        place = machine.find(self._comm)
        self._compiles = place.number == 0
        self._threads = threads.threads_here(place.threads)
        self._messenger = ThreadPoolExecutor(1)  # begins with the first task
        self._work = messages.Work()
        self.sends_early = not place.is_only and MPI.Query_thread() >= MPI.THREAD_SERIALIZED

    def __enter__(self):
        self._threads.__enter__()
        try:
            self.compare(self._where, machine.versions)
        except BaseException as error:  # of a block that was not entered, nobody sees the end
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind, error, trace):
        self._threads.__exit__(kind, error, trace)
        with messages.whole():
            try:
                self._messenger.shutdown()
                if error is None:
                    self._meet("the end")
                elif not self._is_over:
                    self._tell(error)
            finally:
                self._comm.Free()

    def chunks(self, where, chunks):
        """As many as asked for, or 8: at least one for each process."""
        chunks = CHUNKS if chunks is None else chunks
        if chunks < self.processes:
            got = f"chunks is {chunks} and there are {self.processes} processes"
            hint = f"wanted one a process or more, as chunks={2 * self.processes}"
            raise ValueError(f"{where}: {got}; {hint}")
        return chunks

    @contextlib.contextmanager
    def compiling(self):
        """A block in which kernels may be compiled: one process of each machine goes first."""
        if self.processes == 1:
            yield
            return
        if not self._compiles:
            self._meet("waiting for kernels")
        yield
        if self._compiles:
            self._meet("waiting for kernels")

    def numbers(self, what, number):
        """A whole number from each process."""
        return self._meet(what, number)[0][:, NUMBER].tolist()

    def share(self, what, value):
        """A value from each process, as JSON can hold it."""
        headers, content = self._meet(what, 0, messages.packed(value))
        return messages.unpacked(content, headers[:, BYTES])

    def slices(self, what, rows):
        """A p-th of each row of bytes (n, size) of all p processes: process k gets the k-th.

        One below the other, as ``gather`` gives whole rows; until the next call.
        """
        slices = rows.reshape(len(rows), self.processes, -1).swapaxes(0, 1)
        piece = np.ascontiguousarray(slices).reshape(-1)  # a copy where there are several rows
        content = self._meet(what, 0, piece, self._slices)[1]
        return content.reshape(-1, slices.shape[2])

    def gather(self, what, rows, place=0):
        """Rows of bytes (n, size) from each process, one below the other.

        Until the next call with the same ``place``.
        """
        hand_over = functools.partial(self._pieces, name=("pieces", place))
        content = self._meet(what, 0, rows.reshape(-1), hand_over)[1]
        return content.reshape(-1, rows.shape[1])

    def soon(self, call, *arguments):
        """A Future of a call that goes to meetings, made by a thread after those before it.

        Until ``results`` has returned them all, this thread goes to no meeting.
        """
        settings = contextvars.copy_context()  # NumPy's errstate, as it is here
        task = messages.beside_work, self._work, self._unless_one_failed, call, *arguments
        return self._messenger.submit(settings.run, *task)

    def results(self, futures):
        """What these calls return, when they have; this thread does nothing else meanwhile."""
        self._work.is_over = True
        try:
            return [future.result() for future in futures]
        finally:
            self._work.is_over = False

    def _unless_one_failed(self, call, *arguments):
        if self._call_failed:  # and whoever waits for all of them is told by the first
            return None
        try:
            return call(*arguments)
        except BaseException:
            self._call_failed = True
            raise

    def bytes_of_first(self, what, content):
        """What the first process gives; from the others nothing is sent."""
        piece = np.frombuffer(content if self.is_first else b"", np.uint8)
        return self._meet(what, 0, piece)[1].tobytes()

    def of_first(self, what, function):
        """What a function returns in the first process, which alone calls it."""
        return self.share(what, function() if self.is_first else None)[0]

    def compare(self, where, facts):
        """Refuse what ``facts()`` returns, texts by name, where it is not the same everywhere."""
        if self.processes == 1:
            return
        everyone = self.share("what must be the same", facts())
        first = everyone[0]
        for process, others in enumerate(everyone):
            for name in first | others:
                one, other = first.get(name), others.get(name)
                if one == other:
                    continue
                if isinstance(one, dict) and isinstance(other, dict):
                    problem = architecture.difference(one, other)
                    raise ValueError(f"{where}: process {process} has another {name}: {problem}")
                told = f"{one!s:.200} in process 0 and {other!s:.200} in process {process}"
                raise ValueError(f"{where}: {name} is {told}; wanted the same in all processes")

    def _meet(self, what, number=0, piece=NOTHING, hand_over=None):
        """Go to a meeting: the numbers that each process gave, and the bytes of all."""
        hand_over = hand_over or self._pieces
        with messages.whole():
            point = zlib.crc32(what.encode())
            headers = self._headers(point, False, number, piece.size)
            if headers[:, FAILED].any():
                self._end_with(headers, NOTHING)
            if (headers[:, POINT] != point).any():
                self._end_apart(what)
            return headers, hand_over(piece, headers[:, BYTES].tolist())

    def _headers(self, *numbers):
        return messages.rows_of_all(self._comm, np.array(numbers, np.int64))

    def _pieces(self, piece, sizes, name="pieces"):
        out = self._place(name, sum(sizes))
        if out.size:
            messages.bytes_of_all(self._comm, piece, sizes, out)
        return out

    def _slices(self, piece, sizes):
        sizes = [size // self.processes for size in sizes]
        out = self._place("slices", sum(sizes))
        messages.slices_of_all(self._comm, piece, sizes, out)
        return out

    def _place(self, name, size):
        """Memory for what comes: the same each time, and another for each name."""
        if name not in self._memory or self._memory[name].size < size:
            self._memory[name] = np.empty(size, np.uint8)
        return self._memory[name][:size]

    def _tell(self, error):
        """Come to the meeting that others are at, with an error."""
        told = f"{type(error).__name__}: {error}".removesuffix(": ")
        trace = "".join(traceback.format_exception(error))
        piece = messages.packed((told, trace))
        headers = self._headers(0, True, 0, piece.size)
        self._gather_errors(headers, piece)

    def _gather_errors(self, headers, piece):
        """What each process that failed told, by its number."""
        self._is_over = True
        sizes = np.where(headers[:, FAILED], headers[:, BYTES], 0)
        told = messages.unpacked(self._pieces(piece, sizes.tolist()), sizes)
        return {process: error for process, error in enumerate(told) if error is not None}

    def _end_with(self, headers, piece):
        """Raise what the first process that failed told."""
        errors = self._gather_errors(headers, piece)
        process, (told, trace) = min(errors.items())
        of = f"process {process} of {self.processes}"
        failure = ProcessFailed(f"{self._where}: {of} ended with {told}")
        failure.add_note(f"In {of}:\n{trace}")
        raise failure

    def _end_apart(self, what):
        """Raise where each process is: they are not at the same point of the run."""
        self._is_over = True
        name = messages.packed(what)
        sizes = self._headers(0, False, 0, name.size)[:, BYTES]
        places = messages.unpacked(self._pieces(name, sizes.tolist()), sizes)
        other = next(n for n, place in enumerate(places) if place != places[0])
        apart = f"process 0 is at {places[0]}, process {other} at {places[other]}"
        hint = "all processes must make the same calls, with as many batches"
        raise RuntimeError(f"{self._where}: {apart}; {hint}")
