"""Time to the first training step: compiled anew, and from the cache.

    python benchmarks/first_use.py

Each figure is of a fresh process that imports rnnlite and takes one training
step of LSTM, Dense and Adam in float32; the first has an empty cache folder.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

CODE = """
import time
start = time.perf_counter()
import numpy as np
numpy = time.perf_counter()
import rnnlite
imported = time.perf_counter()
rnnlite.set_num_threads({threads})
model = rnnlite.Sequential([rnnlite.LSTM(28, 128, seed=0), rnnlite.Dense(128, 10, seed=1)])
optimizer = rnnlite.Adam(model)
x, y = np.zeros((128, 28, 28), np.float32), np.zeros(128, np.int64)
loss, dlogits = rnnlite.softmax_cross_entropy(model.forward(x, training=True), y)
model.backward(dlogits, need_dx=False)
optimizer.step()
print(imported - numpy, time.perf_counter() - imported)
"""


def seconds(cache, threads):
    """Of the import (NumPy's not counted), and of the first step, in a fresh process."""
    environment = dict(os.environ, RNNLITE_CACHE=cache)
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(threads=threads)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return [float(word) for word in done.stdout.split()]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3, help="empty caches to begin from")
    args = parser.parse_args()
    imports, compiled, cached = [], [], []
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as cache:
            compiled.append(seconds(cache, args.threads)[1])
            for _ in range(3):
                import_time, first_step = seconds(cache, args.threads)
                imports.append(import_time)
                cached.append(first_step)
    for title, times in (
        ("import rnnlite, after NumPy", imports),
        ("first step, empty cache", compiled),
        ("first step, from the cache", cached),
    ):
        print(f"{title:30} {statistics.median(times):8.2f} s   (worst {max(times):.2f})")


if __name__ == "__main__":
    main()
