"""An LSTM with one part taken away: which parts does it need, and for what?

    python examples/lab/ablation.py
    python examples/lab/ablation.py --seeds 10 --plot ablation.png

The question: Greff and others ran 5,400 trainings of LSTMs, whole ones and such without a part.
Most parts could go; two could not.  We do the same with small tasks that ask for different things.

Predict before you run it: which two?  Does the task decide which part is missed?

Source: Greff, Srivastava, Koutnik, Steunebrink & Schmidhuber 2017, "LSTM: a search space odyssey",
whose full LSTM ("V") has peepholes, and whose names of the variants stand in the table.

Seen, with 3 seeds (median, least to most):

    without       paper                latch, nats                 text, nats
    nothing           V     0.006 (0.006 to 0.007)     2.219 (2.210 to 2.253)
    input gate      NIG     0.018 (0.017 to 0.022)     2.207 (2.172 to 2.213)
    forget gate     NFG     0.196 (0.194 to 0.423)     2.339 (2.324 to 2.365)
    output gate     NOG     0.013 (0.010 to 0.032)     2.258 (2.248 to 2.314)
    input tanh     NIAF     0.006 (0.006 to 0.006)     2.194 (2.161 to 2.256)
    output tanh    NOAF     0.008 (0.007 to 0.013)     2.064 (2.030 to 2.075)
    f of its own   CIFG     0.008 (0.008 to 0.008)     2.202 (2.158 to 2.212)
    peepholes        NP     0.007 (0.007 to 0.007)     2.249 (2.219 to 2.268)

    yes  latch: the forget gate is missed most
    yes  latch: without it the loss is more than three times as large
    yes  latch: without the input gate more than twice
    yes  text: the forget gate is missed most
    yes  text: f = 1 - i, or no peepholes, changes less than 5 %
    yes  text: no worse without the output tanh (in the paper much worse)

The forget gate is missed everywhere.  Not so the output tanh, whose loss was the paper's other
surprise: in this short training the LSTM without it reads the text better, perhaps since its h may
grow beyond 1; 300 updates are no verdict on long training.  The paper's conclusion that the rest
hardly matters holds for the text; the latch, which asks for exact selection, misses the input gate,
too.
"""

import functools
from typing import NamedTuple

import numpy as np
from laboratory import Table, dots, new_figure, run, spread, study, train

import rnnlite
from rnnlite import datasets
from rnnlite.cells.functions import sigmoid, tanh, zero_like

HIDDEN, BATCH = 32, 16
PARTS = {
    "nothing": "V",
    "input gate": "NIG",
    "forget gate": "NFG",
    "output gate": "NOG",
    "input tanh": "NIAF",
    "output tanh": "NOAF",
    "f of its own": "CIFG",  # f = 1 - i
    "peepholes": "NP",
}


# ---- the cell ------------------------------------------------------------------------------------


def one(z):
    """In the place of a gate: always open."""
    return zero_like(z) + 1.0


def same(z):
    """In the place of tanh."""
    return z


def sigmoid_slope(y):
    """The derivative of y = sigmoid(z)."""
    return y * (1.0 - y)


def tanh_slope(y):
    """The derivative of y = tanh(z)."""
    return 1.0 - y * y


def lstm(without="nothing", compiled=True):
    """The cell of an LSTM with peepholes, less one of ``PARTS``.

    The columns of a gate that is not there stay in Wx and Wh, and have no effect and no gradient.
    """
    if without not in PARTS:
        known = ", ".join(map(repr, PARTS))
        raise ValueError(f"lstm: without is {without!r}; it can be {known}")
    gate_i, slope_i = (one, zero_like) if without == "input gate" else (sigmoid, sigmoid_slope)
    gate_f, slope_f = (one, zero_like) if without == "forget gate" else (sigmoid, sigmoid_slope)
    gate_o, slope_o = (one, zero_like) if without == "output gate" else (sigmoid, sigmoid_slope)
    tanh_g, slope_g = (same, one) if without == "input tanh" else (tanh, tanh_slope)
    tanh_c, slope_c = (same, one) if without == "output tanh" else (tanh, tanh_slope)
    coupled = 1.0 if without == "f of its own" else 0.0
    peep = 0.0 if without == "peepholes" else 1.0

    def step(z, state, p):
        z_i, z_f, z_g, z_o = z
        _, c_before = state
        p_i, p_f, p_o = p
        i = gate_i(z_i + peep * p_i * c_before)
        f = coupled * (1.0 - i) + (1.0 - coupled) * gate_f(z_f + peep * p_f * c_before)
        g = tanh_g(z_g)
        c = f * c_before + i * g
        o = gate_o(z_o + peep * p_o * c)
        return (o * tanh_c(c), c), (i, f, g, o)

    def step_backward(dstate, saved, state, new_state, p):
        dh, dc = dstate
        i, f, g, o = saved
        c_before, c = state[1], new_state[1]
        p_i, p_f, p_o = p
        squashed = tanh_c(c)
        dz_o = dh * squashed * slope_o(o)
        dc = dc + dh * o * slope_c(squashed) + peep * dz_o * p_o
        df = dc * c_before
        dz_i = (dc * g - coupled * df) * slope_i(i)
        dz_f = (1.0 - coupled) * df * slope_f(f)
        dz_g = dc * i * slope_g(g)
        dc_before = dc * f + peep * (dz_i * p_i + dz_f * p_f)
        dp = peep * dz_i * c_before, peep * dz_f * c_before, peep * dz_o * c
        return (dz_i, dz_f, dz_g, dz_o), (zero_like(dh), dc_before), dp

    return rnnlite.custom_cell(
        f"LSTM without {without}", step, step_backward,
        gates=["i", "f", "g", "o"], saved=["i", "f", "g", "o"], states=["h", "c"],
        unit_params={"p_i": 0.0, "p_f": 0.0, "p_o": 0.0}, compiled=compiled,
    )  # fmt: skip


# ---- the tasks -----------------------------------------------------------------------------------


def latch(rng, n, steps=100, symbols=8):
    """At each step a symbol, and whether it counts (one in ten does); y: the last that counted."""
    read, counts = rng.integers(0, symbols, (n, steps)), rng.random((n, steps)) < 0.1
    counts[:, 0] = True
    last = np.maximum.accumulate(np.where(counts, np.arange(steps), 0), axis=1)
    x = np.concatenate([np.eye(symbols)[read], counts[..., None]], axis=2)
    return x.astype("float32"), np.take_along_axis(read, last, axis=1)


@functools.cache
def book():
    """The bundled text, as numbers of its characters."""
    return datasets.text()


def characters(rng, n, part, steps=40):
    """Pieces of the book, and at each step the next character."""
    at = rng.integers(0, len(part) - steps, n)[:, None] + np.arange(steps)
    return np.eye(len(book().vocabulary), dtype="float32")[part[at]], part[at + 1]


TASKS = {  # batches to train on, and what is new
    "latch": (latch, latch),
    "text": (
        lambda rng, n: characters(rng, n, book().train),
        lambda rng, n: characters(rng, n, book().validation),
    ),
}


# ---- the experiment ------------------------------------------------------------------------------


class Size(NamedTuple):
    """How large the experiment is."""

    parts: tuple
    tasks: tuple
    updates: int
    seeds: int


FULL = Size(parts=tuple(PARTS), tasks=tuple(TASKS), updates=300, seeds=3)
QUICK = Size(parts=("nothing", "forget gate"), tasks=("latch",), updates=200, seeds=2)


def loss(cell, task, updates, seed):
    """What a network has not learned: cross-entropy (nats a step) of 200 new sequences."""
    batch, new = TASKS[task]
    rng = np.random.default_rng(seed)
    x, y = new(np.random.default_rng(2**40), 200)
    inputs, classes = x.shape[2], len(book().vocabulary) if task == "text" else 8
    layer = rnnlite.Recurrent(cell, inputs, HIDDEN, return_sequences=True, seed=seed)
    layer.params["b"][HIDDEN : 2 * HIDDEN] = 1.0  # the forget gate's
    model = rnnlite.Sequential([layer, rnnlite.Dense(HIDDEN, classes, seed=seed + 1000)])
    train(model, lambda: batch(rng, BATCH), updates, lr=0.01)
    return rnnlite.evaluate(model, x, y).loss


def experiment(size):
    """Losses (seeds,) by task and part."""
    table = Table(without=12, paper=5, **{f"{task},_nats": 25 for task in size.tasks})
    results = {task: {} for task in size.tasks}
    for part in size.parts:
        cell = lstm(part)
        for task, losses in results.items():
            losses[part] = [loss(cell, task, size.updates, seed) for seed in range(size.seeds)]
        table.row(part, PARTS[part], *(spread(losses[part], ".3f") for losses in results.values()))
    return results


def claims(results):
    """What should have come out."""
    middle = {
        task: {part: np.median(losses) for part, losses in by_part.items()}
        for task, by_part in results.items()
    }
    latched, told = middle["latch"], []
    worst, full = max(latched, key=latched.get), latched["nothing"]
    told.append(("latch: the forget gate is missed most", worst == "forget gate"))
    times = latched["forget gate"] / full
    told.append(("latch: without it the loss is more than three times as large", times > 3))
    if "input gate" in latched:
        times = latched["input gate"] / full
        told.append(("latch: without the input gate more than twice", times > 2))
    if "text" in middle:
        text = middle["text"]
        worst, full = max(text, key=text.get), text["nothing"]
        told.append(("text: the forget gate is missed most", worst == "forget gate"))
        change = max(abs(text[part] / full - 1) for part in ("f of its own", "peepholes"))
        told.append(("text: f = 1 - i, or no peepholes, changes less than 5 %", change < 0.05))
        better = text["output tanh"] < full
        told.append(("text: no worse without the output tanh (in the paper much worse)", better))
    return told


def draw(results):
    """The losses of all seeds, a panel for each task."""
    figure = new_figure(4.6 * len(results), 3.8)
    panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
    for axes, (task, losses) in zip(panels, results.items(), strict=True):
        dots(axes, losses)
        axes.set(xlabel="loss on new sequences (nats a step)", title=task)
        if task == "latch":
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
    panels[0].set_ylabel("LSTM without")
    return figure


def main():
    """Train, print, draw."""
    study(__doc__, FULL, QUICK, experiment, claims, draw)


if __name__ == "__main__":
    run(main)
