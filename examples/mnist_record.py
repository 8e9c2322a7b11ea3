"""One LSTM layer of 128 units, row by row, as good as a minute of training makes it.

The recipe, chosen on the validation images and never on the test images:
images are moved, turned and stretched at random, the step size goes up and
down once, gradients are clipped, and what is tried in the end is a moving
average of the weights.

    python examples/mnist_record.py
    python examples/mnist_record.py --validate      hold 5,000 training images out and try on them
    python examples/mnist_record.py --plot record   draw record-history.png, record-mistakes.png
"""

import argparse
import functools
import importlib.util
import logging
import sys
import time

import numpy as np

import rnnlite
from rnnlite import datasets, schedules

HIDDEN, BATCH = 128, 128
HIGHEST_LR = 8e-3
CHANGES = {"shift": 2.0, "rotate": 12.0, "scale": 0.12, "shear": 0.1}


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--epochs",
        type=int,
        default=13,
        metavar="N",
        help="passes over the images (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="of weights, order and changes (default: %(default)s)")
    add("--validate", action="store_true", help="try on validation images instead")
    add("--bundled", action="store_true", help="use the 5,000 bundled images")
    add(
        "--threads",
        type=int,
        default=rnnlite.get_num_threads(),
        help="threads to compute with (default: %(default)s)",
    )
    add("--checkpoint", metavar="FILE", help="keep the run, and go on from it")
    add("--save", metavar="FILE", help="keep the trained model here")
    add("--plot", metavar="NAME", help="draw NAME-history.png and NAME-mistakes.png")
    args = parser.parse_args()
    if args.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install matplotlib")
    return args


def main():
    """Train, then try."""
    args = options()
    logging.basicConfig(format="%(message)s")
    rnnlite.set_num_threads(args.threads)
    held_out = 5_000 if args.validate else 0
    try:
        if args.bundled:
            data = datasets.mnist_5k(validation=500 if args.validate else 0)
        else:
            data = datasets.mnist(validation=held_out)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"mnist_record.py: {error}")
    x, y = data.train
    judge, name = (data.validation, "validation") if args.validate else (data.test, "test")

    model = rnnlite.Sequential(
        [rnnlite.LSTM(28, HIDDEN, seed=args.seed), rnnlite.Dense(HIDDEN, 10, seed=args.seed + 1)]
    )
    steps = args.epochs * -(-len(x) // BATCH)
    began = time.perf_counter()
    history = rnnlite.fit(
        model, x, y,
        epochs=args.epochs,
        batch_size=BATCH,
        seed=args.seed,
        augment=functools.partial(datasets.random_affine, **CHANGES),
        schedule=schedules.one_cycle(HIGHEST_LR, steps=steps),
        clip_norm=1.0,
        average=0.999,
        checkpoint=args.checkpoint,
        resume=args.checkpoint is not None,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    print(history)
    if history.stopped_by == "interrupt":
        sys.exit("mnist_record.py: stopped before the end")

    metrics = rnnlite.evaluate(model, *judge)
    low, high = rnnlite.accuracy_interval(metrics.accuracy, len(judge.labels))
    predicted = rnnlite.predict(model, judge.images)
    matrix = rnnlite.confusion_matrix(judge.labels, predicted, classes=10)
    print(matrix)
    print(
        f"trained in {seconds:.1f} s, {len(x) * args.epochs / seconds:,.0f} images a second\n"
        f"accuracy on all {len(judge.labels):,} {name} images: {metrics.accuracy:.4f} "
        f"(95 % interval {low:.4f} to {high:.4f}), "
        f"{np.sum(predicted != judge.labels)} mistakes"
    )
    if args.save:
        rnnlite.save(model, args.save)
    if args.plot:
        history.plot(f"{args.plot}-history.png")
        matrix.plot(f"{args.plot}-mistakes.png")


if __name__ == "__main__":
    main()
