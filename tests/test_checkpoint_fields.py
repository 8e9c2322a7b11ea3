"""Every field and every array of a checkpoint is checked, and named if it is wrong."""

import math
import re

import numpy as np
import pytest
from broken_runs import Break, Count, network, train
from conftest import assert_refused, assert_same_bits

from rnnlite.saving import CorruptFile, container
from rnnlite.saving.random_states import random_states
from rnnlite.training import checkpoint
from rnnlite.training.batches import Stream


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
