"""Parameters of layers: names, shapes, initial values, one flat array."""

import numpy as np
import pytest
from conftest import (
    LSTM,
    assert_all_same_bits,
    assert_close,
    assert_same_bits,
    every_cell,
    every_dtype,
    shapes,
)
from layer_cases import B, H, I, T, every_maker, every_model

import rnnlite
from rnnlite import Dense


@every_cell
@every_dtype
def test_parameters_and_gradients_have_the_names_and_shapes_of_the_contract(cell, dtype):
    layer = cell.make(I, H, dtype=dtype)
    wanted = {name: shapes(cell, B, T, I, H)[name] for name in cell.params}
    for arrays in (layer.params, layer.grads):
        assert {name: array.shape for name, array in arrays.items()} == wanted
        assert {array.dtype for array in arrays.values()} == {np.dtype(dtype)}
    assert list(layer.params) == list(layer.grads)
    assert not any(array.any() for array in layer.grads.values())
    assert layer.num_params() == sum(int(np.prod(shape)) for shape in wanted.values())
    assert layer.dtype == dtype


@every_cell
def test_layers_are_float32_unless_asked(cell):
    assert cell.make(I, H).params["Wx"].dtype == np.float32
    assert Dense(I, H).params["W"].dtype == np.float32


@every_cell
def test_initial_input_weights_are_glorot_uniform(cell):
    weights = cell.make(90, 20, seed=1).params["Wx"]
    limit = np.sqrt(6 / (90 + cell.gates * 20))
    assert 0.99 * limit < np.abs(weights).max() <= limit
    assert abs(weights.mean()) < 0.03 * limit
    assert weights.std() == pytest.approx(limit / np.sqrt(3), rel=0.03)


@every_cell
@every_dtype
@pytest.mark.parametrize("hidden", [1, 7, 20])
def test_initial_recurrent_weights_have_orthonormal_rows(cell, dtype, hidden):
    Wh = cell.make(I, hidden, seed=1, dtype=dtype).params["Wh"].astype(np.float64)
    assert_close("Wh Wh^T", Wh @ Wh.T, np.eye(hidden), 10 * np.finfo(dtype).eps)


@every_cell
def test_initial_biases_are_zero_but_for_the_forget_gate(cell):
    for name in cell.biases:
        bias = cell.make(I, H, seed=0).params[name].copy()
        if cell is LSTM:
            np.testing.assert_array_equal(bias[H : 2 * H], 1.0)
            bias[H : 2 * H] = 0.0
        assert not bias.any()


@pytest.mark.parametrize("value", [0, 0.0, -2.5, np.float32(3)])
def test_forget_bias_is_what_was_asked(value):
    b = rnnlite.LSTM(I, H, forget_bias=value).params["b"]
    np.testing.assert_array_equal(b[H : 2 * H], np.float32(value))
    assert not np.delete(b, np.arange(H, 2 * H)).any()


def test_initial_dense_weights_are_glorot_uniform_and_the_bias_zero():
    dense = Dense(60, 70, seed=1)
    limit = np.sqrt(6 / 130)
    assert dense.params["W"].shape == dense.grads["W"].shape == (60, 70)
    assert dense.params["b"].shape == dense.grads["b"].shape == (70,)
    assert 0.99 * limit < np.abs(dense.params["W"]).max() <= limit
    assert not dense.params["b"].any()


@every_maker
def test_one_seed_gives_the_same_bits_and_another_seed_others(make):
    first, second = make(I, H, seed=7), make(I, H, seed=7)
    assert_all_same_bits(first.params, second.params)
    for other in (make(I, H, seed=8), make(I, H)):
        assert not np.array_equal(first.flat_params, other.flat_params)
    assert not np.array_equal(make(I, H).flat_params, make(I, H).flat_params)


@every_maker
def test_float64_weights_are_the_float32_weights_with_more_digits(make):
    exact = make(I, H, seed=7, dtype="float64").flat_params
    assert_same_bits("params", make(I, H, seed=7).flat_params, exact.astype(np.float32))


@every_maker
def test_making_a_layer_leaves_numpys_global_generator_alone(make):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    make(I, H, seed=7)
    make(I, H)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@every_maker
def test_parameters_are_views_of_the_flat_arrays(make):
    layer = make(I, H)
    assert layer.flat_params.size == layer.num_params() == layer.flat_grads.size
    layer.flat_params[...] = np.arange(layer.num_params())
    layer.flat_grads[...] = np.arange(layer.num_params())
    for views in (layer.params, layer.grads):
        values = np.sort(np.concatenate([array.ravel() for array in views.values()]))
        np.testing.assert_array_equal(values, np.arange(layer.num_params()))


@every_model
def test_repr_says_what_it_is(make, x):
    model = make()
    assert repr(model).startswith(type(model).__name__ + "(")
