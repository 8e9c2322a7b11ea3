"""bfloat16 numbers in pairs: what a product reads that rounds its operands.

A bfloat16 has two bytes: the sign, the exponent and 8 binary digits of a float32.  A product of two
of them is exact in float32, in which the products are summed.  AVX512-BF16 has an instruction that
takes two numbers of A and two of W at once, in words of 32 bits, and so does twice as much:

    lane j:    acc[j]  +=  a[k] w[k, j]  +  a[k+1] w[k+1, j]

The tile is that of ``tile.py``; only, a word of A is a pair of neighbours, and a word of W is a
pair of rows, and the loop runs over K / 2:

                                 w[k,   0:16]   w[k,   16:32]        2 registers of words,
                                 w[k+1, 0:16]   w[k+1, 16:32]        two rows of W
                               +--------------+--------------+
     a[0,k] a[0,k+1] broadcast |   acc 0,0    |   acc 0,1    |
     a[1,k] a[1,k+1] broadcast |   acc 1,0    |   acc 1,1    |       16 registers of float32
       ...                     |     ...      |     ...      |       sums, as ever
     a[7,k] a[7,k+1] broadcast |   acc 7,0    |   acc 7,1    |
                               +--------------+--------------+

With an odd K the last pair is filled up with a zero.  Elsewhere both halves of a word become
float32 again, ``word << 16`` and ``word & 0xFFFF0000``, and are multiplied one after the other: the
same sums, to float32 rounding, and the same layout of memory, at less than the speed of float32.

Rows of A are rounded where a product is about to read them, since what they were rounded from is
needed as it is: h by the equations, dz by the derivative of a cell's intermediate.
"""

from rnnlite.kernels.jit import inner
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS
from rnnlite.kernels.simd import (
    flat,
    lanes,
    load_masked,
    pair,
    pair_neighbours,
    store,
    store_half,
    store_masked,
    zero_like,
)


@inner
def pair_columns(a, a0, a_row, M, K, words, p0, p_row):
    """Write rows of A (M, K) as pairs of neighbours; all registers that a row needs, whole."""
    L = lanes(words)
    for m in range(M):
        for k in range(0, K, 2 * L):
            at = a0 + m * a_row + k
            first, second = load_masked(a, at, K - k), load_masked(a, at + L, K - k - L)
            store(words, p0 + m * p_row + k // 2, pair_neighbours(first, second))


@inner
def pack_pairs(w, w0, w_row, K, N, packed, p0, n0, k0, rows):
    """``product.pack``, into pairs of rows: ``rows`` are half as many."""
    L = lanes(packed)
    width = TILE_VECTORS * L
    j = 0
    while j < N:
        panel, inside = (n0 + j) // width, (n0 + j) % width
        count = min(N - j, L - inside % L)  # up to the next whole register
        place, k = p0 + panel * rows * width + inside, 0
        while k < K:
            to, odd = place + (k0 + k) // 2 * width, (k0 + k) % 2
            part = load_masked(w, w0 + k * w_row + j, count)
            if odd == 0 and k + 1 < K:
                words = pair(part, load_masked(w, w0 + (k + 1) * w_row + j, count))
                store_masked(packed, to, words, count)
                k += 2
            else:  # its neighbour is a row of another matrix, or none
                store_half(packed, to, part, odd, count)
                k += 1
        j += count


@parallel
def pair_rows(first, last, a, words, left, right):
    """Write rows 2p and 2p + 1 of a (rows, size), columns ``left`` to ``right``, as row p of words.

    For sums over rows, those of the weight gradients.  Reads a; writes words (rows / 2, size) for p
    from ``first`` to ``last``; an odd row at the end has zeros for its neighbour.
    """
    rows, size = a.shape
    a, words = flat(a), flat(words)
    for p in range(first, last):
        at = 2 * p * size
        for j in range(left, right, lanes(a)):
            low = load_masked(a, at + j, right - j)
            high = zero_like(low)
            if 2 * p + 1 < rows:
                high = load_masked(a, at + size + j, right - j)
            # Masked: behind the last column stands the next row, which may be another thread's.
            store_masked(words, p * size + j, pair(low, high), right - j)
