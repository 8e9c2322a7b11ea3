"""Which units count: a state of the network beside the number that it should hold.

Weiss, Goldberg & Yahav 2018, "On the practical computational power of finite precision RNNs for
language recognition": an LSTM learns a^n b^n by counting in c, a GRU cannot.
"""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.inside import canvas
from rnnlite.inside.chosen import array_of, layer_of, rows_of, states_of, steps_of, valid


class Counting(NamedTuple):
    """States beside a count; see ``counting``.

    Attributes
    ----------
    values : numpy.ndarray (B, T, H)
    correlation : numpy.ndarray (H,)
        Of each unit's values with the count, over all valid steps; 0 for a unit that never moves.
    unit : int
        The unit whose correlation is largest in size.

    Examples
    --------
    >>> Counting(np.zeros((1, 2, 1)), np.zeros(1), 0).unit
    0
    """

    values: np.ndarray
    correlation: np.ndarray
    unit: int


def counting(trace, count, name=None, layer=None):
    """How well each unit's state follows a count.

    Parameters
    ----------
    trace : Trace
    count : array_like (B, T)
        What one would count at each step, as the a's so far less the b's so far.
    name : str, optional
        An array of the layer; by default its last state, c of an LSTM and h of others.
    layer : str, optional
        Key of a recurrent layer; by default the first one.

    Returns
    -------
    Counting
        ``values`` (B, T, H), ``correlation`` (H,) and the best ``unit``.

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> found = counting(trace(LSTM(1, 3, seed=0), np.ones((1, 5, 1))), [[1, 2, 3, 4, 5]])
    >>> found.correlation.shape, bool(abs(found.correlation[found.unit]) > 0.9)
    ((3,), True)
    """
    where = "counting"
    part = layer_of(where, trace, layer)
    values = array_of(where, part, states_of(part)[-1] if name is None else name)
    shape = values.shape[:2]
    count = checking.shaped(where, "count", count, shape, "(batch, time)", np.float64)
    there = valid(trace, shape[1])
    if np.ptp(count[there]) == 0:
        came = f"count is {count[there][0]:g} at every valid step"
        raise ValueError(f"{where}: {came}; wanted one that changes")
    v, n = values[there].astype(np.float64), count[there]
    v, n = v - v.mean(axis=0), n - n.mean()
    size = np.sqrt((v**2).sum(axis=0) * (n**2).sum())
    correlation = np.divide(n @ v, size, out=np.zeros(len(size)), where=size > 0)
    return Counting(values, correlation, int(np.abs(correlation).argmax()))


def plot_counting(
    trace, count, row=0, unit=None, name=None, layer=None, labels=None, *, path=None, ax=None
):
    """Draw one unit's state against the position, and the count beside it.

    Parameters
    ----------
    trace, count, name, layer : as in ``counting``
    row : int or list of int
        A line for each of them.
    unit : int, optional
        Which unit; by default the one that follows the count best.
    labels : sequence of str, optional
        A name for each row of the batch, for the legend.
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> figure = plot_counting(trace(LSTM(1, 3, seed=0), np.ones((1, 5, 1))), [[1, 2, 3, 4, 5]])
    >>> figure.axes[0].get_xlabel()
    'position in the sequence'
    """
    where = "plot_counting"
    found = counting(trace, count, name, layer)
    part = layer_of(where, trace, layer)
    name = states_of(part)[-1] if name is None else name
    H = found.values.shape[2]
    unit = found.unit if unit is None else checking.whole_number(where, "unit", unit, 0, H - 1)
    rows, count = rows_of(where, trace, row), np.asarray(count, float)
    if labels is None:
        labels = [f"row {n}" for n in range(len(count))]
    # The count in the units of c: the line a + b count that is nearest to it.
    there = valid(trace, count.shape[1])
    slope, start = np.polyfit(count[there], found.values[..., unit][there], 1)
    scale = f"{slope:.2g} × count {'−' if start < 0 else '+'} {abs(start):.2g}"
    axes = canvas.one(where, ax, 7.4, 3.6)
    for k, n in enumerate(rows):
        T = steps_of(trace, n, count.shape[1])
        position = np.arange(1, T + 1)
        scaled = start + slope * count[n, :T]
        axes.plot(position, scaled, color="0.6", lw=4, zorder=0,
                  label=None if k else scale)  # fmt: skip
        every = max(1, T // 12)
        line = {**canvas.style(k), "ms": 4, "markevery": every}
        axes.plot(position, found.values[n, :T, unit], **line, label=labels[n])
    axes.axhline(0, color="0.8", lw=0.8, zorder=-1)
    canvas.time_axis(axes, 0, label="position in the sequence")
    axes.set_ylabel(f"{name} of unit {unit}")
    axes.set_title(f"correlation with the count: {found.correlation[unit]:.3f}", fontsize=10)
    axes.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return canvas.finished(where, axes, path)
