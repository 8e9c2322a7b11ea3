"""What a step saves when gradients are sent while earlier layers still compute theirs.

    python benchmarks/overlap.py                    the most it could save, for 2, 4 and 8 machines
    sudo python benchmarks/overlap.py --link 1      what it does save, on two hosts (two_hosts.py)

The gradient of a layer is known when its share of the *last* chunk has been added: until then
there is nothing of the sum that could be sent, and a part of it, over fewer chunks, would have to
be sent in addition.  So the time to hide messages in is the backward pass of the layers below it,
of one chunk.  For some networks and chunks the first table measures the backward pass of each
layer, on one thread, and says how much sooner the last message over 1 Gbit/s would come in, if

- each layer's gradient is sent as soon as it is known, the last layer's first;
- sending takes nothing from those who compute, and a message of its own no latency of its own;
- the rest of a step is as in scaling_mpi.py, with 8 chunks of a batch shared among the machines.

The second trains each of these networks on two hosts with one thread each and so many Gbit/s
between them, with and without, taking turns.
"""

import argparse
import hashlib
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time

import numpy as np
from scaling_mpi import CHUNKS, MESSAGE, NETWORKS, EachStep, mpiexec
from two_hosts import problem, two_hosts

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


def show_bounds(times):
    """The table of what could be saved."""
    bandwidth, _ = NETWORKS["1 Gbit/s"]
    print("ms a step over 1 Gbit/s, ms of it sending, and the share of it that could be saved")
    print(f"{'rows a chunk  parameters  units':44}" + "".join(f"{p:9d} machines" for p in MACHINES))
    for rows, units in itertools.product(ROWS, UNITS):
        model = network(units)
        sizes = [sum(g.nbytes for g in layer.grads.values()) for layer in reversed(model.layers)]
        forward, backward = chunk_of(model, rows, times)
        line = f"{rows:12d}{model.flat_params.size:12,d}  {'+'.join(map(str, units)):18}"
        for p in MACHINES:
            sending = [2 * (p - 1) * (MESSAGE + size / p / bandwidth) for size in sizes]
            step = CHUNKS / p * (forward + sum(backward)) + sum(sending)
            share = saved(backward, sending) / step
            line += f"{1e3 * step:7.0f}{1e3 * sum(sending):5.0f}{share:6.1%}"
        print(line, flush=True)


# ---- on two hosts --------------------------------------------------------------------------------


def work(rounds):
    """Train each network in turns with the gradient as a whole and in pieces; in each process."""
    from rnnlite.training import chunks

    comm, least = rnnlite.distributed.world(), chunks.LEAST
    rng = np.random.default_rng(0)
    for rows, units in itertools.product(ROWS, UNITS):
        batch = CHUNKS * rows
        x = rng.normal(size=(2 * batch, STEPS, INPUTS)).astype(np.float32)
        y = rng.integers(0, CLASSES, len(x))
        seconds, ends = {False: [], True: []}, set()
        for turn in range(rounds):
            for early in (False, True) if turn % 2 else (True, False):
                chunks.LEAST = least if early else math.inf
                model, steps = network(units), EachStep()
                rnnlite.fit(
                    model, x, y, steps=10, batch_size=batch, chunks=CHUNKS, comm=comm,
                    progress=False, callbacks=[steps],
                )  # fmt: skip
                # Without the first steps, which hand over late, and compile.
                seconds[early].append(statistics.median(np.diff(steps.ends)[2:]))
                ends.add(hashlib.sha256(model.flat_params).hexdigest())
        if comm.rank == 0:
            found = [statistics.median(seconds[early]) for early in (False, True)]
            found.append(statistics.median(np.divide(seconds[True], seconds[False])))
            print(json.dumps([rows, units, model.flat_params.size, *found, len(ends)]), flush=True)


def show_measured(gigabits, rounds):
    """The table of what is saved; whether all ends had the same bits."""
    print(f"two hosts, {gigabits:g} Gbit/s between them: ms a step without and with, and saved")
    print("(the median of pairs)")
    same = True
    with two_hosts(f"{gigabits:g}gbit") as hosts:
        command = [mpiexec(), "-host", ",".join(hosts.names), "-n", "2", sys.executable]
        command += ["-m", "mpi4py", __file__, "--worker", "--rounds", str(rounds)]
        environment = os.environ | hosts.environment | {"RNNLITE_NUM_THREADS": "1"}
        with subprocess.Popen(
            hosts.on(0, *command), env=environment, stdout=subprocess.PIPE, text=True
        ) as run:
            for line in run.stdout:
                rows, units, size, without, early, ratio, ends = json.loads(line)
                same &= ends == 1
                print(
                    f"{rows:12d}{size:12,d}  {'+'.join(map(str, units)):18}{1e3 * without:9.1f}"
                    f"{1e3 * early:9.1f}{1 - ratio:8.1%}{'' if ends == 1 else '  BITS'}",
                    flush=True,
                )
    return same and run.returncode == 0


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=40, help="of each pass (default: 40)")
    parser.add_argument("--link", metavar="GBIT", type=float, help="train on two hosts instead")
    parser.add_argument("--rounds", type=int, default=5, help="turns on two hosts (default: 5)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    rnnlite.set_num_threads(1)
    if args.worker:
        work(args.rounds)
    elif args.link and (reason := problem()):
        parser.error(f"argument --link: {reason}")
    elif args.link:
        sys.exit(not show_measured(args.link, args.rounds))
    else:
        show_bounds(args.times)


if __name__ == "__main__":
    main()
