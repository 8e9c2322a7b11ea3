"""The GRU as it was published (Cho et al. 2014): the reset gate before the recurrent product.

    r = σ(x_r + h_r)   z = σ(x_z + h_z)            (x_r, x_z, x_n) = x_t Wx + b
    n = tanh(x_n + h_n)                            (h_r, h_z) = h_{t-1} Wh_rz + bh_rz
    h_t = (1 - z) n + z h_{t-1}                    h_n = (r h_{t-1}) Wh_n + bh_n

Read ``gru.py`` first: only the candidate n differs.  There the reset gate weighs what the
product made of the state; here it chooses which units of the state enter the product.
"""

from types import SimpleNamespace

import numpy as np

from rnnlite.reference.activations import sigmoid
from rnnlite.reference.arrays import checked, incoming, slots
from rnnlite.reference.dense import dense_backward


def gru_2014_forward(x, Wx, Wh, b, bh, h0, lengths, compute_dtype=None):
    """Run the GRU with reset_after=False; see ``gru_forward``.

    >>> x, Wx, Wh, b = np.ones((1, 1, 1)), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3)
    >>> Wh[0, 2] = 1.0
    >>> h, hT, cache = gru_2014_forward(x, Wx, Wh, b, b, [[2.0]], None)
    >>> print(h.round(4))  # 0.5 tanh(0.5 * 2) + 0.5 * 2
    [[[1.3808]]]
    """
    rounded, valid, x, Wx, Wh, b, bh, h0 = checked(
        "gru_forward", 3, lengths, compute_dtype, x, Wx, Wh, b=b, bh=bh, h0=h0
    )
    T, H = x.shape[1], len(Wh)
    Wh_rz, Wh_n, bh_rz, bh_n = Wh[:, : 2 * H], Wh[:, 2 * H :], bh[: 2 * H], bh[2 * H :]
    h = slots(h0, T)
    r, z, n = (np.zeros_like(h[:, 1:]) for _ in range(3))

    for t in range(T):
        x_r, x_z, x_n = np.split(x[:, t] @ Wx + b, 3, axis=1)  # (x_r, x_z, x_n) = a_x = x_t Wx + b
        a_h = rounded(h[:, t]) @ Wh_rz + bh_rz  # (h_r, h_z) = h_{t-1} Wh_rz + bh_rz
        h_r, h_z = np.split(a_h, 2, axis=1)
        r[:, t] = sigmoid(x_r + h_r)  # r = σ(x_r + h_r)          reset gate
        z[:, t] = sigmoid(x_z + h_z)  # z = σ(x_z + h_z)          update gate
        h_n = rounded(r[:, t] * h[:, t]) @ Wh_n + bh_n  # h_n = (r h_{t-1}) Wh_n + bh_n
        n[:, t] = np.tanh(x_n + h_n)  # n = tanh(x_n + h_n)       candidate
        h_new = (1 - z[:, t]) * n[:, t] + z[:, t] * h[:, t]  # h_t = (1 - z) n + z h_{t-1}
        h[:, t + 1] = np.where(valid[:, t], h_new, h[:, t])  # padding carries the state on

    cache = SimpleNamespace(function="gru_forward", inputs=(x, Wx, Wh, valid), states=h)
    cache.cell, cache.rounded, cache.compute_dtype = "GRU of 2014", rounded, compute_dtype
    cache.r, cache.z, cache.n, cache.h = (np.where(valid, a, 0) for a in (r, z, n, h[:, 1:]))
    return cache.h.copy(), h[:, T].copy(), cache


def gru_2014_backward(dh, cache, dhT):
    """Backpropagate through ``gru_2014_forward``; see ``gru_backward``.

    Returns dx, dWx, dWh, db, dbh, dh0.

    >>> x, Wx, Wh, b = np.ones((1, 1, 1)), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3)
    >>> Wh[0, 2] = 1.0
    >>> _, _, cache = gru_2014_forward(x, Wx, Wh, b, b, [[0.0]], None)
    >>> print(gru_2014_backward([[[1.0]]], cache, None)[5])  # z = 1/2, and (1 - z) r Wh_n = 1/4
    [[0.75]]
    """
    dh_seq, dh = incoming("gru_backward", "gru_forward", cache, dh=dh, dhT=dhT)
    (x, Wx, Wh, valid), h, H = cache.inputs, cache.states, cache.h.shape[2]
    Wh_rz, Wh_n, rounded = Wh[:, : 2 * H], Wh[:, 2 * H :], cache.rounded
    da = np.zeros((*x.shape[:2], 3 * H), x.dtype)

    for t in reversed(range(x.shape[1])):
        r, z, n = cache.r[:, t], cache.z[:, t], cache.n[:, t]
        dh = dh + dh_seq[:, t]  # h_t goes to the loss and to step t + 1
        dz = dh * (h[:, t] - n)  # h_t = (1 - z) n + z h_{t-1}
        dn = dh * (1 - z)
        da_n = dn * (1 - n**2)  # n = tanh(x_n + h_n)
        drh = rounded(da_n) @ Wh_n.T  # h_n = (r h_{t-1}) Wh_n + bh_n
        dr = drh * h[:, t]
        da_r = dr * r * (1 - r)  # r = σ(x_r + h_r)
        da_z = dz * z * (1 - z)  # z = σ(x_z + h_z)
        da[:, t] = np.where(valid[:, t], np.hstack([da_r, da_z, da_n]), 0)
        dh_before = dh * z + drh * r + rounded(np.hstack([da_r, da_z])) @ Wh_rz.T
        dh = np.where(valid[:, t], dh_before, dh)  # padding: straight through, as the state

    h_before, compute = h[:, :-1], cache.compute_dtype
    dx, dWx, db = dense_backward(da, x, Wx, compute)  # a_x = x_t Wx + b, all steps at once
    _, dWh_rz, dbh_rz = dense_backward(da[:, :, : 2 * H], h_before, Wh_rz, compute)
    _, dWh_n, dbh_n = dense_backward(da[:, :, 2 * H :], cache.r * h_before, Wh_n, compute)
    return dx, dWx, np.hstack([dWh_rz, dWh_n]), db, np.hstack([dbh_rz, dbh_n]), dh
