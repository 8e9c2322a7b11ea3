"""The LSTM, with peepholes and clip if wanted."""

from collections import namedtuple
from typing import NamedTuple

import numpy as np

from rnnlite import cells, checking
from rnnlite.functional import run


class LSTMState(NamedTuple):
    """The two states of an LSTM: ``h`` and ``c``, each (B, H).

    Examples
    --------
    >>> import numpy as np
    >>> LSTMState(np.zeros((2, 1)), np.ones((2, 1))).c.shape
    (2, 1)
    """

    h: np.ndarray
    c: np.ndarray


# Each gradient has the shape of what it is the gradient of.
LSTMGradients = namedtuple("LSTMGradients", "dx dWx dWh db dh0 dc0")
PeepholeLSTMGradients = namedtuple("PeepholeLSTMGradients", "dx dWx dWh db dh0 dc0 dpeephole")


def lstm_forward(x, Wx, Wh, b, h0=None, c0=None, lengths=None, *, peephole=None, clip=None,
                 compute_dtype=None):  # fmt: skip
    """Run an LSTM over a batch of sequences.

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000; the
    equations are in ``rnnlite/cells/lstm.py``.  A layer's parameters are not all of it: without
    peepholes it computes ``lstm_forward(x, **layer.params, clip=layer.clip)``, and one with
    ``go_backwards`` does so on x reversed in time.

    Parameters
    ----------
    x : array_like (B, T, I)
    Wx, Wh, b : array_like (I, 4H), (H, 4H), (4H,)
        Weights and bias; columns in the order i, f, g, o.
    h0, c0 : array_like (B, H), optional
        Initial states; zero if not given.
    lengths : array_like of int (B,), optional
        Valid steps of each row, 0 to T.  Past them outputs are zero, the states stay as they were,
        and the padding of x is not read.
    peephole : array_like (3H,), optional
        Weights from the cell state to the gates i, f, o, in this order (Gers & Schmidhuber 2000;
        ``rnnlite/cells/peephole_lstm.py``).
    clip : float, optional
        Bound every input of a sigmoid or tanh to [-clip, clip], as ONNX does.
    compute_dtype : {"bfloat16", "bfloat16_weight_gradients"}, optional
        What the operands of products are rounded to, as for ``Recurrent``; for float32 arrays.

    Returns
    -------
    h : numpy.ndarray (B, T, H)
        Hidden state after every step.
    state : LSTMState
        ``(hT, cT)``, each (B, H): after each row's last valid step.
    cache : RecurrentCache
        For ``lstm_backward``; also ``i f g o c h`` of every step.  Of a layer: ``rnnlite.trace``.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 5, 4)), np.ones((4, 16)), np.zeros(16)
    >>> h, (hT, cT), cache = lstm_forward(x, W, W, b, lengths=[5, 2])
    >>> h.shape, bool(np.all(hT[1] == h[1, 1])), float(h[1, 2:].max())
    ((2, 5, 4), True, 0.0)
    """
    cell = cells.LSTM
    if clip is not None:
        clip = checking.real_number("lstm_forward", "clip", clip, 0.0, 1e6, low_included=False)
        cell = cells.clipped_lstm(clip) if peephole is None else cells.peephole_lstm(clip)
    elif peephole is not None:
        cell = cells.peephole_lstm()
    h, final, cache = run.forward(
        "lstm_forward", cell, x, Wx, Wh, b, None, (h0, c0), lengths, compute_dtype, peephole
    )
    return h, LSTMState(*final), cache


def lstm_backward(dh, cache, dhT=None, dcT=None):
    """Backpropagate through time through an LSTM.

    Parameters
    ----------
    dh : array_like (B, T, H) or None
        Gradient of the loss by every hidden state; ignored at padded steps.
    cache : RecurrentCache
        From ``lstm_forward``; it is not changed.
    dhT, dcT : array_like (B, H), optional
        Gradient by the final states, on top of ``dh``.

    Returns
    -------
    LSTMGradients or PeepholeLSTMGradients
        ``dx dWx dWh db dh0 dc0``, and ``dpeephole`` (3H,) if there were peepholes.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 5, 4)), np.ones((4, 16)), np.zeros(16)
    >>> h, state, cache = lstm_forward(x, W, W, b)
    >>> g = lstm_backward(np.ones_like(h), cache)
    >>> g.dx.shape, g.dWx.shape, g.dc0.shape
    ((2, 5, 4), (4, 16), (2, 4))
    """
    found = run.backward("lstm_backward", "lstm", dh, cache, (dhT, dcT))
    return PeepholeLSTMGradients(**found) if "dpeephole" in found else LSTMGradients(**found)
