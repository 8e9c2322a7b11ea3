"""The layers: objects that own parameters."""

from rnnlite.layers.activation import Activation
from rnnlite.layers.bidirectional import Bidirectional
from rnnlite.layers.dense import Dense
from rnnlite.layers.dropout import Dropout
from rnnlite.layers.embedding import Embedding
from rnnlite.layers.flatten import Flatten
from rnnlite.layers.group import Group
from rnnlite.layers.gru import GRU
from rnnlite.layers.layer import Layer
from rnnlite.layers.layer_norm import LayerNorm
from rnnlite.layers.lstm import LSTM
from rnnlite.layers.recurrent import Recurrent
from rnnlite.layers.rnn import RNN
from rnnlite.layers.sequential import Sequential

__all__ = [
    "GRU", "LSTM", "RNN", "Activation", "Bidirectional", "Dense", "Dropout", "Embedding", "Flatten",
    "Group", "Layer", "LayerNorm", "Recurrent", "Sequential",
]  # fmt: skip
