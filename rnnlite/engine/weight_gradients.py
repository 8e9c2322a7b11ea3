"""The weight gradients of a layer, on all threads: dW = A^T dZ, a sum over all rows of both."""

import numpy as np

from rnnlite.engine import threads
from rnnlite.engine.memory import aligned_zeros
from rnnlite.kernels.gradients import make_weight_gradients
from rnnlite.kernels.operands import NUMBERS, gradient_operands_of
from rnnlite.kernels.pairs import pair_rows

# Rounding and pairing a number takes the time of this many multiplications in a product.
WORK = 10


def pairs_of(compute_dtype, *arrays):
    """Where ``weight_gradients`` rounds arrays (rows, size), two rows to one; None: it does not."""
    if gradient_operands_of(compute_dtype) is NUMBERS:
        return None
    return [aligned_zeros((-(-rows // 2), size), np.int32) for rows, size in arrays]


def weight_gradients(compute_dtype, a, dz, dW, parts, skipped, zeros, work, pairs, dz_columns):
    """Write dW (rows, columns) from a (R, row of a) and dz (R, row of dz).

    ``parts``, ``skipped``, ``zeros`` as in ``kernels/gradients.py``, ``work`` as in
    ``threads.parallel_for``; ``pairs`` as ``pairs_of`` made them; ``dz_columns`` are those in use.
    """
    if pairs is not None:
        for array, words, columns in zip(
            (a, dz), pairs, ((0, a.shape[1]), dz_columns), strict=True
        ):
            rounding = WORK * array.size
            threads.parallel_for(pair_rows, len(words), rounding, array, words, *columns)
        a, dz, skipped = *pairs, skipped // 2
    kernel = make_weight_gradients(gradient_operands_of(compute_dtype))
    threads.parallel_for(kernel, len(dW), work, a, dz, dW, parts, skipped, zeros)
