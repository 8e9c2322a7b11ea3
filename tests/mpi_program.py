"""What ``test_distributed.py`` runs in several processes, and tests of one to compare with.

    mpiexec -n 2 python -m mpi4py mpi_program.py FOLDER NAME [NAME ...]

Each NAME is a function here, or in ``mpi_together.py``; what it returns in each process is written
to FOLDER as JSON.
"""

import concurrent.futures
import contextlib
import hashlib
import io
import json
import os
import platform
import signal
import sys
from pathlib import Path

import mpi_together
import numpy as np
from mpi_runs import MORE, ROWS, F, T, data, figures, noise, random_model, small
from numba.core import event
from pages import run as run_page

import rnnlite
from rnnlite import LSTM, SGD, Adam, Callback, Dense, Sequential, fit
from rnnlite.distributed import ProcessFailed, world
from rnnlite.distributed import machine as machines
from rnnlite.distributed.team import Team
from rnnlite.logs import CSVLog
from rnnlite.training import chunks

PAGE = Path(__file__).parents[1] / "docs" / "many_machines.md"


# ---- the same bits -------------------------------------------------------------------------


def everything_random(comm):
    model, (x, y) = random_model(), data()
    history = fit(
        model, x, y, optimizer=Adam(model, lr=0.01), clip_norm=0.5, average=0.9, augment=noise,
        validation=(x[:30], y[:30]), early_stopping=2, record_every=3, chunks=8, comm=comm, **MORE,
    )  # fmt: skip
    return figures(model, history)


def odd_chunks(comm):
    """Of seven chunks some are empty in the last batch, of five rows."""
    model, (x, y) = random_model(), data(rows=45)
    return figures(model, fit(model, x, y, chunks=7, comm=comm, **MORE))


def with_weights(comm):
    model, (x, y) = small(), data()
    lengths, weights = np.arange(ROWS) % (T + 1), np.arange(ROWS) % 3
    model = Sequential([LSTM(F, 8, return_sequences=True, seed=0), Dense(8, 2, seed=1)])
    labels = np.repeat(y[:, None], T, axis=1)
    history = fit(
        model, x, labels, lengths=lengths, class_weight={0: 0.2}, sample_weight=weights,
        chunks=8, comm=comm, **MORE,
    )  # fmt: skip
    return figures(model, history)


def own_loss(comm):
    """A masked mean, whose weights say what counts."""

    def masked(output, y):
        counts = (y != 7)[:, None]
        difference = np.where(counts, output - y[:, None], 0).astype(output.dtype)
        n = max(1, counts.sum())
        return float((difference**2).sum() / n), 2 * difference / n, counts[:, 0].astype(float)

    model, (x, y) = Sequential([LSTM(F, 8, seed=0), Dense(8, 1, seed=1)]), data()
    y = np.where(np.arange(ROWS) % 10 < 6, 7.0, y).astype(np.float32)
    more = MORE | {"batch_size": 12, "shuffle": False}  # whole chunks that do not count
    history = fit(
        model, x, y, loss=masked, optimizer=SGD(model, lr=0.1), comm=comm, chunks=8, **more
    )
    return figures(model, history)


def stream(comm):
    def batches(epoch):
        x, y = data()
        for start in range(0, ROWS, 20 - epoch):
            yield x[start : start + 20], y[start : start + 20]

    model = small()
    return figures(model, fit(model, batches, epochs=3, progress=False, chunks=8, comm=comm))


def memory_map(comm, folder):
    x, y = data()
    path = folder / "x.npy"
    if comm is None or comm.rank == 0:
        np.save(path, x)
    if comm is not None:
        comm.Barrier()
    model = small()
    return figures(model, fit(model, np.load(path, mmap_mode="r"), y, chunks=8, comm=comm, **MORE))


def answers(comm):
    model, (x, y) = random_model(), data()
    lengths = np.arange(ROWS) % (T + 1)
    told = {"lengths": lengths, "batch_size": 9, "comm": comm}
    loss, accuracy = rnnlite.evaluate(model, x, y, **told)
    ways = (rnnlite.predict, rnnlite.predict_proba, rnnlite.predict_values)
    digests = [hashlib.sha256(way(model, x, **told)).hexdigest() for way in ways]
    some = [(x[:9], y[:9]), (x[9:11], y[9:11])]
    return [loss, accuracy, *digests, *rnnlite.evaluate(model, some, comm=comm)]


SAME_BITS = (
    "everything_random", "odd_chunks", "with_weights", "own_loss", "stream", "memory_map",
    "answers",
)  # fmt: skip


# ---- what is sent ----------------------------------------------------------------------------


def in_pieces(comm):
    """From here on the gradient goes in a piece a layer, as if each process had a machine."""
    find, chunks.LEAST = machines.find, 1
    machines.find = lambda comm: find(comm)._replace(is_only=False)
    soon = Team.soon

    def counted(team, *task):
        early.append(task)
        sent = soon(team, *task)
        if comm.size == 2:  # so that what is sent before it is known is wrong each time
            concurrent.futures.wait([sent])
        return sent

    Team.soon = counted


early = []  # pieces of which a thread was told


def early_pieces(comm):
    """Of a run of two steps, the first of which hands over nothing early, and of its layers."""
    early.clear()
    model, (x, y) = random_model(), data()
    fit(model, x, y, steps=2, batch_size=20, progress=False, chunks=8, comm=comm)
    return len(early)


def received(comm):
    """How many times the bytes of the gradient this process receives from others, step by step."""
    model, (x, y) = Sequential([LSTM(F, 32, seed=0), Dense(32, 2, seed=1)]), data()
    comm, seen = counting(comm), []

    class EachStep(Callback):
        def step(self, run):
            seen.append(comm.received())

    told = {"steps": 4, "batch_size": 20, "progress": False, "chunks": 8, "comm": comm}
    fit(model, x, y, callbacks=[EachStep()], **told)
    return (np.diff(seen) / model.flat_params.nbytes).tolist()


def counting(comm):
    """A communicator that counts the bytes from other processes, as do those made from it."""
    from mpi4py import MPI

    counts = []

    class Counting(MPI.Intracomm):
        def received(self):
            return sum(counts)

        def Iallgather(self, own, everything):
            counts.append(everything.nbytes - own.nbytes)
            return super().Iallgather(own, everything)

        def Ialltoallv(self, own, everything):
            sizes = everything[1]
            counts.append(sum(sizes) - sizes[self.rank])
            return super().Ialltoallv(own, everything)

    return Counting(comm)


# ---- from checkpoints ----------------------------------------------------------------------


def checkpointed(comm, path, resume=True, steps=12, callbacks=()):
    model, (x, y) = random_model(), data()
    history = fit(
        model, x, y, optimizer=Adam(model, lr=0.01), steps=steps, batch_size=20, augment=noise,
        average=0.9, record_every=5, checkpoint=path, checkpoint_every=1, resume=resume,
        callbacks=callbacks, progress=False, chunks=8, comm=comm,
    )  # fmt: skip
    return figures(model, history)


class Kill(Callback):
    def __init__(self, processes):
        self.processes = processes

    def step(self, run):
        if run.step == 7 and run.process in self.processes:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_one(comm, folder):
    checkpointed(comm, folder / "one.npz", resume=False, callbacks=[Kill([1])])


def killed_all(comm, folder):
    checkpointed(comm, folder / "all.npz", resume=False, callbacks=[Kill(range(comm.size))])


def resumed_one(comm, folder):
    """Without the callback that killed it: one that is the same in number."""
    return checkpointed(comm, folder / "one.npz", callbacks=[Kill([])])


# ---- as a whole --------------------------------------------------------------------------------


def quiet(comm, folder):
    """What each process writes: text on its error stream, lines of a log, files."""
    x, y = data()
    written = io.StringIO()
    log = CSVLog(folder / f"log{comm.rank}.csv")
    with contextlib.redirect_stderr(written):
        fit(small(), x.astype(np.float64), y, epochs=2, callbacks=[log], comm=comm,
            checkpoint=folder / f"quiet{comm.rank}.npz")  # fmt: skip
    names = [f"log{comm.rank}.csv", f"quiet{comm.rank}.npz"]
    return [written.getvalue().count("epoch"), *[(folder / name).exists() for name in names]]


def threads(comm):
    """How many threads each process computes with, in fit and after it."""
    seen = []
    fit(small(), *data(), callbacks=lambda run: seen.append(rnnlite.get_num_threads()), comm=comm,
        progress=False)  # fmt: skip
    return [seen[0], rnnlite.engine.processors.processors(), rnnlite.get_num_threads()]


def machine(comm):
    """The host of a process, and its number there."""
    return [platform.node(), machines.find(comm).number]


def compiled(comm):
    """How many functions each process compiles in a run that needs all kinds of kernels."""
    recorder = event.RecordingListener()
    with event.install_listener("numba:compile", recorder):
        model, (x, y) = small(), data()
        fit(model, x, y, validation=(x, y), clip_norm=1.0, average=0.9, comm=comm, **MORE)
        rnnlite.predict(model, x, comm=comm)
    return len(recorder.buffer)


def looked_inside(comm, folder):
    """The gradient check, the trace and the page of a model that was trained so."""
    model, (x, y) = small(), data()
    fit(model, x, y, comm=comm, **MORE)
    passed = rnnlite.gradcheck.check(model.copy(dtype="float64"), x[:3].astype(float)).passed
    trace = rnnlite.trace(model, x[:3], labels=y[:3])
    page = folder / f"page{comm.rank}.html"
    rnnlite.explain(model, x[:3], page, labels=y[:3])
    return [bool(passed), trace["0"].f.shape, bool(np.isfinite(trace["0"].dh).all()), page.exists()]


def page(comm):
    """How many blocks of the page run."""
    return len(run_page(PAGE))


def dies(comm):
    """An error that nobody catches, before fit in one process, while the others wait in it."""
    if comm.rank == 1:
        raise OSError("no such data")
    fit(small(), *data(), comm=comm, **MORE)


def main():
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    comm, results = world(), {}
    for name in names:
        function = globals().get(name) or getattr(mpi_together, name)
        needs_folder = "folder" in function.__code__.co_varnames[: function.__code__.co_argcount]
        results[name] = function(comm, folder) if needs_folder else function(comm)
    text = json.dumps(results)
    (folder / f"{comm.rank}-of-{comm.size}.json").write_text(text, encoding="utf-8")
    assert issubclass(ProcessFailed, RuntimeError)


if __name__ == "__main__":
    main()
