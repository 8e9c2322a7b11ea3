"""Who can count?  Strings a^n b^n, learned short, tried long.

    python examples/lab/counting.py
    python examples/lab/counting.py --seeds 10 --plot counting.png

The question: a network reads a^n b^n symbol by symbol and foretells the next one.  Once it has
seen the first b it can know all the rest, if it has counted the a's.  It learns strings with
n <= 30.  Up to which n does it foretell each b, and the end, at the right place?

Predict before you run it: which of a tanh RNN, a ReLU RNN, a GRU and an LSTM go beyond what they
have seen?  Think of what each can do to a state: add 1 to it, again and again?

Sources: Gers & Schmidhuber 2001, "LSTM recurrent networks learn simple context-free and
context-sensitive languages"; Weiss, Goldberg & Yahav 2018, "On the practical computational power
of finite precision RNNs for language recognition".

Seen, with 5 seeds (median, least to most):

    cell               right up to n  farther than seen  all n tried
    tanh RNN              4 (0 to 6)             0 of 5       0 of 5
    GRU                 29 (7 to 33)             2 of 5       0 of 5
    ReLU RNN            12 (0 to 22)             0 of 5       0 of 5
    LSTM             109 (81 to 161)             5 of 5       0 of 5

    yes  each LSTM counts farther than 30, the longest it has seen
    yes  most LSTMs count to more than 45
    yes  no other network does (the best: 33)

The LSTM's c goes down by about 1 with each a, and up with each b: a counter (look at the picture).
The GRU's h is between -1 and 1, and an average: none of the five went farther than 33.  The ReLU
RNN could count, as Weiss and others show by construction; trained like this, it did not find out.
With 8 units and smaller steps one of them reached 48: how wide the gap is depends on the setting.
"""

from typing import NamedTuple

import numpy as np
from laboratory import Table, dots, new_figure, run, spread, study, train

import rnnlite
from rnnlite import datasets, inside

BATCH, SEEN = 20, 30  # the largest n in training


def relu(input_size, hidden_size, **options):
    """A ReLU RNN that begins as a memory (Le, Jaitly & Hinton 2015)."""
    return rnnlite.RNN(input_size, hidden_size, "relu", wh_init="identity", **options)


CELLS = {"tanh RNN": rnnlite.RNN, "GRU": rnnlite.GRU, "ReLU RNN": relu, "LSTM": rnnlite.LSTM}


class Size(NamedTuple):
    """How large the experiment is."""

    cells: tuple
    hidden: int
    updates: int
    longest: int  # n that is tried
    seeds: int


FULL = Size(cells=tuple(CELLS), hidden=16, updates=1000, longest=300, seeds=5)
QUICK = Size(cells=("GRU", "LSTM"), hidden=16, updates=500, longest=100, seeds=2)


def strings(ns):
    """Strings a^n b^n: one-hot x (B, T, 3), the next symbols y (B, T), lengths, the count."""
    ns = np.asarray(ns)
    data = datasets.anbn(None, largest=ns.max())  # row n - 1 is a^n b^n, behind an S
    x = data.x[ns - 1, 1:][..., [1, 2, 0]]  # a, b, end
    count = (x[..., 0] - x[..., 1]).cumsum(axis=1)  # a's so far, less b's so far
    return x, (data.y[ns - 1, 1:] - 1) % 3, data.lengths[ns - 1] - 1, count


def reach(model, longest):
    """The largest N such that all strings with n = 1 to N are foretold, after their first b."""
    x, y, lengths, _ = strings(np.arange(1, longest + 1))
    said = model(x, lengths=lengths).argmax(axis=2)
    asked = (x[..., 1] == 1) & (np.arange(x.shape[1]) < lengths[:, None])
    wrong = ((said != y) & asked).any(axis=1)
    return int(wrong.argmax()) if wrong.any() else longest


def trained(cell, hidden, updates, seed):
    """A network of this cell, trained on short strings."""
    rng = np.random.default_rng(seed)
    layer = CELLS[cell](3, hidden, return_sequences=True, seed=seed)
    model = rnnlite.Sequential([layer, rnnlite.Dense(hidden, 3, seed=seed + 1000)])

    def batch():
        return strings(rng.integers(1, SEEN + 1, BATCH))[:3]

    train(model, batch, updates, lr=0.02)
    return model


def experiment(size):
    """Reaches (seeds,) and the model that reaches farthest, by the cell."""
    table = Table(cell=8, right_up_to_n=22, farther_than_seen=17, all_n_tried=11)
    results = {}
    for cell in size.cells:
        models = [trained(cell, size.hidden, size.updates, seed) for seed in range(size.seeds)]
        far = np.array([reach(model, size.longest) for model in models])
        results[cell] = far, models[far.argmax()]
        beyond, all_tried = np.sum(far > SEEN), np.sum(far == size.longest)
        table.row(cell, spread(far, ".0f"), *(f"{k} of {size.seeds}" for k in (beyond, all_tried)))
    return results


def claims(results):
    """What should have come out."""
    others = max(far.max() for cell, (far, _) in results.items() if cell != "LSTM")
    lstm, half = results["LSTM"][0], 1.5 * SEEN
    return [
        (f"each LSTM counts farther than {SEEN}, the longest it has seen", lstm.min() > SEEN),
        (f"most LSTMs count to more than {half:.0f}", np.median(lstm) > half),
        (f"no other network does (the best: {others})", others <= half),
    ]


def draw(results):
    """How far each network counts; and what one unit of the best LSTM and GRU does meanwhile."""
    figure = new_figure(8.2, 6.6)
    axes = figure.subplots(3, 1)
    dots(axes[0], {cell: far for cell, (far, _) in results.items()})
    axes[0].axvline(SEEN, color="0.4", lw=1, ls="--")
    axes[0].set_xlabel(f"foretold up to n (each dot a seed; dashed: seen in training, {SEEN})")
    ns = (10, 30, 60)
    x, _, lengths, count = strings(ns)
    for place, cell in zip(axes[1:], ("LSTM", "GRU"), strict=True):
        found = rnnlite.trace(results[cell][1], x, lengths=lengths)
        labels = [f"a$^{{{n}}}$b$^{{{n}}}$" for n in ns]
        inside.plot_counting(found, count, row=range(len(ns)), labels=labels, ax=place)
        place.set_title(f"{cell}: {place.get_title()}", fontsize=10)
    return figure


def main():
    """Train, print, draw."""
    study(__doc__, FULL, QUICK, experiment, claims, draw)


if __name__ == "__main__":
    run(main)
