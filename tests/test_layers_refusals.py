"""What layers refuse: wrong sizes, dtypes, seeds, inputs, lengths, states and gradients."""

import numpy as np
import pytest
from conftest import CELLS, GRU, LSTM, RNN_RELU, RNN_TANH, assert_refused, every_cell
from layer_cases import B, H, I, every_maker, every_model, prepared, state_argument

import rnnlite


@every_maker
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-3, ValueError), (2.0, TypeError), ("8", TypeError), (None, TypeError),
     (True, TypeError), ([4], TypeError)],
)  # fmt: skip
def test_sizes_must_be_whole_numbers_above_zero(make, value, error):
    name = type(make(1, 1)).__name__
    for arguments in ((value, 4), (4, value)):
        assert_refused(error, [f"{name}: ", f" is {value!r}"], make, *arguments)
    assert make(np.int64(2), np.uint8(3)).num_params() > 0


@every_maker
@pytest.mark.parametrize("dtype", ["float16", "int32", "complex64", "nonsense", 3, np.longdouble])
def test_other_dtypes_are_refused(make, dtype):
    if np.dtype(np.longdouble) == np.float64 and dtype is np.longdouble:
        pytest.skip("long double is float64 on this platform")
    name = type(make(1, 1)).__name__
    fragments = [f"{name}: dtype is ", "'float32' or 'float64'"]
    assert_refused((ValueError, TypeError), fragments, make, 2, 3, dtype=dtype)


@every_maker
@pytest.mark.parametrize("seed", ["a", -1, 1.5])
def test_a_bad_seed_is_refused_by_name(make, seed):
    name = type(make(1, 1)).__name__
    fragments = [f"{name}: seed", repr(seed)]
    assert_refused((ValueError, TypeError), fragments, make, 2, 3, seed=seed)


def test_other_bad_arguments_of_layers_are_refused_by_name():
    for value in ("yes", 1, None):
        for cell in CELLS:
            name = cell.layer.__name__
            fragments = [f"{name}: return_sequences is {value!r}"]
            assert_refused(TypeError, fragments, cell.make, 2, 3, return_sequences=value)
    for value in ("sigmoid", None, np.tanh):
        fragments = ["RNN: activation is ", "'tanh' or 'relu'"]
        assert_refused(ValueError, fragments, rnnlite.RNN, 2, 3, activation=value)
    for value, error in (("1", TypeError), (None, TypeError), (np.nan, ValueError),
                         (np.inf, ValueError)):  # fmt: skip
        assert_refused(error, ["LSTM: forget_bias is "], rnnlite.LSTM, 2, 3, forget_bias=value)


@every_cell
def test_a_wrong_number_of_features_is_told_with_both_numbers(cell):
    layer = cell.make(28, H)
    name = cell.layer.__name__
    fragments = [f"{name}.forward: x has 27 features (shape (3, 4, 27))", "built for 28"]
    assert_refused(ValueError, fragments, layer.forward, np.ones((3, 4, 27)))


@every_cell
@pytest.mark.parametrize("shape", [(), (5,), (4, 5), (1, 3, 4, 5), (0, 4, 5), (3, 0, 5), (3, 4, 0)])
def test_a_wrong_shape_of_x_is_refused(cell, shape):
    fragments = [f"{cell.layer.__name__}.forward: x has ", str(shape)]
    assert_refused(ValueError, fragments, cell.make(I, H).forward, np.ones(shape))


@every_maker
@pytest.mark.parametrize("x", [np.ones((3, 4, 5), complex), np.full((3, 4, 5), "1"), None, {}])
def test_x_without_real_numbers_is_refused(make, x):
    layer = make(5, 2)
    fragments = [f"{type(layer).__name__}.forward: x ", "real numbers"]
    assert_refused(TypeError, fragments, layer.forward, x)


@every_cell
def test_bad_lengths_of_a_layer_are_refused(cell):
    layer, arguments = prepared(cell)
    for lengths, error in (
        ([-1, 1, 1], ValueError), ([5, 1, 1], ValueError), ([1, 1], ValueError),
        ([1.0, 2.0, 3.0], TypeError), (["1", "2", "3"], TypeError), (3, ValueError),
    ):  # fmt: skip
        fragments = [f"{cell.layer.__name__}.forward: lengths "]
        assert_refused(error, fragments, layer.forward, arguments["x"], lengths=lengths)


@every_cell
def test_a_bad_state_is_refused_with_the_wanted_shape(cell):
    layer, arguments = prepared(cell)
    name = cell.layer.__name__
    wrong = state_argument(cell, (np.ones((B + 1, H)) for _ in cell.states))
    fragments = [f"{name}.forward: initial_state", str((B + 1, H)), str((B, H))]
    assert_refused(ValueError, fragments, layer.forward, arguments["x"], initial_state=wrong)
    y = layer.forward(arguments["x"])
    fragments = [f"{name}.backward: dfinal_state", str((B + 1, H)), str((B, H))]
    assert_refused(ValueError, fragments, layer.backward, y, dfinal_state=wrong)
    text = state_argument(cell, (np.full((B, H), "a") for _ in cell.states))
    fragments = [f"{name}.backward: dfinal_state", "real numbers"]
    assert_refused(TypeError, fragments, layer.backward, y, dfinal_state=text)


@pytest.mark.parametrize("state", [np.ones((B, H)), (np.ones((B, H)),), [None] * 3, 5, "hc"])
def test_an_lstm_state_must_be_a_pair(state):
    layer, arguments = prepared(LSTM)
    fragments = ["LSTM.forward: initial_state must be a tuple (h, c)"]
    assert_refused((ValueError, TypeError), fragments, layer.forward, arguments["x"], state)


@pytest.mark.parametrize("cell", [RNN_TANH, RNN_RELU, GRU], ids=lambda cell: cell.name)
def test_a_pair_is_no_state_of_a_cell_with_one(cell):
    layer, arguments = prepared(cell)
    pair = (np.ones((B, H)), np.ones((B, H)))
    fragments = [f"{cell.layer.__name__}.forward: initial_state", "(2, 3, 6)", "(3, 6)"]
    assert_refused(ValueError, fragments, layer.forward, arguments["x"], pair)


@every_model
def test_a_wrong_gradient_is_refused_with_both_shapes(make, x):
    model = make()
    y = model.forward(x)
    wrong = np.ones((*y.shape[:-1], y.shape[-1] + 1))
    fragments = [".backward: dy has shape", str(wrong.shape), str(y.shape)]
    assert_refused(ValueError, fragments, model.backward, wrong)
    model.forward(x)
    fragments = [".backward: dy ", "real numbers"]
    assert_refused(TypeError, fragments, model.backward, np.ones(y.shape, complex))
