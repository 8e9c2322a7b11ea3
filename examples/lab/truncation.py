"""Truncated backpropagation: what is learned in windows of 1, 2, 4, ... steps?

    python examples/lab/truncation.py
    python examples/lab/truncation.py --seeds 10 --plot truncation.png

The question: a stream of random bits, and at each step the LSTM shall say the bit that came
``delay`` steps ago.  The stream is cut into windows.  The state goes on from window to window, the
gradient does not.  How long must a window be?

Predict before you run it: the smallest window for a delay of 4.  And if the state does not go on,
but is zero at the start of each window, which accuracy can be reached at best?

Sources: Williams & Peng 1990, "An efficient gradient-based algorithm for on-line training of
recurrent network trajectories"; lesson 5 (docs/lessons/5_lengths_and_truncation.md).

Seen, with 5 seeds (median, least to most):

    window               delay 2               delay 4               delay 8   delay 4, zero state
    1        0.60 (0.50 to 0.70)   0.51 (0.50 to 0.52)   0.51 (0.49 to 0.52)   0.50 (0.49 to 0.51)
    2        0.70 (0.66 to 0.78)   0.52 (0.50 to 0.60)   0.51 (0.49 to 0.51)   0.50 (0.49 to 0.50)
    3        1.00 (1.00 to 1.00)   0.55 (0.53 to 0.59)   0.51 (0.50 to 0.51)   0.50 (0.50 to 0.51)
    4        1.00 (1.00 to 1.00)   0.57 (0.54 to 0.62)   0.51 (0.51 to 0.53)   0.50 (0.49 to 0.50)
    5        1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   0.52 (0.49 to 0.52)   0.60 (0.59 to 0.60)
    6        1.00 (1.00 to 1.00)   1.00 (0.99 to 1.00)   0.52 (0.49 to 0.53)   0.67 (0.66 to 0.67)
    8        1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   0.54 (0.51 to 0.56)   0.75 (0.75 to 0.75)
    12       1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   0.95 (0.86 to 0.98)   0.83 (0.83 to 0.84)
    16       1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   0.99 (0.99 to 1.00)   0.88 (0.87 to 0.88)
    24       1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   1.00 (1.00 to 1.00)   0.92 (0.92 to 0.92)

    yes  a window longer than the delay: more than 9 of 10 are right
    yes  a window that is not: fewer than 8 of 10, though the state goes on
    yes  a zero state in each window: what can be computed, to 0.03

A window of delay + 1 steps is enough, though in only one of its steps the loss and the bit that it
asks for stand in one window.  The small gains left of that are no learning through time: the state
of an LSTM that nobody taught to remember still has an echo of the last bits, and the readout can
use it.  Learning long delays is slower, so delay 8 in a window of 12 was not finished.
"""

from typing import NamedTuple

import numpy as np
from laboratory import Table, band, new_figure, run, spread, study

import rnnlite
from rnnlite.inside.canvas import style

HIDDEN, BATCH = 16, 32


class Size(NamedTuple):
    """How large the experiment is."""

    windows: tuple
    delays: tuple
    zero_for: int  # the delay for which a zero state at the start of each window is tried, too
    updates: int
    seeds: int


FULL = Size((1, 2, 3, 4, 5, 6, 8, 12, 16, 24), delays=(2, 4, 8), zero_for=4, updates=600, seeds=5)
QUICK = Size((2, 3, 4), delays=(2,), zero_for=2, updates=300, seeds=2)


def learned(delay, window, updates, seed, carried=True):
    """Right, of the bits in the last fifth of the training."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (BATCH, delay + updates * window))
    x, y = bits[:, delay:, None].astype("float32"), bits[:, : updates * window]
    lstm = rnnlite.LSTM(1, HIDDEN, return_sequences=True, seed=seed)
    readout = rnnlite.Dense(HIDDEN, 2, seed=seed + 1000)
    optimizer = rnnlite.Adam(rnnlite.Group(lstm=lstm, readout=readout), lr=0.02)
    state, accuracies = None, []
    for start in range(0, updates * window, window):
        piece = slice(start, start + window)
        h = lstm.forward(x[:, piece], initial_state=state, training=True)
        if carried:
            state = lstm.final_state  # numbers from here on: no gradient goes back through them
        logits = readout.forward(h, training=True)
        _, dlogits = rnnlite.softmax_cross_entropy(logits, y[:, piece])
        lstm.backward(readout.backward(dlogits), need_dx=False)
        optimizer.step()
        accuracies.append(np.mean(logits.argmax(axis=2) == y[:, piece]))
    return np.mean(accuracies[-updates // 5 :])


def experiment(size):
    """Accuracies (windows, seeds) by the delay and whether the state was carried on."""
    results = {(delay, True): [] for delay in size.delays} | {(size.zero_for, False): []}
    names = [f"delay_{d}" + ("" if carried else ",_zero_state") for d, carried in results]
    table = Table(window=6, **dict.fromkeys(names, 20))
    for window in size.windows:
        for (delay, carried), rows in results.items():
            rows.append([
                learned(delay, window, size.updates, seed, carried) for seed in range(size.seeds)
            ])  # fmt: skip
        table.row(window, *(spread(rows[-1]) for rows in results.values()))
    return {"windows": np.array(size.windows), "right": results}


def best_without_state(delay, windows):
    """Right at best, where a window begins with a zero state: its first steps are guesses."""
    return 1 - 0.5 * np.minimum(delay, windows) / windows


def claims(results):
    """What should have come out."""
    windows, longer, shorter, apart = results["windows"], [], [], []
    for (delay, carried), values in results["right"].items():
        middle = np.median(values, axis=1)
        if carried:
            longer.extend(middle[windows > delay])
            shorter.extend(middle[windows <= delay])
        else:
            apart.extend(abs(middle - best_without_state(delay, windows)))
    return [
        ("a window longer than the delay: more than 9 of 10 are right", min(longer) > 0.9),
        ("a window that is not: fewer than 8 of 10, though the state goes on", max(shorter) < 0.8),
        ("a zero state in each window: what can be computed, to 0.03", max(apart) < 0.03),
    ]


def draw(results):
    """Accuracy against the window."""
    figure = new_figure(7.2, 4.0)
    axes, windows = figure.subplots(), results["windows"]
    for n, ((delay, carried), values) in enumerate(results["right"].items()):
        state = "" if carried else ", zero state"
        band(axes, n, windows, values, f"delay {delay}{state}")
        if carried:
            axes.axvline(delay, color=style(n)["color"], lw=0.8, alpha=0.6)
        else:
            fine = np.linspace(windows[0], windows[-1], 200)
            axes.plot(fine, best_without_state(delay, fine), "k-", lw=0.8, label="at best, by hand")
    axes.set(xscale="log", xlabel="window (steps); a thin line stands at each delay")
    axes.set(ylabel="right, of the bits at the end", ylim=(0.45, 1.02))
    axes.set_xticks(windows, windows)
    axes.minorticks_off()
    axes.legend(loc="center right", fontsize=9)
    return figure


def main():
    """Train, print, draw."""
    study(__doc__, FULL, QUICK, experiment, claims, draw)


if __name__ == "__main__":
    run(main)
