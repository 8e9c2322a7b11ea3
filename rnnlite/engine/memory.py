"""Arrays that begin where a cache line begins.

A vector register that straddles two cache lines takes two reads; NumPy aligns to 16 bytes only, and
the product ran at less than half its speed on such arrays.
"""

import numpy as np

CACHE_LINE = 64


def aligned_zeros(shape, dtype):
    """Zeros at an address divisible by 64, followed by room for a whole vector register."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape))
    # Kernels may read (never write) a few registers past the end.
    raw = np.zeros(size * dtype.itemsize + 8 * CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + size * dtype.itemsize].view(dtype).reshape(shape)
