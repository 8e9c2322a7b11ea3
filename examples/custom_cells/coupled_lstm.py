"""LSTM with coupled gates, f = 1 - i (Greff et al. 2017, "CIFG"): it forgets what it overwrites.

python examples/custom_cells/coupled_lstm.py
"""

import numpy as np

import rnnlite
from rnnlite.cells.functions import sigmoid, tanh, zero_like


def step(z, state):
    z_i, z_g, z_o = z
    _, c_before = state
    i = sigmoid(z_i)
    g = tanh(z_g)
    o = sigmoid(z_o)
    c = (1.0 - i) * c_before + i * g
    return (o * tanh(c), c), (i, g, o)


def step_backward(dstate, saved, state, new_state):
    dh, dc = dstate
    i, g, o = saved
    c_before, c = state[1], new_state[1]
    tanh_c = tanh(c)
    dz_o = dh * tanh_c * o * (1.0 - o)
    dc = dc + dh * o * (1.0 - tanh_c * tanh_c)
    dz_i = dc * (g - c_before) * i * (1.0 - i)  # both terms of c hold i
    dz_g = dc * i * (1.0 - g * g)
    return (dz_i, dz_g, dz_o), (zero_like(dh), dc * (1.0 - i))


CELL = rnnlite.custom_cell(
    "coupled LSTM", step, step_backward,
    gates=["i", "g", "o"], saved=["i", "g", "o"], states=["h", "c"],
)  # fmt: skip

if __name__ == "__main__":
    x = np.random.default_rng(0).normal(size=(3, 6, 4))
    print(rnnlite.gradcheck.check(rnnlite.Recurrent(CELL, 4, 5, seed=0), x))
