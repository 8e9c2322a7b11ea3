"""States in the plane: the two directions in which they vary most, and the paths of rows in it.

Principal components (Pearson 1901), used so by Maheswaranathan et al. 2019, "Reverse engineering
recurrent networks for sentiment classification".
"""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.inside import canvas
from rnnlite.inside.chosen import array_of, layer_of, rows_of, states_of, steps_of, valid


class Plane(NamedTuple):
    """States in the plane of their first principal components; see ``states_in_plane``.

    Attributes
    ----------
    points : numpy.ndarray (B, T, 2)
        NaN in padding.
    share : numpy.ndarray (2,)
        Of the variance, in each direction.
    directions : numpy.ndarray (2, H)
        Of length 1, at right angles; the largest number of each is positive.
    mean : numpy.ndarray (H,)
        ``points = (h - mean) @ directions.T``.

    Examples
    --------
    >>> Plane(np.zeros((1, 3, 2)), np.ones(2) / 2, np.eye(2), np.zeros(2)).points.shape
    (1, 3, 2)
    """

    points: np.ndarray
    share: np.ndarray
    directions: np.ndarray
    mean: np.ndarray


def states_in_plane(trace, name=None, layer=None):
    """The states after every step in the plane in which they vary most.

    Parameters
    ----------
    trace : Trace
        The plane is that of all states of all of its rows.
    name : str, optional
        An array of the layer; by default h, its first state.
    layer : str, optional
        Key of a recurrent layer of two units at least; by default the first one.

    Returns
    -------
    Plane
        ``points`` (B, T, 2), ``share`` (2,), ``directions`` (2, H), ``mean`` (H,).

    Examples
    --------
    >>> from rnnlite import RNN, trace
    >>> found = states_in_plane(trace(RNN(3, 4, seed=0), np.random.rand(5, 6, 3)))
    >>> found.points.shape, bool(found.share[0] >= found.share[1])
    ((5, 6, 2), True)
    """
    where = "states_in_plane"
    part = layer_of(where, trace, layer)
    values = array_of(where, part, states_of(part)[0] if name is None else name)
    B, T, H = values.shape
    if H < 2:
        raise ValueError(f"{where}: the layer has {H} unit; wanted two at least")
    there = valid(trace, T)
    states = values[there].astype(np.float64)
    mean = states.mean(axis=0)
    _, size, directions = np.linalg.svd(states - mean, full_matrices=len(states) < 2)
    directions = directions[:2]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    directions = directions * np.sign(largest)
    points = np.full((B, T, 2), np.nan)
    points[there] = (states - mean) @ directions.T
    variance = np.pad(size**2, (0, 2))
    return Plane(points, variance[:2] / (variance.sum() or 1.0), directions, mean)


def plot_states_in_plane(
    trace, classes=None, row=None, name=None, layer=None, class_names=None, *, path=None, ax=None
):
    """Draw ``states_in_plane``: a line for each row, from a ring at its first step to its mark.

    Parameters
    ----------
    trace, name, layer : as in ``states_in_plane``
    classes : array_like of int (B,), optional
        Class of each row of the batch: its colour and its mark.
    row : int or list of int, optional
        Rows to draw; all by default.
    class_names : sequence of str, optional
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import RNN, trace
    >>> found = trace(RNN(3, 4, seed=0), np.random.rand(5, 6, 3))
    >>> figure = plot_states_in_plane(found, [0, 0, 1, 1, 1])
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['class 0', 'class 1']
    """
    where = "plot_states_in_plane"
    found = states_in_plane(trace, name, layer)
    B, T, _ = found.points.shape
    rows = rows_of(where, trace, row)
    if classes is not None:
        classes = checking.shaped(where, "classes", classes, (B,), "(batch,)", np.int64)
    of = np.zeros(B, int) if classes is None else classes
    axes = canvas.one(where, ax, 6.4, 4.4)
    shown = sorted({int(of[n]) for n in rows})
    for k, number in enumerate(shown):
        colour = canvas.COLOURS[k % len(canvas.COLOURS)]
        label = f"class {number}" if class_names is None else str(class_names[number])
        for n in (n for n in rows if of[n] == number):
            path_of = found.points[n, : steps_of(trace, n, T)]
            axes.plot(*path_of.T, color=colour, lw=0.7, alpha=0.45)
            if len(path_of):
                axes.plot(*path_of[0], ls="", marker="o", ms=4, mfc="white", mec=colour, zorder=2)
                mark = canvas.MARKERS[k % 7] if k < 7 else f"${number}$"
                axes.plot(*path_of[-1], ls="", marker=mark, ms=7, color=colour, mec="white",
                          mew=0.6, zorder=3, label=label)  # fmt: skip
                label = None
    part = layer_of(where, trace, layer)
    name = states_of(part)[0] if name is None else name
    for side, share, which in zip("xy", found.share, ("first", "second"), strict=True):
        text = f"{which} principal component of {name} ({share:.0%})"
        axes.set(**{f"{side}label": text})
    if classes is not None:
        axes.legend(
            fontsize=9, title="○ start, end of", loc="upper left", bbox_to_anchor=(1.01, 1.0)
        )
    axes.margins(0.08)
    return canvas.finished(where, axes, path)
