"""Digits read pixel by pixel: 784 time steps of one number (Le, Jaitly & Hinton 2015).

What was seen at the first pixels must be remembered over hundreds of steps, so
this takes most of an hour rather than seconds.  It is kept in a checkpoint all
along: stop it by Ctrl-C, or pull the plug, and the same command goes on.

    python examples/mnist_pixels.py --checkpoint pixels.npz
"""

import argparse
import logging
import sys

import numpy as np
from command_line import count, number, output, run, seed

import rnnlite
from rnnlite import datasets, schedules

HIDDEN, BATCH, STEPS = 128, 64, 28 * 28
LONGEST_SPAN = 100
HIGHEST_LR = 3e-3


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--checkpoint", type=output, metavar="FILE", help="keep the run, and go on from it")
    add(
        "--epochs",
        type=count,
        default=20,
        metavar="N",
        help="passes over the images (default: %(default)s)",
    )
    add("--images", type=count, metavar="N", help="train on the first N images only")
    add("--seed", type=seed, default=0, help="of weights and order (default: %(default)s)")
    add("--bundled", action="store_true", help="use the 5,000 bundled images")
    add(
        "--threads",
        type=number(int, 1, 1024),
        default=rnnlite.get_num_threads(),
        help="threads to compute with (default: %(default)s)",
    )
    return parser.parse_args()


def network(seed):
    """The model, begun so that it sees single pixels and remembers a few rows of them."""
    # Glorot's limits share one input among 512 outputs: +-0.1, and a pixel would hardly move a
    # gate.  He's count inputs alone.
    lstm = rnnlite.LSTM(1, HIDDEN, seed=seed, wx_init="he_normal")
    # A unit whose forget gate is at f forgets within 1/(1-f) steps.  Forget biases log(u), u
    # uniform from 1, and input biases -log(u) spread these spans (Tallec & Ollivier 2018,
    # equation 16); with the usual bias of 1 all units forget within four steps.
    spans = np.random.default_rng((seed, 1)).uniform(1, LONGEST_SPAN - 1, HIDDEN)
    lstm.params["b"][:HIDDEN] = -np.log(spans)
    lstm.params["b"][HIDDEN : 2 * HIDDEN] = np.log(spans)
    return rnnlite.Sequential([lstm, rnnlite.Dense(HIDDEN, 10, seed=seed + 1)])


def pixels(split):
    """Images as sequences of single pixels, and their labels."""
    return split.images.reshape(-1, STEPS, 1), split.labels


def moved(x, rng):
    """The same digits, slightly moved, turned and stretched."""
    images = datasets.random_affine(
        x.reshape(-1, 28, 28), rng, shift=1.0, rotate=5.0, scale=0.05, shear=0.05
    )
    return images.reshape(x.shape)


def main():
    """Train, then try."""
    args = options()
    logging.basicConfig(format="%(message)s")
    rnnlite.set_num_threads(args.threads)
    try:
        data = datasets.mnist_5k(validation=500) if args.bundled else datasets.mnist()
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"mnist_pixels.py: {error}")
    x, y = (array[: args.images] for array in pixels(data.train))
    model = network(args.seed)
    steps = args.epochs * -(-len(x) // BATCH)
    try:
        history = rnnlite.fit(
            model, x, y,
            epochs=args.epochs,
            batch_size=BATCH,
            seed=args.seed,
            augment=moved,
            validation=pixels(data.validation),
            schedule=schedules.one_cycle(HIGHEST_LR, steps=steps, warmup=0.2, start_factor=0.1),
            clip_norm=1.0,
            average=0.995,
            checkpoint=args.checkpoint,
            resume=args.checkpoint is not None,
        )  # fmt: skip
    except (OSError, ValueError) as error:  # a checkpoint of another run, a file of something else
        sys.exit(f"mnist_pixels.py: {error}")
    print(history)
    metrics = rnnlite.evaluate(model, *pixels(data.test))
    low, high = rnnlite.accuracy_interval(metrics.accuracy, len(data.test.labels))
    print(
        f"trained in {history['seconds'][-1] / 60:.1f} min\n"
        f"accuracy on all {len(data.test.labels):,} test images: {metrics.accuracy:.4f} "
        f"(95 % interval {low:.4f} to {high:.4f})"
    )


if __name__ == "__main__":
    run(main)
