"""Gradient descent, and the size of a gradient: single passes over one flat array."""

import numpy as np

from rnnlite.kernels.parallel import parallel


@parallel(exact=True)
def sgd(first, last, p, g, lr, decay):
    """p = p - lr (g + decay p), for elements ``first`` to ``last``."""
    p, g = p[first:last], g[first:last]
    for i in range(p.size):
        p[i] -= lr * (g[i] + decay * p[i])


@parallel(exact=True)
def sgd_momentum(first, last, p, g, m, lr, decay, momentum, along_m, along_g):
    """m = momentum m + d with d = g + decay p, then p = p - lr (along_m m + along_g d).

    (1, 0) is classical momentum, along m; (momentum, 1) is Nesterov's, along what the next m would
    be if the gradient stayed.
    """
    p, g, m = p[first:last], g[first:last], m[first:last]
    for i in range(p.size):
        d = g[i] + decay * p[i]
        m[i] = momentum * m[i] + d
        p[i] -= lr * (along_m * m[i] + along_g * d)


@parallel
def sums_of_squares(first, last, g, block, sums):
    """sums[k] = sum of g^2 over elements k*block to (k+1)*block, for k in ``first`` to ``last``.

    In float64.  Blocks are the same for any number of threads, and so is every sum.
    """
    for k in range(first, last):
        part = g[k * block : (k + 1) * block]
        total = 0.0
        for i in range(part.size):
            value = np.float64(part[i])
            total += value * value
        sums[k] = total
