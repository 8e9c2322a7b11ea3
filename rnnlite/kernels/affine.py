"""Pixels fetched from where a map says: the one loop of ``datasets.random_affine``."""

import numpy as np

from rnnlite.kernels.shared import shared


@shared(exact=True)
def fetch_pixels(
    first, last, images, row_from_i, row_from_j, column_from_i, column_from_j, margin, moved,
    rows, columns,
):  # fmt: skip
    """moved[n, i, j] = images[n, u, v] for images ``first`` to ``last``, or 0 where there is none.

    u = int(row_from_i[n, i] + row_from_j[n, j]) - margin, v likewise of columns.
    The sums are positive, so that int(), which cuts towards zero, always cuts
    down.  Reads images and writes moved (N, rows, columns) as whole numbers of
    the pixels' size: what a pixel means does not matter for moving it.

    An affine map of (i, j) is a part of i plus a part of j: 2 (rows + columns)
    products an image are made outside, and nothing but two additions a pixel
    is left here.
    """
    size = rows * columns
    for n in range(first, last):
        image = images[n * size : (n + 1) * size]
        for i in range(rows):
            row = moved[n * size + i * columns : n * size + (i + 1) * columns]
            u_i, v_i = row_from_i[n, i], column_from_i[n, i]
            for j in range(columns):
                u = np.int32(u_i + row_from_j[n, j]) - margin
                v = np.int32(v_i + column_from_j[n, j]) - margin
                inside = 0 <= u < rows and 0 <= v < columns
                # An address inside in any case, so that the loop has no jump; without a sign,
                # so that Numba need not ask whether it counts from the end.
                place = np.uint32(u * columns + v) if inside else np.uint32(0)
                pixel = image[place]
                row[j] = pixel if inside else 0
