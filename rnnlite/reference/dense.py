"""The affine map y = x W + b; its gradients also end every cell's way back."""

from collections import namedtuple

import numpy as np

from rnnlite.reference.arrays import float_type, shaped
from rnnlite.reference.bfloat16 import rounding

DenseGradients = namedtuple("DenseGradients", "dx dW db")


def dense_forward(x, W, b, compute_dtype=None):
    """Affine map ``y = x W + b``: x (..., I), W (I, O), b (O,), y (..., O).

    compute_dtype is None, or what x, W and b are rounded to; see ``bfloat16.py``.

    >>> print(dense_forward([[1.0, 2.0]], [[1.0], [10.0]], [100.0]))
    [[121.]]
    """
    dtype = float_type(x, W, b)
    W = shaped("dense_forward", "W", W, ("input", "output"), dtype)
    x = shaped("dense_forward", "x", x, (*np.shape(x)[:-1], len(W)), dtype)
    b = shaped("dense_forward", "b", b, (W.shape[1],), dtype)
    _, rounded = rounding("dense_forward", compute_dtype, dtype)
    return rounded(x) @ rounded(W) + rounded(b)


def dense_backward(dy, x, W, compute_dtype=None):
    """Gradients (dx, dW, db) of ``dense_forward``: dy (..., O), x (..., I), W (I, O).

    compute_dtype as there, for dy, x and W.

    >>> dx, dW, db = dense_backward([[1.0]], [[1.0, 2.0]], [[1.0], [10.0]])
    >>> print(dx, dW.ravel(), db)
    [[ 1. 10.]] [1. 2.] [1.]
    """
    dtype = float_type(dy, x, W)
    W = shaped("dense_backward", "W", W, ("input", "output"), dtype)
    x = shaped("dense_backward", "x", x, (*np.shape(x)[:-1], len(W)), dtype)
    dy = shaped("dense_backward", "dy", dy, (*x.shape[:-1], W.shape[1]), dtype)
    rounded_for_weights, rounded = rounding("dense_backward", compute_dtype, dtype)
    dx = rounded(dy) @ rounded(W).T  # y = x W + b
    x, dy = (rounded_for_weights(a.reshape(-1, a.shape[-1])) for a in (x, dy))
    return DenseGradients(dx, x.T @ dy, dy.sum(axis=0))
