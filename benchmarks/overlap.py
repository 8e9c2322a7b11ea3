"""What a step could save at most if gradients were sent while earlier layers still compute theirs.

    python benchmarks/overlap.py

The gradient of a layer is known when its share of the *last* chunk has been added: until then
there is nothing of the sum that could be sent, and a part of it, over fewer chunks, would have to
be sent in addition.  So the time to hide messages in is the backward pass of the layers below it,
of one chunk.  For some networks and chunks this measures the backward pass of each layer, on one
thread, and says how much sooner the last message over a link would come in, if

- each layer's gradient is sent as soon as it is known, the last layer's first;
- sending takes nothing from those who compute;
- the rest of a step is as in scaling_mpi.py, with 8 chunks of a batch shared among the machines.
"""

import argparse
import itertools
import time

import numpy as np
from scaling_mpi import CHUNKS, NETWORKS

import rnnlite
from rnnlite import LSTM, Dense, Sequential

STEPS, INPUTS, CLASSES = 28, 28, 10
UNITS = [(128,), (64, 64), (128, 128), (256, 256), (96, 96, 96, 96), (160, 160, 160, 160)]
ROWS = (16, 128)  # of a chunk
MACHINES = (2, 4, 8)


def network(units):
    """LSTM layers of so many units each, and Dense."""
    layers = [
        LSTM(n, m, return_sequences=i + 1 < len(units), seed=i)
        for i, (n, m) in enumerate(itertools.pairwise((INPUTS, *units)))
    ]
    return Sequential([*layers, Dense(units[-1], CLASSES, seed=99)])


def seconds_of(call, *arguments, **options):
    """Seconds of a processor that a call took, and its result."""
    start = time.process_time()  # on one thread: that of a clock, if nothing else runs
    result = call(*arguments, **options)
    return time.process_time() - start, result


def chunk_of(model, rows, times):
    """Least seconds of a chunk forward, and backward through each layer, the last one first."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, STEPS, INPUTS)).astype(np.float32)
    dy = rng.normal(size=(rows, CLASSES)).astype(np.float32)
    found = []
    for _ in range(times):
        forward, _ = seconds_of(model.forward, x, training=True)
        backward, d = [], dy
        for n, layer in reversed(list(enumerate(model.layers))):
            seconds, d = seconds_of(layer.backward, d, need_dx=n > 0)
            backward.append(seconds)
        found.append([forward, *backward])
    forward, *backward = np.min(found, axis=0)
    return forward, backward


def saved(backward, sending):
    """Seconds by which the last message comes in sooner; both of each layer, last layer first."""
    free = 0.0  # when the link is: 0 is the beginning of the backward pass
    for known, seconds in zip(np.cumsum(backward), sending, strict=True):
        free = max(free, known) + seconds
    return sum(backward) + sum(sending) - free


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=40, help="of each pass (default: 40)")
    args = parser.parse_args()
    rnnlite.set_num_threads(1)
    bandwidth, latency = NETWORKS["1 Gbit/s"]
    print("ms a step over 1 Gbit/s, ms of it sending, and the share of it that could be saved")
    print(f"{'rows a chunk  parameters  units':44}" + "".join(f"{p:9d} machines" for p in MACHINES))
    for rows, units in itertools.product(ROWS, UNITS):
        model = network(units)
        sizes = [sum(g.nbytes for g in layer.grads.values()) for layer in reversed(model.layers)]
        forward, backward = chunk_of(model, rows, args.times)
        line = f"{rows:12d}{model.flat_params.size:12,d}  {'+'.join(map(str, units)):18}"
        for p in MACHINES:
            sending = [2 * (p - 1) * (latency + size / p / bandwidth) for size in sizes]
            step = CHUNKS / p * (forward + sum(backward)) + sum(sending)
            share = saved(backward, sending) / step
            line += f"{1e3 * step:7.0f}{1e3 * sum(sending):5.0f}{share:6.1%}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
