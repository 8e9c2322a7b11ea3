"""Which inputs an answer hangs on: its derivative by every one of them.

Simonyan, Vedaldi & Zisserman 2014; for text as in Madsen 2019 (distill.pub/2019/memorization-in-
rnns), where the colour shows how far back a prediction looks.
"""

import numpy as np

from rnnlite import checking
from rnnlite.inside import canvas
from rnnlite.inside.chosen import characters_of, one_row, symbols_of
from rnnlite.inside.text import draw_text
from rnnlite.inside.trace import trace as traced
from rnnlite.padding import as_array
from rnnlite.training.evaluation import check_model


def saliency(model, x, output=None, step=None, lengths=None):
    """The derivative of one output by every input.

    Parameters
    ----------
    model : Layer
    x : array_like (B, T, I), or of int (B, T) for an Embedding
        Sequences, or a list of sequences of different length.
    output : int or array_like of int (B,), optional
        Which output, for each row; by default each row's largest one.
    step : int, optional
        At which step, if the model answers at every step; by default each row's last valid one.
    lengths : array_like of int (B,), optional

    Returns
    -------
    numpy.ndarray (B, T, I)
        By each number of x; for an Embedding by each number of the vectors it gives.

    Examples
    --------
    >>> from rnnlite import LSTM
    >>> found = saliency(LSTM(3, 4, seed=0), np.ones((2, 6, 3)), output=0)
    >>> found.shape
    (2, 6, 3)
    """
    where = "saliency"
    check_model(where, model)
    x, lengths = as_array(where, "x", x, lengths)
    answer, place = _answer(where, model, x, step, lengths)
    chosen = answer[place].argmax(axis=-1) if output is None else _outputs(where, output, answer)
    dy = np.zeros_like(answer)
    dy[(*place, chosen)] = 1.0
    found = traced(model, x, dy=dy, lengths=lengths)
    for key in found:
        if hasattr(found[key], "dx"):
            return found[key].dx
    raise ValueError(f"{where}: no layer of {model!r} has a derivative by its input")


def _answer(where, model, x, step, lengths):
    """The output, and where in it each row's scores are: (rows,) or (rows, steps)."""
    answer = model(x, lengths=lengths)
    B = len(answer)
    if answer.ndim == 2:
        if step is not None:
            raise ValueError(f"{where}: step is given, and the model answers once for each row")
        return answer, (np.arange(B),)
    if answer.ndim != 3:
        raise ValueError(f"{where}: the output has shape {answer.shape}; wanted 2 or 3 axes")
    T = answer.shape[1]
    if step is not None:
        at = np.full(B, checking.whole_number(where, "step", step, 0, T - 1))
    else:
        at = np.maximum(1, np.full(B, T) if lengths is None else np.asarray(lengths)) - 1
    return answer, (np.arange(B), at)


def _outputs(where, output, answer):
    """Numbers of outputs (B,)."""
    array = checking.real_array(where, "output", output)
    B, C = len(answer), answer.shape[-1]
    if array.dtype.kind not in "iu" or array.shape not in ((), (B,)):
        raise ValueError(f"{where}: output is {output!r}; wanted a whole number, or {B} of them")
    if array.min(initial=0) < 0 or array.max(initial=0) >= C:
        raise ValueError(f"{where}: output is {output!r}; wanted 0 to {C - 1}")
    return np.broadcast_to(array, B)


def plot_saliency(
    model, x, row=0, output=None, step=None, lengths=None, symbols=None, *, path=None, ax=None
):
    """Draw ``saliency`` of one row: beside the picture of a digit, or as a coloured text.

    Rows of about as many steps as features are pictures, read line by line from the top; others
    have their time to the right.

    Parameters
    ----------
    model, x, step, lengths : as in ``saliency``
    row : int
        Which row of x.
    output : int, optional
        Which output; by default the row's largest one.
    symbols : str, Vocabulary or list of str, optional
        What each number (or each place of a one-hot vector) stands for: a text is drawn, each
        character coloured by the norm of the derivative.
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import LSTM
    >>> figure = plot_saliency(LSTM(5, 4, seed=0), np.random.rand(2, 6, 5), output=1)
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['input', 'derivative of output 1']
    """
    where = "plot_saliency"
    check_model(where, model)
    x, at = one_row(where, x, row, lengths)
    x = x[at]
    answer, place = _answer(where, model, x, step, None)
    outputs = answer.shape[-1]
    output = int(answer[place][0].argmax()) if output is None else output
    slope = saliency(model, x, output, step)[0]
    if symbols is not None:
        text = characters_of(where, x[0], symbols_of(where, symbols))
        norms = np.linalg.norm(slope, axis=1)
        label = rf"$\|\partial y_{{{output}}} / \partial x_t\|$"
        named = symbols_of(where, symbols)
        of = f" ({canvas.shown(named[output])})" if output < len(named) == outputs else ""
        title = canvas.in_dollars(f"derivative of output {output}{of} by each character")
        high = float(norms.max(initial=0)) or 1.0
        return draw_text(where, ax, text, norms, 0.0, high, label, title=title, path=path)
    if x.ndim != 3:
        raise ValueError(f"{where}: x holds numbers of symbols; wanted symbols too, to draw a text")
    return _picture(where, ax, path, x[0], slope, output)


def _picture(where, ax, path, x, slope, output):
    """The input and the derivative, each a map (T, I), or (I, T) if T and I differ much."""
    T, I = x.shape
    upright = 0.5 <= T / I <= 2
    rows, columns, width, height = (1, 2, 7.4, 3.0) if upright else (2, 1, 7.0, 4.0)
    first, second = canvas.panels(where, ax, rows, columns, width, height).flat
    if not upright:
        x, slope = x.T, slope.T
    most = float(np.quantile(np.abs(slope), 0.99)) or float(np.abs(slope).max()) or 1.0
    canvas.heat(first, x, None, None, "x")
    canvas.heat(second, slope, -most, most, rf"$\partial y_{{{output}}} / \partial x$")
    if upright and x.min() < x.max():
        _outline(second, x)
    first.set_title("input")
    second.set_title(f"derivative of output {output}")
    for axes in (first, second):
        names = ("feature", "time step t") if upright else ("time step t", "feature")
        axes.set(xlabel=names[0], ylabel=names[1])
    return canvas.finished(where, first, path)


def _outline(axes, x):
    """Where the input is above the middle of its range, as a white line."""
    from matplotlib.patheffects import withStroke

    middle = (float(x.min()) + float(x.max())) / 2
    line = axes.contour(x, [middle], colors="white", linewidths=1.0)
    line.set_path_effects([withStroke(linewidth=2.2, foreground="black")])
