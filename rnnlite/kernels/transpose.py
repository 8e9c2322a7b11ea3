"""A square of as many rows as a register has lanes, transposed in registers.

Reading a matrix along its columns touches a cache line for every number.  Here L rows of L numbers
are read as L registers, and after log2 L rounds of interleaving each register holds a column.
With four lanes, two rounds:

    a0 a1 a2 a3         a0 c0 a1 c1         a0 b0 c0 d0
    b0 b1 b2 b3   -->   a2 c2 a3 c3   -->   a1 b1 c1 d1
    c0 c1 c2 c3         b0 d0 b1 d1         a2 b2 c2 d2
    d0 d1 d2 d3         b2 d2 b3 d3         a3 b3 c3 d3

In each round registers i and i + L/2 are interleaved into 2i (their first halves) and 2i + 1 (their
second halves): the address of every number, its register and its lane written one after the other
in binary, is rotated by one bit.  After half a turn register and lane have changed places.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.simd.bfloat16 import with_half
from rnnlite.kernels.simd.memory import element_pointer, first_lanes, load_vector, store_vector
from rnnlite.kernels.simd.plain import store, store_half
from rnnlite.kernels.simd.vector import INT32, INT64, Vector, llvm_type
from rnnlite.kernels.target import lanes_of


@intrinsic
def _transpose(typingctx, a, a0, a_row, rows, columns, c, c0, c_row, k0):
    n = types.intp
    vector, pairs = Vector(a.dtype), c.dtype == types.int32
    L = vector.lanes

    def codegen(context, builder, signature, arguments):
        a, a0, a_row, rows, columns, c, c0, c_row, k0 = arguments
        source = element_pointer(context, builder, signature.args[0], a, a0)
        target = element_pointer(context, builder, signature.args[5], c, c0)
        register = llvm_type(vector)
        in_a_row = first_lanes(builder, columns, L)
        nothing = ir.Constant(in_a_row.type, None)
        values = []
        for r in range(L):
            exists = builder.icmp_signed("<", INT64(r), rows)
            mask = builder.select(exists, in_a_row, nothing)
            place = builder.gep(source, [builder.mul(a_row, INT64(r))])
            values.append(load_vector(builder, place, register, mask))
        lanes = ir.VectorType(INT32, L)
        halves = [
            ir.Constant(lanes, [half * L // 2 + j // 2 + (j % 2) * L for j in range(L)])
            for half in (0, 1)
        ]
        for _ in range(L.bit_length() - 1):
            values = [
                builder.shuffle_vector(values[i // 2], values[i // 2 + L // 2], halves[i % 2])
                for i in range(L)
            ]
        for j, value in enumerate(values):
            with builder.if_then(builder.icmp_signed("<", INT64(j), columns)):
                k = builder.add(k0, INT64(j))
                row = builder.ashr(k, INT64(1)) if pairs else k
                place = builder.gep(target, [builder.mul(c_row, row)])
                if pairs:
                    words = load_vector(builder, place, lanes)
                    value = with_half(builder, words, value, builder.trunc(k, ir.IntType(1)))
                store_vector(builder, value, place)
        return context.get_dummy_value()

    return types.none(a, n, n, n, n, c, n, n, n), codegen


def _numpy_transpose(a, a0, a_row, rows, columns, c, c0, c_row, k0):
    L = lanes_of(c.dtype)
    for k in range(k0, k0 + min(columns, L)):
        column = a[a0 + k - k0 :][: (rows - 1) * a_row + 1 : a_row][:L]
        column = np.pad(column, (0, L - len(column)))
        if c.dtype == np.int32:
            store_half(c, c0 + k // 2 * c_row, column, k % 2, L)
        else:
            store(c, c0 + k * c_row, column)


# transpose(a, a0, a_row, rows, columns, c, c0, c_row, k0): up to L rows and L columns of the matrix
# at a[a0] become rows k0, k0 + 1, ... of the one at c[c0], each a whole register, zero beyond
# ``rows``.  If c holds pairs of bfloat16 numbers, a row of it is two: see ``pairs.py``.
transpose = _numpy_transpose if JIT_DISABLED else _transpose
