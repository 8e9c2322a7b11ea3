"""Functions of single numbers: the logistic function, the bounds of ``clip``, activations."""

import math

import numpy as np

from rnnlite.reference.arrays import float_type, shaped


def sigmoid(a):
    """Logistic function 1 / (1 + exp(-a)), without overflow for any ``a``.

    >>> print(sigmoid(np.array([-1000.0, 0.0, 1000.0])))
    [0.  0.5 1. ]
    """
    e = np.exp(-np.abs(a))  # at most 1: exp never sees a large positive number
    return np.where(a >= 0, 1, e) / (1 + e)  # 1 / (1 + exp(-a)) = exp(a) / (1 + exp(a))


def bounded(a, clip):
    """``a`` held to [-clip, clip]."""
    return np.clip(a, -clip, clip)


def bounded_slope(a, clip):
    """Derivative of ``bounded`` by ``a``: True (1) if -clip < a < clip, else False (0)."""
    return np.abs(a) < clip


def _tanh(x):
    y = np.tanh(x)
    return y, 1 - y**2


def _relu(x):
    return np.maximum(x, 0), np.where(x > 0, 1.0, 0.0)


def _sigmoid(x):
    y = sigmoid(x)
    return y, y * (1 - y)


def _gelu(x):  # x Φ(x); Φ' = φ
    Φ = np.vectorize(lambda a: math.erfc(-a / math.sqrt(2)) / 2, otypes=[float])(x)
    φ = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return x * Φ, Φ + x * φ


def _silu(x):  # x σ(x)
    return x * sigmoid(x), sigmoid(x) + x * sigmoid(x) * (1 - sigmoid(x))


def _softplus(x):  # log(1 + e^x)
    return np.logaddexp(0, x), sigmoid(x)


# Each gives y and dy/dx.
ACTIVATIONS = {
    "tanh": _tanh, "relu": _relu, "sigmoid": _sigmoid,
    "gelu": _gelu, "silu": _silu, "softplus": _softplus,
}  # fmt: skip


def activation_forward(x, function):
    """The function of every number of x; ``function`` is a name of ``rnnlite.Activation``.

    >>> print(activation_forward([-1.0, 2.0], "relu"))
    [0. 2.]
    """
    x = np.asarray(x, float_type(x))
    return ACTIVATIONS[function](x)[0].astype(x.dtype)


def activation_backward(dy, x, function):
    """dx of ``activation_forward``, whose arguments are x and ``function``: dy, x of one shape.

    >>> print(activation_backward([5.0, 5.0], [-1.0, 2.0], "relu"))
    [0. 5.]
    """
    dtype = float_type(dy, x)
    x = np.asarray(x, dtype)
    dy = shaped("activation_backward", "dy", dy, x.shape, dtype)
    return (dy * ACTIVATIONS[function](x)[1]).astype(dtype)
