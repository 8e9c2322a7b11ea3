"""What products are made of: float32 or float64 numbers as they are, or pairs of bfloat16 numbers.

The time loop, the layer of one matrix and the weight gradients are written once, for both; a kernel
is made for one of them, and those for pairs are compiled when they are first asked for.
"""

from typing import NamedTuple

import numpy as np

from rnnlite.kernels import pairs
from rnnlite.kernels.jit import JIT_DISABLED, inner
from rnnlite.kernels.product import make_product, pack, product
from rnnlite.kernels.target import CHOSEN


class Operands(NamedTuple):
    """How A and W of a product A W lie in memory.

    name                  tells the kernels made for them from others; "" for numbers as they are
    per_word              numbers along K that stand side by side in one
    pack                  as ``product.pack``
    product               as ``product.product``, of operands that are packed
    multiply              ``(s, s0, s_row, a, a0, a_row, w, w0, w_k, w_panel, c, c0, c_row, M, K, N,
                          p0, p_row)``: C = S + A W for rows of numbers A (M, K) and packed weights;
                          at ``w[p0]`` there is room for the rows as pairs, ``p_row`` for each
    """

    name: str
    per_word: int
    pack: object
    product: object
    multiply: object

    def words(self, K):
        """What K numbers take."""
        return -(-K // self.per_word)

    def room(self, size):
        """What rows of ``size`` numbers, whole registers, need once more behind packed weights."""
        return (self.per_word - 1) * size

    def dtype(self, dtype):
        """That of packed weights, in a layer of this one."""
        return dtype if self.per_word == 1 else np.int32


@inner
def _multiply(s, s0, s_row, a, a0, a_row, w, w0, w_k, w_panel, c, c0, c_row, M, K, N, p0, p_row):
    product(s, s0, s_row, a, a0, a_row, 1, w, w0, w_k, w_panel, c, c0, c_row, M, K, N)


_product_of_pairs = product if JIT_DISABLED else make_product(CHOSEN.pair_rows)


@inner
def _multiply_pairs(s, s0, s_row, a, a0, a_row, w, w0, w_k, w_panel, c, c0, c_row, M, K, N,
                    p0, p_row):  # fmt: skip
    pairs.pair_columns(a, a0, a_row, M, K, w, p0, p_row)
    _product_of_pairs(s, s0, s_row, w, p0, p_row, 1, w, w0, w_k, w_panel,
                      c, c0, c_row, M, (K + 1) // 2, N)  # fmt: skip


def operands_of(compute_dtype):
    """Those of y, and of dx and dh, with ``compute_dtype`` None or as for ``Recurrent``."""
    return PAIRS if compute_dtype == "bfloat16" else NUMBERS


def gradient_operands_of(compute_dtype):
    """Those of the weight gradients."""
    return NUMBERS if compute_dtype is None else PAIRS


NUMBERS = Operands("", 1, pack, product, _multiply)
PAIRS = Operands("bfloat16", 2, pairs.pack_pairs, _product_of_pairs, _multiply_pairs)
