"""The state of an optimizer, as a checkpoint keeps it: a resumed run has the same bits."""

import io

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from optimizer_cases import (
    OPTIMIZERS,
    every_optimizer,
    flat_model,
    gradients_of,
    plain_model,
    run,
    start,
)

from rnnlite.optim import SGD, Adam


@every_optimizer
@pytest.mark.parametrize(("make", "file"), [(flat_model, False), (plain_model, True)])
def test_a_resumed_run_has_the_same_bits(name, make, file):
    kind, arguments, _, _ = OPTIMIZERS[name]
    model = make()
    start(model)
    optimizer = kind(model, **arguments)
    run(optimizer, model, gradients_of()[:7])
    optimizer.lr = 0.003
    state = optimizer.state_dict()
    params = {key: p.copy() for key, p in model.params.items()}
    expected = run(optimizer, model, gradients_of()[7:])

    if file:
        buffer = io.BytesIO()
        np.savez(buffer, **state)
        buffer.seek(0)
        with np.load(buffer) as saved:
            state = dict(saved)
    other = make()
    resumed = kind(other, **arguments)
    resumed.load_state_dict(state)
    for key, p in other.params.items():
        p[...] = params[key]
    assert (resumed.t, resumed.lr) == (7, 0.003)
    trail = run(resumed, other, gradients_of()[7:])
    for key, steps in trail.items():
        assert_same_bits(key, np.array(steps), np.array(expected[key]))


def test_a_state_is_a_copy_of_numbers_and_arrays():
    model = flat_model()
    optimizer = Adam(model, weight_decay=0.1, amsgrad=True)
    model.flat_grads[...] = 1.0
    optimizer.step()
    state = optimizer.state_dict()
    names = [f"{moment}.{name}" for moment in ("m", "v", "highest") for name in model.params]
    settings = ["t", "lr", "beta1", "beta2", "eps", "weight_decay", "decay_bias"]
    assert sorted(state) == sorted(settings + names)
    for name in names:
        assert state[name].shape == model.params[name.partition(".")[2]].shape
        assert state[name].dtype == np.float64
    before = state["m.1.W"].copy()
    optimizer.step()
    assert_same_bits("m.1.W", state["m.1.W"], before)
    other = Adam(flat_model(), amsgrad=True)
    other.load_state_dict(state)
    state["m.1.W"][...] = 7.0
    assert_same_bits("m.1.W", other.state_dict()["m.1.W"], before)
    assert other.weight_decay == 0.1
    assert sorted(SGD(model, 0.1).state_dict()) == sorted(
        ["t", "lr", "momentum", "nesterov", "weight_decay"]
    )


@pytest.mark.parametrize(
    ("change", "error", "fragments"),
    [
        ({"m.W": np.zeros((4, 3))}, ValueError, ["m.W has shape (4, 3)", "(3, 4)"]),
        ({"v.b": np.zeros(())}, ValueError, ["v.b has shape ()", "(4,)"]),
        ({"v.b": ["a"] * 4}, TypeError, ["v.b holds", "real numbers"]),
        ({"t": -1}, ValueError, ["t is -1", "at least 0"]),
        ({"t": 1.5}, TypeError, ["t is 1.5", "whole number"]),
        ({"t": np.zeros(2, int)}, TypeError, ["t is array", "whole number"]),
        ({"lr": -1.0}, ValueError, ["lr is -1.0"]),
        ({"beta1": 1.0}, ValueError, ["beta1 is 1.0", "[0.0, 1.0)"]),
        ({"decay_bias": 2}, TypeError, ["decay_bias is 2", "True or False"]),
        ({"highest.W": np.zeros((3, 4))}, ValueError, ["has unknown ['highest.W']"]),
        ({"m.W": None}, ValueError, ["lacks ['m.W']"]),
    ],
)
def test_a_wrong_state_is_explained_and_changes_nothing(change, error, fragments):
    model = plain_model()
    optimizer = Adam(model)
    model.grads["W"][...] = 1.0
    optimizer.step()
    before = optimizer.state_dict()
    wrong = {key: np.ones_like(value) for key, value in before.items()}
    wrong |= {"t": 5, "decay_bias": True, "lr": 0.5, "beta1": 0.5, "beta2": 0.5} | change
    wrong = {key: value for key, value in wrong.items() if value is not None}
    assert_refused(error, ["Adam.load_state_dict: ", *fragments], optimizer.load_state_dict, wrong)
    after = optimizer.state_dict()
    for key, value in before.items():
        assert_same_bits(key, after[key], value)
    assert_refused(TypeError, ["state is of type list", "a dict"], optimizer.load_state_dict, [])


def test_a_state_of_another_optimizer_is_refused():
    model = plain_model()
    states = {
        "adam": Adam(model),
        "amsgrad": Adam(model, amsgrad=True),
        "sgd": SGD(model, 0.1),
        "momentum": SGD(model, 0.1, 0.9),
    }
    for name, optimizer in states.items():
        for other_name, other in states.items():
            if name != other_name:
                fragments = ["state lacks", "has unknown", "wanted what state_dict returns"]
                assert_refused(ValueError, fragments, optimizer.load_state_dict, other.state_dict())
