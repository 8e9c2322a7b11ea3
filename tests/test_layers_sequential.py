"""Sequential: keys, flat arrays, padding, models within models, and the layers it refuses."""

import copy

import numpy as np
import pytest
from conftest import assert_all_same_bits, assert_refused, assert_same_bits
from layer_cases import B, H, I, T, rng

import rnnlite
from rnnlite import Dense, Sequential


def stack(dtype="float32"):
    return Sequential(
        [
            rnnlite.LSTM(I, 7, return_sequences=True, seed=0, dtype=dtype),
            rnnlite.GRU(7, H, return_sequences=True, seed=1, dtype=dtype),
            rnnlite.RNN(H, 3, seed=2, dtype=dtype),
            Dense(3, 2, seed=3, dtype=dtype),
        ]
    )


def test_keys_of_a_model_are_position_and_name():
    model = stack()
    assert set(model.params) == {
        *("0.Wx", "0.Wh", "0.b"),
        *("1.Wx", "1.Wh", "1.b", "1.bh"),
        *("2.Wx", "2.Wh", "2.b"),
        *("3.W", "3.b"),
    }
    assert list(model.grads) == list(model.params)
    for key, array in model.params.items():
        position, name = key.split(".")
        assert np.shares_memory(array, model.layers[int(position)].params[name])
        assert np.shares_memory(model.grads[key], model.layers[int(position)].grads[name])


def test_the_flat_arrays_of_a_model_hold_every_parameter_once():
    model = stack()
    for flat, views in ((model.flat_params, model.params), (model.flat_grads, model.grads)):
        flat[...] = 0.0
        for array in views.values():
            assert np.shares_memory(array, flat)
            array += 1.0  # a parameter that stood in two places would be 2
        assert set(np.unique(flat)) <= {0.0, 1.0}
        assert flat.sum() == model.num_params() == sum(array.size for array in views.values())
    model.flat_params[...] = 3.0
    assert all(np.all(array == 3.0) for array in model.params.values())


def test_a_model_is_aligned_layer_by_layer():
    for layer in stack().layers:
        assert layer.flat_params.ctypes.data % 64 == 0
        assert layer.flat_grads.ctypes.data % 64 == 0


def test_layers_keep_their_values_when_they_join_a_model():
    layers = [rnnlite.LSTM(I, H, seed=0), Dense(H, 2, seed=1)]
    before = [layer.flat_params.copy() for layer in layers]
    layers[1].flat_grads[...] = 5.0
    model = Sequential(layers)
    for layer, value in zip(layers, before, strict=True):
        assert_same_bits("params", layer.flat_params, value)
    np.testing.assert_array_equal(model.grads["1.b"], 5.0)
    layers[0].params["b"][...] = 4.0  # the layer is part of the model from now on
    np.testing.assert_array_equal(model.params["0.b"], 4.0)


@pytest.mark.parametrize("lengths", [None, [4, 1, 2]], ids=["full", "ragged"])
def test_a_model_is_its_layers_one_after_the_other(lengths):
    model = stack("float64")
    layers = [layer.copy() for layer in model.layers]
    x = rng().normal(size=(B, T, I))
    y = x
    for layer in layers[:3]:
        y = layer.forward(y, lengths=lengths)
    y = layers[3].forward(y)
    assert_same_bits("y", model.forward(x, lengths=lengths), y)
    dy = d = rng(1).normal(size=y.shape)
    for layer in reversed(layers):
        d = layer.backward(d)
    assert_same_bits("dx", model.backward(dy), d)
    for position, layer in enumerate(layers):
        for name, array in layer.grads.items():
            assert_same_bits(f"{position}.{name}", model.grads[f"{position}.{name}"], array)


def test_padding_never_reaches_anything_in_a_stack():
    model, lengths = stack(), np.array([4, 1, 2])
    past = np.arange(T) >= lengths[:, None]
    x, results = rng().normal(size=(B, T, I)), []
    for junk in (0.0, np.nan):
        x[past] = junk
        y = model.forward(x, lengths=lengths)
        dx = model.backward(np.ones_like(y))
        results.append({"y": y, "dx": dx} | copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])
    assert np.isfinite(model.flat_grads).all()


def test_padding_never_reaches_a_dense_layer_at_any_place_of_a_stack():
    """NaN times a gradient of 0 is NaN: a weight gradient must not read padding at all."""
    model = Sequential(
        [
            Dense(I, 3, seed=0),
            rnnlite.GRU(3, H, return_sequences=True, seed=1),
            Dense(H, 2, seed=2),
        ]
    )
    lengths = np.array([4, 1, 2])
    past = np.arange(T) >= lengths[:, None]
    x, dy, results = rng().normal(size=(B, T, I)), rng().normal(size=(B, T, 2)), []
    for junk in (0.0, np.nan):
        x[past] = dy[past] = junk
        y = model.forward(x, lengths=lengths)
        assert not y[past].any()
        dx = model.backward(dy)
        assert not dx[past].any()
        results.append({"y": y, "dx": dx} | copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])
    assert np.isfinite(model.flat_grads).all()
    full = model.forward(np.nan_to_num(x))
    assert full[past].all()  # lengths of one batch are forgotten in the next
    model.backward(np.ones_like(full))
    assert model.grads["2.b"][0] == B * T


def test_a_model_may_hold_a_model():
    inner = Sequential([rnnlite.RNN(I, H, return_sequences=True, seed=0)])
    model = Sequential([inner, Dense(H, 2, seed=1)])
    flat = Sequential([inner.layers[0].copy(), Dense(H, 2, seed=1)])
    x = rng().normal(size=(B, T, I))
    y = model.forward(x)
    assert_same_bits("y", y, flat.forward(x))
    assert_same_bits("dx", model.backward(y), flat.backward(y))
    assert "0.0.Wx" in model.params
    model.flat_params[...] = 0.0
    assert not inner.params["0.Wx"].any()


def test_a_layer_cannot_be_in_two_models():
    lstm, dense = rnnlite.LSTM(I, H), Dense(H, 2)
    Sequential([lstm, dense])
    fragments = ["Sequential: layers[1]", "LSTM(5, 6)", "copy()"]
    assert_refused(ValueError, fragments, Sequential, [Dense(3, 5), lstm])
    Sequential([Dense(3, 5), lstm.copy()])
    once = Dense(3, 3)
    assert_refused(ValueError, ["Dense(3, 3)", "copy()"], Sequential, [once, once])
    Sequential([once])  # the refused call took nothing


BAD_LAYERS = {
    "empty": ([], ValueError, ["Sequential: layers is empty"]),
    "no layer": ([Dense(2, 2), "LSTM"], TypeError, ["layers[1] is of type str"]),
    "a class": ([Dense], TypeError, ["layers[0] is of type type"]),
    "two dtypes": (
        [Dense(2, 2), Dense(2, 2, dtype="float64")], ValueError,
        ["layers[1] computes in float64", "float32"],
    ),
    "None": (None, TypeError, ["Sequential: layers"]),
    "one layer": (Dense(2, 2), TypeError, ["Sequential: layers"]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "error", "fragments"), BAD_LAYERS.values(), ids=BAD_LAYERS.keys()
)
def test_bad_layers_of_a_model_are_refused(layers, error, fragments):
    assert_refused(error, fragments, Sequential, layers)


def test_an_error_inside_a_model_names_the_layer():
    model = Sequential([rnnlite.LSTM(I, H), Dense(H, 2)])
    fragments = ["Sequential.forward: layer 0, LSTM: x has 9 features", "built for 5"]
    for run in (model.forward, model):
        assert_refused(ValueError, fragments, run, np.ones((B, T, 9)))
    deep = Sequential([Dense(I, I), Sequential([rnnlite.GRU(I, H), rnnlite.LSTM(H, H)])])
    assert_refused(
        ValueError,
        [
            "Sequential.forward: layer 1, Sequential: layer 1, LSTM: x has shape (3, 6); ",
            "wanted 3 axes, (batch, time, input); layer 0 returns its last step only: "
            "return_sequences=True?",
        ],
        deep.forward,
        np.ones((B, T, I)),
    )
    assert_refused(ValueError, ["layer 0, LSTM: lengths "], model, np.ones((B, T, I)), [1])


def test_sizes_that_cannot_fit_are_found_when_the_model_is_made():
    fragments = ["Sequential: layers[1], Dense(7, 2), takes 7 features", "LSTM(5, 6), gives 6"]
    assert_refused(ValueError, fragments, Sequential, [rnnlite.LSTM(I, H), Dense(H + 1, 2)])
    both = rnnlite.Bidirectional(rnnlite.LSTM(I, H, return_sequences=True))
    inner = [both, rnnlite.Dropout(0.5), Sequential([rnnlite.GRU(H, 3)])]
    assert_refused(ValueError, ["takes 6 features", "gives 12"], Sequential, inner)
    added = rnnlite.Bidirectional(rnnlite.LSTM(I, H, return_sequences=True), merge="sum")
    Sequential([rnnlite.Embedding(9, I), added, rnnlite.Flatten(), Dense(T * H, 2)])
