"""Squared error and binary cross-entropy, with weights and padding."""

import math

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits, every_dtype
from loss_cases import (
    ELEMENTWISE,
    PADDING,
    WRONG_WEIGHTS,
    check_against_definition,
    counted_rows,
    elementwise_case,
)

from rnnlite.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy

every_loss = pytest.mark.parametrize("loss_name", ELEMENTWISE)
every_padding = pytest.mark.parametrize("padding", PADDING)


@every_loss
@every_padding
def test_elementwise_losses_are_the_definition_and_its_derivative(loss_name, padding):
    function, slow, _ = ELEMENTWISE[loss_name]
    check_against_definition(function, slow, *elementwise_case(padding))


@every_loss
@every_padding
def test_elementwise_losses_are_those_of_pytorch(loss_name, padding):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    function, _, theirs = ELEMENTWISE[loss_name]
    y, target, options = elementwise_case(padding)
    counted = torch.tensor(counted_rows(y.shape, **options))
    x = torch.tensor(y, requires_grad=True)
    expected = getattr(torch.nn.functional, theirs)(x[counted], torch.tensor(target)[counted])
    expected.backward()
    loss, gradient = function(y, target, **options)
    assert_close("loss", loss, expected.item(), 1e-10)
    assert_close("gradient", gradient, x.grad.numpy(), 1e-10)


@every_loss
@pytest.mark.parametrize("padding", ["rows", "elements", "steps", "lengths", "rows-of-steps"])
@every_dtype
def test_padding_reaches_neither_elementwise_loss_nor_gradient(loss_name, padding, dtype):
    function, _, _ = ELEMENTWISE[loss_name]
    y, target, options = elementwise_case(padding, dtype)
    loss, gradient = function(y, target, **options)
    outside = ~counted_rows(y.shape, **options)
    assert gradient.dtype == dtype
    assert_same_bits("gradient of padding", gradient[outside], np.zeros_like(y[outside]))
    for anything in (np.nan, np.inf, -np.inf):
        y[outside] = target[outside] = anything
        out = np.full_like(y, np.nan)
        other_loss, other = function(y, target, out, **options)
        assert other is out
        assert other_loss == loss
        assert_same_bits("gradient", other, gradient)


@every_dtype
def test_binary_cross_entropy_is_finite_for_any_finite_logit(dtype):
    x = np.array([1e4, -1e4, 1e30, -1e30, 40.0, -40.0], dtype)
    loss, dx = binary_cross_entropy(x, [1, 0, 1, 0, 1, 0])  # all right
    assert 0.0 <= loss < 1e-17
    assert_close("dx", dx, np.zeros(6), 1e-13)
    loss, dx = binary_cross_entropy(x[:2], [0, 1])  # all wrong
    assert loss == 1e4
    assert_same_bits("dx", dx, np.array([0.5, -0.5], dtype))


@every_dtype
def test_a_small_binary_cross_entropy_keeps_its_digits(dtype):
    for x in (30.0, 60.0):
        for logit, target in ((x, 1), (-x, 0)):
            loss, _ = binary_cross_entropy(np.array([logit], dtype), [target])
            assert loss == pytest.approx(math.exp(-x), rel=1e-6)


@every_loss
@every_dtype
def test_a_nan_reaches_the_elementwise_loss(loss_name, dtype):
    function, _, _ = ELEMENTWISE[loss_name]
    for at in range(40):
        y = np.zeros(40, dtype)
        y[at] = np.nan
        loss, gradient = function(y, np.zeros(40, dtype))
        assert np.isnan(loss)
        assert np.flatnonzero(np.isnan(gradient)) == [at]


@every_loss
@pytest.mark.parametrize(
    ("arguments", "error", "fragments"),
    [
        (([[0.0]], [0.0]), ValueError, ["has shape (1,)", "wanted (1, 1)"]),
        ((0.0, 0.0), ValueError, ["has shape ()"]),
        (([], []), ValueError, ["has shape (0,)"]),
        ((["a"], [0]), TypeError, ["real numbers"]),
        (([0.0], [0.0], np.zeros(1, np.float32)), ValueError, ["out is float32", "float64"]),
        (([0.0], [0.0], np.zeros(2)), ValueError, ["out is float64 of shape (2,)", "(1,)"]),
        (([0.0], [0.0], np.broadcast_to(0.0, (1,))), ValueError, ["out is read-only"]),
        (([0.0], [0.0], [0.0]), TypeError, ["out is of type list", "a NumPy array"]),
    ],
)
def test_wrong_arguments_of_elementwise_losses_are_explained(
    loss_name, arguments, error, fragments
):
    function, _, _ = ELEMENTWISE[loss_name]
    assert_refused(error, [f"{loss_name}: ", *fragments], function, *arguments)


@every_loss
@pytest.mark.parametrize(("arguments", "error", "fragments"), WRONG_WEIGHTS)
def test_wrong_weights_of_elementwise_losses_are_explained(loss_name, arguments, error, fragments):
    function, _, _ = ELEMENTWISE[loss_name]
    y = np.zeros((4, 3))
    assert_refused(error, [f"{loss_name}: ", *fragments], function, y, y, **arguments)


@pytest.mark.parametrize("function", [softmax_cross_entropy, mean_squared_error])
def test_out_is_an_array_of_its_own(function):
    memory = np.full((4, 3), 1 / 3)
    y, target = memory[:2], memory[2:]
    for out, name in ((y, "logits" if function is softmax_cross_entropy else "y"),
                      (target, "labels" if function is softmax_cross_entropy else "target"),
                      (memory[1:3], "")):  # fmt: skip
        fragments = [f"{function.__name__}: out shares memory with {name}", "of its own"]
        assert_refused(ValueError, fragments, function, y, target, out)


def test_a_target_of_binary_cross_entropy_is_a_probability_where_it_counts():
    x = np.zeros((2, 2))
    for targets in ([[0, 1], [2, 0]], [[0, 1], [-1, 0]], [[0, 1], [np.nan, 0]]):
        fragments = ["binary_cross_entropy: targets runs from", "[0, 1]"]
        assert_refused(ValueError, fragments, binary_cross_entropy, x, targets)
        assert binary_cross_entropy(x, targets, mask=[True, False])[0] > 0
        assert_refused(ValueError, fragments, binary_cross_entropy, x, targets, mask=[False, True])
