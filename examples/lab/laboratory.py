"""What the laboratories share: options, training, a table with its spread, claims, a picture."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))  # where command_line.py is
from command_line import number, picture, run

import rnnlite
from rnnlite.inside.canvas import style
from rnnlite.training.plots import new_figure

__all__ = ["Table", "band", "dots", "new_figure", "right", "run", "spread", "study", "train"]


# ---- a program -----------------------------------------------------------------------------------


def study(doc, full, quick, experiment, claims, draw):
    """Run a laboratory as its command line says.

    Parameters
    ----------
    doc : str
        The docstring of the program; its first line says what it is.
    full, quick : NamedTuple
        How large it is, and with ``--quick``; each has a field ``seeds``.
    experiment : function ``(size) -> results``
        Trains, and prints a table.
    claims : function ``(results) -> list of (sentence, bool)``
        What should have come out, and whether it did.
    draw : function ``(results) -> matplotlib.figure.Figure``
        The picture.
    """
    args = options(doc, full.seeds, quick.seeds)
    size = quick if args.quick else full
    if args.seeds is not None:
        size = size._replace(seeds=args.seeds)
    began = time.perf_counter()
    results = experiment(size)
    print(f"\n{time.perf_counter() - began:.0f} s; median of {size.seeds} seeds (least to most)\n")
    for sentence, holds in claims(results):
        print(f"{'yes' if holds else 'NO':3}  {sentence}")
    if args.plot is not None:
        draw(results).savefig(args.plot, dpi=150)


def options(doc, seeds, quick_seeds):
    """What the command line says."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    add = parser.add_argument
    add(
        "--seeds",
        type=number(int, 1, 1000),
        metavar="N",
        help=f"train with the seeds 0 to N - 1 (default: {seeds}; with --quick {quick_seeds})",
    )
    add("--plot", type=picture, metavar="FILE", help="draw a picture into this file")
    add("--quick", action="store_true", help="a smaller experiment, in some seconds")
    return parser.parse_args()


# ---- training ------------------------------------------------------------------------------------


def train(model, batch, steps, lr, clip=1.0, optimizer=rnnlite.Adam):
    """Train on ever new batches, with softmax cross-entropy.

    Parameters
    ----------
    model : rnnlite.Layer
    batch : function ``() -> (x, y)`` or ``(x, y, lengths)``
    steps : int
    lr : float
    clip : float or None
        Largest norm of the gradient; None leaves it as it is.
    optimizer : class

    Returns
    -------
    losses, norms : numpy.ndarray (steps,)
        The loss, and the norm of the gradient before it was clipped, at each step.
    """
    optimizer = optimizer(model, lr=lr)
    losses, norms = np.empty(steps), np.empty(steps)
    for step in range(steps):
        x, y, *rest = batch()
        lengths = rest[0] if rest else None
        logits = model.forward(x, lengths=lengths, training=True)
        if logits.ndim == 2:  # one answer a row: what is padded is behind it
            lengths = None
        losses[step], dlogits = rnnlite.softmax_cross_entropy(logits, y, lengths=lengths)
        model.backward(dlogits, need_dx=False)
        if clip is None:
            norms[step] = rnnlite.gradient_norm(model)
        else:
            norms[step] = rnnlite.clip_gradients(model, clip)
        optimizer.step()
    return losses, norms


def right(model, x, y, lengths=None):
    """The share of answers that are right."""
    return rnnlite.evaluate(model, x, y, lengths=lengths).accuracy


# ---- what is shown -------------------------------------------------------------------------------


def spread(values, form=".2f"):
    """One number a seed, as a table shows them.

    >>> spread([0.5, 1.0, 0.9])
    '0.90 (0.50 to 1.00)'
    """
    middle, least, most = np.median(values), np.min(values), np.max(values)
    return f"{middle:{form}} ({least:{form}} to {most:{form}})"


class Table:
    """A table that is printed row by row, as the rows are measured."""

    def __init__(self, **widths):
        """``widths``: of each column, by its name (``_`` is a space)."""
        self.widths = list(widths.values())
        self.row(*(name.replace("_", " ") for name in widths))

    def row(self, *cells):
        """Print a row; the first column stands left, the others right."""
        first, *others = zip(cells, self.widths, strict=True)
        text = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
        print("  ".join(text), flush=True)


def band(axes, n, x, values, label):
    """Line n through the medians of ``values`` (len(x), seeds), and the range around it."""
    line = style(n)
    axes.fill_between(
        x, np.min(values, 1), np.max(values, 1), color=line["color"], alpha=0.15, lw=0
    )
    axes.plot(x, np.median(values, 1), **line, label=label)


def dots(axes, values, form="o"):
    """A row for each name of ``values``: a dot for each seed, a bar at their median."""
    for row, numbers in enumerate(values.values()):
        axes.plot(numbers, [row] * len(numbers), form, color="#0072B2", alpha=0.6, ms=6)
        axes.plot(np.median(numbers), row, "|", color="black", ms=18, mew=2.5)
    axes.set_yticks(range(len(values)), values)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.grid(axis="y", color="0.9")
