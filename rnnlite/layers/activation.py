"""Activation: a nonlinear function of every number; Dense layers have one inside."""

import math

import numpy as np

from rnnlite import checking
from rnnlite.engine import stream as parts
from rnnlite.kernels import nonlinear
from rnnlite.kernels.normal import normal_distribution
from rnnlite.layers.layer import Layer


class Activation(Layer):
    """A nonlinear function of every number, of any shape (B, ...).

    ``"tanh"``, ``"relu"`` max(x, 0), ``"sigmoid"`` σ(x) = 1 / (1 + e^-x), ``"gelu"`` x Φ(x) with
    the normal distribution Φ (Hendrycks & Gimpel 2016), ``"silu"`` x σ(x) (Elfwing et al. 2018;
    also called swish), ``"softplus"`` log(1 + e^x).

    Parameters
    ----------
    function : {"tanh", "relu", "sigmoid", "gelu", "silu", "softplus"}
    dtype : {"float32", "float64"}

    Examples
    --------
    >>> Activation("relu")([[-1.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, function, dtype="float32"):
        self.function = checked("Activation", "function", function)
        super().__init__((), dtype)

    def output_features(self, features):
        """As many as come in."""
        return features

    def stream_parts(self, features):
        """The function."""
        return [parts.Nonlinear(self.function, features)]

    def forward_pass(self, x, saved):
        """y = function(x)."""
        return apply(self.function, x, saved)

    def backward_pass(self, dy, saved):
        """dx = dy function'(x)."""
        return np.multiply(dy, saved.slope, out=saved.result("dx", dy.shape, self.dtype))


def checked(where, name, value):
    """``value``, if it is the name of a function."""
    return checking.one_of(where, name, value, tuple(FUNCTIONS))


def apply(name, x, saved):
    """y = function(x); before a backward pass ``saved.slope`` is function'(x).

    The slope is computed here: x and y are the caller's, who may have changed them by then.
    """
    function, slope = FUNCTIONS[name]
    y, inner = (saved.result(part, x.shape, x.dtype) for part in ("activated", "inner"))
    function(x, y, inner)
    if saved.for_backward:
        saved.slope = saved.result("slope", x.shape, x.dtype)
        slope(x, y, inner, saved.slope)
    return y


# Each function writes y, each slope itself into ``out``; ``inner`` is memory for what is computed
# on the way.  The functions are compiled: a stream, whose steps must have the same bits, cannot
# call NumPy's.  The slopes are NumPy's, and with ``out`` nothing is allocated.


def _compute(name, x, y):
    nonlinear.of_array(name)(x.reshape(-1), y.reshape(-1))


def _tanh(x, y, inner):
    _compute("tanh", x, y)


def _tanh_slope(x, y, inner, out):  # 1 - tanh^2
    np.multiply(y, y, out=out)
    np.subtract(1, out, out=out)


def _relu(x, y, inner):
    _compute("relu", x, y)


def _relu_slope(x, y, inner, out):  # 1 for x > 0, else 0
    np.greater(x, 0, out=out, casting="unsafe")


def _sigmoid(x, y, inner):
    _compute("sigmoid", x, y)


def _sigmoid_slope(x, y, inner, out):  # σ (1 - σ)
    np.subtract(1, y, out=out)
    out *= y


def _gelu(x, y, inner):
    normal_distribution(x.reshape(-1), inner.reshape(-1))
    np.multiply(x, inner, out=y)


def _gelu_slope(x, y, inner, out):  # Φ(x) + x φ(x), φ(x) = e^(-x²/2) / sqrt(2π)
    np.clip(x, -40, 40, out=out)  # beyond, φ is 0
    out *= out
    out *= -0.5
    np.exp(out, out=out)
    out *= 1 / math.sqrt(2 * math.pi)
    out *= x
    out += inner


def _silu(x, y, inner):
    _compute("silu", x, y)


def _silu_slope(x, y, inner, out):  # σ + y (1 - σ)
    _sigmoid(x, inner, None)
    np.subtract(1, inner, out=out)
    out *= y
    out += inner


def _softplus(x, y, inner):
    _compute("softplus", x, y)


def _softplus_slope(x, y, inner, out):  # σ(x)
    _sigmoid(x, out, None)


FUNCTIONS = {
    "tanh": (_tanh, _tanh_slope),
    "relu": (_relu, _relu_slope),
    "sigmoid": (_sigmoid, _sigmoid_slope),
    "gelu": (_gelu, _gelu_slope),
    "silu": (_silu, _silu_slope),
    "softplus": (_softplus, _softplus_slope),
}
