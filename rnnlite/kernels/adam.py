"""Adam, fused into one pass over one flat array."""

import numpy as np

from rnnlite.kernels.parallel import parallel


@parallel(exact=True)
def adam(first, last, p, g, m, v, rate, beta1, rest1, beta2, rest2, correction2, eps):
    """One step of Kingma & Ba 2015, algorithm 1, for elements ``first`` to ``last``.

    m and v are the running means of g and g^2.  The corrections for their start at zero come as
    ``rate`` = lr / (1 - beta1^t) and ``correction2`` = 1 / (1 - beta2^t).  Every value arrives in
    the arrays' own precision: one float64 would make the whole loop compute in float64, at half
    speed.  ``rest1`` = 1 - beta1 and ``rest2`` arrive too: taken here, in float32, 1 - 0.999 has
    four digits of seven.
    """
    p, g, m, v = p[first:last], g[first:last], m[first:last], v[first:last]
    for i in range(p.size):
        m[i] = beta1 * m[i] + rest1 * g[i]
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        p[i] -= rate * m[i] / (np.sqrt(v[i] * correction2) + eps)


@parallel(exact=True)
def amsgrad(first, last, p, g, m, v, highest, rate, beta1, rest1, beta2, rest2, correction2, eps):
    """As ``adam``, but divides by the root of the largest v there has been.

    Reddi, Kale & Kumar 2018, algorithm 2, with the corrections of Adam, as in PyTorch.
    """
    p, g, m, v = p[first:last], g[first:last], m[first:last], v[first:last]
    highest = highest[first:last]
    for i in range(p.size):
        m[i] = beta1 * m[i] + rest1 * g[i]
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        # "not <=" instead of ">": NaN is kept, and then seen in p.
        if not v[i] <= highest[i]:
            highest[i] = v[i]
        p[i] -= rate * m[i] / (np.sqrt(highest[i] * correction2) + eps)
