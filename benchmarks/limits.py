"""What this machine can do at best: matrix products, memory, activations.

    python benchmarks/limits.py [--threads N]

The figures that all others are held against: the rate of rnnlite's own tile
on a product that fits the caches, NumPy's on a large one, the bandwidth of a
copy from memory, and the time of one activation.
"""

import argparse
import os
import statistics
import time

import numba
import numpy as np

import rnnlite
from rnnlite.engine import threads as pool
from rnnlite.engine.memory import aligned_zeros
from rnnlite.kernels import activations, simd
from rnnlite.kernels.jit import kernel
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import packed_size, panel_width, product

M, K, N = 64, 156, 512  # one thread's share of a step of the reference LSTM
REPEATS = 20


@parallel
def repeat_product(first, last, a, w, c, zeros, panel):
    """Multiply the (M, K) block of each thread by w, a few times over."""
    for block in range(first, last):
        for _ in range(REPEATS):
            product(zeros, 0, 0, a, block * M * K, K, 1, w, 0, panel, K * panel,
                    c, block * M * N, N, M, K, N)  # fmt: skip


@kernel
def apply_tanh(x, y):
    """Tanh of a flat array, register by register."""
    for i in range(0, x.size, simd.lanes(x)):
        simd.store(y, i, activations.tanh(simd.load(x, i)))


@kernel
def apply_sigmoid(x, y):
    """Sigmoid of a flat array, register by register."""
    for i in range(0, x.size, simd.lanes(x)):
        simd.store(y, i, activations.sigmoid(simd.load(x, i)))


def median_seconds(run, repeats=30):
    """Median time of a call, after one to warm up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def tile_rate(threads):
    """GFLOP/s of the register tile on all threads, operands in the caches."""
    rnnlite.set_num_threads(threads)
    a, w, c = (
        aligned_zeros(size, np.float32)
        for size in (threads * M * K, packed_size(K, N, np.float32), threads * M * N)
    )
    a[:], w[:] = 0.5, 0.25
    zeros, panel = aligned_zeros(N, np.float32), panel_width(np.float32)
    work = threads * REPEATS * M * K * N
    seconds = median_seconds(
        lambda: pool.parallel_for(repeat_product, threads, 1e12, a, w, c, zeros, panel)
    )
    return 2 * work / seconds / 1e9


def numpy_rate(size=2048):
    """GFLOP/s of NumPy's matrix product."""
    a, b = np.full((size, size), 0.5, np.float32), np.full((size, size), 0.25, np.float32)
    out = np.empty_like(a)
    return 2 * size**3 / median_seconds(lambda: np.matmul(a, b, out=out), 5) / 1e9


def best_product(threads):
    """The higher of the two rates: the machine's best matrix product, in GFLOP/s."""
    return max(tile_rate(threads), numpy_rate())


@parallel
def nothing(first, last):
    """Do nothing, to time how long it takes to have it done."""


def dispatch_seconds(threads):
    """Time to hand an empty kernel to all threads and wait: awake, asleep, and numba's prange."""
    rnnlite.set_num_threads(threads)
    awake = median_seconds(lambda: pool.parallel_for(nothing, threads, 1e12), 3000)
    spins, pool._Spin.limit = pool._Spin.limit, lambda spin: 0
    asleep = median_seconds(lambda: pool.parallel_for(nothing, threads, 1e12), 3000)
    pool._Spin.limit = spins

    @numba.njit(parallel=True)
    def parallel_nothing(a):
        for i in numba.prange(a.size):
            a[i] = i

    numba.set_num_threads(threads)
    a = np.zeros(threads)
    prange = median_seconds(lambda: parallel_nothing(a), 3000)
    return awake, asleep, prange, numba.threading_layer()


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    threads = parser.parse_args().threads
    awake, asleep, prange, layer = dispatch_seconds(threads)
    print(f"dispatch to {threads} threads, looking for it {awake * 1e6:5.1f} us")
    print(f"dispatch to {threads} threads, asleep      {asleep * 1e6:8.1f} us")
    print(f"dispatch to {threads} threads, prange      {prange * 1e6:8.1f} us ({layer} layer)")
    print(f"rnnlite's tile, 1 thread         {tile_rate(1):8.0f} GFLOP/s")
    print(f"rnnlite's tile, {threads} threads        {tile_rate(threads):8.0f} GFLOP/s")
    print(f"NumPy, 2048 x 2048               {numpy_rate():8.0f} GFLOP/s")
    source, target = np.ones(1 << 26, np.float32), np.empty(1 << 26, np.float32)
    seconds = median_seconds(lambda: np.copyto(target, source), 5)
    print(f"copy of 256 MB, 1 thread         {2 * source.nbytes / seconds / 1e9:8.1f} GB/s")
    x, y = aligned_zeros(8192, np.float32), aligned_zeros(8192, np.float32)
    x[:] = np.random.default_rng(0).normal(0, 2, x.size)
    for name, function in (("tanh", apply_tanh), ("sigmoid", apply_sigmoid)):
        seconds = median_seconds(lambda function=function: function(x, y), 300)
        print(f"{name:32} {seconds / x.size * 1e9:8.3f} ns a number, 1 thread")


if __name__ == "__main__":
    main()
