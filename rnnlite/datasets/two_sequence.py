"""The two-sequence problem: a class at the beginning, and noise on the same line until the end."""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import streams

FORMS = ("3a", "3b", "3c")
VARIANCE, TARGET_VARIANCE = 0.2, 0.1


class TwoSequences(NamedTuple):
    """Sequences of noise that begin with their class.

    Attributes
    ----------
    x : numpy.ndarray (n, T, 1) float32
        Padded with zeros at the end.
    y : numpy.ndarray (n, 1) float32
        The target to train with.
    lengths : numpy.ndarray (n,) int64
        Valid steps of each row.
    expected : numpy.ndarray (n, 1) float32
        The target without its noise, by which the paper judges; in 3a and 3b it is y.

    Examples
    --------
    >>> data = two_sequence(100, seed=0, form="3c")
    >>> data.x.shape, np.unique(data.expected)
    ((100, 110, 1), array([0.2, 0.8], dtype=float32))
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray
    expected: np.ndarray


def two_sequence(n, steps=100, seed=None, *, form="3a", relevant=3):
    """Sequences of noise on one line; the first numbers say the class.

    Experiments 3a to 3c of Hochreiter & Schmidhuber 1997, section 5.3, after Bengio, Simard &
    Frasconi 1994.  With N = ``relevant`` and T = ``steps``, the first N numbers are 1 for class
    1 and -1 for class 2, which are equally likely; the others are Gaussian with mean 0 and
    variance 0.2.  Lengths are uniform in T..T + T/10.  The target, at the end, is

    - ``"3a"``: 1 for class 1, 0 for class 2;
    - ``"3b"``: the same, but the first N numbers have the noise added, too;
    - ``"3c"``: 0.2 and 0.8, with Gaussian noise of variance 0.1 on the target: what can be
      learned is its mean.

    What is hard about it: signal and noise come on the same line, and only their time tells them
    apart; in 3c more than one sequence is needed to know what to say.  Without memory the best
    answer is 0.5: an absolute error of 0.5 (3a, 3b) or 0.3 (3c).  Solved means, in the paper, that
    of 256 new sequences none is off by 0.2 and the mean absolute error is below 0.01 (3b: fewer
    than 6, and 0.04; 3c: none by more than 0.1 from the target without noise, and 0.015): see
    ``experiment_solved``.  That 3c has no noise on the first N numbers is our reading of "like 3a".

    Parameters
    ----------
    n, steps : int
        Sequences, and T.
    seed : int, optional
        The same seed gives the same sequences, and a larger n the same first n.
    form : {"3a", "3b", "3c"}
    relevant : int
        N, 1 to T; the paper has 1 and 3.

    Returns
    -------
    TwoSequences
        T + T//10 steps.

    Examples
    --------
    >>> x, y, lengths, expected = two_sequence(4, steps=20, seed=0)
    >>> bool(np.all(np.sign(x[:, 0, 0]) == 2 * y[:, 0] - 1))
    True
    """
    where = "two_sequence"
    n = checking.whole_number(where, "n", n)
    steps = checking.whole_number(where, "steps", steps)
    form = checking.one_of(where, "form", form, FORMS)
    relevant = checking.whole_number(where, "relevant", relevant, 1, steps)
    kinds, noise, ends, on_targets = streams(where, seed, 4)
    longest = steps + steps // 10
    checking.number_of_numbers(where, n * longest)
    first_class = kinds.integers(0, 2, n).astype(bool)[:, None]
    x = np.float32(VARIANCE**0.5) * noise.standard_normal((n, longest), np.float32)
    if form != "3b":
        x[:, :relevant] = 0.0
    x[:, :relevant] += np.where(first_class, np.float32(1), np.float32(-1))
    lengths = ends.integers(steps, longest + 1, n)
    x[np.arange(longest) >= lengths[:, None]] = 0.0
    one, two = (0.2, 0.8) if form == "3c" else (1.0, 0.0)
    expected = np.where(first_class, np.float32(one), np.float32(two))
    y = expected.copy()
    if form == "3c":
        y += np.float32(TARGET_VARIANCE**0.5) * on_targets.standard_normal((n, 1), np.float32)
    return TwoSequences(x[..., None], y, lengths, expected)
