"""The gated recurrent unit."""

from typing import NamedTuple

import numpy as np

from rnnlite import cells, checking
from rnnlite.functional import run


class GRUGradients(NamedTuple):
    """Gradients of a GRU, each in the shape of what it is the gradient of.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 3, 1)), np.ones((1, 3)), np.zeros(3)
    >>> gru_backward(None, gru_forward(x, W, W, b, b)[2])._fields
    ('dx', 'dWx', 'dWh', 'db', 'dbh', 'dh0')
    """

    dx: np.ndarray
    dWx: np.ndarray
    dWh: np.ndarray
    db: np.ndarray
    dbh: np.ndarray
    dh0: np.ndarray


def gru_forward(x, Wx, Wh, b, bh, h0=None, lengths=None, *, reset_after=True):
    """Run a gated recurrent unit (Cho et al. 2014) over a batch of sequences.

    The equations are in ``rnnlite/cells/gru.py``.

    Parameters
    ----------
    x : array_like (B, T, I)
        Input sequences.
    Wx, Wh : array_like (I, 3H), (H, 3H)
        Weights; columns in the order r, z, n.
    b, bh : array_like (3H,)
        Bias of the input side and of the recurrent side.
    h0 : array_like (B, H), optional
        Initial state; zero if not given.
    lengths : array_like of int (B,), optional
        Valid steps of each row, as in ``lstm_forward``.
    reset_after : bool
        Whether the reset gate acts after the recurrent product, as in cuDNN
        and PyTorch, or on h before it, as in the paper.

    Returns
    -------
    h : numpy.ndarray (B, T, H)
        Hidden state after every step.
    hT : numpy.ndarray (B, H)
        After each row's last valid step.
    cache : RecurrentCache
        For ``gru_backward``; also ``r z n h`` of every step.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, Wx, Wh = rng.random((2, 5, 3)), rng.random((3, 12)), rng.random((4, 12))
    >>> h, hT, cache = gru_forward(x, Wx, Wh, np.zeros(12), np.zeros(12))
    >>> h.shape, cache.z.shape
    ((2, 5, 4), (2, 5, 4))
    """
    checking.true_or_false("gru_forward", "reset_after", reset_after)
    cell = cells.GRU if reset_after else cells.GRU_2014
    h, (hT,), cache = run.forward("gru_forward", cell, x, Wx, Wh, b, bh, (h0,), lengths)
    return h, hT, cache


def gru_backward(dh, cache, dhT=None):
    """Backpropagate through time through a gated recurrent unit.

    Parameters
    ----------
    dh : array_like (B, T, H) or None
        Gradient of the loss by every hidden state; ignored at padded steps.
    cache : RecurrentCache
        From ``gru_forward``; it is not changed.
    dhT : array_like (B, H), optional
        Gradient by the final state, on top of ``dh``.

    Returns
    -------
    GRUGradients
        ``dx dWx dWh db dbh dh0``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, Wx, Wh = rng.random((2, 5, 3)), rng.random((3, 12)), rng.random((4, 12))
    >>> h, hT, cache = gru_forward(x, Wx, Wh, np.zeros(12), np.zeros(12))
    >>> gru_backward(np.ones_like(h), cache).dbh.shape
    (12,)
    """
    return GRUGradients(**run.backward("gru_backward", "gru", dh, cache, (dhT,)))
