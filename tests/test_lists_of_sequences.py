"""Lists of sequences of different length are taken wherever sequences are."""

import numpy as np
import pytest
from conftest import assert_refused

import rnnlite
from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Embedding, Sequential, fit, pad

F, STEPS = 3, (4, 2, 0, 5, 1)
RNG = np.random.default_rng(0)
X = [RNG.normal(size=(T, F)).astype(np.float32) for T in STEPS]
Y = np.array([0, 1, 0, 1, 1])
EVERY = [RNG.integers(0, 2, T) for T in STEPS]
WORDS = [RNG.integers(0, 7, T).tolist() for T in STEPS]
MODELS = {
    "last": lambda: Sequential([LSTM(F, 4, seed=0), Dense(4, 2, seed=1)]),
    "every": lambda: Sequential([GRU(F, 4, return_sequences=True, seed=0), Dense(4, 2, seed=1)]),
    "words": lambda: Sequential([Embedding(7, F, seed=0), RNN(F, 2, seed=1)]),
}
DATA = {"last": (X, Y), "every": (X, EVERY), "words": (WORDS, Y)}
every_model = pytest.mark.parametrize("kind", MODELS)


def as_objects(sequences):
    """How ``np.array(sequences, dtype=object)`` holds them."""
    array = np.empty(len(sequences), object)
    array[:] = sequences
    return array


def padded(kind):
    x, y = DATA[kind]
    x, lengths = pad(x)
    return x, pad(y)[0] if kind == "every" else y, lengths


@every_model
@pytest.mark.parametrize("holder", [list, tuple, as_objects])
def test_fit_and_what_follows_take_them(kind, holder):
    model, twin = MODELS[kind](), MODELS[kind]()
    x, y = DATA[kind]
    x, y = holder(x), holder(y) if kind == "every" else y
    X, Y, lengths = padded(kind)
    ours = fit(model, x, y, epochs=2, batch_size=2, validation=(x, y))
    theirs = fit(twin, X, Y, lengths=lengths, epochs=2, batch_size=2, validation=(X, Y, lengths))
    assert np.array_equal(model.flat_params, twin.flat_params)
    assert ours["val_loss"] == theirs["val_loss"]
    assert rnnlite.evaluate(model, x, y) == rnnlite.evaluate(twin, X, Y, lengths=lengths)
    for function in rnnlite.predict, rnnlite.predict_values, rnnlite.predict_proba:
        wanted = function(twin, X, lengths=lengths, batch_size=2)
        np.testing.assert_array_equal(function(model, x, batch_size=2), wanted)
    batches = [(x[:3], y[:3]), (x[3:], y[3:])]
    padded_batches = [(X[:3], Y[:3], lengths[:3]), (X[3:], Y[3:], lengths[3:])]
    fit(model, batches)
    fit(twin, padded_batches)
    assert np.array_equal(model.flat_params, twin.flat_params)


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (LSTM(F, 4, seed=0), X), (Embedding(7, F, seed=0), WORDS), (Dense(F, 2, seed=0), X),
        (Bidirectional(GRU(F, 4, return_sequences=True, seed=0), seed=1), X),
        (MODELS["every"](), X), (rnnlite.Dropout(0.5, seed=0), X),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_layers_and_models_take_them(layer, x):
    array, lengths = pad(x)
    wanted = layer(array, lengths=lengths)
    np.testing.assert_array_equal(layer(x), wanted)
    np.testing.assert_array_equal(layer.forward(x), wanted)
    layer.backward(np.ones_like(wanted))


def test_a_state_comes_back_for_each_of_them():
    layer = LSTM(F, 4, seed=0)
    _, (h, _) = layer(X, return_state=True)
    np.testing.assert_array_equal(h, layer(X))


@pytest.mark.parametrize(
    ("x", "y", "options", "says"),
    [
        (X, Y, {"lengths": STEPS}, "fit: x is a list of sequences of different length"),
        (X, EVERY[1:], {}, "fit: y has 4 rows; wanted 5, as x has"),
        (X, [*EVERY[:3], [0], [1]], {}, "fit: y[3] has 1 steps and x[3] has 5"),
        (np.ones((2, 3, F)), [[0, 1], [1]], {}, "fit: y[0] has 2 steps and x[0] has 3"),
        (3.0, [[0, 1], [1]], {}, "fit: x has shape ()"),
        ([np.ones((2, F)), np.ones((3, 2))], [0, 1], {}, "fit: x[1] has shape (3, 2); wanted"),
        ([(X, EVERY[1:])], None, {}, "fit: y of batch 0 has 4 rows; wanted 5"),
    ],
)
def test_what_does_not_fit_is_said(x, y, options, says):
    assert_refused(ValueError, [says], fit, MODELS["every"](), x, y, **options)
