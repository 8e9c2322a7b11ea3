"""One row times a matrix: ``c = s + a W``, what a single step of one sequence is made of.

The tile of ``tile.py`` uses each number of W for eight rows.  With one row every number of W is
used once, and what counts is that the sums do not wait for each other: a multiply-add takes four
cycles and a core begins two of them in each, so eight sums must be under way.  The tile for one row
is therefore wide, up to 1 x 12 registers with AVX2,

                       w[k, 0:8]  w[k, 8:16]   ...   w[k, 88:96]      12 registers of W, read as
                     +----------+----------+-------+-----------+      operands of multiply-adds
     a[k] broadcast  |  acc 0   |  acc 1   |  ...  |   acc 11  |      12 that stay put for all k
                     +----------+----------+-------+-----------+

and W, whose columns are whole registers, is packed in panels of about the same width, so that it is
read as one stream, from its first number to its last:

     W (K x 200), AVX2:   | K x 72 | K x 64 | K x 64 |     one after the other in memory

A weight that is used once has to come from somewhere: from the first-level cache, in step with the
multiply-adds; from the second one, as for 128 LSTM units (321 KB), 32 bytes a cycle, half as fast.

Each sum is one chain over k in ascending order, as in every tile: the bits are the same.
"""

import functools

from rnnlite.kernels.jit import inner
from rnnlite.kernels.target import CHOSEN, lanes_of
from rnnlite.kernels.tile import make_tile

# Accumulators of a tile; there must be two registers more, for a and for w.
WIDEST = {"avx512": 16, "avx2": 12, "neon": 16, "sse2": 12}[CHOSEN.name]


def panels(columns, dtype):
    """The columns at which each panel of a matrix begins and ends."""
    lanes = lanes_of(dtype)
    registers = columns // lanes
    count, begin = -(-registers // WIDEST), 0
    for n in range(count):
        end = begin + (registers // count + (n < registers % count)) * lanes
        yield begin, end
        begin = end


_tile = functools.cache(make_tile)


def make_matvec(K, N, dtype):
    """``(numbers, s, factors, a, w, c)``: c (N,) = s + a (K,) W; W (K, N) packed.

    s, c and a, w are places in two flat arrays, or in the same one: ``factors`` may be words, pairs
    of bfloat16 numbers, of which a has K and W has K rows.
    """
    cuts = list(panels(N, dtype))
    lanes, wide, narrow = lanes_of(dtype), cuts[0][1], cuts[-1][1] - cuts[-1][0]
    full, rest = _tile(1, wide // lanes), _tile(1, narrow // lanes)
    split = wide * sum(end - begin == wide for begin, end in cuts)

    @inner
    def matvec(numbers, s, factors, a, w, c):
        for n in range(0, split, wide):
            full(numbers, s + n, 0, factors, a, 0, 1, factors, w + n * K, wide, 0,
                 numbers, c + n, 0, K, wide)  # fmt: skip
        for n in range(split, N, narrow):
            rest(numbers, s + n, 0, factors, a, 0, 1, factors, w + n * K, narrow, 0,
                 numbers, c + n, 0, K, narrow)  # fmt: skip

    return matvec
