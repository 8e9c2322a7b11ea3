"""The vanilla RNN."""

from typing import NamedTuple

import numpy as np

from rnnlite import cells, checking
from rnnlite.functional import run


class RNNGradients(NamedTuple):
    """Gradients of a vanilla RNN, each in the shape of what it is the gradient of.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 3, 1)), np.ones((1, 1)), np.zeros(1)
    >>> rnn_backward(None, rnn_forward(x, W, W, b)[2])._fields
    ('dx', 'dWx', 'dWh', 'db', 'dh0')
    """

    dx: np.ndarray
    dWx: np.ndarray
    dWh: np.ndarray
    db: np.ndarray
    dh0: np.ndarray


def rnn_forward(x, Wx, Wh, b, h0=None, lengths=None, activation="tanh"):
    """Run a vanilla RNN (Elman 1990), h_t = f(x_t Wx + h_{t-1} Wh + b), over a batch.

    Parameters
    ----------
    x : array_like (B, T, I)
        Input sequences.
    Wx, Wh, b : array_like (I, H), (H, H), (H,)
        Weights and bias.
    h0 : array_like (B, H), optional
        Initial state; zero if not given.
    lengths : array_like of int (B,), optional
        Valid steps of each row, as in ``lstm_forward``.
    activation : {"tanh", "relu"}
        The function f.

    Returns
    -------
    h : numpy.ndarray (B, T, H)
        Hidden state after every step.
    hT : numpy.ndarray (B, H)
        After each row's last valid step.
    cache : RecurrentCache
        For ``rnn_backward``; also ``h`` of every step.

    Examples
    --------
    >>> import numpy as np
    >>> h, hT, cache = rnn_forward(np.ones((1, 2, 1)), [[1.0]], [[0.5]], [0.0])
    >>> h.ravel().round(4), hT.round(4)      # tanh(1), tanh(1 + 0.5 tanh(1))
    (array([0.7616, 0.8811]), array([[0.8811]]))
    """
    checking.one_of("rnn_forward", "activation", activation, cells.RNN)
    h, (hT,), cache = run.forward(
        "rnn_forward", cells.RNN[activation], x, Wx, Wh, b, None, (h0,), lengths
    )
    return h, hT, cache


def rnn_backward(dh, cache, dhT=None):
    """Backpropagate through time through a vanilla RNN.

    Parameters
    ----------
    dh : array_like (B, T, H) or None
        Gradient of the loss by every hidden state; ignored at padded steps.
    cache : RecurrentCache
        From ``rnn_forward``; it is not changed.
    dhT : array_like (B, H), optional
        Gradient by the final state, on top of ``dh``.

    Returns
    -------
    RNNGradients
        ``dx dWx dWh db dh0``.

    Examples
    --------
    >>> import numpy as np
    >>> h, hT, cache = rnn_forward(np.ones((1, 2, 1)), [[1.0]], [[0.5]], [0.0])
    >>> g = rnn_backward(None, cache, dhT=[[1.0]])
    >>> g.dx.ravel().round(4)       # the first is smaller by Wh tanh'
    array([0.047 , 0.2236])
    """
    return RNNGradients(**run.backward("rnn_backward", "rnn", dh, cache, (dhT,)))
