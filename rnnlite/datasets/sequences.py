"""What the sequence tasks return, and what they are made with."""

from typing import NamedTuple

import numpy as np

from rnnlite import checking


class Sequences(NamedTuple):
    """Sequences of one length, and what a network shall say of them.

    Attributes
    ----------
    x : numpy.ndarray
        (n, T, F) float32, or (n, T) integer symbols for an ``Embedding``.
    y : numpy.ndarray
        (n,) or (n, T) integer classes, or float32 targets (n, outputs).  Of ``text_batches`` both
        have an axis more in front, the number of the batch.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> x, y = datasets.adding_problem(4, steps=10, seed=0)
    """

    x: np.ndarray
    y: np.ndarray


class PaddedSequences(NamedTuple):
    """Sequences of different lengths, padded with zeros at the end.

    Attributes
    ----------
    x, y : numpy.ndarray
        As in ``Sequences``.
    lengths : numpy.ndarray (n,) int64
        Valid steps of each row, as every layer takes them.

    Examples
    --------
    >>> from rnnlite import LSTM, datasets
    >>> x, y, lengths = datasets.temporal_order(4, seed=0)
    >>> LSTM(8, 3, seed=0)(x, lengths=lengths).shape
    (4, 3)
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray


def streams(where, seed, count):
    """Independent random streams of one seed, so that more rows do not change the first ones."""
    children = np.random.SeedSequence(checking.seed(where, seed)).spawn(count)
    return [np.random.default_rng(child) for child in children]


def one_hot_vectors(symbols, count):
    """Symbols (n, T), 0 to ``count - 1``, as vectors (n, T, count) float32 with a single 1."""
    # Written in place: np.eye(count)[symbols] would gather rows, at twice the time.
    x = np.zeros((*symbols.shape, count), np.float32)
    np.put_along_axis(x, symbols[..., None], 1.0, axis=-1)
    return x


def judged_strings(where, scores, legal, lengths):
    """Scores and what is legal, (n, T, symbols), checked; and (n, T), true behind each end."""
    scores = checking.dimensions(where, "scores", scores, 3, "(strings, time, symbols)")
    legal = checking.shaped(where, "legal", legal, scores.shape, "as scores", np.float32) > 0
    n, T, _ = scores.shape
    if lengths is None:
        raise TypeError(f"{where}: lengths is None; wanted ({n},), the steps of each string")
    lengths = checking.row_lengths(where, lengths, n, T)
    return scores, legal, np.arange(T) >= lengths[:, None]
