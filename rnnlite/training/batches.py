"""Where batches come from: arrays in a new order each epoch, or an iterator of batches.

Both start anew at any batch of any epoch, without a memory of what came before: the order of an
epoch is drawn from (seed, t), t being the steps that the optimizer had taken when it began, the
random numbers of a batch from (seed, t, batch).  So three calls of ``fit`` for an epoch each see
the batches of one call for three epochs.
"""

import copy
import functools
import hashlib
import math
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnlite import checking, padding
from rnnlite.losses.arguments import over
from rnnlite.training.cut import Cut
from rnnlite.training.weights import sample_weights

PACKAGE = str(Path(checking.__file__).parent)


class DataWarning(UserWarning):
    """Data that can be used and are probably not what was meant.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DataWarning)     # or "ignore"
    """


class Batch(NamedTuple):
    """What one training step sees."""

    x: np.ndarray  # (B, ...)
    y: np.ndarray  # (B, ...)
    lengths: np.ndarray | None = None  # (B,)
    weights: np.ndarray | None = None  # (B,) or (B, T)
    rows: Any = None  # which rows of the data these are, if that is known: (B,) or a slice

    @property
    def size(self):
        """How many rows it has."""
        return len(self.x)

    def some(self, first, last):
        """Rows ``first`` to ``last``, as views."""
        return Batch(*(a if a is None else a[first:last] for a in self[:4]))


class Arrays:
    """Batches of the rows of arrays."""

    def __init__(
        self, where, model, x, y, lengths, batch_size, shuffle=False, seed=0, augment=None,
        weights=None,
    ):  # fmt: skip
        self.x, self.y, lengths = as_arrays(where, "", x, y, lengths)
        if self.x.ndim < 2 or 0 in self.x.shape:
            wanted = "(rows, time, features) or, for class numbers, (rows, time), none of them 0"
            raise ValueError(f"{where}: x has shape {self.x.shape}; wanted {wanted}")
        self._where, self.rows = where, len(self.x)
        if self.y.ndim == 0 or len(self.y) != self.rows or self.y.size == 0:
            got = f"y has shape {self.y.shape} and x has {self.rows} rows"
            raise ValueError(f"{where}: {got}; wanted ({self.rows}, ...)")
        T = self.x.shape[1]
        self.lengths = checking.row_lengths(where, lengths, self.rows, T)
        self.weights = sample_weights(where, weights, self.rows, T, self.lengths)
        self.batch_size, self.shuffle, self.seed, self.augment = batch_size, shuffle, seed, augment
        self.batches = -(-self.rows // batch_size)
        self._memory, self._model = {}, model  # the model to warn by, once; None: do not
        if augment is None and model is not None:
            self._warn(self.x)

    def fingerprint(self):
        """A text by which other data are told from these, of some rows: all would take long."""
        digest = hashlib.sha256()
        rows = np.unique(np.linspace(0, self.rows - 1, 32).astype(np.int64))
        for array in (self.x, self.y, self.lengths, self.weights):
            if array is not None:
                digest.update(f"{array.dtype} {array.shape} ".encode())
                digest.update(array[rows].tobytes())
        return f"fingerprint {digest.hexdigest()[:12]}"

    def weigh(self, weights):
        """Let rows or steps weigh so much more."""
        if self.weights is not None:
            ndim = max(self.weights.ndim, weights.ndim)
            weights = over(self.weights, ndim) * over(weights, ndim)
        self.weights = weights

    def split(self, share):
        """These without the last rows, and the last rows, a ``share`` of all, to validate with."""
        last = math.ceil(round(share * self.rows, 6))
        if not 0 < last < self.rows:
            got = f"validation_split is {share}, of {self.rows} rows"
            raise ValueError(f"{self._where}: {got}; wanted rows on both sides")
        parts = copy.copy(self), copy.copy(self)
        for part, rows in zip(parts, (slice(-last), slice(-last, None)), strict=True):
            for name in ("x", "y", "lengths", "weights"):
                array = getattr(self, name)
                setattr(part, name, None if array is None else array[rows])
            part.rows, part._memory, part._model = len(part.x), {}, None
        for_validation = {"shuffle": False, "augment": None, "_where": f"{self._where}: validation"}
        vars(parts[1]).update(for_validation, batch_size=max(self.batch_size, 256))
        for part in parts:
            part.batches = -(-part.rows // part.batch_size)
        return parts

    def _warn(self, x):
        model, kind, self._model = self._model, x.dtype, None
        first, hint = x[: self.batch_size], None
        if kind == np.float64 and model.dtype == np.float32 and not model.takes_indices:
            hint = (
                "x is float64 and the model computes in float32, so each batch is "
                "rounded to a copy; x = x.astype('float32') does it once, in half the memory"
            )
        if kind.kind in "iu" and not model.takes_indices and np.abs(first.astype(float)).max() > 1:
            hint = (
                f"x holds {kind} from {first.min()} to {first.max()} and is not scaled; networks "
                "learn best from numbers of about -1 to 1, as x.astype('float32') / 255 makes of "
                "the pixels of an image"
            )
        if hint is not None:
            warnings.warn(f"{self._where}: {hint}", DataWarning, stacklevel=_callers_level())

    def epoch(self, number=0, first=0, taken=0, chunks=None):
        """The batches of an epoch, from batch ``first`` on; the order of rows is that of ``taken``.

        All epochs are alike but for the steps that the optimizer had taken before.  With
        ``chunks`` each batch is a ``Cut``, of which only those rows are read that are asked for.
        """
        order = None
        if self.shuffle:
            order = np.random.default_rng((self.seed, taken)).permutation(self.rows)
        for batch in range(first, self.batches):
            start = batch * self.batch_size
            chosen = slice(start, min(start + self.batch_size, self.rows))
            if order is not None:
                chosen = order[chosen]
            if chunks is None:
                yield self._batch(chosen, (self.seed, taken, batch))
                continue
            size = min(self.batch_size, self.rows - start)
            yield Cut(size, chunks, functools.partial(self._some, chosen, (taken, batch)))

    def _some(self, chosen, key, first, last):
        """Rows ``first`` to ``last`` of a batch, augmented by a key that the first is part of."""
        if isinstance(chosen, slice):
            chosen = range(self.rows)[chosen]
            return self._batch(slice(chosen[first], chosen[last - 1] + 1), (self.seed, *key, first))
        return self._batch(chosen[first:last], (self.seed, *key, first))

    def _batch(self, chosen, key):
        """Rows of the data, augmented with random numbers of this key."""
        x, y = self._rows("x", self.x, chosen), self._rows("y", self.y, chosen)
        if self.augment is not None:
            x = self.augment(x, np.random.default_rng(key))
            x = checking.real_array(self._where, "what augment returned", x)
            if self._model is not None and x.ndim:
                self._warn(x)
            if len(np.atleast_1d(x)) != len(y):
                got = f"augment returned shape {x.shape}"
                raise ValueError(f"{self._where}: {got}; wanted {len(y)} rows, as it was given")
        lengths, weights = (a if a is None else a[chosen] for a in (self.lengths, self.weights))
        return Batch(x, y, lengths, weights, chosen)

    def _rows(self, name, array, chosen):
        """Rows of an array: a view, or memory that the next batch writes again."""
        if isinstance(chosen, slice):
            # What augment writes into is not the data.
            return array[chosen] if self.augment is None else array[chosen].copy()
        if not (array.flags.c_contiguous and array.flags.aligned):
            return array[chosen]  # np.take would first copy all of it
        if name not in self._memory:
            shape = (min(self.batch_size, self.rows), *array.shape[1:])
            self._memory[name] = np.empty(shape, array.dtype)
        # With mode="clip" NumPy writes straight into out; with "raise" it copies twice.
        return np.take(array, chosen, 0, out=self._memory[name][: len(chosen)], mode="clip")


class Stream:
    """Batches that someone else makes."""

    rows = batches = augment = None
    passed_over = None  # the last batch of an epoch of which all had been trained on

    def fingerprint(self):
        """Nothing is known of batches before they are made."""
        return "batches"

    def __init__(self, where, source):
        if not callable(source) and not hasattr(source, "__iter__"):
            raise TypeError(
                f"{where}: without y, x must be an iterable of batches (x, y), or a function "
                f"of the epoch that returns one; got {source!r}"
            )
        self._where, self._source = where, source
        self.can_start_anew = callable(source) or not hasattr(source, "__next__")

    def epoch(self, number=0, first=0, taken=0, chunks=None):
        """The batches of an epoch, from batch ``first`` on; those before are passed over."""
        made = self._source(number) if callable(self._source) else self._source
        try:
            batches = iter(made)
        except TypeError:  # an array without axes has __iter__, and is no iterable
            came = f"x({number}) returned" if callable(self._source) else "x is"
            raise TypeError(f"{self._where}: {came} {made!r}; wanted batches (x, y)") from None
        count = 0
        for position, batch in enumerate(batches):
            count += 1
            if position >= first:
                batch = self._checked(batch, position)
                yield batch if chunks is None else Cut(batch.size, chunks, batch.some, batch)
        if count < first:
            had = f"x has {count} batches in epoch {number + 1}"
            raise ValueError(f"{self._where}: {had}; the run had {first} of it before the break")
        if 0 < count == first:
            self.passed_over = self._checked(batch, position)

    def _checked(self, batch, position):
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            got = f"a tuple of {len(batch)}" if isinstance(batch, tuple) else type(batch).__name__
            wanted = "(x, y) or (x, y, lengths)"
            raise TypeError(f"{self._where}: batch {position} is {got}; wanted {wanted}")
        x, y, lengths = as_arrays(self._where, f" of batch {position}", *(*batch, None)[:3])
        if x.ndim < 2 or y.ndim == 0 or len(x) != len(y) or 0 in (*x.shape, *y.shape):
            got = f"batch {position} has x of shape {x.shape} and y of {y.shape}"
            wanted = "(batch, time, ...) and (batch, ...), of equally many rows"
            raise ValueError(f"{self._where}: {got}; wanted {wanted}")
        return Batch(x, y, checking.row_lengths(self._where, lengths, len(x), x.shape[1]))


def as_arrays(where, of, x, y, lengths):
    """x and y as arrays, and lengths: of lists of sequences of different length their own."""
    x, lengths = padding.as_array(where, f"x{of}", x, lengths)
    y, steps = padding.as_array(where, f"y{of}", y, None)
    x, y = checking.real_array(where, f"x{of}", x), checking.labels(where, f"y{of}", y)
    if steps is not None and x.ndim > 1:
        wanted = np.full(len(x), x.shape[1])
        wanted = wanted if lengths is None else checking.any_array(where, "lengths", lengths)
        if wanted.shape != steps.shape:
            raise ValueError(f"{where}: y{of} has {len(steps)} rows; wanted {len(x)}, as x{of} has")
        if (wanted != steps).any():
            row = (wanted != steps).argmax()
            problem = f"y{of}[{row}] has {steps[row]} steps and x{of}[{row}] has {wanted[row]}"
            raise ValueError(f"{where}: {problem}; wanted a label for each step, or one for all")
    return x, y, lengths


def _callers_level():
    """How far up the first caller is that is not of this package, as ``warnings`` counts."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


def source_of(where, model, x, y, lengths, batch_size, **order):
    """``Arrays`` if there is a y, else a ``Stream``."""
    if y is not None:
        return Arrays(where, model, x, y, lengths, batch_size, **order)
    if lengths is not None:
        hint = "batches bring their own, (x, y, lengths)"
        raise ValueError(f"{where}: lengths belongs to arrays x and y; {hint}")
    if isinstance(x, np.ndarray):
        raise TypeError(f"{where}: x is an array and y is missing")
    for name, hint in (
        ("augment", "let the batches come augmented"),
        ("weights", "give a loss that weighs"),
    ):
        if order.get(name) is not None:
            name = "sample_weight" if name == "weights" else name
            raise ValueError(f"{where}: {name} belongs to arrays x and y; {hint}")
    return Stream(where, x)
