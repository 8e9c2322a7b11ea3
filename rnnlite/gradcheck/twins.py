"""What the catalogue's functions would have answered in a run, right or with mistakes in them."""

import functools
from typing import NamedTuple

import numpy as np

from rnnlite.gradcheck import layouts
from rnnlite.layers import Dense, Embedding, Recurrent
from rnnlite.mistakes import of
from rnnlite.mistakes.fitting import same
from rnnlite.mistakes.subjects.parts import reverse
from rnnlite.mistakes.switched import switched
from rnnlite.reference import activation_backward, activation_forward


class Feed(NamedTuple):
    """Gradients that reach a twin, and whether those of the last output come as the state's."""

    dy: np.ndarray
    dfinal: tuple = ()
    by_state: bool = False


class RecurrentTwin:
    """A cell of the catalogue with a run's parameters, laid out in one way."""

    def __init__(self, run, file, places, as_named, relu=False):
        self.as_named, self.kind = as_named, (file, relu)
        self.run, self.file, self.places = run, file, places
        self.names = layouts.FAMILIES[file][2]
        self.backwards = getattr(run.layer, "go_backwards", False)
        B, T = run.x.shape[:2]
        self.lengths = np.full(B, T) if run.lengths is None else run.lengths
        self.every_step = run.y.ndim == 3
        zeros = np.zeros((B, run.y.shape[-1]))
        n = layouts.FAMILIES[file][1]
        self.states, self.dfinal = run.states or (zeros,) * n, run.dfinal or (zeros,) * n
        step = {"rnn": "relu_step" if relu else "rnn_step"}.get(file, f"{file}_step")
        self.forward_mistakes = of(f"{file}_forward", step)
        self.backward_mistakes = of(f"{file}_backward", f"{step}_backward")
        self.options = {"relu": relu} if file == "rnn" else {}
        self.forwards = {}  # by mistakes

    @functools.cached_property
    def x(self):
        """The input in the order in which it is read."""
        return self._turned(self.run.x)

    @functools.cached_property
    def numbers(self):
        """All numbers of the parameters."""
        return np.concatenate([array.ravel() for array in self.run.params.values()])

    @functools.cached_property
    def weights(self):
        """The parameters as the catalogue's functions take them."""
        return [self._weight(name) for name in self.names]

    def _turned(self, array):
        return reverse(array, self.lengths) if self.backwards else array

    def _weight(self, name):
        places = self.places.get(name)
        if places is None:  # what they do not have is zero
            return np.zeros(self.places["Wx"].shape[1])
        return self.numbers[places]

    def _forward(self, mistakes):
        """Output of every step, and what backward needs."""
        if mistakes not in self.forwards:
            forward = switched(self.file, mistakes)[f"{self.file}_forward"]
            given = self.x, *self.states, *self.weights, self.lengths
            self.forwards[mistakes] = forward(*given, **self.options)
        return self.forwards[mistakes]

    def answers(self, mistakes, rounding):
        """Whether the run's output, and its final states if they are known, are these."""
        y, *states = self._forward(mistakes)
        final = [state[:, -1] for state in states[: len(self.states)]]
        last = np.where(self.lengths[:, None] > 0, final[0], 0)
        y = self._turned(y) if self.every_step else last
        wanted = [self.run.y, *self.run.final]
        return same(wanted, [y, *final][: len(wanted)], rounding)

    def feeds(self):
        """How dy may reach the loop: with the outputs; the last one's, as the final state's too."""
        if self.every_step:
            return [Feed(self._turned(self.run.dy), self.dfinal, False)]
        rows = np.flatnonzero(self.lengths)
        dy = np.zeros((*self.run.x.shape[:2], self.run.y.shape[-1]))
        dlast = np.zeros_like(self.run.dy)
        dlast[rows] = self.run.dy[rows]
        by_state = Feed(np.zeros_like(dy), (self.dfinal[0] + dlast, *self.dfinal[1:]), True)
        dy[rows, self.lengths[rows] - 1] = self.run.dy[rows]
        return [Feed(dy, self.dfinal, False), by_state]

    def _backward(self, mistakes, dy, dfinal, x, saved, lengths):
        matrices = [w for w, n in zip(self.weights, self.names, strict=True) if n[0] != "b"]
        backward = switched(self.file, mistakes)[f"{self.file}_backward"]
        return backward(dy, *dfinal, x, *saved, *matrices, lengths, **self.options)

    def gradients(self, forward, mistakes, feed):
        """Gradients by the run's names, None if the feed has no room for the mistakes."""
        if feed.by_state and any("dy[:, t]" in m.right and "dh +" not in m.wrong for m in mistakes):
            return None
        saved = self._forward(forward)[1:]
        back = self._backward(mistakes, feed.dy, feed.dfinal, self.x, saved, self.lengths)
        dx, *d = back
        flat = np.zeros(self.numbers.shape)
        for name, gradient in zip(self.names, d[: len(self.names)], strict=True):
            if self.places.get(name) is not None:
                flat[self.places[name]] = gradient
        found, start = {"x": self._turned(dx)}, 0
        for name, array in self.run.params.items():
            found[name] = flat[start : start + array.size].reshape(array.shape)
            start += array.size
        return found | dict(zip(("h0", "c0"), d[len(self.names) :], strict=False))

    def tail(self, forward, mistakes, feed):
        """dx of the last step, which costs little; None where it takes the whole sequence."""
        mistakes = [m for m in mistakes if m.name != "bptt-first-step-skipped"]
        if self.backwards or any(m.name == "bptt-forwards-in-time" for m in mistakes):
            return None
        saved = [  # of the last step: states (B, 2, H), gates of one step
            array[-1:] if isinstance(array, list) else array[:, -2:]
            for array in self._forward(forward)[1:]
        ]
        valid = (self.lengths == self.x.shape[1]).astype(int)
        x, dy = self.x[:, -1:], feed.dy[:, -1:]
        return self._backward(mistakes, dy, feed.dfinal, x, saved, valid)[0]


class DenseTwin:
    """The catalogue's dense layer with a run's parameters W and b, and its valid rows."""

    as_named, kind = True, "dense"
    forward_mistakes, backward_mistakes = of("dense_forward"), of("dense_backward")

    def __init__(self, run, W, b):
        self.run, self.names = run, (W, b)
        self.W, self.b = run.params[W], run.params[b]
        self.activation = getattr(run.layer, "activation", None)
        rows = run.x.shape[:-1]
        valid = np.ones(rows, bool)
        if run.lengths is not None:
            valid = np.arange(rows[1]) < run.lengths[:, None]
        self.valid = valid

    def _z(self, mistakes=()):
        return switched("parts", mistakes)["dense_forward"](self.run.x[self.valid], self.W, self.b)

    def answers(self, mistakes, rounding):
        """Whether the run's output is this."""
        y = np.zeros(self.run.y.shape)
        z = self._z(mistakes)
        y[self.valid] = activation_forward(z, self.activation) if self.activation else z
        return same(self.run.y, y, rounding)

    def feeds(self):
        """dz of the valid rows."""
        dz = self.run.dy[self.valid]
        if self.activation:
            dz = activation_backward(dz, self._z(), self.activation)
        return [Feed(dz)]

    def gradients(self, forward, mistakes, feed):
        """Gradients by the run's names."""
        backward = switched("parts", mistakes)["dense_backward"]
        rows, dW, db = backward(feed.dy, self.run.x[self.valid], self.W)
        dx = np.zeros(self.run.x.shape)
        dx[self.valid] = rows
        return {"x": dx, self.names[0]: dW, self.names[1]: db.reshape(self.b.shape)}

    def tail(self, forward, mistakes, feed):
        """None: there is no shorter way than to try."""


class EmbeddingTwin:
    """The catalogue's table with a run's parameter W, and the run's valid indices."""

    as_named, kind = True, "embedding"
    forward_mistakes, backward_mistakes = of("embedding_forward"), of("embedding_backward")

    def __init__(self, run, W):
        self.run, self.name, self.W = run, W, run.params[W]
        self.valid = np.ones(run.x.shape, bool)
        if run.lengths is not None:
            self.valid = np.arange(run.x.shape[1]) < run.lengths[:, None]

    def answers(self, mistakes, rounding):
        """Whether the run's output is this."""
        y = np.zeros(self.run.y.shape)
        forward = switched("parts", mistakes)["embedding_forward"]
        y[self.valid] = forward(self.run.x[self.valid], self.W)
        return same(self.run.y, y, rounding)

    def feeds(self):
        """dy of the valid indices."""
        return [Feed(self.run.dy[self.valid])]

    def gradients(self, forward, mistakes, feed):
        """Gradients by the run's names."""
        backward = switched("parts", mistakes)["embedding_backward"]
        return {self.name: backward(feed.dy, self.run.x[self.valid], self.W)}

    tail = DenseTwin.tail


def candidates(run):
    """Twins of a run that its shapes allow."""
    names, x, y = list(run.params), run.x, run.y
    if isinstance(run.layer, Recurrent):
        found = layouts.of_cell(run.layer.cell, run.params)
    elif isinstance(run.layer, Dense):
        yield DenseTwin(run, "W", "b")
        return
    elif isinstance(run.layer, Embedding):
        yield EmbeddingTwin(run, "W")
        return
    elif x.dtype.kind in "iu":
        if len(names) == 1 and y.shape == (*x.shape, run.params[names[0]].shape[-1]):
            yield EmbeddingTwin(run, names[0])
        return
    elif x.ndim == 2:
        for W, b in (names, names[::-1]) if len(names) == 2 else []:
            shapes = run.params[W].shape, run.params[b].shape
            if y.ndim == 2 and shapes == ((x.shape[1], y.shape[1]), (y.shape[1],)):
                yield DenseTwin(run, W, b)
        return
    elif x.ndim == 3 and (y.shape[:-1] in (x.shape[:1], x.shape[:2])):
        found = layouts.of_shapes(run.params, x.shape[2], y.shape[-1])
    else:
        return
    for file, places, as_named in found:
        for relu in (False, True) if file == "rnn" else (False,):
            yield RecurrentTwin(run, file, places, as_named, relu)


def matching(run, rounding):
    """Pairs of a twin and the forward mistakes, one or none, with which it answers as the run.

    Several of different kinds if the numbers do not tell them apart, as tanh and ReLU of zeros.
    A gate is taken for what it is called if that fits.
    """
    twins = list(candidates(run))
    as_named = [twin for twin in twins if twin.as_named]
    for group in (as_named, twins):
        right = _first_of_each_kind(group, lambda twin: [()], rounding)
        if right:
            return right
    return _first_of_each_kind(
        as_named or twins, lambda twin: [(m,) for m in twin.forward_mistakes], rounding
    )


def _first_of_each_kind(twins, tried, rounding):
    found = {}
    for twin in twins:
        for mistakes in tried(twin):
            if (twin.kind, mistakes) not in found and twin.answers(mistakes, rounding):
                found[twin.kind, mistakes] = twin, mistakes
    return list(found.values())
