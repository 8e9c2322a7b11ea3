"""A training step of every cell, the library's own and others, on the reference workload.

    python benchmarks/cells.py

A cell that somebody wrote for themselves should run at the speed of a
built-in one with the same arithmetic: compare "peephole LSTM, built in" with
"peephole LSTM, custom", and "IRNN, custom" with "RNN ReLU".  All cells take
turns; what is printed are medians.
"""

import argparse
import importlib
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import rnnlite

B, T, I, H, CLASSES = 128, 28, 28, 128, 10


def custom(name):
    """The cell of one of the example files."""
    folder = str(Path(__file__).parent.parent / "examples" / "custom_cells")
    if folder not in sys.path:
        sys.path.append(folder)
    return rnnlite.Recurrent(importlib.import_module(name).CELL, I, H, seed=0)


LAYERS = {
    "LSTM": lambda: rnnlite.LSTM(I, H, seed=0),
    "GRU": lambda: rnnlite.GRU(I, H, seed=0),
    "GRU of 2014": lambda: rnnlite.GRU(I, H, seed=0, reset_after=False),
    "RNN tanh": lambda: rnnlite.RNN(I, H, seed=0),
    "RNN ReLU": lambda: rnnlite.RNN(I, H, seed=0, activation="relu"),
    "IRNN, custom": lambda: custom("irnn"),
    "peephole LSTM, built in": lambda: rnnlite.LSTM(I, H, seed=0, peephole=True),
    "peephole LSTM, custom": lambda: custom("peephole_lstm"),
    "coupled LSTM, custom": lambda: custom("coupled_lstm"),
    "minimal gated unit, custom": lambda: custom("minimal_gated_unit"),
    "layer-norm LSTM, whole rows": lambda: custom("layer_norm_lstm"),
    "bidirectional LSTM": lambda: rnnlite.Bidirectional(rnnlite.LSTM(I, H, seed=0), "sum", seed=1),
}


def trainer(layer):
    """A whole training step as a function without arguments."""
    model = rnnlite.Sequential([layer, rnnlite.Dense(H, CLASSES, seed=1)])
    optimizer = rnnlite.Adam(model)
    rng = np.random.default_rng(0)
    x = rng.random((B, T, I), dtype=np.float32)
    y, dlogits = rng.integers(0, CLASSES, B), np.empty((B, CLASSES), np.float32)

    def train():
        logits = model.forward(x, training=True)
        rnnlite.softmax_cross_entropy(logits, y, out=dlogits)
        model.backward(dlogits, need_dx=False)
        optimizer.step()

    return train


def main():
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    rnnlite.set_num_threads(args.threads)
    trainers = {name: trainer(make()) for name, make in LAYERS.items()}
    times = {name: [] for name in trainers}
    for turn in range(args.rounds + 2):
        for name, train in trainers.items():
            start = time.perf_counter()
            train()
            if turn >= 2:
                times[name].append(time.perf_counter() - start)
    print(f"batch {B}, {T} steps, {I} inputs, {H} units, {args.threads} threads")
    for name, values in times.items():
        print(f"{name:30} {statistics.median(values) * 1e3:8.3f} ms a training step")


if __name__ == "__main__":
    main()
