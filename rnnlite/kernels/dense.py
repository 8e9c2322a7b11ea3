"""A matrix of weights between rows of x and rows of y; see ``loop.py`` for the recurrent case.

The rows of x are copied beside a one, so that the bias is a row of the weights, y = [x 1] [W; b],
and its gradient a row of [x 1]^T dy.
"""

from rnnlite.kernels.jit import kernel
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS, pack, pack_transposed, product
from rnnlite.kernels.simd import lanes, load_masked, store, store_masked


@parallel
def dense_forward(first, last, x, x1, ld, w, zeros, y, I, N):
    """y = [x 1] W for rows ``first`` to ``last``; W is [W; b], packed.

    Reads x (rows, I); writes x1 (rows, ld), the rows of x followed by a one, and y (rows, N).
    """
    panel = TILE_VECTORS * lanes(w)
    for row in range(first, last):
        for j in range(0, I, lanes(x)):
            store_masked(x1, row * ld + j, load_masked(x, row * I + j, I - j), I - j)
        x1[row * ld + I] = 1.0
    product(zeros, 0, 0, x1, first * ld, ld, 1, w, 0, panel, (I + 1) * panel,
            y, first * N, N, last - first, I + 1, N)  # fmt: skip


@parallel
def dense_backward(first, last, dy, dy_padded, row_size, w, zeros, dx, want_dx, I, N):
    """dx = dy W^T for rows ``first`` to ``last``; copies dy (rows, N) to padded rows."""
    panel = TILE_VECTORS * lanes(w)
    for row in range(first, last):
        for j in range(0, N, lanes(dy)):
            store(dy_padded, row * row_size + j, load_masked(dy, row * N + j, N - j))
    if want_dx:
        product(zeros, 0, 0, dy_padded, first * row_size, row_size, 1, w, 0, panel, N * panel,
                dx, first * I, I, last - first, N, I)  # fmt: skip


@kernel
def pack_matrix(w, rows, columns, packed):
    """Pack an ordinary (rows, columns) matrix."""
    pack(w, 0, columns, rows, columns, packed, 0, 0, 0, rows)


@kernel
def pack_transpose(w, rows, columns, packed):
    """Pack the transpose of an ordinary (rows, columns) matrix."""
    pack_transposed(w, 0, columns, columns, rows, packed, 0, 0, columns)


@kernel
def clear_padding(rows, lengths, T, size):
    """Write zeros into rows (B, T, size) from each row's length (B,) on."""
    for b in range(lengths.size):
        rows[(b * T + lengths[b]) * size : (b + 1) * T * size] = 0.0
