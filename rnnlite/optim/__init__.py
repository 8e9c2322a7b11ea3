"""Optimizers: they turn gradients into better parameters, in place."""

from rnnlite.optim.adam import Adam
from rnnlite.optim.optimizer import Optimizer
from rnnlite.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
