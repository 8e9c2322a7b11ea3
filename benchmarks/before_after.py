"""This checkout beside another one, in quick turns: what a change makes faster, or slower.

    git worktree add ../before HEAD~1
    python benchmarks/before_after.py ../before                      training steps, every row
    python benchmarks/before_after.py ../before --what infer --rows 0 5 --threads 1

Each has a process of its own, with its own sources, and they take turns of a tenth of a second, so
that a minute in which the machine is slower is so for both.  Printed are the medians of all runs;
how many times as fast this checkout is, the median over the turns of the ratio of their shortest
runs, and between what bounds half of these ratios lie: where 1.00 is between them, nothing is seen.
"""

import argparse
import os
import statistics
from pathlib import Path

from turns import HERE, Worker
from workloads import WORKLOADS

from rnnlite.checking import ROUNDED


def measure(workers, workload, what, rounds, seconds):
    """Median seconds of both, and the ratios of each turn."""
    times, ratios = [[], []], []
    for turn in range(rounds):
        shortest = [0.0, 0.0]
        for n in (0, 1) if turn % 2 else (1, 0):
            runs = workers[n].ask(workload, "times", run=what, seconds=seconds)
            times[n] += runs
            shortest[n] = min(runs)
        ratios.append(shortest[0] / shortest[1])
    return [statistics.median(runs) for runs in times], ratios


def main():
    """Measure and print a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="folder of the other checkout")
    parser.add_argument("--what", choices=["train", "infer"], default="train")
    parser.add_argument(
        "--rows", type=int, nargs="+", choices=range(len(WORKLOADS)), default=range(len(WORKLOADS)),
        help="numbers of rows (all)",
    )  # fmt: skip
    parser.add_argument("--compute", choices=["float32", *ROUNDED], default="float32")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count()))
    parser.add_argument("--rounds", type=int, default=30, help="turns of each")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a turn")
    args = parser.parse_args()
    before = args.before.resolve()
    if not (before / "benchmarks" / "turns.py").is_file():
        parser.error(f"{args.before} is no checkout of rnnlite: it has no benchmarks/turns.py")
    if args.rounds < 2:
        parser.error(f"--rounds is {args.rounds}; it takes two turns to see how far they differ")

    workers = [Worker("rnnlite", args.threads, args.compute, tree) for tree in (before, HERE)]
    title = "training step, ms" if args.what == "train" else "inference, ms"
    print(f"{title:26}{'before':>12}{'after':>12}{'times as fast':>16}   half of the turns")
    for row in args.rows:
        medians, ratios = measure(workers, WORKLOADS[row], args.what, args.rounds, args.seconds)
        low, middle, high = statistics.quantiles(ratios)
        line = "".join(f"{seconds * 1e3:12.3f}" for seconds in medians)
        print(f"{WORKLOADS[row]!s:26}{line}{middle:16.2f}   {low:.2f} to {high:.2f}", flush=True)
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
