"""Flatten: the steps of a row side by side, and their gradients back in their places."""

import numpy as np
import pytest

from rnnlite import LSTM, Dense, Flatten, Sequential, gradcheck

B, T, F = 3, 4, 5


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("shape", [(B, T), (B, T, F), (B, T, F, 2)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_come_side_by_side_and_go_back(shape, dtype):
    x, layer = normal(*shape).astype(dtype), Flatten(dtype)
    y = layer.forward(x)
    assert y.dtype == dtype and np.array_equal(y, x.reshape(B, -1))
    dx = layer.backward(2 * y)
    assert dx.dtype == dtype and np.array_equal(dx, 2 * x)
    with pytest.raises(RuntimeError, match="there is no forward pass"):
        layer.backward(y)
    layer.forward(x)
    assert layer.backward(y, need_dx=False) is None


def test_padding_never_leaks_and_gets_no_gradient():
    x, lengths, layer = normal(B, T, F), [2, 4, 1], Flatten("float64")
    past = np.arange(T) >= np.array(lengths)[:, None]
    x[past] = np.nan
    y = layer.forward(x, lengths=lengths).reshape(x.shape)
    assert np.all(y[past] == 0) and np.array_equal(y[~past], x[~past])
    assert np.isnan(x[past]).all(), "what came in is as it was"
    dy = normal(B, T * F)
    dx = layer.backward(dy)
    assert np.all(dx[past] == 0) and np.array_equal(dx[~past], dy.reshape(x.shape)[~past])
    layer.forward(np.zeros((B, T, F)))
    assert np.array_equal(layer.backward(dy), dy.reshape(x.shape)), "lengths are forgotten"


@pytest.mark.parametrize("lengths", [None, [4, 2, 3]], ids=str)
def test_its_gradients_are_right_within_a_model(lengths):
    lstm = LSTM(F, 6, return_sequences=True, seed=0, dtype="float64")
    model = Sequential([lstm, Flatten("float64"), Dense(T * 6, 2, seed=1, dtype="float64")])
    report = gradcheck.check(model, normal(B, T, F), lengths=lengths)
    assert report.passed, report


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ValueError, "x has shape (3,)", lambda: Flatten().forward(normal(3))),
        (ValueError, "x has shape (3, 0, 2)", lambda: Flatten().forward(np.zeros((3, 0, 2)))),
        (ValueError, "lengths", lambda: Flatten().forward(normal(B, T, F), lengths=[1, 2, 9])),
        (ValueError, "dtype is 'float16'", lambda: Flatten("float16")),
    ],
)
def test_bad_input_is_named(error, says, call):
    with pytest.raises(error) as found:
        call()
    assert says in str(found.value)


def test_a_gradient_of_another_shape_is_refused_and_may_be_corrected():
    layer = Flatten()
    layer.forward(normal(B, T, F))
    with pytest.raises(ValueError, match="dy has shape"):
        layer.backward(normal(B, T, F))
    assert layer.backward(normal(B, T * F)).shape == (B, T, F)
