"""Temporal order: which of X and Y came when, among a hundred other symbols."""

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import PaddedSequences, one_hot_vectors, streams

TEMPORAL_ORDER_SYMBOLS = "EBabcdXY"  # begin, end (it asks for the answer), four that mean nothing
E, B, X = 0, 1, 6

# First and last place of each X or Y, in hundredths of the length.
PLACES = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}


def temporal_order(n, relevant=2, seed=None, *, steps=100, one_hot=True):
    """Sequences of symbols; the class is the order in which X and Y occur.

    Experiments 6a (``relevant=2``) and 6b (``relevant=3``) of Hochreiter & Schmidhuber 1997.  A
    sequence begins with E, ends with B, and has symbols drawn from a, b, c, d between, but for two
    (three) that are X or Y.  With ``steps=100``, as in the paper, lengths are uniform in 100..110,
    the first X or Y stands at a place uniform in 10..20 and the second in 50..60; in 6b the places
    are 10..20, 33..43 and 66..76 (E is at place 0).  Other values of ``steps`` scale all of these.
    The class is the binary number of the symbols, X = 0 and Y = 1: XX, XY, YX, YY are 0 to 3, in
    the paper Q, R, S, U; in 6b XXX to YYY are 0 to 7, in the paper Q, R, S, U, V, A, B, C.

    What is hard about it: the first symbol that matters is 80 steps back and differs from the
    second by its time alone.  Without memory a network is right once in 4 (8), at a
    cross-entropy of log 4 = 1.386 (log 8 = 2.079).  Solved means, in the paper, all outputs
    within 0.3 of the target in the last 2,000 sequences.

    Parameters
    ----------
    n, steps : int
        Sequences, and their least length, 10 at least; the largest is ``steps + steps//10``.
    relevant : {2, 3}
        How many of the symbols are X or Y.
    seed : int, optional
        The same seed gives the same sequences, and a larger n the same first n.
    one_hot : bool
        False for symbols as whole numbers, for an ``Embedding``; padding is then 0, too.

    Returns
    -------
    PaddedSequences
        ``x`` (n, T, 8) float32 in the order of ``TEMPORAL_ORDER_SYMBOLS``, or (n, T) int64, where T
        is the largest length; ``y`` (n,) int64; ``lengths`` (n,) int64.

    Examples
    --------
    >>> x, y, lengths = temporal_order(2, seed=0, steps=20, one_hot=False)
    >>> for row, label, length in zip(x, y, lengths):
    ...     print(label, "".join(TEMPORAL_ORDER_SYMBOLS[s] for s in row[:length]))
    3 EdabYcaadbYcdabdbbccB
    0 EaaXaddaacbXaadbdbcaaB
    """
    where = "temporal_order"
    n = checking.whole_number(where, "n", n)
    relevant = checking.whole_number(where, "relevant", relevant, 2)
    if relevant not in PLACES:
        raise ValueError(f"{where}: relevant is {relevant}; it can be 2 (task 6a) or 3 (task 6b)")
    steps = checking.whole_number(where, "steps", steps, 10)
    one_hot = checking.true_or_false(where, "one_hot", one_hot)
    noise, ends, kinds, *places = streams(where, seed, 3 + relevant)

    longest, rows = steps + steps // 10, np.arange(n)
    symbols = noise.integers(2, X, (n, longest))
    lengths = ends.integers(steps, longest + 1, n)
    symbols[:, 0], symbols[rows, lengths - 1] = E, B
    choices = kinds.integers(0, 2, (n, relevant))
    y = np.zeros(n, np.int64)
    for k, (low, high) in enumerate(PLACES[relevant]):
        at = places[k].integers(steps * low // 100, steps * high // 100 + 1, n)
        symbols[rows, at] = X + choices[:, k]
        y = 2 * y + choices[:, k]
    x = one_hot_vectors(symbols, len(TEMPORAL_ORDER_SYMBOLS)) if one_hot else symbols
    x[np.arange(longest) >= lengths[:, None]] = 0
    return PaddedSequences(x, y, lengths)
