"""Mean 0 and standard deviation 1 for each feature, learned from what weighs and is no padding."""

import numpy as np


def moments(x, lengths=None, weights=None):
    """Mean and standard deviation, float64 (F,), over the valid steps of x (n, T, F), or (n, F).

    A row counts as often as its weight says.  A feature that never changes has deviation 1.
    """
    n, F = len(x), x.shape[-1]
    counts = np.ones(x.shape[:-1]) if weights is None else np.zeros(x.shape[:-1])
    if weights is not None:
        counts += weights.reshape(n, *(1,) * (x.ndim - 2))
    if lengths is not None:
        counts *= np.arange(x.shape[1]) < lengths[:, None]
    flat, counts = x.reshape(-1, F), counts.ravel()
    total = counts.sum()
    if not total:  # nothing but sequences without a step
        return np.zeros(F), np.ones(F)
    mean = counts @ flat / total
    variance = counts @ np.square(flat - mean) / total
    # What rounding leaves of a feature that is constant is no deviation.
    is_constant = variance <= (4 * np.finfo(x.dtype).eps * np.abs(mean)) ** 2
    return mean, np.sqrt(np.where(is_constant, 1.0, variance))


def standardized(x, mean, scale, dtype):
    """(x - mean) / scale, in the precision of the network."""
    return np.asarray((x - mean) / scale, dtype, order="C")
