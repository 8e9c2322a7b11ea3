"""Losses that are a mean over numbers: squared error, and yes-or-no questions."""

import numpy as np

from rnnlite import checking
from rnnlite.kernels import losses as kernels
from rnnlite.losses import arguments

EVERYTHING = np.ones(1, np.bool_)  # one block, the whole array, and it counts


def mean_squared_error(
    y, target, out=None, *, mask=None, lengths=None, weights=None, return_weights=False
):
    """Mean of the squared differences, and its gradient.

        loss = mean((y - target)^2),  dy = 2 (y - target) / n

    Parameters
    ----------
    y : array_like, of any shape
        What the model computed, as (B, F) or (B, T, F).
    target : array_like, in the shape of y
        What it should be.
    out : numpy.ndarray, optional
        Where dy is written: C-contiguous, of y's shape and dtype.
    mask : array_like of bool, in the shape of y's first axes, optional
        (B,), (B, T) or up to all of y's shape.  What is False does not count: it adds nothing,
        its gradient is zero, and y and target may be anything there.
    lengths : array_like of int (B,), optional
        For y (B, T, F), instead of a mask: steps of each row that count, 0 to T.
    weights : array_like, in the shape of y's first axes, optional
        How much a row, a step or a number counts, not negative; 0 as False in a mask.
    return_weights : bool
        Whether to return what counts.

    Returns
    -------
    loss : float
        Mean over the n numbers that count; 0 if there are none.
    dy : numpy.ndarray
        Dloss/dy, in the shape and dtype of ``y``.
    weights : numpy.ndarray of bool or float64, with ``return_weights``
        What counts: in the shape of mask or weights, or of y without its last axis.

    Examples
    --------
    >>> mean_squared_error([[1.0, 2.0]], [[1.0, 5.0]])
    (4.5, array([[ 0., -3.]]))
    """
    return _elementwise(
        "mean_squared_error", kernels.squared_error,
        "y", y, "target", target, out, mask, lengths, weights, return_weights,
    )  # fmt: skip


def binary_cross_entropy(
    logits, targets, out=None, *, mask=None, lengths=None, weights=None, return_weights=False
):
    """Mean cross-entropy of independent yes-or-no questions, and its gradient.

        p = σ(logits),  loss = -mean(t log p + (1 - t) log(1 - p)),  dlogits = (p - t) / n

    Computed from the logits: no rounding turns p into 0 or 1, whose logarithm is infinite.

    Parameters
    ----------
    logits : array_like, of any shape
        Scores before the sigmoid, as (B, F) or (B, T, F).
    targets : array_like, in the shape of logits: t, 0 or 1, or a probability
    out, mask, lengths, weights, return_weights : as in ``mean_squared_error``

    Returns
    -------
    loss : float
    dlogits : numpy.ndarray
        Dloss/dlogits, in the shape and dtype of ``logits``.
    weights : numpy.ndarray of bool or float64, with ``return_weights``

    Examples
    --------
    >>> loss, dlogits = binary_cross_entropy([[0.0, 0.0]], [[1, 0]])
    >>> round(loss, 4), dlogits          # log 2
    (0.6931, array([[-0.25,  0.25]]))
    """
    return _elementwise(
        "binary_cross_entropy", kernels.logistic_cross_entropy,
        "logits", logits, "targets", targets, out, mask, lengths, weights, return_weights, True,
    )  # fmt: skip


def _elementwise(
    where, kernel, name, y, target_name, target, out, mask, lengths, weights, return_weights,
    between_0_and_1=False,
):  # fmt: skip
    """Check, then one kernel call."""
    y = checking.real_array(where, name, y)
    if y.ndim == 0 or y.size == 0:
        raise ValueError(f"{where}: {name} has shape {y.shape}; it must hold at least one row")
    y = checking.contiguous(y, checking.common_float(y))
    # No broadcasting: (B,) against (B, 1) would quietly compare everything with everything.
    target = checking.shaped(where, target_name, target, y.shape, f"as {name}", y.dtype)
    out = arguments.gradient_array(where, out, y, {name: y, target_name: target})
    counted = arguments.counted(where, name, y, y.shape, mask, lengths, weights)
    if between_0_and_1:
        which = True if counted is None else arguments.over(counted != 0, y.ndim)
        low, high = target.min(initial=1.0, where=which), target.max(initial=0.0, where=which)
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(
                f"{where}: {target_name} runs from {low:.4g} to {high:.4g}; each must lie in [0, 1]"
            )
    weights, loss = counted, None
    if counted is None:
        weights, counted = np.ones(y.shape[:-1] or y.shape, np.bool_), EVERYTHING
    if counted.any():
        flat, block = counted.ravel(), y.size // counted.size
        loss = kernel(y.ravel(), target.ravel(), flat, block, out.ravel())
    return arguments.result(loss, out, weights, return_weights)
