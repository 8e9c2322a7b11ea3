"""A training step on one process and on several; a model of many machines.

    pip install -e ".[mpi]"
    python benchmarks/scaling_mpi.py                          the tables
    python benchmarks/scaling_mpi.py --plot scaling_mpi.png   and a picture of the model
    sudo python benchmarks/scaling_mpi.py --link 1            and two hosts, 1 Gbit/s between them
    sudo python benchmarks/scaling_mpi.py --link 1 --delay 1  and 1 ms of delay

The step is that of LSTM 28->128 + Dense 10, batch 128 in 8 chunks of 16 rows.  Measured: one
process with one thread and with all, two with one thread each and with all, and four; more
threads than processors are a check that the bits stay, not of speed.  Then the time of a message
of each size between two processes; with ``--link``, both again on two hosts (two_hosts.py says of
what they are).  From these a model of p machines with c chunks of 16 rows:

    step(p) = c/p chunk + (p - 1)/p add + rest
              + 2 (p - 1) (message + bytes / p / bandwidth) + (2 + 3 log2 p) latency

``chunk`` computes 16 rows.  Then each of p processes gets a p-th of the entries of all other sums,
adds them (``add`` is for a whole gradient), and hands the others the result: p - 1 messages each
time, each of a p-th of the gradient's bytes, all under way at once.  Before each of the two, and
after the step, all processes tell one another that they are well: log2 p small messages, one after
the other.  ``rest`` is the optimizer's step.
The model is compared with what two processes took before it is used for machines that are not
here.
"""

import argparse
import functools
import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from two_hosts import problem, two_hosts

import rnnlite

CHUNKS, ROWS = 8, 16  # of a batch; of a chunk
SIZES = [2**k for k in range(10, 24)]  # bytes of a message
TIMES = 30  # that each of them is sent
MESSAGE = 10e-6  # seconds of a processor for a message: a small one, one machine, takes as much
# Gbit/s, seconds from one machine to another: assumed.
NETWORKS = {
    "1 Gbit/s": (1e9 / 8, 50e-6),
    "10 Gbit/s": (10e9 / 8, 20e-6),
    "100 Gbit/s": (100e9 / 8, 5e-6),
}
MACHINES = [1, 2, 4, 8, 16, 32, 64]


# ---- in each process -----------------------------------------------------------------------------


class Watch:
    """Seconds spent in a method, a list of them."""

    def __init__(self, owner, name):
        self.seconds, method = [], getattr(owner, name)

        def timed(*arguments):
            start = time.perf_counter()
            result = method(*arguments)
            self.seconds.append(time.perf_counter() - start)
            return result

        setattr(owner, name, timed)


def work(steps):
    """Train, with all processes; what each part of a step took, in seconds."""
    from rnnlite.training.chunks import ChunkedGradient

    comm = rnnlite.distributed.world()
    computing = Watch(ChunkedGradient, "own_part")
    telling = Watch(ChunkedGradient, "together")
    rng = np.random.default_rng(0)
    rows = CHUNKS * ROWS
    x = rng.normal(size=(rows * 4, 28, 28)).astype(np.float32)
    y = rng.integers(0, 10, len(x))
    model = rnnlite.Sequential([rnnlite.LSTM(28, 128, seed=0), rnnlite.Dense(128, 10, seed=1)])
    steps_taken = EachStep()
    rnnlite.fit(
        model, x, y, steps=steps, batch_size=rows, chunks=CHUNKS, comm=comm, progress=False,
        callbacks=[steps_taken],
    )  # fmt: skip
    found = {
        "step": statistics.median(np.diff(steps_taken.ends)[steps // 4 :]),
        "computing": statistics.median(computing.seconds[steps // 4 :]),
        "telling": statistics.median(telling.seconds[steps // 4 :]),
        "bytes": int(model.flat_params.nbytes),
        "bits": hashlib.sha256(model.flat_params).hexdigest()[:12],
        "threads": rnnlite.get_num_threads(),
    }
    if comm.size == 2:
        found["messages"] = messages_of(comm)
    one, other = np.zeros(model.flat_params.size, "f"), np.ones(model.flat_params.size, "f")
    found["add"] = median_of(lambda: np.add(one, other, out=one), 200)
    if comm.rank == 0:
        print(json.dumps(found))


def median_of(call, times):
    """Median seconds of a call."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def messages_of(comm):
    """Seconds to hand a message of each size to the other process, and to get one of it."""
    from rnnlite.distributed import messages

    found = []
    for size in SIZES:
        piece, out = np.zeros(size, np.uint8), np.empty(2 * size, np.uint8)
        comm.Barrier()
        hand_over = functools.partial(messages.bytes_of_all, comm, piece, [size] * 2, out)
        found.append(median_of(hand_over, TIMES))
    return found


class EachStep(rnnlite.Callback):
    """Times at which steps ended."""

    def __init__(self):
        self.ends = []

    def step(self, run):
        """After each step."""
        self.ends.append(time.perf_counter())


# ---- from outside --------------------------------------------------------------------------------


def mpiexec():
    """The program that starts MPI processes: that of this Python's environment, or another."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    found = shutil.which("mpiexec", path=os.pathsep.join(places))
    if found is None:
        raise SystemExit("mpiexec is not there: pip install -e '.[mpi]'")
    return found


def measured(processes, threads, steps, hosts=None):
    """What so many processes with so many threads each take; half of them on each host, if any."""
    where = () if hosts is None else ("-host", ",".join(hosts.names))
    command = [mpiexec(), *where, "-n", str(processes), sys.executable, "-m", "mpi4py", __file__]
    command += ["--worker", "--steps", str(steps)]
    environment = os.environ | {"RNNLITE_NUM_THREADS": str(threads)}
    if hosts is not None:
        command, environment = hosts.on(0, *command), environment | hosts.environment
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def line_through(seconds):
    """Latency and bandwidth of the messages: the line that is nearest in proportion."""
    sizes, seconds = np.array(SIZES, float), np.array(seconds)
    design = np.stack([np.ones(len(sizes)), sizes], 1) / seconds[:, None]
    (latency, per_byte), *_ = np.linalg.lstsq(design, np.ones(len(sizes)), rcond=None)
    return float(max(latency, 0.0)), float(1 / per_byte)


def model_of(p, chunks, parts, network):
    """Seconds of a step on p machines, and those of them that are communication."""
    bandwidth, latency = network
    rounds = 2 + 3 * math.ceil(math.log2(p)) if p > 1 else 0
    telling = 2 * (p - 1) * (MESSAGE + parts["bytes"] / p / bandwidth) + rounds * latency
    computing = chunks / p * parts["chunk"] + (p - 1) / p * parts["add"] + parts["rest"]
    return computing + telling, telling


def check_model(name, two, parts):
    """Print the messages between two processes, and what the model makes of them."""
    latency, bandwidth = line_through(two["messages"])
    print(f"\nmessages, {name}: {1e6 * latency:.0f} us and {bandwidth / 1e9:.3f} GB/s")
    for size, seconds in list(zip(SIZES, two["messages"], strict=True))[::3]:
        print(f"{size:10,d} bytes {1e6 * seconds:9.1f} us")
    forecast, telling = model_of(2, CHUNKS, parts, (bandwidth, latency))
    print(
        f"{name} of one thread each: the model says {1e3 * forecast:.2f} ms, of them"
        f" {1e3 * telling:.2f} communicating; measured {1e3 * two['step']:.2f}"
        f" ({forecast / two['step'] - 1:+.0%})"
    )


def measure_hosts(gigabits, delay, alone, steps):
    """Two hosts with such a link, and what the model makes of them; whether all is as it should."""
    with two_hosts(f"{gigabits:g}gbit", delay) as hosts:
        apart = measured(2, 1, steps, hosts)
        sent = min(hosts.sent())
    least = steps * apart["bytes"] + TIMES * sum(SIZES)
    words = "between them" if delay is None else f"and {1e3 * delay:g} ms between them"
    right = apart["bits"] == alone["bits"] and least <= sent <= 1.2 * least
    print(
        f"\ntwo hosts, {gigabits:g} Gbit/s {words}: {1e3 * apart['step']:.2f} ms a step,"
        f" {1e3 * apart['telling']:.2f} communicating; the weights {apart['bits']}"
        f"\neach sent {sent / 1e6:,.0f} MB through the link, {sent / least:.2f} of what they told"
        f" one another{'' if right else ': NOT AS IT SHOULD BE'}"
    )
    check_model("two hosts", apart, parts_of(alone))
    assumed = (gigabits * 1e9 / 8, NETWORKS["1 Gbit/s"][1] if delay is None else delay)
    forecast, telling = model_of(2, CHUNKS, parts_of(alone), assumed)
    print(
        f"from the rate and {1e6 * assumed[1]:.0f} us alone, as below: {1e3 * forecast:.2f} ms, of"
        f" them {1e3 * telling:.2f} communicating ({forecast / apart['step'] - 1:+.0%})"
    )
    return right


def parts_of(alone):
    """The parts of a step in one process."""
    return {
        "chunk": alone["computing"] / CHUNKS,
        "rest": alone["step"] - alone["computing"],
        "add": alone["add"],
        "bytes": alone["bytes"],
    }


def show_measured(found):
    """The table of what was measured."""
    print("\nprocesses, each with      ms a step  computing  communicating  the weights")
    for (processes, threads), one in found.items():
        name = f"{processes:2d} x {threads} threads"
        figures = (1e3 * one[part] for part in ("step", "computing", "telling"))
        print(f"{name:22}" + "{:12.2f}{:11.2f}{:15.2f}".format(*figures) + f"  {one['bits']}")


def show_model(parts):
    """The table of the model, strong and weak scaling; returns what it holds."""
    curves = {}
    for kind, chunks_of in (
        ("strong: batch 1024 in 64 chunks", lambda p: 64),
        ("weak: batch 128 a machine, 8 chunks each", lambda p: CHUNKS * p),
    ):
        print(f"\nmodel, {kind}: ms a step, share of the ideal, of it communication")
        print("machines" + "".join(f"{name:>26}" for name in NETWORKS))
        for p in MACHINES:
            row = f"{p:8d}"
            for name, network in NETWORKS.items():
                alone = model_of(1, chunks_of(1), parts, network)[0]
                step, telling = model_of(p, chunks_of(p), parts, network)
                ideal = alone / p if kind.startswith("strong") else alone
                row += f"{1e3 * step:12.2f}{ideal / step:7.0%}{telling / step:7.0%}"
                curves.setdefault((kind, name), []).append(ideal / step)
            print(row)
    return curves


def plot(curves, path):
    """Share of the ideal speed against machines, for each network."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
    for panel, kind in zip(panels, dict.fromkeys(kind for kind, _ in curves), strict=True):
        for (of, name), shares in curves.items():
            if of == kind:
                panel.semilogx(MACHINES, shares, "o-", base=2, label=name)
        panel.set(title=kind, xlabel="machines (a model, not measured)", ylim=(0, 1.05))
        panel.set_xticks(MACHINES, map(str, MACHINES))
        panel.grid(alpha=0.2)
    panels[0].set_ylabel("share of the ideal speed")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=120)
    print(f"\nwrote {path}")


def main():
    """Measure, model, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200, help="of each run (default: 200)")
    parser.add_argument("--plot", metavar="FILE", help="write a picture of the model to this file")
    parser.add_argument(
        "--link", metavar="GBIT", type=float, help="measure two hosts with such a link, too"
    )
    parser.add_argument(
        "--delay", metavar="MS", type=float, help="of the link, in place of the least there can be"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.steps)
        return
    delay = None if args.delay is None else 1e-3 * args.delay
    if args.link and (reason := problem(delay)):
        parser.error(f"argument --link: {reason}")
    cores = os.cpu_count()
    found = {
        (processes, threads): measured(processes, threads, args.steps)
        for processes, threads in ((1, 1), (1, cores), (2, 1), (2, cores), (4, 1))
    }
    show_measured(found)
    same = len({one["bits"] for one in found.values()}) == 1
    print("the same bits everywhere" if same else "THE BITS DIFFER")
    check_model("two processes", found[2, 1], parts_of(found[1, 1]))
    if args.link:
        same &= measure_hosts(args.link, delay, found[1, 1], args.steps)
    curves = show_model(parts_of(found[1, cores]))
    if args.plot:
        plot(curves, args.plot)
    sys.exit(not same)


if __name__ == "__main__":
    main()
