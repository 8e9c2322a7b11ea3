"""Losses: label smoothing, class weights, padding; squared error and binary cross-entropy.

Gradients are held to central differences and to PyTorch, losses to a slow twin in plain NumPy.
"""

import math
import tracemalloc

import numpy as np
import pytest
from conftest import (
    assert_close,
    assert_refused,
    assert_same_bits,
    every_dtype,
    needs_jit,
    sized,
)

from rnnlite.kernels import losses as kernels
from rnnlite.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy

B, T, C = 4, 3, 5
LENGTHS = np.array([3, 1, 2, 3])
INSIDE = np.arange(T) < LENGTHS[:, None]

# name: (shape of logits, options)
OPTIONS = {
    "plain": ((B, C), {}),
    "smoothing": ((B, C), {"label_smoothing": 0.2}),
    "only-smoothing": ((B, C), {"label_smoothing": 1.0}),
    "weights": ((B, C), {"class_weights": [0.5, 2.0, 1.0, 0.0, 3.0]}),
    "smoothing-weights": ((B, C), {"label_smoothing": 0.1, "class_weights": [1, 2, 3, 0, 1]}),
    "mask": ((B, C), {"mask": [True, False, True, True]}),
    "every-step": ((B, T, C), {}),
    "mask-of-rows": ((B, T, C), {"mask": [False, True, True, False]}),
    "mask-of-steps": ((B, T, C), {"mask": INSIDE}),
    "lengths": ((B, T, C), {"lengths": LENGTHS}),
    "everything": (
        (B, T, C),
        {"label_smoothing": 0.3, "class_weights": [1, 0.2, 3, 0, 1], "lengths": LENGTHS},
    ),
}
every_option = pytest.mark.parametrize("name", OPTIONS)
one_hot_or_not = pytest.mark.parametrize("kind", ["classes", "one-hot", "probabilities"])


def case(name, kind="classes", dtype=np.float64):
    """Logits, labels and options; some rows have a class of weight 0."""
    shape, options = OPTIONS[name]
    rng = np.random.default_rng(len(name))
    logits = rng.normal(0.0, 2.0, shape).astype(dtype)
    labels = rng.integers(0, C, shape[:-1])
    labels.flat[0], labels.flat[3] = 3, 4  # 3 has weight 0
    if kind == "one-hot":
        labels = np.eye(C, dtype=dtype)[labels]
    elif kind == "probabilities":
        labels = rng.dirichlet(np.ones(C), shape[:-1]).astype(dtype)
    return logits, labels, options


def counted_rows(shape, mask=None, lengths=None):
    """Which rows (2-D) or steps (3-D) count, as booleans over shape."""
    counted = np.ones(shape, bool)
    if mask is not None:
        mask = np.asarray(mask)
        counted &= mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim))
    if lengths is not None:
        steps = np.arange(shape[1]).reshape((1, -1) + (1,) * (len(shape) - 2))
        counted &= steps < np.asarray(lengths).reshape((-1,) + (1,) * (len(shape) - 1))
    return counted


def slow_cross_entropy(logits, labels, label_smoothing=0.0, class_weights=None, **padding):
    """The definition, row by row."""
    w = np.ones(C) if class_weights is None else np.asarray(class_weights, float)
    total = weight = 0.0
    for row in np.argwhere(counted_rows(logits.shape[:-1], **padding)):
        x, q = logits[tuple(row)], labels[tuple(row)]
        if q.ndim == 0:
            q = np.eye(C)[q]
        log_p = x - np.log(np.exp(x).sum())
        total -= (w * ((1.0 - label_smoothing) * q + label_smoothing / C) * log_p).sum()
        weight += (w * q).sum()
    return total / weight


def slow_squared_error(y, target, **padding):
    """The definition."""
    return ((y - target)[counted_rows(y.shape, **padding)] ** 2).mean()


def slow_binary_cross_entropy(x, t, **padding):
    """The definition."""
    p = 1.0 / (1.0 + np.exp(-x))
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))[counted_rows(x.shape, **padding)].mean()


def estimate(function, y, step=1e-5):
    """Central differences of a scalar function of y."""
    gradient = np.empty_like(y)
    for at in np.ndindex(y.shape):
        up, down = y.copy(), y.copy()
        up[at] += step
        down[at] -= step
        gradient[at] = (function(up) - function(down)) / (2 * step)
    return gradient


def check_against_definition(loss_function, slow, y, target, options):
    """Loss to the definition, gradient to central differences of the definition."""
    loss, gradient = loss_function(y, target, **options)
    assert isinstance(loss, float)
    assert_close("loss", loss, slow(y, target, **options), 1e-12)
    assert_close("gradient", gradient, estimate(lambda y: slow(y, target, **options), y), 1e-8)


# --- cross-entropy --------------------------------------------------------------------------


@every_option
@one_hot_or_not
def test_cross_entropy_is_the_definition_and_its_derivative(name, kind):
    logits, labels, options = case(name, kind)
    check_against_definition(softmax_cross_entropy, slow_cross_entropy, logits, labels, options)


@every_option
def test_a_one_hot_label_is_worth_the_same_as_its_class(name):
    logits, labels, options = case(name)
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    other_loss, other = softmax_cross_entropy(logits, np.eye(C)[labels], **options)
    assert_close("loss", other_loss, loss, 1e-14)
    assert_close("dlogits", other, dlogits, 1e-14)


@every_option
@pytest.mark.parametrize("kind", ["classes", "probabilities"])
def test_cross_entropy_is_that_of_pytorch(name, kind):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    logits, labels, options = case(name, kind)
    counted = counted_rows(
        logits.shape[:-1], **{k: v for k, v in options.items() if k in ("mask", "lengths")}
    )
    x = torch.tensor(logits, requires_grad=True)
    weights = options.get("class_weights")
    weights = np.ones(C) if weights is None else np.asarray(weights, float)
    expected = torch.nn.functional.cross_entropy(
        x[torch.tensor(counted)],
        torch.tensor(labels[counted]),
        weight=torch.tensor(weights),
        label_smoothing=options.get("label_smoothing", 0.0),
    )
    if kind == "probabilities":  # PyTorch divides by the rows there, whatever they weigh
        expected = expected * counted.sum() / (labels[counted] * weights).sum()
    expected.backward()
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    assert_close("loss", loss, expected.item(), 1e-10)
    assert_close("dlogits", dlogits, x.grad.numpy(), 1e-10)


def test_options_that_change_nothing_change_nothing():
    for name in ("plain", "every-step"):
        logits, labels, _ = case(name)
        loss, dlogits = softmax_cross_entropy(logits, labels)
        for option in (
            {"class_weights": np.ones(C)},
            {"class_weights": np.full(C, 7.0)},
            {"mask": np.ones(B, bool)},
            {"mask": np.ones(labels.shape, bool), "label_smoothing": 0.0},
        ):
            other_loss, other = softmax_cross_entropy(logits, labels, **option)
            assert_close("loss", other_loss, loss, 1e-14)
            assert_close("dlogits", other, dlogits, 1e-14)


@pytest.mark.parametrize("name", ["mask", "mask-of-rows", "mask-of-steps", "lengths", "everything"])
@one_hot_or_not
@every_dtype
def test_padding_reaches_neither_loss_nor_gradient(name, kind, dtype):
    logits, labels, options = case(name, kind, dtype)
    padding = {k: v for k, v in options.items() if k in ("mask", "lengths")}
    outside = ~counted_rows(logits.shape[:-1], **padding)
    assert outside.any()
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    assert_same_bits("dlogits of padding", dlogits[outside], np.zeros_like(logits[outside]))
    for anything in (np.nan, np.inf, -np.inf, 1e30):
        spoiled, spoiled_labels = logits.copy(), labels.copy()
        spoiled[outside] = anything
        spoiled_labels[outside] = -100 if kind == "classes" else anything
        out = np.full_like(logits, np.nan)
        other_loss, other = softmax_cross_entropy(spoiled, spoiled_labels, out, **options)
        assert other_loss == loss
        assert_same_bits("dlogits", other, dlogits)
        assert other is out


@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_a_nan_that_counts_reaches_the_loss(kind):
    logits, labels, options = case("everything", kind)
    logits[2, 1, 4] = np.nan
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    assert np.isnan(loss)
    assert np.isnan(dlogits[2, 1]).all()
    assert np.isfinite(dlogits[0]).all()


def test_an_excluded_class_costs_nothing_without_smoothing_and_everything_with_it():
    logits = np.array([[0.0, 0.0, -np.inf]])
    loss, dlogits = softmax_cross_entropy(logits, [0], class_weights=[1, 1, 1])
    assert_close("loss", loss, np.log(2.0), 1e-15)
    assert_close("dlogits", dlogits, [[-0.5, 0.5, 0.0]], 1e-15)
    assert softmax_cross_entropy(logits, [0], label_smoothing=0.1)[0] == np.inf


@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_an_excluded_class_of_weight_0_costs_nothing_at_all(kind):
    logits = np.array([[0.0, 1.0, -np.inf], [1.0, 0.0, -np.inf], [0.0, 0.0, -np.inf]])
    labels = [0, 1, 2] if kind == "classes" else np.eye(3)
    options = {"class_weights": [1.0, 1.0, 0.0], "label_smoothing": 0.3}
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    u = np.array([[0.8, 0.1], [0.1, 0.8], [0.1, 0.1]])
    log_p = logits[:, :2] - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert_close("loss", loss, -(u * log_p).sum() / 2, 1e-14)
    expected = (u.sum(axis=1, keepdims=True) * np.exp(log_p) - u) / 2
    assert_close("dlogits", dlogits, np.column_stack([expected, np.zeros(3)]), 1e-14)


@every_option
@one_hot_or_not
@every_dtype
@pytest.mark.parametrize("shift", [-1e30, 1e30])
def test_huge_logits_cost_what_equal_ones_do(name, kind, dtype, shift):
    """The shift swallows the differences; it must not swallow the logarithm of the sum."""
    logits, labels, options = case(name, kind)
    loss, dlogits = softmax_cross_entropy(np.zeros_like(logits), labels, **options)
    shifted = logits.astype(dtype) + dtype(shift)
    other_loss, other = softmax_cross_entropy(shifted, labels, **options)
    assert_close("loss", other_loss, loss, 1e-6)
    assert_close("dlogits", other, dlogits, 1e-6)


@every_option
@one_hot_or_not
def test_float32_is_close_to_float64(name, kind):
    logits, labels, options = case(name, kind, np.float32)
    if kind != "classes":
        labels = labels.astype(np.float64)
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    wanted_loss, wanted = softmax_cross_entropy(logits.astype(np.float64), labels, **options)
    assert dlogits.dtype == np.float32
    assert_close("loss", loss, wanted_loss, 1e-6)
    assert_close("dlogits", dlogits, wanted, 1e-6)


# For four rows, of each loss.
WRONG_WEIGHTS = [
    ({"weights": ["a"] * 4}, TypeError, ["weights", "real numbers"]),
    ({"weights": [1.0] * 3}, ValueError, ["weights has shape (3,)", "(4,)"]),
    ({"weights": [1.0, 1.0, 1.0, -1.0]}, ValueError, ["weights runs from -1 to 1", "not negative"]),
    ({"weights": [1.0, 1.0, 1.0, np.inf]}, ValueError, ["weights runs from 1 to inf", "finite"]),
]


@pytest.mark.parametrize(
    ("arguments", "error", "fragments"),
    [
        ({"label_smoothing": 1.5}, ValueError, ["label_smoothing is 1.5", "[0.0, 1.0]"]),
        ({"label_smoothing": np.zeros(2)}, TypeError, ["label_smoothing is array", "a number"]),
        ({"label_smoothing": False}, TypeError, ["label_smoothing is False", "a number"]),
        ({"label_smoothing": "0"}, TypeError, ["label_smoothing is '0'", "a number"]),
        ({"class_weights": [1, 2]}, ValueError, ["class_weights has shape (2,)", "(5,)"]),
        ({"class_weights": [1, 2, 3, 4, -1]}, ValueError, ["class_weights", "-1", "not negative"]),
        ({"class_weights": [1, 2, 3, 4, np.nan]}, ValueError, ["class_weights", "finite"]),
        ({"class_weights": [0] * 5}, ValueError, ["class_weights is 0 for every class"]),
        ({"mask": [[1, 1, 1]] * 4}, TypeError, ["mask holds int64", "True and False"]),
        ({"mask": [True] * 3}, ValueError, ["mask has shape (3,)", "(4,) or (4, 3)", "(4, 3, 5)"]),
        ({"mask": True}, ValueError, ["mask has shape ()"]),
        ({"mask": np.ones((B, T, C), bool)}, ValueError, ["mask has shape (4, 3, 5)"]),
        ({"mask": [True] * 4, "lengths": [1] * 4}, ValueError, ["mask and lengths", "one of them"]),
        ({"lengths": [1, 2, 3, 4]}, ValueError, ["lengths runs from 1 to 4", "0..3"]),
        ({"lengths": [1, 2, 3]}, ValueError, ["lengths has shape (3,)", "(4,)"]),
        *WRONG_WEIGHTS,
    ],
)
@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_wrong_options_are_explained(arguments, error, fragments, kind):
    labels = np.zeros((B, T), int) if kind == "classes" else np.tile(np.eye(C)[0], (B, T, 1))
    assert_refused(
        error, ["softmax_cross_entropy: ", *fragments],
        softmax_cross_entropy, np.zeros((B, T, C)), labels, **arguments,
    )  # fmt: skip


def test_wrong_labels_are_explained_only_where_they_count():
    logits = np.zeros((2, C))
    fragments = ["labels runs from -1 to 0", "0..4"]
    assert_refused(ValueError, fragments, softmax_cross_entropy, logits, [0, -1], label_smoothing=1)
    mask = [True, False]
    assert softmax_cross_entropy(logits, [0, -1], mask=mask)[0] > 0
    mask = [False, True]
    assert_refused(
        ValueError, ["labels runs from -1 to -1"], softmax_cross_entropy, logits, [0, -1], mask=mask
    )
    q = np.full((2, C), 0.2)
    q[1] = 0.0
    assert softmax_cross_entropy(logits, q, mask=[True, False])[0] > 0
    assert_refused(
        ValueError, ["must sum to 1 (found 0 to 0)"], softmax_cross_entropy, logits, q, mask=mask
    )
    assert_refused(
        ValueError, ["lengths is for logits of 3 axes", "(2, 5)"],
        softmax_cross_entropy, logits, [0, 0], lengths=[1, 1],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("logits", "labels", "error", "fragments"),
    [
        (np.zeros(3), [0], ValueError, ["logits has shape (3,)", "(batch, classes)"]),
        (np.zeros((2, 3)), [0, 1, 2], ValueError, ["labels has shape (3,)", "(2,)", "(2, 3)"]),
        (np.zeros((2, 3)), [0.0, 1.0], TypeError, ["labels holds float64", "whole numbers"]),
    ],
)
def test_wrong_arrays_are_explained(logits, labels, error, fragments):
    fragments = ["softmax_cross_entropy: ", *fragments]
    assert_refused(error, fragments, softmax_cross_entropy, logits, labels, label_smoothing=0.1)


# --- squared error and binary cross-entropy -------------------------------------------------

ELEMENTWISE = {
    "mean_squared_error": (mean_squared_error, slow_squared_error, "mse_loss"),
    "binary_cross_entropy": (
        binary_cross_entropy,
        slow_binary_cross_entropy,
        "binary_cross_entropy_with_logits",
    ),
}
every_loss = pytest.mark.parametrize("loss_name", ELEMENTWISE)
PADDING = {
    "none": ((B, C), {}),
    "flat": ((B,), {}),
    "rows": ((B, C), {"mask": [True, False, True, True]}),
    "elements": ((B, T), {"mask": INSIDE}),
    "steps": ((B, T, C), {"mask": INSIDE}),
    "lengths": ((B, T, C), {"lengths": LENGTHS}),
    "rows-of-steps": ((B, T, C), {"mask": [False, True, True, False]}),
    "four-axes": ((B, T, 2, 2), {"mask": INSIDE}),
}
every_padding = pytest.mark.parametrize("padding", PADDING)


def elementwise_case(padding, dtype=np.float64):
    """y, target in [0, 1] and options."""
    shape, options = PADDING[padding]
    rng = np.random.default_rng(len(padding))
    target = rng.random(shape)
    target.flat[:2] = 0.0, 1.0
    return rng.normal(0.0, 2.0, shape).astype(dtype), target.astype(dtype), options


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


# --- memory, and where the arrays lie -------------------------------------------------------


@needs_jit
@pytest.mark.parametrize(
    "function", [softmax_cross_entropy, *(f for f, _, _ in ELEMENTWISE.values())]
)
@pytest.mark.parametrize("padded", [False, True])
def test_nothing_large_is_allocated_when_out_is_given(function, padded):
    y = np.zeros((50, 40, 100), np.float32)
    target, out = np.full_like(y, 0.01), np.empty_like(y)
    options = {"lengths": np.full(50, 7)} if padded else {}
    function(y, target, out, **options)
    tracemalloc.start()
    function(y, target, out, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < y.nbytes / 10


@needs_jit
@pytest.mark.parametrize(("rows", "classes"), [(3, 8), (2, 4), (1, 10), (2, 17)])
def test_the_same_bits_wherever_the_arrays_lie(rows, classes):
    """Arrays side by side once took another loop, which summed in another order."""
    rng = np.random.default_rng(0)
    n = rows * classes
    values, label = rng.normal(0, 3, n), rng.integers(0, classes, rows)
    q, w, yes = rng.dirichlet(np.ones(classes), rows).ravel(), rng.random(classes), np.ones(1, bool)
    counted = np.ones(rows, bool)
    for dtype in (np.float32, np.float64):
        memory = np.zeros(8 * n + 100, dtype)
        for kernel, arguments in (
            (kernels.cross_entropy_of_classes, lambda x, q, o: (x, label, o, rows, classes)),
            (kernels.cross_entropy_of_distributions, lambda x, q, o: (x, q, o, rows, classes)),
            (
                kernels.weighted_cross_entropy_of_classes,
                lambda x, q, o: (x, label, w, 0.1, counted, o, rows, classes),
            ),
            (
                kernels.weighted_cross_entropy_of_distributions,
                lambda x, q, o: (x, q, w, 0.1, counted, o, rows, classes),
            ),
            (kernels.squared_error, lambda x, q, o: (x, q, yes, n, o)),
            (kernels.logistic_cross_entropy, lambda x, q, o: (x, q, yes, n, o)),
        ):
            far, x = memory[:n], memory[4 * n + 50 : 5 * n + 50]
            results = set()
            for gap in range(40):
                for start in (5 * n + 50 + gap, 3 * n + 50 - gap):  # after x, before x
                    near = memory[start : start + n]
                    for target, out in ((far, near), (near, far)):
                        x[...], target[...] = values, q
                        total = kernel(*arguments(x, target, out))
                        results.add((np.float64(total).tobytes(), out.tobytes()))
            assert len(results) == 1, kernel.__name__


# --- the checks above can fail --------------------------------------------------------------


def test_a_planted_mistake_is_refused():
    logits, labels, options = case("everything")
    padding = {"lengths": options["lengths"]}

    def off_by_a_thousandth(*arguments, **options):
        loss, gradient = softmax_cross_entropy(*arguments, **options)
        gradient[0, 0, 1] *= 1.001
        return loss, gradient

    def mean_over_all_rows(logits, labels, **options):
        loss, gradient = softmax_cross_entropy(logits, labels, **options)
        share = INSIDE.sum() / INSIDE.size
        return loss * share, gradient * share

    def padding_counts(logits, labels, lengths, **options):
        return softmax_cross_entropy(logits, labels, **options)

    def weights_forgotten(logits, labels, class_weights, **options):
        return softmax_cross_entropy(logits, labels, **options)

    def mean_over_rows_instead_of_weights(logits, labels, class_weights, **options):
        loss, gradient = softmax_cross_entropy(
            logits, labels, class_weights=class_weights, **options
        )
        share = np.asarray(class_weights)[labels[INSIDE]].mean()
        return loss * share, gradient * share

    def smoothing_over_the_other_classes(logits, labels, label_smoothing, **options):
        return softmax_cross_entropy(
            logits, labels, label_smoothing=label_smoothing * C / (C - 1), **options
        )

    for wrong in (
        off_by_a_thousandth,
        mean_over_all_rows,
        padding_counts,
        weights_forgotten,
        mean_over_rows_instead_of_weights,
        smoothing_over_the_other_classes,
    ):
        with pytest.raises(AssertionError, match="differs first"):
            check_against_definition(wrong, slow_cross_entropy, logits, labels, options)

    y, target, _ = elementwise_case("lengths")
    for function, slow in (
        (mean_squared_error, slow_squared_error),
        (binary_cross_entropy, slow_binary_cross_entropy),
    ):
        for factor in (0.5, 1.001):

            def scaled(y, target, function=function, factor=factor, **options):
                loss, gradient = function(y, target, **options)
                return loss, factor * gradient

            with pytest.raises(AssertionError, match="`gradient` differs first"):
                check_against_definition(scaled, slow, y, target, padding)


def test_a_large_batch_keeps_its_digits_in_float32():
    n = sized(200_000, 2_000)
    y = np.full(n, 0.1, np.float32)
    loss, _ = mean_squared_error(y, np.zeros(n, np.float32))
    assert_close("loss", loss, float(np.float32(0.1)) ** 2, 1e-7)
