"""rnnlite: recurrent networks from scratch on NumPy and Numba.

    functional, reference   the networks as plain functions, fast and plain NumPy
    LSTM, RNN, GRU, Dense, Sequential, Adam    the same as objects
    custom_cell, Recurrent, Layer    a cell, a layer of your own
    gradcheck               is this gradient right?
    fit, evaluate, predict  training, and what comes of it
    save, load              models in files
    trace, inside           every gate and every gradient at every step, in numbers and pictures
    explain                 the same as a page to open, in which the network runs
    interop                 doors to PyTorch, Keras, safetensors
    distributed             training in several processes, on one machine or many
    datasets                MNIST, sequence tasks, text, time series

Every function checks its arguments: a ValueError or TypeError names the function, the argument,
what came and what was wanted.
``python examples/mnist_lstm.py`` in the repository shows all of it at work.
"""

from rnnlite import (
    cells,
    datasets,
    distributed,
    functional,
    gradcheck,
    initializers,
    inside,
    interop,
    layers,
    reference,
    saving,
)
from rnnlite.custom import custom_cell
from rnnlite.engine.processors import multiplies_bfloat16
from rnnlite.engine.threads import get_num_threads, set_num_threads
from rnnlite.inside import explain, trace
from rnnlite.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Group,
    Layer,
    LayerNorm,
    Recurrent,
    Sequential,
)
from rnnlite.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy
from rnnlite.optim import SGD, Adam, clip_gradients, gradient_norm, schedules
from rnnlite.padding import pad
from rnnlite.saving import load, save
from rnnlite.training import (
    Callback,
    ConfusionMatrix,
    DataWarning,
    EarlyStopping,
    History,
    Metrics,
    TrainingDiverged,
    accuracy_interval,
    confusion_matrix,
    evaluate,
    fit,
    predict,
    predict_proba,
    predict_values,
)

__version__ = "0.1.0"

__all__ = [
    "GRU", "LSTM", "RNN", "SGD", "Activation", "Adam", "Bidirectional", "Callback",
    "ConfusionMatrix", "DataWarning", "Dense", "Dropout", "EarlyStopping", "Embedding", "Flatten",
    "Group", "History", "Layer", "LayerNorm", "Metrics", "Recurrent", "Sequential",
    "TrainingDiverged", "accuracy_interval", "binary_cross_entropy", "cells", "clip_gradients",
    "confusion_matrix", "custom_cell", "datasets", "distributed", "evaluate", "explain", "fit",
    "functional", "get_num_threads", "gradcheck", "gradient_norm", "initializers", "inside",
    "interop", "layers", "load", "mean_squared_error", "multiplies_bfloat16", "pad", "predict",
    "predict_proba", "predict_values", "reference", "save", "saving", "schedules",
    "set_num_threads", "softmax_cross_entropy", "trace",
]  # fmt: skip


def __dir__():
    """What users may use, and none of the rooms behind it."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
