"""Where pictures are drawn: axes and panels, colours that also print in grey, files.

The colours of lines are those of Okabe & Ito 2008, told apart by the colour-blind, each with a
dash and a marker of its own.  Maps are ``cividis`` (Nunez, Anderton & Renslow 2018), whose
lightness rises from end to end: dark blue is low, grey the middle, pale yellow high, in grey too.
"""

import itertools

import numpy as np

from rnnlite.training.plots import new_figure, saved

MAP = "cividis"
COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
MARKERS = "os^DvPX"


def style(n):
    """Colour, dash and marker of line n."""
    k = n % len(COLOURS)
    return {"color": COLOURS[k], "ls": DASHES[k], "marker": MARKERS[k]}


def one(where, ax, width, height):
    """The axes to draw into: ``ax``, or those of a new figure."""
    return new_figure(width, height).subplots() if ax is None else _checked(where, ax)


def panels(where, ax, rows, columns, width, height):
    """Axes (rows, columns): those of a new figure, or insets of ``ax``, which shows no more."""
    if ax is None:
        return new_figure(width, height).subplots(rows, columns, squeeze=False)
    _checked(where, ax).set_axis_off()
    between, above = 0.45, 0.6  # in parts of a panel
    w, h = 1 / (columns + (columns - 1) * between), 1 / (rows + (rows - 1) * above)
    grid = np.empty((rows, columns), object)
    for r, c in itertools.product(range(rows), range(columns)):
        bottom = (rows - 1 - r) * h * (1 + above)
        grid[r, c] = ax.inset_axes([c * w * (1 + between), bottom, w, h])
    return grid


def _checked(where, ax):
    if not (hasattr(ax, "inset_axes") and hasattr(ax, "imshow")):
        raise TypeError(f"{where}: ax is of type {type(ax).__name__}; wanted axes of matplotlib")
    return ax


def finished(where, axes, path):
    """The figure that axes are in, saved if there is a path."""
    return saved(where, axes.figure.figure, path)  # of a SubFigure: the whole


def heat(axes, values, low, high, label, norm=None):
    """A matrix as a map, row 0 at the top, with its scale beside it."""
    limits = {"norm": norm} if norm is not None else {"vmin": low, "vmax": high}
    image = axes.imshow(values, cmap=MAP, aspect="auto", interpolation="nearest", **limits)
    scale(axes, image, label)


def scale(axes, image, label):
    """The colours of an image or a collection, right of the axes, pointed where values go on."""
    beside, values = axes.inset_axes([1.03, 0, 0.035, 1]), image.get_array()
    below, above = values.min() < image.norm.vmin, values.max() > image.norm.vmax
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = extend.get((bool(below), bool(above)), "neither")
    axes.figure.figure.colorbar(image, cax=beside, label=label, extend=extend)


def limits(arrays):
    """0 and 1 of gates; of what has a sign -m and m, so that the middle colour is zero.

    Beyond 1, m leaves the largest hundredth out: one large value would make all others grey.
    """
    values = np.concatenate([np.ravel(array) for array in arrays])
    most = float(np.abs(values).max(initial=0.0))
    if values.min(initial=0.0) >= 0 and most <= 1:
        return 0.0, 1.0
    if most > 1:
        most = float(np.quantile(np.abs(values), 0.99)) or most
    elif most > 0.5:
        most = 1.0
    return -most, most


def time_axis(axes, steps, symbols=None, label=None):
    """Whole steps along x; with symbols, what was read at each (of an empty one, nothing)."""
    if symbols is None:
        whole_numbers(axes.xaxis)
        axes.set_xlabel(label or "time step t")
        return
    label = label or "what is read, step by step"
    there = [t for t, symbol in enumerate(symbols[:steps]) if symbol]
    small = {"fontsize": 8 if len(there) <= 40 else 6, "family": "monospace"}
    axes.set_xticks(there, [in_dollars(shown(symbols[t])) for t in there], **small)
    axes.tick_params(axis="x", length=2)
    axes.set_xlabel(label)


def whole_numbers(axis):
    """Ticks at whole numbers, not too many."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def shown(character):
    """A character as one can see it."""
    return {" ": "␣", "\n": "↵", "\t": "⇥"}.get(character, character)


def in_dollars(text):
    """A text as matplotlib shows it as it is."""
    return text.replace("$", r"\$")
