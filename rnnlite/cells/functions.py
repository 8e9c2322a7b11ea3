"""The functions that a cell's equations may use, beside ``+ - * /``.

Called with NumPy arrays they are plain NumPy.  Inside a compiled kernel the
same names stand for ``rnnlite.kernels.activations``, which work on a whole
vector register at once; so one text of an equation serves for both.

All take arrays, or numbers beside an array, and return an array.
"""

import numpy as np
from numba.extending import overload

from rnnlite.kernels import activations, simd


def exp(x):
    """e to the power of x (compiled: at most e^87 in float32, e^708 in float64).

    Examples
    --------
    >>> exp(np.array([0.0]))
    array([1.])
    """
    return np.exp(x)


def tanh(x):
    """Hyperbolic tangent.

    Examples
    --------
    >>> tanh(np.array([0.0, 40.0]))
    array([0., 1.])
    """
    return np.tanh(x)


def sigmoid(x):
    """Logistic function 1 / (1 + e^-x) = (1 + tanh(x/2)) / 2.

    Examples
    --------
    >>> sigmoid(np.array([0.0, 800.0, -800.0]))
    array([0.5, 1. , 0. ])
    """
    return 0.5 * (np.tanh(0.5 * x) + 1.0)


def relu(x):
    """The larger of x and 0; NaN stays NaN.

    Examples
    --------
    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    return np.maximum(x, 0.0)


def clip(x, low, high):
    """Bound x to [low, high]; NaN stays NaN.

    Examples
    --------
    >>> clip(np.array([-2.0, 0.5, 3.0]), -1.0, 1.0)
    array([-1. ,  0.5,  1. ])
    """
    return np.minimum(np.maximum(x, low), high)


def where_positive(condition, value):
    """``value`` where ``condition`` > 0, else 0: the slope of ReLU.

    Examples
    --------
    >>> where_positive(np.array([-1.0, 1.0]), np.array([5.0, 6.0]))
    array([0., 6.])
    """
    return np.where(condition > 0.0, value, np.zeros_like(value))


def within(x, low, high, value):
    """``value`` where low < x < high, else 0: the slope of something that was clipped.

    Where x is NaN, ``value`` stays, to be seen.

    Examples
    --------
    >>> x = np.array([-2.0, 0.5, 3.0])
    >>> within(x, -1.0, 1.0, np.ones(3))
    array([0., 1., 0.])
    """
    return np.where((x <= low) | (x >= high), np.zeros_like(value), value)


def zero_like(x):
    """Zeros in the shape of x.

    Examples
    --------
    >>> zero_like(np.array([2.0]))
    array([0.])
    """
    return np.zeros_like(x)


def _one_argument(function, register, plain):
    @overload(function)
    def _compiled(x):
        return register if isinstance(x, simd.Vector) else plain


_one_argument(exp, lambda x: activations.exp(x), lambda x: np.exp(x))
_one_argument(tanh, lambda x: activations.tanh(x), lambda x: np.tanh(x))
_one_argument(sigmoid, lambda x: activations.sigmoid(x), lambda x: 0.5 * (np.tanh(0.5 * x) + 1.0))
_one_argument(relu, lambda x: activations.relu(x), lambda x: np.maximum(x, 0.0))
_one_argument(zero_like, lambda x: simd.zero_like(x), lambda x: np.zeros_like(x))


@overload(clip)
def _compiled_clip(x, low, high):
    if isinstance(x, simd.Vector):
        return lambda x, low, high: simd.clip(x, low, high)
    return lambda x, low, high: np.minimum(np.maximum(x, low), high)


@overload(where_positive)
def _compiled_where_positive(condition, value):
    if isinstance(condition, simd.Vector):
        return lambda condition, value: simd.where_positive(condition, value)
    return lambda condition, value: np.where(condition > 0.0, value, np.zeros_like(value))


@overload(within)
def _compiled_within(x, low, high, value):
    if isinstance(x, simd.Vector):
        return lambda x, low, high, value: simd.zero_from(x, high, simd.zero_from(-x, -low, value))
    return lambda x, low, high, value: np.where(
        (x <= low) | (x >= high), np.zeros_like(value), value
    )
