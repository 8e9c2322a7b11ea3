"""The vanilla RNN."""

from collections import namedtuple

from rnnlite import cells, checking
from rnnlite.functional import run

RNNGradients = namedtuple("RNNGradients", "dx dWx dWh db dh0")  # each shaped as what it is of


def rnn_forward(x, Wx, Wh, b, h0=None, lengths=None, activation="tanh", *,
                compute_dtype=None):  # fmt: skip
    """Run a vanilla RNN (Elman 1990), h_t = f(x_t Wx + h_{t-1} Wh + b), over a batch.

    ``h0``, ``lengths``, ``compute_dtype`` and the results are as in ``lstm_forward``.
    A layer's parameters are not all of it: it computes
    ``rnn_forward(x, **layer.params, activation=layer.activation)``, and one with ``go_backwards``
    does so on x reversed in time.

    Parameters
    ----------
    x : array_like (B, T, I)
    Wx, Wh, b : array_like (I, H), (H, H), (H,)
    activation : {"tanh", "relu"}
        The function f.

    Returns
    -------
    h, hT, cache : numpy.ndarray (B, T, H), numpy.ndarray (B, H), RecurrentCache
        The cache is for ``rnn_backward``; it shows ``h`` of every step.  Of a layer:
        ``rnnlite.trace``.

    Examples
    --------
    >>> import numpy as np
    >>> h, hT, cache = rnn_forward(np.ones((1, 2, 1)), [[1.0]], [[0.5]], [0.0])
    >>> h.ravel().round(4), hT.round(4)      # tanh(1), tanh(1 + 0.5 tanh(1))
    (array([0.7616, 0.8811]), array([[0.8811]]))
    """
    checking.one_of("rnn_forward", "activation", activation, cells.RNN)
    cell = cells.RNN[activation]
    h, (hT,), cache = run.forward(
        "rnn_forward", cell, x, Wx, Wh, b, None, (h0,), lengths, compute_dtype
    )
    return h, hT, cache


def rnn_backward(dh, cache, dhT=None):
    """Backpropagate through time through a vanilla RNN; arguments as in ``lstm_backward``.

    Returns ``RNNGradients``: dx dWx dWh db dh0.

    Examples
    --------
    >>> import numpy as np
    >>> h, hT, cache = rnn_forward(np.ones((1, 2, 1)), [[1.0]], [[0.5]], [0.0])
    >>> g = rnn_backward(None, cache, dhT=[[1.0]])
    >>> g.dx.ravel().round(4)       # the first is smaller by Wh tanh'
    array([0.047 , 0.2236])
    """
    return RNNGradients(**run.backward("rnn_backward", "rnn", dh, cache, (dhT,)))
