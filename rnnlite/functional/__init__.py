"""The recurrent networks as plain functions: arrays in, arrays out, nothing hidden.

Each ``..._forward`` returns the hidden states, the final state and a cache; the matching
``..._backward`` takes the cache and returns every gradient.  ``rnnlite.reference`` has the same
functions in plain NumPy, to read.  To see every gate and every gradient inside a layer, with all of
its options: ``rnnlite.trace``.

Arrays are batch-first: B rows, T time steps, I input features, H hidden units.  Results are
float64 if any argument is, else float32.
"""

from rnnlite.functional.cache import RecurrentCache
from rnnlite.functional.gru import GRUGradients, gru_backward, gru_forward
from rnnlite.functional.lstm import (
    LSTMGradients,
    LSTMState,
    PeepholeLSTMGradients,
    lstm_backward,
    lstm_forward,
)
from rnnlite.functional.rnn import RNNGradients, rnn_backward, rnn_forward
from rnnlite.losses import softmax_cross_entropy

__all__ = [
    "GRUGradients", "LSTMGradients", "LSTMState", "PeepholeLSTMGradients", "RNNGradients",
    "RecurrentCache", "gru_backward", "gru_forward", "lstm_backward", "lstm_forward",
    "rnn_backward", "rnn_forward", "softmax_cross_entropy",
]  # fmt: skip
