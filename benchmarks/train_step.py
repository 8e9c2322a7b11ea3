"""A whole training step (forward, loss, backward, Adam), side by side with other libraries.

    python benchmarks/train_step.py                    every workload
    python benchmarks/train_step.py --only 0           the reference workload alone
    python benchmarks/train_step.py --odd              sizes that fit no tile
    python benchmarks/train_step.py --peers torch,keras,jax --json results.json
    python benchmarks/train_step.py --compute bfloat16 --peers torch,autocast

Each library runs in a process of its own, so that no library's waiting
threads disturb another's, and they take turns: A B A B.  What is compared are
medians over all turns, on the same number of threads.  On a machine that does
anything else meanwhile, the figures mean little.  ``inference.py`` is the same
for forward alone.
"""

import argparse
import json
import os
import platform
from pathlib import Path

from turns import Worker, installed, side_by_side
from workloads import ODD, WORKLOADS

from rnnlite.checking import ROUNDED

TRAINS = "torch, autocast, keras, jax"


def main():
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default="torch", help=f"comma-separated: {TRAINS}")
    parser.add_argument(
        "--compute", choices=["float32", *ROUNDED], default="float32",
        help="of rnnlite; bfloat16 stands beside autocast, PyTorch's",
    )  # fmt: skip
    parser.add_argument("--only", type=int, nargs="*", help="numbers of workloads")
    parser.add_argument("--odd", action="store_true", help="sizes that fit no tile instead")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    args = parser.parse_args()
    names = ["rnnlite", *installed(parser, args.peers, TRAINS.split(", "))]
    from limits import best_product

    peak = best_product(args.threads)
    print(
        f"{platform.processor() or platform.machine()}, {args.threads} threads; "
        f"best matrix product {peak:.0f} GFLOP/s; rnnlite multiplies {args.compute}"
    )
    results, product = [], {name: 1.0 for name in names[1:]}
    workers = {name: Worker(name, args.threads, args.compute) for name in names}
    head = f"{'training step':32}" + "".join(f"{name + ' ms':>12}" for name in names)
    print("\n" + head + "".join(f"{'/ ' + name:>10}" for name in names[1:]) + "  GFLOP/s  of best")
    for number, workload in enumerate(ODD if args.odd else WORKLOADS):
        if args.only is not None and number not in args.only:
            continue
        median = side_by_side(workers, workload, "train", args.rounds, args.seconds)
        ours = median["rnnlite"]
        rate = workload.flops(training=True) / ours / 1e9
        ratios = {name: median[name] / ours for name in names[1:]}
        for name, ratio in ratios.items():
            product[name] *= ratio
        line = f"{workload!s:32}" + "".join(f"{median[name] * 1e3:12.3f}" for name in names)
        line += "".join(f"{ratios[name]:10.2f}" for name in names[1:])
        print(f"{line}{rate:9.0f}{rate / peak:9.0%}", flush=True)
        results.append({
            "workload": workload._asdict(), "seconds": median,
            "ratio": ratios, "gflops": rate, "of_best": rate / peak,
        })  # fmt: skip
    count = max(len(results), 1)
    means = "".join(f"{product[name] ** (1 / count):10.2f}" for name in names[1:])
    print(f"{'geometric mean':32}" + " " * 12 * len(names) + means)
    for worker in workers.values():
        worker.close()
    if args.json:
        report = {
            "machine": platform.machine(), "processor": platform.processor(),
            "python": platform.python_version(), "threads": args.threads, "compute": args.compute,
            "best_product_gflops": peak, "results": results,
        }  # fmt: skip
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
