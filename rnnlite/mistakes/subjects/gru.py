"""The GRU, reset gate after the product: r, z = σ(x + h), n = tanh(x + r h), h = (1-z) n + z h."""

import numpy as np

from rnnlite.reference import sigmoid


def gru_step(x, h, Wx, Wh, b, bh):
    """h_t (B, H) and what backward needs, (r, z, n, h_n), from x_t (B, I) and h_{t-1}."""
    x_r, x_z, x_n = np.split(x @ Wx + b, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ Wh + bh, 3, axis=1)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    h_new = (1 - z) * n + z * h
    return h_new, (r, z, n, h_n)


def gru_step_backward(dh, x, h, gates, Wx, Wh):
    """From dL/dh_t to dx, dh_before, dWx, dWh, db, dbh of this step."""
    r, z, n, h_n = gates
    dz = dh * (h - n)  # h_t = (1 - z) n + z h_{t-1}
    dn = dh * (1 - z)
    dx_n = dn * (1 - n**2)  # n = tanh(x_n + r h_n)
    dh_n = dx_n * r
    dr = dx_n * h_n
    da_r = dr * r * (1 - r)  # r = σ(x_r + h_r)
    da_z = dz * z * (1 - z)  # z = σ(x_z + h_z)
    da_x = np.hstack([da_r, da_z, dx_n])
    da_h = np.hstack([da_r, da_z, dh_n])
    dx = da_x @ Wx.T  # (x_r, x_z, x_n) = x_t Wx + b
    dWx = x.T @ da_x
    db = da_x.sum(axis=0)
    dWh = h.T @ da_h  # (h_r, h_z, h_n) = h_{t-1} Wh + bh
    dbh = da_h.sum(axis=0)
    dh_before = dh * z + da_h @ Wh.T  # h_{t-1} goes to h_t and to the product
    return dx, dh_before, dWx, dWh, db, dbh


def gru_forward(x, h0, Wx, Wh, b, bh, lengths=None):
    """Outputs y (B, T, H), zero in the padding; h (B, T + 1, H); the gates of each step."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    h = np.zeros((B, T + 1, len(Wh)))
    y, gates = np.zeros((B, T, len(Wh))), []
    h[:, 0] = h0
    for t in range(T):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_new, gates_t = gru_step(x_t, h[:, t], Wx, Wh, b, bh)
        h[:, t + 1] = np.where(valid, h_new, h[:, t])
        y[:, t] = np.where(valid, h_new, 0)
        gates.append(gates_t)
    return y, h, gates


def gru_backward(dy, dhT, x, h, gates, Wx, Wh, lengths=None):
    """dx, dWx, dWh, db, dbh, dh0 from dy (B, T, H) and dL/dh_T (B, H)."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    dx, dWx, dWh, db = (np.zeros(shape) for shape in (x.shape, Wx.shape, Wh.shape, Wh.shape[1]))
    dbh = np.zeros(Wh.shape[1])
    dh = dhT
    for t in reversed(range(T)):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_before = h[:, t]
        dh_t = np.where(valid, dh + dy[:, t], 0)  # h_t goes to the output and to step t + 1
        dx_t, dh_before, *d = gru_step_backward(dh_t, x_t, h_before, gates[t], Wx, Wh)
        dx[:, t] = dx_t
        dWx += d[0]  # one Wx for all steps: their gradients add up
        dWh += d[1]
        db += d[2]
        dbh += d[3]
        dh = np.where(valid, dh_before, dh)  # padding: straight through, as the state
    return dx, dWx, dWh, db, dbh, dh
