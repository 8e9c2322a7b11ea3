"""The normal distribution Φ of every number, which GELU weighs by."""

import math

from rnnlite.kernels.jit import exact_inner, kernel


@exact_inner
def normal_of(x):
    """Φ(x) = erfc(-x / sqrt 2) / 2, in float64; erfc keeps its digits where Φ is almost 0."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)


@kernel
def normal_distribution(x, out):
    """out = Φ(x)."""
    for n in range(x.size):
        out[n] = normal_of(x[n])
