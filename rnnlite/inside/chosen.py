"""What of a trace is meant: which layer, which rows, which of its steps."""

import numpy as np

from rnnlite import checking
from rnnlite.inside.trace import Trace
from rnnlite.padding import as_array


def layer_of(where, trace, layer=None):
    """The layer of a key, which must be recurrent; by default the first recurrent one."""
    if not isinstance(trace, Trace):
        kind = type(trace).__name__
        raise TypeError(f"{where}: trace is of type {kind}; wanted what rnnlite.trace returns")
    recurrent = [key for key in trace if _is_recurrent(trace[key])]
    if not recurrent:
        raise ValueError(f"{where}: the trace has no recurrent layer; it has {trace.names}")
    if layer is None:
        return trace[recurrent[0]]
    key = "" if layer == "0" and trace.names == [""] else layer
    if key not in recurrent:
        raise ValueError(f"{where}: layer is {layer!r}; recurrent layers are {recurrent}")
    return trace[key]


def _is_recurrent(layer):
    return bool(layer._states)


def states_of(layer):
    """Names of a layer's states, h first."""
    return list(layer._states)


def array_of(where, layer, name):
    """An array of a layer with values for every unit, by its name."""
    known = [n for n in layer.names if n not in ("x", "y", "dy", "dx")]
    return getattr(layer, checking.one_of(where, "name", name, known))


def derivative_of(where, layer, state):
    """dL/d(state), or a sentence on how to get it."""
    if not hasattr(layer, f"d{state}"):
        wanted = "wanted rnnlite.trace(model, x, labels=...) or dy=..."
        raise ValueError(f"{where}: the trace has no derivative by {state}; {wanted}")
    return getattr(layer, f"d{state}")


def row_of(where, trace, row):
    """The number of a row of the batch."""
    return checking.whole_number(where, "row", row, 0, len(trace.output) - 1)


def one_row(where, x, row, lengths):
    """The input as an array, and where in it the valid steps of one row are."""
    x, lengths = as_array(where, "x", x, lengths)
    x = checking.any_array(where, "x", x)
    row = checking.whole_number(where, "row", row, 0, len(x) - 1)
    row = slice(row, row + 1)
    if lengths is None:
        return x, row
    return x, (row, slice(checking.row_lengths(where, lengths, *x.shape[:2])[row].item()))


def rows_of(where, trace, rows):
    """Numbers of rows, of one or of several; all for None."""
    if rows is None:
        return list(range(len(trace.output)))
    several = rows if np.ndim(rows) else [rows]
    return [row_of(where, trace, row) for row in several]


def steps_of(trace, row, T):
    """Valid steps of a row of T."""
    return T if trace.lengths is None else int(trace.lengths[row])


def valid(trace, T):
    """Which steps are no padding, bool (B, T)."""
    B = len(trace.output)
    lengths = np.full(B, T) if trace.lengths is None else trace.lengths
    return np.arange(T) < lengths[:, None]


def symbols_of(where, symbols):
    """A name for each number: the characters of a str or of a ``Vocabulary``, or a list."""
    symbols = getattr(symbols, "characters", symbols)
    return [str(s) for s in checking.sequence(where, "symbols", symbols, "one str for each number")]


def characters_of(where, x, symbols):
    """The symbols that a row of numbers (T,), or of one-hot vectors (T, I), stands for."""
    numbers = x.argmax(axis=-1) if x.ndim == 2 else x.astype(int)
    if numbers.max(initial=0) >= len(symbols):
        wanted = f"x has symbol {numbers.max()}"
        raise ValueError(f"{where}: symbols has {len(symbols)} of them; {wanted}")
    return [symbols[n] for n in numbers]
