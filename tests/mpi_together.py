"""Programs of ``mpi_program.py``: what several processes decide together, errors above all."""

import functools
import os
import signal

import numpy as np
from mpi_runs import MORE, ROWS, F, data, small

import rnnlite
from rnnlite import LSTM, SGD, Adam, Callback, Dense, Dropout, Sequential, fit


def raised(call, *arguments, **keywords):
    """Kind and text of what a call raises, in one line."""
    try:
        call(*arguments, **keywords)
    except (Exception, KeyboardInterrupt) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def errors(comm):
    """Errors of one process alone; each process tells what it raised."""
    me, found = comm.rank, {}
    fails = me == 1

    def told(name, x=None, y=None, **changed):
        given = dict(zip("xy", data(), strict=True)) | {"comm": comm, **MORE}
        given |= {k: v for k, v in (("x", x), ("y", y)) if v is not None} | changed
        found[name] = raised(fit, small(changed.pop("weights", 0)), **given | changed)

    _, y = data()
    told("argument", batch_size=0 if fails else 20)
    told("labels", y=np.where(np.arange(ROWS) == 70, 9, y) if fails else y)
    told("augment", augment=Fails("augment", 5 if fails else None))
    told("loss", loss=functools.partial(failing_loss, Fails("loss", 9 if fails else None)))
    told(
        "schedule", schedule=lambda step: Fails("schedule", 0 if fails and step == 4 else None)(0.1)
    )
    told("callback", callbacks=lambda run: Fails("callback", 0 if fails else None)(0))
    told("end", callbacks=[AtTheEnd(fails)])
    told("first", callbacks=[AtTheEnd(me == 0)])
    told("second ctrl-c", callbacks=[Raises(KeyboardInterrupt if fails else None)])
    with np.errstate(over="raise"):
        found["adding"] = raised(add_too_much, comm)
    found["backward"] = raised(fail_going_back, comm, fails)
    # A loop around fit goes on after all that: nobody is left waiting.
    told("none")
    return found


def add_too_much(comm):
    """A sum that is too large for float32, among entries that the last of two processes adds."""
    calls = []

    def steep(output, y):  # in the second step, when gradients may be handed over early
        calls.append(0)
        return 0.0, np.full_like(output, 5e37 if len(calls) == 3 else 0.0)

    x = np.zeros((4, F), np.float32)  # of the biases: 2 * 2 * 5e37 a chunk
    model = Sequential([Dense(F, F, seed=0), Dense(F, F, seed=1), Dense(F, 32)])
    model.params["2.W"][...] = 0.0  # so that there is no other gradient
    fit(model, x, np.zeros((4, 32)), loss=steep, chunks=2, comm=comm, steps=3, progress=False)


def fail_going_back(comm, fails):
    """An error in the first layer's backward, when the last one's gradient is known."""

    class First(Dropout):
        def backward_pass(self, dy, saved):
            steps.append(0)
            if fails and len(steps) == 10:  # the second chunk of the third step
                raise OSError("the way back has failed")
            return super().backward_pass(dy, saved)

    steps, (x, y) = [], data()
    model = Sequential([First(0.1, seed=0), LSTM(F, 8, seed=0), Dense(8, 2, seed=1)])
    fit(model, x, y, chunks=8, comm=comm, **MORE)


class Fails:
    """Returns its argument, but for one call, which fails."""

    def __init__(self, name, at):
        self.name, self.at, self.calls = name, at, -1

    def __call__(self, value, *_):
        self.calls += 1
        if self.calls == self.at:
            raise OSError(f"{self.name} has failed")
        return value

    def __repr__(self):
        return self.name


def failing_loss(fails, output, y):
    fails(0)
    return rnnlite.softmax_cross_entropy(output, y)


class AtTheEnd(Callback):
    def __init__(self, fails):
        self.fails = fails

    def end(self, run):
        if self.fails:
            raise OSError("the disk is full")


class Raises(Callback):
    def __init__(self, error):
        self.error = error

    def step(self, run):
        if run.step == 3 and self.error:
            raise self.error


def unequal(comm):
    """What differs in one process is named before the first step, or after it did."""
    me, (x, y), found = comm.rank, data(), {}

    def told(name, model=None, x=x, y=y, steps=None, **changed):
        given = MORE | {"comm": comm} | changed
        if steps:
            given = {k: v for k, v in given.items() if k != "epochs"} | {"steps": steps}
        found[name] = raised(fit, model or small(), x, y, **given)

    other = me == 1
    version = rnnlite.__version__
    rnnlite.__version__ = "0.0.9" if other else version
    told("version")
    rnnlite.__version__ = version
    told(
        "architecture",
        Sequential([LSTM(F, 9 if other else 8, seed=0), Dense(9 if other else 8, 2)]),
    )
    told("weights", small(seed=me))
    told("dropout", Sequential([Dropout(0.1, seed=me), LSTM(F, 8, seed=0), Dense(8, 2, seed=1)]))
    told("recipe", clip_norm=1.0 if other else 2.0)
    told("chunks", chunks=16 if other else 8)
    told("rows", x=x[: ROWS - me], y=y[: ROWS - me])
    told("numbers", x=x + np.float32(me))
    told("optimizer", model := small(), optimizer=Adam(model, lr=0.1 * (1 + me)))
    told("schedule", schedule=lambda step: 0.1 + 0.1 * (other and step == 2))
    told("changed", callbacks=[Changes(other)], record_every=2)
    told("stream", x=batches(other * 0.5), y=None, epochs=None, steps=3)
    told("batches", x=batches(0.0, 3 - me), y=None, epochs=1)
    told("processes", chunks=1)
    found["answers"] = raised(rnnlite.predict, small(seed=me), x, comm=comm)
    found["communicator"] = raised(fit, small(), x, y, comm="world")
    return found


class Changes(Callback):
    def __init__(self, changes):
        self.changes = changes

    def step(self, run):
        if self.changes:
            run.model.params["1.b"][...] += 1e-3


def batches(more, n=3):
    x, y = data(20)
    return [(x + np.float32(more), y)] * n


def together(comm):
    """Ends that one process alone decides, and a loss that is not finite in its rows alone."""
    (x, y), found, last = data(), {}, comm.size - 1

    class Stop(Callback):
        def step(self, run):
            if run.step == 5 and run.process == last:
                run.stop("enough")

    class Interrupt(Callback):
        def step(self, run):
            if run.step == 5 and run.process == last:
                os.kill(os.getpid(), signal.SIGINT)

    for callback in (Stop(), Interrupt()):
        history = fit(small(), x, y, callbacks=[callback], record_every=1, comm=comm, **MORE)
        found[type(callback).__name__] = [history.stopped_by, history["step"][-1]]
    wild = x.copy()
    wild[20 - 1] = np.inf  # in the last chunk of the first batch
    still = MORE | {"shuffle": False}
    found["data"] = raised(fit, small(), wild, y, comm=comm, **still)
    model = small()
    found["diverged"] = raised(
        fit, model, x, y, optimizer=SGD(model, lr=1e6), loss=squares, comm=comm, **MORE
    )
    return found


def squares(output, y):
    difference = output.astype(np.float64) ** 9 - y[:, None]
    return float((difference**2).mean()), (difference * output**8).astype(output.dtype)
