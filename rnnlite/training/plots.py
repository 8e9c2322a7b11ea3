"""Pictures of a training run, for those who have matplotlib."""

import numpy as np


def _figure(width, height):
    """An empty figure that needs no window and no global state of pyplot."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install matplotlib") from error
    return Figure(figsize=(width, height), layout="constrained")


def plot_history(history, path=None):
    """Loss, and accuracy if there is one, of training and validation against the step."""
    panels = [name for name in ("loss", "accuracy") if name in history]
    figure = _figure(5 * len(panels), 3.4)
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for axes, name in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        marker = "o" if len(history["step"]) < 30 else None
        axes.plot(history["step"], history[name], marker=marker, ms=3, label="training")
        if f"val_{name}" in history:
            column = history[f"val_{name}"]
            axes.plot(history["step"], column, marker=marker, ms=3, label="validation")
            best = history.best(f"val_{name}")
            at, lift = (history["step"][best], column[best]), 8 if name == "loss" else -14
            side = "right" if best >= len(column) / 2 else "left"
            style = {"xytext": (0, lift), "textcoords": "offset points", "ha": side, "fontsize": 8}
            axes.annotate(f"{column[best]:.4f}", at, **style)
        low, high = axes.dataLim.intervaly
        if name == "loss" and low > 0 and high > 10 * low:  # below that, straight figures say more
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.margins(y=0.12)  # room for the best figure
        axes.set(xlabel="step", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend()
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def plot_confusion(matrix, path=None):
    """A confusion matrix in colours: of each true class, the share predicted as each other."""
    counts, names = matrix.counts, matrix.names
    C = len(counts)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    longest = max(map(len, names))
    beside = 0.08 * longest  # inches that names take
    upright = longest > 3  # names that would run into one another
    figure = _figure(1.2 + beside + 0.5 * C, 1.0 + beside * upright + 0.5 * C)
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
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
