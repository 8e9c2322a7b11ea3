"""The objective of a training run: its loss, what it weighs, and what is a right answer."""

import functools
import inspect
import math
from typing import NamedTuple

import numpy as np

from rnnlite import checking, losses
from rnnlite.losses.arguments import over

PROTOCOL = "a function (output, y, *, lengths=None) -> (loss, doutput) or (loss, doutput, weights)"

NAMES = ("softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error")
BY_NAME = {name: getattr(losses, name) for name in NAMES}
PIECE = 1024  # rows of y that are looked at together


class Outcome(NamedTuple):
    """What came of one batch."""

    loss: float  # mean over what counts; 0 if nothing does
    doutput: np.ndarray  # in the shape of the output
    weight: float  # of this mean among those of other batches
    right: float = 0.0  # answers
    answers: float = 0.0  # that count, and are right or wrong


class Objective:
    """A loss function with the bookkeeping around it.

    ``loss`` is a name of ``BY_NAME`` or a function as ``PROTOCOL`` says; lengths are handed on if
    there are any and the output has a time axis.
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

    def __call__(self, output, y, lengths=None, weights=None):
        """The ``Outcome``; its gradient is memory of this object for the library's losses."""
        options = {} if lengths is None or output.ndim != 3 else {"lengths": lengths}
        if weights is not None:
            options["weights"] = weights
        if self.is_ours:
            if self._gradient is None or self._gradient.shape != output.shape:
                self._gradient = np.empty_like(output)
            options |= {"out": self._gradient, "return_weights": True}
            if not self.in_classes and y.shape == output.shape[:-1] and output.shape[-1] == 1:
                y = y[..., None]  # of one output there is nothing else that it could mean
        elif self._arguments != (names := sorted(options)):
            self._check_takes(output, y, options)
            self._arguments = names
        given = None  # what counts, or how much, by lengths and weights
        if "lengths" in options:
            given = np.arange(output.shape[1]) < lengths[:, None]
        if weights is not None:
            given = weights if given is None else over(weights, 2) * given
        if given is not None and not given.any():
            return Outcome(0.0, np.zeros_like(output), 0.0)
        loss, doutput, weights = self._result(output, self.function(output, y, **options))
        weight, counts = self._weighed(output, weights, given)
        if self.counts_right_answers and np.ndim(weights) == 0:
            # A loss that does not say what it leaves out: perhaps what has no gradient.
            has_gradient = np.any(doutput, axis=-1)
            silent = over(counts, has_gradient.ndim) & ~has_gradient
            self.counts_right_answers = not silent.any()
        if not self.counts_right_answers:
            return Outcome(loss, doutput, weight)
        return Outcome(loss, doutput, weight, *self._right(output, y, counts))

    def _result(self, output, result):
        """Loss, gradient and weights, or None for these, as a loss returned them."""
        if not isinstance(result, (tuple, list)) or len(result) not in (2, 3) or np.ndim(result[0]):
            got = f"loss {self.name} returned {_in_short(result)}"
            raise TypeError(f"{self._where}: {got}; wanted (loss, doutput), a number and an array")
        loss, doutput, weights = (*result, None)[:3]
        if not self.is_ours:
            what = f"the gradient that loss {self.name} returned"
            doutput = checking.real_array(self._where, what, doutput)
        if doutput.shape != output.shape:
            got = f"loss {self.name} returned a gradient of shape {doutput.shape}"
            raise ValueError(f"{self._where}: {got}; wanted {output.shape}, that of the output")
        try:
            return float(loss), doutput, weights
        except (TypeError, ValueError):
            raise TypeError(f"{self._where}: the loss is {loss!r}; it must be a number") from None

    def _weighed(self, output, weights, given):
        """The weight of a mean among those of other batches, and as booleans what counts in it."""
        answers = output.shape[:-1] or output.shape
        total = None
        if not self.is_ours and weights is not None:
            what = f"the weights that loss {self.name} returned"
            weights = checking.real_array(self._where, what, weights)
            if weights.shape != output.shape[: weights.ndim]:
                got, wanted = f"have shape {weights.shape}", f"{answers}, or their sum"
                raise ValueError(f"{self._where}: {what} {got}; wanted {wanted}")
            if not (np.isfinite(weights) & (weights >= 0)).all():
                got = f"run from {weights.min()} to {weights.max()}"
                raise ValueError(f"{self._where}: {what} {got}; wanted finite, not negative ones")
            if weights.ndim == 0:
                total, weights = float(weights), None
            elif given is not None:
                ndim = max(weights.ndim, given.ndim)
                weights = over(weights, ndim) * over(given != 0, ndim)
        if weights is None:
            weights = np.ones(answers, np.bool_) if given is None else given
        if total is None:
            # Each weighs for all the answers that it stands for, or is one of an answer's numbers.
            total = float(weights.sum()) * math.prod(answers) / weights.size
        return total, weights != 0

    def _right(self, output, y, counts):
        """Right answers, and answers that count and are right or wrong."""
        if self.in_halves:
            right, answers = (output > 0) == (y > 0.5), y != 0.5
        elif y.ndim < output.ndim:
            right, answers = output.argmax(axis=-1) == y, True
        else:  # probabilities; where two classes share the highest there is no right answer
            answers = np.count_nonzero(y == y.max(axis=-1, keepdims=True), axis=-1) == 1
            right = output.argmax(axis=-1) == y.argmax(axis=-1)
        counts = counts.any(axis=-1) if counts.ndim > right.ndim else over(counts, right.ndim)
        answers = answers & np.broadcast_to(counts, right.shape)
        return float(np.count_nonzero(right & answers)), float(np.count_nonzero(answers))

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
            if "'weights'" in str(error) and "unexpected" in str(error):
                what = f"rows are weighted, and loss {self.name} does not take weights"
            raise TypeError(f"{self._where}: {what}; wanted {PROTOCOL}") from None


def objective_for(where, loss, output, batch, source=None):
    """The objective that was asked for, or the one that the labels suggest.

    These are those of all rows if ``source`` has them, so that a bad class in the last batch is
    found before the first step.
    """
    whole = batch if source is None or source.rows is None else source
    y, shape = whole.y, (len(whole.y), *output.shape[1:])
    C = shape[-1] if output.ndim > 1 else 1
    lengths = whole.lengths if output.ndim == 3 else None
    if whole is source and lengths is not None and not lengths.any():
        raise ValueError(f"{where}: lengths is 0 for every row; there is no step that counts")
    of_answers = y.shape == shape[:-1]
    are_classes = of_answers and C > 1 and y.dtype.kind in "iu"
    if loss is not None:
        objective = Objective(where, loss)
        # Whatever the loss is, a class has been found if its output is the largest.
        objective.counts_right_answers |= are_classes
    elif are_classes:
        objective = Objective(where, "softmax_cross_entropy")
    elif y.shape == shape or (of_answers and C == 1):
        objective = Objective(where, _suggested(where, C, y, lengths))
    else:
        got = f"y holds {y.dtype} of shape {y.shape} where the model computes {shape}"
        wanted = f"whole numbers of shape {shape[:-1]} (classes), or shape {shape}"
        raise ValueError(f"{where}: {got}; wanted {wanted}")
    if objective.in_classes and of_answers and y.dtype.kind in "iu":
        bounds = [int(f(piece)) for piece in _pieces(y, lengths) for f in (np.min, np.max)]
        if min(bounds, default=0) < 0 or max(bounds, default=0) >= C:
            hint = "" if C > 1 else "; for yes and no have 2 outputs, or leave out loss"
            hint = f"the model has {C} outputs, so each must lie in 0..{C - 1}{hint}"
            found = f"y has labels from {min(bounds)} to {max(bounds)}"
            raise ValueError(f"{where}: {found}; {hint}")
    return objective


def tried(where, loss, output, batch, source=None, call_all=False):
    """``objective_for``; a loss of one's own, or with ``call_all`` any, is called once."""
    objective = objective_for(where, loss, output, batch, source)
    if call_all or not objective.is_ours:
        objective(output, batch.y, batch.lengths, batch.weights)
    return objective


def _pieces(y, lengths):
    """What counts of y, some rows at a time, for y may be larger than memory."""
    for start in range(0, len(y), PIECE):
        piece = y[start : start + PIECE]
        if lengths is not None:
            piece = piece[np.arange(y.shape[1]) < lengths[start : start + PIECE, None]]
        if piece.size:
            yield piece


def _suggested(where, C, y, lengths):
    """The name of the loss that values for C outputs suggest."""
    rows = shares = 0  # how many there are, and how many sum to 1: one-hot, or soft labels
    only_0_and_1, highest_sum = True, 0.0
    for piece in _pieces(y, lengths):
        piece = piece.reshape(-1, C)
        sums = piece.sum(axis=-1)
        rows += len(piece)
        shares += np.count_nonzero((np.abs(sums - 1.0) < 0.01) & (piece >= 0).all(axis=-1))
        only_0_and_1 &= bool(((piece == 0) | (piece == 1)).all())
        highest_sum = max(highest_sum, sums.max())
        if not only_0_and_1 and (C == 1 or 2 * shares <= rows):
            break  # values: most are known by the first rows
    if C > 1 and shares == rows:
        return "softmax_cross_entropy"  # which says so if a sum is not quite 1
    if only_0_and_1 and (C == 1 or highest_sum > 1 or shares == 0):
        return "binary_cross_entropy"
    if C > 1 and (only_0_and_1 or 2 * shares > rows):
        found = f"{shares:,} of {rows:,} rows of y sum to 1, as one-hot and soft labels do"
        hint = f"give lengths if they are padding, or say by loss ({', '.join(NAMES)}) what y is"
        raise ValueError(f"{where}: {found}, and the others do not; {hint}")
    if y.dtype.kind in "iu" and y.shape[-1:] != (C,):
        found = f"y holds whole numbers of shape {y.shape}, and the model has one output"
        hint = "classes need an output each, and yes and no are 1 and 0; for regression y is float"
        raise ValueError(f"{where}: {found}; {hint} or of shape {(*y.shape, 1)}")
    return "mean_squared_error"


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
