"""A cell of one's own: one gate keeps and takes."""

import rnnlite
from rnnlite.cells.functions import sigmoid, tanh


def step(z, state):
    """From z = (z_f, z_n) and state = (h,) to the new state and what backward needs."""
    f, n = sigmoid(z[0]), tanh(z[1])
    return (f * state[0] + (1.0 - f) * n,), (f, n)


def step_backward(dstate, saved, state, new_state):
    """From dstate = (dh,) to (dz_f, dz_n) and (dh_before,), without what flows through z."""
    (dh,), (f, n) = dstate, saved
    dz_f = dh * (state[0] - n) * f * (1.0 - f)
    dz_n = dh * (1.0 - f) * (1.0 - n * n)
    return (dz_f, dz_n), (dh * f,)


def own_cell():
    """The cell."""
    return rnnlite.custom_cell(
        "mine", step, step_backward, gates=["f", "n"], saved=["f", "n"], compiled=False
    )
