"""A small training run with all that is random in it, and callbacks that break it off."""

import numpy as np

import rnnlite
from rnnlite import LSTM, Adam, Dense, Dropout, Sequential, fit

N, T, F, B = 53, 5, 3, 10


def data(seed=0):
    x = np.random.default_rng(seed).normal(size=(N, T, F)).astype(np.float32)
    return x, (x.sum(axis=(1, 2)) > 0).astype(np.int64)


def network():
    """Everything random in it: dropout, and recurrent dropout."""
    return Sequential(
        [LSTM(F, 5, seed=0, recurrent_dropout=0.2), Dropout(0.3, seed=1), Dense(5, 2, seed=2)]
    )


def shaky(x, rng):
    return x + rng.normal(0, 0.1, x.shape).astype(np.float32)


class Break(rnnlite.Callback):
    """Ends a run after a step as an error anywhere would."""

    def __init__(self, step):
        self.at = step

    def step(self, run):
        if run.step == self.at:
            raise ZeroDivisionError


class Count(rnnlite.Callback):
    """Has something of its own to remember."""

    def __init__(self):
        self.steps = 0

    def step(self, run):
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


def train(model, optimizer=Adam, **options):
    x, y = data()
    history = fit(
        model, x, y, optimizer=optimizer(model), epochs=3, batch_size=B, validation=data(1),
        seed=5, **options,
    )  # fmt: skip
    return {name: column for name, column in history.items() if name != "seconds"}
