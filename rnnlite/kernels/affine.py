"""Pixels fetched from where a map says: the one loop of ``datasets.random_affine``."""

import numpy as np

from rnnlite.kernels.parallel import parallel


@parallel(exact=True)
def fetch_pixels(
    first, last, images, row_from_i, row_from_j, column_from_i, column_from_j,
    waves, along_rows, along_columns, margin, moved, rows, columns,
):  # fmt: skip
    """moved[n, i, j] = images[n, u, v] for images ``first`` to ``last``, or 0 where there is none.

    u = int(row_from_i[n, i] + row_from_j[n, j] + bend) - margin, v likewise of columns,
    with bend = sum_pq waves[n, 0, p, q] along_rows[i, p] along_columns[q, j], and waves[n, 1] for
    v; without a bend ``waves`` is empty.  The sums are positive, so that int() always cuts down.
    Images and moved (N, rows, columns) are whole numbers of the pixels' size.

    An affine map of (i, j) is a part of i plus a part of j, which are made outside; of the waves,
    the sum over p is the same for a whole row.  Left are a few operations a pixel, in loops over j
    that the compiler turns into ones over registers.
    """
    size, K = rows * columns, along_columns.shape[0]
    u, v = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for n in range(first, last):
        image = images[n * size : (n + 1) * size]
        for i in range(rows):
            for j in range(columns):
                u[j] = row_from_i[n, i] + row_from_j[n, j]
                v[j] = column_from_i[n, i] + column_from_j[n, j]
            for q in range(K):
                down, right = np.float32(0), np.float32(0)
                for p in range(K):
                    down += waves[n, 0, p, q] * along_rows[i, p]
                    right += waves[n, 1, p, q] * along_rows[i, p]
                for j in range(columns):
                    u[j] += down * along_columns[q, j]
                    v[j] += right * along_columns[q, j]
            row = moved[n * size + i * columns : n * size + (i + 1) * columns]
            for j in range(columns):
                a, b = np.int32(u[j]) - margin, np.int32(v[j]) - margin
                inside = 0 <= a < rows and 0 <= b < columns
                # An address inside in any case, so that the loop has no jump; without a sign,
                # so that Numba need not ask whether it counts from the end.
                place = np.uint32(a * columns + b) if inside else np.uint32(0)
                pixel = image[place]
                row[j] = pixel if inside else 0
