"""LSTM with a normalised cell state (Ba, Kiros & Hinton 2016, equations 20 to 22).

    python examples/custom_cells/layer_norm_lstm.py

    h = o tanh(gain (c - mean(c)) / std(c) + shift)

A mean looks at all units of a row, so this cell works on whole rows: its
values are arrays (hidden,), and NumPy's functions are at hand.
"""

import numpy as np

import rnnlite


def sigmoid(z):  # helpers are compiled along
    return 0.5 * (np.tanh(0.5 * z) + 1.0)


def normalised(c):
    scale = 1.0 / np.sqrt(np.mean((c - np.mean(c)) ** 2) + 1e-5)
    return (c - np.mean(c)) * scale, scale


def step(z, state, p):
    i, f, g, o = sigmoid(z[0]), sigmoid(z[1]), np.tanh(z[2]), sigmoid(z[3])
    c = f * state[1] + i * g
    n, _ = normalised(c)
    return (o * np.tanh(p[0] * n + p[1]), c), (i, f, g, o)


def step_backward(dstate, saved, state, new_state, p):
    dh, dc = dstate
    i, f, g, o = saved
    n, scale = normalised(new_state[1])
    tanh_n = np.tanh(p[0] * n + p[1])
    da = dh * o * (1.0 - tanh_n * tanh_n)  # a = gain n + shift
    dn = da * p[0]
    dc = dc + scale * (dn - np.mean(dn) - n * np.mean(dn * n))
    dz_i = dc * g * i * (1.0 - i)
    dz_f = dc * state[1] * f * (1.0 - f)
    dz_g = dc * i * (1.0 - g * g)
    dz_o = dh * tanh_n * o * (1.0 - o)
    return (dz_i, dz_f, dz_g, dz_o), (np.zeros_like(dh), dc * f), (da * n, da)


CELL = rnnlite.custom_cell(
    "layer-normalised LSTM", step, step_backward,
    gates=["i", "f", "g", "o"], saved=["i", "f", "g", "o"], states=["h", "c"],
    unit_params={"gain": 1.0, "shift": 0.0}, whole_rows=True,
)  # fmt: skip

if __name__ == "__main__":
    x = np.random.default_rng(0).normal(size=(3, 6, 4))
    print(rnnlite.gradcheck.check(rnnlite.Recurrent(CELL, 4, 5, seed=0), x))
