"""Flatten: the outputs of all steps side by side, as one row."""

from rnnlite.layers.layer import Layer


class Flatten(Layer):
    """Put all numbers of a row side by side: (B, T, F) becomes (B, T * F).

    A Dense layer after it has weights for each step of its own, and reads every hidden state where
    it arises, instead of the last alone, which must carry everything to the end.

    Parameters
    ----------
    dtype : {"float32", "float64"}

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite.layers import LSTM, Dense, Sequential
    >>> lstm = LSTM(3, 16, return_sequences=True, seed=0)
    >>> model = Sequential([lstm, Flatten(), Dense(28 * 16, 10, seed=1)])
    >>> model(np.zeros((5, 28, 3))).shape
    (5, 10)
    """

    _time_from = 2

    def __init__(self, dtype="float32"):
        super().__init__((), dtype)

    def stream_parts(self, features):
        """None: it puts all steps side by side."""
        raise TypeError("needs all steps at once, and a stream has one after the other")

    def forward_pass(self, x, saved):
        """(B, T, ...) as (B, T * ...): the memory of x itself."""
        return x.reshape(len(x), -1)

    def backward_pass(self, dy, saved):
        """dy in the shape of x again."""
        return dy.reshape(saved.input_shape)
