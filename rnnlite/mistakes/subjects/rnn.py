"""The RNN: h_t = tanh(z_t), or max(z_t, 0); z_t = x_t Wx + h_{t-1} Wh + b."""

import numpy as np


def rnn_step(x, h, Wx, Wh, b):
    """h_t (B, H) from x_t (B, I) and h_{t-1} (B, H)."""
    z = x @ Wx + h @ Wh + b
    h_new = np.tanh(z)
    return h_new


def rnn_step_backward(dh, x, h, h_new, Wx, Wh):
    """From dL/dh_t to dx, dh_before, dWx, dWh, db of this step; h_new is h_t, h is h_{t-1}."""
    dz = dh * (1 - h_new**2)  # h_t = tanh(z)
    dx = dz @ Wx.T  # z = x_t Wx + h_{t-1} Wh + b
    dWx = x.T @ dz
    dWh = h.T @ dz
    db = dz.sum(axis=0)
    dh_before = dz @ Wh.T
    return dx, dh_before, dWx, dWh, db


def relu_step(x, h, Wx, Wh, b):
    """As ``rnn_step``, with ReLU."""
    z = x @ Wx + h @ Wh + b
    h_new = np.maximum(z, 0)
    return h_new


def relu_step_backward(dh, x, h, h_new, Wx, Wh):
    """As ``rnn_step_backward``, with ReLU."""
    dz = dh * (h_new > 0)  # h_t = max(z, 0)
    dx = dz @ Wx.T  # z = x_t Wx + h_{t-1} Wh + b
    dWx = x.T @ dz
    dWh = h.T @ dz
    db = dz.sum(axis=0)
    dh_before = dz @ Wh.T
    return dx, dh_before, dWx, dWh, db


def rnn_forward(x, h0, Wx, Wh, b, lengths=None, relu=False):
    """Outputs y (B, T, H), zero in the padding, and h (B, T + 1, H); x is (B, T, I)."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    h = np.zeros((B, T + 1, len(Wh)))
    y = np.zeros((B, T, len(Wh)))
    h[:, 0] = h0
    step = relu_step if relu else rnn_step
    for t in range(T):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_new = step(x_t, h[:, t], Wx, Wh, b)
        h[:, t + 1] = np.where(valid, h_new, h[:, t])
        y[:, t] = np.where(valid, h_new, 0)
    return y, h


def rnn_backward(dy, dhT, x, h, Wx, Wh, lengths=None, relu=False):
    """dx, dWx, dWh, db, dh0 from dy (B, T, H) and dL/dh_T (B, H)."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    dx, dWx, dWh, db = np.zeros(x.shape), np.zeros(Wx.shape), np.zeros(Wh.shape), np.zeros(len(Wh))
    dh = dhT
    step_backward = relu_step_backward if relu else rnn_step_backward
    for t in reversed(range(T)):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_before, h_new = h[:, t], h[:, t + 1]
        dh_t = np.where(valid, dh + dy[:, t], 0)  # h_t goes to the output and to step t + 1
        dx_t, dh_before, *d = step_backward(dh_t, x_t, h_before, h_new, Wx, Wh)
        dx[:, t] = dx_t
        dWx += d[0]  # one Wx for all steps: their gradients add up
        dWh += d[1]
        db += d[2]
        dh = np.where(valid, dh_before, dh)  # padding: straight through, as the state
    return dx, dWx, dWh, db, dh
