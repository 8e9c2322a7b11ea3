"""The library's mathematics in plain NumPy: one screen a function, one comment an equation.

The twin of ``rnnlite.functional``: the same names, signatures and results, but the loop over
time is a Python loop, made to be read, stepped through and trusted, not to be fast.

Notation
--------
B rows (sequences) in a batch, T time steps, I input features, H hidden units, C classes::

    x (B, T, I)           input              Wx (I, K H)   input weights
    h (B, T, H)           hidden states      Wh (H, K H)   recurrent weights
    h0, c0, hT, cT (B, H) first, last state  b, bh (K H,)  biases

K gates are stacked on the last axis: i, f, g, o (LSTM, K = 4), r, z, n (GRU, K = 3), one
for the RNN.  ``dv`` is dL/dv, the gradient of the loss with respect to ``v``.  σ is the
logistic function, σ' = σ (1 - σ); tanh' = 1 - tanh².  Products of gates are elementwise.

The states of all steps live in one array of T + 1 slots: slot 0 is the initial state, and
step t reads slot t and writes slot t + 1, so that the first step is no special case.

``lengths`` (B,) says how many steps of each row are valid, 1..T.  In the padding behind
them outputs are zero, the state is carried through unchanged and every gradient is zero,
whatever ``x`` and ``dh`` hold there.  Results are float64 if an argument of the forward
function is, else float32.

Sources
-------
- Hochreiter & Schmidhuber 1997, "Long short-term memory", Neural Computation 9(8); its
  forget gate: Gers, Schmidhuber & Cummins 2000, "Learning to forget", 12(10)
- Elman 1990, "Finding structure in time", Cognitive Science 14(2)
- Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", EMNLP
- Kingma & Ba 2015, "Adam: a method for stochastic optimization", ICLR, algorithm 1
"""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np

LSTMGradients = namedtuple("LSTMGradients", "dx dWx dWh db dh0 dc0")
RNNGradients = namedtuple("RNNGradients", "dx dWx dWh db dh0")
GRUGradients = namedtuple("GRUGradients", "dx dWx dWh db dbh dh0")
DenseGradients = namedtuple("DenseGradients", "dx dW db")


def sigmoid(a):
    """Logistic function 1 / (1 + exp(-a)), without overflow for any ``a``.

    >>> print(sigmoid(np.array([-1000.0, 0.0, 1000.0])))
    [0.  0.5 1. ]
    """
    e = np.exp(-np.abs(a))  # at most 1: exp never sees a large positive number
    return np.where(a >= 0, 1, e) / (1 + e)  # 1 / (1 + exp(-a)) = exp(a) / (1 + exp(a))


def lstm_forward(x, Wx, Wh, b, h0=None, c0=None, lengths=None):
    """Run an LSTM over a batch of sequences.

    Parameters
    ----------
    x : (B, T, I), Wx : (I, 4H), Wh : (H, 4H), b : (4H,)
    h0, c0 : (B, H) or None
        Initial hidden and cell state; None is zero.
    lengths : (B,) integers or None
        Valid steps of each row; None is T for all.

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
    valid, x, Wx, Wh, b, h0, c0 = _checked("lstm_forward", 4, lengths, x, Wx, Wh, b=b, h0=h0, c0=c0)
    T = x.shape[1]
    h, c = _slots(h0, T), _slots(c0, T)
    i, f, g, o = (np.zeros_like(h[:, 1:]) for _ in range(4))

    for t in range(T):
        z = x[:, t] @ Wx + h[:, t] @ Wh + b  # z = x_t Wx + h_{t-1} Wh + b
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
    cache.i, cache.f, cache.g, cache.o, cache.c, cache.h = (
        np.where(valid, a, 0) for a in (i, f, g, o, c[:, 1:], h[:, 1:])
    )
    return cache.h.copy(), (h[:, T].copy(), c[:, T].copy()), cache


def lstm_backward(dh, cache, dhT=None, dcT=None):
    """Backpropagate through time through ``lstm_forward``.

    Parameters
    ----------
    dh : (B, T, H) or None
        Gradient of the loss with respect to every output; None is zero.
    cache : what ``lstm_forward`` returned
    dhT, dcT : (B, H) or None
        Gradients with respect to the final states, added to what ``dh`` says.

    Returns
    -------
    dx, dWx, dWh, db, dh0, dc0 : named tuple, each in the shape of its own array

    >>> x, Wx, Wh, b = np.ones((1, 2, 1)), np.zeros((1, 4)), np.zeros((1, 4)), np.zeros(4)
    >>> h, state, cache = lstm_forward(x, Wx, Wh, b)
    >>> print(lstm_backward(None, cache, dcT=[[1.0]]).dc0)  # through two forget gates of 0.5
    [[0.25]]
    """
    dh_seq, dh, dc = _incoming("lstm_backward", "lstm_forward", cache, dh=dh, dhT=dhT, dcT=dcT)
    (x, Wx, Wh, valid), (h, c) = cache.inputs, cache.states
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
        dh = np.where(valid[:, t], dz[:, t] @ Wh.T, dh)  # z = x_t Wx + h_{t-1} Wh + b
        dc = np.where(valid[:, t], dc * f, dc)  # padding: straight through, as the state

    dx, dWx, db = dense_backward(dz, x, Wx)  # z = x_t Wx + h_{t-1} Wh + b, all steps at once
    _, dWh, _ = dense_backward(dz, h[:, :-1], Wh)
    return LSTMGradients(dx, dWx, dWh, db, dh, dc)


def rnn_forward(x, Wx, Wh, b, h0=None, lengths=None, activation="tanh"):
    """Run a vanilla RNN over a batch of sequences.

    x (B, T, I), Wx (I, H), Wh (H, H), b (H,); h0 and lengths as in ``lstm_forward``;
    activation "tanh" or "relu".  Returns h (B, T, H); hT (B, H), the state after each row's
    last valid step; cache, with h (B, T, H) and what ``rnn_backward`` reads.

    >>> x, one, b = np.ones((1, 3, 1)), np.ones((1, 1)), np.zeros(1)
    >>> h, hT, cache = rnn_forward(x, one, one, b, activation="relu")  # counts its inputs
    >>> print(h[0, :, 0])
    [1. 2. 3.]
    """
    if activation not in ("tanh", "relu"):
        raise ValueError(f'rnn_forward: activation is {activation!r}; wanted "tanh" or "relu"')
    valid, x, Wx, Wh, b, h0 = _checked("rnn_forward", 1, lengths, x, Wx, Wh, b=b, h0=h0)
    T = x.shape[1]
    h = _slots(h0, T)

    for t in range(T):
        z = x[:, t] @ Wx + h[:, t] @ Wh + b  # z = x_t Wx + h_{t-1} Wh + b
        h_new = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        h[:, t + 1] = np.where(valid[:, t], h_new, h[:, t])  # padding carries the state on

    cache = SimpleNamespace(function="rnn_forward", inputs=(x, Wx, Wh, valid), states=h)
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
    dh_seq, dh = _incoming("rnn_backward", "rnn_forward", cache, dh=dh, dhT=dhT)
    (x, Wx, Wh, valid), h = cache.inputs, cache.states
    dz = np.zeros_like(h[:, 1:])

    for t in reversed(range(x.shape[1])):
        dh = dh + dh_seq[:, t]  # h_t goes to the loss and to step t + 1
        h_t = h[:, t + 1]
        slope = 1 - h_t**2 if cache.activation == "tanh" else h_t > 0
        dz[:, t] = np.where(valid[:, t], dh * slope, 0)  # h_t = tanh(z), or max(z, 0)
        dh = np.where(valid[:, t], dz[:, t] @ Wh.T, dh)  # z = x_t Wx + h_{t-1} Wh + b

    dx, dWx, db = dense_backward(dz, x, Wx)  # z = x_t Wx + h_{t-1} Wh + b, all steps at once
    _, dWh, _ = dense_backward(dz, h[:, :-1], Wh)
    return RNNGradients(dx, dWx, dWh, db, dh)


def gru_forward(x, Wx, Wh, b, bh, h0=None, lengths=None):
    """Run a GRU, reset applied after the recurrent product, over a batch of sequences.

    x (B, T, I), Wx (I, 3H), Wh (H, 3H), b (3H,) on the input side, bh (3H,) on the recurrent
    side; h0 and lengths as in ``lstm_forward``.  Returns h (B, T, H); hT (B, H), the state
    after each row's last valid step; cache, with r, z, n, h (B, T, H) and what
    ``gru_backward`` reads.

    >>> x, Wx, Wh, b = np.ones((1, 2, 1)), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3)
    >>> h, hT, cache = gru_forward(x, Wx, Wh, b, b, h0=[[1.0]])  # halves its state each step
    >>> print(h[0, :, 0])
    [0.5  0.25]
    """
    valid, x, Wx, Wh, b, bh, h0 = _checked("gru_forward", 3, lengths, x, Wx, Wh, b=b, bh=bh, h0=h0)
    T = x.shape[1]
    h = _slots(h0, T)
    r, z, n, h_n = (np.zeros_like(h[:, 1:]) for _ in range(4))

    for t in range(T):
        x_r, x_z, x_n = np.split(x[:, t] @ Wx + b, 3, axis=1)  # (x_r, x_z, x_n) = a_x = x_t Wx + b
        h_r, h_z, h_n[:, t] = np.split(h[:, t] @ Wh + bh, 3, axis=1)  # a_h = h_{t-1} Wh + bh
        r[:, t] = sigmoid(x_r + h_r)  # r = σ(x_r + h_r)          reset gate
        z[:, t] = sigmoid(x_z + h_z)  # z = σ(x_z + h_z)          update gate
        n[:, t] = np.tanh(x_n + r[:, t] * h_n[:, t])  # n = tanh(x_n + r h_n)   candidate
        h_new = (1 - z[:, t]) * n[:, t] + z[:, t] * h[:, t]  # h_t = (1 - z) n + z h_{t-1}
        h[:, t + 1] = np.where(valid[:, t], h_new, h[:, t])  # padding carries the state on

    cache = SimpleNamespace(function="gru_forward", inputs=(x, Wx, Wh, valid), states=h)
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
    dh_seq, dh = _incoming("gru_backward", "gru_forward", cache, dh=dh, dhT=dhT)
    (x, Wx, Wh, valid), h = cache.inputs, cache.states
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
        dh = np.where(valid[:, t], dh * z + da_h[:, t] @ Wh.T, dh)  # a_h = h_{t-1} Wh + bh

    dx, dWx, db = dense_backward(da_x, x, Wx)  # a_x = x_t Wx + b, all steps at once
    _, dWh, dbh = dense_backward(da_h, h[:, :-1], Wh)  # a_h = h_{t-1} Wh + bh
    return GRUGradients(dx, dWx, dWh, db, dbh, dh)


def dense_forward(x, W, b):
    """Affine map ``y = x W + b``: x (..., I), W (I, O), b (O,), y (..., O).

    >>> print(dense_forward([[1.0, 2.0]], [[1.0], [10.0]], [100.0]))
    [[121.]]
    """
    dtype = _float_type(x, W, b)
    W = _array("dense_forward", "W", W, ("input", "output"), dtype)
    x = _array("dense_forward", "x", x, (*np.shape(x)[:-1], len(W)), dtype)
    b = _array("dense_forward", "b", b, (W.shape[1],), dtype)
    return x @ W + b


def dense_backward(dy, x, W):
    """Gradients (dx, dW, db) of ``dense_forward``: dy (..., O), x (..., I), W (I, O).

    >>> dx, dW, db = dense_backward([[1.0]], [[1.0, 2.0]], [[1.0], [10.0]])
    >>> print(dx, dW.ravel(), db)
    [[ 1. 10.]] [1. 2.] [1.]
    """
    dtype = _float_type(dy, x, W)
    W = _array("dense_backward", "W", W, ("input", "output"), dtype)
    x = _array("dense_backward", "x", x, (*np.shape(x)[:-1], len(W)), dtype)
    dy = _array("dense_backward", "dy", dy, (*x.shape[:-1], W.shape[1]), dtype)
    rows_x, rows_dy = x.reshape(-1, len(W)), dy.reshape(-1, W.shape[1])
    return DenseGradients(dy @ W.T, rows_x.T @ rows_dy, rows_dy.sum(axis=0))  # y = x W + b


def softmax_cross_entropy(logits, labels):
    """Mean cross-entropy of softmax(logits), and its gradient.

    Parameters
    ----------
    logits : (B, C) or (B, T, C)
    labels : integers (B,) or (B, T) in 0..C-1; or one-hot rows, in the shape of logits

    Returns
    -------
    loss : float, the mean over all rows
    dlogits : dL/dlogits, in the shape and dtype of logits

    >>> loss, dlogits = softmax_cross_entropy([[0.0, 0.0]], [1])
    >>> print(round(loss, 4), dlogits)  # log 2
    0.6931 [[ 0.5 -0.5]]
    """
    logits, q = _rows_and_targets("softmax_cross_entropy", logits, labels)
    rows = q[..., 0].size
    shifted = logits - logits.max(axis=-1, keepdims=True)  # softmax(a) = softmax(a - max a)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # p = exp a / Σ exp a
    loss = -np.sum(q * np.where(q > 0, log_p, 0)) / rows  # L = -mean Σ q log p
    dlogits = (np.exp(log_p) - q) / rows  # dL/da = (p - q) / rows
    return float(loss), dlogits


def adam_step(p, g, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Update parameters ``p`` and moments ``m``, ``v`` in place: Adam, algorithm 1.

    p, g (the gradient), m, v : arrays of one shape; m and v are zero before the first step.
    t : number of this step, counted from 1.

    >>> p, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> adam_step(p, np.array([5.0]), m, v, t=1, lr=0.1)  # the first step has length lr
    >>> print(p.round(6))
    [0.9]
    """
    for name, array in {"p": p, "g": g, "m": m, "v": v}.items():
        if not isinstance(array, np.ndarray):
            raise TypeError(f"adam_step: {name} is a {type(array).__name__}; wanted an array")
        _array("adam_step", name, array, p.shape, p.dtype)
    if t < 1:
        raise ValueError(f"adam_step: t is {t}; wanted the number of this step, from 1")
    m[...] = beta1 * m + (1 - beta1) * g  # m_t = β1 m_{t-1} + (1 - β1) g
    v[...] = beta2 * v + (1 - beta2) * g**2  # v_t = β2 v_{t-1} + (1 - β2) g²
    m_hat = m / (1 - beta1**t)  # both start at zero: undo that bias
    v_hat = v / (1 - beta2**t)
    p -= lr * m_hat / (np.sqrt(v_hat) + eps)  # θ_t = θ_{t-1} - α m̂ / (√v̂ + ε)


# --- What is no mathematics: shapes, dtypes, padding --------------------------------------


def _float_type(*arrays):
    """float64 if one of the arrays is, else float32; integers and None do not decide."""
    dtypes = [np.asarray(a).dtype for a in arrays]
    return np.result_type(np.float32, *(dtype for dtype in dtypes if dtype.kind == "f"))


def _array(function, name, value, wanted, dtype, optional=False):
    """Copy in ``dtype``, held to the shape ``wanted``; a word there means any size but 0."""
    array = np.zeros(wanted, dtype) if optional and value is None else np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{function}: {name} has dtype {array.dtype}; wanted real numbers")
    if array.ndim != len(wanted) or any(
        size == 0 if isinstance(want, str) else size != want
        for size, want in zip(array.shape, wanted, strict=True)
    ):
        wanted = str(tuple(wanted)).replace("'", "")
        raise ValueError(f"{function}: {name} has shape {array.shape}; wanted {wanted}")
    return np.array(array, dtype)


def _checked(function, gates, lengths, x, Wx, Wh, **others):
    """Return the mask of valid steps (B, T, 1) and the arrays, held to their shapes.

    The padding of x becomes zero, and a state that is None.  All are copies: the cache stays
    true whatever the caller writes into the originals before backward.
    """
    dtype = _float_type(x, Wx, Wh, *others.values())
    H = len(_array(function, "Wh", Wh, ("hidden", f"{gates}*hidden"), dtype))
    Wh = _array(function, "Wh", Wh, (H, gates * H), dtype)
    Wx = _array(function, "Wx", Wx, ("input", gates * H), dtype)
    x = _array(function, "x", x, ("batch", "time", len(Wx)), dtype)
    B, T, _ = x.shape
    biases = {"b": (gates * H,), "bh": (gates * H,)}  # the others are initial states
    others = [
        _array(function, name, a, biases.get(name, (B, H)), dtype, optional=name not in biases)
        for name, a in others.items()
    ]
    lengths = np.full(B, T) if lengths is None else np.asarray(lengths)
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"{function}: lengths has dtype {lengths.dtype}; wanted integers")
    lengths = _array(function, "lengths", lengths, (B,), np.int64)
    if lengths.min() < 1 or lengths.max() > T:
        raise ValueError(f"{function}: lengths is {lengths}; wanted each in 1..{T}")
    valid = (np.arange(T) < lengths[:, None])[:, :, None]
    return valid, np.where(valid, x, 0), Wx, Wh, *others


def _slots(initial, T):
    """State buffer (B, T + 1, H) with the initial state in slot 0."""
    slots = np.zeros((len(initial), T + 1, initial.shape[1]), initial.dtype)
    slots[:, 0] = initial
    return slots


def _incoming(function, maker, cache, **grads):
    """Return dh, its padding zeroed, and the final states' gradients; None becomes zero."""
    if getattr(cache, "function", None) != maker:
        raise TypeError(f"{function}: cache is a {type(cache).__name__}; wanted that of {maker}")
    (B, T, H), dtype = cache.h.shape, cache.h.dtype
    dh, *dfinal = (
        _array(function, name, a, (B, T, H) if name == "dh" else (B, H), dtype, optional=True)
        for name, a in grads.items()
    )
    return np.where(cache.inputs[-1], dh, 0), *dfinal


def _rows_and_targets(function, logits, labels):
    """Logits, and the labels as one-hot rows in their shape."""
    words = ("batch", "classes") if np.ndim(logits) == 2 else ("batch", "time", "classes")
    logits = _array(function, "logits", logits, words, _float_type(logits))
    labels, C = np.asarray(labels), logits.shape[-1]
    if labels.ndim == logits.ndim:
        q = _array(function, "labels", labels, logits.shape, logits.dtype)
        if q.min() < 0 or not np.allclose(q.sum(axis=-1), 1, atol=1e-4):
            raise ValueError(f"{function}: labels {q.shape} has rows that are not one-hot")
        return logits, q
    labels = _array(function, "labels", labels, logits.shape[:-1], labels.dtype)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{function}: labels has dtype {labels.dtype}; wanted integers or one-hot")
    if labels.min() < 0 or labels.max() >= C:
        raise ValueError(f"{function}: labels has values outside 0..{C - 1}, the {C} classes")
    return logits, np.eye(C, dtype=logits.dtype)[labels]
