"""Pictures of a training run, for those who have matplotlib."""

import io
from functools import partial
from itertools import pairwise

import numpy as np

from rnnlite import checking
from rnnlite.training.history import figure_text


def new_figure(width, height):
    """An empty figure that needs no window and no global state of pyplot."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install matplotlib") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    # Notebooks know the figures of pyplot alone, and would print the name of this one.
    figure._repr_png_ = partial(_png, figure)
    return figure


def _png(figure):
    """What a notebook shows."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def saved(where, figure, path):
    """The figure, written to a picture file if there is a path."""
    if path is not None:
        figure.savefig(checking.file_name(where, "path", path), dpi=150)
    return figure


def plot_history(history, path=None):
    """Loss, and accuracy if there is one, of training and validation against step or epoch."""
    time = _time(history)
    panels = [name for name in ("loss", "accuracy") if name in history]
    figure = new_figure(5 * len(panels), 3.4)
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for axes, name in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        marker = "os" if len(history[time]) < 30 else ("", "")
        style = {"marker": marker[0], "ms": 3, "color": "#0072B2"}
        axes.plot(history[time], history[name], label="training", **style)
        if f"val_{name}" in history:
            column = history[f"val_{name}"]
            style = {"marker": marker[1], "ms": 3, "color": "#D55E00", "ls": "--"}
            axes.plot(history[time], column, label="validation", **style)
            best = history.best(f"val_{name}")
            at = history[time][best]
            ring = {"s": 90, "facecolors": "none", "edgecolors": "black", "zorder": 3}
            said = f"best: {figure_text(float(column[best]))} ({time} {at})"
            axes.scatter([at], [column[best]], label=said, **ring)
        low, high = axes.dataLim.intervaly
        if name == "loss" and low > 0 and high > 10 * low:  # below that, straight figures say more
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.set(xlabel=time, ylabel=name)
        axes.grid(alpha=0.3)
        # Above the axes, where no curve can be.
        above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 3, "frameon": False}
        axes.legend(**above, fontsize=8.5, handlelength=2.2, columnspacing=1.2, borderaxespad=0.2)
    return saved("History.plot", figure, path)


def _time(history):
    """The column to draw against: epochs if these were given and have one record each."""
    epochs = history.get("epoch", [])
    one_each = all(a < b for a, b in pairwise(epochs))
    in_epochs = history.in_epochs and one_each
    return "epoch" if in_epochs or "step" not in history else "step"


def plot_confusion(matrix, path=None):
    """A confusion matrix in colours: of each true class, the share predicted as each other."""
    counts, names = matrix.counts, matrix.names
    C = len(counts)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    longest = max(map(len, names))
    beside = 0.08 * longest  # inches that names take
    upright = longest > 3  # names that would run into one another
    figure = new_figure(1.2 + beside + 0.5 * C, 1.0 + beside * upright + 0.5 * C)
    axes = figure.subplots()
    # Mistakes are few beside the diagonal: the square root lets them be seen.
    axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts):
        colour = "white" if share[row, column] > 0.4 else "black"
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set(
        xticks=range(C), yticks=range(C), xticklabels=names, yticklabels=names,
        xlabel="predicted", ylabel="true",
    )  # fmt: skip
    axes.tick_params(axis="x", rotation=90 if upright else 0)
    return saved("ConfusionMatrix.plot", figure, path)
