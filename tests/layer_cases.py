"""What the tests of layers share: sizes, known weights, every kind of layer and a model."""

import numpy as np
import pytest
from conftest import CELLS, LSTM, problem, set_params

import rnnlite
from rnnlite import Dense, Sequential

B, T, I, H = 3, 4, 5, 6  # the sizes of ``problem``


def rng(seed=0):
    return np.random.default_rng(seed)


def prepared(cell, return_sequences=True, dtype=np.float64, lengths=None, seed=0):
    """A layer and the arguments of a forward function with its parameters."""
    layer = cell.make(I, H, return_sequences=return_sequences, dtype=dtype)
    arguments = problem(cell, dtype=dtype, lengths=lengths, seed=seed)
    set_params(layer, arguments)
    return layer, arguments


def state_argument(cell, arrays):
    """States as a layer takes them: a tuple for an LSTM, else one array."""
    arrays = tuple(arrays)
    return arrays if cell is LSTM else arrays[0]


def state_arrays(cell, state):
    return state if cell is LSTM else (state,)


MAKERS = {cell.name: cell.make for cell in CELLS} | {"dense": Dense}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def models():
    """Every kind of layer and a model, with an input for it."""
    x = rng().normal(size=(B, T, I))
    for cell in CELLS:
        yield pytest.param(lambda cell=cell: cell.make(I, H, seed=0), x, id=cell.name)
    yield pytest.param(lambda: Dense(I, H, seed=0), x, id="dense")
    yield pytest.param(
        lambda: Sequential([rnnlite.LSTM(I, H, seed=0), Dense(H, 2, seed=1)]), x, id="sequential"
    )


every_model = pytest.mark.parametrize(("make", "x"), list(models()))
