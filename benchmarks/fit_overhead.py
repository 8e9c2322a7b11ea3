"""What fit costs over the same training loop written out.

    python benchmarks/fit_overhead.py

Both train the LSTM of 128 units on MNIST in turns, in one process, at the same
steps; the figure is the ratio of the median times.
"""

import argparse
import statistics
import time

import numpy as np

import rnnlite


def network():
    """The model that both train."""
    return rnnlite.Sequential([rnnlite.LSTM(28, 128, seed=0), rnnlite.Dense(128, 10, seed=1)])


def by_fit(x, y, steps):
    """Train with fit."""
    rnnlite.fit(network(), x, y, steps=steps, batch_size=128, seed=0)


def written_out(x, y, steps):
    """Train with a loop of one's own."""
    model = network()
    optimizer = rnnlite.Adam(model)
    rng = np.random.default_rng(0)
    order = np.empty(0, np.int64)
    for _ in range(steps):
        if len(order) < 128:
            order = rng.permutation(len(x))
        chosen, order = order[:128], order[128:]
        logits = model.forward(x[chosen], training=True)
        _, dlogits = rnnlite.softmax_cross_entropy(logits, y[chosen])
        model.backward(dlogits, need_dx=False)
        optimizer.step()


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    x, y = rnnlite.datasets.mnist().train
    seconds = {written_out: [], by_fit: []}
    for loop in seconds:
        loop(x, y, 10)  # compile
    for _ in range(args.rounds):
        for loop, times in seconds.items():
            began = time.perf_counter()
            loop(x, y, args.steps)
            times.append(time.perf_counter() - began)
    ours, explicit = (statistics.median(seconds[loop]) for loop in (by_fit, written_out))
    print(
        f"a step of fit {1e3 * ours / args.steps:.3f} ms, written out "
        f"{1e3 * explicit / args.steps:.3f} ms: {100 * (ours / explicit - 1):+.1f} %"
    )


if __name__ == "__main__":
    main()
