"""The functions of ``Activation`` and of ``Dense(activation=)``: of whole registers, or of numbers.

A layer runs one over an array, a stream (``stream.py``) over the row of one step: the same code, so
that both give the same bits.  Each is made once and compiled when it is first needed.
"""

import functools

from rnnlite.kernels.activations import exp, log1p, relu, sigmoid, tanh
from rnnlite.kernels.jit import JIT_DISABLED, inner, kernel
from rnnlite.kernels.normal import normal_of
from rnnlite.kernels.simd import clip, is_double, lanes, load, load_masked, store, store_masked

INFINITY = float("inf")


@inner
def _silu(x):
    """x σ(x); x stops where σ(x) no longer decreases, so that -inf gives almost 0."""
    limit = 708.0 if is_double(x) else 87.0
    return clip(x, -limit, INFINITY) * sigmoid(x)


@inner
def _softplus(x):
    """max(x, 0) + log(1 + e^-|x|)."""
    positive, negative = clip(x, 0.0, INFINITY), clip(x, -INFINITY, 0.0)
    return positive + log1p(exp(negative - positive))


REGISTERS = {"tanh": tanh, "relu": relu, "sigmoid": sigmoid, "silu": _silu, "softplus": _softplus}


@functools.cache
def of_row(name):
    """``(source, at, to, place, size)``: to[place + j] = f(source[at + j]) for j < size.

    Reads and writes whole registers: both rows are followed by room for one.
    """
    if name == "gelu":

        @inner
        def gelu(source, at, to, place, size):
            for j in range(size):
                x = source[at + j]
                to[place + j] = x * to.dtype.type(normal_of(x))

        return gelu
    function = REGISTERS[name]

    @inner
    def apply(source, at, to, place, size):
        for j in range(0, size, lanes(to)):
            store(to, place + j, function(load(source, at + j)))

    return apply


@functools.cache
def of_array(name):
    """``(x, y)``: y = f(x) for flat arrays; not GELU, which keeps Φ(x) as well."""
    function = REGISTERS[name]

    @kernel(identity=name)
    def nonlinear(x, y):
        """All numbers of x, a register at a time."""
        for j in range(0, x.size, lanes(y)):
            store_masked(y, j, function(load_masked(x, j, x.size - j)), x.size - j)

    def nonlinear_of_arrays(x, y):
        y[...] = function(x)

    return nonlinear_of_arrays if JIT_DISABLED else nonlinear
