"""Classify handwritten digits with an LSTM that reads each image row by row.

An MNIST image is 28 rows of 28 pixels.  The network reads one row at each of
28 time steps; the hidden state after the last row goes through a dense layer
to ten scores, one a digit.

    python examples/mnist_lstm.py
    python examples/mnist_lstm.py --cell rnn --hidden 150 --batch-size 150 --epochs 5
    python examples/mnist_lstm.py --help
"""

import argparse
import logging
import sys
import time

import numpy as np

import rnnlite
from rnnlite import datasets

COLUMNS = 28
CLASSES = 10
# Steps, and the pixels by which training images are moved at random.  100,000
# images of MNIST need no tricks; 4,000 are learnt by heart unless they move.
ON_MNIST = {"steps": 781, "shift": 0}
ON_BUNDLED = {"steps": 2000, "shift": 2}


def number(kind, least, most=1e9):
    """A type of option: a number of this kind, from ``least`` to ``most``."""

    def read(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:  # NaN is not
            kinds = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a {kinds} from {least:g} to {most:g}"
            )
        return value

    return read


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description="Train an LSTM (or a vanilla RNN) to classify MNIST digits read row by row.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--cell", choices=["lstm", "rnn"], default="lstm", help="recurrent cell")
    parser.add_argument(
        "--hidden", type=number(int, 1), default=128, metavar="H", help="hidden units"
    )
    parser.add_argument(
        "--batch-size",
        type=number(int, 1),
        default=128,
        metavar="B",
        help="images in each training step",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--steps", type=number(int, 1), metavar="N", default=argparse.SUPPRESS,
        help="training steps (default: {steps}; {bundled} on the bundled images)".format(
            steps=ON_MNIST["steps"], bundled=ON_BUNDLED["steps"]
        ),
    )  # fmt: skip
    length.add_argument(
        "--epochs", type=number(float, 1e-6), metavar="N", default=argparse.SUPPRESS,
        help="instead of --steps: passes over the training images",
    )  # fmt: skip
    parser.add_argument("--lr", type=number(float, 0), default=0.001, help="Adam's step size")
    parser.add_argument(
        "--forget-bias",
        type=number(float, -1e6, 1e6),
        default=1.0,
        help="initial bias of the LSTM's forget gate",
    )
    parser.add_argument(
        "--shift", type=number(int, 0, COLUMNS), metavar="N", default=argparse.SUPPRESS,
        help="move each training image by up to N pixels, at random (default: {shift}; {bundled} "
        "on the bundled images)".format(shift=ON_MNIST["shift"], bundled=ON_BUNDLED["shift"]),
    )  # fmt: skip
    parser.add_argument(
        "--seed",
        type=number(int, 0, 2**63),
        default=0,
        help="of the initial weights and the order of the images",
    )
    parser.add_argument(
        "--data", default="auto", metavar="WHERE",
        help="'auto': MNIST from $RNNLITE_DATA, the cache or the network, else the bundled "
        "images; 'bundled': the 5,000 images in the package; or a folder with the four files",
    )  # fmt: skip
    parser.add_argument(
        "--threads",
        type=number(int, 1, 1024),
        default=rnnlite.get_num_threads(),
        help="threads to compute with",
    )
    return parser.parse_args()


def load(where):
    """The data, and how to train on them."""
    if where == "bundled":
        return datasets.mnist_5k(), ON_BUNDLED
    if where != "auto":
        return datasets.mnist(where), ON_MNIST
    try:
        return datasets.mnist(), ON_MNIST
    except datasets.DataNotFound as error:
        print(f"{error}. Using the 5,000 bundled images instead.")
        return datasets.mnist_5k(), ON_BUNDLED


def batches(count, batch_size, rng):
    """Indices of one batch after the other, through ever new shuffles of all images."""
    order = np.empty(0, np.int64)
    while True:
        while len(order) < batch_size:
            order = np.concatenate([order, rng.permutation(count)])
        yield order[:batch_size]
        order = order[batch_size:]


def accuracy(model, images, labels, at_once=500):
    """Share of the images whose highest score is the right digit."""
    right = 0
    for start in range(0, len(images), at_once):
        scores = model(images[start : start + at_once])
        right += np.sum(scores.argmax(axis=1) == labels[start : start + at_once])
    return right / len(images)


def progress_lines(steps):
    """A progress bar on a terminal; a line every 10 steps anywhere else."""
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass  # lines will do
        else:
            bar = tqdm(total=steps, unit="step", dynamic_ncols=True)

            def show(step, loss, share):
                bar.update(step - bar.n)
                bar.set_postfix_str(f"loss {loss:.4f}, accuracy {share:.3f}")
                if step == steps:
                    bar.close()

            return show

    def show(step, loss, share):
        done = "#" * round(20 * step / steps)
        line = f"step {step:5d}/{steps} [{done:<20}] loss {loss:.4f}  accuracy {share:.3f}"
        print(line, flush=True)

    return show


def main():
    """Load, train, test."""
    args = options()
    logging.basicConfig(format="%(message)s")
    rnnlite.set_num_threads(args.threads)
    try:
        data, recipe = load(args.data)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"mnist_lstm.py: {error}")
    images, labels = data.train
    shift = getattr(args, "shift", recipe["shift"])
    steps = getattr(args, "steps", recipe["steps"])
    if hasattr(args, "epochs"):
        steps = max(1, round(args.epochs * len(images) / args.batch_size))

    # The model: one recurrent layer, then one score for each digit.
    if args.cell == "lstm":
        recurrent = rnnlite.LSTM(COLUMNS, args.hidden, forget_bias=args.forget_bias, seed=args.seed)
    else:
        recurrent = rnnlite.RNN(COLUMNS, args.hidden, activation="tanh", seed=args.seed)
    scores = rnnlite.Dense(args.hidden, CLASSES, seed=args.seed + 1)
    model = rnnlite.Sequential([recurrent, scores])
    optimizer = rnnlite.Adam(model, lr=args.lr)
    print(
        f"{args.cell.upper()} of {args.hidden} units, {model.num_params():,} parameters; "
        f"{len(images):,} training images"
        f"{f', moved by up to {shift} pixels' if shift else ''}; "
        f"{steps} steps of {args.batch_size} images; {args.threads} threads"
    )

    # The training loop: forward, loss, backward, step.
    rng = np.random.default_rng(args.seed)
    show = progress_lines(steps)
    began = time.perf_counter()
    for step, chosen in zip(
        range(1, steps + 1), batches(len(images), args.batch_size, rng), strict=False
    ):
        x, y = images[chosen], labels[chosen]
        if shift:
            x = datasets.random_affine(x, rng, shift=shift)
        logits = model.forward(x, training=True)
        loss, dlogits = rnnlite.softmax_cross_entropy(logits, y)
        model.backward(dlogits, need_dx=False)  # nobody needs the gradient of the pixels
        optimizer.step()
        if step % 10 == 0 or step == steps:
            show(step, loss, np.mean(logits.argmax(axis=1) == y))
    seconds = time.perf_counter() - began

    test_images, test_labels = data.test
    first = accuracy(model, test_images[:128], test_labels[:128])
    everything = accuracy(model, test_images, test_labels)
    print(
        f"trained in {seconds:.1f} s, {steps * args.batch_size / seconds:,.0f} images a second\n"
        f"accuracy on the first 128 test images: {first:.4f}\n"
        f"accuracy on all {len(test_images):,} test images: {everything:.4f}"
    )


if __name__ == "__main__":
    main()
