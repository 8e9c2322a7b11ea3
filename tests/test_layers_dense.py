"""Dense equals the reference, and checks its lengths and its input."""

import numpy as np
import pytest
from conftest import assert_close, assert_refused, every_dtype
from layer_cases import B, I, T, rng

from rnnlite import Dense, reference


@every_dtype
@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (2, 5, 7), (33, 131), (9, 2, 17)])
@pytest.mark.parametrize("features", [1, 10, 33])
def test_dense_equals_the_reference(dtype, shape, features):
    dense = Dense(shape[-1], features, seed=0, dtype=dtype)
    dense.params["b"][...] = rng(1).normal(size=features)
    W, b = (dense.params[name].astype(np.float64) for name in ("W", "b"))
    x = rng(2).normal(size=shape).astype(dtype)
    dy = rng(3).normal(size=(*shape[:-1], features)).astype(dtype)
    y = dense.forward(x)
    dx = dense.backward(dy)
    tolerance = 1e-13 if dtype == np.float64 else 1e-5
    wanted = reference.dense_backward(dy, x, W)
    for name, array, expected in [
        ("y", y, reference.dense_forward(x, W, b)),
        ("dx", dx, wanted.dx),
        ("dW", dense.grads["W"], wanted.dW),
        ("db", dense.grads["b"], wanted.db),
    ]:
        assert array.dtype == dtype
        assert_close(name, array, expected, tolerance)


def test_lengths_of_a_dense_layer_are_checked():
    dense = Dense(I, 2)
    fragments = ["Dense.forward: lengths were given", "(3, 5)", "(batch, time, features)"]
    assert_refused(ValueError, fragments, dense.forward, np.ones((B, I)), lengths=[1, 1, 1])
    fragments = ["Dense.forward: lengths runs from 1 to 5"]
    assert_refused(ValueError, fragments, dense.forward, np.ones((B, T, I)), lengths=[1, 5, 1])


@pytest.mark.parametrize("shape", [(), (5,), (4, 6), (4, 3, 6), (1, 3, 4, 5), (0, 5), (3, 0, 5)])
def test_dense_refuses_a_wrong_shape_of_x(shape):
    fragments = [f"Dense.forward: x has shape {shape}; wanted (batch, 5) or (batch, time, 5)"]
    assert_refused(ValueError, fragments, Dense(5, 2).forward, np.ones(shape))
