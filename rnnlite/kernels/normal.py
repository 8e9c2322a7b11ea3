"""The normal distribution Φ of every number, which GELU weighs by."""

import math

from rnnlite.kernels.jit import kernel


@kernel
def normal_distribution(x, out):
    """out = Φ(x) = erfc(-x / sqrt 2) / 2; erfc keeps its digits where Φ is almost 0."""
    for n in range(x.size):
        out[n] = 0.5 * math.erfc(-x[n] * 0.7071067811865476)
