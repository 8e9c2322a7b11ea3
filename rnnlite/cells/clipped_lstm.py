"""LSTM with bounded inputs, as ONNX defines ``clip``; without peepholes.

    i = sigmoid(clip(z_i))        input gate
    f = sigmoid(clip(z_f))        forget gate
    g = tanh(clip(z_g))           candidate
    o = sigmoid(clip(z_o))        output gate
    c_t = f c_{t-1} + i g         cell state, which may leave the bounds
    h_t = o tanh(clip(c_t))       hidden state

It is not ``peephole_lstm`` with weights of zero: those times an infinite c are NaN.
"""

import functools

from rnnlite.cells.functions import clip as bound
from rnnlite.cells.functions import sigmoid, tanh, within, zero_like
from rnnlite.cells.lstm import LSTM


@functools.lru_cache(maxsize=64)
def clipped_lstm(clip):
    """Return the cell with inputs of activations bounded to [-clip, clip]."""

    def step(z, state):
        z_i, z_f, z_g, z_o = z
        _, c_before = state
        i = sigmoid(bound(z_i, -clip, clip))
        f = sigmoid(bound(z_f, -clip, clip))
        g = tanh(bound(z_g, -clip, clip))
        o = sigmoid(bound(z_o, -clip, clip))
        c = f * c_before + i * g
        h = o * tanh(bound(c, -clip, clip))
        return (h, c), (i, f, g, o)

    def step_backward(dstate, saved, state, new_state):
        dh, dc = dstate
        i, f, g, o = saved
        _, c_before = state
        _, c = new_state
        limit = zero_like(c) + clip
        # An activation that was bounded has exactly the bounds' value, and no slope.
        sigmoid_high, sigmoid_low = sigmoid(limit), sigmoid(-limit)
        tanh_high, tanh_low = tanh(limit), tanh(-limit)
        tanh_c = tanh(bound(c, -clip, clip))
        do = dh * tanh_c  # h = o tanh(c)
        dc = dc + within(c, -limit, limit, dh * o * (1.0 - tanh_c * tanh_c))
        dz_i = within(i, sigmoid_low, sigmoid_high, dc * g * i * (1.0 - i))
        dz_f = within(f, sigmoid_low, sigmoid_high, dc * c_before * f * (1.0 - f))
        dz_g = within(g, tanh_low, tanh_high, dc * i * (1.0 - g * g))
        dz_o = within(o, sigmoid_low, sigmoid_high, do * o * (1.0 - o))
        return (dz_i, dz_f, dz_g, dz_o), (zero_like(dh), dc * f)

    return LSTM._replace(name=f"lstm-clip-{clip}", step=step, step_backward=step_backward)
