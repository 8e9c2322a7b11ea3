"""The adding problem: two numbers, far apart among noise, are to be added."""

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import PaddedSequences, Sequences, streams


def adding_problem(n, steps=100, seed=None, *, form="2015"):
    """Sequences of (number, marker); the target is the sum of the two marked numbers.

    Experiment 4 of Hochreiter & Schmidhuber 1997, by default in the simpler form now common:

    - ``"2015"``: Le, Jaitly & Hinton 2015, section 4.1.  Numbers uniform in [0, 1), markers 1 twice
      and 0 elsewhere, y the plain sum.  One marker lies in the first half and one in the second,
      as Arjovsky, Shah & Bengio 2016 (section 4.2) say it.
    - ``"1997"``: numbers uniform in [-1, 1); lengths uniform in T..T + T/10; one of the first 10
      pairs is marked, then another of the first T/2; the first and the last marker are -1.
      y = 0.5 + (X1 + X2)/4, where a marked number in the first pair counts as 0.

    What is hard about it: the error reaches the first marked number only through all the steps
    between, which are noise.  Without memory the best answer is the mean: its squared error is the
    variance of y, 1/6 = 0.167 in the form of 2015 and (2 - p)/48, about 0.04, in that of 1997,
    where p = 0.1 + 0.9/(T/2 - 1) is the chance that the first pair is marked.  Solved means, in
    1997, an absolute error below 0.04 for every sequence; in the form of 2015 a squared error
    below 0.01 leaves no doubt.

    Parameters
    ----------
    n, steps : int
        Sequences, and T; T is at least 2, and 20 in the form of 1997.
    seed : int, optional
        The same seed gives the same sequences, and a larger n the same first n.
    form : {"2015", "1997"}

    Returns
    -------
    Sequences or PaddedSequences
        ``x`` (n, T, 2), ``y`` (n, 1), float32; in the form of 1997 ``x`` has T + T//10 steps, and
        there are ``lengths`` (n,) int64.

    Examples
    --------
    >>> x, y = adding_problem(1000, steps=50, seed=0)
    >>> np.allclose(y[:, 0], (x[..., 0] * x[..., 1]).sum(axis=1))
    True
    """
    where = "adding_problem"
    n = checking.whole_number(where, "n", n)
    form = checking.one_of(where, "form", form, ("2015", "1997"))
    steps = checking.whole_number(where, "steps", steps, 2 if form == "2015" else 20)
    return (_simple if form == "2015" else _original)(n, steps, *streams(where, seed, 4))


def _simple(n, T, numbers, first, second, _):
    x = np.zeros((n, T, 2), np.float32)
    x[..., 0] = numbers.random((n, T), np.float32)
    rows, half = np.arange(n), T // 2
    places = first.integers(0, half, n), second.integers(half, T, n)
    x[rows, places, 1] = 1.0
    return Sequences(x, x[rows, places, 0].sum(axis=0)[:, None])


def _original(n, T, numbers, first, second, ends):
    x, marked, lengths = marked_pairs(n, T, numbers, first, second, ends)
    numbers = x[..., 0]
    numbers[...] = np.where(np.arange(x.shape[1]) < lengths[:, None], 2.0 * numbers - 1.0, 0.0)
    rows = np.arange(n)
    total = sum(np.where(place > 0, numbers[rows, place], np.float32(0)) for place in marked)
    return PaddedSequences(x, (np.float32(0.5) + total / np.float32(4))[:, None], lengths)


def marked_pairs(n, T, numbers, first, second, ends):
    """Pairs (number, marker) as experiments 4 and 5 of 1997 have them, numbers in [0, 1).

    Also the places (2, n) of the two marked ones, and the lengths (n,).
    """
    longest, rows = T + T // 10, np.arange(n)
    x = np.zeros((n, longest, 2), np.float32)
    x[..., 0] = numbers.random((n, longest), np.float32)
    first, second = first.integers(0, 10, n), second.integers(0, T // 2 - 1, n)
    second += second >= first  # one of the others
    lengths = ends.integers(T, longest + 1, n)
    x[np.arange(longest) >= lengths[:, None]] = 0.0
    x[rows, first, 1] = x[rows, second, 1] = 1.0
    x[rows, 0, 1] = x[rows, lengths - 1, 1] = -1.0
    return x, np.stack([first, second]), lengths
