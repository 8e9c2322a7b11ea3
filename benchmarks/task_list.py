"""What benchmarks/tasks.py runs: each task with its criterion, and what its paper reports."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import rnnlite
from rnnlite import datasets


@dataclass(frozen=True)
class Recipe:
    """How a task is learned: what differs from one to the other."""

    hidden: int
    lr: float
    limit: int  # sequences, at most
    batch: int = 50
    half: int = 0  # sequences n after which lr has fallen to a half, as lr / (1 + sequences / n)
    forget_bias: float = 1.0
    memory: int = 0  # steps: units with time constants up to here, instead of one forget_bias
    drive: float = 0.0  # the bound of the first weights of the input, instead of Glorot's
    peephole: bool = False
    last: float = 0.0  # the last step's share of a loss of every step, instead of an equal one


@dataclass(frozen=True)
class Task:
    """A task, and how it is learned and judged."""

    title: str
    criterion: str
    published: str
    inputs: int
    outputs: int
    recipe: Recipe
    draw: Callable  # (n, seed) -> data
    loss: Callable  # (outputs, data) -> (loss, gradient); classes_of_steps takes ``last``, too
    solved: Callable  # (model, data, outputs, seed) -> bool
    figure: Callable  # (model, seed) -> what is measured of the trained network
    what: str  # it is
    per_step: bool = False


# ---- losses ------------------------------------------------------------------------------------


def classes(y, data):
    """Cross-entropy of one class a row."""
    return rnnlite.softmax_cross_entropy(y, data.y)


def classes_of_steps(y, data, last=0.0):
    """Cross-entropy of one class a step; ``last`` is the share of the last, 0 for an equal one."""
    weights, lengths = None, getattr(data, "lengths", None)
    if last:
        n, steps, _ = y.shape
        ends = np.full(n, steps) if lengths is None else lengths
        weights = np.repeat((1 - last) / (ends[:, None] - 1), steps, axis=1)
        weights[np.arange(n), ends - 1] = last
    return rnnlite.softmax_cross_entropy(y, data.y, lengths=lengths, weights=weights)


def legal_symbols(y, data):
    """Cross-entropy of a yes or no for each symbol."""
    return rnnlite.binary_cross_entropy(y, data.legal, lengths=data.lengths)


def values(y, data):
    """Squared error, where it counts."""
    return rnnlite.mean_squared_error(y, data.y, mask=getattr(data, "mask", None))


def probabilities(scores):
    """Softmax of the last axis."""
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---- criteria ----------------------------------------------------------------------------------

NEW = 10**9  # seeds from here on are those of sequences to judge by


def ask(model, data):
    """Outputs of a network."""
    return model(data.x, lengths=getattr(data, "lengths", None))


def by_the_latest(experiment, outputs=lambda y: y):
    """Solved by the outputs of the piece that was just learned."""
    return lambda model, data, said, seed: datasets.experiment_solved(
        outputs(said), data.y, experiment
    )


def of_2560(experiment, draw, outputs=lambda y: y):
    """Figure: wrong ones of 2,560 new sequences."""

    def figure(model, seed):
        data = draw(2560, NEW + seed)
        right = datasets.experiment_correct(outputs(ask(model, data)), data.y, experiment)
        return int(np.sum(~right))

    return figure


def lag_right(form, scores, y):
    """Which sequences are right: at every step in 2a, at the last in 2b and 2c."""
    if form == "2b":
        scores, y = scores[:, -1], y[:, -1]
    return datasets.experiment_correct(probabilities(scores), y, form)


def lag_solved(form, draw):
    """Solved if 10,000 new sequences are right; asked once all of the latest 500 are."""

    def solved(model, data, said, seed):
        if not lag_right(form, said[-500:], data.y[-500:]).all():
            return False
        parts = (draw(500, NEW + 100 * seed + part) for part in range(20))
        return all(lag_right(form, ask(model, part), part.y).all() for part in parts)

    return solved


def lag_wrong(form, draw):
    """Figure: wrong ones of 2,560 other new sequences."""

    def figure(model, seed):
        parts = (draw(512, 2 * NEW + 100 * seed + part) for part in range(5))
        return int(sum(np.sum(~lag_right(form, ask(model, part), part.y)) for part in parts))

    return figure


def two_solved(form, draw):
    """Solved by 256 new sequences."""

    def solved(model, data, said, seed):
        new = draw(256, NEW + seed)
        return datasets.experiment_solved(ask(model, new), new.expected, form)

    return solved


def two_wrong(form, draw):
    """Figure: the fraction misclassified of 2,560 other new sequences."""

    def figure(model, seed):
        new = draw(2560, 2 * NEW + seed)
        return float(np.mean(~datasets.experiment_correct(ask(model, new), new.expected, form)))

    return figure


def counts_accepted(make, most=200):
    """Figure: the largest n up to which all strings are accepted."""

    def figure(model, seed=None):
        data = make(None, largest=most)
        accepted = datasets.strings_accepted(ask(model, data), data.legal, data.lengths)
        return most if accepted.all() else int(np.argmin(accepted))

    return figure


def spikes_right(draw, trains=10, spikes=1000):
    """Figure: trains of 1,000 spikes that are right, of ten."""

    def figure(model, seed):
        data = draw(trains, NEW + seed, spikes)
        right = datasets.spikes_correct(ask(model, data), data.y, data.mask)
        return int(right.sum())

    return figure


def copied(model, data):
    """Share of sequences whose last ten symbols are all right."""
    return float(np.mean((ask(model, data)[:, -10:].argmax(-1) == data.y[:, -10:]).all(axis=1)))


# ---- tasks -------------------------------------------------------------------------------------


def reber():
    """Embedded Reber grammar: 256 strings to train, 256 others to test."""
    sets = {}

    def both(seed):
        if seed not in sets:
            train = datasets.embedded_reber(256, seed=2 * seed)
            test = datasets.embedded_reber(256, seed=2 * seed + 1, exclude=train)
            sets[seed] = train, test
        return sets[seed]

    def draw(n, seed):
        train, _ = both(seed // 10_000 - 1)
        chosen = np.random.default_rng(seed).integers(0, 256, n)
        return type(train)(*(array[chosen] for array in train))

    def wrong(model, seed):
        parts = both(seed)
        return int(
            sum(
                np.sum(~datasets.reber_correct(ask(model, part), part.legal, part.lengths))
                for part in parts
            )
        )

    return Task(
        "embedded Reber grammar", "all 256 strings of training and 256 of test right",
        "100 % of 30 runs, after 8,440", 7, 7, Recipe(16, 0.02, 200_000), draw, classes_of_steps,
        lambda model, data, said, seed: wrong(model, seed) == 0, wrong, "of 512 wrong", True,
    )  # fmt: skip


def numbers(make, experiment, published, title, criterion, limit):
    """Adding and multiplication."""

    def draw(n, seed):
        return make(n, 100, seed)

    return Task(
        title, criterion, published, 2, 1, Recipe(32, 0.005, limit, half=50_000, memory=100),
        draw, values, by_the_latest(experiment), of_2560(experiment, draw), "of 2,560 wrong",
    )  # fmt: skip


def order(experiment, relevant, published, limit):
    """Temporal order."""

    def draw(n, seed):
        return datasets.temporal_order(n, relevant, seed)

    return Task(
        f"temporal order, {relevant} symbols of 100",
        "the latest 2,000 within 0.3, mean error below 0.1", published,
        8, 2**relevant, Recipe(32, 0.005, limit, half=50_000, memory=100), draw, classes,
        by_the_latest(experiment, probabilities), of_2560(experiment, draw, probabilities),
        "of 2,560 wrong",
    )  # fmt: skip


LAG_CRITERIA = {
    "2a": "10,000 new ones within 0.25 at every step",
    "2b": "10,000 new ones within 0.25 at the last step",
    "2c": "10,000 new ones within 0.2",
}


def lag(form, steps, published, recipe):
    """Long time lags."""

    def draw(n, seed):
        return datasets.long_lag(n, steps, seed, form=form)

    whole = form != "2c"
    return Task(
        f"long time lag {form}, {steps} symbols between",
        LAG_CRITERIA[form], published,
        steps + (1 if whole else 4), steps + 1 if whole else 2, recipe, draw,
        classes_of_steps if whole else classes, lag_solved(form, draw), lag_wrong(form, draw),
        "of 2,560 wrong", whole,
    )  # fmt: skip


def two(form, published, criterion):
    """Two sequences."""

    def draw(n, seed):
        return datasets.two_sequence(n, 100, seed, form=form, relevant=3)

    return Task(
        f"two sequences {form}, T = 100, N = 3", criterion, published,
        1, 1, Recipe(16, 0.005, 400_000, half=20_000, memory=100), draw, values,
        two_solved(form, draw), two_wrong(form, draw), "misclassified",
    )  # fmt: skip


def counting(make, language, symbols, published):
    """a^n b^n, a^n b^n c^n."""

    def draw(n, seed):
        return make(n, 10, seed)

    accepted = counts_accepted(make)
    return Task(
        f"{language}, n in 1..10", "all strings of training accepted", published,
        symbols, symbols, Recipe(8, 0.01, 200_000), draw, legal_symbols,
        lambda model, data, said, seed: accepted(model) >= 10, accepted,
        "is the largest n accepted", True,
    )  # fmt: skip


def spikes(task, interval, published, recipe):
    """Timing."""

    def draw(n, seed, spikes=10):
        return datasets.spike_delays(n, spikes, seed, task=task, interval=interval)

    right = spikes_right(draw)
    return Task(
        f"spikes to {task}, {interval} or {interval + 1} steps apart",
        "no error above 0.49 in 10 trains of 1,000 spikes", published, 1, 1, recipe, draw, values,
        lambda model, data, said, seed: (
            datasets.spikes_correct(said[-500:], data.y[-500:], data.mask[-500:]).all()
            and right(model, seed) == 10
        ),
        right, "of 10 trains right", True,
    )  # fmt: skip


def copy(delay):
    """Copy memory."""

    def draw(n, seed):
        return datasets.copy_memory(n, delay, seed)

    def share(model, seed):
        return copied(model, draw(1000, NEW + seed))

    return Task(
        f"copy memory, {delay} steps", "the last ten right in 99 of 100 sequences",
        "no such number; T = 100: LSTM hardly better than a guess", 10, 10,
        Recipe(
            96, 0.01, 600_000, batch=20, half=100_000, memory=delay + 20, drive=1.0, peephole=True,
        ), draw, classes_of_steps,
        lambda model, data, said, seed: share(model, seed) >= 0.99, share,
        "of the sequences right", True,
    )  # fmt: skip


def adding_1997(n, steps, seed):
    """The adding problem in the form of 1997."""
    return datasets.adding_problem(n, steps, seed, form="1997")


TASKS = {
    "reber": reber(),
    "adding": numbers(
        adding_1997, "4", "after 74,000, mean of 10; 1 of 2,560 wrong",
        "adding problem, T = 100", "the latest 2,000 within 0.04, mean error below 0.01", 600_000,
    ),
    "multiplication": numbers(
        datasets.multiplication_problem, "5", "after 1,273,000, mean of 10; 14 of 2,560 wrong",
        "multiplication, T = 100", "of the latest 2,000 fewer than 13 off by 0.04", 1_000_000,
    ),
    "order-6a": order("6a", 2, "after 31,390, mean of 20; 1 of 2,560 wrong", 400_000),
    "order-6b": order("6b", 3, "after 571,100, mean of 10; 2 of 2,560 wrong", 600_000),
    "lag-2a": lag(
        "2a", 100, "100 % of 18 runs, after 5,040",
        Recipe(32, 0.005, 200_000, batch=20, forget_bias=5.0, last=0.5),
    ),
    "lag-2b": lag(
        "2b", 100, "100 % of 18 runs, after 5,680",
        Recipe(32, 0.005, 200_000, half=20_000, forget_bias=5.0, last=0.98),
    ),
    "lag-2c": lag(
        "2c", 100, "after 31,000, mean of 20",
        Recipe(32, 0.005, 200_000, half=50_000, memory=100),
    ),
    "two-3a": two(
        "3a", "after 39,850, mean of 10; 0.000195 misclassified",
        "256 new ones within 0.2, mean error below 0.01",
    ),
    "two-3b": two(
        "3b", "after 43,250, mean of 10; 0.00828 misclassified",
        "fewer than 6 of 256 new ones off by 0.2, mean error below 0.04",
    ),
    "two-3c": two(
        "3c", "after 269,650, mean of 10; 0.00558 misclassified",
        "256 new ones within 0.1 of the mean target, mean difference below 0.015",
    ),
    "anbn": counting(
        datasets.anbn, "a^n b^n", 3, "after 22,000, mean of 10; n up to 118 on average †",
    ),
    "anbncn": counting(
        datasets.anbncn, "a^n b^n c^n", 4, "after 54,000, mean of 10; n up to 28 on average †",
    ),
    "spikes-measure": spikes(
        "measure", 10, "solved †",
        Recipe(32, 0.01, 400_000, batch=20, memory=20, drive=4.0, peephole=True),
    ),
    "spikes-49": spikes(
        "measure", 49, "49 and 50 told apart",
        Recipe(32, 0.01, 400_000, batch=20, memory=98, drive=4.0, peephole=True),
    ),
    "spikes-generate": spikes("generate", 10, "solved †", Recipe(16, 0.005, 400_000)),
    "copy": copy(20),
}  # fmt: skip
