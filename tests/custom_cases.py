"""Cells that are not in the library, those of the examples and small ones, and layers of them."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite.cells.functions import tanh, zero_like

FOLDER = Path(__file__).parent.parent / "examples" / "custom_cells"
LENGTHS = [6, 3, 1, 4]


def cell_of(name):
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name).CELL
    finally:
        sys.path.remove(str(FOLDER))


def sequences():
    return np.random.default_rng(0).normal(size=(4, 6, 3))


def layer_of(cell, compiled=True, **options):
    layer = rnnlite.Recurrent(
        cell._replace(compiled=compiled), 3, 5, seed=0, dtype="float64", **options
    )
    for number, array in enumerate(layer.params.values()):  # also where zero is the start
        array += 0.2 * np.random.default_rng(number).normal(size=array.shape)
    return layer


def long(case):
    """For .ci/run alone: its kernels take many seconds to compile."""
    return pytest.param(case, marks=pytest.mark.long)


def step(z, state):
    h = tanh(z[0])
    return (h,), (h,)


def step_backward(dstate, saved, state, new_state):
    return (dstate[0] * (1.0 - saved[0] * saved[0]),), (zero_like(dstate[0]),)


GOOD = {"gates": ["h"], "saved": ["h"]}


def make_decaying(rate):
    def decaying_step(z, state):
        h = rate * state[0] + tanh(z[0])
        return (h,), (h,)

    return decaying_step


def centred_step(z, state, p):
    """h = tanh(p (z - the mean of z over all units of the row))."""
    (z_h,), (scale,) = z, p
    h = np.tanh(scale * (z_h - np.mean(z_h)))
    return (h,), (h, z_h)


def centred_step_backward(dstate, saved, state, new_state, p):
    (dh,), (h, z_h), (scale,) = dstate, saved, p
    da = dh * (1.0 - h * h)
    dz_h = da * scale
    return (dz_h - dz_h.mean(),), (np.zeros_like(dh),), (da * (z_h - z_h.mean()),)


CENTRED = rnnlite.custom_cell(
    "centred", centred_step, centred_step_backward,
    gates=["h"], saved=["h", "z_h"], unit_params={"scale": 1.0}, whole_rows=True,
)  # fmt: skip
