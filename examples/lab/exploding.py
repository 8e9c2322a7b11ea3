"""Exploding gradients: the same training with and without clipping.

    python examples/lab/exploding.py
    python examples/lab/exploding.py --seeds 10 --plot exploding.png

The question: a tanh RNN learns by plain gradient descent which of two symbols came when (temporal
order, 20 steps).  Some of its gradients are fifty times as long as others.  What does a step along
one of these do, and what if each gradient is cut to a length of 1 at most?

Predict before you run it: with the smallest step size, does clipping help?  Which of the two
ways allows the larger step size, and how much larger?  Is clipping rare?

Source: Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks",
algorithm 1 and section 4.1, where the task is the same.

Seen, with 5 seeds (median, least to most):

    step size      gradient                   right        longest gradient  longer than 1
    0.01        not clipped     0.98 (0.63 to 1.00)      33.5 (7.4 to 51.8)          62.4%
    0.01            clipped     0.99 (0.61 to 0.99)     23.4 (14.9 to 37.8)          72.6%
    0.03        not clipped     1.00 (0.28 to 1.00)     30.1 (25.9 to 43.3)          48.5%
    0.03            clipped     1.00 (0.95 to 1.00)     35.8 (28.3 to 72.9)          64.8%
    0.1         not clipped     0.26 (0.22 to 0.27)      16.9 (6.1 to 37.8)          25.3%
    0.1             clipped     1.00 (1.00 to 1.00)     65.5 (33.6 to 86.3)          34.2%
    0.3         not clipped     0.24 (0.21 to 0.28)       7.8 (6.3 to 39.1)          11.7%
    0.3             clipped     1.00 (1.00 to 1.00)    41.7 (28.9 to 110.8)          22.0%
    1           not clipped     0.23 (0.22 to 0.27)     30.8 (21.8 to 95.5)          89.8%
    1               clipped     0.23 (0.22 to 0.28)  187.9 (28.3 to 1288.1)          57.5%

    yes  the largest step size that learns is 0.3 clipped, 0.03 not clipped: three times as large or
         more
    yes  up to that, 11 runs that were not clipped end with a guess, and 0 clipped ones: fewer

The smallest step size does as well without clipping, and in these 1,500 updates both are slow.
Clipping is not rare here: of ten gradients two to seven are cut, and most where the step size is
small.  Too large a step size fails with it as well: clipping bounds the length of a step to 1 times
the step size, not to what is right.  In the picture one can see when the run without clipping is
thrown off; it does not come back.
"""

from typing import NamedTuple

import numpy as np
from laboratory import Table, band, new_figure, right, run, spread, study, train

import rnnlite
from rnnlite import datasets
from rnnlite.inside.canvas import style

HIDDEN, BATCH, STEPS, LARGEST = 16, 25, 20, 1.0
WAYS = {"not clipped": None, "clipped": LARGEST}


class Size(NamedTuple):
    """How large the experiment is."""

    rates: tuple
    updates: int
    seeds: int


FULL = Size(rates=(0.01, 0.03, 0.1, 0.3, 1.0), updates=1500, seeds=5)
QUICK = Size(rates=(0.1,), updates=500, seeds=2)


def trained(rate, clip, updates, seed):
    """The accuracy at the end; norm of the gradient, and loss, at each update."""
    rng = np.random.default_rng(seed)

    def batch():
        return datasets.temporal_order(BATCH, seed=int(rng.integers(2**31)), steps=STEPS)

    layers = rnnlite.RNN(8, HIDDEN, seed=seed), rnnlite.Dense(HIDDEN, 4, seed=seed + 1000)
    model = rnnlite.Sequential(layers)
    losses, norms = train(model, batch, updates, lr=rate, clip=clip, optimizer=rnnlite.SGD)
    return right(model, *datasets.temporal_order(500, seed=2**40, steps=STEPS)), norms, losses


def experiment(size):
    """What ``trained`` gives, for each rate and seed, by the way."""
    table = Table(step_size=9, gradient=12, right=22, longest_gradient=22, longer_than_1=13)
    results = {way: [] for way in WAYS}
    for rate in size.rates:
        for way, clip in WAYS.items():
            runs = [trained(rate, clip, size.updates, seed) for seed in range(size.seeds)]
            accuracies, norms, _ = zip(*runs, strict=True)
            longer = np.mean(np.array(norms) > LARGEST)
            largest = spread(np.max(norms, axis=1), ".1f")
            table.row(f"{rate:g}", way, spread(accuracies), largest, f"{longer:.1%}")
            results[way].append(runs)
    return {"rates": size.rates, **results}


def accuracies(results, way):
    """Accuracies (rates, seeds)."""
    return np.array([[accuracy for accuracy, _, _ in runs] for runs in results[way]])


def claims(results):
    """What should have come out."""
    rates, largest, lost = np.array(results["rates"]), {}, {}
    for way in WAYS:
        learned = np.median(accuracies(results, way), axis=1) > 0.9
        largest[way] = max(rates[learned], default=0.0)
    within = rates <= largest["clipped"]
    for way in WAYS:
        lost[way] = int(np.sum(accuracies(results, way)[within] < 0.4))
    free, clipped = largest["not clipped"], largest["clipped"]
    return [
        (
            f"the largest step size that learns is {clipped:g} clipped, {free:g} not clipped: "
            "three times as large or more",
            clipped > 2.9 * free,
        ),
        (
            f"up to that, {lost['not clipped']} runs that were not clipped end with a guess, and "
            f"{lost['clipped']} clipped ones: fewer",
            lost["not clipped"] > lost["clipped"],
        ),
    ]


def draw(results):
    """Accuracy against the step size; losses and norms of one run each way."""
    figure = new_figure(9.6, 4.2)
    left, beside = figure.subfigures(1, 2)
    axes, rates = left.subplots(), results["rates"]
    for n, way in enumerate(WAYS):
        band(axes, n, rates, accuracies(results, way), way)
    axes.axhline(0.25, color="0.6", lw=1, zorder=0)
    axes.set(xscale="log", xlabel="step size", ylabel="right, of 500 new sequences")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.legend()
    # The smallest step size at which it makes a difference.
    gain = -np.subtract(*(np.median(accuracies(results, way), axis=1) for way in WAYS))
    shown = int(np.argmax(gain > 0.5)) if (gain > 0.5).any() else int(gain.argmax())
    losses, norms = beside.subplots(2, 1, sharex=True)
    for n, way in enumerate(WAYS):
        _, lengths, loss = results[way][shown][0]
        smooth = np.convolve(loss, np.ones(25) / 25, "valid")
        line = {"color": style(n)["color"], "ls": style(n)["ls"]}
        losses.plot(smooth, **line, label=way)
        norms.semilogy(lengths, color=line["color"], lw=0.6, alpha=0.8)
    losses.set(title=f"one seed, step size {rates[shown]:g}", ylabel="loss")
    losses.legend(fontsize=9)
    norms.axhline(LARGEST, color="0.4", lw=1)
    norms.set(xlabel="update", ylabel="length of the gradient")
    return figure


def main():
    """Train, print, draw."""
    study(__doc__, FULL, QUICK, experiment, claims, draw)


if __name__ == "__main__":
    run(main)
