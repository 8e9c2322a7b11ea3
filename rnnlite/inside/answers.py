"""The answer while reading: what the model would say if the sequence ended here.

As exploRNN (Sobiech & Strobelt et al. 2022) shows it to learners.
"""

import numpy as np

from rnnlite import checking
from rnnlite.inside import canvas
from rnnlite.inside.chosen import characters_of, one_row, symbols_of
from rnnlite.padding import as_array
from rnnlite.training.evaluation import check_model, predict_proba


def answers(model, x, lengths=None):
    """The probability of each class after every step.

    A model that answers once for each row is asked after each step, as if the sequence ended
    there: of layers that read forwards that is the readout (the layers above), applied to h_t.

    Parameters
    ----------
    model : Layer
    x : array_like (B, T, ...)
        Sequences, or a list of sequences of different length.
    lengths : array_like of int (B,), optional

    Returns
    -------
    numpy.ndarray (B, T, C)
        Softmax of the scores (of one score the sigmoid); zero in padding.

    Examples
    --------
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> model = Sequential([LSTM(3, 4, seed=0), Dense(4, 2, seed=1)])
    >>> answers(model, np.ones((5, 6, 3))).shape
    (5, 6, 2)
    """
    where = "answers"
    check_model(where, model)
    x, lengths = as_array(where, "x", x, lengths)
    x = checking.real_array(where, "x", x)
    if x.ndim < 2:
        raise ValueError(f"{where}: x has shape {x.shape}; wanted (batch, time, ...)")
    x = x.astype(model.dtype) if x.dtype.kind == "f" else x
    B, T = x.shape[:2]
    lengths = checking.row_lengths(where, np.full(B, T) if lengths is None else lengths, B, T)
    whole = predict_proba(model, x, lengths=lengths)
    if whole.ndim == 3:
        return whole
    found = np.zeros((B, T, whole.shape[1]), whole.dtype)
    for t in range(T):
        going = lengths > t
        now = predict_proba(model, x[going], lengths=np.full(going.sum(), t + 1))
        found[going, t] = now
    return found


def plot_answers(
    model, x, row=0, lengths=None, label=None, class_names=None, symbols=None, *, path=None, ax=None
):
    """Draw ``answers`` of one row under what is read: a line for each class, the likeliest marked.

    Parameters
    ----------
    model, x, lengths : as in ``answers``
    row : int
        Which row of x.
    label : int, optional
        Its true class, to be marked.
    class_names : sequence of str, optional
    symbols : str, Vocabulary or list of str, optional
        What each number (or each place of a one-hot vector) stands for: it is written in place of
        a map of x.
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> model = Sequential([LSTM(3, 4, seed=0), Dense(4, 2, seed=1)])
    >>> figure = plot_answers(model, np.ones((5, 6, 3)), label=1, class_names=["no", "yes"])
    >>> [text.get_text() for text in figure.axes[1].get_yticklabels()]
    ['no', 'yes (true)']
    """
    where = "plot_answers"
    x, at = one_row(where, x, row, lengths)
    x = x[at]
    shares = answers(model, x)[0]
    T, C = shares.shape
    names = [str(n) for n in (range(C) if class_names is None else class_names)]
    if len(names) != C:
        raise ValueError(f"{where}: class_names has {len(names)} names; wanted {C}")
    if label is not None:
        label = checking.whole_number(where, "label", label, 0, C - 1)
        names[label] += " (true)"
    read = None if symbols is None else characters_of(where, x[0], symbols_of(where, symbols))
    above = read is None and x.ndim == 3
    rows, wide = 2 if above else 1, min(max(6.6, 1.6 + 0.115 * T), 14.0)
    grid = canvas.panels(where, ax, rows, 1, wide, 0.9 + 2.2 * above + 0.24 * max(C, 5))[:, 0]
    if above:
        canvas.heat(grid[0], x[0].T, None, None, "x")
        grid[0].set(ylabel="feature", title="what is read: the x of each step is a column")
        canvas.time_axis(grid[0], T)
    axes = grid[-1]
    canvas.heat(axes, shares.T, 0.0, 1.0, "probability")
    style = {"ls": "", "marker": "o", "ms": 4, "mfc": "white", "mec": "black"}
    axes.plot(shares.argmax(axis=1), **style, label="likeliest")
    axes.set_yticks(range(C), names)
    axes.set_ylabel("class")
    axes.set_title("the answer, if the sequence ended here (○ likeliest)")
    canvas.time_axis(axes, T, read)
    return canvas.finished(where, axes, path)
