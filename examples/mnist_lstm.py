"""Classify handwritten digits with an LSTM that reads each image row by row.

An MNIST image is 28 rows of 28 pixels.  The network reads one row at each of
28 time steps; the hidden state after the last row goes through a dense layer
to ten scores, one a digit.

    python examples/mnist_lstm.py
    python examples/mnist_lstm.py --explain digits.html
    python examples/mnist_lstm.py --cell rnn --hidden 150 --batch-size 150 --epochs 5
    mpiexec -n 4 python -m mpi4py examples/mnist_lstm.py
    python examples/mnist_lstm.py --help
"""

import argparse
import logging
import os
import sys
import time

import numpy as np
from command_line import Steps, count, number, page, rate, run, seed, width

import rnnlite
from rnnlite import datasets

COLUMNS = 28
CLASSES = 10
# Steps, Adam's step size and whether it goes down to 0, and the pixels by which training images
# are moved at random.  100,000 images of MNIST need no tricks; 4,000, which shall take no longer,
# are learnt by heart unless they move.
ON_MNIST = {"steps": 781, "lr": 0.001, "lr_falls": False, "shift": 0}
ON_BUNDLED = {"steps": 700, "lr": 0.004, "lr_falls": True, "shift": 1}


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description="Train an LSTM, GRU or vanilla RNN to classify MNIST digits read row by row.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--cell", choices=["lstm", "gru", "rnn"], default="lstm", help="recurrent cell"
    )
    parser.add_argument("--hidden", type=width, default=128, metavar="H", help="hidden units")
    parser.add_argument(
        "--batch-size",
        type=count,
        default=128,
        metavar="B",
        help="images in each training step",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--steps", type=count, metavar="N", default=argparse.SUPPRESS,
        help="training steps (default: {steps}; {bundled} on the bundled images)".format(
            steps=ON_MNIST["steps"], bundled=ON_BUNDLED["steps"]
        ),
    )  # fmt: skip
    length.add_argument(
        "--epochs", type=number(float, 1e-6, 10**9), metavar="N", default=argparse.SUPPRESS,
        help="instead of --steps: passes over the training images",
    )  # fmt: skip
    parser.add_argument(
        "--lr", type=rate, metavar="LR", default=argparse.SUPPRESS,
        help="Adam's step size (default: {lr}); on the bundled images the first, from which it "
        "goes down to 0 (then {bundled})".format(lr=ON_MNIST["lr"], bundled=ON_BUNDLED["lr"]),
    )  # fmt: skip
    parser.add_argument(
        "--forget-bias",
        type=number(float, -1_000_000, 1_000_000),
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
        type=seed,
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
        default=argparse.SUPPRESS,
        help=f"threads to compute with (default: {rnnlite.get_num_threads()}; under mpiexec the "
        "processes of a machine share them)",
    )
    parser.add_argument(
        "--compute", choices=["float32", "bfloat16", "bfloat16_weight_gradients"],
        default="float32",
        help="what is multiplied: bfloat16, in all products or those of the weight gradients "
        "alone, is faster on processors that have it (see docs/bfloat16.md)",
    )  # fmt: skip
    parser.add_argument(
        "--explain", type=page, metavar="FILE", default=argparse.SUPPRESS,
        help="write a page (.html) in which the trained network runs, to look at every gate and "
        "every gradient",
    )  # fmt: skip
    args = parser.parse_args()
    if args.cell != "lstm" and args.forget_bias != parser.get_default("forget_bias"):
        parser.error("argument --forget-bias: only an LSTM has a forget gate")
    return args


def load(where, say):
    """The data, how to train on them, and whether they stand in for others."""
    if where == "bundled":
        return datasets.mnist_5k(), ON_BUNDLED, False
    if where != "auto":
        return datasets.mnist(where), ON_MNIST, False
    try:
        return datasets.mnist(), ON_MNIST, False
    except datasets.DataNotFound as error:
        say(f"{error}. Using the 5,000 bundled images instead.", flush=True)
        return datasets.mnist_5k(), ON_BUNDLED, True


def batches(images, labels, batch_size, shift, rng):
    """One batch after the other, through ever new shuffles of all images."""
    order = np.empty(0, np.int64)
    while True:
        while len(order) < batch_size:
            order = np.concatenate([order, rng.permutation(len(images))])
        chosen, order = order[:batch_size], order[batch_size:]
        x = images[chosen]
        if shift:
            x = datasets.random_affine(x, rng, shift=shift)
        yield x, labels[chosen]


def accuracy(model, images, labels, at_once=500):
    """Share of the images whose highest score is the right digit."""
    right = 0
    for start in range(0, len(images), at_once):
        scores = model(images[start : start + at_once])
        right += np.sum(scores.argmax(axis=1) == labels[start : start + at_once])
    return right / len(images)


class Progress:
    """A line that changes on a terminal; a line every 10 steps anywhere else."""

    def __init__(self, steps):
        self.steps, self.began = steps, time.perf_counter()
        self.on_terminal = sys.stderr is not None and sys.stderr.isatty()

    def seconds(self):
        """Since training began."""
        return time.perf_counter() - self.began

    def show(self, step, loss, share):
        """Loss, and share of right answers, in a training step."""
        if not self.on_terminal:
            bar = f"[{'#' * round(20 * step / self.steps):<20}]"
            figures = f"loss {loss:.4f}  accuracy {share:.3f}"
            print(f"step {step:5d}/{self.steps} {bar} {figures}", flush=True)
            return
        left = self.seconds() * (self.steps / step - 1)
        # First what matters: a narrow window has no room for the rest.
        line = f"loss {loss:.4f}  accuracy {share:.3f}  step {step}/{self.steps}  {left:.0f} s left"
        room = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - 1
        width = min(20, room - len(line) - len("  []"))
        if width > 0:
            line += f"  [{'#' * round(width * step / self.steps):<{width}}]"
        end = "\n" if step == self.steps else ""
        print(f"\r{line[:room]:<{room}}", end=end, file=sys.stderr, flush=True)


def train_on(x, y, model, optimizer):
    """One training step: forward, loss, backward, step.  The loss, and a score for each digit."""
    logits = model.forward(x, training=True)
    loss, dlogits = rnnlite.softmax_cross_entropy(logits, y)
    model.backward(dlogits, need_dx=False)  # nobody needs the gradient of the pixels
    optimizer.step()
    return loss, logits


def seconds_of_a_step(model, some):
    """How long a training step takes.  Kernels are compiled here, before a clock runs."""
    model = model.copy()
    optimizer = rnnlite.Adam(model)
    train_on(*next(some), model, optimizer)
    began = time.perf_counter()
    train_on(*next(some), model, optimizer)
    return time.perf_counter() - began


def train_together(comm, model, images, labels, shift, **told):
    """The same in several processes, each of which computes a part of every batch."""

    def moved(x, rng):
        return datasets.random_affine(x, rng, shift=shift) if shift else x

    rnnlite.fit(model, images, labels, augment=moved, record_every=10, comm=comm, **told)


def main():
    """Load, train, test."""
    comm = rnnlite.distributed.world()  # the processes that mpiexec has started, or None
    is_first = comm is None or comm.rank == 0
    say = print if is_first else lambda *_, **__: None
    args = options()
    logging.basicConfig(format="%(message)s")
    if hasattr(args, "threads"):
        rnnlite.set_num_threads(args.threads)
    try:
        data, recipe, stand_in = load(args.data, say)
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
        cell = {"gru": rnnlite.GRU, "rnn": rnnlite.RNN}[args.cell]
        recurrent = cell(COLUMNS, args.hidden, seed=args.seed)
    scores = rnnlite.Dense(args.hidden, CLASSES, seed=args.seed + 1)
    model = rnnlite.Sequential([recurrent, scores]).copy(compute_dtype=args.compute)
    lr = getattr(args, "lr", recipe["lr"])
    schedule = rnnlite.schedules.cosine(lr, steps) if recipe["lr_falls"] else lambda step: lr
    optimizer = rnnlite.Adam(model)

    def shuffled():
        rng = np.random.default_rng(args.seed)
        return batches(images, labels, args.batch_size, shift, rng)

    workers = f"{rnnlite.get_num_threads()} threads"
    if comm is not None:
        workers, stand_in = f"{comm.size} processes", False
    seconds = steps * seconds_of_a_step(model, shuffled()) if comm is None else 0
    products = "" if args.compute == "float32" else f", products of {args.compute} numbers"
    say(
        f"{args.cell.upper()} of {args.hidden} units, {model.num_params():,} parameters{products}; "
        f"{len(images):,} training images"
        f"{f', moved by up to {shift} pixels' if shift > 1 else ', moved by a pixel' * shift}; "
        f"{steps} steps of {args.batch_size} images; {workers}"
        f"{f'; this takes about {seconds:.0f} s' if stand_in else ''}",
        flush=True,
    )

    progress = Progress(steps)
    counted = Steps(steps)
    if comm is not None:
        told = {"batch_size": args.batch_size, "steps": steps, "seed": args.seed}
        told |= {"optimizer": optimizer, "schedule": schedule}
        train_together(comm, model, images, labels, shift, **told)
        counted.done = optimizer.t
    for step, (x, y) in zip(counted, shuffled(), strict=False) if comm is None else ():
        optimizer.lr = schedule(step - 1)
        loss, logits = train_on(x, y, model, optimizer)
        if step % 10 == 0 or step == steps:
            progress.show(step, loss, np.mean(logits.argmax(axis=1) == y))
    seconds, seen = progress.seconds(), counted.done * args.batch_size
    if not is_first:
        return  # what follows one process does for all

    test_images, test_labels = data.test
    first = accuracy(model, test_images[:128], test_labels[:128])
    everything = accuracy(model, test_images, test_labels)
    print(
        f"trained in {seconds:.1f} s, {seen / seconds:,.0f} images a second\n"
        f"accuracy on the first 128 test images: {first:.4f}\n"
        f"accuracy on all {len(test_images):,} test images: {everything:.4f}"
    )
    if hasattr(args, "explain"):
        rnnlite.explain(model, test_images[:20], args.explain, labels=test_labels[:20])
        print(f"wrote {args.explain}: open it in a browser")
    else:
        print("to see inside: --explain digits.html writes a page in which this network runs")


if __name__ == "__main__":
    run(main)
