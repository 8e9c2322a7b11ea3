"""Weight gradients: one large product over all steps and rows, dW = A^T dZ."""

import functools

from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS
from rnnlite.kernels.simd import flat, lanes

# Rows of (time x batch) that go into the sums together; 128 rows of dz and of [x 1 h] take 340 KB
# for 128 LSTM units: they stay in the second-level cache until all rows of dW are up to date.
ROWS_AT_ONCE = 128


@functools.cache
def make_weight_gradients(operands):
    """``weight_gradients`` of these operands; a row of pairs is two rows of numbers."""
    product = operands.product

    @parallel(identity=operands.name)
    def weight_gradients(first, last, a, dz, dw, parts, skipped, zeros):
        """Rows ``first`` to ``last`` of dW = A^T dZ, a sum over all rows of A and dZ.

        Reads a (rows, row of a) and dz (rows, row of dz), such as the ``xh`` and ``gates`` of the
        time loop; writes dw (row of W, columns).  Threads share the rows of the result, never the
        sum, which always runs in ascending order: the same bits for any number of threads.

        A row of ``parts`` (n, 7) stands for a rectangle of dW: its first row and its end; which
        column of a belongs to row 0 of dW; the first column in dz and in dW, and how many; and
        whether the sum leaves out the first ``skipped`` rows, in which a is zero.
        """
        rows, a_row, dz_row, dw_row = a.shape[0], a.shape[1], dz.shape[1], dw.shape[1]
        a, dz, dw = flat(a), flat(dz), flat(dw)
        panel = TILE_VECTORS * lanes(dw)
        for block in range(0, rows, ROWS_AT_ONCE):
            end = min(block + ROWS_AT_ONCE, rows)
            for n in range(len(parts)):
                top, bottom, a_column, dz_column, dw_column, N, skips = parts[n]
                top, bottom = max(top, first), min(bottom, last)
                if top >= bottom:  # these rows are another thread's
                    continue
                begin = min(max(block, skips * skipped), end)
                to = top * dw_row + dw_column
                so_far, at, row = dw, to, dw_row
                if block <= skips * skipped:  # nothing was added yet
                    so_far, at, row = zeros, 0, 0
                product(so_far, at, row, a, begin * a_row + a_column + top, 1, a_row,
                        dz, begin * dz_row + dz_column, dz_row, panel,
                        dw, to, dw_row, bottom - top, end - begin, N)  # fmt: skip

    return weight_gradients
