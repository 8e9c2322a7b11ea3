"""How numbers that were drawn at random are judged."""

import numpy as np


def share(mask):
    return float(np.mean(mask))


def uniform(values, low, high):
    """Whether whole numbers are spread evenly over low..high: 5 standard deviations' room."""
    counts = np.bincount(np.asarray(values) - low, minlength=high - low + 1)
    expected = len(values) / (high - low + 1)
    return len(counts) == high - low + 1 and np.all(abs(counts - expected) < 5 * expected**0.5)
