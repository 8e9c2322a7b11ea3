"""Published MNIST runs beside ours.

Each recipe is trained with several seeds on the 55,000 training images, as its
authors did, and tried on the test images; the mean and the spread over the
seeds stand beside what was published.  "Our recipe" is the same network for no
more steps, trained as ``better`` says on the 60,000.  Accuracies on 128 images come with
those on all 10,000: one image of 128 is 0.8 %.

    python benchmarks/mnist_recipes.py                 three seeds, some ten minutes
    python benchmarks/mnist_recipes.py --quick         one seed, shortened runs
    python benchmarks/mnist_recipes.py --only lstm-781 ours-rnn-20
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import rnnlite
from rnnlite import datasets, schedules


@dataclass(frozen=True)
class Recipe:
    """A training run and what it is compared with."""

    title: str
    cell: type
    hidden: int
    batch: int
    length: dict  # epochs or steps
    published: str
    judge: Callable  # (model, history, data) -> the figure that was published
    buffer: int | None = None  # rows through which images are shuffled; None shuffles all
    ours: dict | None = None  # see ``better``
    large_output: bool = False  # output weights and biases from N(0, 1), as its authors drew them


def on_first_128(model, history, data):
    """Accuracy on the first 128 test images."""
    images, labels = data.test
    return rnnlite.evaluate(model, images[:128], labels[:128]).accuracy


def on_all(model, history, data):
    """Accuracy on the 10,000 test images."""
    return rnnlite.evaluate(model, *data.test).accuracy


def on_last_batch(model, history, data):
    """Accuracy of the last training batch, before its step."""
    return history["accuracy"][-1]


def through_a_buffer(x, y, size, batch):
    """Batches as tf.data shuffles them: each row is drawn from a buffer of the next ``size``."""

    def batches(epoch):
        rng = np.random.default_rng((1, epoch))
        buffer = np.arange(size)
        chosen = np.empty(len(x), np.int64)
        for position in range(len(x)):
            place = rng.integers(min(size, len(x) - position))
            chosen[position] = buffer[place]
            following = position + size
            buffer[place] = following if following < len(x) else buffer[len(x) - position - 1]
        for start in range(0, len(x), batch):
            rows = chosen[start : start + batch]
            yield x[rows], y[rows]

    return batches


RECIPES = {
    "lstm-781": Recipe(
        "LSTM 128, batch 128, 781 steps, first 128 test images",
        rnnlite.LSTM, 128, 128, {"steps": 781}, "0.9844", on_first_128, large_output=True,
    ),
    "lstm-800": Recipe(
        "LSTM 128, batch 128, 800 steps, 128 test images",
        rnnlite.LSTM, 128, 128, {"steps": 800}, "0.9921", on_first_128, large_output=True,
    ),
    "lstm-32": Recipe(
        "LSTM 32, batch 32, 1,000 steps, last training batch",
        rnnlite.LSTM, 32, 32, {"steps": 1000}, "0.96875", on_last_batch,
        buffer=5000,
    ),
    "rnn-1": Recipe(
        "tanh RNN 150, batch 150, 1 epoch, 10,000 test images",
        rnnlite.RNN, 150, 150, {"epochs": 1}, "0.7299", on_all,
    ),
    "rnn-100": Recipe(
        "tanh RNN 150, batch 150, 100 epochs, 10,000 test images",
        rnnlite.RNN, 150, 150, {"epochs": 100}, "0.9809", on_all,
    ),
    "ours-rnn-20": Recipe(
        "tanh RNN 150, our recipe, batch 64, 20 epochs, 10,000 test images",
        rnnlite.RNN, 150, 64, {"epochs": 20}, "(aim) 0.988", on_all,
        ours={"lr": 1e-3, "average": 0.999, "shift": 1.5, "rotate": 8, "scale": 0.08},
    ),
    "ours-lstm-781": Recipe(
        "LSTM 128, our recipe, batch 128, 781 steps, first 128 test images",
        rnnlite.LSTM, 128, 128, {"steps": 781}, "0.9844", on_first_128,
        ours={"lr": 8e-3, "average": 0.99, "shift": 1, "rotate": 6},
    ),
    "ours-lstm-32": Recipe(
        "LSTM 32, our recipe, batch 32, 1,000 steps, last training batch",
        rnnlite.LSTM, 32, 32, {"steps": 1000}, "0.96875", on_last_batch,
        buffer=5000, ours={"lr": 1.5e-2, "average": 0.99},
    ),
}  # fmt: skip


def better(steps, lr, average, **changes):
    """Options of fit that did best on the validation images.

    The step size goes up to ``lr`` and down once, images are changed at random
    by up to ``changes`` (see ``datasets.random_affine``), gradients are clipped,
    and a moving average of the weights is what is tried.
    """
    options = {
        "schedule": schedules.one_cycle(lr, steps=steps),
        "clip_norm": 1.0,
        "average": average,
    }
    if changes:
        options["augment"] = functools.partial(datasets.random_affine, **changes)
    return options


def shortened(length):
    """A tenth of a run, to see that everything works."""
    return {"steps": 100} if "steps" in length else {"epochs": max(1, length["epochs"] // 10)}


def train(recipe, data, seed, length, compute=None):
    """One run of a recipe: model, history, seconds, images seen; ``compute``: "bfloat16" or not."""
    x, y = data.train
    options = {}
    model = rnnlite.Sequential(
        [
            recipe.cell(28, recipe.hidden, seed=seed),
            rnnlite.Dense(recipe.hidden, 10, seed=seed + 1000),
        ]
    ).copy(compute_dtype=compute)
    if recipe.large_output:
        for values in model.layers[1].params.values():
            values[...] = np.random.default_rng((seed, len(values))).normal(size=values.shape)
    if recipe.ours:
        # What was chosen by the validation images then learns from them as well.
        x, y = (np.concatenate(parts) for parts in zip(data.train, data.validation, strict=True))
        steps = length.get("steps") or length["epochs"] * -(-len(x) // recipe.batch)
        options = better(steps, **recipe.ours)
    if recipe.buffer:
        source = {"x": through_a_buffer(x, y, recipe.buffer, recipe.batch)}
    else:
        source = {"x": x, "y": y, "batch_size": recipe.batch}
    if recipe.judge is on_last_batch:
        options["record_every"] = 1
    began = time.perf_counter()
    history = rnnlite.fit(model, **source, **length, seed=seed, **options)
    seconds = time.perf_counter() - began
    return model, history, seconds, history["step"][-1] * recipe.batch


def measure(recipe, data, seeds, quick):
    """Train with all seeds and print a line for each, and one for all."""
    length = shortened(recipe.length) if quick else recipe.length
    print(f"\n{recipe.title}" + (f" (shortened to {length})" if quick else ""), flush=True)
    judged, everything = [], []
    for seed in seeds:
        model, history, seconds, images = train(recipe, data, seed, length)
        judged.append(recipe.judge(model, history, data))
        everything.append(rnnlite.evaluate(model, *data.test).accuracy)
        low, high = rnnlite.accuracy_interval(everything[-1], len(data.test.labels))
        print(
            f"    seed {seed}: {judged[-1]:.4f}; all 10,000: {everything[-1]:.4f} "
            f"[{low:.4f}, {high:.4f}]; {seconds:.1f} s, {images / seconds:,.0f} images/s",
            flush=True,
        )
    spread = statistics.stdev(judged) if len(judged) > 1 else 0.0
    print(
        f"    published {recipe.published}, measured {statistics.mean(judged):.4f} "
        f"± {spread:.4f} over {len(judged)} seeds; all 10,000: {statistics.mean(everything):.4f}",
        flush=True,
    )


def main():
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, shortened runs")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0 to N - 1")
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    args = parser.parse_args()
    data = datasets.mnist()
    print(f"{rnnlite.get_num_threads()} threads; [ ] is the 95 % interval of 10,000 images")
    for name in args.only:
        measure(RECIPES[name], data, range(1 if args.quick else args.seeds), args.quick)


if __name__ == "__main__":
    main()
