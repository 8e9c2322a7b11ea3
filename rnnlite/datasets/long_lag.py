"""Long time lags: the first symbol says what the last will be, and all between says nothing."""

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import PaddedSequences, Sequences, one_hot_vectors, streams

FORMS = ("2a", "2b", "2c")


def long_lag(n, steps=100, seed=None, *, form="2b", distractors=None, one_hot=True):
    """Sequences that end as they began, with symbols between that distract.

    Experiments 2a to 2c of Hochreiter & Schmidhuber 1997, section 5.2.  With p = ``steps``:

    - ``"2a"``, free of noise: (y, a1, a2, ..., a_{p-1}, y) or (x, a1, ..., a_{p-1}, x), each with
      probability 1/2.  Every next symbol is to be said.
    - ``"2b"``, no local regularities: the p - 1 symbols between are drawn from a1 ... a_{p-1}.
      Every next symbol is to be said; only the last can be known.
    - ``"2c"``, very long lags: (b, y, a...a, e, y) or (b, x, a...a, e, x).  There are q = ``steps``
      symbols between, drawn from a1 ... a_p with p = ``distractors``, and then, with
      probability 9/10 each time, one more, until e.  Only the last symbol is asked for.

    What is hard about it: one symbol must be remembered over all steps, and no shorter sequence
    shows that it matters.  Without memory the last symbol is right in half of the sequences.
    Solved means, in the paper, that in 10,000 new sequences no output is off by as much as 0.25
    (2a: at any step; 2b: at the last one), or 0.2 (2c): see ``experiment_correct``.

    The paper draws its symbols in 2c from a1 ... a_q in one place, and from a1 ... a_p in all
    others; with its tables we take the second.

    Parameters
    ----------
    n : int
        Sequences.
    steps : int
        p of 2a and 2b, at least 2; q of 2c.
    seed : int, optional
        The same seed gives the same sequences, and a larger n the same first n.
    form : {"2a", "2b", "2c"}
    distractors : int, optional
        p of 2c, by default ``steps``; in 2a and 2b there are always p - 1.
    one_hot : bool
        False for symbols as whole numbers, for an ``Embedding``; padding is then 0, too.

    Returns
    -------
    Sequences or PaddedSequences
        2a, 2b: ``x`` (n, p, p + 1) float32 or (n, p) int64, and ``y`` (n, p) int64, the symbol that
        follows, in the order a1 ... a_{p-1}, x, y.  2c: ``x`` (n, T, p + 4) or (n, T) in the order
        a1 ... a_p, e, b, x, y, where T is the largest length; ``y`` (n,), 0 for x and 1 for y;
        ``lengths`` (n,), at least q + 3.

    Examples
    --------
    >>> x, y = long_lag(2, steps=5, seed=0, one_hot=False)
    >>> print(x, y, sep="\\n")
    [[5 2 2 1 0]
     [5 0 2 0 1]]
    [[2 2 1 0 5]
     [0 2 0 1 5]]
    """
    where = "long_lag"
    n = checking.whole_number(where, "n", n)
    form = checking.one_of(where, "form", form, FORMS)
    steps = checking.whole_number(where, "steps", steps, 1 if form == "2c" else 2)
    if form != "2c" and distractors is not None:
        wanted = "wanted None: only form '2c' has a number of its own"
        raise ValueError(f"{where}: distractors is {distractors!r} and form {form!r}; {wanted}")
    if distractors is None:
        distractors = steps
    distractors = checking.whole_number(where, "distractors", distractors)
    one_hot = checking.true_or_false(where, "one_hot", one_hot)
    kinds, between, ends, more = streams(where, seed, 4)
    kind = kinds.integers(0, 2, n)  # 0 for x, 1 for y
    if form == "2c":
        return _very_long(n, steps, distractors, one_hot, kind, between, ends, more)
    if one_hot:
        checking.number_of_numbers(where, n * steps * (steps + 1))
    whole = np.empty((n, steps + 1), np.int64)
    fill = np.arange(steps - 1) if form == "2a" else between.integers(0, steps - 1, (n, steps - 1))
    whole[:, 1:-1] = fill
    whole[:, 0] = whole[:, -1] = steps - 1 + kind
    x, y = whole[:, :-1].copy(), whole[:, 1:].copy()
    return Sequences(one_hot_vectors(x, steps + 1) if one_hot else x, y)


def _very_long(n, q, p, one_hot, kind, between, ends, more):
    e, b, first = p, p + 1, p + 2
    extra = ends.geometric(0.1, n) - 1  # so many more, each with probability 9/10
    lengths = q + extra + 3  # b, x or y, the symbols, e
    longest = int(lengths.max())
    if one_hot:
        checking.number_of_numbers("long_lag", n * longest * (p + 4))
    symbols = np.zeros((n, longest), np.int64)
    steps = np.arange(longest)
    symbols[:, 0], symbols[:, 1] = b, first + kind
    symbols[:, 2 : q + 2] = between.integers(0, p, (n, q))
    # Drawn in one piece, row after row, so that a longest row further down changes nothing.
    symbols[(steps >= q + 2) & (steps < lengths[:, None] - 1)] = more.integers(0, p, extra.sum())
    symbols[np.arange(n), lengths - 1] = e
    x = one_hot_vectors(symbols, p + 4) if one_hot else symbols
    x[steps >= lengths[:, None]] = 0
    return PaddedSequences(x, kind, lengths)
