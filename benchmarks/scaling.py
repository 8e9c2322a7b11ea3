"""How the time of a training step grows with batch, steps, hidden units and threads.

    python benchmarks/scaling.py                       the tables
    python benchmarks/scaling.py --plot scaling.png    and a picture of them (needs matplotlib)

Each table changes one size of the reference workload (LSTM, batch 128, 28
steps, 28 inputs, 128 units).  Time should be a straight line over batch and
steps, a parabola over hidden units, and fall with threads.
"""

import argparse
import os
import statistics
import time

from peers import Rnnlite
from workloads import WORKLOADS

REFERENCE = WORKLOADS[0]
AXES = {
    "batch": [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    "steps": [1, 7, 14, 28, 56, 112, 224, 448],
    "hidden": [16, 32, 64, 96, 128, 131, 150, 192, 256, 384, 512],
}


def seconds_of(workload, threads, budget):
    """Median time of a training step, measured for about so many seconds."""
    run = Rnnlite(workload, threads).train
    end = time.perf_counter() + budget / 2
    while time.perf_counter() < end:  # compiling has put the threads to sleep
        run()
    times, end = [], time.perf_counter() + budget
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def table(axis, values, threads, budget):
    """Measure and print one axis; returns the times."""
    print(f"\n{axis:>8} {'ms':>10} {'us a row and step':>18} {'GFLOP/s':>9}")
    times = []
    for value in values:
        workload = REFERENCE._replace(**{axis: value})
        seconds = seconds_of(workload, threads, budget)
        times.append(seconds)
        each = seconds / (workload.batch * workload.steps) * 1e6
        rate = workload.flops(True) / seconds / 1e9
        print(f"{value:8d} {seconds * 1e3:10.3f} {each:18.3f} {rate:9.0f}", flush=True)
    return times


def plot(path, measured):
    """One panel an axis, both scales logarithmic: a power law is a straight line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, panels = pyplot.subplots(1, len(measured), figsize=(4 * len(measured), 3.6))
    for panel, (axis, (values, times)) in zip(panels, measured.items(), strict=True):
        milliseconds = [t * 1e3 for t in times]
        panel.loglog(values, milliseconds, "o-", label="measured")
        power = {"hidden": 2, "threads": -1}.get(axis, 1)
        guide = [milliseconds[-1] * (value / values[-1]) ** power for value in values]
        raised = {1: "", 2: "\N{SUPERSCRIPT TWO}", -1: "\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ONE}"}
        label = f"proportional to {axis}{raised[power]}"
        panel.loglog(values, guide, ":", color="grey", label=label)
        ticks = [v for v in values if len(values) < 9 or v & (v - 1) == 0]  # powers of two
        panel.set_xticks(ticks, [str(v) for v in ticks], fontsize=8)
        panel.set_xticks([], minor=True)
        plain = ticker.FuncFormatter(lambda value, _: f"{value:g}")
        panel.yaxis.set_major_formatter(plain)
        panel.yaxis.set_minor_formatter(plain if len(values) < 3 else ticker.NullFormatter())
        panel.set_xlabel(axis)
        panel.set_ylabel("ms a training step")
        panel.grid(alpha=0.2)
        panel.legend(frameon=False, fontsize=8)
    figure.suptitle(f"Training step of {REFERENCE}, one size changed at a time")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    print(f"\nwrote {path}")


def main():
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure")
    parser.add_argument("--plot", metavar="FILE", help="write a picture to this file")
    args = parser.parse_args()
    print(f"{REFERENCE}, {args.threads} threads, one size changed at a time")
    measured = {
        axis: (values, table(axis, values, args.threads, args.seconds))
        for axis, values in AXES.items()
    }
    counts = sorted({1, 2, *(2**k for k in range(7) if 2**k <= args.threads), args.threads})
    counts = [count for count in counts if count <= args.threads]
    print(f"\n{'threads':>8} {'ms':>10} {'times one thread':>18}")
    times = []
    for count in counts:
        times.append(seconds_of(REFERENCE, count, args.seconds))
        print(f"{count:8d} {times[-1] * 1e3:10.3f} {times[0] / times[-1]:18.2f}", flush=True)
    measured["threads"] = (counts, times)
    if args.plot:
        plot(args.plot, measured)


if __name__ == "__main__":
    main()
