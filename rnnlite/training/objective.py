"""The objective of a training run: its loss, and what counts as a right answer."""

import functools
import inspect

import numpy as np

from rnnlite import checking, losses

PROTOCOL = "a function (output, y, *, lengths=None) -> (loss, doutput)"

NAMES = ("softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error")
BY_NAME = {name: getattr(losses, name) for name in NAMES}


class Objective:
    """A loss function with the bookkeeping around it.

    ``loss`` is a name of ``BY_NAME``, or ``loss(output, y, *, lengths=None) -> (loss, doutput)``;
    lengths are handed on if there are any and the output has a time axis.
    """

    def __init__(self, where, loss):
        if isinstance(loss, str):
            loss = BY_NAME[checking.one_of(where, "loss", loss, tuple(BY_NAME))]
        if not callable(loss):
            wanted = f"{' or '.join(map(repr, BY_NAME))}, {PROTOCOL}"
            raise TypeError(f"{where}: loss is {loss!r}; wanted {wanted}")
        inner = loss
        while isinstance(inner, functools.partial):
            inner = inner.func
        self._where = where
        self.function, self.name = loss, name_of(loss)
        self.in_classes = inner is losses.softmax_cross_entropy
        self.in_halves = inner is losses.binary_cross_entropy
        self.counts_right_answers = self.in_classes or self.in_halves
        self.is_ours = inner in BY_NAME.values()
        self._gradient = None  # memory of the last gradient, written again
        self._arguments = None  # names of options that a loss of one's own is known to take

    def __call__(self, output, y, lengths=None):
        """Loss, and its gradient by the output (memory of this object for the library's losses)."""
        options = {}
        if lengths is not None and output.ndim == 3:
            options["lengths"] = lengths
        if self.is_ours:
            if self._gradient is None or self._gradient.shape != output.shape:
                self._gradient = np.empty_like(output)
            options["out"] = self._gradient
        elif self._arguments != (names := sorted(options)):
            self._check_takes(output, y, options)
            self._arguments = names
        result = self.function(output, y, **options)
        if not isinstance(result, (tuple, list)) or len(result) != 2 or np.ndim(result[0]):
            got = f"loss {self.name} returned {_in_short(result)}"
            raise TypeError(f"{self._where}: {got}; wanted (loss, doutput), a number and an array")
        loss, doutput = result
        if not self.is_ours:
            what = f"the gradient that loss {self.name} returned"
            doutput = checking.real_array(self._where, what, doutput)
        if doutput.shape != output.shape:
            got = f"loss {self.name} returned a gradient of shape {doutput.shape}"
            raise ValueError(f"{self._where}: {got}; wanted {output.shape}, that of the output")
        try:
            return float(loss), doutput
        except (TypeError, ValueError):
            raise TypeError(f"{self._where}: the loss is {loss!r}; it must be a number") from None

    def _check_takes(self, output, y, options):
        """That a loss of one's own can be called so, asked once."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):  # a built-in: it says so itself
            return
        try:
            signature.bind(output, y, **options)
        except TypeError as error:
            what = f"loss {self.name} cannot be called with output and y: {error}"
            if "'lengths'" in str(error) and "unexpected" in str(error):
                what = f"lengths are given, and loss {self.name} does not take them"
            raise TypeError(f"{self._where}: {what}; wanted {PROTOCOL}") from None

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
    got = f"y holds {y.dtype} of shape {y.shape} where the model computes {output_shape}"
    wanted = f"whole numbers of shape {output_shape[:-1]} (classes), or shape {output_shape}"
    raise ValueError(f"{where}: {got}; wanted {wanted}")


def tried(where, loss, output, batch, all_y=None, call_all=False):
    """The objective for such outputs and labels; a loss of one's own is called once with them.

    ``all_y``: the labels of all rows, if they are known.  ``call_all``: call any loss.
    """
    y = batch.y if all_y is None else all_y
    shape = (len(y), *output.shape[1:])
    objective = objective_for(where, loss, shape, y)
    check_labels(where, objective, y, shape)
    if call_all or not objective.is_ours:
        objective(output, batch.y, batch.lengths)
    return objective


def check_labels(where, objective, y, output_shape):
    """All class labels, before the first step: a bad one in the last batch is found now."""
    classes = output_shape[-1]
    if objective.in_classes and y.dtype.kind in "iu" and y.ndim < len(output_shape):
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= classes:
            hint = "" if classes > 1 else "; for yes and no have 2 outputs"
            hint = f"the model has {classes} outputs, so each must lie in 0..{classes - 1}{hint}"
            raise ValueError(f"{where}: y has labels from {low} to {high}; {hint}")


def _in_short(result):
    """What a loss returned, without the numbers of arrays."""
    if isinstance(result, (tuple, list)):
        return f"({', '.join(map(_in_short, result))})"
    if isinstance(result, np.ndarray):
        return f"an array of shape {result.shape}"
    return repr(result)


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
