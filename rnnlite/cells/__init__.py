"""The cells: the equations of one time step and of its derivative, one file a cell."""

from rnnlite.cells.cell import Cell
from rnnlite.cells.clipped_lstm import clipped_lstm
from rnnlite.cells.gru import GRU, GRU_2014
from rnnlite.cells.lstm import LSTM
from rnnlite.cells.peephole_lstm import peephole_lstm
from rnnlite.cells.rnn import RNN

__all__ = ["GRU", "GRU_2014", "LSTM", "RNN", "Cell", "clipped_lstm", "peephole_lstm"]
