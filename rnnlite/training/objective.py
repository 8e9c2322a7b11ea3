"""The objective of a training run: its loss, and what counts as a right answer."""

import functools

import numpy as np

from rnnlite import checking, losses

BY_NAME = {
    "softmax_cross_entropy": losses.softmax_cross_entropy,
    "binary_cross_entropy": losses.binary_cross_entropy,
    "mean_squared_error": losses.mean_squared_error,
}


class Objective:
    """A loss function with the bookkeeping around it."""

    def __init__(self, where, loss):
        if isinstance(loss, str):
            loss = BY_NAME[checking.one_of(where, "loss", loss, tuple(BY_NAME))]
        if not callable(loss):
            raise TypeError(
                f"{where}: loss is {loss!r}; wanted {' or '.join(map(repr, BY_NAME))}, "
                "or a function (output, y) -> (loss, gradient)"
            )
        inner = loss
        while isinstance(inner, functools.partial):
            inner = inner.func
        self._where = where
        self.function, self.name = loss, name_of(loss)
        self.in_classes = inner is losses.softmax_cross_entropy
        self.in_halves = inner is losses.binary_cross_entropy
        self.counts_right_answers = self.in_classes or self.in_halves
        self._reuses = inner in BY_NAME.values()
        self._gradient = None  # memory of the last gradient, written again

    def __call__(self, output, y, lengths=None):
        """Loss, and its gradient by the output (memory of this object for the library's losses)."""
        options = {}
        if lengths is not None and output.ndim == 3:
            options["lengths"] = lengths
        if self._reuses:
            if self._gradient is None or self._gradient.shape != output.shape:
                self._gradient = np.empty_like(output)
            options["out"] = self._gradient
        result = self.function(output, y, **options)
        if not isinstance(result, (tuple, list)) or len(result) != 2 or np.ndim(result[0]):
            raise TypeError(
                f"{self._where}: loss returned {result!r}; wanted (loss, gradient), a number and "
                "an array"
            )
        return checking.as_float(self._where, "the loss", result[0]), result[1]

    def count(self, output, y, lengths=None):
        """Right answers, and answers that count: rows, or steps that are not padding."""
        answers = output.shape[:2] if output.ndim == 3 else output.shape[:1]
        counts = None
        if lengths is not None and output.ndim == 3:
            counts = np.arange(output.shape[1]) < np.asarray(lengths)[:, None]
        counted = int(np.prod(answers)) if counts is None else int(counts.sum())
        if not self.counts_right_answers:
            return 0.0, counted
        y = np.asarray(y)
        if self.in_halves:
            right = np.mean((output > 0) == (y > 0.5), axis=-1)
        else:
            classes = y if y.ndim == len(answers) else y.argmax(axis=-1)
            right = output.argmax(axis=-1) == classes
        return float(right.sum() if counts is None else right[counts].sum()), counted


def objective_for(where, loss, output_shape, y):
    """The objective that was asked for, or the one that such labels suggest."""
    C = output_shape[-1]
    are_classes = y.shape == output_shape[:-1] and y.dtype.kind in "iu"
    if loss is not None:
        objective = Objective(where, loss)
        # Whatever the loss is, a class has been found if its output is the largest.
        objective.counts_right_answers |= are_classes and C > 1
        return objective
    if are_classes:
        return Objective(where, "softmax_cross_entropy")
    if y.shape == output_shape:
        # Some rows at a time, for y may be larger than memory; values differ in the first.
        pieces = (y[start : start + 1024] for start in range(0, len(y), 1024))
        one_hot = C > 1 and all(
            np.all((piece == 0) | (piece == 1)) and np.all(piece.sum(axis=-1) == 1)
            for piece in pieces
        )
        return Objective(where, "softmax_cross_entropy" if one_hot else "mean_squared_error")
    raise ValueError(
        f"{where}: y holds {y.dtype} of shape {y.shape} where the model computes {output_shape}; "
        f"wanted whole numbers of shape {output_shape[:-1]} (classes), or shape {output_shape}"
    )


def check_labels(where, objective, y, output_shape):
    """All class labels, before the first step: a bad one in the last batch is found now."""
    classes = output_shape[-1]
    if objective.in_classes and y.dtype.kind in "iu" and y.ndim < len(output_shape):
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= classes:
            hint = "" if classes > 1 else "; for yes and no have 2 outputs"
            raise ValueError(
                f"{where}: y has labels from {low} to {high}; the model has {classes} outputs, "
                f"so each must lie in 0..{classes - 1}{hint}"
            )


def name_of(thing):
    """A name that is the same in every process, for messages and for comparing two runs."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, functools.partial):
        options = ", ".join(f"{key}={value!r}" for key, value in sorted(thing.keywords.items()))
        return f"{name_of(thing.func)}({options})"
    if hasattr(thing, "__qualname__"):
        return thing.__qualname__
    return repr(thing) if type(thing).__repr__ is not object.__repr__ else type(thing).__qualname__
