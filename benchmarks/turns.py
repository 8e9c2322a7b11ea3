"""Libraries that take turns, each in a process of its own.

No library's waiting threads disturb another's, and what is compared are medians over all turns, so
that an hour in which the machine is slower is so for everybody.
"""

import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from workloads import Workload

HERE = Path(__file__).resolve().parents[1]


def serve(name, threads, compute):
    """Worker: one JSON request a line on stdin, one answer a line on stdout."""
    with contextlib.redirect_stdout(sys.stderr):
        from peers import PEERS
    options = {"compute": compute} if name in ("rnnlite", "stream") else {}
    made = {}
    for line in sys.stdin:
        request = json.loads(line)
        workload = Workload(*request["workload"])
        with contextlib.redirect_stdout(sys.stderr):
            if workload not in made:
                made.clear()
                made[workload] = PEERS[name](workload, threads, **options)
            answer = ANSWERS[request["what"]](made[workload], **request["options"])
        print(json.dumps(answer), flush=True)


def times_of(peer, run, seconds):
    """Times of single runs, for about so many seconds."""
    run = getattr(peer, run)
    run()
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def logits_of(peer):
    """What the library answers, as lists."""
    logits = peer.infer()
    logits = logits.numpy() if hasattr(logits, "numpy") else np.asarray(logits)
    return logits.tolist()


ANSWERS = {"times": times_of, "logits": logits_of, "about": lambda peer: peer.about}


class Worker:
    """One library in its own process; ``tree`` is a checkout of rnnlite, this one if not given."""

    def __init__(self, name, threads, compute="float32", tree=HERE):
        path = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")]))
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONPATH=path)
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        self.process = subprocess.Popen(
            [sys.executable, tree / "benchmarks" / "turns.py", name, str(threads), compute],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, workload, what, **options):
        """One of the ``ANSWERS``."""
        request = {"workload": workload, "what": what, "options": options}
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


def side_by_side(workers, workload, run, rounds, seconds):
    """Median seconds of each library, measured in turns."""
    times = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            times[name] += worker.ask(workload, "times", run=run, seconds=seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def installed(parser, names, known):
    """Those of the names, separated by commas, whose library is there."""
    from peers import MODULES

    for name in filter(None, names.split(",")):
        if name not in known:
            parser.error(f"--peers: {name!r} is not one of {', '.join(known)}")
        missing = [module for module in MODULES[name] if importlib.util.find_spec(module) is None]
        if missing:
            print(f"{name}: not installed, left out (pip install {' '.join(missing)})")
        else:
            yield name


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
