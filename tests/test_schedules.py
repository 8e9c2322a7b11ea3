"""Step size schedules: worked values, PyTorch's schedulers, and being plain values."""

import math
import pickle

import numpy as np
import pytest
from conftest import assert_close, assert_refused

from rnnlite.layers import Dense
from rnnlite.optim import Adam
from rnnlite.optim.schedules import constant, cosine, one_cycle, step_decay, warm_up

SCHEDULES = [
    constant(0.1),
    step_decay(0.8, 10, 0.5),
    cosine(0.1, 50, end=0.01),
    one_cycle(0.1, 60),
    one_cycle(0.1, 60, 0.4, 0.1, 0.01),
    warm_up(step_decay(0.8, 10, 0.5), 5),
    warm_up(warm_up(constant(1), 3), 3),
]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


def values(schedule, steps):
    return [schedule(step) for step in range(steps)]


def test_worked_values():
    assert values(constant(0.1), 3) == [0.1, 0.1, 0.1]
    assert values(step_decay(0.8, 2, 0.5), 6) == [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    half = math.sqrt(0.5)
    expected = [1.0, (1 + half) / 2, 0.5, (1 - half) / 2, 0.0, 0.0, 0.0]
    assert_close("cosine", values(cosine(1.0, 4), 7), expected, 1e-15)
    expected = [0.2, 0.2 + 0.8 * 0.5, 1.0, 0.05 + 0.95 * 0.75, 0.05 + 0.95 * 0.25, 0.05, 0.05]
    cycle = one_cycle(1.0, 6, warmup=0.5, start_factor=0.2, end_factor=0.25)
    assert_close("one_cycle", values(cycle, 7), expected, 1e-15)
    assert values(warm_up(step_decay(0.8, 2, 0.5), 4), 8) == pytest.approx(
        [0.0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4], abs=1e-15
    )


def test_one_cycle_has_its_top_and_its_ends_where_it_says():
    schedule = one_cycle(0.5, 100)
    lr = values(schedule, 130)
    assert lr[0] == 0.5 / 25
    assert np.argmax(lr) == 29
    assert lr[29] == 0.5
    assert_close("end", lr[99], 0.5 / 25 / 1e4, 1e-12)
    assert set(lr[99:]) == {lr[99]}
    assert all(np.diff(lr[:30]) > 0)
    assert all(np.diff(lr[29:100]) < 0)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
@pytest.mark.parametrize("warmup", [0.0, 0.2, 1 / 3, 0.5, 1.0])
def test_a_short_cycle_stays_between_its_ends(steps, warmup):
    lr = values(one_cycle(1.0, steps, warmup), steps + 2)
    assert all(1 / 25e4 - 1e-18 <= value <= 1.0 for value in lr)


@pytest.mark.parametrize(
    ("schedule", "name", "arguments"),
    [
        (step_decay(0.1, 7, 0.3), "StepLR", {"step_size": 7, "gamma": 0.3}),
        (cosine(0.1, 60, 0.01), "CosineAnnealingLR", {"T_max": 60, "eta_min": 0.01}),
        (one_cycle(0.1, 60), "OneCycleLR", {"max_lr": 0.1, "total_steps": 60}),
        (one_cycle(0.1, 61, 0.25), "OneCycleLR",
         {"max_lr": 0.1, "total_steps": 61, "pct_start": 0.25}),
        (one_cycle(2.0, 60, 0.1, 0.5, 0.1), "OneCycleLR",
         {"max_lr": 2.0, "total_steps": 60, "pct_start": 0.1, "div_factor": 2,
          "final_div_factor": 10}),
        (one_cycle(1.0, 3), "OneCycleLR", {"max_lr": 1.0, "total_steps": 3}),
    ],
    ids=repr,
)  # fmt: skip
def test_schedules_are_those_of_pytorch(schedule, name, arguments):
    torch = pytest.importorskip("torch", reason="compares with torch.optim.lr_scheduler")
    steps = arguments.get("total_steps", 60)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=schedule.lr)
    theirs = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
    for step in range(steps):
        assert_close(f"lr at {step}", schedule(step), theirs.get_last_lr()[0], 1e-12)
        optimizer.step()
        if step < steps - 1:
            theirs.step()


def test_warm_up_goes_in_a_straight_line_to_where_the_other_begins():
    later = cosine(0.3, 20)
    lr = values(warm_up(later, 10), 40)
    assert_close("warm-up", lr[:10], 0.03 * np.arange(10), 1e-15)
    assert lr[10:] == values(later, 30)


def test_any_function_can_be_warmed_up():
    assert values(warm_up(lambda step: 1.0 / (1 + step), 2), 4) == [0.0, 0.5, 1.0, 0.5]


@every_schedule
def test_a_schedule_is_a_plain_value(schedule):
    import rnnlite.optim.schedules as names

    steps = [50, 3, 0, 100, 7, 3]
    assert [schedule(step) for step in steps] == [schedule(step) for step in steps]  # no memory
    assert all(type(schedule(step)) is float for step in steps)
    again = eval(repr(schedule), vars(names))
    for twin in (again, pickle.loads(pickle.dumps(schedule))):
        assert twin == schedule
        assert twin is not schedule
        assert hash(twin) == hash(schedule)
    assert sum(other == schedule for other in SCHEDULES) == 1
    assert schedule(np.int64(3)) == schedule(3)
    with pytest.raises(AttributeError):
        schedule.lr = 1.0


def test_whole_numbers_are_as_good_as_floats():
    assert constant(1) == constant(1.0)
    assert repr(constant(np.float64(1))) == "constant(lr=1.0)"
    assert repr(cosine(1, np.int64(5))) == "cosine(lr=1.0, steps=5, end=0.0)"


def test_an_optimizer_takes_its_step_size_from_a_schedule():
    dense = Dense(1, 1, seed=0, dtype="float64")
    optimizer = Adam(dense, lr=1.0, beta1=0.0, beta2=0.0, eps=0.0)  # steps of exactly lr
    schedule = warm_up(step_decay(0.4, 1, 0.5), 2)
    moved = []
    for _ in range(5):
        before = dense.params["W"].item()
        dense.grads["W"][...] = -3.0
        dense.grads["b"][...] = 1.0
        optimizer.lr = schedule(optimizer.t)
        optimizer.step()
        moved.append(dense.params["W"].item() - before)
    assert_close("moved", moved, [0.0, 0.2, 0.4, 0.2, 0.1], 1e-14)


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: constant(-1), ValueError, ["constant: lr is -1"]),
        (lambda: constant("1"), TypeError, ["constant: lr is '1'", "a number"]),
        (lambda: constant(math.nan), ValueError, ["constant: lr is nan"]),
        (lambda: step_decay(0.1, 0, 0.5), ValueError, ["step_decay: every is 0", "at least 1"]),
        (lambda: step_decay(0.1, 1.5, 0.5), TypeError, ["step_decay: every is 1.5", "whole"]),
        (lambda: step_decay(0.1, 1, 1.5), ValueError, ["step_decay: factor is 1.5", "[0.0, 1.0]"]),
        (lambda: cosine(0.1, 0), ValueError, ["cosine: steps is 0"]),
        (lambda: cosine(0.1, 5, -1), ValueError, ["cosine: end is -1"]),
        (lambda: one_cycle(0.1, True), TypeError, ["one_cycle: steps is True"]),
        (lambda: one_cycle(0.1, 5, warmup=1.1), ValueError, ["one_cycle: warmup is 1.1"]),
        (lambda: one_cycle(0.1, 5, start_factor=2), ValueError, ["one_cycle: start_factor is 2"]),
        (lambda: one_cycle(0.1, 5, end_factor=-1), ValueError, ["one_cycle: end_factor is -1"]),
        (lambda: warm_up(0.1, 5), TypeError, ["warm_up: schedule is 0.1", "callable"]),
        (lambda: warm_up(constant(1), 0), ValueError, ["warm_up: steps is 0"]),
    ],
)
def test_wrong_arguments_are_explained(make, error, fragments):
    assert_refused(error, fragments, make)


@every_schedule
def test_a_wrong_step_is_explained(schedule):
    where = type(schedule).__name__
    assert_refused(ValueError, [f"{where}: step is -1", "at least 0"], schedule, -1)
    assert_refused(TypeError, [f"{where}: step is 1.5", "whole number"], schedule, 1.5)
