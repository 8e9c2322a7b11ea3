"""What fuzzing has found: each of these once ended in an error that did not say who or what."""

import numpy as np
import pytest
from conftest import assert_refused

import rnnlite
from rnnlite import LSTM, SGD, Adam, Dense, fit, gradcheck, schedules
from rnnlite.datasets import random_affine

RAGGED = [[1], [1, 2]]
HUGE = 10**400


def data():
    return np.ones((6, 4, 3), np.float32), np.array([0, 1, 0, 1, 0, 1])


def network():
    return rnnlite.Sequential([rnnlite.RNN(3, 4, seed=0), Dense(4, 2, seed=1)])


def state_with(key):
    return SGD(Dense(1, 1), 0.1).state_dict() | {key: 1, "x": 2}


FOUND = {
    "a number beyond floats": (ValueError, "SGD: lr is 1000", lambda: SGD(Dense(1, 1), HUGE)),
    "a step beyond floats": (
        ValueError, "cosine: step is above", lambda: schedules.cosine(0.1, 9)(HUGE)),
    "a dtype that NumPy reads as fields": (
        ValueError, "Dense: dtype is ','", lambda: Dense(1, 1, dtype=",")),
    "a layer that no memory holds": (
        ValueError, "LSTM: these sizes make", lambda: LSTM(2**40, 3)),
    "an array without axes for a list": (
        TypeError, "Sequential: layers is array('a'", lambda: rnnlite.Sequential(np.array("a"))),
    "an array without axes for batches": (
        TypeError, "fit: x(0) returned array(2)",
        lambda: fit(network(), lambda epoch: np.array(2))),
    "labels of no size": (
        ValueError, "fit: y has shape (6, 0)",
        lambda: fit(network(), data()[0], np.zeros((6, 0), np.int64))),
    "a loss of a check that cannot be called": (
        TypeError, "check: loss is True", lambda: gradcheck.check(Dense(1, 1), [[1.0]], loss=True)),
    "ragged lengths": (
        ValueError, "layer 0, RNN: lengths is not an array",
        lambda: network().forward(data()[0], lengths=RAGGED)),
    "a ragged mask": (
        ValueError, "mean_squared_error: mask is not an array",
        lambda: rnnlite.mean_squared_error([[1.0]], [[1.0]], mask=RAGGED)),
    "keys that cannot be sorted": (
        ValueError, "has unknown [3, 'x']",
        lambda: SGD(Dense(1, 1), 0.1).load_state_dict(state_with(3))),
    "no rows": (
        ValueError, "he_normal: rows is 0",
        lambda: rnnlite.initializers.he_normal(np.random.default_rng(0), 0, 3)),
    "no generator": (
        TypeError, "random_affine: rng is None",
        lambda: random_affine(np.ones((1, 2, 2)), None)),
    "a seed of a check": (
        TypeError, "check: seed is 'a'", lambda: gradcheck.check(Dense(1, 1), [[1.0]], seed="a")),
    "no cell": (
        TypeError, "check_equations: cell is None", lambda: gradcheck.check_equations(None)),
    "more classes than memory": (
        ValueError, "confusion_matrix: classes is above",
        lambda: rnnlite.confusion_matrix([2**40], [0])),
    "names that are none": (
        TypeError, "confusion_matrix: names is 5",
        lambda: rnnlite.confusion_matrix([0], [0], names=5)),
    "a loss that returns no pair": (
        TypeError, "returned None; wanted (loss, doutput)",
        lambda: fit(network(), *data(), loss=lambda o, y: None)),
    "a loss that is no number": (
        TypeError, "fit: the loss is 'a'",
        lambda: fit(network(), *data(), loss=lambda o, y: ("a", o))),
    "augment that loses rows": (
        ValueError, "fit: augment returned shape (1, 4, 3)",
        lambda: fit(network(), *data(), augment=lambda x, rng: x[:1])),
    "progress that is neither": (
        TypeError, "fit: progress is array", lambda: fit(network(), *data(), progress=np.ones(2))),
    "a checkpoint without a name": (
        ValueError, "fit: checkpoint is ''", lambda: fit(network(), *data(), checkpoint="")),
    "no names of gates": (
        TypeError, "custom_cell: states is None",
        lambda: rnnlite.custom_cell(
            "a", data, data, gates=["h"], saved=["h"], states=None, compiled=False)),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_it_is_refused_by_name(what):
    error, fragment, call = FOUND[what]
    assert_refused(error, [fragment], call)


def test_a_batch_may_be_larger_than_any_memory():
    history = fit(network(), *data(), batch_size=2**40)
    assert history["step"] == [1]


def test_classes_may_be_of_any_kind_of_whole_numbers():
    labels = np.array([0, 1, 1], np.uint64)
    matrix = rnnlite.confusion_matrix(labels, labels)
    assert matrix.counts.tolist() == [[1, 0], [0, 2]]


def test_a_refused_state_changes_nothing():
    optimizer = Adam(Dense(1, 1), lr=0.5)
    assert_refused(ValueError, ["Adam.load_state_dict: t is above"], optimizer.load_state_dict,
                   optimizer.state_dict() | {"t": HUGE})  # fmt: skip
    assert optimizer.t == 0
