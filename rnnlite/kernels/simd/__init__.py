"""One vector register as a number.

``load(a, i)`` reads as many neighbouring numbers of the flat array ``a`` as one vector register
holds (16 float32 with AVX-512) and gives them back as one value.  ``+ - * /`` work on it, on all
lanes at once, so that ``c = f * c_prev + i * g`` compiles to two instructions that update 16 units
of a row.  Leaving this to LLVM's own loop vectoriser was tried: it gives up, and says nothing, as
soon as a loop walks over more arrays than it cares to prove disjoint (about eight comparisons; one
step of an LSTM touches eleven).

Under ``NUMBA_DISABLE_JIT=1`` a "register" is a small NumPy array, and what you see in the debugger
is what the machine does.  Positions and strides count numbers, not bytes.
"""

from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.simd.vector import Vector

if JIT_DISABLED:
    from rnnlite.kernels.simd.plain import (  # noqa: I001
        as_number, clip, fence, flat, groups, is_double, lanes, load, load_masked, load_units,
        pair, pair_neighbours, power_of_two, store, store_half, store_masked, where_positive,
        whole_part, words_of, zero_from, zero_like,
    )  # fmt: skip
else:
    from rnnlite.kernels.simd.bfloat16 import pair, pair_neighbours, store_half
    from rnnlite.kernels.simd.functions import (
        as_number,
        clip,
        is_double,
        lanes,
        power_of_two,
        where_positive,
        whole_part,
        zero_from,
        zero_like,
    )  # fmt: skip
    from rnnlite.kernels.simd.memory import (
        fence,
        flat,
        groups,
        load,
        load_masked,
        store,
        store_masked,
        words_of,
    )  # fmt: skip

    load_units = load_masked

__all__ = [
    "Vector", "as_number", "clip", "fence", "flat", "groups", "is_double", "lanes", "load",
    "load_masked", "load_units", "pair", "pair_neighbours", "power_of_two", "store", "store_half",
    "store_masked", "where_positive", "whole_part", "words_of", "zero_from", "zero_like",
]  # fmt: skip
