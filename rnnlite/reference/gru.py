"""The GRU, its reset gate behind the recurrent product, as cuDNN and PyTorch have it.

    r = σ(x_r + h_r)   z = σ(x_z + h_z)            (x_r, x_z, x_n) = x_t Wx + b
    n = tanh(x_n + r h_n)                          (h_r, h_z, h_n) = h_{t-1} Wh + bh
    h_t = (1 - z) n + z h_{t-1}

Where z is 1 the state stays as it is; where r is 0 the candidate sees x alone.
"""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from rnnlite.reference.activations import sigmoid
from rnnlite.reference.arrays import checked, incoming, slots
from rnnlite.reference.dense import dense_backward
from rnnlite.reference.gru_2014 import gru_2014_backward, gru_2014_forward

GRUGradients = namedtuple("GRUGradients", "dx dWx dWh db dbh dh0")


def gru_forward(x, Wx, Wh, b, bh, h0=None, lengths=None, *, reset_after=True,
                compute_dtype=None):  # fmt: skip
    """Run a GRU over a batch of sequences.

    x (B, T, I), Wx (I, 3H), Wh (H, 3H), b (3H,) on the input side, bh (3H,) on the recurrent
    side; h0, lengths and compute_dtype as in ``lstm_forward``; reset_after False: the reset
    gate acts on h before the recurrent product, ``gru_2014.py``.  Returns h (B, T, H); hT
    (B, H), the state after each row's last valid step; cache, with r, z, n, h (B, T, H) and
    what ``gru_backward`` reads.

    >>> x, Wx, Wh, b = np.ones((1, 2, 1)), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3)
    >>> h, hT, cache = gru_forward(x, Wx, Wh, b, b, h0=[[1.0]])  # halves its state each step
    >>> print(h[0, :, 0])
    [0.5  0.25]
    """
    if not isinstance(reset_after, (bool, np.bool_)):
        raise TypeError(f"gru_forward: reset_after is {reset_after!r}; wanted True or False")
    if not reset_after:
        return gru_2014_forward(x, Wx, Wh, b, bh, h0, lengths, compute_dtype)
    rounded, valid, x, Wx, Wh, b, bh, h0 = checked(
        "gru_forward", 3, lengths, compute_dtype, x, Wx, Wh, b=b, bh=bh, h0=h0
    )
    T = x.shape[1]
    h = slots(h0, T)
    r, z, n, h_n = (np.zeros_like(h[:, 1:]) for _ in range(4))

    for t in range(T):
        x_r, x_z, x_n = np.split(x[:, t] @ Wx + b, 3, axis=1)  # (x_r, x_z, x_n) = a_x = x_t Wx + b
        a_h = rounded(h[:, t]) @ Wh + bh  # (h_r, h_z, h_n) = a_h = h_{t-1} Wh + bh
        h_r, h_z, h_n[:, t] = np.split(a_h, 3, axis=1)
        r[:, t] = sigmoid(x_r + h_r)  # r = σ(x_r + h_r)          reset gate
        z[:, t] = sigmoid(x_z + h_z)  # z = σ(x_z + h_z)          update gate
        n[:, t] = np.tanh(x_n + r[:, t] * h_n[:, t])  # n = tanh(x_n + r h_n)   candidate
        h_new = (1 - z[:, t]) * n[:, t] + z[:, t] * h[:, t]  # h_t = (1 - z) n + z h_{t-1}
        h[:, t + 1] = np.where(valid[:, t], h_new, h[:, t])  # padding carries the state on

    cache = SimpleNamespace(function="gru_forward", inputs=(x, Wx, Wh, valid), states=h)
    cache.rounded, cache.compute_dtype = rounded, compute_dtype
    cache.r, cache.z, cache.n, cache.h_n, cache.h = (
        np.where(valid, a, 0) for a in (r, z, n, h_n, h[:, 1:])
    )
    return cache.h.copy(), h[:, T].copy(), cache


def gru_backward(dh, cache, dhT=None):
    """Backpropagate through time through ``gru_forward``.

    ``dh``, ``cache`` and ``dhT`` as in ``lstm_backward``; returns a named tuple of
    dx, dWx, dWh, db, dbh, dh0, each in the shape of its own array.

    >>> x, Wx, Wh, b = np.ones((1, 2, 1)), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3)
    >>> h, hT, cache = gru_forward(x, Wx, Wh, b, b)
    >>> print(gru_backward(None, cache, dhT=[[1.0]]).dh0)  # through two update gates of 0.5
    [[0.25]]
    """
    if getattr(cache, "cell", "") == "GRU of 2014":
        return GRUGradients(*gru_2014_backward(dh, cache, dhT))
    dh_seq, dh = incoming("gru_backward", "gru_forward", cache, dh=dh, dhT=dhT)
    (x, Wx, Wh, valid), h, rounded = cache.inputs, cache.states, cache.rounded
    da_x, da_h = np.zeros((2, *x.shape[:2], Wh.shape[1]), x.dtype)

    for t in reversed(range(x.shape[1])):
        r, z, n, h_n = cache.r[:, t], cache.z[:, t], cache.n[:, t], cache.h_n[:, t]
        dh = dh + dh_seq[:, t]  # h_t goes to the loss and to step t + 1
        dz = dh * (h[:, t] - n)  # h_t = (1 - z) n + z h_{t-1}
        dn = dh * (1 - z)
        dx_n = dn * (1 - n**2)  # n = tanh(x_n + r h_n)
        dh_n = dx_n * r
        dr = dx_n * h_n
        da_r = dr * r * (1 - r)  # r = σ(x_r + h_r)
        da_z = dz * z * (1 - z)  # z = σ(x_z + h_z)
        da_x[:, t] = np.where(valid[:, t], np.hstack([da_r, da_z, dx_n]), 0)
        da_h[:, t] = np.where(valid[:, t], np.hstack([da_r, da_z, dh_n]), 0)
        dh_before = dh * z + rounded(da_h[:, t]) @ Wh.T  # a_h = h_{t-1} Wh + bh
        dh = np.where(valid[:, t], dh_before, dh)

    # a_x = x_t Wx + b and a_h = h_{t-1} Wh + bh, all steps at once
    dx, dWx, db = dense_backward(da_x, x, Wx, cache.compute_dtype)
    _, dWh, dbh = dense_backward(da_h, h[:, :-1], Wh, cache.compute_dtype)
    return GRUGradients(dx, dWx, dWh, db, dbh, dh)
