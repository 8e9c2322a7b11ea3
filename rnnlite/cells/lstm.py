"""Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).

    i = sigmoid(z_i)        input gate
    f = sigmoid(z_f)        forget gate
    g = tanh(z_g)           candidate
    o = sigmoid(z_o)        output gate
    c_t = f c_{t-1} + i g   cell state
    h_t = o tanh(c_t)       hidden state

where z = x_t Wx + h_{t-1} Wh + b, four blocks of columns.
"""

from rnnlite.cells.cell import Cell
from rnnlite.cells.functions import sigmoid, tanh, zero_like


def _step(z, state):
    z_i, z_f, z_g, z_o = z
    _, c_before = state
    i = sigmoid(z_i)
    f = sigmoid(z_f)
    g = tanh(z_g)
    o = sigmoid(z_o)
    c = f * c_before + i * g
    h = o * tanh(c)
    return (h, c), (i, f, g, o)


def _step_backward(dstate, saved, state, new_state):
    dh, dc = dstate
    i, f, g, o = saved
    _, c_before = state
    _, c = new_state
    tanh_c = tanh(c)
    do = dh * tanh_c  # h = o tanh(c)
    dc = dc + dh * o * (1.0 - tanh_c * tanh_c)
    di = dc * g  # c = f c_before + i g
    dg = dc * i
    df = dc * c_before
    dc_before = dc * f
    dz_i = di * i * (1.0 - i)  # sigmoid' = sigmoid (1 - sigmoid)
    dz_f = df * f * (1.0 - f)
    dz_g = dg * (1.0 - g * g)  # tanh' = 1 - tanh^2
    dz_o = do * o * (1.0 - o)
    return (dz_i, dz_f, dz_g, dz_o), (zero_like(dh), dc_before)


LSTM = Cell(
    name="lstm",
    family="lstm",
    gates=("i", "f", "g", "o"),
    projections=(("i", "i"), ("f", "f"), ("g", "g"), ("o", "o")),
    states=("h", "c"),
    saved=("i", "f", "g", "o"),
    step=_step,
    step_backward=_step_backward,
)
