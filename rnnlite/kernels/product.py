"""Matrix product ``C = S + A W`` for any size, out of register tiles.

W is *packed*: cut into panels as wide as one tile (32 columns of float32 with AVX-512), each panel
stored row after row without gaps.  One panel of an LSTM of 28 inputs and 128 units is 157 x 32
numbers, 20 KB: it stays in the first-level cache while the rows of A stream past it.

     W (K x N)                     packed: panel 0, panel 1, ...
     +--------+--------+---        +--------+
     | panel  | panel  |           | K x 32 |  one after the other in memory,
     |   0    |   1    |           +--------+  the last one filled up with
     | K x 32 | K x 32 |           | K x 32 |  zeros to whole registers
     +--------+--------+---        +--------+

Rows left over after the full tiles go through tiles of 4 rows, and then each through several panels
at once, for which all of W is read once more; columns left over through a tile one register wide if
they fit, masked when they are written.
"""

import numpy as np

from rnnlite.kernels.jit import JIT_DISABLED, inner
from rnnlite.kernels.simd import lanes, load_masked, store, store_masked
from rnnlite.kernels.simd.plain import high_of, low_of
from rnnlite.kernels.target import CHOSEN, lanes_of
from rnnlite.kernels.tile import make_tile
from rnnlite.kernels.transpose import transpose

TILE_VECTORS = CHOSEN.tile_vectors
# Panels by which a single row is multiplied at once: so many sums that none waits for another, as
# ``matvec.py`` explains; registers of 64 bytes wait for W before they wait for each other.
WIDE = 2 if CHOSEN.vector_bytes == 64 else 4


def make_product(tile_rows):
    """``product`` out of tiles of so many rows.

    product(s, s0, s_row, a, a0, a_row, a_k, w, w0, w_k, w_panel, c, c0, c_row, M, K, N) computes
    C (M, N) = S + A (M, K) W (K, N).

    ``w`` is packed when ``w_k`` is a panel's width and ``w_panel`` is K times that; it is an
    ordinary matrix, padded on the right, with ``w_k`` the row length and ``w_panel`` the panel's
    width.  The other arguments are as in ``tile.make_tile``; a number of A and W may be a pair of
    bfloat16 numbers (``pairs.py``).
    """
    tile_full = make_tile(tile_rows, TILE_VECTORS)
    tile_four = make_tile(4, TILE_VECTORS)
    tile_one = make_tile(1, TILE_VECTORS)
    tile_wide = make_tile(1, WIDE * TILE_VECTORS, WIDE)
    tile_narrow = make_tile(tile_rows, 1)

    @inner
    def product(s, s0, s_row, a, a0, a_row, a_k, w, w0, w_k, w_panel, c, c0, c_row, M, K, N):
        width, full = TILE_VECTORS * lanes(c), M - M % tile_rows
        if full > 0 and (M - full + tile_rows) % 4 < (M - full) % 4:
            full -= tile_rows  # 8 rows are two tiles of 4, not one of 6 and two single rows
        for n in range(0, N, width):
            wn, left, m = w0 + (n // width) * w_panel, N - n, 0
            while m < full and left <= lanes(c):
                tile_narrow(s, s0 + m * s_row + n, s_row, a, a0 + m * a_row, a_row, a_k,
                            w, wn, w_k, 0, c, c0 + m * c_row + n, c_row, K, left)  # fmt: skip
                m += tile_rows
            while m < full:
                tile_full(s, s0 + m * s_row + n, s_row, a, a0 + m * a_row, a_row, a_k,
                          w, wn, w_k, 0, c, c0 + m * c_row + n, c_row, K, left)  # fmt: skip
                m += tile_rows
            while m + 4 <= M:
                tile_four(s, s0 + m * s_row + n, s_row, a, a0 + m * a_row, a_row, a_k,
                          w, wn, w_k, 0, c, c0 + m * c_row + n, c_row, K, left)  # fmt: skip
                m += 4
        for m in range(M - (M - full) % 4, M):
            n = 0
            while n < N:
                wn, left = w0 + (n // width) * w_panel, N - n
                if left >= WIDE * width:
                    tile_wide(s, s0 + m * s_row + n, s_row, a, a0 + m * a_row, a_row, a_k, w, wn,
                              w_k, w_panel, c, c0 + m * c_row + n, c_row, K, left)  # fmt: skip
                    n += WIDE * width
                else:
                    tile_one(s, s0 + m * s_row + n, s_row, a, a0 + m * a_row, a_row, a_k,
                             w, wn, w_k, 0, c, c0 + m * c_row + n, c_row, K, left)  # fmt: skip
                    n += width

    return product


def _numpy_product(s, s0, s_row, a, a0, a_row, a_k, w, w0, w_k, w_panel, c, c0, c_row, M, K, N):
    width = TILE_VECTORS * lanes(c)

    def view(array, position, shape, strides):
        strides = tuple(stride * array.itemsize for stride in strides)
        return np.lib.stride_tricks.as_strided(array[position:], shape, strides)

    A = view(a, a0, (M, K), (a_row, a_k))
    for n in range(0, N, width):
        columns = min(width, N - n)
        W = view(w, w0 + (n // width) * w_panel, (K, columns), (w_k, 1))
        S = view(s, s0 + n, (M, columns), (s_row, 1))
        C = view(c, c0 + n, (M, columns), (c_row, 1))
        C[:] = S + _matmul(A, W)


def _matmul(A, W):
    if W.dtype != np.int32:
        return A @ W
    A, W = np.ascontiguousarray(A), np.ascontiguousarray(W)
    return low_of(A) @ low_of(W) + high_of(A) @ high_of(W)


product = _numpy_product if JIT_DISABLED else make_product(CHOSEN.tile_rows)


def panel_width(dtype):
    """Columns of one panel."""
    return TILE_VECTORS * lanes_of(np.dtype(dtype))


def _packed_room(rows, columns, width):
    return rows * -(-columns // width) * width


packed_room = inner(_packed_room)


def packed_size(rows, columns, dtype):
    """Numbers that a packed (rows, columns) matrix takes; ``packed_room`` for kernels."""
    return _packed_room(rows, columns, panel_width(dtype))


@inner
def pack(w, w0, w_row, K, N, packed, p0, n0, k0, rows):
    """Write a (K, N) matrix into a packed one, from its column ``n0`` and row ``k0`` on.

    ``packed[p0:]`` holds a packed matrix of ``rows`` rows, zero beyond its columns.
    Element (k, n) is read from ``w[w0 + k w_row + n]``.
    """
    L = lanes(packed)
    width = TILE_VECTORS * L
    j = 0
    while j < N:
        panel, inside = (n0 + j) // width, (n0 + j) % width
        count = min(N - j, L - inside % L)  # up to the next whole register
        place = p0 + (panel * rows + k0) * width + inside
        for k in range(K):
            part = load_masked(w, w0 + k * w_row + j, count)
            if count == L:
                store(packed, place + k * width, part)
            else:
                store_masked(packed, place + k * width, part, count)
        j += count


@inner
def pack_transposed(w, w0, w_row, K, N, packed, p0, k0, rows):
    """``pack`` for the transpose of a matrix (N, K): element (k, n) is ``w[w0 + n w_row + k]``.

    ``packed`` may hold pairs: a row of them is two, ``rows`` are half as many.
    """
    L = lanes(packed)
    width = TILE_VECTORS * L
    for j in range(0, N, L):
        place = p0 + j // width * rows * width + j % width
        for k in range(0, K, L):
            transpose(w, w0 + j * w_row + k, w_row, N - j, K - k,
                      packed, place, width, k0 + k)  # fmt: skip
