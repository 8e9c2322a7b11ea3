"""IRNN (Le, Jaitly & Hinton 2015): ReLU units that begin by copying their state.

    python examples/custom_cells/irnn.py

The recurrent weights start as the identity, so at first nothing is forgotten.
"""

import numpy as np

import rnnlite
from rnnlite.cells.functions import relu, where_positive, zero_like


def step(z, state):
    h = relu(z[0])
    return (h,), (h,)


def step_backward(dstate, saved, state, new_state):
    return (where_positive(saved[0], dstate[0]),), (zero_like(dstate[0]),)


CELL = rnnlite.custom_cell("IRNN", step, step_backward, gates=["h"], saved=["h"])

if __name__ == "__main__":
    x = np.random.default_rng(0).normal(size=(3, 6, 4))
    layer = rnnlite.Recurrent(CELL, 4, 5, seed=0, wx_init="normal", wh_init="identity")
    print(rnnlite.gradcheck.check(layer, x))
