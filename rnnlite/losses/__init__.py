"""Loss functions: each returns the loss and its gradient by the model's output."""

from rnnlite.losses.cross_entropy import softmax_cross_entropy
from rnnlite.losses.elementwise import binary_cross_entropy, mean_squared_error

__all__ = ["binary_cross_entropy", "mean_squared_error", "softmax_cross_entropy"]
