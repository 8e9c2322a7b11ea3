"""What a classifier is to answer: names of classes as numbers, and scores as names.

OneClass    y (n,): one of C classes, by the softmax of C scores
Labels      y (n, K) of 0 and 1: K questions of yes or no, by the sigmoid of K scores
Several     y (n, K) of classes: K questions, each with classes of its own and a softmax for them
"""

import numpy as np
from scipy.special import expit, softmax
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from rnnlite import losses


def target_of(where, y, classes=None):
    """What y is an example of; ``classes``, for y in parts, as ``partial_fit`` takes them."""
    check_classification_targets(y)
    if type_of_target(y, input_name="y", raise_unknown=True) == "multilabel-indicator":
        return Labels(y.shape[1])
    if y.ndim == 1:
        return OneClass(where, y if classes is None else np.asarray(classes))
    columns = list(y.T) if classes is None else [np.asarray(part) for part in classes]
    if len(columns) != y.shape[1]:
        got = f"classes has {len(columns)} parts and y has {y.shape[1]} columns"
        raise ValueError(f"{where}: {got}; wanted a list of the classes of each column")
    return Several([OneClass(where, column) for column in columns])


class OneClass:
    """One of C classes."""

    loss = "softmax_cross_entropy"

    def __init__(self, where, y):
        self.classes = np.unique(y)
        self.outputs = len(self.classes)
        if self.outputs < 2:
            got = f"y holds 1 class, {self.classes.tolist()}"
            raise ValueError(f"{where}: {got}; wanted rows of at least two, with weights above 0")

    def encode(self, where, y):
        """The number of each row's class, int64 (n,)."""
        numbers = np.searchsorted(self.classes, y).clip(max=self.outputs - 1)
        unknown = np.asarray(self.classes[numbers] != y)
        if unknown.any():
            got = f"y holds {y[unknown][:1].tolist()[0]!r}"
            raise ValueError(f"{where}: {got}; the classes are {self.classes.tolist()!s:.200}")
        return numbers

    def decode(self, scores):
        """The class of each row, (n,)."""
        return self.classes[scores.argmax(axis=1)]

    def probabilities(self, scores):
        """(n, C)."""
        return softmax(scores, axis=1)

    def decisions(self, scores):
        """Scores (n, C); of two classes how far the second is ahead, (n,)."""
        return scores[:, 1] - scores[:, 0] if self.outputs == 2 else scores

    def weights(self, where, class_weight, numbers, counts):
        """What each row weighs by its class, (n,); each counts as often as ``counts`` says."""
        if isinstance(class_weight, str):
            if class_weight != "balanced":
                wanted = "'balanced', a dict from class to weight or None"
                raise ValueError(f"{where}: class_weight is {class_weight!r}; wanted {wanted}")
            totals = np.bincount(numbers, counts, self.outputs)
            each = counts.sum() / (self.outputs * np.where(totals, totals, 1.0))
        elif isinstance(class_weight, dict):
            given = [class_weight.get(name) for name in self.classes.tolist()]
            if all(weight is None for weight in given):
                got = f"class_weight is for {list(class_weight)!s:.200}"
                raise ValueError(f"{where}: {got}; the classes are {self.classes.tolist()!s:.200}")
            each = np.array([1.0 if weight is None else weight for weight in given], np.float64)
        else:
            wanted = "'balanced', a dict from class to weight or None"
            raise TypeError(f"{where}: class_weight is {class_weight!r:.200}; wanted {wanted}")
        return each[numbers]


class Labels:
    """K questions of yes or no."""

    loss = "binary_cross_entropy"

    def __init__(self, K):
        self.outputs, self.classes = K, np.arange(K)

    def encode(self, where, y):
        """0 and 1 as numbers (n, K)."""
        if y.ndim != 2 or y.shape[1] != self.outputs or not np.isin(y, (0, 1)).all():
            got = f"y has shape {y.shape}"
            raise ValueError(f"{where}: {got}; wanted 0 and 1, (rows, {self.outputs})")
        return np.asarray(y, np.float64)

    def decode(self, scores):
        """0 and 1, (n, K)."""
        return (scores > 0).astype(np.int64)

    def probabilities(self, scores):
        """Of yes, (n, K)."""
        return expit(scores)

    def decisions(self, scores):
        """Scores of yes, (n, K)."""
        return scores

    weights = None


class Several:
    """K questions, each with classes of its own."""

    def __init__(self, parts):
        self.parts, self.classes = parts, [part.classes for part in parts]
        self.outputs = sum(part.outputs for part in parts)
        self.loss = MeanOfCrossEntropies([part.outputs for part in parts])

    def encode(self, where, y):
        """The number of each class, int64 (n, K)."""
        if y.ndim != 2 or y.shape[1] != len(self.parts):
            wanted = f"(rows, {len(self.parts)})"
            raise ValueError(f"{where}: y has shape {y.shape}; wanted {wanted}")
        return np.stack([p.encode(where, c) for p, c in zip(self.parts, y.T, strict=True)], axis=1)

    def decode(self, scores):
        """The classes of each row, (n, K)."""
        return np.stack([p.decode(s) for p, s in self._divided(scores)], axis=1)

    def probabilities(self, scores):
        """A list of K arrays (n, C)."""
        return [p.probabilities(s) for p, s in self._divided(scores)]

    def decisions(self, scores):
        """A list of K arrays, (n, C) or (n,)."""
        return [p.decisions(s) for p, s in self._divided(scores)]

    def _divided(self, scores):
        return zip(self.parts, np.split(scores, self.loss.starts, axis=1), strict=True)

    weights = None


class MeanOfCrossEntropies:
    """The mean of the softmax cross-entropies of groups of outputs; a loss for ``fit``."""

    def __init__(self, sizes):
        self.starts = np.cumsum(sizes)[:-1]

    def __call__(self, output, y, *, weights=None):
        """Loss, its gradient, and what each row weighs."""
        groups = np.split(output, self.starts, axis=1)
        results = [
            losses.softmax_cross_entropy(group, part, weights=weights, return_weights=True)
            for group, part in zip(groups, y.T, strict=True)
        ]
        values, gradients, counts = zip(*results, strict=True)
        return np.mean(values), np.concatenate(gradients, axis=1) / len(groups), counts[0]
