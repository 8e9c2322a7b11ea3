"""The layers: objects that own parameters."""

from rnnlite.layers.dense import Dense
from rnnlite.layers.layer import Layer
from rnnlite.layers.recurrent import GRU, LSTM, RNN, Recurrent
from rnnlite.layers.sequential import Sequential

__all__ = ["GRU", "LSTM", "RNN", "Dense", "Layer", "Recurrent", "Sequential"]
