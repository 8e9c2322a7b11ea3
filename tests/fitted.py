"""Small sequences with two classes, and a network that learns them."""

import numpy as np

from rnnlite import RNN, Dense, Sequential

B, T, F = 10, 5, 3


def data(n=47, seed=0, steps=T):
    """Sequences whose class is whether their numbers add up to more than nothing."""
    x = np.random.default_rng(seed).normal(size=(n, steps, F)).astype(np.float32)
    return x, (x.sum(axis=(1, 2)) > 0).astype(np.int64)


def network(seed=0, outputs=2, dtype="float32"):
    return Sequential([RNN(F, 6, seed=seed, dtype=dtype), Dense(6, outputs, seed=1, dtype=dtype)])
