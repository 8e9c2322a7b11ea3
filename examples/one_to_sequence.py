"""From one vector to a sequence: an LSTM that draws digits, row by row.

The vector says which digit, and how far it leans, how wide it is and how much ink
it takes, each measured against other digits of its kind.  It is the input at each of
28 time steps, and at each the network draws one row of the image.  Nothing but
its state tells it how far down it is.

    python examples/one_to_sequence.py
    python examples/one_to_sequence.py --plot digits.png
    python examples/one_to_sequence.py --help

What it learns is compared with the mean image of each digit, the best drawing
that knows the digit alone.
"""

import argparse
import time

import numpy as np
from command_line import Steps, count, picture, rate, run, seed, width

import rnnlite
from rnnlite import datasets

ROWS = COLUMNS = 28
BATCH_SIZE = 64


def manner(images):
    """Lean, width and ink of each image (n, 3), from its moments."""
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    ink = images.sum(axis=(1, 2))

    def mean(values):
        return (images * values).sum(axis=(1, 2)) / ink

    dx = x - mean(x)[:, None, None]
    dy = y - mean(y)[:, None, None]
    lean = -mean(dx * dy) / mean(dy * dy)
    return np.stack([lean, np.sqrt(mean(dx * dx)), ink], axis=1)


def vectors(labels, manners):
    """The inputs (n, 28, 13): the digit one-hot and its manner, the same at every step."""
    vector = np.concatenate([np.eye(10, dtype=np.float32)[labels], manners], axis=1)
    return np.broadcast_to(vector[:, None], (len(vector), ROWS, vector.shape[1]))


def drawn(model, labels, manners):
    """Images (n, 28, 28) of the network, 0 to 1."""
    logits = model(vectors(labels, manners))
    return 0.5 + 0.5 * np.tanh(0.5 * logits)  # the sigmoid, which overflows nowhere


def surprise(images, guesses):
    """Mean cross-entropy of the pixels, in nats."""
    guesses = np.clip(guesses, 1e-4, 1.0 - 1e-4)
    return -np.mean(images * np.log(guesses) + (1.0 - images) * np.log(1.0 - guesses))


def plot(path, model):
    """A picture: every digit in seven manners."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = {  # lean, width and ink, in standard deviations
        "as usual": (0, 0, 0), "leaning left": (-2, 0, 0), "leaning right": (2, 0, 0),
        "narrow": (0, -1.5, 0), "wide": (0, 1.5, 0), "thin": (0, 0, -1.5), "bold": (0, 0, 1.5),
    }  # fmt: skip
    rows = [
        np.hstack(drawn(model, np.arange(10), np.tile(np.float32(how), (10, 1))))
        for how in shown.values()
    ]
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    axes.imshow(np.vstack(rows), cmap="gray_r", vmin=0.0, vmax=1.0)
    axes.set_yticks(ROWS * np.arange(len(shown)) + ROWS / 2, list(shown))
    axes.set_xticks([])
    figure.savefig(path, dpi=120)


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description="Train an LSTM to draw a digit row by row from a single vector."
    )
    add = parser.add_argument
    add("--steps", type=count, default=1500, help="training steps (default: %(default)s)")
    add("--hidden", type=width, default=128, help="hidden units (default: %(default)s)")
    add("--lr", type=rate, default=0.005, help="Adam's first step size (default: %(default)s)")
    add(
        "--seed", type=seed, default=0, help="of weights and order of images (default: %(default)s)"
    )
    add("--plot", type=picture, metavar="FILE", help="draw a picture (needs matplotlib)")
    return parser.parse_args()


def main():
    """Load, train, compare, draw."""
    args = options()
    data = datasets.mnist_5k()
    images, labels = data.train
    manners = manner(images)
    mean, std = (
        np.stack([how(manners[labels == digit], axis=0) for digit in range(10)])
        for how in (np.mean, np.std)
    )
    x = vectors(labels, (manners - mean[labels]) / std[labels])
    model = rnnlite.Sequential(
        [
            rnnlite.LSTM(x.shape[2], args.hidden, return_sequences=True, seed=args.seed),
            rnnlite.Dense(args.hidden, COLUMNS, seed=args.seed),
        ]
    )
    optimizer = rnnlite.Adam(model)
    schedule = rnnlite.schedules.cosine(args.lr, args.steps)
    print(
        f"LSTM of {args.hidden} units, {model.num_params():,} parameters; {len(images):,} images; "
        f"{args.steps} steps of {BATCH_SIZE} images"
    )

    rng = np.random.default_rng(args.seed)
    began = time.perf_counter()
    for step in Steps(args.steps):
        chosen = rng.integers(0, len(images), BATCH_SIZE)
        logits = model.forward(x[chosen], training=True)
        loss, dlogits = rnnlite.binary_cross_entropy(logits, images[chosen])
        model.backward(dlogits, need_dx=False)
        rnnlite.clip_gradients(model, 1.0)
        optimizer.lr = schedule(step - 1)
        optimizer.step()
        if step % 100 == 0 or step == args.steps:
            print(f"step {step:5d}/{args.steps}  loss {loss:.4f} nats a pixel", flush=True)
    print(f"trained in {time.perf_counter() - began:.1f} s")

    means = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
    images, labels = data.test
    guesses = drawn(model, labels, (manner(images) - mean[labels]) / std[labels])
    print(
        f"on {len(labels):,} test images: {surprise(images, guesses):.4f} nats a pixel, "
        f"{surprise(images, means[labels]):.4f} by the mean image"
    )
    if args.plot:
        plot(args.plot, model)


if __name__ == "__main__":
    run(main)
