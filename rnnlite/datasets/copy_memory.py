"""Copy memory: ten symbols, a long silence, then say them again."""

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import Sequences, one_hot_vectors, streams

SYMBOLS, BLANK, ASK, COPIED = 8, 8, 9, 10


def copy_memory(n, delay=100, seed=None, *, one_hot=True):
    """Ten symbols to be said again after ``delay`` steps.

    Arjovsky, Shah & Bengio 2016, section 4.1, after the long-lag tasks of Hochreiter & Schmidhuber
    1997.  With T = ``delay``, a sequence has T + 20 steps; the symbols are 0 to 7, drawn
    independently, 8 is the blank, 9 says "now":

        x    s1 ... s10, then T - 1 blanks, then "now", then 10 blanks
        y    T + 10 blanks, then s1 ... s10

    What is hard about it: ten times three bits must survive T steps, and be said in order.  A
    network without memory says blanks, then guesses: its mean cross-entropy is 10 log 8/(T + 20),
    0.173 for T = 100; it is right in a share 1 - 8.75/(T + 20) of all steps, so look at the last
    ten alone.  The paper names no score that counts as solved, and its LSTM beats the guess at
    T = 100 only; all of the last ten right in 99 of 100 sequences is an honest bar.

    Parameters
    ----------
    n, delay : int
        Sequences, and T.
    seed : int, optional
        As in ``adding_problem``.  For one seed the symbols are the same at any delay.
    one_hot : bool
        False for symbols as whole numbers, for an ``Embedding``.

    Returns
    -------
    Sequences
        ``x`` (n, T + 20, 10) float32 or (n, T + 20) int64; ``y`` (n, T + 20) int64.

    Examples
    --------
    >>> x, y = copy_memory(1, delay=5, seed=0, one_hot=False)
    >>> print(x[0], y[0], sep="\\n")
    [6 7 0 2 6 5 1 1 7 3 8 8 8 8 9 8 8 8 8 8 8 8 8 8 8]
    [8 8 8 8 8 8 8 8 8 8 8 8 8 8 8 6 7 0 2 6 5 1 1 7 3]
    """
    where = "copy_memory"
    n = checking.whole_number(where, "n", n)
    delay = checking.whole_number(where, "delay", delay)
    one_hot = checking.true_or_false(where, "one_hot", one_hot)
    (rng,) = streams(where, seed, 1)
    symbols = rng.integers(0, SYMBOLS, (n, COPIED))
    x = np.full((n, delay + 2 * COPIED), BLANK, np.int64)
    y = x.copy()
    x[:, :COPIED] = y[:, -COPIED:] = symbols
    x[:, delay + COPIED - 1] = ASK
    return Sequences(one_hot_vectors(x, SYMBOLS + 2) if one_hot else x, y)
