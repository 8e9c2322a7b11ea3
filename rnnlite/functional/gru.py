"""The gated recurrent unit."""

from collections import namedtuple

from rnnlite import cells, checking
from rnnlite.functional import run

GRUGradients = namedtuple("GRUGradients", "dx dWx dWh db dbh dh0")  # each shaped as what it is of


def gru_forward(x, Wx, Wh, b, bh, h0=None, lengths=None, *, reset_after=True,
                compute_dtype=None):  # fmt: skip
    """Run a gated recurrent unit (Cho et al. 2014) over a batch of sequences.

    The equations are in ``rnnlite/cells/gru.py``.  ``h0``, ``lengths``, ``compute_dtype`` and the
    results are as in ``lstm_forward``.
    A layer's parameters are not all of it: it computes
    ``gru_forward(x, **layer.params, reset_after=layer.reset_after)``, and one with
    ``go_backwards`` does so on x reversed in time.

    Parameters
    ----------
    x : array_like (B, T, I)
    Wx, Wh : array_like (I, 3H), (H, 3H)
        Weights; columns in the order r, z, n.
    b, bh : array_like (3H,)
        Bias of the input side and of the recurrent side.
    reset_after : bool
        Whether the reset gate acts after the recurrent product, as in cuDNN and PyTorch, or on h
        before it, as in the paper.

    Returns
    -------
    h, hT, cache : numpy.ndarray (B, T, H), numpy.ndarray (B, H), RecurrentCache
        The cache is for ``gru_backward``; it shows ``r z n h`` of every step.  Of a layer:
        ``rnnlite.trace``.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 5, 4)), np.ones((4, 12)), np.zeros(12)
    >>> h, hT, cache = gru_forward(x, W, W, b, b)
    >>> h.shape, cache.z.shape
    ((2, 5, 4), (2, 5, 4))
    """
    checking.true_or_false("gru_forward", "reset_after", reset_after)
    cell = cells.GRU if reset_after else cells.GRU_2014
    h, (hT,), cache = run.forward(
        "gru_forward", cell, x, Wx, Wh, b, bh, (h0,), lengths, compute_dtype
    )
    return h, hT, cache


def gru_backward(dh, cache, dhT=None):
    """Backpropagate through time through a gated recurrent unit; arguments as in ``lstm_backward``.

    Returns ``GRUGradients``: dx dWx dWh db dbh dh0.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 5, 4)), np.ones((4, 12)), np.zeros(12)
    >>> h, hT, cache = gru_forward(x, W, W, b, b)
    >>> gru_backward(np.ones_like(h), cache).dbh.shape
    (12,)
    """
    return GRUGradients(**run.backward("gru_backward", "gru", dh, cache, (dhT,)))
