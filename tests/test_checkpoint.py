"""Checkpoints: a run that is broken off anywhere ends where it would have ended."""

import math
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits

import rnnlite
from rnnlite import LSTM, RNN, SGD, Adam, Dense, Dropout, Sequential, fit, schedules
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.saving import CorruptFile, container, previous_path
from rnnlite.saving.random_states import random_states
from rnnlite.training import checkpoint
from rnnlite.training.batches import Stream

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


@pytest.mark.quick(every=3)
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


def steps_in(path):
    """How many steps the checkpoint has."""
    return container.read(path, "checkpoint")[1]["counters"]["step"] if path.exists() else None


@pytest.mark.parametrize("options", [{}, {"record_every": 4}])
def test_checkpoints_are_written_at_the_steps_that_were_asked_for(tmp_path, options):
    path, seen = tmp_path / "run.npz", []

    class Look(rnnlite.Callback):
        """What was there before a step is what was written after the one before it."""

        def step(self, run):
            seen.append(steps_in(path))

    train(network(), checkpoint=path, checkpoint_every=5, callbacks=[Look()], **options)
    due = [s for s in range(18) if s % 5 == 0 or s % options.get("record_every", PER_EPOCH) == 0]
    assert seen == [max(s for s in due if s < step) for step in range(1, 19)]


def test_the_patience_of_early_stopping_goes_on_after_a_break(tmp_path):
    """The loss grows from the first record on, and the break is in the middle of the patience."""

    def run(model, *callbacks, **options):
        x, y = data()
        return fit(
            model, x, y, optimizer=SGD(model, lr=0.01), epochs=9, batch_size=B, early_stopping=4,
            validation=(x, 1 - y), callbacks=callbacks, **options,
        )  # fmt: skip

    keep, whole, resumed = {"checkpoint": tmp_path / "run.npz"}, network(), network()
    wanted = run(whole, Break(0))
    assert wanted["val_loss"] == sorted(wanted["val_loss"]) and len(wanted["val_loss"]) == 5
    with pytest.raises(ZeroDivisionError):
        run(network(), Break(3 * PER_EPOCH + 1), **keep)
    found = run(resumed, Break(0), resume=True, **keep)
    assert found["val_loss"] == wanted["val_loss"] and found.stopped_by == "early stopping"
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_a_further_call_that_is_broken_sees_its_own_order_again(tmp_path):
    """The order depends on the steps of the optimizer, and these on the calls before."""

    def run(broken, **options):
        model, (x, y) = network(), data()
        optimizer = Adam(model)
        fit(model, x, y, optimizer=optimizer, batch_size=B)
        before = model.flat_params.copy(), optimizer.state_dict()
        options |= {"optimizer": optimizer, "epochs": 3, "batch_size": B, "augment": shaky}
        if broken:
            with pytest.raises(ZeroDivisionError):
                fit(model, x, y, callbacks=[Break(9)], checkpoint_every=1, **options)
            model.flat_params[...] = before[0]
            optimizer.load_state_dict(before[1])
            options["resume"] = True
        fit(model, x, y, callbacks=[Break(0)], **options)
        return model.flat_params

    assert np.array_equal(run(True, checkpoint=tmp_path / "run.npz"), run(False))


def test_a_loss_below_zero_goes_on(tmp_path):
    """A loss of one's own may be a log-likelihood."""

    def likelihood(output, y):
        loss, d = rnnlite.softmax_cross_entropy(output, y)
        return loss - 10.0, d

    keep = {"loss": likelihood, "checkpoint": tmp_path / "run.npz", "checkpoint_every": 1}
    whole, resumed = network(), network()
    wanted = train(whole, loss=likelihood, callbacks=[Break(0)])
    with pytest.raises(ZeroDivisionError):
        train(network(), callbacks=[Break(9)], **keep)
    assert train(resumed, callbacks=[Break(0)], resume=True, **keep) == wanted
    assert np.array_equal(resumed.flat_params, whole.flat_params)


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
    assert steps_in(path) == 8, "saved at Ctrl-C, not at the last record"
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


def leaves(value, *place):
    """Every place in a header, with what stands there."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, key), part
            yield from leaves(part, *place, key)


def put(header, place, value):
    """The header with something else at a place."""
    if not place:
        return value
    copy = header.copy()
    copy[place[0]] = put(copy[place[0]], place[1:], value)
    return copy


ODD = ("x", None, True, -1, 0.5, 10**40, 10**400, math.nan, math.inf, [], {})


class Capture(Count):
    """Hands out the run that it is called with."""

    def begin(self, run):
        self.run = run
        raise ZeroDivisionError


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A run that was broken in its third epoch, to be resumed: with its header and arrays."""
    path, capture = tmp_path_factory.mktemp("broken") / "run.npz", Capture()
    options = {"early_stopping": 2, "average": 0.9, "checkpoint": path}
    for callbacks in [Count(), Break(15)], [capture, Break(0)]:
        with pytest.raises(ZeroDivisionError):
            train(network(), checkpoint_every=1, callbacks=callbacks, resume=True, **options)
    return capture.run, *checkpoint._read(path)  # its history in the header, as it once was


@pytest.fixture
def resume(broken, monkeypatch):
    """Load another header or other arrays into that run; nothing changes if that fails."""
    run, header, arrays = broken

    def call(header=header, arrays=arrays):
        monkeypatch.setattr(container, "read", lambda *_: ("checkpoint", header, arrays))
        run.model.flat_params[...], run.optimizer.t, run.settings.callbacks[0].steps = 7.0, 0, 0
        run.model.layers[0].draw_masks_from(0)
        states = repr(random_states(run.model))
        try:
            checkpoint.load(run, "run.npz", "fit")
        except ValueError:
            assert (run.model.flat_params == 7.0).all(), "nothing half loaded"
            assert run.optimizer.t == run.settings.callbacks[0].steps == 0
            assert repr(random_states(run.model)) == states
            raise

    return call


def test_the_history_is_arrays_and_takes_no_room_in_the_header(tmp_path):
    path, whole = tmp_path / "run.npz", network()
    options = {"checkpoint": path, "record_every": 1}
    with pytest.raises(ZeroDivisionError):
        train(network(), callbacks=[Count(), Break(9)], **options)
    _, header, arrays = container.read(path, "checkpoint")
    names = header["history"]
    columns = {name: arrays.pop(f"history/{name}").tolist() for name in names}
    assert names[:3] == ["epoch", "step", "loss"] and len(columns["loss"]) == 8
    assert {type(number) for number in columns["step"]} == {int}
    # In files of before it was in the header.
    container.write(path, "checkpoint", header | {"history": columns}, arrays)
    resumed = network()
    history = train(resumed, callbacks=[Count(), Break(0)], resume=True, **options)
    expected = train(whole, callbacks=[Count()], record_every=1)
    assert_same_bits("weights", resumed.flat_params, whole.flat_params)
    assert history == expected


@pytest.mark.parametrize("name", ["loss", "epoch"])
@pytest.mark.parametrize(
    "column", [None, np.ones((2, 1)), np.zeros(0), np.ones(2, bool)], ids=range(4)
)
def test_a_column_of_the_history_that_is_none_is_refused(broken, resume, name, column):
    _, header, arrays = broken
    arrays = {key: array for key, array in arrays.items() if key != f"history/{name}"}
    arrays |= {} if column is None else {f"history/{name}": column}
    header = header | {"history": list(header["history"])}
    assert_refused(CorruptFile, [f"history.{name}"], resume, header, arrays)


def test_every_field_of_a_checkpoint_is_checked_and_named(broken, resume):
    _, header, _ = broken
    for place, was in leaves(header):
        if place[:1] == ("callbacks",) and len(place) > 1:
            continue  # a callback's own
        if "generator" in place[:-1]:
            continue  # how a generator's state is checked is a question for files of models
        for value in ODD:
            which = f"{'.'.join(map(str, place))} = {value!r:.50}"
            try:
                resume(put(header, place, value))
            except CorruptFile as error:
                assert any(str(part) in str(error) for part in place), f"{which}: {error}"
            except ValueError as error:
                assert re.search("of a run with|of another model", str(error)), f"{which}: {error}"
            else:
                same = value == was or type(value) is type(was)
                assert same or (place, value) == (("reason",), "x"), f"{which} was accepted"


def test_a_name_that_is_missing_or_unknown_is_refused_in_every_part_of_a_header(broken, resume):
    _, header, _ = broken
    parts = [((), header), *leaves(header)]
    parts = [(place, part) for place, part in parts if isinstance(part, dict)]
    # A callback's is its own; what is in a model is a question for files of models.
    parts = [(place, part) for place, part in parts if place[:1] != ("callbacks",)]
    parts = [(place, part) for place, part in parts if place[:1] != ("model",) or len(place) < 2]
    assert len(parts) == 9
    for place, part in parts:
        # What a file of before may lack: a setting that was not given, two of the numbers.
        names = [name for name in part if place != ("settings",) or part[name] is not None]
        names = [name for name in names if name not in ("taken", "answers")]
        names = [name for name in names if not name.endswith("accuracy")]  # of some losses alone
        changed = [{k: v for k, v in part.items() if k != name} for name in names]
        for other in [*changed, part | {"odd": 1.0}]:
            which = f"{'.'.join(map(str, place))} = {other!r:.200}"
            try:
                resume(put(header, place, other))
            except ValueError as error:
                is_known = isinstance(error, CorruptFile) or "of a" in str(error)
                assert is_known, f"{which}: {error}"
            else:
                raise AssertionError(f"{which} was accepted")


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("counters.batch", 6, "counters.batch is above 5"),
        ("counters.step", 15, "counters.step is 15; wanted 14, after 2 epochs of 6 batches and 2"),
        ("counters.epoch", 1, "counters.step is 14; wanted 8"),
        ("counters.sequences", 7, "counters.sequences is 7; wanted 126"),
        ("totals.steps", 3, "totals.steps is 3; wanted 2, since the last record"),
        ("totals.norm", -1.0, "totals.norm is -1.0"),
        ("history.step", [6, 6], r"history.step\[1\] is 6; it must be at least 7"),
        ("history.step", [6, 15], r"history.step\[1\] is above 14"),
        ("history.epoch", [2, 1], r"history.epoch\[1\] is 1; it must be at least 2"),
        ("history.seconds", [2.0, 1.0], r"history.seconds\[1\] is 1.0"),
        ("history.accuracy", [0.5, 1.5], r"history.accuracy\[1\] is 1.5; it must lie in"),
        ("history.loss", [0.5], r"history.loss is \[0.5\]; wanted a list, not empty, as long as"),
        ("history.mine", [1, 2], "history is .* wanted columns epoch, step, loss"),
        ("early_stopping.best", 0.123, "early_stopping.best is 0.123; wanted a figure of the hist"),
        ("early_stopping.waited", 3, "early_stopping.waited is above 2"),
        ("finished", True, "finished is True and run/raw_weights is missing"),
        ("settings.seed", [5], r"settings.seed is \[5\]; wanted text or a number"),
        ("optimizer.beta1", 1.0, "beta1 is 1.0; it must lie in"),
        ("callbacks", [{"steps": 1}, "x"], "callbacks is .* wanted a list of dicts"),
        ("began_with.lr", "x", "began_with: lr is 'x'"),
    ],
)
def test_the_numbers_of_a_checkpoint_fit_together(broken, resume, place, value, says):
    _, header, _ = broken
    *rooms, last = place.split(".")
    inner = header
    for room in rooms:
        inner = inner[room]
    with pytest.raises(CorruptFile, match=says):
        resume(put(header, rooms, inner | {last: value}))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("epoch", 10, "run.npz: counters.epoch is above 9"),
        ("batch", 10, "run.npz: counters.batch is above 9"),
        ("sequences", 8, "run.npz: counters.sequences is 8; it must be at least 9"),
    ],
)
def test_the_counters_of_batches_from_elsewhere_fit_together(name, value, says):
    counters = {"epoch": 2, "batch": 3, "step": 9, "sequences": 9, "seconds": 1.0, "taken": 6}
    stream = Stream("fit", [])
    assert checkpoint.fields.counters("run.npz", counters, stream).sequences == 9
    with pytest.raises(ValueError, match=says):
        checkpoint.fields.counters("run.npz", counters | {name: value}, stream)


@pytest.mark.parametrize("name", ["run/averaged", "run/best", "optimizer/m.2.W", "params/2.W"])
def test_an_array_of_a_checkpoint_that_is_missing_or_of_another_shape_is_named(
    broken, resume, name
):
    _, _, arrays = broken
    short = name.rpartition("/")[2]
    with pytest.raises(CorruptFile, match=short):
        resume(arrays={key: array for key, array in arrays.items() if key != name})
    with pytest.raises(CorruptFile, match=short):
        resume(arrays=arrays | {name: arrays[name][:-1]})


def test_a_stream_that_became_shorter_is_refused(tmp_path):
    x, y = data()
    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1, "resume": True}
    with pytest.raises(ZeroDivisionError):
        fit(network(), [(x, y)] * 4, callbacks=[Break(4)], **keep)
    with pytest.raises(ValueError, match="x has 2 batches in epoch 1; the run had 3 of it before"):
        fit(network(), [(x, y)] * 2, callbacks=[Break(0)], **keep)


def test_a_stream_may_be_broken_between_the_last_batch_of_an_epoch_and_its_end(tmp_path):
    x, y = data()
    whole, resumed = network(), network()
    wanted = fit(whole, [(x, y)] * 3, epochs=2, callbacks=[Break(0)])

    def broken(epoch):
        yield from [(x, y)] * 3
        raise ZeroDivisionError

    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1, "resume": True}
    with pytest.raises(ZeroDivisionError):
        fit(network(), broken, callbacks=[Break(0)], **keep)
    found = fit(resumed, [(x, y)] * 3, epochs=2, callbacks=[Break(0)], **keep)
    assert found["loss"] == wanted["loss"]
    assert np.array_equal(resumed.flat_params, whole.flat_params)


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


@pytest.mark.long
@pytest.mark.skipif(JIT_DISABLED, reason="500 steps take too long without the JIT")
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.by_hand)])
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
