"""The register tile: a small piece of ``C = S + A W`` computed inside registers.

A core multiplies and adds far faster than it can read memory.  So not one number of C is computed
at a time but a block that fills the registers, and every number that was read is used several
times.  With AVX-512 the block is 8 rows by 2 registers of 16 columns:

                          w[k, 0:16]     w[k, 16:32]          2 registers,
                        +-------------+-------------+         one row of W
     a[0,k] broadcast   |   acc 0,0   |   acc 0,1   |
     a[1,k] broadcast   |   acc 1,0   |   acc 1,1   |
     a[2,k] broadcast   |   acc 2,0   |   acc 2,1   |         16 registers
       ...              |     ...     |     ...     |         that stay put
     a[7,k] broadcast   |   acc 7,0   |   acc 7,1   |         for all of k
                        +-------------+-------------+
     1 register at a time

For each k: 2 loads of W, 8 broadcasts of A, 16 fused multiply-adds on independent accumulators, so
none waits for another.  C is touched once, at the end.  On one core of a Zen 4 this runs at
115 GFLOP/s, the machine's limit (``python benchmarks/limits.py``).

Every element of C is one chain of multiply-adds over k in ascending order, whatever tile it falls
into: any number of threads may share the rows, and the result has the same bits.
"""

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rnnlite.kernels.simd.bfloat16 import multiply_add_pairs
from rnnlite.kernels.simd.memory import element_pointer, first_lanes, load_vector, store_vector
from rnnlite.kernels.simd.vector import INT64, Vector, call_llvm, llvm_type, splat


def _multiply_add(builder, a, w, total):
    return call_llvm(builder, "fmuladd", total.type, [a, w, total])


def make_tile(rows, vectors, panels=1):
    """A tile of ``rows`` by ``vectors`` registers, as a function for kernels.

    ``tile(s, s0, s_row, a, a0, a_row, a_k, w, w0, w_k, w_panel, c, c0, c_row, K, columns)``
    computes, for r < rows and j < columns,

        c[c0 + r c_row + j] = s[s0 + r s_row + j]
                              + sum_k a[a0 + r a_row + k a_k] w[w0 + k w_k + j]

    With ``panels`` its registers lie side by side in so many panels of w, ``w_panel`` numbers apart
    (``product.py``), and all columns are there.

    All arrays are flat; positions and strides count numbers.  ``s`` may be ``c`` itself
    (accumulate), a row of zeros with ``s_row = 0`` (start), or any other start.  ``w`` is read in
    whole registers, so it must be padded; ``c`` and ``s`` beyond ``columns`` are not touched.
    Where ``a`` and ``w`` are words (int32), each of them is a pair of numbers: see ``pairs.py``.
    """

    @intrinsic
    def tile(typingctx, s, s0, s_row, a, a0, a_row, a_k, w, w0, w_k, w_panel, c, c0, c_row, K,
             columns):  # fmt: skip
        n = types.intp
        signature = types.none(s, n, n, a, n, n, n, w, n, n, n, c, n, n, n, n)
        vector, words = Vector(c.dtype), w.dtype == types.int32

        def codegen(context, builder, signature, arguments):
            _, s0, s_row, _, a0, a_row, a_k, _, w0, w_k, w_panel, _, c0, c_row, K, columns = (
                arguments
            )

            start, inputs, weights, result = (
                element_pointer(context, builder, signature.args[n], arguments[n], position)
                for n, position in ((0, s0), (3, a0), (7, w0), (11, c0))
            )
            register, lanes = llvm_type(vector), vector.lanes
            multiply_add = multiply_add_pairs if words else _multiply_add
            w_register = llvm_type(Vector(w.dtype))
            whole = builder.icmp_signed(">=", columns, INT64(lanes * vectors))
            if panels > 1:
                whole = cgutils.true_bit
            # Where a register of w begins: in which panel, and where in it.
            per_panel = vectors // panels
            w_places = [
                builder.add(
                    builder.mul(w_panel, INT64(v // per_panel)), INT64(v % per_panel * lanes)
                )
                for v in range(vectors)
            ]
            masks = [
                first_lanes(builder, builder.sub(columns, INT64(v * lanes)), lanes)
                for v in range(vectors)
            ]
            cells = [(r, v) for r in range(rows) for v in range(vectors)]
            # Accumulators are stack slots here; LLVM turns them into registers.
            acc = {cell: cgutils.alloca_once(builder, register) for cell in cells}

            def for_each(pointer, row_stride, emit):
                """``emit(place in memory, mask, accumulator)``; whole registers need no mask."""
                with builder.if_else(whole, likely=True) as branches:
                    for branch, masks_here in zip(branches, ([None] * vectors, masks), strict=True):
                        with branch:
                            for r, v in cells:
                                offset = builder.mul(row_stride, INT64(r))
                                offset = builder.add(offset, INT64(v * lanes))
                                emit(builder.gep(pointer, [offset]), masks_here[v], acc[r, v])

            def begin(place, mask, accumulator):
                builder.store(load_vector(builder, place, register, mask), accumulator)

            def end(place, mask, accumulator):
                store_vector(builder, builder.load(accumulator), place, mask)

            for_each(start, s_row, begin)
            with cgutils.for_range(builder, K) as loop:
                w_row = builder.gep(weights, [builder.mul(loop.index, w_k)])
                w_registers = [
                    load_vector(builder, builder.gep(w_row, [place]), w_register)
                    for place in w_places
                ]
                a_column = builder.gep(inputs, [builder.mul(loop.index, a_k)])
                for r in range(rows):
                    number = builder.load(builder.gep(a_column, [builder.mul(a_row, INT64(r))]))
                    broadcast = splat(builder, number, lanes)
                    for v in range(vectors):
                        so_far = builder.load(acc[r, v])
                        total = multiply_add(builder, broadcast, w_registers[v], so_far)
                        builder.store(total, acc[r, v])
            for_each(result, c_row, end)
            return context.get_dummy_value()

        return signature, codegen

    return tile
