"""What products of bfloat16 numbers cost in accuracy: the same runs in float32 and in bfloat16.

    python benchmarks/accuracy_bfloat16.py                     ten seeds of all tasks, hours
    python benchmarks/accuracy_bfloat16.py --seeds 3 --only record pixels
    python benchmarks/accuracy_bfloat16.py --json runs.jsonl   what is in the file is not run again
    python benchmarks/accuracy_bfloat16.py --compute bfloat16_weight_gradients    beside float32
    python benchmarks/accuracy_bfloat16.py --quick             a fiftieth, to see that it works

Both of a pair have the same weights, data and order; what is printed is the
mean and the spread over the seeds, and the mean difference of the pairs with
its standard error.  A difference of less than two of those says nothing.
"""

import argparse
import contextlib
import functools
import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mnist_recipes
import numpy as np

import rnnlite
from rnnlite import datasets, schedules
from rnnlite.checking import ROUNDED

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import char_lstm
import mnist_pixels
import mnist_record

WIDTH = 27  # of a column
digits = functools.cache(datasets.mnist)
all_digits = functools.cache(functools.partial(datasets.mnist, validation=0))


class Task(NamedTuple):
    """Something to learn, and how well it was learned."""

    title: str
    measure: str
    run: Callable  # (seed, compute dtype, one step in so many) -> the measure


def recipe(name, seed, compute, every):
    """A published run: accuracy on the 10,000 test images."""
    recipe = mnist_recipes.RECIPES[name]
    length = recipe.length
    if every > 1:
        length = {"steps": max(1, length.get("steps", 430 * length.get("epochs", 0)) // every)}
    with contextlib.redirect_stderr(io.StringIO()):  # a line for each epoch
        model, _, _, _ = mnist_recipes.train(recipe, digits(), seed, length, compute)
    return rnnlite.evaluate(model, *digits().test).accuracy


def record(seed, compute, every):
    """The recipe of ``examples/mnist_record.py``."""
    x, y = all_digits().train
    hidden, batch = mnist_record.HIDDEN, mnist_record.BATCH
    layers = [rnnlite.LSTM(28, hidden, seed=seed), rnnlite.Dense(hidden, 10, seed=seed + 1)]
    model = rnnlite.Sequential(layers).copy(compute_dtype=compute)
    steps = 11 * (len(x) // batch) // every
    batches = mnist_record.HardImages(x, y, steps, seed)
    schedule = schedules.one_cycle(mnist_record.HIGHEST_LR, steps=steps)
    rnnlite.fit(
        model, batches, loss=batches.loss, steps=steps, schedule=schedule, clip_norm=1.0,
        average=0.999, progress=False,
    )  # fmt: skip
    return rnnlite.evaluate(model, *all_digits().test).accuracy


def pixels(seed, compute, every):
    """The first two epochs of ``examples/mnist_pixels.py``, 784 steps of one pixel."""
    x, y = mnist_pixels.pixels(digits().train)
    model = mnist_pixels.network(seed).copy(compute_dtype=compute)
    steps = 2 * -(-len(x) // mnist_pixels.BATCH) // every
    schedule = schedules.one_cycle(
        mnist_pixels.HIGHEST_LR, steps=steps, warmup=0.2, start_factor=0.1
    )
    rnnlite.fit(
        model, x, y, steps=steps, batch_size=mnist_pixels.BATCH, seed=seed, schedule=schedule,
        clip_norm=1.0, average=0.995, progress=False,
    )  # fmt: skip
    test_x, test_y = mnist_pixels.pixels(digits().test)
    shown = len(test_x) if every == 1 else 200
    return rnnlite.evaluate(model, test_x[:shown], test_y[:shown]).accuracy


def adding(seed, compute, every):
    """The adding problem over 100 steps, as in ``examples/adding_problem.py``."""
    layers = [rnnlite.LSTM(2, 64, seed=seed), rnnlite.Dense(64, 1, seed=seed)]
    model = rnnlite.Sequential(layers).copy(compute_dtype=compute)
    optimizer = rnnlite.Adam(model)
    steps = 2000 // every
    falls = schedules.cosine(0.005, steps)
    for step in range(steps):
        x, y = datasets.adding_problem(64, 100, seed=(seed << 20) + step)
        _, dy = rnnlite.mean_squared_error(model.forward(x, training=True), y)
        model.backward(dy, need_dx=False)
        rnnlite.clip_gradients(model, 1.0)
        optimizer.lr = falls(step)
        optimizer.step()
    x, y = datasets.adding_problem(2000, 100, seed=(seed << 20) + 10**6)
    return rnnlite.mean_squared_error(model(x), y)[0]


def order(seed, compute, every):
    """Temporal order over 30 steps, three symbols that matter: log loss on new ones, times 1000.

    Over 100 steps so short a training learns nothing, in either precision.
    """
    layers = [rnnlite.LSTM(8, 64, seed=seed), rnnlite.Dense(64, 8, seed=seed + 1)]
    model = rnnlite.Sequential(layers).copy(compute_dtype=compute)
    optimizer = rnnlite.Adam(model)
    steps = 2000 // every
    falls = schedules.cosine(0.005, steps)
    for step in range(steps):
        x, y, lengths = datasets.temporal_order(64, 3, seed=(seed << 20) + step, steps=30)
        logits = model.forward(x, lengths=lengths, training=True)
        _, dlogits = rnnlite.softmax_cross_entropy(logits, y)
        model.backward(dlogits, need_dx=False)
        rnnlite.clip_gradients(model, 1.0)
        optimizer.lr = falls(step)
        optimizer.step()
    x, y, lengths = datasets.temporal_order(2000, 3, seed=(seed << 20) + 10**6, steps=30)
    return 1000.0 * rnnlite.evaluate(model, x, y, lengths=lengths).loss


def characters(seed, compute, every):
    """``examples/char_lstm.py``: loss on the last tenth of the text."""
    data = datasets.text()
    x, y = datasets.text_batches(data.train, char_lstm.ROWS, char_lstm.AT_ONCE)
    writer = char_lstm.untrained(len(data.vocabulary), 128, seed)
    writer = char_lstm.Writer(writer.model.copy(compute_dtype=compute))
    args = argparse.Namespace(steps=2000 // every, hidden=128, lr=0.005)
    with contextlib.redirect_stdout(io.StringIO()):
        char_lstm.train(writer, data, x, y, args)
    shown = data.validation if every == 1 else data.validation[:1000]
    return float(char_lstm.surprise(writer, shown))


TASKS = {
    name: Task(mnist_recipes.RECIPES[name].title.split(",")[0] + f", {steps}", "accuracy",
               functools.partial(recipe, name))
    for name, steps in (
        ("lstm-781", "781 steps"), ("lstm-800", "800 steps"), ("lstm-32", "1,000 steps"),
        ("rnn-1", "1 epoch"), ("rnn-100", "100 epochs"),
    )
} | {
    "record": Task("LSTM 128, examples/mnist_record.py", "accuracy", record),
    "pixels": Task("LSTM 128, pixel by pixel, 2 epochs", "accuracy", pixels),
    "adding": Task("adding problem, 100 steps", "mean squared error", adding),
    "order": Task("temporal order, 3 of 30", "nats / 1000", order),
    "char": Task("next character", "nats", characters),
}  # fmt: skip


def summary(values):
    """Mean and spread of the seeds."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.4f} ± {spread:.4f}"


def runs_in(path):
    """Values of the runs in a file, by task, seed, precision and one step in so many."""
    if path is None or not path.exists():
        return {}
    runs = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {(run["task"], run["seed"], run["compute"], run["every"]): run["value"] for run in runs}


def main():
    """Train what was asked for, in both precisions, and print a line for each task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compute", choices=ROUNDED, default="bfloat16", help="beside float32")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--threads", type=int, default=rnnlite.get_num_threads())
    parser.add_argument("--quick", action="store_true", help="one seed, one step in fifty")
    parser.add_argument("--json", type=Path, help="a line for each run; those in it are taken")
    args = parser.parse_args()
    rnnlite.set_num_threads(args.threads)
    seeds, every = (1, 50) if args.quick else (args.seeds, 1)
    done = runs_in(args.json)
    kind = "multiplies" if rnnlite.multiplies_bfloat16() else "does not multiply"
    print(f"{seeds} seeds, {args.threads} threads; this processor {kind} bfloat16 numbers itself")
    print(
        "mean ± standard deviation of the seeds; difference: mean ± standard error of the pairs\n"
    )
    precisions = ("float32", args.compute)
    heads = "".join(f"{precision:>{WIDTH}}" for precision in precisions)
    print(f"{'task':36}{'measure':20}{heads}{'difference':>20}", flush=True)
    for name in args.only:
        task, found = TASKS[name], {precision: [] for precision in precisions}
        for seed in range(seeds):
            for precision, values in found.items():
                if (name, seed, precision, every) in done:
                    values.append(done[name, seed, precision, every])
                    continue
                began = time.perf_counter()
                values.append(float(task.run(seed, precision, every)))
                if args.json:
                    run = {"task": name, "seed": seed, "compute": precision, "every": every,
                           "value": values[-1], "seconds": time.perf_counter() - began}  # fmt: skip
                    with args.json.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(run) + "\n")
        pairs = np.subtract(found[args.compute], found["float32"])
        error = pairs.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else 0.0
        columns = "".join(f"{summary(values):>{WIDTH}}" for values in found.values())
        difference = f"{pairs.mean():+.4f} ± {error:.4f}"
        print(f"{task.title:36}{task.measure:20}{columns}{difference:>20}", flush=True)


if __name__ == "__main__":
    main()
