"""A text coloured by what one unit does, with what the network expects next under each character.

Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks"; Karpathy, Johnson &
Fei-Fei 2015.
"""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.inside import canvas
from rnnlite.inside.chosen import (
    array_of,
    characters_of,
    layer_of,
    row_of,
    states_of,
    steps_of,
    symbols_of,
)
from rnnlite.inside.text_page import TextPage, text_page_of

WIDE = 64  # characters a line


class TextUnits(NamedTuple):
    """A text, what every unit does at each of its characters, and what is expected next.

    Attributes
    ----------
    characters : list of str (T,)
    values : numpy.ndarray (T, H)
        Of each unit after it was read.
    likeliest : list of list of str (T, K)
        The likeliest next characters, the best first.
    probabilities : numpy.ndarray (T, K)
        Theirs.

    Examples
    --------
    >>> TextUnits(["a"], np.zeros((1, 2)), [["b"]], np.ones((1, 1))).values.shape
    (1, 2)
    """

    characters: list
    values: np.ndarray
    likeliest: list
    probabilities: np.ndarray


def text_units(trace, symbols, name=None, layer=None, row=0, count=5):
    """What each unit does at each character of a text, and the likeliest next characters.

    Parameters
    ----------
    trace : Trace
        Of a model that reads numbers of symbols, or one-hot vectors.
    symbols : str, Vocabulary or list of str
        What each number stands for.
    name : str, optional
        An array of the layer; by default h, its first state.
    layer : str, optional
        Key of a recurrent layer; by default the first one.
    row : int
        Which row of the batch.
    count : int
        How many next characters; none if the model does not answer at every step with a score for
        each symbol.

    Returns
    -------
    TextUnits
        ``characters`` (T,), ``values`` (T, H), ``likeliest`` and ``probabilities`` (T, count).

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> x = np.eye(3)[[[0, 1, 2, 1]]]
    >>> found = text_units(trace(LSTM(3, 3, return_sequences=True, seed=0), x), "abc", count=2)
    >>> "".join(found.characters), found.values.shape, found.probabilities.shape
    ('abcb', (4, 3), (4, 2))
    """
    where = "text_units"
    part = layer_of(where, trace, layer)
    row = row_of(where, trace, row)
    symbols = symbols_of(where, symbols)
    count = min(checking.whole_number(where, "count", count, 0), len(symbols))
    values = array_of(where, part, states_of(part)[0] if name is None else name)
    T = steps_of(trace, row, values.shape[1])
    x, scores = trace[trace.names[0]].x[row, :T], trace.output[row]
    if trace.output.ndim != 3 or scores.shape[1] != len(symbols):
        scores, count = np.zeros((T, 1)), 0
    scores = np.exp(scores[:T] - scores[:T].max(axis=1, keepdims=True))
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return TextUnits(
        characters_of(where, x, symbols),
        values[row, :T],
        [[symbols[n] for n in line] for line in best],
        np.take_along_axis(probabilities, best, axis=1),
    )


def _unit(where, unit, values):
    """The number of a unit; by default the one that changes most."""
    if unit is None:
        return int(values.var(axis=0).argmax())
    return checking.whole_number(where, "unit", unit, 0, values.shape[1] - 1)


def plot_text(
    trace, symbols, unit=None, name=None, layer=None, row=0, count=5, *, path=None, ax=None
):
    """Draw ``text_units`` of one unit: the text coloured, the likeliest next characters below.

    Parameters
    ----------
    trace, symbols, name, layer, row, count : as in ``text_units``
    unit : int, optional
        Which unit; by default the one that changes most.
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> x = np.eye(3)[[[0, 1, 2, 1]]]
    >>> figure = plot_text(trace(LSTM(3, 3, return_sequences=True, seed=0), x), "abc", unit=1)
    >>> figure.axes[0].get_ylabel()
    'place in the text'
    """
    where = "plot_text"
    part = layer_of(where, trace, layer)
    name = states_of(part)[0] if name is None else name
    symbols = symbols_of(where, symbols)
    found = text_units(trace, symbols, name, layer, row, count)
    unit = _unit(where, unit, found.values)
    values = found.values[:, unit]
    below = (found.likeliest, found.probabilities)
    label = f"{name} of unit {unit}"
    return draw_text(
        where, ax, found.characters, values, *canvas.limits([values]), label, below=below, path=path
    )


def draw_text(where, ax, characters, values, low, high, label, title="", below=None, path=None):
    """Characters in lines, each coloured by its value, under each what ``below`` holds."""
    from matplotlib.collections import PolyCollection

    count = len(below[0][0]) if below and below[0] else 0
    wide = min(WIDE, len(characters))
    lines = -(-len(characters) // WIDE)
    tall = 1.25 + 0.85 * count + (0.5 if count else 0)
    used = tall * lines
    span = max(used, 4.0)
    axes = canvas.one(where, ax, 1.3 + 0.125 * max(wide, 30), 0.9 + 0.19 * span)
    places = [(k % WIDE, -(k // WIDE) * tall) for k in range(len(characters))]
    square = np.array([(-0.5, -0.6), (0.5, -0.6), (0.5, 0.6), (-0.5, 0.6)])
    boxes = PolyCollection([square + place for place in places], cmap=canvas.MAP)
    boxes.set(array=values, clim=(low, high), linewidth=0)
    axes.add_collection(boxes)
    dark = boxes.to_rgba(values)[:, :3] @ (0.3, 0.59, 0.11) < 0.5
    _write(axes, characters, places, 9, np.where(dark, "white", "black"))
    for n in range(count):
        lower = [(column, line - 1.15 - 0.85 * n) for column, line in places]
        greys = (0.6 * (1 - below[1][:, n].astype(float))).astype(str)  # the surer, the blacker
        _write(axes, [line[n] for line in below[0]], lower, 7, greys)
    axes.set(
        xlim=(-0.7, wide - 0.3), ylim=(0.4 - (span + used) / 2, 0.8 + (span - used) / 2), xticks=[]
    )
    axes.set_yticks([-n * tall for n in range(lines)], [str(n * WIDE) for n in range(lines)])
    axes.set_ylabel("place in the text")
    axes.set_title(title, fontsize=10)
    below_it = f"below each character the {count} likeliest next, the surer the blacker"
    axes.set_xlabel(below_it if count else "place in the line")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    canvas.scale(axes, boxes, label)
    return canvas.finished(where, axes, path)


def _write(axes, characters, places, size, colours):
    """Characters as shapes, each at its place: thousands of text objects take many seconds."""
    from matplotlib.collections import PathCollection
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import IdentityTransform

    font = FontProperties(family="monospace")
    middle = (-0.3 * size, -0.35 * size)
    shapes = {c: TextPath(middle, canvas.shown(c), size, prop=font) for c in set(characters)}
    written = PathCollection(
        [shapes[c] for c in characters], [1.0], offsets=places, offset_transform=axes.transData,
        facecolors=list(colours), linewidths=0,
    )  # fmt: skip
    written.set_transform(IdentityTransform())  # a shape's size is in points
    axes.add_collection(written)


def text_page(trace, symbols, unit=None, name=None, layer=None, row=0, count=5, *, path=None):
    """The same as a page of HTML, on which one can flip through all units.

    Parameters
    ----------
    trace, symbols, unit, name, layer, row, count : as in ``plot_text``
        ``unit`` is the one that is shown first.
    path : str or os.PathLike, optional
        File to write, as "text.html"; it needs no network.

    Returns
    -------
    TextPage
        The text of the page, a str; Jupyter shows the page itself.

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> x = np.eye(3)[[[0, 1, 2, 1]]]
    >>> page = text_page(trace(LSTM(3, 3, return_sequences=True, seed=0), x), "abc")
    >>> page.splitlines()[0]
    '<!doctype html>'
    """
    where = "text_page"
    if path is not None:
        path = checking.file_name(where, "path", path)
    part = layer_of(where, trace, layer)
    name = states_of(part)[0] if name is None else name
    symbols = symbols_of(where, symbols)
    found = text_units(trace, symbols, name, layer, row, count)
    page = TextPage(text_page_of(found, name, _unit(where, unit, found.values)))
    if path is not None:
        page.save(path)
    return page
