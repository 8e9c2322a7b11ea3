"""The cells: the equations of one time step and of its derivative, one file a cell."""

from rnnlite.cells.cell import Block, Cell
from rnnlite.cells.gru import GRU
from rnnlite.cells.lstm import LSTM
from rnnlite.cells.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "Block", "Cell"]
