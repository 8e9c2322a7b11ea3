"""The LSTM: i, f, o = σ(z), g = tanh(z), c_t = f c_{t-1} + i g, h_t = o tanh(c_t)."""

import numpy as np

from rnnlite.reference import sigmoid


def lstm_step(x, h, c, Wx, Wh, b):
    """h_t, c_t (B, H) and the gates (i, f, g, o) from x_t (B, I), h_{t-1} and c_{t-1}."""
    z = x @ Wx + h @ Wh + b
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
    i = sigmoid(z_i)
    f = sigmoid(z_f)
    g = np.tanh(z_g)
    o = sigmoid(z_o)
    c_new = f * c + i * g
    h_new = o * np.tanh(c_new)
    return h_new, c_new, (i, f, g, o)


def lstm_step_backward(dh, dc, x, h, c, c_new, gates, Wx, Wh):
    """From dL/dh_t, dL/dc_t to dx, dh_before, dc_before, dWx, dWh, db of this step."""
    i, f, g, o = gates
    tanh_c = np.tanh(c_new)
    do = dh * tanh_c  # h_t = o tanh(c_t)
    dc = dc + dh * o * (1 - tanh_c**2)  # c_t goes to h_t and to step t + 1
    df = dc * c  # c_t = f c_{t-1} + i g
    di = dc * g
    dg = dc * i
    dz_i = di * i * (1 - i)  # i = σ(z_i)
    dz_f = df * f * (1 - f)  # f = σ(z_f)
    dz_g = dg * (1 - g**2)  # g = tanh(z_g)
    dz_o = do * o * (1 - o)  # o = σ(z_o)
    dz = np.hstack([dz_i, dz_f, dz_g, dz_o])
    dx = dz @ Wx.T  # z = x_t Wx + h_{t-1} Wh + b
    dWx = x.T @ dz
    dWh = h.T @ dz
    db = dz.sum(axis=0)
    dh_before = dz @ Wh.T
    dc_before = dc * f  # c_t = f c_{t-1} + i g
    return dx, dh_before, dc_before, dWx, dWh, db


def lstm_forward(x, h0, c0, Wx, Wh, b, lengths=None):
    """Outputs y (B, T, H), zero in the padding; h, c (B, T + 1, H); the gates of each step."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    h, c = np.zeros((B, T + 1, len(Wh))), np.zeros((B, T + 1, len(Wh)))
    y, gates = np.zeros((B, T, len(Wh))), []
    h[:, 0] = h0
    c[:, 0] = c0
    for t in range(T):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_new, c_new, gates_t = lstm_step(x_t, h[:, t], c[:, t], Wx, Wh, b)
        h[:, t + 1] = np.where(valid, h_new, h[:, t])
        c[:, t + 1] = np.where(valid, c_new, c[:, t])
        y[:, t] = np.where(valid, h_new, 0)
        gates.append(gates_t)
    return y, h, c, gates


def lstm_backward(dy, dhT, dcT, x, h, c, gates, Wx, Wh, lengths=None):
    """dx, dWx, dWh, db, dh0, dc0 from dy (B, T, H) and dL/dh_T, dL/dc_T (B, H)."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    dx, dWx, dWh, db = (np.zeros(shape) for shape in (x.shape, Wx.shape, Wh.shape, Wh.shape[1]))
    dh = dhT
    dc = dcT
    for t in reversed(range(T)):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_before, c_before, c_new = h[:, t], c[:, t], c[:, t + 1]
        dh_t = np.where(valid, dh + dy[:, t], 0)  # h_t goes to the output and to step t + 1
        dc_t = np.where(valid, dc, 0)
        back = lstm_step_backward(dh_t, dc_t, x_t, h_before, c_before, c_new, gates[t], Wx, Wh)
        dx_t, dh_before, dc_before, *d = back
        dx[:, t] = dx_t
        dWx += d[0]  # one Wx for all steps: their gradients add up
        dWh += d[1]
        db += d[2]
        dh = np.where(valid, dh_before, dh)  # padding: straight through, as the state
        dc = np.where(valid, dc_before, dc)
    return dx, dWx, dWh, db, dh, dc
