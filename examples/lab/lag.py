"""Lag against accuracy: how far back can an RNN, a GRU and an LSTM look?

    python examples/lab/lag.py
    python examples/lab/lag.py --seeds 10 --plot lag.png

The question: two symbols in a long line of others matter, an X or a Y each, and the answer is
which came when (temporal order, experiment 6a of Hochreiter & Schmidhuber 1997).  We make the
line longer and longer.  All cells have 16 units and are trained alike; one LSTM begins with
forget gates that are nearly open (bias 3).

Predict before you run it: at which length does each of the three give up?  Do GRU and LSTM
differ?  Does a network that fails guess (one answer in four is right), or does it know a half?

Sources: Hochreiter & Schmidhuber 1997, "Long short-term memory"; Bengio, Simard & Frasconi 1994,
"Learning long-term dependencies with gradient descent is difficult".

Seen, with 5 seeds (median, least to most):

    steps                   RNN                   GRU                  LSTM          LSTM, bias 3
    10      1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)
    20      1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)
    30      0.51 (0.25 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)
    40      0.25 (0.24 to 0.62)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)
    80      0.25 (0.23 to 0.29)   0.27 (0.25 to 0.28)   0.26 (0.25 to 0.28)   1.00 (1.00 to 1.00)

    yes  the shortest sequences are learned by all, with each seed
    yes  nine in ten are right up to (RNN: 20; GRU: 40; LSTM: 40; LSTM, bias 3: 80): the RNN gives
         up first
    yes  a forget bias of 3 takes the LSTM as far, or farther

GRU and LSTM get twice as far as the RNN, and do not differ from each other.  What makes the larger
difference is one number at the start: with open forget gates the same LSTM gets twice as far again,
and was not at its end.  Runs either learn the task or guess; there is hardly a half.  These are
lengths for 1,000 updates: with more, all get farther.
"""

import functools
from typing import NamedTuple

import numpy as np
from laboratory import Table, band, new_figure, right, run, spread, study, train

import rnnlite
from rnnlite import datasets

HIDDEN, BATCH = 16, 32
CELLS = {
    "RNN": rnnlite.RNN,
    "GRU": rnnlite.GRU,
    "LSTM": rnnlite.LSTM,
    "LSTM, bias 3": functools.partial(rnnlite.LSTM, forget_bias=3.0),
}


class Size(NamedTuple):
    """How large the experiment is."""

    steps: tuple  # lengths of the sequences
    updates: int
    seeds: int


FULL = Size(steps=(10, 20, 30, 40, 80), updates=1000, seeds=5)
QUICK = Size(steps=(10, 30), updates=300, seeds=2)


def accuracy(cell, steps, updates, seed):
    """What a network has learned of sequences of ``steps`` symbols: right, of 500 new ones."""
    rng = np.random.default_rng(seed)

    def batch():
        return datasets.temporal_order(BATCH, seed=int(rng.integers(2**31)), steps=steps)

    layers = CELLS[cell](8, HIDDEN, seed=seed), rnnlite.Dense(HIDDEN, 4, seed=seed + 1000)
    model = rnnlite.Sequential(layers)
    train(model, batch, updates, lr=0.01)
    return right(model, *datasets.temporal_order(500, seed=2**40, steps=steps))


def experiment(size):
    """Accuracies (lengths, seeds) by the cell."""
    table = Table(steps=5, **dict.fromkeys(CELLS, 20))
    results = {cell: [] for cell in CELLS}
    for steps in size.steps:
        for cell, rows in results.items():
            seeds = range(size.seeds)
            rows.append([accuracy(cell, steps, size.updates, seed) for seed in seeds])
        table.row(steps, *(spread(rows[-1]) for rows in results.values()))
    return {"steps": size.steps, **results}


def reach(results, cell):
    """The longest sequences of which a cell learned nine in ten."""
    learned = np.median(results[cell], axis=1) > 0.9
    return int(max(np.array(results["steps"])[learned], default=0))


def claims(results):
    """What should have come out."""
    reaches = {cell: reach(results, cell) for cell in CELLS}
    short = min(np.min(results[cell][0]) for cell in CELLS)
    told = "; ".join(f"{cell}: {steps}" for cell, steps in reaches.items())
    return [
        ("the shortest sequences are learned by all, with each seed", short > 0.9),
        (f"nine in ten are right up to ({told}): the RNN gives up first",
         reaches["RNN"] < min(reaches["GRU"], reaches["LSTM"])),
        ("a forget bias of 3 takes the LSTM as far, or farther",
         reaches["LSTM, bias 3"] >= reaches["LSTM"]),
    ]  # fmt: skip


def draw(results):
    """Accuracy against the length."""
    figure = new_figure(7.2, 4.0)
    axes = figure.subplots()
    for n, cell in enumerate(CELLS):
        band(axes, n, results["steps"], results[cell], cell)
    axes.axhline(0.25, color="0.6", lw=1, zorder=0)
    axes.text(results["steps"][0], 0.255, "a guess", color="0.4", va="bottom")
    axes.set(xlabel="steps of the sequence", ylabel="right, of 500 new sequences", ylim=(0.2, 1.02))
    axes.set_xticks(results["steps"])
    axes.legend(loc="center left")
    return figure


def main():
    """Train, print, draw."""
    study(__doc__, FULL, QUICK, experiment, claims, draw)


if __name__ == "__main__":
    run(main)
