"""Masks of dropout, and a model with every kind of it."""

import numpy as np

import rnnlite
from rnnlite import Dense, Sequential
from rnnlite.layers.dropout import Dropout

B, T, F = 3, 4, 5


def masks(layer, shape, count=1):
    """The next masks that a layer draws."""
    return [layer.forward(np.ones(shape), training=True).copy() for _ in range(count)]


def stack(dtype="float32", rate=0.5):
    return Sequential([
        Dropout(rate, seed=0, dtype=dtype),
        rnnlite.LSTM(F, 6, return_sequences=True, seed=1, dtype=dtype),
        Dropout(rate, seed=2, per_sequence=True, dtype=dtype),
        rnnlite.GRU(6, 4, seed=3, dtype=dtype),
        Dropout(rate, seed=4, dtype=dtype),
        Dense(4, 2, seed=5, dtype=dtype),
        Dropout(rate, seed=6, dtype=dtype),
    ])  # fmt: skip
