"""tanh, sigmoid and ReLU of registers: right to the last places, NaN and edges included."""

import numpy as np
import pytest
from conftest import assert_same_bits, every_dtype, sized
from kernel_entries import GUARD, ROOM, entry

from rnnlite.kernels import activations, simd
from rnnlite.kernels.target import lanes_of


def over_arrays(function):
    """A register function as a function of whole arrays, ``compute(x, result)``."""
    load_masked, store_masked, lanes = simd.load_masked, simd.store_masked, simd.lanes

    @entry
    def compute(x, result):
        for j in range(0, x.size, lanes(x)):
            store_masked(result, j, function(load_masked(x, j, x.size - j)), x.size - j)

    def call(x):
        memory = np.full(x.size + ROOM, GUARD, x.dtype)
        result = memory[: x.size]
        with np.errstate(over="ignore"):  # 2x of the largest number; registers are silent
            compute(x, result)
        np.testing.assert_array_equal(memory[x.size :], GUARD, "written beyond the array")
        return result

    return call


tanh, sigmoid, relu = (
    over_arrays(function) for function in (activations.tanh, activations.sigmoid, activations.relu)
)


# --- activations ----------------------------------------------------------------------------

WIDE = np.float64 if np.finfo(np.longdouble).nmant < 60 else np.longdouble


def true_tanh(x):
    return np.tanh(x.astype(WIDE))


def true_sigmoid(x):
    e = np.exp(-np.abs(x.astype(WIDE)))
    return np.where(x >= 0, 1, e) / (1 + e)


def every_magnitude(dtype, largest, count, seed=0):
    """Numbers of both signs, evenly spread and down to the smallest normal exponents."""
    rng = np.random.default_rng(seed)
    even = rng.uniform(-largest, largest, count)
    smallest = np.log(float(np.finfo(dtype).tiny)) / 2
    small = np.exp(rng.uniform(smallest, np.log(largest), count)) * rng.choice([-1, 1], count)
    return np.concatenate([even, small]).astype(dtype)


def ulps(got, truth):
    """Distance from the truth in units of the last place of the nearest result."""
    return np.abs(got - truth) / np.spacing(np.abs(truth).astype(got.dtype))


@every_dtype
@pytest.mark.parametrize("largest", [1e-3, 1.0, 5.0, 20.0, 86.0])
@pytest.mark.parametrize(
    ("function", "truth"),
    [(tanh, true_tanh), (sigmoid, true_sigmoid)],
    ids=["tanh", "sigmoid"],
)
def test_activations_are_right_to_three_units_in_the_last_place(function, truth, largest, dtype):
    x = every_magnitude(dtype, largest, sized(200_000, 4_000))
    error = ulps(function(x), truth(x))
    worst = error.argmax()
    assert error[worst] < 3.0, f"{float(error[worst]):.2f} ulp at {x[worst]!r}"


@every_dtype
@pytest.mark.parametrize("function", [tanh, sigmoid, relu], ids=["tanh", "sigmoid", "relu"])
def test_nan_stays_nan_and_troubles_no_other_lane(function, dtype):
    lanes = lanes_of(np.dtype(dtype))
    x = np.linspace(-3, 3, 3 * lanes + 1).astype(dtype)
    clean = function(x)
    for place in (0, lanes - 1, lanes + 1, 3 * lanes):
        dirty = x.copy()
        dirty[place] = np.nan
        result = function(dirty)
        assert np.isnan(result[place])
        result[place] = clean[place]
        assert_same_bits("the other lanes", result, clean)


@every_dtype
def test_tanh_saturates_at_exactly_one(dtype):
    x = np.array([19.1, 20.0, 100.0, 1e5, 1e30, np.finfo(dtype).max, np.inf], dtype)
    assert_same_bits("tanh(x)", tanh(x), np.ones_like(x))
    assert_same_bits("tanh(-x)", tanh(-x), -np.ones_like(x))


@every_dtype
def test_sigmoid_saturates_at_exactly_one_and_just_above_zero(dtype):
    largest = np.finfo(dtype).max
    above = np.array([40.0, 100.0, 1e5, 1e30, largest, np.inf], dtype)
    assert_same_bits("sigmoid", sigmoid(above), np.ones_like(above))
    edge = 87.0 if dtype == np.float32 else 708.0
    below = sigmoid(np.array([-edge, -edge - 1, -1e5, -1e30, -largest, -np.inf], dtype))
    assert np.all(below == below[0])
    assert 0.0 < below[0] < 2 * np.exp(-edge)


@every_dtype
@pytest.mark.parametrize("function", [tanh, sigmoid], ids=["tanh", "sigmoid"])
def test_activations_never_leave_their_range(function, dtype):
    x = every_magnitude(dtype, 700.0, sized(100_000, 2_000), seed=1)
    result = function(x)
    low = -1.0 if function is tanh else 0.0
    assert result.min() >= low
    assert result.max() <= 1.0


@every_dtype
def test_activations_of_zero_are_exact(dtype):
    zero = np.array([0.0, -0.0], dtype)
    assert np.all(tanh(zero) == 0.0)
    assert np.all(sigmoid(zero) == 0.5)
    assert np.all(relu(zero) == 0.0)


@every_dtype
def test_relu_is_the_larger_of_x_and_zero(dtype):
    x = np.array([-np.inf, -2.5, -1e-30, 0.0, 1e-30, 2.5, np.inf], dtype)
    np.testing.assert_array_equal(relu(x), np.maximum(x, 0))
