"""What the tests of the gradient check share: sizes, an input, and a network of a person's own."""

import functools

import numpy as np

from rnnlite import gradcheck

B, T, I, H = 2, 4, 2, 3


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


X = normal(B, T, I)


# What the mistakes are called is asked in test_gradcheck_named.py; without it a check is quick.
check = functools.partial(gradcheck.check, name_mistakes=False)


def multiply(name, factor):
    """Spoil for one array: gradient times ``factor``."""

    def spoil(layer, dx):
        if name == "x":
            return factor * dx
        layer.grads[name][...] *= factor
        return dx

    return spoil


def wrong_arrays(report):
    """Names of the arrays whose gradient the check refuses."""
    return {a.name for a in report.arrays if not a.relative_error <= report.tolerance}


def snapshot(layer):
    return {name: array.tobytes() for name, array in (layer.params | layer.grads).items()}


class HandWritten:
    """A vanilla RNN as somebody might write it, last hidden state only."""

    def __init__(self, input_size, hidden_size, seed=0):
        rng = np.random.default_rng(seed)
        shapes = {
            "U": (input_size, hidden_size), "V": (hidden_size, hidden_size), "a": (hidden_size,)
        }  # fmt: skip
        self.params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, x):
        p = self.params
        self.x, self.h = x, [np.zeros((len(x), len(p["a"])))]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ p["U"] + self.h[t] @ p["V"] + p["a"]))
        return self.h[-1]

    def backward(self, dy):
        p, g, dx = self.params, self.grads, np.zeros(self.x.shape)
        for grad in g.values():
            grad[...] = 0.0
        dh = dy
        for t in reversed(range(self.x.shape[1])):
            dz = dh * (1.0 - self.h[t + 1] ** 2)
            g["U"] += self.x[:, t].T @ dz
            g["V"] += self.h[t].T @ dz
            g["a"] += dz.sum(axis=0)
            dx[:, t] = dz @ p["U"].T
            dh = dz @ p["V"].T
        return dx


def spoilt(base, spoil, of_state=None):
    """A layer class whose backward is ``spoil``-ed: ``spoil(layer, dx) -> dx``."""

    class Spoilt(base):
        def backward(self, dy, *rest, **options):
            return spoil(self, super().backward(dy, *rest, **options))

        if of_state is not None:

            @property
            def dinitial_state(self):
                return of_state(super().dinitial_state)

    return Spoilt
