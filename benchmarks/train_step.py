"""A whole training step (forward, loss, backward, Adam), side by side with other libraries.

    python benchmarks/train_step.py                    every workload, training and inference
    python benchmarks/train_step.py --only 0           the reference workload alone
    python benchmarks/train_step.py --odd              sizes that fit no tile
    python benchmarks/train_step.py --peers torch,keras,jax --json results.json
    python benchmarks/train_step.py --compute bfloat16 --peers torch,autocast

Each library runs in a process of its own, so that no library's waiting
threads disturb another's, and they take turns: A B A B.  What is compared are
medians over all turns, on the same number of threads.  On a machine that does
anything else meanwhile, the figures mean little.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from workloads import ODD, WORKLOADS, Workload

MODULES = {"torch": "torch", "autocast": "torch", "keras": "tensorflow", "jax": "jax"}


def serve(name, threads, compute):
    """Worker: one JSON request a line on stdin, one answer a line on stdout."""
    import contextlib

    with contextlib.redirect_stdout(sys.stderr):
        from peers import PEERS
    options = {"compute": compute} if name == "rnnlite" else {}
    made = {}
    for line in sys.stdin:
        request = json.loads(line)
        workload = Workload(*request["workload"])
        with contextlib.redirect_stdout(sys.stderr):
            if workload not in made:
                made.clear()
                made[workload] = PEERS[name](workload, threads, **options)
            run = getattr(made[workload], request["what"])
            run()
            times = []
            end = time.perf_counter() + request["seconds"]
            while not times or time.perf_counter() < end:
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
        print(json.dumps(times), flush=True)


class Worker:
    """One library in its own process."""

    def __init__(self, name, threads, compute):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        self.process = subprocess.Popen(
            [
                sys.executable, __file__, "--serve", name, "--threads", str(threads),
                "--compute", compute,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def measure(self, workload, what, seconds):
        """Times of single runs, for about so many seconds."""
        request = {"workload": workload, "what": what, "seconds": seconds}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("a worker ended early; its message stands above")
        return json.loads(answer)

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def side_by_side(workers, workload, what, rounds, seconds):
    """Median seconds of each library, measured in turns."""
    times = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            times[name] += worker.measure(workload, what, seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default="torch", help=f"comma-separated: {', '.join(MODULES)}")
    parser.add_argument(
        "--compute", choices=["float32", "bfloat16"], default="float32",
        help="of rnnlite; bfloat16 stands beside autocast, PyTorch's",
    )  # fmt: skip
    parser.add_argument("--only", type=int, nargs="*", help="numbers of workloads")
    parser.add_argument("--odd", action="store_true", help="sizes that fit no tile instead")
    parser.add_argument("--what", choices=["train", "infer", "both"], default="both")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.threads, args.compute)
        return

    names = ["rnnlite"]
    for name in filter(None, args.peers.split(",")):
        if name not in MODULES:
            parser.error(f"--peers: {name!r} is not one of {', '.join(MODULES)}")
        if importlib.util.find_spec(MODULES[name]) is None:
            print(f"{name}: not installed, left out (pip install {MODULES[name]})")
        else:
            names.append(name)

    from limits import best_product

    peak = best_product(args.threads)
    print(
        f"{platform.processor() or platform.machine()}, {args.threads} threads; "
        f"best matrix product {peak:.0f} GFLOP/s; rnnlite multiplies {args.compute}"
    )
    results = []
    workers = {name: Worker(name, args.threads, args.compute) for name in names}
    for what in ("train", "infer") if args.what == "both" else (args.what,):
        title = "training step" if what == "train" else "inference (forward only)"
        head = f"{title:32}" + "".join(f"{name + ' ms':>12}" for name in names)
        print(
            "\n" + head + "".join(f"{'/ ' + name:>10}" for name in names[1:]) + "  GFLOP/s  of best"
        )
        product = {name: 1.0 for name in names[1:]}
        count = 0
        for number, workload in enumerate(ODD if args.odd else WORKLOADS):
            if args.only is not None and number not in args.only:
                continue
            median = side_by_side(workers, workload, what, args.rounds, args.seconds)
            ours = median["rnnlite"]
            rate = workload.flops(what == "train") / ours / 1e9
            ratios = {name: median[name] / ours for name in names[1:]}
            count += 1
            for name, ratio in ratios.items():
                product[name] *= ratio
            line = f"{workload!s:32}" + "".join(f"{median[name] * 1e3:12.3f}" for name in names)
            line += "".join(f"{ratios[name]:10.2f}" for name in names[1:])
            print(f"{line}{rate:9.0f}{rate / peak:9.0%}", flush=True)
            results.append({
                "workload": workload._asdict(), "what": what, "seconds": median,
                "ratio": ratios, "gflops": rate, "of_best": rate / peak,
            })  # fmt: skip
        means = "".join(f"{product[name] ** (1 / max(count, 1)):10.2f}" for name in names[1:])
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
