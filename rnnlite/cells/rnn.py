"""The vanilla recurrent cell (Elman 1990, "Finding structure in time").

    h_t = f(x_t Wx + h_{t-1} Wh + b)

with f = tanh, or f = ReLU.
"""

from rnnlite.cells.cell import Cell
from rnnlite.cells.functions import relu, tanh, where_positive, zero_like


def _tanh_step(z, state):
    (z_h,) = z
    h = tanh(z_h)
    return (h,), (h,)


def _tanh_step_backward(dstate, saved, state, new_state):
    (dh,) = dstate
    (h,) = saved
    dz_h = dh * (1.0 - h * h)  # tanh' = 1 - tanh^2
    return (dz_h,), (zero_like(dh),)


def _relu_step(z, state):
    (z_h,) = z
    h = relu(z_h)
    return (h,), (h,)


def _relu_step_backward(dstate, saved, state, new_state):
    (dh,) = dstate
    (h,) = saved
    dz_h = where_positive(h, dh)  # relu' = [h > 0]
    return (dz_h,), (zero_like(dh),)


_TANH = Cell(
    name="rnn-tanh",
    family="rnn",
    gates=("h",),
    projections=(("h", "h"),),
    states=("h",),
    saved=("h",),
    step=_tanh_step,
    step_backward=_tanh_step_backward,
)
_RELU = _TANH._replace(name="rnn-relu", step=_relu_step, step_backward=_relu_step_backward)
RNN = {"tanh": _TANH, "relu": _RELU}
