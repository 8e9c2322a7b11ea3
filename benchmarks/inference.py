"""Forward alone, side by side with other libraries, each at its best.

    pip install torch onnx onnxruntime openvino jax     # or some: what is not there is left out
    python benchmarks/inference.py                      every row
    python benchmarks/inference.py --rows 0 5           the reference workload, and batch 1
    python benchmarks/inference.py --compute bfloat16   two columns more, products of bfloat16
    python benchmarks/inference.py --quick              a tenth of the time, to see that it works

A recurrent layer and a Dense layer of ten outputs behind its last step, with the same weights and
input in all libraries.  First their answers are compared with rnnlite's in float32: the largest
difference may be 1e-4, and 0.05 where products are of bfloat16 numbers.  Then each library runs in
a process of its own, and they take turns; figures are medians over all turns, on the same number of
threads.  On a machine that does anything else meanwhile, they mean little.

Settings, the best that were found:

- rnnlite: ``model(x)``, which packs the weights at each call, since they may have changed;
  ``stream`` is ``model.stream(batch).run(x)``, on one thread, which packed them
  once, as all others do.
- torch: ``torch.nn``, eager, under ``inference_mode``; ``autocast`` (on request) the same under
  ``torch.autocast("cpu", torch.bfloat16)``.
- onnxruntime: the graph of ``rnnlite.interop.export_onnx`` with the sizes of the row written into
  it, all optimisations, input and output bound, waiting threads spin (its default).
- openvino: the same graph, hint LATENCY, one stream; it takes bfloat16 by itself on a processor
  that multiplies it, and ``openvino-f32`` is told ``INFERENCE_PRECISION_HINT=f32``.  What it took
  is printed.
- jax: ``jit`` of a scan with the input's product inside it; see ``peers.py`` for what was slower.

Single steps are in ``streams.py``.
"""

import argparse
import json
import math
import os
import platform
from pathlib import Path

import numpy as np
from turns import Worker, installed, side_by_side
from workloads import WORKLOADS, Workload

FLOAT32 = ("torch", "onnxruntime", "openvino-f32", "jax")
PEERS = (*FLOAT32, "openvino", "autocast")
TOLERANCE, ROUNDED_TOLERANCE = 1e-4, 0.05


def compare(workers, workload):
    """Largest difference of each answer from rnnlite's in float32; who is too far off ends it."""
    answers = {name: np.array(worker.ask(workload, "logits")) for name, worker in workers.items()}
    wanted, differences = answers.pop("rnnlite"), {}
    for name, answer in answers.items():
        differences[name] = difference = float(np.abs(answer - wanted).max())
        allowed = TOLERANCE if name in (*FLOAT32, "stream") else ROUNDED_TOLERANCE
        if answer.shape != wanted.shape or not difference <= allowed:
            raise SystemExit(f"{workload}: {name} differs by {difference:.2g} from rnnlite")
    return differences


def geometric_mean(ratios):
    """Their mean as factors."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def ratios_of(median):
    """How many times as fast as the best float32 peer, and in bfloat16 as OpenVINO as it comes."""
    best = min((name for name in FLOAT32 if name in median), key=median.get, default=None)
    against = {"rnnlite": best, "stream": best, "bfloat16": "openvino", "bf16-stream": "openvino"}
    pairs = ((name, peer) for name, peer in against.items() if name in median and peer in median)
    return best, {name: median[peer] / median[name] for name, peer in pairs}


def print_ratios(results):
    """A line for each row, and the geometric means."""
    names = list(results[0]["ratios"])
    print(f"\n{'times as fast':26}" + "".join(f"{name:>14}" for name in names) + "   as")
    for row in results:
        ratios = "".join(f"{row['ratios'][name]:14.2f}" for name in names)
        peers = [row["best"]] * ("rnnlite" in names) + ["openvino"] * ("bfloat16" in names)
        print(f"{Workload(**row['workload'])!s:26}{ratios}   {', '.join(peers)}")
    means = (geometric_mean([row["ratios"][name] for row in results]) for name in names)
    print(f"{'geometric mean':26}" + "".join(f"{mean:14.2f}" for mean in means))


def main():
    """Compare the answers, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--peers", default=",".join(PEERS[:-1]), help=f"of {', '.join(PEERS)} (%(default)s)"
    )
    parser.add_argument(
        "--compute", choices=["float32", "bfloat16"], default="float32",
        help="bfloat16: two columns more of rnnlite",
    )  # fmt: skip
    parser.add_argument(
        "--rows", type=int, nargs="+", choices=range(len(WORKLOADS)), default=range(len(WORKLOADS)),
        help="numbers of rows (all)",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count()))
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--quick", action="store_true", help="two turns of a tenth of a second")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    args = parser.parse_args()
    rounds, seconds = (2, 0.1) if args.quick else (args.rounds, args.seconds)

    names = list(installed(parser, args.peers, PEERS))
    workers = {name: Worker(name, args.threads) for name in ("rnnlite", "stream")}
    if args.compute == "bfloat16":
        workers["bfloat16"] = Worker("rnnlite", args.threads, "bfloat16")
        workers["bf16-stream"] = Worker("stream", args.threads, "bfloat16")
    workers |= {name: Worker(name, args.threads) for name in names}
    machine, workloads = platform.machine(), [WORKLOADS[row] for row in args.rows]
    print(f"{machine}, {args.threads} threads; {rounds} turns of {seconds:g} s")
    about = {name: worker.ask(workloads[0], "about") for name, worker in workers.items()}
    differences = [compare(workers, workload) for workload in workloads]
    for name, text in about.items():
        largest = max(row.get(name, 0.0) for row in differences)
        print(f"{name:16}{text}; differs by {largest:.1g} at most")

    print(f"\n{'inference, ms':26}" + "".join(f"{name:>14}" for name in workers))
    results = []
    for workload, difference in zip(workloads, differences, strict=True):
        median = side_by_side(workers, workload, "infer", rounds, seconds)
        times = "".join(f"{time * 1e3:14.3f}" for time in median.values())
        print(f"{workload!s:26}{times}", flush=True)
        best, ratios = ratios_of(median)
        results.append({
            "workload": workload._asdict(), "seconds": median, "difference": difference,
            "best": best, "ratios": ratios,
        })  # fmt: skip
    if results[0]["ratios"]:
        print_ratios(results)
    for worker in workers.values():
        worker.close()
    if args.json:
        report = {
            "machine": machine, "processor": platform.processor(), "threads": args.threads,
            "python": platform.python_version(), "libraries": about, "results": results,
        }  # fmt: skip
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
