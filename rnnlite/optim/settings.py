"""The numbers that steer an optimizer, and their limits."""

import numpy as np

from rnnlite import checking

# Lowest and highest value of each number, and whether the highest is allowed.
LIMITS = {
    "lr": (0.0, 1e6, True),
    "beta1": (0.0, 1.0, False),
    "beta2": (0.0, 1.0, False),
    "eps": (0.0, 1.0, True),
    "weight_decay": (0.0, 1e6, True),
    "momentum": (0.0, 1.0, False),
}


def setting(where, name, value):
    """A number between its limits, or True or False."""
    value = without_axes(value)
    if name in LIMITS:
        low, high, included = LIMITS[name]
        return checking.real_number(where, name, value, low, high, high_included=included)
    return checking.true_or_false(where, name, value)


def without_axes(value):
    """The number in an array without axes; anything else as it is."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
