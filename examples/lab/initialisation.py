"""The first Wh: orthogonal, identity, Glorot, normal of several sizes.

    python examples/lab/initialisation.py
    python examples/lab/initialisation.py --seeds 10 --plot initialisation.png

The question: a vanilla RNN, with tanh and with ReLU, learns which symbol a line began with.  All
that differs is what Wh is before training.  Which ones let it look back 40 steps?

Predict before you run it: which Wh is best for tanh, which one for ReLU?  How much of a gradient at
the last step arrives at the first, before training, with each?

Sources: Saxe, McClelland & Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in
deep linear neural networks" (orthogonal); Le, Jaitly & Hinton 2015, "A simple way to initialize
recurrent networks of rectified linear units" (identity); Glorot & Bengio 2010, "Understanding the
difficulty of training deep feedforward neural networks".

Seen, with 5 seeds (median, least to most):

    Wh                f             gradient that arrives                   right
    orthogonal     tanh      4.2e-03 (1.7e-03 to 8.7e-03)     1.00 (0.48 to 1.00)
    identity       tanh      1.2e-02 (9.1e-03 to 5.9e-02)     0.48 (0.48 to 1.00)
    Glorot         tanh      1.3e-03 (4.8e-04 to 5.2e-02)     1.00 (0.48 to 1.00)
    normal, 0.1    tanh      0.0e+00 (0.0e+00 to 0.0e+00)     0.50 (0.48 to 0.52)
    normal, 0.5    tanh      9.1e-13 (1.1e-13 to 3.4e-12)     0.50 (0.47 to 0.52)
    normal, 1      tanh      3.0e-03 (1.1e-03 to 4.6e-02)     1.00 (0.48 to 1.00)
    normal, 2      tanh      5.7e+01 (1.2e+01 to 1.4e+02)     1.00 (1.00 to 1.00)
    orthogonal     relu      5.5e-07 (1.9e-08 to 9.8e-06)     0.50 (0.49 to 0.51)
    identity       relu      6.7e-01 (5.9e-01 to 7.6e-01)     1.00 (1.00 to 1.00)
    Glorot         relu      1.3e-06 (2.8e-07 to 1.6e-04)     0.50 (0.48 to 0.52)
    normal, 0.1    relu      0.0e+00 (0.0e+00 to 0.0e+00)     0.51 (0.49 to 0.52)
    normal, 0.5    relu      6.9e-19 (2.2e-20 to 4.7e-18)     0.52 (0.49 to 0.52)
    normal, 1      relu      1.8e-07 (1.8e-08 to 1.6e-03)     0.50 (0.48 to 0.52)
    normal, 2      relu      9.5e+04 (6.1e+02 to 1.2e+10)     1.00 (0.50 to 1.00)

    yes  ReLU: identity learns it with each seed
    yes  none of the runs learns it to which less than a millionth of the gradient arrives
    yes  ReLU: orthogonal and Glorot do not learn it
    yes  tanh: orthogonal learns it, in more than half of the runs

With ReLU only identity keeps the gradient as it was, and it learns each time.  With tanh the
differences are small among all that keep a thousandth of the gradient or more, and of these
identity is the worst, though more arrives than with orthogonal: it is not the gradient alone.
Where nothing arrives, nothing is learned.  A Wh that is too large (normal, 2) was no harm to most
runs: clipped, a gradient may explode.
"""

from typing import NamedTuple

import numpy as np
from laboratory import Table, new_figure, right, run, spread, study, train

import rnnlite
from rnnlite import initializers
from rnnlite.inside.canvas import style

HIDDEN, BATCH = 32, 32
ACTIVATIONS = ("tanh", "relu")
NOTHING = 1e-25  # where what is less is drawn


def normal(size):
    """Independent entries, so small that Wh has a spectral radius of about ``size``."""
    return lambda rng: initializers.normal(rng, HIDDEN, HIDDEN, std=size / HIDDEN**0.5)


FIRST = {
    "orthogonal": lambda rng: initializers.orthogonal(rng, HIDDEN, HIDDEN),
    "identity": lambda rng: initializers.identity(rng, HIDDEN, HIDDEN, HIDDEN),
    "Glorot": lambda rng: initializers.glorot_uniform(rng, HIDDEN, HIDDEN),
    "normal, 0.1": normal(0.1),
    "normal, 0.5": normal(0.5),
    "normal, 1": normal(1.0),
    "normal, 2": normal(2.0),
}


class Size(NamedTuple):
    """How large the experiment is."""

    first: tuple
    lag: int
    updates: int
    seeds: int


FULL = Size(first=tuple(FIRST), lag=40, updates=500, seeds=5)
QUICK = Size(first=("identity", "normal, 0.5"), lag=40, updates=150, seeds=2)


def first_symbol(rng, n, lag):
    """A or B (0 or 1), then ``lag`` times C or D: one-hot (n, lag + 1, 4); and which it was."""
    y = rng.integers(0, 2, n)
    symbols = rng.integers(2, 4, (n, lag + 1))
    symbols[:, 0] = y
    return np.eye(4, dtype="float32")[symbols], y


def network(first, activation, seed):
    """An RNN that begins with this Wh, and two answers."""
    rnn = rnnlite.RNN(4, HIDDEN, activation, seed=seed)
    rnn.params["Wh"] = FIRST[first](np.random.default_rng(seed))
    return rnnlite.Sequential([rnn, rnnlite.Dense(HIDDEN, 2, seed=seed + 1000)])


def arrives(model, lag, seed):
    """How long dh is at the first step, where it is 1 at the last."""
    x, y = first_symbol(np.random.default_rng(seed), 100, lag)
    dh = np.linalg.norm(rnnlite.trace(model, x, labels=y)["0"].dh, axis=2)
    return np.median(dh[:, 0] / dh[:, -1])


def accuracy(first, activation, lag, updates, seed):
    """What arrives of the gradient before training; right, of 1,000 new sequences, after it."""
    rng, model = np.random.default_rng(seed), network(first, activation, seed)
    before = arrives(model, lag, seed)
    train(model, lambda: first_symbol(rng, BATCH, lag), updates, lr=0.003)
    return before, right(model, *first_symbol(np.random.default_rng(2**40), 1000, lag))


def experiment(size):
    """Shares of the gradient and accuracies, each (seeds,), by Wh and activation."""
    table = Table(Wh=12, f=5, gradient_that_arrives=32, right=22)
    results = {}
    for activation in ACTIVATIONS:
        for first in size.first:
            runs = [
                accuracy(first, activation, size.lag, size.updates, seed)
                for seed in range(size.seeds)
            ]
            arriving, correct = results[first, activation] = np.transpose(runs)
            table.row(first, activation, spread(arriving, ".1e"), spread(correct))
    return results


def claims(results):
    """What should have come out."""
    arriving, correct = np.concatenate(list(results.values()), axis=1)
    middle = {key: np.median(right) for key, (_, right) in results.items()}
    told = [
        ("ReLU: identity learns it with each seed", results["identity", "relu"][1].min() > 0.9),
        ("none of the runs learns it to which less than a millionth of the gradient arrives",
         correct[arriving < 1e-6].max() < 0.6),
    ]  # fmt: skip
    if ("orthogonal", "relu") in middle:
        others = max(middle["orthogonal", "relu"], middle["Glorot", "relu"])
        told.append(("ReLU: orthogonal and Glorot do not learn it", others < 0.6))
        learned = middle["orthogonal", "tanh"] > 0.9
        told.append(("tanh: orthogonal learns it, in more than half of the runs", learned))
    return told


def draw(results):
    """Each run: what arrived of the gradient before training, and what was learned."""
    figure = new_figure(9.6, 4.2)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, activation in zip(panels, ACTIVATIONS, strict=True):
        for n, first in enumerate(FIRST):
            if (first, activation) in results:
                arriving, right = results[first, activation]
                line = {**style(n), "ls": "", "ms": 7, "alpha": 0.7}
                axes.plot(np.maximum(arriving, NOTHING), right, **line, label=first)
        axes.set(xscale="log", title={"tanh": "tanh", "relu": "ReLU"}[activation])
        axes.set_xlabel(
            "gradient at the first step, before training\n(at the last: 1; 0 stands at $10^{-25}$)"
        )
        axes.axhline(0.5, color="0.6", lw=1, zorder=0)
    panels[0].set_ylabel("right, of 1,000 new sequences")
    panels[1].legend(title="first Wh", loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def main():
    """Train, print, draw."""
    study(__doc__, FULL, QUICK, experiment, claims, draw)


if __name__ == "__main__":
    run(main)
