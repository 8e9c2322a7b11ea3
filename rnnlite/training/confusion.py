"""Which classes are taken for which."""

from typing import NamedTuple

import numpy as np

from rnnlite import checking

MOST_CLASSES = 2**14  # of which a matrix takes 2 GB


class ConfusionMatrix(NamedTuple):
    """Counts of (true class, predicted class).

    Attributes
    ----------
    counts : numpy.ndarray of int64 (C, C)
        ``counts[t, p]`` rows of class t were taken for class p.
    names : tuple of str
        Of the classes.

    Examples
    --------
    >>> confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1]).precision
    array([1. , 0.5])
    """

    counts: np.ndarray
    names: tuple

    @property
    def accuracy(self):
        """Share of right answers, a float."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def recall(self):
        """Of the rows of each class, the share that was found; (C,), NaN without rows."""
        return _shares(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def precision(self):
        """Of the rows taken for each class, the share that is of it; (C,), NaN without rows."""
        return _shares(np.diag(self.counts), self.counts.sum(axis=0))

    def __str__(self):
        width = max(len(str(self.counts.max())), max(map(len, self.names)), 4) + 1
        side = max(*map(len, self.names), len("true"))
        head = f"{'true':<{side}}" + "".join(f"{name:>{width}}" for name in self.names)
        lines = [head + "   recall"]
        for name, row, recall in zip(self.names, self.counts, self.recall, strict=True):
            cells = "".join(f"{count or '.':>{width}}" for count in row)
            lines.append(f"{name:<{side}}{cells}   {recall:6.4f}")
        return "\n".join(lines)

    def plot(self, path=None):
        """Draw it in colours; as in ``History.plot``."""
        from rnnlite.training.plots import plot_confusion

        return plot_confusion(self, path)


def confusion_matrix(labels, predicted, classes=None, names=None):
    """Count which classes are taken for which.

    Parameters
    ----------
    labels, predicted : array_like of int, of one shape
        True and predicted classes; where the prediction is -1 (padding), it does not count.
    classes : int, optional
        How many there are; one more than the highest that occurs if not given.
    names : sequence of str, optional
        Of the classes; their numbers if not given.

    Returns
    -------
    ConfusionMatrix

    Examples
    --------
    >>> print(confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], names=["cat", "dog"]))
    true  cat  dog   recall
    cat     2    1   0.6667
    dog     .    1   1.0000
    """
    where = "confusion_matrix"
    arrays = []
    for name, value in (("labels", labels), ("predicted", predicted)):
        arrays.append(checking.labels(where, name, value))
        if arrays[-1].dtype.kind not in "iu":
            raise TypeError(f"{where}: {name} holds {arrays[-1].dtype}; it must hold whole numbers")
    labels, predicted = arrays
    if labels.shape != predicted.shape or labels.size == 0:
        got = f"labels has shape {labels.shape}, predicted {predicted.shape}"
        raise ValueError(f"{where}: {got}; wanted one shape, and at least one row")
    counts = predicted.ravel() != -1
    labels, predicted = labels.ravel()[counts], predicted.ravel()[counts]
    if not labels.size:
        raise ValueError(f"{where}: predicted is -1 everywhere; there is nothing to count")
    low = int(min(labels.min(), predicted.min()))
    highest = int(max(labels.max(), predicted.max()))
    if names is not None:
        names = tuple(map(str, checking.sequence(where, "names", names, "a sequence of str")))
    if classes is None:
        classes = highest + 1 if names is None else len(names)
    C = checking.whole_number(where, "classes", classes, most=MOST_CLASSES)
    if low < 0 or highest >= C:
        hint = f"each must lie in 0..{C - 1}"
        raise ValueError(f"{where}: classes run from {low} to {highest}; {hint}")
    names = tuple(map(str, range(C))) if names is None else names
    if len(names) != C:
        raise ValueError(f"{where}: names has {len(names)} names; wanted {C}, one a class")
    matrix = np.bincount(labels.astype(np.int64) * C + predicted.astype(np.int64), minlength=C * C)
    return ConfusionMatrix(matrix.reshape(C, C), names)


def _shares(part, whole):
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
