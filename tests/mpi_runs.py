"""Data, models and figures of the runs in several processes."""

import hashlib

import numpy as np

from rnnlite import GRU, LSTM, Bidirectional, Dense, Dropout, Sequential

ROWS, T, F = 75, 4, 3
MORE = {"epochs": 3, "batch_size": 20, "seed": 3, "progress": False}


def data(rows=ROWS):
    x = np.random.default_rng(0).normal(size=(rows, T, F)).astype(np.float32)
    return x, (x.sum(axis=(1, 2)) > 0).astype(np.int64)


def small(seed=0):
    return Sequential([LSTM(F, 8, seed=seed), Dense(8, 2, seed=1)])


def random_model():
    """Everything in it that draws random numbers."""
    both = Bidirectional(GRU(F, 5, return_sequences=True, seed=0, recurrent_dropout=0.3), seed=1)
    return Sequential(
        [both, Dropout(0.3, seed=2), Dropout(0.3, seed=3, per_sequence=True),
         LSTM(10, 7, seed=4, recurrent_dropout=0.2), Dense(7, 2, seed=5)]
    )  # fmt: skip


def noise(x, rng):
    return x + rng.normal(0, 0.1, x.shape).astype(np.float32)


def figures(model, history):
    """All bits of a run but the time it took."""
    columns = {name: column for name, column in history.items() if name != "seconds"}
    return [hashlib.sha256(model.flat_params).hexdigest(), repr(columns), history.stopped_by]
