"""What the cells share: the logistic function, and the bounds of ``clip``."""

import numpy as np


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
