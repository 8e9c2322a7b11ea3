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

From machine to machine that takes its time, and the last layer's gradient is known first.  So a
large gradient goes in pieces: while a process still computes its last chunk, back through the
earlier layers, a thread hands over what is known.

    backward     layer 2 | layer 1   | layer 0   | the rest of the step waits for all
    messages             | layer 2 |   | layer 1 | layer 0 |

Each entry's numbers are added in the same order, however it is cut: the bits stay.
"""

import contextlib
import itertools
import math

import numpy as np

from rnnlite.engine.memory import aligned_zeros
from rnnlite.layers.random_layer import RandomLayer
from rnnlite.training.cut import own_chunks, subtrees
from rnnlite.training.objective import Outcome

LINE = 64  # bytes; where the gradient begins in a row
LEAST = 64 * 1024  # bytes of a piece from each process to each: its latency is a small part then
FIGURES = ("loss", "weight", "right", "answers", "silent")  # in this order, float64


class _Sum:
    """The sum over some chunks, in one row of bytes: the figures, and the gradient.

    Or in a slice of such a row, ``begin`` bytes of which are the figures: all or none of them.
    """

    def __init__(self, row, dtype, size, begin=LINE):
        self.row = row
        self.figures = row[:begin].view(np.float64)[: len(FIGURES)]
        self.gradient = row[begin:].view(dtype)[:size]


class _Leaf:
    """A chunk in the tree: where its sum goes, and the sums to add up after it, (left, right)."""

    def __init__(self, chunk, into):
        self.chunk, self.into, self.after = chunk, into, []
        self._known = None  # entries of the gradient from here on have been taken

    def begin(self, figures):
        """Take the chunk's figures; its gradient follows."""
        self.into.figures[...], self._known = figures, self.into.gradient.size
        for left, right in self.after:
            left.figures += right.figures

    def take(self, gradient, first):
        """Take the gradient from entry ``first`` on, as far as it has not been taken."""
        new, self._known = slice(first, self._known), first
        self.into.gradient[new] = gradient[new]
        for left, right in self.after:
            left.gradient[new] += right.gradient[new]


class ChunkedGradient:
    """Computes the gradient of whole batches, with all processes of a team."""

    def __init__(self, model, chunks, team):
        self._model, self._chunks, self._team = model, chunks, team
        self._size = model.flat_params.size
        even = LINE * team.processes  # slices are of whole lines, all as long
        self._bytes = -(-(LINE + self._size * model.dtype.itemsize) // even) * even
        self._pieces = self._cut_in_pieces(even)
        self._handed_over, self._compiled = [], False
        whole = (0, chunks)
        own, self._all = [], []  # parts of the tree
        for process in range(team.processes):
            parts = subtrees(*own_chunks(process, team.processes, chunks), whole)
            self._all += parts
            if process == team.process:
                own = parts
        self._rows = self._new_rows(len(own))
        spare = self._sums(self._new_rows(chunks.bit_length() + 1))
        sums = self._sums(self._rows)
        self._leaves = [
            leaf
            for part, into in zip(own, sums, strict=True)
            for leaf in _leaves(*part, into, spare)
        ]

    def _cut_in_pieces(self, even):
        """Bytes (first, last) of a row that are handed over at once, those known first before."""
        cuts, team, model = [self._bytes], self._team, self._model
        if team.sends_early:
            for start in reversed(model._starts):
                cut = -(-self._byte(start) // even) * even
                if min(cut, cuts[-1] - cut) >= LEAST * team.processes:
                    cuts.append(cut)
        return [(first, last) for last, first in itertools.pairwise([*cuts, 0])]

    def _byte(self, entry):
        return LINE + entry * self._model.dtype.itemsize

    def _new_rows(self, n):
        return aligned_zeros(n * self._bytes, np.uint8).reshape(n, self._bytes)

    def _sums(self, rows, begin=LINE):
        return [_Sum(row, self._model.dtype, self._size, begin) for row in rows]

    def own_part(self, cut, objective, step):
        """Add up what this process has of a batch; ``step`` is what masks are drawn by."""
        with _masks_by(self._model, step) as masks:
            for leaf in self._leaves:
                self._chunk(leaf, cut, objective, masks)

    def _chunk(self, leaf, cut, objective, masks):
        """Loss and gradient of a chunk, as sums and not as means."""
        model = self._model
        figures, doutput = self._forward(leaf.chunk, cut, objective, masks)
        leaf.begin(figures)
        if doutput is None:
            model.flat_grads[...] = 0.0
        elif leaf is self._leaves[-1] and len(self._pieces) > 1 and self._compiled:
            with model._telling(self._hand_over_from):
                model.backward(doutput, need_dx=False)
        else:
            model.backward(doutput, need_dx=False)
        leaf.take(model.flat_grads, 0)

    def _forward(self, chunk, cut, objective, masks):
        """The figures of a chunk, and the gradient by its output; None where there is no step."""
        batch, model, figures = cut.part(chunk), self._model, np.zeros(len(FIGURES))
        if batch is None:
            return figures, None
        for generator in masks:
            generator.begin(cut.first(chunk))
        output = model.forward(batch.x, lengths=batch.lengths, training=True)
        could_count = objective.counts_right_answers
        outcome = objective(output, batch.y, batch.lengths, batch.weights)
        figures[-1] = could_count and not objective.counts_right_answers
        if outcome.weight == 0.0:
            return figures, None
        figures[:-1] = (
            outcome.loss * outcome.weight, outcome.weight, outcome.right, outcome.answers
        )  # fmt: skip
        if not math.isfinite(outcome.loss):
            return figures, None
        return figures, np.multiply(outcome.doutput, outcome.weight, dtype=model.dtype)

    def _hand_over_from(self, entry):
        """The last chunk's gradient is known from here on: a thread may have its pieces."""
        self._leaves[-1].take(self._model.flat_grads, entry)
        for first, last in self._pieces[len(self._handed_over) : -1]:
            if first < self._byte(entry):
                return
            self._handed_over.append(self._team.soon(self._hand_over, first, last))

    def _hand_over(self, first, last):
        """Bytes of the sum over all chunks, to which all processes give theirs."""
        team = self._team
        slices = team.slices("the gradients of a step", self._rows[:, first:last])
        sums = self._sums(slices, LINE if team.is_first and first == 0 else 0)
        own = _end((0, self._chunks), dict(zip(self._all, sums, strict=True)))
        return team.gather("the sum of the gradients", own.row[np.newaxis], first).reshape(-1)

    def together(self, objective):
        """The gradient of the whole batch, in the model, and the batch's ``Outcome``."""
        early, self._handed_over, self._compiled = self._handed_over, [], True
        pieces = self._team.results(early) if early else []
        pieces += [self._hand_over(*piece) for piece in self._pieces[len(early) :]]
        total = _Sum(pieces[-1], self._model.dtype, self._size)
        loss, weight, right, answers, silent = map(float, total.figures)
        divisor, rest = weight or 1.0, self._model.flat_grads
        for piece in reversed(pieces):  # in the order of memory, the first with the figures
            gradient = total.gradient if piece is pieces[-1] else piece.view(rest.dtype)
            part, rest = rest[: gradient.size], rest[gradient.size :]
            np.divide(gradient[: part.size], rest.dtype.type(divisor), out=part)
        if silent:
            objective.counts_right_answers = False
        if not objective.counts_right_answers:
            right = answers = 0.0
        return Outcome(loss / divisor, None, weight, right, answers)


def _leaves(first, last, into, spare):
    """The chunks of a part of the tree, whose sum goes ``into``; ``spare`` are sums in between."""
    if last - first == 1:
        return [_Leaf(first, into)]
    middle, (other, *spare) = (first + last) // 2, spare
    leaves = _leaves(first, middle, into, spare) + _leaves(middle, last, other, spare)
    leaves[-1].after.append((into, other))
    return leaves


def _end(part, sums):
    """The sum of a part of the tree, of which the sums of smaller parts are known."""
    if part in sums:
        return sums[part]
    first, last = part
    middle = (first + last) // 2
    left, right = _end((first, middle), sums), _end((middle, last), sums)
    left.figures += right.figures
    left.gradient += right.gradient
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
