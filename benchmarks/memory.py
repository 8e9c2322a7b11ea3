"""Peak memory of one training step, beside PyTorch's, measured the same way.

    python benchmarks/memory.py [--only N]

Each measurement is a fresh process: the largest resident size after a few
training steps, less that after making the model and the data.  Linux and
macOS only (it reads the operating system's own account).
"""

import argparse
import os
import subprocess
import sys

from workloads import WORKLOADS

CODE = """
import resource, sys
sys.path.insert(0, {folder!r})
from peers import PEERS
from workloads import WORKLOADS
unit = 1 if sys.platform == "darwin" else 1024
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
small = WORKLOADS[{number}]._replace(batch=1, steps=2)
PEERS[{name!r}](small, {threads}).train()      # compiled, loaded, thread pool started
model = PEERS[{name!r}](WORKLOADS[{number}], {threads})
before = peak()
for _ in range(3):
    model.train()
print(peak() - before)
"""


def peak_of(name, number, threads):
    """Bytes that training steps add to the process."""
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    code = CODE.format(folder=folder, number=number, name=name, threads=threads)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=int, nargs="*", help="numbers of workloads")
    parser.add_argument("--peers", default="rnnlite,torch")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    names = args.peers.split(",")
    print(
        f"{'floats a unit, step and row':28}"
        + "".join(f"{name + ' MB':>14}{'floats':>9}" for name in names)
    )
    for number, workload in enumerate(WORKLOADS):
        if args.only is not None and number not in args.only:
            continue
        line = f"{workload!s:28}"
        for name in names:
            extra = peak_of(name, number, args.threads)
            floats = extra / 4 / (workload.batch * workload.steps * workload.hidden)
            line += f"{extra / 1e6:14.1f}{floats:9.1f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
