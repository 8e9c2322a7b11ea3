"""Gates, candidate and states of a row as maps over time, and how often each gate is shut or open.

Karpathy, Johnson & Fei-Fei 2015, "Visualizing and understanding recurrent networks"; the maps as
in NYU's course Deep Learning SP20.
"""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.inside import canvas
from rnnlite.inside.chosen import array_of, layer_of, row_of, rows_of, states_of, steps_of, valid

ORDERS = {
    "peak": "by the step of its largest |{}|", "mean": "by its mean {}", "unit": "as numbered",
}  # fmt: skip


class GateMaps(NamedTuple):
    """Maps of one row; see ``gate_maps``.

    Attributes
    ----------
    maps : dict of str to numpy.ndarray (H, T)
        By name; the units in their order, T the row's valid steps.
    units : numpy.ndarray of int (H,)
        Which unit each line of the maps is.

    Examples
    --------
    >>> GateMaps({"h": np.zeros((1, 4))}, np.array([0])).maps["h"].shape
    (1, 4)
    """

    maps: dict
    units: np.ndarray


def gate_maps(trace, names=None, layer=None, row=0, order="peak", by=None):
    """Gates, candidate and states of one row, unit by unit over time.

    Parameters
    ----------
    trace : Trace
    names : list of str, optional
        Arrays of the layer; by default its gates, its candidate and its states.
    layer : str, optional
        Key of a recurrent layer; by default the first one.
    row : int
        Which row of the batch.
    order : {"peak", "mean", "unit"}
        Units sorted by the step at which ``|by|`` is largest, the earliest first; by the mean of
        ``by``, the highest first; or as they are numbered.
    by : str, optional
        Name of an array of the layer; by default h, the first state.

    Returns
    -------
    GateMaps
        ``maps``, a dict of arrays (H, T), and ``units`` (H,).

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> found = gate_maps(trace(LSTM(3, 4, seed=0), np.ones((2, 6, 3))), row=1)
    >>> list(found.maps), found.maps["f"].shape
    (['i', 'f', 'g', 'o', 'h', 'c'], (4, 6))
    """
    where = "gate_maps"
    part = layer_of(where, trace, layer)
    row = row_of(where, trace, row)
    names = _names(part) if names is None else names
    arrays = {name: array_of(where, part, name) for name in names}
    by = states_of(part)[0] if by is None else by
    decides = array_of(where, part, by)
    steps = steps_of(trace, row, decides.shape[1])
    units = _sorted(decides[row, :steps], checking.one_of(where, "order", order, tuple(ORDERS)))
    return GateMaps({name: array[row, :steps].T[units] for name, array in arrays.items()}, units)


def _names(layer):
    """What stands behind a z, and the states."""
    behind_z = [name for name in layer.names if f"z_{name}" in layer.names]
    return list(dict.fromkeys([*behind_z, *states_of(layer)]))


def _sorted(values, order):
    """Units (H,) in their order, of values (T, H)."""
    if order == "unit" or len(values) == 0:
        return np.arange(values.shape[1])
    if order == "mean":
        return np.argsort(-values.mean(axis=0), kind="stable")
    return np.argsort(np.abs(values).argmax(axis=0), kind="stable")


def plot_gates(
    trace, names=None, layer=None, row=0, order="peak", by=None, symbols=None, labels=None,
    *, path=None, ax=None,
):  # fmt: skip
    """Draw ``gate_maps``: time to the right, a line a unit.

    Parameters
    ----------
    trace, names, layer, order, by : as in ``gate_maps``
    row : int or list of int
        Several rows stand side by side, with the units in the order of the first.
    symbols : sequence of str, optional
        What was read at each step of a single row, for the time axis; "" where nothing is wanted.
    labels : sequence of str, optional
        A name for each row of the batch, for the titles of several; by default "row 0", ...
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import GRU, trace
    >>> figure = plot_gates(trace(GRU(3, 4, seed=0), np.ones((2, 6, 3))), ["r", "h"], row=[0, 1])
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['reset gate r, row 0', 'reset gate r, row 1']
    """
    where = "plot_gates"
    part = layer_of(where, trace, layer)
    rows = rows_of(where, trace, row)
    first = gate_maps(trace, names, layer, rows[0], order, by)
    by = states_of(part)[0] if by is None else by
    everywhere = {
        name: [array_of(where, part, name)[n, : steps_of(trace, n, part.x.shape[1])] for n in rows]
        for name in first.maps
    }
    across = len(rows) if len(rows) > 1 else {1: 1, 2: 2, 4: 2}.get(len(everywhere), 3)
    down = -(-len(everywhere) * len(rows) // across)
    grid = canvas.panels(where, ax, down, across, 0.6 + 3.3 * across, 0.5 + 2.1 * down)
    for axes in grid.flat[len(everywhere) * len(rows) :]:
        axes.set_axis_off()
    drawn = ((name, k) for name in everywhere for k in range(len(rows)))
    for axes, (name, k) in zip(grid.flat, drawn, strict=False):
        values = everywhere[name][k].T[first.units]
        low, high = canvas.limits(everywhere[name])
        canvas.heat(axes, values, low, high, name)
        meaning = part._meanings[name].split(" after")[0]
        title = name if meaning == "what the cell saves" else f"{meaning} {name}"
        of = f"row {rows[k]}" if labels is None else labels[rows[k]]
        axes.set_title(f"{title}, {of}" if len(rows) > 1 else title, fontsize=10)
        axes.set_yticks([])
        several = symbols if len(rows) == 1 else None
        canvas.time_axis(axes, values.shape[1], several)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"unit, {ORDERS[order].format(by)}", fontsize=8)
    return canvas.finished(where, grid[0, 0], path)


# ---- saturation ------------------------------------------------------------------------------


def gate_saturation(trace, layer=None, low=0.1, high=0.9):
    """Of each unit's gates, the share of time that it is almost shut, and almost open.

    Parameters
    ----------
    trace : Trace
        All of its rows count, and none of its padding.
    layer : str, optional
        Key of a recurrent layer; by default the first one.
    low, high : float
        A gate below ``low`` is almost shut, above ``high`` almost open.

    Returns
    -------
    dict of str to numpy.ndarray (2, H)
        For each gate the shares below ``low``, then above ``high``.

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> found = gate_saturation(trace(LSTM(3, 4, seed=0), 9 * np.ones((2, 6, 3))))
    >>> list(found), found["f"].shape
    (['i', 'f', 'o'], (2, 4))
    """
    where = "gate_saturation"
    part = layer_of(where, trace, layer)
    low = checking.real_number(where, "low", low, 0.0, 1.0)
    high = checking.real_number(where, "high", high, low, 1.0)
    counted = valid(trace, part.x.shape[1])
    gates = {name: getattr(part, name)[counted] for name in _names(part) if _is_gate(part, name)}
    if not gates:
        raise ValueError(f"{where}: {part._title} has no gate between 0 and 1")
    return {
        name: np.stack([(values < low).mean(axis=0), (values > high).mean(axis=0)])
        for name, values in gates.items()
    }


def _is_gate(layer, name):
    """Whether it lies in 0..1, above one half exactly where its z is positive, as a sigmoid."""
    if f"z_{name}" not in layer.names:
        return False
    values, z = getattr(layer, name), getattr(layer, f"z_{name}")
    clear = np.abs(z) > 1e-3
    in_range = values.min(initial=0) >= 0 and values.max(initial=0) <= 1
    return bool(in_range and np.all((values > 0.5)[clear] == (z > 0)[clear]))


def plot_gate_saturation(trace, layer=None, low=0.1, high=0.9, *, path=None, ax=None):
    """Draw ``gate_saturation``: a point a unit, to the right often open, upwards often shut.

    Parameters
    ----------
    trace, layer, low, high : as in ``gate_saturation``
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import GRU, trace
    >>> figure = plot_gate_saturation(trace(GRU(3, 4, seed=0), np.ones((2, 6, 3))))
    >>> [axes.get_title() for axes in figure.axes]
    ['reset gate r', 'update gate z']
    """
    where = "plot_gate_saturation"
    shares = gate_saturation(trace, layer, low, high)
    part = layer_of(where, trace, layer)
    (grid,) = canvas.panels(where, ax, 1, len(shares), 0.4 + 2.7 * len(shares), 3.0)
    for axes, (name, (shut, opened)) in zip(grid, shares.items(), strict=True):
        axes.plot([0, 1], [1, 0], color="0.6", lw=0.8, ls="--", zorder=0)
        axes.scatter(opened, shut, s=22, color=canvas.COLOURS[2], alpha=0.6, ec="black", lw=0.5)
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
        axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        meaning = part._meanings[name]
        axes.set_title(name if meaning == "what the cell saves" else f"{meaning} {name}")
        axes.set_xlabel(f"share of time above {high:g}")
    grid[0].set_ylabel(f"share of time below {low:g}")
    return canvas.finished(where, grid[0], path)
