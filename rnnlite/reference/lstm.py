"""The LSTM: four gates around a cell state c.

    i = σ(z_i)   f = σ(z_f)   g = tanh(z_g)   o = σ(z_o)      z = x_t Wx + h_{t-1} Wh + b
    c_t = f c_{t-1} + i g
    h_t = o tanh(c_t)

c is a sum over time: on the way back its gradient is multiplied by f alone, step for step.
"""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

from rnnlite.reference.activations import sigmoid
from rnnlite.reference.arrays import checked, incoming, slots
from rnnlite.reference.dense import dense_backward
from rnnlite.reference.peephole_lstm import peephole_lstm_backward, peephole_lstm_forward

LSTMGradients = namedtuple("LSTMGradients", "dx dWx dWh db dh0 dc0")


def lstm_forward(x, Wx, Wh, b, h0=None, c0=None, lengths=None, *, peephole=None, clip=None,
                 compute_dtype=None):  # fmt: skip
    """Run an LSTM over a batch of sequences.

    Parameters
    ----------
    x : (B, T, I), Wx : (I, 4H), Wh : (H, 4H), b : (4H,)
    h0, c0 : (B, H) or None, initial hidden and cell state; None is zero
    lengths : (B,) integers or None, valid steps of each row; None is T for all
    peephole : (3H,) or None, weights by which the gates i, f, o, in this order, see the cell state
    clip : float or None, holds the input of every σ and tanh to [-clip, clip]
    compute_dtype : None, "bfloat16" or "bfloat16_weight_gradients", see ``bfloat16.py``

    Returns
    -------
    h : (B, T, H)
    (hT, cT) : (B, H) each, the states after each row's last valid step
    cache : i, f, g, o, c, h, (B, T, H) each, and what ``lstm_backward`` reads

    >>> x, Wx, Wh, b = np.ones((1, 2, 1)), np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(4)
    >>> b[2] = 50.0  # the candidate is 1, all gates are half open
    >>> h, (hT, cT), cache = lstm_forward(x, Wx, Wh, b)
    >>> print(cache.c[0, :, 0])  # 0.5 * 1, then 0.5 * 0.5 + 0.5 * 1
    [0.5  0.75]
    """
    if peephole is not None or clip is not None:
        return peephole_lstm_forward(x, Wx, Wh, b, h0, c0, lengths, peephole, clip, compute_dtype)
    rounded, valid, x, Wx, Wh, b, h0, c0 = checked(
        "lstm_forward", 4, lengths, compute_dtype, x, Wx, Wh, b=b, h0=h0, c0=c0
    )
    T = x.shape[1]
    h, c = slots(h0, T), slots(c0, T)
    i, f, g, o = (np.zeros_like(h[:, 1:]) for _ in range(4))

    for t in range(T):
        z = x[:, t] @ Wx + rounded(h[:, t]) @ Wh + b  # z = x_t Wx + h_{t-1} Wh + b
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
        i[:, t] = sigmoid(z_i)  # i = σ(z_i)      input gate: how much is written
        f[:, t] = sigmoid(z_f)  # f = σ(z_f)      forget gate: how much is kept
        g[:, t] = np.tanh(z_g)  # g = tanh(z_g)   candidate: what is written
        o[:, t] = sigmoid(z_o)  # o = σ(z_o)      output gate: how much is shown
        c_new = f[:, t] * c[:, t] + i[:, t] * g[:, t]  # c_t = f c_{t-1} + i g
        h_new = o[:, t] * np.tanh(c_new)  # h_t = o tanh(c_t)
        c[:, t + 1] = np.where(valid[:, t], c_new, c[:, t])  # padding carries the state on
        h[:, t + 1] = np.where(valid[:, t], h_new, h[:, t])

    cache = SimpleNamespace(function="lstm_forward", inputs=(x, Wx, Wh, valid), states=(h, c))
    cache.rounded, cache.compute_dtype = rounded, compute_dtype
    cache.i, cache.f, cache.g, cache.o, cache.c, cache.h = (
        np.where(valid, a, 0) for a in (i, f, g, o, c[:, 1:], h[:, 1:])
    )
    return cache.h.copy(), (h[:, T].copy(), c[:, T].copy()), cache


def lstm_backward(dh, cache, dhT=None, dcT=None):
    """Backpropagate through time through ``lstm_forward``.

    Parameters
    ----------
    dh : (B, T, H) or None, gradient of the loss with respect to every output; None is zero
    cache : what ``lstm_forward`` returned
    dhT, dcT : (B, H) or None, gradients with respect to the final states, on top of ``dh``

    Returns
    -------
    dx, dWx, dWh, db, dh0, dc0 : named tuple, each in the shape of its own array; with
        peepholes also dpeephole

    >>> x, Wx, Wh, b = np.ones((1, 2, 1)), np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(4)
    >>> h, state, cache = lstm_forward(x, Wx, Wh, b)
    >>> print(lstm_backward(None, cache, dcT=[[1.0]]).dc0)  # through two forget gates of 0.5
    [[0.25]]
    """
    if getattr(cache, "cell", "") == "LSTM with peepholes":
        gradients = peephole_lstm_backward(dh, cache, dhT, dcT)
        return gradients if cache.has_peepholes else LSTMGradients(*gradients[:6])
    dh_seq, dh, dc = incoming("lstm_backward", "lstm_forward", cache, dh=dh, dhT=dhT, dcT=dcT)
    (x, Wx, Wh, valid), (h, c), rounded = cache.inputs, cache.states, cache.rounded
    dz = np.zeros((*x.shape[:2], Wh.shape[1]), x.dtype)

    for t in reversed(range(x.shape[1])):
        i, f, g, o = cache.i[:, t], cache.f[:, t], cache.g[:, t], cache.o[:, t]
        tanh_c = np.tanh(c[:, t + 1])
        dh = dh + dh_seq[:, t]  # h_t goes to the loss and to step t + 1
        do = dh * tanh_c  # h_t = o tanh(c_t)
        dc = dc + dh * o * (1 - tanh_c**2)  # c_t goes to h_t and to step t + 1
        df = dc * c[:, t]  # c_t = f c_{t-1} + i g
        di = dc * g
        dg = dc * i
        dz_i = di * i * (1 - i)  # i = σ(z_i)
        dz_f = df * f * (1 - f)  # f = σ(z_f)
        dz_g = dg * (1 - g**2)  # g = tanh(z_g)
        dz_o = do * o * (1 - o)  # o = σ(z_o)
        dz[:, t] = np.where(valid[:, t], np.hstack([dz_i, dz_f, dz_g, dz_o]), 0)
        dh = np.where(valid[:, t], rounded(dz[:, t]) @ Wh.T, dh)  # z = x_t Wx + h_{t-1} Wh + b
        dc = np.where(valid[:, t], dc * f, dc)  # padding: straight through, as the state

    # z = x_t Wx + h_{t-1} Wh + b, all steps at once
    dx, dWx, db = dense_backward(dz, x, Wx, cache.compute_dtype)
    _, dWh, _ = dense_backward(dz, h[:, :-1], Wh, cache.compute_dtype)
    return LSTMGradients(dx, dWx, dWh, db, dh, dc)
