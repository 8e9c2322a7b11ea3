"""What the tests of the reference share: cells, random problems, planted mistakes."""

import inspect
import math
import sys
from typing import NamedTuple

import numpy as np
import pytest

from rnnlite import reference

LN3 = math.log(3.0)  # sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, sigmoid(0) = 1/2
ATANH_HALF = math.atanh(0.5)

CLIP = 0.6  # in the random problems here it binds about a third of the inputs


class Cell(NamedTuple):
    name: str
    gates: int
    shown: str  # attributes of the cache
    biases: tuple = ("b",)
    states: tuple = ("h0",)
    extra: tuple = ()
    options: tuple = ()
    file: str = ""  # where its equations stand, if not in the file of that name

    @property
    def forward(self):
        return getattr(reference, f"{self.name}_forward")

    @property
    def backward(self):
        return getattr(reference, f"{self.name}_backward")

    @property
    def arrays(self):
        return ("x", "Wx", "Wh", *self.biases, *self.states, *self.extra)


CELLS = {
    "lstm": Cell("lstm", 4, "ifgoch", states=("h0", "c0")),
    "rnn-tanh": Cell("rnn", 1, "h", options=(("activation", "tanh"),)),
    "rnn-relu": Cell("rnn", 1, "h", options=(("activation", "relu"),)),
    "gru": Cell("gru", 3, "rznh", biases=("b", "bh")),
}
PLAIN_CELLS = dict(CELLS)
PEEPHOLES = CELLS["lstm"]._replace(extra=("peephole",), file="peephole_lstm")
CLIPPED = {"options": (("clip", CLIP),), "file": "peephole_lstm"}
KEYWORD_CELLS = {
    "lstm-peephole": PEEPHOLES,
    "lstm-clip": CELLS["lstm"]._replace(**CLIPPED),
    "lstm-peephole-clip": PEEPHOLES._replace(**CLIPPED),
    "gru-2014": CELLS["gru"]._replace(options=(("reset_after", False),), file="gru_2014"),
}
CELLS |= KEYWORD_CELLS


def for_each(cells):
    return pytest.mark.parametrize("cell", cells.values(), ids=cells.keys())


every_cell = for_each(CELLS)
every_clipped_cell = for_each({name: cell for name, cell in CELLS.items() if "clip" in name})


def problem(cell, B=3, T=4, I=2, H=3, lengths=None, initial=True, dtype=np.float64, seed=0):
    """Random arguments for a cell's forward function."""
    rng = np.random.default_rng(seed)
    K = cell.gates * H
    shapes = {"x": (B, T, I), "Wx": (I, K), "Wh": (H, K), "b": (K,), "bh": (K,)}
    shapes["peephole"] = (3 * H,)
    arguments = {
        name: rng.normal(0.0, 0.7, shapes.get(name, (B, H))).astype(dtype) for name in cell.arrays
    }
    if not initial:
        for name in cell.states:
            arguments[name] = None
    return arguments | dict(cell.options) | {"lengths": lengths}


def run(forward, arguments):
    """Outputs h, the final states as a tuple, and the cache."""
    h, state, cache = forward(**arguments)
    return h, state if isinstance(state, tuple) else (state,), cache


def upstream(h, states, seed=1):
    """Random gradients for the outputs and for each final state."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=h.shape), [rng.normal(size=s.shape) for s in states]


def padding(lengths, B=3, T=4):
    """True where a step lies past its row's length."""
    return np.arange(T) >= np.array([T] * B if lengths is None else lengths)[:, None]


def distance_from_clip(cache):
    """How far each input of an activation is from the bounds: above 0 within, below beyond.

    Columns i, f, g, o and c; inputs of padded steps are left out.
    """
    inputs = np.dstack([cache.z, cache.states[1][:, 1:]])[cache.inputs[-1][:, :, 0]]
    return cache.clip - np.abs(inputs)


def central_differences(loss, array, step=1e-5):
    """Gradient of ``loss()`` by every element of ``array``, which is changed and restored."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + step
        above = loss()
        array[index] = value - step
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * step)
    return gradient


def plant(monkeypatch, cell, direction, old, new):
    """Replace one piece of the source of the cell's equations."""
    file = cell.file or cell.name
    name = f"{file}_{direction}"
    home = sys.modules[f"rnnlite.reference.{file}"]
    source = inspect.getsource(getattr(home, name))
    assert source.count(old) == 1, f"{name} holds {old!r} {source.count(old)} times"
    namespace = dict(vars(home))
    exec(compile(source.replace(old, new), f"<{name} with a mistake>", "exec"), namespace)
    for place, module in list(sys.modules.items()):
        if place.startswith("rnnlite.reference") and hasattr(module, name):
            monkeypatch.setattr(module, name, namespace[name])
