"""The gradient check refuses every mistake planted in what ``backward`` returns."""

import numpy as np
import pytest
from gradchecked import H, I, T, X, check, multiply, spoilt, wrong_arrays

from rnnlite import GRU, LSTM, RNN, Dense, Sequential
from rnnlite.layers import Bidirectional, Embedding


def untouched(layer, dx):
    return dx


LAYERS = {
    "lstm": (LSTM, ("Wx", "Wh", "b", "x")),
    "rnn": (RNN, ("Wx", "Wh", "b", "x")),
    "gru": (GRU, ("Wx", "Wh", "b", "bh", "x")),
    "dense": (Dense, ("W", "b", "x")),
}
ARRAYS = [(base, name) for base, names in LAYERS.values() for name in names]
array_ids = [f"{layer}-{name}" for layer, (_, names) in LAYERS.items() for name in names]
FACTORS = {"missing": 0.0, "sign turned": -1.0, "1% off": 1.01, "0.1% off": 1.001, "NaN": np.nan}
every_factor = pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS.keys())


@pytest.mark.quick(every=3)
@every_factor
@pytest.mark.parametrize(("base", "name"), ARRAYS, ids=array_ids)
def test_a_spoilt_gradient_is_caught_and_named(base, name, factor):
    layer = spoilt(base, multiply(name, factor))(I, H, seed=0)
    report = check(layer, X)
    assert not report.passed and wrong_arrays(report) == {name}


@pytest.mark.parametrize(("base", "name"), ARRAYS, ids=array_ids)
def test_the_spoiling_itself_is_not_what_fails(base, name):
    assert check(spoilt(base, multiply(name, 1.0))(I, H, seed=0), X).passed


@every_factor
@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_spoilt_gradient_of_the_initial_hidden_state_is_caught(base, factor):
    def of_state(state):
        return (factor * state[0], *state[1:]) if isinstance(state, tuple) else factor * state

    report = check(spoilt(base, untouched, of_state)(I, H, seed=0), X)
    assert not report.passed and wrong_arrays(report) == {"h0"}


@every_factor
def test_a_spoilt_gradient_of_the_initial_cell_state_is_caught(factor):
    layer = spoilt(LSTM, untouched, lambda state: (state[0], factor * state[1]))(I, H, seed=0)
    report = check(layer, X)
    assert not report.passed and wrong_arrays(report) == {"c0"}


@every_factor
def test_a_spoilt_gradient_of_an_embedding_is_caught(factor):
    layer = spoilt(Embedding, multiply("W", factor))(5, 2, seed=0)
    report = check(layer, np.array([[1, 4, 1], [0, 2, 2]]))
    assert not report.passed and wrong_arrays(report) == {"W"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
@pytest.mark.parametrize("t", range(T))
def test_one_skipped_step_of_dx_is_caught(base, t):
    def spoil(layer, dx):
        dx[:, t] = 0.0
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"x"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_transposed_weight_gradient_is_caught(base):
    def spoil(layer, dx):
        for gate in np.split(layer.grads["Wh"], len(layer.cell.gates), axis=1):
            gate[...] = gate.T.copy()
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"Wh"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
@pytest.mark.parametrize("factor", [1.01, 1.001])
def test_one_number_a_little_off_is_caught_where_it_is(base, factor):
    def spoil(layer, dx):
        largest = np.unravel_index(np.abs(layer.grads["Wh"]).argmax(), layer.grads["Wh"].shape)
        layer.grads["Wh"][largest] *= factor
        spoil.place = tuple(map(int, largest))
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"Wh"}
    (wrong,) = [a for a in report.arrays if a.name == "Wh"]
    assert wrong.worst == spoil.place
    assert wrong.relative_error == pytest.approx(factor - 1.0, rel=0.05)
    assert wrong.analytic / wrong.numeric == pytest.approx(factor, rel=1e-5)


def test_swapped_gates_are_caught():
    def spoil(layer, dx):
        i, f, g, o = np.split(layer.grads["b"].copy(), 4)
        layer.grads["b"][...] = np.concatenate([f, i, g, o])
        return dx

    assert wrong_arrays(check(spoilt(LSTM, spoil)(I, H, seed=0), X)) == {"b"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_gradient_from_the_padding_is_caught(base):
    def spoil(layer, dx):
        dx[1, 2:] = 1e-3
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X, lengths=[4, 2])
    assert wrong_arrays(report) == {"x"}


@pytest.mark.parametrize("name", ["0.Wx", "0.Wh", "0.b", "1.W", "1.b", "x"])
@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_a_layer_of_a_stack_is_caught(name, factor):
    # Each layer spoils its own gradients; the first one's dx is the model's.
    position, _, own = name.partition(".")
    first = multiply(own or "x", factor) if position in "0x" else untouched
    second = multiply(own, factor) if position == "1" else untouched
    model = Sequential(
        [spoilt(LSTM, first)(I, H, seed=0), spoilt(Dense, second)(H, 3, seed=1)]
    )  # fmt: skip
    assert wrong_arrays(check(model, X, labels=[0, 2])) == {name}


@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_ones_own_subclass_of_sequential_is_caught(factor):
    Wrong = spoilt(Sequential, multiply("0.Wh", factor))
    report = check(Wrong([LSTM(I, H, seed=0), Dense(H, 3, seed=1)]), X)
    assert wrong_arrays(report) == {"0.Wh"}


@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_ones_own_subclass_of_bidirectional_is_caught(factor):
    Wrong = spoilt(Bidirectional, multiply("backward.Wh", factor))
    report = check(Wrong(LSTM(I, H, seed=0), seed=1), X)
    assert wrong_arrays(report) == {"backward.Wh"}


@pytest.mark.parametrize("base", [LSTM, RNN])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_number_that_is_not_finite_fails(base, value):
    def spoil(layer, dx):
        layer.grads["Wx"][1, 1] = value
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
    assert not report.passed and wrong_arrays(report) == {"Wx"}
    assert "FAILED" in str(report)


def test_a_network_that_computes_nan_fails():
    layer = LSTM(I, H, seed=0)
    layer.params["Wh"][0, 0] = np.nan
    report = check(layer, X)
    assert not report.passed and np.isnan(report.max_relative_error)


def test_samples_find_a_mistake_that_is_everywhere():
    layer = spoilt(LSTM, multiply("Wx", 1.001))(I, H, seed=0)
    assert wrong_arrays(check(layer, X, samples=1)) == {"Wx"}


def test_tolerance_is_the_line_between_right_and_wrong():
    layer = spoilt(LSTM, multiply("Wx", 1.001))(I, H, seed=0)
    assert check(layer, X, tolerance=2e-3).passed
    assert not check(layer, X, tolerance=5e-4).passed
