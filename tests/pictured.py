"""A small model and its input, for pictures."""

import numpy as np

from rnnlite import LSTM, Dense, Sequential

B, T, I, H, C = 3, 7, 4, 5, 3
X = np.random.default_rng(0).normal(size=(B, T, I))


def model(layer=LSTM, sequences=False, outputs=C):
    return Sequential([
        layer(I, H, return_sequences=sequences, seed=0), Dense(H, outputs, seed=1)
    ])  # fmt: skip
