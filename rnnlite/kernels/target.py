"""What this processor's vector registers look like, and the tile that fits them.

A register tile (see ``tile.py``) keeps ``rows x vectors`` accumulators in registers.  Too few, and
the multiply-add units wait for their own results; too many, and accumulators spill to memory
(measured with AVX-512: 8 x 2 reached 115 GFLOP/s on one core, and 12 x 2 41).

``RNNLITE_SIMD`` forces one of these names; LLVM then emulates what the processor lacks.  Not so
``avx512bf16``: without the instruction, it compiles for another processor alone
(``NUMBA_CPU_NAME=znver4``).
"""

import os
from typing import NamedTuple

import llvmlite.binding as llvm


class Target(NamedTuple):
    """Vector registers of a family of processors."""

    name: str
    vector_bytes: int
    tile_rows: int
    tile_vectors: int
    pair_rows: int  # of the tile of bfloat16 pairs
    multiplies_pairs: bool = False  # in one instruction, ``vdpbf16ps``


TARGETS = {
    # Of 32 registers 16 for sums, 2 for weights, 1 for input; of pairs in halves, twice as many.
    "avx512": Target("avx512", 64, 8, 2, pair_rows=8),
    "avx512bf16": Target("avx512", 64, 8, 2, pair_rows=8, multiplies_pairs=True),
    "avx2": Target("avx2", 32, 6, 2, pair_rows=4),  # of 16: 12, 2 and 1; in halves 8, 4 and 2
    "neon": Target("neon", 16, 8, 2, pair_rows=8),  # of 32: 16, 2 and 1
    "sse2": Target("sse2", 16, 6, 2, pair_rows=4),  # of 16: 12, 2 and 1
}


def choose():
    """Target of this machine, or the one that ``RNNLITE_SIMD`` names."""
    forced = os.environ.get("RNNLITE_SIMD")
    if forced:
        if forced not in TARGETS:
            raise ValueError(f"RNNLITE_SIMD is {forced!r}; it can be one of {', '.join(TARGETS)}")
        if forced == "avx512bf16" and not (_has_pairs() or os.environ.get("NUMBA_CPU_NAME")):
            raise ValueError("RNNLITE_SIMD is 'avx512bf16', which this processor does not have")
        return TARGETS[forced]
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return TARGETS["avx512bf16" if _has_pairs() else "avx512"]
    if features.get("avx2") and features.get("fma"):
        return TARGETS["avx2"]
    return TARGETS["neon" if features.get("neon") else "sse2"]


def _has_pairs():
    features = llvm.get_host_cpu_features()
    return bool(features.get("avx512f") and features.get("avx512bf16"))


CHOSEN = choose()


def lanes_of(dtype):
    """Numbers of a NumPy dtype (float32 or float64) in one vector register."""
    return CHOSEN.vector_bytes // dtype.itemsize


def padded(size, dtype):
    """``size`` rounded up to whole vector registers."""
    lanes = lanes_of(dtype)
    return -(-size // lanes) * lanes
