"""Models and training runs in files.

A file is written whole or not at all, and read only if every byte of it is right; nothing in it
is ever run.

    models.py          save and load: a model's architecture, weights, dtype, random states
    architecture.py    a model as plain data, and back
    beside.py          what a person or an optimizer needs beside it
    cells_in_files.py  its cells: yours are known by what their equations compute
    random_states.py   where its dropout masks stand
    container.py       a file of arrays with a header: its bytes, written and read
    header.py          the JSON at its beginning
    atomic.py          how a file replaces another in one step
"""

from rnnlite.saving.atomic import previous_path
from rnnlite.saving.header import CorruptFile
from rnnlite.saving.models import Loaded, load, save

__all__ = ["CorruptFile", "Loaded", "load", "previous_path", "save"]
