"""Weight gradients: one large product over all steps and rows, dW = A^T dZ."""

from rnnlite.kernels.jit import inner
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS, product
from rnnlite.kernels.simd import lanes

# Rows of (time x batch) that go into the sums together; 128 rows of dz and of
# [x 1 h] take 340 KB for 128 LSTM units: they stay in the second-level cache
# while all rows of dW are brought up to date.
ROWS_AT_ONCE = 128


@inner
def _add_rows(zeros, a, a_row, start, dgates, gate_row, k, K, fresh, columns,
              dw, dw_row, first, last):  # fmt: skip
    """Add the share of K rows, from row k on, to rows ``first`` to ``last`` of dW, or begin."""
    panel = TILE_VECTORS * lanes(dw)
    for c in range(columns.shape[0]):
        from_column, to_column, N = columns[c]
        to = first * dw_row + to_column
        so_far, at, row = (zeros, 0, 0) if fresh else (dw, to, dw_row)
        product(so_far, at, row, a, k * a_row + start + first, 1, a_row,
                dgates, k * gate_row + from_column, gate_row, panel,
                dw, to, dw_row, last - first, K, N)  # fmt: skip


@parallel
def weight_gradients(first, last, zeros, a, a_row, dgates, gate_row, rows,
                     start_x, dwx, dwx_row, x_columns, x_rows,
                     start_h, dwh, dwh_row, h_columns, h_from):  # fmt: skip
    """Rows ``first`` to ``last`` of d[Wx; b] = [x 1]^T dZ and, below it, d[Wh] = [h]^T dZ.

    Both are sums over all ``rows`` = T B rows of a (``xh`` of the time loop) and
    dgates.  Threads share the rows of the result, never the sum, which always
    runs in ascending order: the same bits for any number of threads.

    ``x_columns`` and ``h_columns`` (n, 3) list runs of columns: position in
    dgates, position in the gradient, how many.  Before row ``h_from`` all h are zero: the
    sum for Wh leaves these rows out.
    """
    x_first, x_last = min(first, x_rows), min(last, x_rows)
    h_first, h_last = max(first - x_rows, 0), max(last - x_rows, 0)
    for k in range(0, rows, ROWS_AT_ONCE):
        K = min(ROWS_AT_ONCE, rows - k)
        _add_rows(zeros, a, a_row, start_x, dgates, gate_row, k, K, k == 0,
                  x_columns, dwx, dwx_row, x_first, x_last)  # fmt: skip
        h_k = min(max(k, h_from), k + K)
        _add_rows(zeros, a, a_row, start_h, dgates, gate_row, h_k, k + K - h_k, k <= h_from,
                  h_columns, dwh, dwh_row, h_first, h_last)  # fmt: skip
