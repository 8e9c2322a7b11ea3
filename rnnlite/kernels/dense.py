"""A matrix of weights between rows of x and rows of y; see ``loop.py`` for the recurrent case.

The rows of x are copied beside a one, so that the bias is a row of the weights, y = [x 1] [W; b],
and its gradient a row of [x 1]^T dy.
"""

import functools
from typing import NamedTuple

from rnnlite.kernels.jit import kernel
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS, pack_transposed
from rnnlite.kernels.simd import lanes, load_masked, store, store_masked


class DenseKernels(NamedTuple):
    """Those of one kind of operands."""

    forward: object
    backward: object
    pack_matrix: object
    pack_transpose: object


@functools.cache
def make_dense(operands):
    """The ``DenseKernels`` of these operands.

    Packed weights are followed by ``operands.room`` for the rows, if they need any.
    """
    multiply, pack, per_word = operands.multiply, operands.pack, operands.per_word

    @parallel(identity=operands.name)
    def dense_forward(first, last, x, x1, ld, w, packed, zeros, y, I, N):
        """y = [x 1] W for rows ``first`` to ``last``; W is [W; b], packed or as it is.

        Reads x (rows, I); writes x1 (rows, ld), the rows of x followed by a one, and y (rows, N).
        """
        panel, p_row = TILE_VECTORS * lanes(w), (per_word - 1) * ld
        for row in range(first, last):
            for j in range(0, I, lanes(x)):
                store_masked(x1, row * ld + j, load_masked(x, row * I + j, I - j), I - j)
            x1[row * ld + I] = 1.0
        rows, words = x1.size // ld, -(-(I + 1) // per_word)
        w_row, w_panel = (panel, words * panel) if packed else (N, panel)
        multiply(zeros, 0, 0, x1, first * ld, ld, w, 0, w_row, w_panel,
                 y, first * N, N, last - first, I + 1, N,
                 w.size - (rows - first) * p_row, p_row)  # fmt: skip

    @parallel(identity=operands.name)
    def dense_backward(first, last, dy, dy_padded, row_size, w, zeros, dx, want_dx, I, N):
        """dx = dy W^T for rows ``first`` to ``last``; copies dy (rows, N) to padded rows."""
        panel, p_row = TILE_VECTORS * lanes(w), (per_word - 1) * row_size
        for row in range(first, last):
            for j in range(0, N, lanes(dy)):
                store(dy_padded, row * row_size + j, load_masked(dy, row * N + j, N - j))
        if want_dx:
            rows, words = dy_padded.size // row_size, -(-N // per_word)
            multiply(zeros, 0, 0, dy_padded, first * row_size, row_size, w, 0, panel, words * panel,
                     dx, first * I, I, last - first, N, I,
                     w.size - (rows - first) * p_row, p_row)  # fmt: skip

    @kernel(identity=operands.name)
    def pack_matrix(w, rows, columns, packed):
        """Pack an ordinary (rows, columns) matrix."""
        pack(w, 0, columns, rows, columns, packed, 0, 0, 0, -(-rows // per_word))

    @kernel(identity=operands.name)
    def pack_transpose(w, rows, columns, packed):
        """Pack the transpose of an ordinary (rows, columns) matrix."""
        pack_transposed(w, 0, columns, columns, rows, packed, 0, 0, -(-columns // per_word))

    return DenseKernels(dense_forward, dense_backward, pack_matrix, pack_transpose)


@kernel
def clear_padding(rows, lengths, T, size):
    """Write zeros into rows (B, T, size) from each row's length (B,) on."""
    for b in range(lengths.size):
        rows[(b * T + lengths[b]) * size : (b + 1) * T * size] = 0.0
