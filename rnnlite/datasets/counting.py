"""Languages that need a counter: a^n b^n and a^n b^n c^n, read symbol by symbol."""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import judged_strings, one_hot_vectors, streams

COUNTING_SYMBOLS = "Sabc"  # on the side of the output T, the end, stands in the place of S
END = 0


class CountingStrings(NamedTuple):
    """Strings of a^n b^n or a^n b^n c^n, as a prediction task.

    Attributes
    ----------
    x : numpy.ndarray
        S, then the string: (n, T, 3) float32, one-hot in the order S, a, b, or (n, T, 4) with c; or
        (n, T) int64.
    y : numpy.ndarray (n, T) int64
        The symbol that follows in this string: 0 for T, the end; 1, 2, 3 for a, b, c.
    lengths : numpy.ndarray (n,) int64
        Steps of each row; behind them all arrays are zero.
    legal : numpy.ndarray (n, T, 3) or (n, T, 4) float32
        1 for each symbol that may follow, in the order T, a, b, c, else 0: targets for
        ``binary_cross_entropy``.

    Examples
    --------
    >>> anbn(None, largest=3).strings()
    ['ab', 'aabb', 'aaabbb']
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray
    legal: np.ndarray

    def strings(self):
        """The strings themselves, without S and T, a list of str; see ``CountingStrings``."""
        symbols = np.array(list(COUNTING_SYMBOLS))
        rows = zip(symbols[self.y], self.lengths, strict=True)
        return ["".join(row[: length - 1]) for row, length in rows]


def anbn(n, largest=10, seed=None, *, smallest=1, one_hot=True):
    """Strings of a^n b^n, to be predicted symbol by symbol.

    Gers & Schmidhuber 2001, the context-free language of the paper.  A network reads S and then the
    string, and says at each step every symbol that may come next and no other:

        read    S      a      a      b    b
        say     a, T   a, b   a, b   b    T        (T ends the string; the empty one is legal)

    What is hard about it: that no b may follow the last one says nothing but the number of a's, and
    a network that has counted is right for longer strings than it has seen.  Without a counter no
    string of two b's or more is accepted: its b's ask for different answers to the same input.

    The paper trains on strings with n in 1..N, at random, tests after every 1,000 of them, and
    stops once all training strings are accepted (``strings_accepted``).  The result is the
    largest m such that all strings with n in 1..m are accepted.  The paper writes -1 for our 0, in
    inputs and targets; that each n is equally likely is our reading.

    Parameters
    ----------
    n : int or None
        Strings; None for each of the language from ``smallest`` to ``largest`` once, in order.
    smallest, largest : int
        Range of the number of a's, both included; ``smallest`` may be 0.
    seed : int, optional
        The same seed gives the same strings, and a larger n the same first n.
    one_hot : bool
        False for x as whole numbers, for an ``Embedding``.

    Returns
    -------
    CountingStrings
        T is 2 max(n) + 1.

    Examples
    --------
    >>> data = anbn(100, largest=10, seed=0)
    >>> x, y, lengths, legal = anbn(None, largest=2, one_hot=False)
    >>> print(x, y, sep="\\n")
    [[0 1 2 0 0]
     [0 1 1 2 2]]
    [[1 2 0 0 0]
     [1 1 2 2 0]]
    """
    return _counting("anbn", 2, n, largest, seed, smallest, one_hot)


def anbncn(n, largest=10, seed=None, *, smallest=1, one_hot=True):
    """Strings of a^n b^n c^n, to be predicted symbol by symbol.

    Gers & Schmidhuber 2001, the context-sensitive language of the paper.  All as in ``anbn``, with
    c's behind the b's; the last b says c, the last c says T.

    What is hard about it: the number of a's is asked for twice, so one counter that goes up and
    down is not enough: while b's count it down, it, or another, must be counted up again.

    Parameters
    ----------
    n : int or None
        As in ``anbn``.
    smallest, largest : int
        As in ``anbn``.
    seed : int, optional
        As in ``anbn``; for one seed n is the same in both languages.
    one_hot : bool
        As in ``anbn``.

    Returns
    -------
    CountingStrings
        T is 3 max(n) + 1.

    Examples
    --------
    >>> anbncn(None, smallest=0, largest=2).strings()
    ['', 'abc', 'aabbcc']
    """
    return _counting("anbncn", 3, n, largest, seed, smallest, one_hot)


def strings_accepted(scores, legal, lengths):
    """Whether each string of a^n b^n or a^n b^n c^n is accepted, as Gers & Schmidhuber 2001 judge.

    A score says yes above 0 and no below 0.  All symbols are asked at every step: yes for each that
    may follow, no for every other one.  A score of exactly 0, or NaN, is wrong either way.

    Parameters
    ----------
    scores : array_like (n, T, symbols)
        Logits, or the paper's outputs between -1 and 1; of probabilities take p - 0.5.
    legal : array_like (n, T, symbols)
        As in ``CountingStrings``.
    lengths : array_like of int (n,)
        As in ``CountingStrings``; what is behind them is not looked at.

    Returns
    -------
    numpy.ndarray (n,) bool

    Raises
    ------
    ValueError
        ``scores`` has not three axes, ``legal`` or ``lengths`` does not fit them, or a length is
        not in 0..T.
    TypeError
        Something else than real numbers, or lengths that are not whole.

    Examples
    --------
    >>> data = anbn(None, largest=3)
    >>> scores = data.legal - 0.5  # knows the language
    >>> scores[2, 3, 2] = -0.5  # but that a b may follow aaa
    >>> strings_accepted(scores, data.legal, data.lengths)
    array([ True,  True, False])
    """
    scores, legal, behind = judged_strings("strings_accepted", scores, legal, lengths)
    right = np.where(legal, scores > 0, scores < 0).all(axis=-1)
    return np.all(right | behind, axis=1)


def _counting(where, letters, n, largest, seed, smallest, one_hot):
    smallest = checking.whole_number(where, "smallest", smallest, 0)
    largest = checking.whole_number(where, "largest", largest, max(smallest, 1))
    one_hot = checking.true_or_false(where, "one_hot", one_hot)
    (rng,) = streams(where, seed, 1)
    if n is None:
        counts = np.arange(smallest, largest + 1)
    else:
        n = checking.whole_number(where, "n", n)
        counts = rng.integers(smallest, largest + 1, n)
    longest, lengths = letters * counts.max() + 1, letters * counts + 1
    checking.number_of_numbers(where, len(counts) * int(longest) * (letters + 1))

    place = np.arange(longest) - 1  # of a symbol in its string; S is at -1
    # The k-th letter stands at places (k - 1) n to k n - 1; S is 0, and so is all behind the end.
    symbols = np.where(place >= 0, 1 + place // np.maximum(counts, 1)[:, None], 0)
    symbols[np.arange(longest) >= lengths[:, None]] = 0
    y = np.zeros_like(symbols)
    y[:, :-1] = symbols[:, 1:]  # the last of each row says T, which is 0
    legal = one_hot_vectors(y, letters + 1)
    legal[:, 0, [END, 1]] = 1.0  # S: the string may be empty
    legal[symbols == 1, 1:3] = 1.0  # a: another a, or the first b
    legal[np.arange(longest) >= lengths[:, None]] = 0.0
    x = symbols
    if one_hot:
        x = one_hot_vectors(symbols, letters + 1)
        x[np.arange(longest) >= lengths[:, None]] = 0.0
    return CountingStrings(x, y, lengths, legal)
