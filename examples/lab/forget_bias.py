"""A sweep over the initial bias of the forget gate: is 1 enough?

    python examples/lab/forget_bias.py
    python examples/lab/forget_bias.py --seeds 10 --plot forget_bias.png

The question: the first symbol of a line is an A or a B, and after ``lag`` others, which mean
nothing, the LSTM is asked which.  At the beginning of training its forget gates stand at
f = sigmoid(bias), so a cell state holds for about 1/(1 - f) = 1 + e^bias steps.  From which bias
on is a lag learned?

Predict before you run it: for each lag the smallest bias that does.  (A sentence to start from:
f^lag should not be nearly 0.)  Does a bias that is far too large do harm?

Sources: Jozefowicz, Zaremba & Sutskever 2015, "An empirical exploration of recurrent network
architectures" (a bias of 1); Gers, Schmidhuber & Cummins 2000, "Learning to forget"; Tallec &
Ollivier 2018, "Can recurrent neural networks warp time?" (a bias of about log(lag)).

Seen, with 5 seeds (median, least to most):

    bias        f                  lag 10                  lag 30                  lag 90
    -2     0.1192     0.52 (0.48 to 0.52)     0.48 (0.48 to 0.52)     0.51 (0.48 to 0.52)
    -1     0.2689     1.00 (0.51 to 1.00)     0.48 (0.48 to 0.52)     0.51 (0.48 to 0.52)
    0      0.5000     1.00 (1.00 to 1.00)     0.48 (0.48 to 0.52)     0.49 (0.48 to 0.52)
    1      0.7311     1.00 (1.00 to 1.00)     1.00 (0.48 to 1.00)     0.48 (0.47 to 0.52)
    2      0.8808     1.00 (1.00 to 1.00)     1.00 (1.00 to 1.00)     0.48 (0.46 to 1.00)
    3      0.9526     1.00 (1.00 to 1.00)     1.00 (1.00 to 1.00)     0.50 (0.48 to 1.00)
    4      0.9820     1.00 (1.00 to 1.00)     1.00 (1.00 to 1.00)     0.52 (0.48 to 1.00)
    5      0.9933     1.00 (1.00 to 1.00)     1.00 (1.00 to 1.00)     1.00 (1.00 to 1.00)
    6      0.9975     1.00 (1.00 to 1.00)     1.00 (1.00 to 1.00)     1.00 (0.52 to 1.00)
    8      0.9997     1.00 (1.00 to 1.00)     1.00 (1.00 to 1.00)     1.00 (0.48 to 1.00)

    yes  a longer lag asks for a larger bias (lag 10 from -1, lag 30 from 1, lag 90 from 5)
    yes  a bias of 0 is not enough for a lag of 30 and more: all runs guess
    yes  the largest bias that is tried does no harm to most runs

1 was enough for a lag of 30 in most runs; it is not enough for 90.  log(lag), 2.3, 3.4 and 4.5, was
enough each time, or nearly, and more than that did little harm.  A lag of 10 was learned even from
f = 0.27: the gate is trained, too.
"""

from typing import NamedTuple

import numpy as np
from laboratory import Table, band, new_figure, right, run, spread, study, train

import rnnlite
from rnnlite.inside.canvas import style

HIDDEN, BATCH = 16, 32


class Size(NamedTuple):
    """How large the experiment is."""

    biases: tuple
    lags: tuple
    updates: int
    seeds: int


FULL = Size(biases=(-2, -1, 0, 1, 2, 3, 4, 5, 6, 8), lags=(10, 30, 90), updates=300, seeds=5)
QUICK = Size(biases=(-2, 0, 4), lags=(10, 30), updates=150, seeds=2)


def first_symbol(rng, n, lag):
    """A or B (0 or 1), then ``lag`` times C or D: one-hot (n, lag + 1, 4); and which it was."""
    y = rng.integers(0, 2, n)
    symbols = rng.integers(2, 4, (n, lag + 1))
    symbols[:, 0] = y
    return np.eye(4, dtype="float32")[symbols], y


def accuracy(bias, lag, updates, seed):
    """What an LSTM has learned: right, of 1,000 new sequences."""
    rng = np.random.default_rng(seed)
    lstm = rnnlite.LSTM(4, HIDDEN, forget_bias=bias, seed=seed)
    model = rnnlite.Sequential([lstm, rnnlite.Dense(HIDDEN, 2, seed=seed + 1000)])
    train(model, lambda: first_symbol(rng, BATCH, lag), updates, lr=0.01)
    return right(model, *first_symbol(np.random.default_rng(2**40), 1000, lag))


def experiment(size):
    """Accuracies (biases, seeds) by the lag."""
    table = Table(bias=5, f=6, **{f"lag_{lag}": 22 for lag in size.lags})
    results = {lag: [] for lag in size.lags}
    for bias in size.biases:
        for lag, rows in results.items():
            seeds = range(size.seeds)
            rows.append([accuracy(bias, lag, size.updates, seed) for seed in seeds])
        f = 1 / (1 + np.exp(-bias))
        table.row(bias, f"{f:.4f}", *(spread(rows[-1]) for rows in results.values()))
    return {"biases": size.biases, "lags": results}


def smallest(results):
    """The smallest bias with which nine in ten are right, by the lag; infinite if none is."""
    found = {}
    for lag, values in results["lags"].items():
        learned = np.median(values, axis=1) > 0.9
        found[lag] = min(np.array(results["biases"])[learned], default=np.inf)
    return found


def claims(results):
    """What should have come out."""
    found, biases = smallest(results), list(results["biases"])
    grows = bool((np.diff(list(found.values())) > 0).all())
    told = ", ".join(f"lag {lag} from {bias:g}" for lag, bias in found.items())
    zero = max(np.max(results["lags"][lag][biases.index(0)]) for lag in found if lag >= 30)
    last = min(np.median(values[-1]) for values in results["lags"].values())
    return [
        (f"a longer lag asks for a larger bias ({told})", grows),
        ("a bias of 0 is not enough for a lag of 30 and more: all runs guess", zero < 0.6),
        ("the largest bias that is tried does no harm to most runs", last > 0.9),
    ]


def draw(results):
    """Accuracy against the bias, a line for each lag."""
    figure = new_figure(7.2, 4.0)
    axes = figure.subplots()
    for n, (lag, values) in enumerate(results["lags"].items()):
        band(axes, n, results["biases"], values, f"lag {lag}")
        axes.axvline(np.log(lag), color=style(n)["color"], lw=0.8, alpha=0.6)
    axes.axhline(0.5, color="0.6", lw=1, zorder=0)
    axes.set_xlabel("initial bias of the forget gate; a thin line stands at log(lag)")
    axes.set(ylabel="right, of 1,000 new sequences", ylim=(0.45, 1.02))
    axes.legend(loc="center left")
    return figure


def main():
    """Train, print, draw."""
    study(__doc__, FULL, QUICK, experiment, claims, draw)


if __name__ == "__main__":
    run(main)
