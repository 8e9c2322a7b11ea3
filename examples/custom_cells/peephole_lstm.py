"""LSTM with peepholes (Gers & Schmidhuber 2000): gates that see the cell state.

    python examples/custom_cells/peephole_lstm.py

Three parameters with one number a unit each stand beside Wx, Wh and b.
"""

import numpy as np

import rnnlite
from rnnlite.cells.functions import sigmoid, tanh, zero_like


def step(z, state, p):
    z_i, z_f, z_g, z_o = z
    _, c_before = state
    p_i, p_f, p_o = p
    i = sigmoid(z_i + p_i * c_before)
    f = sigmoid(z_f + p_f * c_before)
    g = tanh(z_g)
    c = f * c_before + i * g
    o = sigmoid(z_o + p_o * c)
    return (o * tanh(c), c), (i, f, g, o)


def step_backward(dstate, saved, state, new_state, p):
    dh, dc = dstate
    i, f, g, o = saved
    c_before, c = state[1], new_state[1]
    p_i, p_f, p_o = p
    tanh_c = tanh(c)
    dz_o = dh * tanh_c * o * (1.0 - o)
    dc = dc + dh * o * (1.0 - tanh_c * tanh_c) + dz_o * p_o
    dz_i = dc * g * i * (1.0 - i)
    dz_f = dc * c_before * f * (1.0 - f)
    dz_g = dc * i * (1.0 - g * g)
    dbefore = (zero_like(dh), dc * f + dz_i * p_i + dz_f * p_f)
    return (dz_i, dz_f, dz_g, dz_o), dbefore, (dz_i * c_before, dz_f * c_before, dz_o * c)


CELL = rnnlite.custom_cell(
    "peephole LSTM", step, step_backward,
    gates=["i", "f", "g", "o"], saved=["i", "f", "g", "o"], states=["h", "c"],
    unit_params={"p_i": 0.1, "p_f": 0.1, "p_o": 0.1},
)  # fmt: skip

if __name__ == "__main__":
    x = np.random.default_rng(0).normal(size=(3, 6, 4))
    print(rnnlite.gradcheck.check(rnnlite.Recurrent(CELL, 4, 5, seed=0), x))
