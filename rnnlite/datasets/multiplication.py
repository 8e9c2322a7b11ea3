"""The multiplication problem: two numbers, far apart among noise, are to be multiplied."""

import numpy as np

from rnnlite import checking
from rnnlite.datasets.adding import marked_pairs
from rnnlite.datasets.sequences import PaddedSequences, streams


def multiplication_problem(n, steps=100, seed=None):
    """Sequences of (number, marker); the target is the product of the two marked numbers.

    Experiment 5 of Hochreiter & Schmidhuber 1997, section 5.5: the adding problem of 1997
    (``adding_problem(form="1997")``) but for numbers uniform in [0, 1) and y = X1 X2, where a
    marked number in the first pair counts as 1.  For one seed marks and lengths are those of the
    adding problem.

    What is hard about it: a cell state adds by itself, it does not multiply.  Without memory the
    best answer is the mean: its squared error is the variance of y, 0.059 for T = 100, that is
    (1 - p) 7/144 + p/12 + p (1 - p)/16 with p as in the adding problem.  Solved means, in the
    paper, that of the 2,000 most recent sequences fewer than 13 have an absolute error above 0.04
    (with fewer than 140 the relevant numbers are stored): see ``experiment_solved``.

    Parameters
    ----------
    n, steps : int
        Sequences, and T, at least 20.
    seed : int, optional
        The same seed gives the same sequences, and a larger n the same first n.

    Returns
    -------
    PaddedSequences
        ``x`` (n, T + T//10, 2), ``y`` (n, 1), float32; ``lengths`` (n,) int64, uniform in
        T..T + T/10.

    Examples
    --------
    >>> x, y, lengths = multiplication_problem(1000, steps=50, seed=0)
    >>> factors = np.where(x[..., 1] == 1, x[..., 0], 1)
    >>> np.allclose(factors.prod(axis=1), y[:, 0])
    True
    """
    where = "multiplication_problem"
    n = checking.whole_number(where, "n", n)
    steps = checking.whole_number(where, "steps", steps, 20)
    x, marked, lengths = marked_pairs(n, steps, *streams(where, seed, 4))
    rows = np.arange(n)
    X1, X2 = (np.where(place > 0, x[rows, place, 0], np.float32(1)) for place in marked)
    return PaddedSequences(x, (X1 * X2)[:, None], lengths)
