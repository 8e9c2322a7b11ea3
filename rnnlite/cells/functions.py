"""The functions that a cell's equations may use, beside ``+ - * /``.

Called with NumPy arrays they are plain NumPy.  Inside a compiled kernel the same names stand for
functions of a whole vector register; so one text of an equation serves for both.  All take arrays,
or numbers beside an array, and return an array.

>>> clip(np.array([-2.0, 0.5, 3.0]), -1.0, 1.0)
array([-1. ,  0.5,  1. ])
>>> within(np.array([-2.0, 0.5, 3.0]), -1.0, 1.0, np.ones(3))
array([0., 1., 0.])
>>> where_positive(np.array([-1.0, 1.0]), np.array([5.0, 6.0]))
array([0., 6.])
>>> sigmoid(np.array([0.0, 800.0, -800.0]))
array([0.5, 1. , 0. ])
"""

import numpy as np
from numba.extending import overload

from rnnlite.kernels import activations, simd


def exp(x):
    """e to the power of x (compiled: at most e^87 in float32, e^708 in float64)."""
    return np.exp(x)


def tanh(x):
    """Hyperbolic tangent."""
    return np.tanh(x)


def sigmoid(x):
    """Logistic function 1 / (1 + e^-x) = (1 + tanh(x/2)) / 2."""
    return 0.5 * (np.tanh(0.5 * x) + 1.0)


def relu(x):
    """The larger of x and 0; NaN stays NaN."""
    return np.maximum(x, 0.0)


def clip(x, low, high):
    """Bound x to [low, high]; NaN stays NaN."""
    return np.minimum(np.maximum(x, low), high)


def where_positive(condition, value):
    """``value`` where ``condition`` > 0, else 0: the slope of ReLU."""
    return np.where(condition > 0.0, value, np.zeros_like(value))


def within(x, low, high, value):
    """``value`` where low < x < high or x is NaN, else 0: the slope of what was clipped."""
    return np.where((x <= low) | (x >= high), np.zeros_like(value), value)


def zero_like(x):
    """Zeros in the shape of x."""
    return np.zeros_like(x)


def _in_kernels(function, of_registers):
    """In kernels, ``function`` is ``of_registers`` of registers, and itself of arrays."""

    @overload(function, strict=False)
    def _choose(*values, **named):
        kinds = (*values, *named.values())
        return of_registers if any(isinstance(kind, simd.Vector) for kind in kinds) else function


_in_kernels(exp, lambda x: activations.exp(x))
_in_kernels(tanh, lambda x: activations.tanh(x))
_in_kernels(sigmoid, lambda x: activations.sigmoid(x))
_in_kernels(relu, lambda x: activations.relu(x))
_in_kernels(clip, lambda x, low, high: simd.clip(x, low, high))
_in_kernels(where_positive, lambda condition, value: simd.where_positive(condition, value))
_in_kernels(
    within, lambda x, low, high, value: simd.zero_from(x, high, simd.zero_from(-x, -low, value))
)
_in_kernels(zero_like, lambda x: simd.zero_like(x))
