"""What the tests of optimizers share: models, every kind of optimizer, gradients."""

import numpy as np
import pytest

from rnnlite.layers import GRU, Dense, Sequential
from rnnlite.optim import SGD, Adam

STEPS = 20


class Plain:
    """A model of one's own: two dicts."""

    def __init__(self, **shapes):
        self.params = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}


def flat_model():
    """Biases between weights, and unused numbers between the layers."""
    return Sequential([GRU(3, 2, dtype="float64"), Dense(2, 5, dtype="float64")])


def plain_model():
    return Plain(W=(3, 4), b=(4,), emb=(7,))


every_model = pytest.mark.parametrize("make", [flat_model, plain_model])

# name: (class, its arguments, PyTorch's class, its arguments)
OPTIMIZERS = {
    "adam": (Adam, {"lr": 0.01}, "Adam", {"lr": 0.01}),
    "adam-other-betas": (
        Adam,
        {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3},
        "Adam",
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3},
    ),
    "adamw": (Adam, {"lr": 0.01, "weight_decay": 0.3}, "AdamW", {"lr": 0.01, "weight_decay": 0.3}),
    "adamw-weights-alone": (
        Adam,
        {"lr": 0.01, "weight_decay": 0.3, "decay_bias": False},
        "AdamW",
        {"lr": 0.01, "weight_decay": 0.3},
    ),
    "amsgrad": (
        Adam,
        {"lr": 0.01, "beta2": 0.6, "amsgrad": True},
        "Adam",
        {"lr": 0.01, "betas": (0.9, 0.6), "amsgrad": True},
    ),
    "amsgrad-decay": (
        Adam,
        {"lr": 0.01, "beta2": 0.6, "amsgrad": True, "weight_decay": 0.2},
        "AdamW",
        {"lr": 0.01, "betas": (0.9, 0.6), "amsgrad": True, "weight_decay": 0.2},
    ),
    "sgd": (SGD, {"lr": 0.1}, "SGD", {"lr": 0.1}),
    "sgd-decay": (SGD, {"lr": 0.1, "weight_decay": 0.2}, "SGD", {"lr": 0.1, "weight_decay": 0.2}),
    "momentum": (SGD, {"lr": 0.1, "momentum": 0.9}, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (
        SGD,
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
    ),
    "nesterov-decay": (
        SGD,
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    ),
}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def gradients_of(steps=STEPS):
    """A gradient for each step: it depends on the parameters, and grows and shrinks."""

    def gradient_at(step):
        def gradient(name, p):
            rng = np.random.default_rng([step, len(name), p.size])
            return (p + rng.normal(size=p.shape)) * (3.0 if step % 7 == 2 else 0.3)

        return gradient

    return [gradient_at(step) for step in range(steps)]


def start(model, seed=0):
    """Fill the parameters; in the flat model, leave the unused numbers at zero."""
    rng = np.random.default_rng(seed)
    for p in model.params.values():
        p[...] = rng.normal(size=p.shape)


def run(optimizer, model, gradients):
    """Parameters by name after each step."""
    trail = {name: [] for name in model.params}
    for gradient in gradients:
        for name, p in model.params.items():
            model.grads[name][...] = gradient(name, p)
        optimizer.step()
        for name, p in model.params.items():
            trail[name].append(p.copy())
    return trail
