"""Minimal gated unit (Zhou et al. 2016): a GRU with one gate for both of its jobs.

    python examples/custom_cells/minimal_gated_unit.py

    f = sigmoid(x Wx_f + h Wh_f + b_f)
    n = tanh(x Wx_n + (f h) Wh_n + b_n)
    h = (1 - f) h + f n

The gate acts on h before the product: f h is the cell's intermediate.
"""

import numpy as np

import rnnlite
from rnnlite.cells.functions import sigmoid, tanh


def intermediate(z, state):
    return sigmoid(z[0]) * state[0]


def step(z, state):
    f, n = sigmoid(z[0]), tanh(z[1])
    return (state[0] + f * (n - state[0]),), (f, n)


def step_backward(dstate, saved, state, new_state):
    (dh,) = dstate
    f, n = saved
    dz_f = dh * (n - state[0]) * f * (1.0 - f)
    dz_n = dh * f * (1.0 - n * n)
    return (dz_f, dz_n), (dh * (1.0 - f),)


def intermediate_backward(da, dz, dbefore, saved, state):
    f = saved[0]
    return (dz[0] + da * state[0] * f * (1.0 - f), dz[1]), (dbefore[0] + da * f,)


CELL = rnnlite.custom_cell(
    "minimal gated unit", step, step_backward, gates=["f", "n"], saved=["f", "n"],
    projections=[("f", "f"), ("n", "n", "intermediate")],
    intermediate=intermediate, intermediate_backward=intermediate_backward,
)  # fmt: skip

if __name__ == "__main__":
    x = np.random.default_rng(0).normal(size=(3, 6, 4))
    print(rnnlite.gradcheck.check(rnnlite.Recurrent(CELL, 4, 5, seed=0), x))
