"""Long tables, a row for each step of each group, as sequences; and predictions as tables.

    Reader         reader.py      frame -> x (n, T, F), lengths, y; predictions -> frame
    TableData      data.py        what a reader made of a table
    channels_last  channels.py    the layout of sktime and aeon
    rows.py                       a frame in order: its groups, its numbers, its gaps

Frames of pandas, polars and others are read through the library narwhals.
"""

from rnnlite.tables.channels import channels_last
from rnnlite.tables.data import TableData
from rnnlite.tables.reader import Reader

__all__ = ["Reader", "TableData", "channels_last"]
