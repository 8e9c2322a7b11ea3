"""Checkpoints: a run that is broken off anywhere ends where it would have ended."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite import LSTM, RNN, SGD, Adam, Dense, Dropout, Sequential, fit, schedules
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.saving import CorruptFile, container, previous_path

N, T, F, B = 53, 5, 3, 10
PER_EPOCH = 6


def data(seed=0):
    x = np.random.default_rng(seed).normal(size=(N, T, F)).astype(np.float32)
    return x, (x.sum(axis=(1, 2)) > 0).astype(np.int64)


def network():
    """Everything random in it: dropout, and recurrent dropout."""
    return Sequential(
        [LSTM(F, 5, seed=0, recurrent_dropout=0.2), Dropout(0.3, seed=1), Dense(5, 2, seed=2)]
    )


def shaky(x, rng):
    return x + rng.normal(0, 0.1, x.shape).astype(np.float32)


class Break(rnnlite.Callback):
    """Ends a run after a step as an error anywhere would."""

    def __init__(self, step):
        self.at = step

    def step(self, run):
        if run.step == self.at:
            raise ZeroDivisionError


class Count(rnnlite.Callback):
    """Has something of its own to remember."""

    def __init__(self):
        self.steps = 0

    def step(self, run):
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


OPTIONS = {
    "plain": {},
    "everything": {
        "augment": shaky,
        "schedule": schedules.one_cycle(0.01, steps=3 * PER_EPOCH),
        "clip_norm": 0.5,
        "average": 0.9,
        "early_stopping": 2,
        "record_every": 4,
    },
}


def train(model, optimizer=Adam, **options):
    x, y = data()
    history = fit(
        model, x, y, optimizer=optimizer(model), epochs=3, batch_size=B, validation=data(1),
        seed=5, **options,
    )  # fmt: skip
    return {name: column for name, column in history.items() if name != "seconds"}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("step", [1, 5, 6, 7, 17])
def test_a_broken_run_ends_where_an_unbroken_one_does(tmp_path, step, options):
    whole, broken, resumed = network(), network(), network()
    counts = Count(), Count(), Count()
    wanted = train(whole, callbacks=[counts[0]], **options)
    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1}
    with pytest.raises(ZeroDivisionError):
        train(broken, callbacks=[counts[1], Break(step)], **keep, **options)
    found = train(resumed, callbacks=[counts[2], Break(0)], resume=True, **keep, **options)
    assert np.array_equal(resumed.flat_params, whole.flat_params)
    assert found == wanted
    assert counts[2].steps == counts[0].steps


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda model: Adam(model, amsgrad=True, weight_decay=0.01),
        lambda model: SGD(model, lr=0.1, momentum=0.9, nesterov=True),
    ],
    ids=["amsgrad", "nesterov"],
)
def test_the_optimizer_goes_on_with_its_moments(tmp_path, optimizer):
    whole, broken, resumed = network(), network(), network()
    train(whole, optimizer)
    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1}
    with pytest.raises(ZeroDivisionError):
        train(broken, optimizer, callbacks=[Break(8)], **keep)
    train(resumed, optimizer, callbacks=[Break(0)], resume=True, **keep)
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_batches_from_a_generator_are_passed_over(tmp_path):
    x, y = data()

    def batches(epoch):
        rng = np.random.default_rng(epoch)
        for _ in range(4):
            rows = rng.integers(0, N, B)
            yield x[rows], y[rows]

    def run(model, **options):
        fit(model, batches, epochs=3, checkpoint=tmp_path / "run.npz", **options)

    whole = network()
    fit(whole, batches, epochs=3)
    for step in (4, 6):
        with pytest.raises(ZeroDivisionError):
            run(network(), checkpoint_every=1, callbacks=[Break(step)], resume=True)
    resumed = network()
    run(resumed, callbacks=[Break(0)], resume=True)
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_a_finished_run_is_not_trained_again_and_can_be_made_longer(tmp_path):
    x, y = data()
    keep = {"checkpoint": tmp_path / "run.npz", "resume": True, "batch_size": B, "average": 0.9}
    model = network()
    first = fit(model, x, y, epochs=2, **keep)
    trained = model.flat_params.copy()
    again = network()
    second = fit(again, x, y, epochs=2, callbacks=(), **keep)
    assert second == first
    assert np.array_equal(again.flat_params, trained)
    longer, whole = network(), network()
    fit(longer, x, y, epochs=4, **keep)
    fit(whole, x, y, epochs=4, batch_size=B, average=0.9)
    assert np.array_equal(longer.flat_params, whole.flat_params)


def test_a_run_that_stopped_early_has_its_best_weights_when_resumed(tmp_path):
    options = {"early_stopping": 1, "checkpoint": tmp_path / "run.npz", "resume": True}
    model, again = network(), network()
    x, y = data()
    long = {"epochs": 60, "batch_size": B, "validation": data(1)}
    first = fit(model, x, y, optimizer=Adam(model, lr=0.5), **long, **options)
    second = fit(again, x, y, optimizer=Adam(again, lr=0.5), **long, **options)
    assert first.stopped_by == second.stopped_by == "early stopping"
    assert first == second
    assert np.array_equal(model.flat_params, again.flat_params)


class BreakAtEnd(rnnlite.Callback):
    """Ends a run between its last record and its last checkpoint."""

    def __init__(self, broken):
        self.broken = broken

    def end(self, run):
        if self.broken:
            raise ZeroDivisionError


@pytest.mark.parametrize(
    "options", [{"average": 0.9}, {"early_stopping": 1}, {"record_every": 4, "average": 0.5}]
)
def test_a_run_broken_after_its_last_step_ends_where_an_unbroken_one_does(tmp_path, options):
    def optimizer(model):
        return Adam(model, lr=0.5)

    whole, resumed = network(), network()
    wanted = train(whole, optimizer, callbacks=[BreakAtEnd(False)], **options)
    keep = {"checkpoint": tmp_path / "run.npz", **options}
    with pytest.raises(ZeroDivisionError):
        train(network(), optimizer, callbacks=[BreakAtEnd(True)], **keep)
    found = train(resumed, optimizer, callbacks=[BreakAtEnd(False)], resume=True, **keep)
    assert found == wanted
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_a_run_that_a_callback_ended_ends_there_though_it_was_broken(tmp_path):
    class Enough(BreakAtEnd):
        def record(self, run):
            run.stop("enough")

    keep = {"checkpoint": tmp_path / "run.npz"}
    with pytest.raises(ZeroDivisionError):
        train(network(), callbacks=[Enough(True)], **keep)
    assert train(network(), callbacks=[Enough(False)], resume=True, **keep)["step"] == [6]


def test_the_model_can_be_taken_out_of_a_checkpoint(tmp_path):
    model = network()
    train(model, checkpoint=tmp_path / "run.npz")
    loaded = rnnlite.load(tmp_path / "run.npz")
    assert np.array_equal(loaded.flat_params, model.flat_params)


@pytest.mark.usefixtures("listening_to_ctrl_c")
def test_ctrl_c_saves_and_returns_what_there_is(tmp_path):
    x, y = data()

    class Press(rnnlite.Callback):
        def step(self, run):
            if run.step == 8:
                signal.raise_signal(signal.SIGINT)

    whole, model = network(), network()
    train(whole, callbacks=[Break(0)])
    options = {"epochs": 3, "batch_size": B, "validation": data(1), "seed": 5}
    path = tmp_path / "run.npz"
    history = fit(model, x, y, callbacks=[Press()], checkpoint=path, **options)
    assert history.stopped_by == "interrupt"
    assert history["step"] == [6, 8]
    resumed = network()
    history = fit(resumed, x, y, callbacks=[Break(0)], checkpoint=path, resume=True, **options)
    assert history["step"] == [6, 12, 18]
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_ctrl_c_at_the_last_step_loses_nothing(tmp_path):
    class Press(rnnlite.Callback):
        def __init__(self, at):
            self.at = at

        def step(self, run):
            if run.step == self.at:
                signal.raise_signal(signal.SIGINT)

    whole, stopped, resumed = network(), network(), network()
    wanted = train(whole, callbacks=[Press(0)], average=0.9)
    keep = {"checkpoint": tmp_path / "run.npz", "average": 0.9}
    train(stopped, callbacks=[Press(18)], **keep)
    assert train(resumed, callbacks=[Press(0)], resume=True, **keep) == wanted
    assert np.array_equal(stopped.flat_params, whole.flat_params)
    assert np.array_equal(resumed.flat_params, whole.flat_params)


# What is refused.


def test_an_old_checkpoint_is_never_written_over(tmp_path):
    path = tmp_path / "run.npz"
    train(network(), checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="give resume=True to go on from it"):
        train(network(), checkpoint=path)
    assert path.read_bytes() == before


def test_a_run_that_failed_at_its_first_step_can_be_started_again(tmp_path):
    x, y = data()
    bad = x.copy()
    bad[:] = np.nan
    for _ in range(2):
        with pytest.raises(ValueError, match="x holds nan"):
            fit(network(), bad, y, checkpoint=tmp_path / "run.npz")
    fit(network(), x, y, checkpoint=tmp_path / "run.npz")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": 6}, "seed = 5; this one has 6"),
        ({"batch_size": 11}, "batch_size = 10; this one has 11"),
        ({"shuffle": False}, "shuffle = True; this one has False"),
        ({"clip_norm": 1.0}, "clip_norm = None; this one has 1.0"),
        ({"schedule": schedules.constant(0.1)}, r"schedule = None; this one has constant\(lr=0.1"),
        ({"augment": shaky}, "augment = None; this one has shaky"),
        ({"loss": "mean_squared_error"}, "loss = None; this one has mean_squared_error"),
        ({"rows": 40}, "rows = 53; this one has 40"),
        ({"model": Sequential([RNN(F, 5), Dense(5, 2)])}, "of another model"),
        ({"callbacks": [Count()]}, "a run with 0 callbacks; this one has 1"),
        ({"optimizer": SGD}, "optimizer = Adam; this one has SGD"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, options, says):
    path, (x, y) = tmp_path / "run.npz", data()
    fit(network(), x, y, batch_size=B, seed=5, checkpoint=path)
    options = {"model": network(), "batch_size": B, "seed": 5, "optimizer": Adam} | options
    model, rows = options.pop("model"), options.pop("rows", N)
    optimizer = options.pop("optimizer")(model, lr=0.001)
    if options.get("loss"):
        y = np.eye(2, dtype=np.float32)[y]
    weights, state = model.flat_params.copy(), model.params
    with pytest.raises(ValueError, match=says):
        fit(
            model, x[:rows], y[:rows], optimizer=optimizer, epochs=2, checkpoint=path,
            resume=True, **options,
        )  # fmt: skip
    assert np.array_equal(model.flat_params, weights), "nothing half loaded"
    assert optimizer.t == 0 and state is model.params


@pytest.mark.parametrize("name", ["data", "lengths", "validation", "lr"])
def test_another_run_is_known_by_its_numbers_too(tmp_path, name):
    x, y = data()
    arguments = {"x": x, "y": y, "lengths": np.full(N, T), "validation": data(1)}

    def run(lr=0.001, **change):
        model = network()
        fit(
            model, **arguments | change, optimizer=Adam(model, lr=lr), epochs=2,
            checkpoint=tmp_path / "run.npz", resume=True,
        )  # fmt: skip

    run()
    other = {
        "data": {"x": x + 1},
        "lengths": {"lengths": np.full(N, T - 1)},
        "validation": {"validation": data(2)},
        "lr": {"lr": 0.5},
    }[name]
    says = "data" if name == "lengths" else name
    with pytest.raises(ValueError, match=f"is of a run with {says} = "):
        run(**other)
    run()


def test_an_optimizer_whose_rate_changed_on_the_way_may_go_on(tmp_path):
    class Slower(rnnlite.Callback):
        def record(self, run):
            run.optimizer.lr /= 2

    x, y = data()
    model = network()
    optimizer = Adam(model, lr=0.1)
    for epochs, again in ((1, optimizer), (2, optimizer), (3, None)):
        if again is None:  # another process begins as the first did
            model = network()
            again = Adam(model, lr=0.1)
        history = fit(
            model, x, y, optimizer=again, epochs=epochs, callbacks=[Slower()],
            checkpoint=tmp_path / "run.npz", resume=True,
        )  # fmt: skip
    assert history["lr"] == [0.1, 0.05, 0.025]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda header: header.pop("finished"), "finished"),
        (lambda header: header["counters"].update(batch=-1), "batch = -1"),
        (lambda header: header["totals"].update(loss="1"), "loss = '1'"),
        (lambda header: header["history"].update(loss=[]), "history"),
        (lambda header: header["early_stopping"].update(waited=None), "early_stopping"),
    ],
)
def test_a_checkpoint_that_was_forged_is_refused(tmp_path, change, says):
    path = tmp_path / "run.npz"
    train(network(), checkpoint=path, early_stopping=2)
    _, header, arrays = container.read(path, "checkpoint")
    change(header)
    container.write(path, "checkpoint", header, arrays)
    model = network()
    weights = model.flat_params.copy()
    with pytest.raises(CorruptFile, match=says):
        train(model, checkpoint=path, early_stopping=2, resume=True)
    assert np.array_equal(model.flat_params, weights)


def test_a_checkpoint_with_the_names_of_before_goes_on(tmp_path):
    """What are counters, totals and raw weights was position, sums and live weights."""
    old = {"counters": "position", "totals": "sums", "run/raw_weights": "run/live"}
    path, whole, model = tmp_path / "run.npz", network(), network()
    for epochs, which, file in [(3, whole, {}), (2, network(), {"checkpoint": path})]:
        fit(which, *data(), epochs=epochs, batch_size=B, average=0.9, **file)
    _, header, arrays = container.read(path, "checkpoint")
    assert {"counters", "totals"} <= set(header) and "run/raw_weights" in arrays
    header, arrays = ({old.get(k, k): v for k, v in part.items()} for part in (header, arrays))
    container.write(path, "checkpoint", header, arrays)
    fit(model, *data(), epochs=3, batch_size=B, average=0.9, checkpoint=path, resume=True)
    assert np.array_equal(model.flat_params, whole.flat_params)


def test_a_callback_that_refuses_its_state_leaves_the_model_alone(tmp_path):
    class Fussy(Count):
        def load_state_dict(self, state):
            raise ZeroDivisionError

    path = tmp_path / "run.npz"
    train(network(), checkpoint=path, callbacks=[Count()])
    model = network()
    weights = model.flat_params.copy()
    with pytest.raises(ZeroDivisionError):
        train(model, checkpoint=path, callbacks=[Fussy()], resume=True)
    assert np.array_equal(model.flat_params, weights)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    train(network(), checkpoint=path)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    model = network()
    weights = model.flat_params.copy()
    with pytest.raises(CorruptFile, match=r"run\.npz"):
        train(model, checkpoint=path, resume=True)
    assert np.array_equal(model.flat_params, weights)


def test_the_one_before_is_kept_and_used_if_the_last_is_gone(tmp_path):
    path = tmp_path / "run.npz"
    model, resumed = network(), network()
    wanted = train(model, checkpoint=path)
    assert previous_path(path).exists()
    path.unlink()
    assert train(resumed, checkpoint=path, resume=True) == wanted
    assert np.array_equal(model.flat_params, resumed.flat_params)


def test_a_folder_that_is_missing_is_found_before_training(tmp_path):
    steps = []
    with pytest.raises(OSError, match="nowhere"):
        train(
            network(), checkpoint=tmp_path / "nowhere" / "run.npz",
            callbacks=lambda run: steps.append(run.step),
        )  # fmt: skip
    assert steps == []


# Killed.

SCRIPT = """
    import sys
    import numpy as np
    import rnnlite
    from rnnlite import LSTM, Dense, Dropout, Sequential, fit, schedules

    rnnlite.set_num_threads(1)
    x = np.random.default_rng(0).normal(size=(400, 5, 3)).astype(np.float32)
    y = (x.sum(axis=(1, 2)) > 0).astype(np.int64)
    model = Sequential([LSTM(3, 8, seed=0), Dropout(0.2, seed=1), Dense(8, 2, seed=2)])
    print("ready", flush=True)
    history = fit(
        model, x, y, epochs=25, batch_size=20, validation=(x[:50], y[:50]), clip_norm=1.0,
        average=0.9, schedule=schedules.one_cycle(0.01, steps=500), checkpoint=sys.argv[1],
        checkpoint_every=3, resume=True,
    )
    rnnlite.save(model, sys.argv[1] + ".done")
    print(history["step"][-1], len(history["loss"]), flush=True)
"""


def run_script(path):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def assert_same_weights(path, whole):
    killed, unbroken = rnnlite.load(f"{path}.done"), rnnlite.load(f"{whole}.done")
    assert np.array_equal(killed.flat_params, unbroken.flat_params)


@pytest.mark.skipif(JIT_DISABLED, reason="500 steps take too long without the JIT")
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.long)])
def test_killed_at_random_moments_it_ends_bit_for_bit(tmp_path, times):
    whole = tmp_path / "whole.npz"
    with run_script(whole) as process:
        assert process.stdout.readline() == "ready\n"
        began = time.perf_counter()
        out = process.stdout.read()
        seconds = time.perf_counter() - began
    assert out == "500 25\n"
    path, rng, kills = tmp_path / "killed.npz", np.random.default_rng(0), 0
    while kills < times:
        with run_script(path) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, seconds / 8))
            process.kill()
            process.communicate()
        kills += 1
        if Path(f"{path}.done").exists():  # finished before the signal came: from the beginning
            assert_same_weights(path, whole)
            for name in (f"{path}.done", path, previous_path(path)):
                Path(name).unlink()
    with run_script(path) as process:
        assert process.stdout.read() == "ready\n500 25\n"
    assert_same_weights(path, whole)
    leftovers = {p.name for p in tmp_path.iterdir() if ".done" not in p.name}
    known = {q.name for p in (path, whole) for q in (p, previous_path(p))}
    assert len(leftovers - known) <= kills, "a killed process may leave its temporary file"
