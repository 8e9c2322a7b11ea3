"""Flatten: the outputs of all steps side by side, as one row."""

import math

import numpy as np

from rnnlite import checking
from rnnlite.layers.layer import Layer


class Flatten(Layer):
    """Put all numbers of a row side by side: (B, T, F) becomes (B, T * F).

    A Dense layer after it has weights for each step of its own, and reads every
    hidden state where it arises, instead of the last alone, which must carry
    everything to the end.

    Parameters
    ----------
    dtype : {"float32", "float64"}

    Attributes
    ----------
    params, grads : dict
        Empty: there is nothing to learn.

    Raises
    ------
    ValueError
        For another dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite.layers import LSTM, Dense, Sequential
    >>> T, H = 28, 16
    >>> lstm = LSTM(3, H, return_sequences=True, seed=0)
    >>> model = Sequential([lstm, Flatten(), Dense(T * H, 10, seed=1)])
    >>> model.forward(np.zeros((5, T, 3))).shape
    (5, 10)
    """

    _options = ("dtype",)

    def __init__(self, dtype="float32"):
        super().__init__("Flatten", {}, dtype)

    def __repr__(self):
        return "Flatten()"

    def _forget(self):
        super()._forget()
        self._shape = self._padding = None

    def forward(self, x, lengths=None, training=False, keep=True):
        """Put the steps of each row side by side.

        Parameters
        ----------
        x : array_like (B, T, ...)
            Of two axes or more; converted to the layer's dtype.
        lengths : array_like of int (B,), optional
            Valid steps of each row, 1 to T; what comes after them becomes zero.
        training : ignored
            Nothing is computed.
        keep : bool
            False for inference: ``backward`` is not possible.

        Returns
        -------
        numpy.ndarray (B, T * ...)
            The memory of x itself, if it can be.

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        x = checking.real_array("Flatten.forward", "x", x)
        if x.ndim < 2 or 0 in x.shape:
            raise ValueError(
                f"Flatten.forward: x has shape {x.shape}; wanted (batch, time, ...), two axes or "
                "more and none of them 0"
            )
        y, self._padding = checking.contiguous(x, self.dtype), None
        if lengths is not None:
            lengths = checking.row_lengths("Flatten.forward", lengths, *x.shape[:2])
            self._padding = np.arange(x.shape[1]) >= lengths[:, None]
            y = y.copy()
            y[self._padding] = 0.0
        self._shape = x.shape
        self._unused_forward = bool(keep)
        return y.reshape(len(x), -1)

    def backward(self, dy, need_dx=True):
        """Give dy the shape of x again.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result
            Gradient of the loss by the output.
        need_dx : bool
            False for a first layer: there is nothing to compute.

        Returns
        -------
        numpy.ndarray, in the shape of x, or None
            Gradient by x, if needed: the memory of dy itself, if it can be.

        Raises
        ------
        RuntimeError
            Without a forward before it; each forward allows one backward.
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        self._need_forward()
        rows, *rest = self._shape
        dx = self._incoming(dy, (rows, math.prod(rest))).reshape(self._shape)
        self._unused_forward = False
        if not need_dx:
            return None
        if self._padding is not None:
            dx = dx.copy()
            dx[self._padding] = 0.0
        return dx
