"""A network that PyTorch trained, opened: every gate of it, in a page.

PyTorch trains an LSTM to read digits row by row.  All that goes over is its ``state_dict``, and
what rnnlite makes of it gives the same answers; then ``rnnlite.explain`` writes a page in which
the network runs: draw a digit, step through time, look at every gate.

    python examples/from_torch.py
    python examples/from_torch.py --save page.html --hidden 64
    python examples/from_torch.py --help

Without PyTorch, rnnlite trains, and hands over a ``state_dict`` under PyTorch's names.
"""

import argparse

import numpy as np
from command_line import Steps, count, output, run, seed, width

import rnnlite
from rnnlite import datasets, interop

BATCH_SIZE = 100
CLASSES = 10


def batches(data, steps, rng):
    """Random images (B, 28, 28) and their labels, one batch a step."""
    for _ in Steps(steps):
        chosen = rng.integers(0, len(data.images), BATCH_SIZE)
        yield data.images[chosen], data.labels[chosen].astype(np.int64)


def by_pytorch(torch, data, hidden, steps, rng, seed):
    """The ``state_dict`` after training in PyTorch, and its logits of images."""

    class Reader(torch.nn.Module):
        """The last hidden state of an LSTM says which digit it was."""

        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(28, hidden, batch_first=True)
            self.head = torch.nn.Linear(hidden, CLASSES)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    torch.manual_seed(seed)
    module = Reader()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.005)
    for images, labels in batches(data, steps, rng):
        loss = torch.nn.functional.cross_entropy(
            module(torch.from_numpy(images)), torch.from_numpy(labels)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def logits(images):
        with torch.no_grad():
            return module(torch.from_numpy(images)).numpy()

    return module.state_dict(), logits


def by_rnnlite(data, hidden, steps, rng, seed):
    """The same without PyTorch: a ``state_dict`` of arrays."""
    model = rnnlite.Sequential(
        [rnnlite.LSTM(28, hidden, seed=seed), rnnlite.Dense(hidden, CLASSES, seed=seed)]
    )
    optimizer = rnnlite.Adam(model, lr=0.005)
    for images, labels in batches(data, steps, rng):
        _, dlogits = rnnlite.softmax_cross_entropy(model.forward(images, training=True), labels)
        model.backward(dlogits, need_dx=False)
        optimizer.step()
    modules = {"0": "lstm", "1": "head"}
    state = {
        f"{modules[name[0]]}{name[1:]}": array for name, array in interop.to_torch(model).items()
    }
    return state, model


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description="Train an LSTM in PyTorch, take its state_dict over, look inside."
    )
    add = parser.add_argument
    add("--steps", type=count, default=300, help="training steps (default: %(default)s)")
    add("--hidden", type=width, default=32, help="hidden units (default: %(default)s)")
    add("--seed", type=seed, default=0, help="of weights and batches (default: %(default)s)")
    add(
        "--save", type=output, default="from_torch.html", metavar="FILE",
        help="where the page goes (default: %(default)s)",
    )  # fmt: skip
    return parser.parse_args()


def main():
    """Train there, look here."""
    args = options()
    data, rng = datasets.mnist_5k(), np.random.default_rng(args.seed)
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed; rnnlite trains in its place")
        state, logits = by_rnnlite(data.train, args.hidden, args.steps, rng, args.seed)
    else:
        state, logits = by_pytorch(torch, data.train, args.hidden, args.steps, rng, args.seed)

    model = interop.from_torch(state, return_sequences=False)
    print(f"{len(state)} arrays, from {next(iter(state))}: {model!r}")
    images, labels = data.test
    difference = np.abs(logits(images) - model(images)).max()
    print(f"largest difference of {len(images):,} answers: {difference:.1e}")
    print(f"accuracy on the test images: {np.mean(rnnlite.predict(model, images) == labels):.3f}")
    rnnlite.explain(model, images[:20], args.save, labels=labels[:20])
    print(f"{args.save}: open it in a browser")


if __name__ == "__main__":
    run(main)
