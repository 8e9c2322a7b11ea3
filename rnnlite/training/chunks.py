"""The gradient of a batch in chunks: each by itself, added along a tree that never changes.

Hence the same bits in any number of processes, which share the chunks.  Each adds up the parts of
the tree that are its own.  The rest of the tree is shared by the entries of the gradient: each of p
processes gets a p-th of the entries of all these sums, adds them, and gives the others the result.

    chunks 0 1      2 3      4 5      6 7         four processes, each with the sum of two chunks
          abcd     abcd     abcd     abcd         of all entries, in four slices
          aaaa     bbbb     cccc     dddd         slices of all: each adds its four along the tree
          ABCD     ABCD     ABCD     ABCD         the sums of all slices

So a process receives 2 (p - 1) / p times the gradient, and would p - 1 times if it were given the
sums of all others.  A mean over the batch is a sum divided by a sum of weights: both are added up,
since a mean of the chunks' means would be another number where one chunk weighs more than another.
"""

import contextlib
import math

import numpy as np

from rnnlite.engine.memory import aligned_zeros
from rnnlite.layers.random_layer import RandomLayer
from rnnlite.training.cut import own_chunks, subtrees
from rnnlite.training.objective import Outcome

LINE = 64  # bytes; where the gradient begins in a row
FIGURES = ("loss", "weight", "right", "answers", "silent")  # in this order, float64


class _Sum:
    """The sum over some chunks, in one row of bytes: the figures, and the gradient.

    Or in a slice of such a row, ``begin`` bytes of which are the figures: all or none of them.
    """

    def __init__(self, row, dtype, size, begin=LINE):
        self.row = row
        self.figures = row[:begin].view(np.float64)[: len(FIGURES)]
        self.gradient = row[begin:].view(dtype)[:size]

    def add(self, other):
        """Add the sum over the chunks that follow."""
        self.figures += other.figures
        self.gradient += other.gradient


class ChunkedGradient:
    """Computes the gradient of whole batches, with all processes of a team."""

    def __init__(self, model, chunks, team):
        self._model, self._chunks, self._team = model, chunks, team
        self._size = model.flat_params.size
        even = LINE * team.processes  # slices are of whole lines, all as long
        self._bytes = -(-(LINE + self._size * model.dtype.itemsize) // even) * even
        whole = (0, chunks)
        self._own, self._all = [], []  # parts of the tree
        for process in range(team.processes):
            parts = subtrees(*own_chunks(process, team.processes, chunks), whole)
            self._all += parts
            if process == team.process:
                self._own = parts
        self._rows = self._new_rows(len(self._own))
        self._spare = self._sums(self._new_rows(chunks.bit_length() + 1))

    def _new_rows(self, n):
        return aligned_zeros(n * self._bytes, np.uint8).reshape(n, self._bytes)

    def _sums(self, rows, begin=LINE):
        return [_Sum(row, self._model.dtype, self._size, begin) for row in rows]

    def own_part(self, cut, objective, step):
        """Add up what this process has of a batch; ``step`` is what masks are drawn by."""
        with _masks_by(self._model, step) as masks:
            for (first, last), into in zip(self._own, self._sums(self._rows), strict=True):
                self._add_up(first, last, into, 0, cut, objective, masks)

    def _add_up(self, first, last, into, depth, *run):
        if last - first == 1:
            self._chunk(first, into, *run)
            return
        middle, other = (first + last) // 2, self._spare[depth]
        self._add_up(first, middle, into, depth + 1, *run)
        self._add_up(middle, last, other, depth + 1, *run)
        into.add(other)

    def _chunk(self, chunk, into, cut, objective, masks):
        """Loss and gradient of a chunk, as sums and not as means."""
        into.figures[...], into.gradient[...] = 0.0, 0.0
        batch, model = cut.part(chunk), self._model
        if batch is None:
            return
        for generator in masks:
            generator.begin(cut.first(chunk))
        output = model.forward(batch.x, lengths=batch.lengths, training=True)
        could_count = objective.counts_right_answers
        outcome = objective(output, batch.y, batch.lengths, batch.weights)
        silent = could_count and not objective.counts_right_answers
        if outcome.weight == 0.0:
            into.figures[-1] = silent
            return
        into.figures[...] = (
            outcome.loss * outcome.weight, outcome.weight, outcome.right, outcome.answers, silent
        )  # fmt: skip
        if math.isfinite(outcome.loss):  # else there is no step
            doutput = np.multiply(outcome.doutput, outcome.weight, dtype=model.dtype)
            model.backward(doutput, need_dx=False)
            into.gradient[...] = model.flat_grads

    def together(self, objective):
        """The gradient of the whole batch, in the model, and the batch's ``Outcome``."""
        slices = self._team.slices("the gradients of a step", self._rows)
        sums = self._sums(slices, LINE if self._team.is_first else 0)
        own = _end((0, self._chunks), dict(zip(self._all, sums, strict=True)))
        whole = self._team.gather("the sum of the gradients", own.row[np.newaxis])
        (total,) = self._sums(whole.reshape(1, -1))
        loss, weight, right, answers, silent = map(float, total.figures)
        divisor = weight or 1.0
        np.divide(total.gradient, self._model.dtype.type(divisor), out=self._model.flat_grads)
        if silent:
            objective.counts_right_answers = False
        if not objective.counts_right_answers:
            right = answers = 0.0
        return Outcome(loss / divisor, None, weight, right, answers)


def _end(part, sums):
    """The sum of a part of the tree, of which the sums of smaller parts are known."""
    if part in sums:
        return sums[part]
    first, last = part
    middle = (first + last) // 2
    left, right = _end((first, middle), sums), _end((middle, last), sums)
    left.add(right)
    return left


@contextlib.contextmanager
def _masks_by(model, step):
    """A block in which the random layers draw by (their seed, the step, the row of the batch)."""
    layers = [layer for _, layer in model.walk() if isinstance(layer, RandomLayer)]
    try:
        yield [layer.draw_by_rows(step) for layer in layers]
    finally:
        for layer in layers:
            layer.draw_on()
