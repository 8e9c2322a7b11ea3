"""Losses with every option, their definitions in slow NumPy, and the check against them.

Gradients are held to central differences and to PyTorch, losses to the slow twins.
"""

import numpy as np
from conftest import assert_close

from rnnlite.losses import binary_cross_entropy, mean_squared_error

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


# For four rows, of each loss.
WRONG_WEIGHTS = [
    ({"weights": ["a"] * 4}, TypeError, ["weights", "real numbers"]),
    ({"weights": [1.0] * 3}, ValueError, ["weights has shape (3,)", "(4,)"]),
    ({"weights": [1.0, 1.0, 1.0, -1.0]}, ValueError, ["weights runs from -1 to 1", "not negative"]),
    ({"weights": [1.0, 1.0, 1.0, np.inf]}, ValueError, ["weights runs from 1 to inf", "finite"]),
]

ELEMENTWISE = {
    "mean_squared_error": (mean_squared_error, slow_squared_error, "mse_loss"),
    "binary_cross_entropy": (
        binary_cross_entropy,
        slow_binary_cross_entropy,
        "binary_cross_entropy_with_logits",
    ),
}
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


def elementwise_case(padding, dtype=np.float64):
    """y, target in [0, 1] and options."""
    shape, options = PADDING[padding]
    rng = np.random.default_rng(len(padding))
    target = rng.random(shape)
    target.flat[:2] = 0.0, 1.0
    return rng.normal(0.0, 2.0, shape).astype(dtype), target.astype(dtype), options
