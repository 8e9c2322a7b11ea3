"""The LSTM whose gates see the cell state (Gers & Schmidhuber 2000), with bounded inputs.

    i = σ[z_i + p_i c_{t-1}]   f = σ[z_f + p_f c_{t-1}]   g = tanh[z_g]
    c_t = f c_{t-1} + i g
    o = σ[z_o + p_o c_t]
    h_t = o tanh[c_t]

[a] is a held to [-clip, clip].  Read ``lstm.py`` first: without peepholes p and without a clip
this is the same, z = x_t Wx + h_{t-1} Wh + b included.
"""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from rnnlite.reference.activations import bounded, bounded_slope, sigmoid
from rnnlite.reference.arrays import checked, incoming, positive_number, slots
from rnnlite.reference.dense import dense_backward

PeepholeLSTMGradients = namedtuple("PeepholeLSTMGradients", "dx dWx dWh db dh0 dc0 dpeephole")


def peephole_lstm_forward(x, Wx, Wh, b, h0, c0, lengths, peephole, clip, compute_dtype=None):
    """Run the LSTM with peepholes and clip; see ``lstm_forward``.

    >>> x, Wx, Wh, b = np.ones((1, 2, 1)), np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(4)
    >>> b[2] = 50.0  # the candidate is 1; the forget gate is half open until it sees c = 0.5
    >>> _, _, cache = peephole_lstm_forward(x, Wx, Wh, b, None, None, None, [0, 100.0, 0], None)
    >>> print(cache.c[0, :, 0])  # 0.5 * 1, then 1 * 0.5 + 0.5 * 1
    [0.5 1. ]
    """
    clip = np.inf if clip is None else positive_number("lstm_forward", "clip", clip, 1e6)
    rounded, valid, x, Wx, Wh, b, h0, c0, p = checked(
        "lstm_forward", 4, lengths, compute_dtype, x, Wx, Wh, b=b, h0=h0, c0=c0, peephole=peephole
    )
    T, (p_i, p_f, p_o) = x.shape[1], np.split(p, 3)
    h, c = slots(h0, T), slots(c0, T)
    i, f, g, o = (np.zeros_like(h[:, 1:]) for _ in range(4))
    z = np.zeros((*x.shape[:2], len(b)), x.dtype)

    for t in range(T):
        z[:, t] = x[:, t] @ Wx + rounded(h[:, t]) @ Wh + b  # z = x_t Wx + h_{t-1} Wh + b
        z_i, z_f, z_g, z_o = np.split(z[:, t], 4, axis=1)  # views: += below writes into z
        if peephole is not None:  # not p = 0: times an infinite c that would be NaN
            z_i += p_i * c[:, t]  # the input and forget gate see c_{t-1}
            z_f += p_f * c[:, t]
        i[:, t] = sigmoid(bounded(z_i, clip))  # i = σ[z_i + p_i c_{t-1}]
        f[:, t] = sigmoid(bounded(z_f, clip))  # f = σ[z_f + p_f c_{t-1}]
        g[:, t] = np.tanh(bounded(z_g, clip))  # g = tanh[z_g]
        c_new = f[:, t] * c[:, t] + i[:, t] * g[:, t]  # c_t = f c_{t-1} + i g
        if peephole is not None:
            z_o += p_o * c_new  # the output gate sees c_t
        o[:, t] = sigmoid(bounded(z_o, clip))  # o = σ[z_o + p_o c_t]
        h_new = o[:, t] * np.tanh(bounded(c_new, clip))  # h_t = o tanh[c_t]
        c[:, t + 1] = np.where(valid[:, t], c_new, c[:, t])  # padding carries the state on
        h[:, t + 1] = np.where(valid[:, t], h_new, h[:, t])

    cache = SimpleNamespace(function="lstm_forward", inputs=(x, Wx, Wh, valid), states=(h, c))
    cache.rounded, cache.compute_dtype = rounded, compute_dtype
    cache.cell, cache.z, cache.p, cache.clip = "LSTM with peepholes", z, p, clip
    cache.has_peepholes = peephole is not None
    cache.i, cache.f, cache.g, cache.o, cache.c, cache.h = (
        np.where(valid, a, 0) for a in (i, f, g, o, c[:, 1:], h[:, 1:])
    )
    return cache.h.copy(), (h[:, T].copy(), c[:, T].copy()), cache


def peephole_lstm_backward(dh, cache, dhT, dcT):
    """Backpropagate through ``peephole_lstm_forward``; see ``lstm_backward``.

    Returns dpeephole whether there were peepholes or not.

    >>> x, Wx, Wh, b = np.ones((1, 1, 1)), np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(4)
    >>> p = [0, 0, 2.0]  # c0 = 2 is halved by the forget gate; o sees c_1 = 1
    >>> for clip in (None, 1.5):  # z_o + p_o c_1 = 2: beyond 1.5 there is no slope
    ...     _, _, cache = peephole_lstm_forward(x, Wx, Wh, b, None, [[2.0]], None, p, clip)
    ...     print(peephole_lstm_backward([[[1.0]]], cache, None, None).dpeephole[2].round(4))
    0.08
    0.0
    """
    dh_seq, dh, dc = incoming("lstm_backward", "lstm_forward", cache, dh=dh, dhT=dhT, dcT=dcT)
    (x, Wx, Wh, valid), (h, c), clip = cache.inputs, cache.states, cache.clip
    rounded = cache.rounded
    p_i, p_f, p_o = np.split(cache.p, 3)
    dz = np.zeros_like(cache.z)

    for t in reversed(range(x.shape[1])):
        i, f, g, o = cache.i[:, t], cache.f[:, t], cache.g[:, t], cache.o[:, t]
        in_i, in_f, in_g, in_o = np.split(bounded_slope(cache.z[:, t], clip), 4, axis=1)
        in_c = bounded_slope(c[:, t + 1], clip)
        tanh_c = np.tanh(bounded(c[:, t + 1], clip))
        dh = dh + dh_seq[:, t]  # h_t goes to the loss and to step t + 1
        do = dh * tanh_c  # h_t = o tanh[c_t]
        dz_o = do * o * (1 - o) * in_o  # o = σ[z_o + p_o c_t]
        dc = dc + dh * o * (1 - tanh_c**2) * in_c  # c_t goes to h_t, to step t + 1
        if cache.has_peepholes:
            dc = dc + dz_o * p_o  # and to the output gate
        df = dc * c[:, t]  # c_t = f c_{t-1} + i g
        di = dc * g
        dg = dc * i
        dz_i = di * i * (1 - i) * in_i  # i = σ[z_i + p_i c_{t-1}]
        dz_f = df * f * (1 - f) * in_f  # f = σ[z_f + p_f c_{t-1}]
        dz_g = dg * (1 - g**2) * in_g  # g = tanh[z_g]
        dc_before = dc * f  # c_{t-1} goes to c_t
        if cache.has_peepholes:
            dc_before = dc_before + dz_i * p_i + dz_f * p_f  # and to two gates
        dz[:, t] = np.where(valid[:, t], np.hstack([dz_i, dz_f, dz_g, dz_o]), 0)
        dh = np.where(valid[:, t], rounded(dz[:, t]) @ Wh.T, dh)  # z = x_t Wx + h_{t-1} Wh + b
        dc = np.where(valid[:, t], dc_before, dc)  # padding: straight through, as the state

    # z = x_t Wx + h_{t-1} Wh + b, all steps at once
    dx, dWx, db = dense_backward(dz, x, Wx, cache.compute_dtype)
    _, dWh, _ = dense_backward(dz, h[:, :-1], Wh, cache.compute_dtype)
    dz_i, dz_f, _, dz_o = np.split(dz, 4, axis=2)
    seen = np.dstack([dz_i * c[:, :-1], dz_f * c[:, :-1], dz_o * c[:, 1:]])
    return PeepholeLSTMGradients(dx, dWx, dWh, db, dh, dc, seen.sum(axis=(0, 1)))
