"""One LSTM layer of 128 units, row by row, as good as a minute of training makes it.

The recipe, chosen on validation images: digits are moved, turned, stretched and
bent at random; those that the network reads well already come less often; the
step size goes up and down once, gradients are clipped, and what is tried in the
end is a moving average of the weights.

    python examples/mnist_record.py
    python examples/mnist_record.py --validate      hold 10,000 training images out and try on them
    python examples/mnist_record.py --plot record   draw record-history.png, record-mistakes.png
"""

import argparse
import logging
import sys
import time

import numpy as np
from command_line import count, number, output, picture, run, seed

import rnnlite
from rnnlite import datasets, schedules

HIDDEN, BATCH = 128, 128
HIGHEST_LR = 8e-3
CHANGES = {"shift": 2.0, "rotate": 8.0, "scale": 0.12, "shear": 0.05, "bend": 0.9}
SKIPPED = 0.7  # share of the easy images
ALL_AGAIN = 0.88  # share of the steps after which no image is skipped


class HardImages:
    """Batches in which easy images are rare: time is spent where there is something to learn.

    An image is easy if its loss was below the mean when it came last.  After
    the first epoch most are, and seven of ten, drawn anew each time, are left
    out of an epoch: the steps of 11 epochs serve for 27.  Without the easy ones
    the network takes what is rare for common, so the last steps have all.
    (Katharopoulos & Fleuret 2018 draw by importance and weigh the gradients;
    Jiang et al. 2019 do not weigh them, and nor does this.)
    """

    def __init__(self, images, labels, steps, seed):
        self.images, self.labels, self.seed = images, labels, seed
        self.left = int(ALL_AGAIN * steps)  # steps in which images are skipped
        self.losses = np.full(len(labels), np.inf)
        self.rows = None  # those of the batch that is being learned

    def __call__(self, epoch):
        """The batches of an epoch, as ``fit`` asks for them."""
        rng = np.random.default_rng((self.seed, epoch))
        easy = self.losses < np.mean(self.losses)
        if self.left <= 0:
            easy[:] = False
        rows = np.flatnonzero(~easy | (rng.random(len(easy)) >= SKIPPED))
        rng.shuffle(rows)
        for start in range(0, len(rows) - BATCH + 1, BATCH):
            self.left -= 1
            self.rows = rows[start : start + BATCH]
            images = datasets.random_affine(self.images[self.rows], rng, **CHANGES)
            yield images, self.labels[self.rows]

    def loss(self, logits, labels):
        """The cross-entropy; what each image has of it is remembered."""
        mean, dlogits = rnnlite.softmax_cross_entropy(logits, labels)
        # dL/dlogits = (p - 1) / B at the label: p, its probability, can be read there.
        p = 1 + len(labels) * dlogits[np.arange(len(labels)), labels]
        self.losses[self.rows] = -np.log(np.maximum(p, 1e-9))
        return mean, dlogits


def pictures(name):
    """Where the two pictures go: history and mistakes."""
    return [picture(f"{name}-{what}.png") for what in ("history", "mistakes")]


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--epochs",
        type=count,
        default=11,
        metavar="N",
        help="as many steps as N passes over all images have (default: %(default)s)",
    )
    add("--seed", type=seed, default=0, help="of weights, order and changes (default: %(default)s)")
    add("--validate", action="store_true", help="try on validation images instead")
    add("--bundled", action="store_true", help="use the 5,000 bundled images")
    add(
        "--threads",
        type=number(int, 1, 1024),
        default=rnnlite.get_num_threads(),
        help="threads to compute with (default: %(default)s)",
    )
    add("--save", type=output, metavar="FILE", help="keep the trained model here")
    add(
        "--plot",
        type=pictures,
        metavar="NAME",
        help="draw NAME-history.png and NAME-mistakes.png",
    )
    return parser.parse_args()


def main():
    """Train, then try."""
    args = options()
    logging.basicConfig(format="%(message)s")
    rnnlite.set_num_threads(args.threads)
    held_out = 10_000 if args.validate else 0
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
    steps = args.epochs * (len(x) // BATCH)
    batches = HardImages(x, y, steps, args.seed)
    began = time.perf_counter()
    history = rnnlite.fit(
        model, batches,
        loss=batches.loss,
        steps=steps,
        schedule=schedules.one_cycle(HIGHEST_LR, steps=steps),
        clip_norm=1.0,
        average=0.999,
    )  # fmt: skip
    seconds, seen = time.perf_counter() - began, BATCH * history["step"][-1]
    print(history)
    metrics = rnnlite.evaluate(model, *judge)
    low, high = rnnlite.accuracy_interval(metrics.accuracy, len(judge.labels))
    predicted = rnnlite.predict(model, judge.images)
    matrix = rnnlite.confusion_matrix(judge.labels, predicted, classes=10)
    print(matrix)
    print(
        f"trained in {seconds:.1f} s, {seen / seconds:,.0f} images a second\n"
        f"accuracy on all {len(judge.labels):,} {name} images: {metrics.accuracy:.4f} "
        f"(95 % interval {low:.4f} to {high:.4f}), "
        f"{np.sum(predicted != judge.labels)} mistakes"
    )
    if args.save:
        rnnlite.save(model, args.save)
    if args.plot:
        history.plot(args.plot[0])
        matrix.plot(args.plot[1])


if __name__ == "__main__":
    run(main)
