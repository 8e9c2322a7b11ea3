"""The embedded Reber grammar: read a string, predict each next symbol, remember the second.

The grammar is a walk from node to node; an arrow says a symbol, and where two
leave a node, either is taken with probability 1/2:

    node        1       2       3       4       5       6
    says     T or P  S or X  T or V  X or S  P or V     E
    goes to  2 or 3  2 or 4  3 or 5  3 or 6  4 or 6    end

A Reber string is B, a walk from node 1, E.  An embedded one has it in the middle of
B T ... T E or B P ... P E.
"""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import judged_strings, one_hot_vectors

REBER_SYMBOLS = "BTPSXVE"

WALK = {
    0: {"B": 1}, 1: {"T": 2, "P": 3}, 2: {"S": 2, "X": 4}, 3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6}, 5: {"P": 4, "V": 6}, 6: {"E": 7},
}  # fmt: skip


def _embedded():
    """The whole grammar: said and goes_to (20, 2) by node and side of the coin, legal (20, 7).

    Nodes 0 and 1 say B and T or P; a walk of its own for each of these begins at node 2 and at node
    10; node 18 says E, and at node 19 the string is over.  ``legal``: 1 for what a node can say.
    """
    nodes = {0: {"B": 1}, 1: {"T": 2, "P": 10}, 18: {"E": 19}}
    for first, remembered in ((2, "T"), (10, "P")):
        for node, arrows in WALK.items():
            nodes[first + node] = {symbol: first + to for symbol, to in arrows.items()}
        nodes[first + 7] = {remembered: 18}
    said, goes_to = np.zeros((2, 20, 2), np.int8)
    goes_to[19] = 19
    legal = np.zeros((20, len(REBER_SYMBOLS)), np.float32)
    for node, arrows in nodes.items():
        symbols = [REBER_SYMBOLS.index(symbol) for symbol in arrows]
        said[node], goes_to[node] = symbols, list(arrows.values())
        legal[node, symbols] = 1.0
    return said, goes_to, legal


SAID, GOES_TO, LEGAL = _embedded()
END = 19


class ReberStrings(NamedTuple):
    """Strings of the embedded Reber grammar, as a prediction task.

    Attributes
    ----------
    x : numpy.ndarray
        Each string without its last symbol: (n, T, 7) float32, one-hot in the order of
        ``REBER_SYMBOLS``, or (n, T) int64.
    y : numpy.ndarray (n, T) int64
        The symbol that follows.
    lengths : numpy.ndarray (n,) int64
        Steps of each row; behind them all arrays are zero.
    legal : numpy.ndarray (n, T, 7) float32
        1 for each symbol that may follow, else 0: targets for ``binary_cross_entropy``.

    Examples
    --------
    >>> embedded_reber(3, seed=0).strings()
    ['BPBPTTTVPSEPE', 'BPBTXXTTVPSEPE', 'BTBTSXSETE']
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray
    legal: np.ndarray

    def strings(self):
        """The strings themselves, a list of str; see ``ReberStrings``."""
        symbols = np.array(list(REBER_SYMBOLS))
        rows = zip(symbols[self.y], self.lengths, strict=True)
        return ["B" + "".join(row[:length]) for row, length in rows]


def embedded_reber(n, seed=None, *, one_hot=True, exclude=None):
    """Strings of the embedded Reber grammar, to be predicted symbol by symbol.

    Experiment 1 of Hochreiter & Schmidhuber 1997, after Smith & Zipser 1989 and Fahlman 1991, who
    trained on 256 strings and tested on 256 others.

    What is hard about it: the symbol before the last is the second one again, and nothing
    between tells which it was.  The lag is 6 steps at least, 9 on average: other networks can
    learn it, too.  Strings have 9 symbols or more, on average 12.  Mean cross-entropy of the
    next symbol, with full knowledge of the probabilities: 1.272 for a guess from the present
    symbol alone; 0.504 = 8 log 2/11 with a walk through the grammar but the second symbol
    forgotten, and then half of the strings are wrong; 0.441 = 7 log 2/11 at best.  Solved
    means, in the paper, that ``reber_correct`` is true for all training and test strings.

    Parameters
    ----------
    n : int
        Strings.
    seed : int, optional
        The same seed gives the same strings, and a larger n the same first n.
    one_hot : bool
        False for x as whole numbers, for an ``Embedding``.
    exclude : ReberStrings, optional
        Strings that must not occur, as those of the training set in a test set.

    Returns
    -------
    ReberStrings

    Examples
    --------
    >>> train = embedded_reber(256, seed=0)
    >>> test = embedded_reber(256, seed=1, exclude=train)
    >>> set(train.strings()) & set(test.strings())
    set()
    """
    where = "embedded_reber"
    n = checking.whole_number(where, "n", n)
    root = np.random.SeedSequence(checking.seed(where, seed))
    one_hot = checking.true_or_false(where, "one_hot", one_hot)
    if exclude is not None and not isinstance(exclude, ReberStrings):
        wanted = "ReberStrings or None"
        raise TypeError(f"{where}: exclude is of type {type(exclude).__name__}; wanted {wanted}")
    excluded = set() if exclude is None else set(exclude.strings())
    symbols, nodes = _walks(n, root) if not excluded else _others(n, root, excluded)
    lengths = (nodes != END).sum(axis=1)  # all symbols but the last, which ends the string
    longest = lengths.max()
    x, y = (symbols[:, start : start + longest].astype(np.int64) for start in (0, 1))
    if one_hot:
        x = one_hot_vectors(x, len(REBER_SYMBOLS))
    x[np.arange(longest) >= lengths[:, None]] = 0
    return ReberStrings(x, y, lengths, LEGAL[nodes[:, :longest]])


def reber_correct(scores, legal, lengths):
    """Whether each string is predicted correctly, as Hochreiter & Schmidhuber 1997 judge.

    The order of the scores counts, not their size: where one symbol may follow it must have the
    highest score, and where two may follow the two highest must be theirs.  So logits and
    probabilities are judged alike; a tie with a symbol that may not follow, or NaN, is wrong.

    Parameters
    ----------
    scores : array_like (n, T, 7)
        Of each next symbol, in the order of ``REBER_SYMBOLS``.
    legal : array_like (n, T, 7)
        As in ``ReberStrings``.
    lengths : array_like of int (n,)
        As in ``ReberStrings``; what is behind them is not looked at.

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
    >>> data = embedded_reber(100, seed=0)
    >>> reber_correct(data.legal, data.legal, data.lengths).all()  # knows the grammar
    np.True_
    >>> forgetful = data.legal.copy()
    >>> forgetful[np.arange(100), data.lengths - 2] = 0.5  # T or P, at the end of the lag?
    >>> reber_correct(forgetful, data.legal, data.lengths).any()
    np.False_
    """
    scores, legal, behind = judged_strings("reber_correct", scores, legal, lengths)
    right = np.where(legal, scores, np.inf).min(axis=-1)
    wrong = np.where(legal, -np.inf, scores).max(axis=-1)
    return np.all((right > wrong) | behind, axis=1)


def _walks(n, root):
    """Symbols said and nodes come to, (2, n, steps) int8; every row has reached the end.

    Every step has a stream of its own, so that row k does not depend on the number of rows.
    """
    node, steps = np.zeros(n, np.int8), []
    while (node != END).any():
        coin = np.random.default_rng(root.spawn(1)[0]).integers(0, 2, n)
        said, node = SAID[node, coin], GOES_TO[node, coin]
        steps.append((said, node))
    return np.stack(steps, axis=2)


def _others(n, root, excluded):
    """Walks, none of which says an excluded string."""
    chosen = []
    while len(chosen) < n:
        walks = _walks(n, root).swapaxes(0, 1)
        chosen += [walk for walk in walks if _string(*walk) not in excluded]
    result = np.zeros((2, n, max(walk.shape[1] for walk in chosen)), np.int8)
    result[1] = END
    for row, walk in enumerate(chosen[:n]):
        result[:, row, : walk.shape[1]] = walk
    return result


def _string(symbols, nodes):
    """What a single walk says."""
    return "".join(REBER_SYMBOLS[symbol] for symbol in symbols[: np.sum(nodes != END) + 1])
