"""Gated recurrent unit (Cho et al. 2014).

    r = sigmoid(x Wx_r + b_r + h Wh_r + bh_r)            reset gate
    z = sigmoid(x Wx_z + b_z + h Wh_z + bh_z)            update gate
    n = tanh(x Wx_n + b_n + r (h Wh_n + bh_n))           candidate
    h_t = (1 - z) n + z h_{t-1}                          hidden state

The reset gate acts after the recurrent product, as in cuDNN and PyTorch; ``GRU_2014`` is the form
of the paper, where it acts before:

    n = tanh(x Wx_n + b_n + (r h) Wh_n + bh_n)
"""

from rnnlite.cells.cell import Cell
from rnnlite.cells.functions import sigmoid, tanh, zero_like


def _step(projections, state):
    x_n, a_r, a_z, h_n = projections
    (h_before,) = state
    r = sigmoid(a_r)
    z = sigmoid(a_z)
    n = tanh(x_n + r * h_n)
    h = n + z * (h_before - n)
    return (h,), (r, z, n, h_n)


def _step_backward(dstate, saved, state, new_state):
    (dh,) = dstate
    r, z, n, h_n = saved
    (h_before,) = state
    dz = dh * (h_before - n)  # h = n + z (h_before - n)
    dn = dh * (1.0 - z)
    dx_n = dn * (1.0 - n * n)  # n = tanh(x_n + r h_n)
    dh_n = dx_n * r
    dr = dx_n * h_n
    da_r = dr * r * (1.0 - r)
    da_z = dz * z * (1.0 - z)
    return (dx_n, da_r, da_z, dh_n), (dh * z,)


GRU = Cell(
    name="gru",
    family="gru",
    gates=("r", "z", "n"),
    # The candidate's two halves stay apart, because r stands between them.
    projections=(("n", None), ("r", "r"), ("z", "z"), (None, "n")),
    states=("h",),
    saved=("r", "z", "n", "h_n"),
    step=_step,
    step_backward=_step_backward,
    recurrent_bias=True,
)


def _reset(projections, state):
    a_r, _, _ = projections
    (h_before,) = state
    return sigmoid(a_r) * h_before


def _step_2014(projections, state):
    a_r, a_z, a_n = projections
    (h_before,) = state
    r = sigmoid(a_r)
    z = sigmoid(a_z)
    n = tanh(a_n)
    h = n + z * (h_before - n)
    return (h,), (r, z, n)


def _step_backward_2014(dstate, saved, state, new_state):
    (dh,) = dstate
    _, z, n = saved
    (h_before,) = state
    da_z = dh * (h_before - n) * z * (1.0 - z)  # h = n + z (h_before - n)
    da_n = dh * (1.0 - z) * (1.0 - n * n)
    return (zero_like(dh), da_z, da_n), (dh * z,)


def _reset_backward(da, projections_gradient, dbefore, saved, state):
    _, da_z, da_n = projections_gradient
    (dh,) = dbefore
    r, _, _ = saved
    (h_before,) = state
    da_r = da * h_before * r * (1.0 - r)  # a = r h_before
    return (da_r, da_z, da_n), (dh + da * r,)


GRU_2014 = GRU._replace(
    name="gru-2014",
    projections=(("r", "r"), ("z", "z"), ("n", "n", "intermediate")),
    saved=("r", "z", "n"),
    step=_step_2014,
    step_backward=_step_backward_2014,
    intermediate=_reset,
    intermediate_backward=_reset_backward,
)
