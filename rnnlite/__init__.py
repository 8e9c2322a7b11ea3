"""rnnlite: recurrent networks from scratch on NumPy and Numba.

    functional, reference   the networks as plain functions, fast and plain NumPy
    LSTM, RNN, GRU, Dense, Sequential, Adam    the same as objects
    gradcheck               is this gradient right?
    save, load              models in files
    datasets                MNIST

``python examples/mnist_lstm.py`` in the repository shows all of it at work.
"""

from rnnlite import datasets, functional, gradcheck, initializers, reference, saving, schedules
from rnnlite.clipping import clip_gradients
from rnnlite.custom import custom_cell
from rnnlite.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Recurrent,
    Sequential,
)
from rnnlite.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from rnnlite.optim import SGD, Adam
from rnnlite.saving import load, save
from rnnlite.threads import get_num_threads, set_num_threads

__version__ = "0.1.0"

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Embedding",
    "Recurrent",
    "Sequential",
    "binary_cross_entropy",
    "clip_gradients",
    "custom_cell",
    "datasets",
    "functional",
    "get_num_threads",
    "gradcheck",
    "initializers",
    "load",
    "mean_squared_error",
    "reference",
    "save",
    "saving",
    "schedules",
    "set_num_threads",
    "softmax_cross_entropy",
]
