"""Forecast a time series with an LSTM, and ask whether it was worth it.

Two forecasts cost nothing: the last value again, and the value one season ago.
Both are computed on the same test windows, the last part of the series, which the
network has not seen, and in the units of the series.

    python examples/forecast.py
    python examples/forecast.py --csv sales.csv --columns price revenue --season 7 --horizon 7
    python examples/forecast.py --plot forecast.png
    python examples/forecast.py --help

Without a file a series is made: hourly, with a rhythm of the day that grows and
shrinks over weeks, a wandering level, and noise.  A file is read by pandas
(``pip install pandas narwhals``); its first line names the columns.
"""

import argparse
import importlib.util
import sys
import time

import numpy as np
from command_line import Steps, count, picture, rate, run, seed, width

import rnnlite
from rnnlite import datasets

BATCH_SIZE = 64


def made_up(hours, rng):
    """A series with a season of 24."""
    t = np.arange(hours)
    rhythm = np.sin(2 * np.pi * t / 24) + 0.5 * np.sin(4 * np.pi * t / 24 + 1.0)
    swell = 3.0 + 2.0 * np.sin(2 * np.pi * t / 200)
    level = np.cumsum(rng.normal(0.0, 0.15, hours))
    return 20.0 + level + swell * rhythm + rng.normal(0.0, 0.3, hours)


def train(model, data, steps, lr, rng):
    """Train on windows drawn at random."""
    optimizer = rnnlite.Adam(model)
    schedule = rnnlite.schedules.cosine(lr, steps)
    x, y = data.train
    losses = []
    for step in Steps(steps):
        chosen = rng.integers(0, len(x), BATCH_SIZE)
        guess = forecast(model, x[chosen], data.target, training=True)
        loss, dy = rnnlite.mean_squared_error(guess, y[chosen])
        model.backward(dy, need_dx=False)
        rnnlite.clip_gradients(model, 1.0)
        optimizer.lr = schedule(step - 1)
        optimizer.step()
        losses.append(loss)
        if step % 100 == 0 or step == steps:
            print(f"step {step:5d}/{steps}  loss {np.mean(losses[-100:]):.4f}", flush=True)


def forecast(model, x, target, training=False):
    """The last value, plus what the network makes of how the others differ from theirs.

    So a level that was never there in training is no news to it.
    """
    last = x[:, -1:]
    x = x - last
    return last[..., target] + (model.forward(x, training=True) if training else model(x))


def errors(data, guess, season):
    """Mean squared errors on the test part, in the units of the series, by name."""
    x, y = data.test
    horizon = y.shape[1]
    last = x[:, -1:, data.target]
    before = np.arange(horizon) % season - season  # the same hour of the season before
    guesses = {
        "LSTM": guess,
        "last value again": np.repeat(last, horizon, axis=1),
        f"{season} rows before": x[:, before, data.target],
    }
    truth = data.restore(y)
    return {name: np.mean((data.restore(guess) - truth) ** 2) for name, guess in guesses.items()}


def plot(path, data, guess, season):
    """A picture of the last seasons of the test part, forecast one horizon after the other."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    truth, guess = data.restore(data.test.y), data.restore(guess)
    horizon, first = truth.shape[1], max(0, len(truth) - 6 * season)
    figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
    axes.plot(np.arange(first, len(truth)), truth[first:, 0], color="0.6", lw=3, label="series")
    for start in range(first, len(truth), horizon):
        label = f"LSTM, horizon {horizon}" if start == first else None
        rows, marker = start + np.arange(horizon), "." if horizon == 1 else None  # a point, no line
        axes.plot(rows, guess[start], color="tab:red", marker=marker, label=label)
    axes.set_xlabel("row of the test part")
    axes.set_ylabel(f"column {data.columns[data.target]}")
    axes.legend()
    figure.savefig(path, dpi=120)


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description="Forecast a time series with an LSTM and compare with two free forecasts."
    )
    add = parser.add_argument
    add("--csv", metavar="FILE", help="a series; one is made up if not given")
    add("--columns", metavar="COLUMN", nargs="+", help="what the network sees; all columns")
    add("--target", metavar="COLUMN", help="what of these to forecast; the last one")
    add("--season", type=count, default=24, help="rows of a season (default: %(default)s)")
    add("--window", type=count, default=48, help="rows the network sees (default: %(default)s)")
    add("--horizon", type=count, default=12, help="rows it forecasts (default: %(default)s)")
    add(
        "--missing",
        choices=["error", "forward"],
        default="error",
        help="refuse missing values, or repeat the one before (default: %(default)s)",
    )
    add("--steps", type=count, default=1000, help="training steps (default: %(default)s)")
    add("--hidden", type=width, default=64, help="hidden units (default: %(default)s)")
    add("--lr", type=rate, default=0.01, help="Adam's first step size (default: %(default)s)")
    add(
        "--seed",
        type=seed,
        default=0,
        help="of weights, windows, made-up series (default: %(default)s)",
    )
    add("--plot", type=picture, metavar="FILE", help="draw a picture (needs matplotlib)")
    args = parser.parse_args()
    if args.csv and not all(map(importlib.util.find_spec, ("pandas", "narwhals"))):
        parser.error("--csv needs pandas and narwhals: pip install pandas narwhals")
    return args


def series(args, rng):
    """The table of the user's file, or an array that is made up."""
    if args.csv is None:
        return made_up(3000, rng)
    import pandas

    return pandas.read_csv(args.csv)


def main():
    """Load, train, compare."""
    args = options()
    rng = np.random.default_rng(args.seed)
    try:
        data = datasets.time_series(
            series(args, rng), window=args.window, horizon=args.horizon,
            columns=args.columns, target=args.target, missing=args.missing,
        )  # fmt: skip
    except (OSError, ValueError, TypeError) as error:  # some of pandas have several lines
        sys.exit(f"forecast.py: {' '.join(str(error).split())}")
    if not 1 <= args.season <= args.window:
        sys.exit(f"forecast.py: --season is {args.season}; wanted 1 to {args.window}, the --window")
    model = rnnlite.Sequential(
        [
            rnnlite.LSTM(len(data.columns), args.hidden, seed=args.seed),
            rnnlite.Dense(args.hidden, args.horizon, seed=args.seed),
        ]
    )
    print(
        f"{len(data.train.x):,} windows to learn from, {len(data.test.x):,} to test; "
        f"{args.window} rows seen, {args.horizon} forecast; {model.num_params():,} parameters"
    )
    began = time.perf_counter()
    train(model, data, args.steps, args.lr, rng)
    print(f"trained in {time.perf_counter() - began:.1f} s\nmean squared error on the test part:")
    guess = forecast(model, data.test.x, data.target)
    for name, error in errors(data, guess, args.season).items():
        print(f"  {name:20} {error:10.4g}")
    if args.plot:
        plot(args.plot, data, guess, args.season)


if __name__ == "__main__":
    run(main)
