"""The GRU of the paper (Cho et al. 2014): the reset gate acts on h before the product."""

import numpy as np

from rnnlite.reference import sigmoid


def gru_2014_step(x, h, Wx, Wh, b, bh):
    """h_t (B, H) and what backward needs, (r, z, n), from x_t (B, I) and h_{t-1}."""
    H = len(Wh)
    x_r, x_z, x_n = np.split(x @ Wx + b, 3, axis=1)
    h_r, h_z = np.split(h @ Wh[:, : 2 * H] + bh[: 2 * H], 2, axis=1)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    h_n = (r * h) @ Wh[:, 2 * H :] + bh[2 * H :]
    n = np.tanh(x_n + h_n)
    h_new = (1 - z) * n + z * h
    return h_new, (r, z, n)


def gru_2014_step_backward(dh, x, h, gates, Wx, Wh):
    """From dL/dh_t to dx, dh_before, dWx, dWh, db, dbh of this step."""
    r, z, n = gates
    Wh_rz, Wh_n = np.split(Wh, [2 * len(Wh)], axis=1)
    dz = dh * (h - n)  # h_t = (1 - z) n + z h_{t-1}
    dn = dh * (1 - z)
    da_n = dn * (1 - n**2)  # n = tanh(x_n + h_n)
    drh = da_n @ Wh_n.T  # h_n = (r h_{t-1}) Wh_n + bh_n
    dr = drh * h
    da_r = dr * r * (1 - r)  # r = σ(x_r + h_r)
    da_z = dz * z * (1 - z)  # z = σ(x_z + h_z)
    da_rz = np.hstack([da_r, da_z])
    da = np.hstack([da_r, da_z, da_n])
    dx = da @ Wx.T  # (x_r, x_z, x_n) = x_t Wx + b
    dWx = x.T @ da
    db = da.sum(axis=0)
    dWh = np.hstack([h.T @ da_rz, (r * h).T @ da_n])
    dbh = da.sum(axis=0)
    dh_before = dh * z + drh * r + da_rz @ Wh_rz.T  # h_{t-1} goes to h_t, r h and the gates
    return dx, dh_before, dWx, dWh, db, dbh


def gru_2014_forward(x, h0, Wx, Wh, b, bh, lengths=None):
    """Outputs y (B, T, H), zero in the padding; h (B, T + 1, H); the gates of each step."""
    B, T, _ = x.shape
    lengths = np.full(B, T) if lengths is None else lengths
    h = np.zeros((B, T + 1, len(Wh)))
    y, gates = np.zeros((B, T, len(Wh))), []
    h[:, 0] = h0
    for t in range(T):
        valid = (t < lengths)[:, None]
        x_t = np.where(valid, x[:, t], 0)
        h_new, gates_t = gru_2014_step(x_t, h[:, t], Wx, Wh, b, bh)
        h[:, t + 1] = np.where(valid, h_new, h[:, t])
        y[:, t] = np.where(valid, h_new, 0)
        gates.append(gates_t)
    return y, h, gates


def gru_2014_backward(dy, dhT, x, h, gates, Wx, Wh, lengths=None):
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
        dx_t, dh_before, *d = gru_2014_step_backward(dh_t, x_t, h_before, gates[t], Wx, Wh)
        dx[:, t] = dx_t
        dWx += d[0]  # one Wx for all steps: their gradients add up
        dWh += d[1]
        db += d[2]
        dbh += d[3]
        dh = np.where(valid, dh_before, dh)  # padding: straight through, as the state
    return dx, dWx, dWh, db, dbh, dh
