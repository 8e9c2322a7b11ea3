"""Layer normalisation: Ba, Kiros & Hinton 2016, equation 3, over the last axis."""

from collections import namedtuple

import numpy as np

from rnnlite.reference.arrays import float_type, shaped

LayerNormGradients = namedtuple("LayerNormGradients", "dx dgain db")


def layer_norm_forward(x, gain, b, eps=1e-5):
    """y = gain n + b, n = (x - mean) / sqrt(variance + ``eps``): x, y (..., F), gain, b (F,).

    >>> print(layer_norm_forward([[1.0, 3.0]], [1.0, 1.0], [0.0, 10.0], eps=0.0))
    [[-1. 11.]]
    """
    dtype = float_type(x, gain, b)
    gain, b = (np.asarray(array, dtype) for array in (gain, b))
    x = shaped("layer_norm_forward", "x", x, (*np.shape(x)[:-1], len(gain)), dtype)
    return gain * _normal(x, eps)[0] + b


def layer_norm_backward(dy, x, gain, eps=1e-5):
    """Gradients (dx, dgain, db) of ``layer_norm_forward`` with ``eps``: dy, x (..., F), gain (F,).

    >>> print(layer_norm_backward([[1.0, 0.0]], [[1.0, 3.0]], [1.0, 1.0]).db)
    [1. 0.]
    """
    dtype = float_type(dy, x, gain)
    gain = np.asarray(gain, dtype)
    x = shaped("layer_norm_backward", "x", x, (*np.shape(x)[:-1], len(gain)), dtype)
    dy = shaped("layer_norm_backward", "dy", dy, x.shape, dtype)
    n, scale = _normal(x, eps)
    dn = dy * gain  # y = gain n + b
    mean = dn.mean(axis=-1, keepdims=True)  # x - mean
    product = (dn * n).mean(axis=-1, keepdims=True)  # 1 / sqrt(variance + eps)
    rows = tuple(range(x.ndim - 1))
    return LayerNormGradients(
        scale * (dn - mean - n * product), (dy * n).sum(axis=rows), dy.sum(axis=rows)
    )


def _normal(x, eps):
    """n, and 1 / sqrt(variance + eps) of each row."""
    scale = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    return (x - x.mean(axis=-1, keepdims=True)) * scale, scale
