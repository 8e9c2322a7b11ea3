"""LSTM whose gates see the cell state (Gers & Schmidhuber 2000), as ONNX defines it.

    i = sigmoid(z_i + p_i c_{t-1})     input gate
    f = sigmoid(z_f + p_f c_{t-1})     forget gate
    g = tanh(z_g)                      candidate
    c_t = f c_{t-1} + i g              cell state
    o = sigmoid(z_o + p_o c_t)         output gate, which sees the new cell state
    h_t = o tanh(c_t)                  hidden state

With ``clip`` every input of a sigmoid or tanh is first bounded to [-clip, clip], as
the text of the standard says (ONNX Runtime leaves the input of the last tanh alone).
"""

import functools

from rnnlite.cells.functions import clip as bound
from rnnlite.cells.functions import sigmoid, tanh, within, zero_like
from rnnlite.cells.lstm import LSTM


@functools.lru_cache(maxsize=64)
def peephole_lstm(clip=float("inf")):
    """Return the cell with inputs of activations bounded to [-clip, clip]."""

    def step(z, state, p):
        z_i, z_f, z_g, z_o = z
        _, c_before = state
        p_i, p_f, p_o = p
        i = sigmoid(bound(z_i + p_i * c_before, -clip, clip))
        f = sigmoid(bound(z_f + p_f * c_before, -clip, clip))
        g = tanh(bound(z_g, -clip, clip))
        c = f * c_before + i * g
        o = sigmoid(bound(z_o + p_o * c, -clip, clip))
        h = o * tanh(bound(c, -clip, clip))
        return (h, c), (i, f, g, o)

    def step_backward(dstate, saved, state, new_state, p):
        dh, dc = dstate
        i, f, g, o = saved
        _, c_before = state
        _, c = new_state
        p_i, p_f, p_o = p
        limit = zero_like(c) + clip
        # An activation that was bounded has exactly the bounds' value, and no slope.
        sigmoid_high, sigmoid_low = sigmoid(limit), sigmoid(-limit)
        tanh_high, tanh_low = tanh(limit), tanh(-limit)
        tanh_c = tanh(bound(c, -clip, clip))
        do = dh * tanh_c  # h = o tanh(c)
        dz_o = within(o, sigmoid_low, sigmoid_high, do * o * (1.0 - o))
        dc = dc + within(c, -limit, limit, dh * o * (1.0 - tanh_c * tanh_c))
        dc = dc + dz_o * p_o  # the output gate saw c
        dz_i = within(i, sigmoid_low, sigmoid_high, dc * g * i * (1.0 - i))
        dz_f = within(f, sigmoid_low, sigmoid_high, dc * c_before * f * (1.0 - f))
        dz_g = within(g, tanh_low, tanh_high, dc * i * (1.0 - g * g))
        dc_before = dc * f + dz_i * p_i + dz_f * p_f
        dp = (dz_i * c_before, dz_f * c_before, dz_o * c)
        return (dz_i, dz_f, dz_g, dz_o), (zero_like(dh), dc_before), dp

    return LSTM._replace(
        name=f"lstm-peephole-clip-{clip}",
        step=step,
        step_backward=step_backward,
        unit_params=("p_i", "p_f", "p_o"),
        unit_values=(0.0, 0.0, 0.0),
    )
