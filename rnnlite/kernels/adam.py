"""Adam, fused into one pass over one flat array."""

from rnnlite.kernels.jit import kernel


@kernel
def adam(first, last, p, g, m, v, rate, beta1, beta2, correction2, eps):
    """One step of Kingma & Ba 2015, algorithm 1, for elements ``first`` to ``last``.

    m and v are the running means of g and g^2.  The corrections for their
    start at zero come as ``rate`` = lr / (1 - beta1^t) and ``correction2`` = 1 / (1 - beta2^t).
    Every value arrives in the arrays' own precision: one float64 among
    float32 would make the whole loop compute in float64, at half speed.
    """
    one = p.dtype.type(1.0)
    p, g, m, v = p[first:last], g[first:last], m[first:last], v[first:last]
    for i in range(p.size):
        m[i] = beta1 * m[i] + (one - beta1) * g[i]
        v[i] = beta2 * v[i] + (one - beta2) * g[i] * g[i]
        p[i] -= rate * m[i] / ((v[i] * correction2) ** p.dtype.type(0.5) + eps)
