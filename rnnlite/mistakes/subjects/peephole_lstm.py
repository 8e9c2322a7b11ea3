"""The LSTM whose gates see the cell state (Gers & Schmidhuber 2000): p is (3H,), for i, f, o."""

import numpy as np

from rnnlite.reference import sigmoid


def peephole_lstm_step(x, h, c, Wx, Wh, b, p):
    """h_t, c_t (B, H) and the gates (i, f, g, o) from x_t (B, I), h_{t-1} and c_{t-1}."""
    z = x @ Wx + h @ Wh + b
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
    p_i, p_f, p_o = np.split(p, 3)
    i = sigmoid(z_i + p_i * c)
    f = sigmoid(z_f + p_f * c)
    g = np.tanh(z_g)
    c_new = f * c + i * g
    o = sigmoid(z_o + p_o * c_new)
    h_new = o * np.tanh(c_new)
    return h_new, c_new, (i, f, g, o)


def peephole_lstm_step_backward(dh, dc, x, h, c, c_new, gates, Wx, Wh, p):
    """From dL/dh_t, dL/dc_t to dx, dh_before, dc_before, dWx, dWh, db, dp of this step."""
    i, f, g, o = gates
    p_i, p_f, p_o = np.split(p, 3)
    tanh_c = np.tanh(c_new)
    do = dh * tanh_c  # h_t = o tanh(c_t)
    dz_o = do * o * (1 - o)  # o = σ(z_o + p_o c_t)
    dc = dc + dh * o * (1 - tanh_c**2) + dz_o * p_o  # c_t goes to h_t, o and step t + 1
    df = dc * c  # c_t = f c_{t-1} + i g
    di = dc * g
    dg = dc * i
    dz_i = di * i * (1 - i)  # i = σ(z_i + p_i c_{t-1})
    dz_f = df * f * (1 - f)  # f = σ(z_f + p_f c_{t-1})
    dz_g = dg * (1 - g**2)  # g = tanh(z_g)
    dz = np.hstack([dz_i, dz_f, dz_g, dz_o])
    dx = dz @ Wx.T  # z = x_t Wx + h_{t-1} Wh + b
    dWx = x.T @ dz
    dWh = h.T @ dz
    db = dz.sum(axis=0)
    dp = np.hstack([dz_i * c, dz_f * c, dz_o * c_new]).sum(axis=0)
    dh_before = dz @ Wh.T
    dc_before = dc * f + dz_i * p_i + dz_f * p_f  # c_{t-1} goes to c_t, i and f
    return dx, dh_before, dc_before, dWx, dWh, db, dp


def peephole_lstm_forward(x, h0, c0, Wx, Wh, b, p, lengths=None):
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
        h_new, c_new, gates_t = peephole_lstm_step(x_t, h[:, t], c[:, t], Wx, Wh, b, p)
        h[:, t + 1] = np.where(valid, h_new, h[:, t])
        c[:, t + 1] = np.where(valid, c_new, c[:, t])
        y[:, t] = np.where(valid, h_new, 0)
        gates.append(gates_t)
    return y, h, c, gates


def peephole_lstm_backward(dy, dhT, dcT, x, h, c, gates, Wx, Wh, p, lengths=None):
    """dx, dWx, dWh, db, dp, dh0, dc0 from dy (B, T, H) and dL/dh_T, dL/dc_T (B, H)."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    dx, dWx, dWh, db = (np.zeros(shape) for shape in (x.shape, Wx.shape, Wh.shape, Wh.shape[1]))
    dp = np.zeros(p.shape)
    dh = dhT
    dc = dcT
    for t in reversed(range(T)):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_before, c_before, c_new = h[:, t], c[:, t], c[:, t + 1]
        dh_t = np.where(valid, dh + dy[:, t], 0)  # h_t goes to the output and to step t + 1
        dc_t = np.where(valid, dc, 0)
        args = dh_t, dc_t, x_t, h_before, c_before, c_new, gates[t], Wx, Wh, p
        dx_t, dh_before, dc_before, *d = peephole_lstm_step_backward(*args)
        dx[:, t] = dx_t
        dWx += d[0]  # one Wx for all steps: their gradients add up
        dWh += d[1]
        db += d[2]
        dp += d[3]
        dh = np.where(valid, dh_before, dh)  # padding: straight through, as the state
        dc = np.where(valid, dc_before, dc)
    return dx, dWx, dWh, db, dp, dh, dc
