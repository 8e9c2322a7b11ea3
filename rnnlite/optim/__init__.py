"""Optimizers: they turn gradients into better parameters, in place."""

from rnnlite.optim import schedules
from rnnlite.optim.adam import Adam
from rnnlite.optim.clipping import clip_gradients, gradient_norm
from rnnlite.optim.optimizer import Optimizer
from rnnlite.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer", "clip_gradients", "gradient_norm", "schedules"]
