"""One layer of every class of the library, small, with an input for it."""

import numpy as np
import pytest
from conftest import CLIP

from rnnlite import cells, layers
from rnnlite.layers import LSTM, Dense, Dropout, Embedding, Sequential

B, T, I, H = 3, 4, 5, 6
EVERY = {"peephole": True, "clip": CLIP, "seed": 0}  # as in other tests: compiled once
X = np.random.default_rng(0).normal(size=(B, T, I)).astype("f")
INDICES = np.random.default_rng(1).integers(0, 7, (B, T))


class Chain(layers.Group):
    """A group with a forward of its own."""

    def forward_pass(self, x, saved):
        return saved.run(self.two, saved.run(self.one, x))

    def backward_pass(self, dy, saved):
        return self.one.backward(self.two.backward(dy))


def every():
    """Name and maker of (layer, input) of each kind."""
    options = {"recurrent_dropout": 0.25, "return_sequences": True, "seed": 0}
    yield "RNN", lambda: (layers.RNN(I, H, seed=0), X)
    yield "LSTM", lambda: (LSTM(I, H, seed=0, return_sequences=True), X)
    yield "LSTM with all", lambda: (LSTM(I, H, dtype="float64", **EVERY), X)
    yield "GRU", lambda: (layers.GRU(I, H, seed=0), X)
    yield "Recurrent", lambda: (layers.Recurrent(cells.GRU_2014, I, H, seed=0, dtype="float64"), X)
    yield "Dense", lambda: (Dense(I, 2, seed=0, activation="gelu"), X)
    yield "Embedding", lambda: (Embedding(7, 3, seed=0), INDICES)
    yield "Dropout", lambda: (Dropout(0.5, seed=0), X)
    yield "Flatten", lambda: (layers.Flatten(), X)
    yield "Activation", lambda: (layers.Activation("softplus"), X)
    yield "LayerNorm", lambda: (layers.LayerNorm(I), X)
    yield "Bidirectional", lambda: (layers.Bidirectional(LSTM(I, H, seed=0)), X)
    yield "Group", lambda: (Chain(one=Dense(I, H, seed=0), two=Dense(H, 2, seed=1)), X)
    inside = [
        lambda: Embedding(7, I, seed=0),
        lambda: layers.Bidirectional(layers.GRU(I, H, **options)),
        lambda: Dropout(0.5, seed=0),
        lambda: layers.LayerNorm(2 * H),
        lambda: LSTM(2 * H, H, seed=0),
        lambda: Dense(H, 2, seed=0),
    ]
    yield "Sequential", lambda: (Sequential([make() for make in inside]), INDICES)


KINDS = dict(every())
RARE = "Recurrent", "LSTM with all"  # their kernels are compiled for few tests
every_kind = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=name, marks=[pytest.mark.long] if name in RARE else [])
        for name, kind in KINDS.items()
    ],
)
