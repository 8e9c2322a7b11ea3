"""The vanilla RNN: one state, h_t = f(x_t Wx + h_{t-1} Wh + b) with f = tanh or ReLU."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from rnnlite.reference.arrays import checked, incoming, slots
from rnnlite.reference.dense import dense_backward

RNNGradients = namedtuple("RNNGradients", "dx dWx dWh db dh0")


def rnn_forward(x, Wx, Wh, b, h0=None, lengths=None, activation="tanh", *,
                compute_dtype=None):  # fmt: skip
    """Run a vanilla RNN over a batch of sequences.

    x (B, T, I), Wx (I, H), Wh (H, H), b (H,); h0, lengths and compute_dtype as in
    ``lstm_forward``; activation "tanh" or "relu".  Returns h (B, T, H); hT (B, H), the state
    after each row's last valid step; cache, with h (B, T, H) and what ``rnn_backward`` reads.

    >>> x, one, b = np.ones((1, 3, 1)), np.ones((1, 1)), np.zeros(1)
    >>> h, hT, cache = rnn_forward(x, one, one, b, activation="relu")  # counts its inputs
    >>> print(h[0, :, 0])
    [1. 2. 3.]
    """
    if activation not in ("tanh", "relu"):
        raise ValueError(f'rnn_forward: activation is {activation!r}; wanted "tanh" or "relu"')
    rounded, valid, x, Wx, Wh, b, h0 = checked(
        "rnn_forward", 1, lengths, compute_dtype, x, Wx, Wh, b=b, h0=h0
    )
    T = x.shape[1]
    h = slots(h0, T)

    for t in range(T):
        z = x[:, t] @ Wx + rounded(h[:, t]) @ Wh + b  # z = x_t Wx + h_{t-1} Wh + b
        h_new = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        h[:, t + 1] = np.where(valid[:, t], h_new, h[:, t])  # padding carries the state on

    cache = SimpleNamespace(function="rnn_forward", inputs=(x, Wx, Wh, valid), states=h)
    cache.rounded, cache.compute_dtype = rounded, compute_dtype
    cache.activation, cache.h = activation, np.where(valid, h[:, 1:], 0)
    return cache.h.copy(), h[:, T].copy(), cache


def rnn_backward(dh, cache, dhT=None):
    """Backpropagate through time through ``rnn_forward``.

    ``dh``, ``cache`` and ``dhT`` as in ``lstm_backward``; returns a named tuple of
    dx, dWx, dWh, db, dh0, each in the shape of its own array.

    >>> x, two, b = np.ones((1, 3, 1)), np.full((1, 1), 2.0), np.zeros(1)
    >>> h, hT, cache = rnn_forward(x, two, two, b, activation="relu")
    >>> print(rnn_backward(None, cache, dhT=[[1.0]]).dh0)  # 2 * 2 * 2: gradients explode
    [[8.]]
    """
    dh_seq, dh = incoming("rnn_backward", "rnn_forward", cache, dh=dh, dhT=dhT)
    (x, Wx, Wh, valid), h, rounded = cache.inputs, cache.states, cache.rounded
    dz = np.zeros_like(h[:, 1:])

    for t in reversed(range(x.shape[1])):
        dh = dh + dh_seq[:, t]  # h_t goes to the loss and to step t + 1
        h_t = h[:, t + 1]
        slope = 1 - h_t**2 if cache.activation == "tanh" else h_t > 0
        dz[:, t] = np.where(valid[:, t], dh * slope, 0)  # h_t = tanh(z), or max(z, 0)
        dh = np.where(valid[:, t], rounded(dz[:, t]) @ Wh.T, dh)  # z = x_t Wx + h_{t-1} Wh + b

    # z = x_t Wx + h_{t-1} Wh + b, all steps at once
    dx, dWx, db = dense_backward(dz, x, Wx, cache.compute_dtype)
    _, dWh, _ = dense_backward(dz, h[:, :-1], Wh, cache.compute_dtype)
    return RNNGradients(dx, dWx, dWh, db, dh)
