"""Registers to and from memory: whole, in part, and several at once."""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

from rnnlite.kernels.simd.vector import INT32, INT64, Vector, llvm_type, splat


def element_pointer(context, builder, array_type, array, position):
    """Address of ``array[position]``."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [position])


def first_lanes(builder, count, lanes):
    """A mask that is true in the first ``count`` lanes (an i64; may exceed the lanes)."""
    numbers = ir.Constant(ir.VectorType(INT64, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, count, lanes))


def _bytes_of_a_lane(vector):
    return 8 if vector.element == ir.DoubleType() else 4


def _masked(builder, name, vector, result, arguments):
    kind = "i" if vector.element == INT32 else "f"
    function = builder.module.declare_intrinsic(
        f"llvm.masked.{name}.v{vector.count}{kind}{8 * _bytes_of_a_lane(vector)}.p0",
        (),
        ir.FunctionType(result, [argument.type for argument in arguments]),
    )
    return builder.call(function, arguments)


def load_vector(builder, pointer, vector, mask=None):
    """Read a register from any address; lanes outside ``mask`` are zero, their memory not touched.

    Alignment makes it faster, not legal.
    """
    pointer, align = builder.bitcast(pointer, vector.as_pointer()), _bytes_of_a_lane(vector)
    if mask is not None:
        arguments = [pointer, INT32(align), mask, ir.Constant(vector, None)]
        return _masked(builder, "load", vector, vector, arguments)
    value = builder.load(pointer)
    value.align = align
    return value


def store_vector(builder, value, pointer, mask=None):
    """Write a register to any address; memory of lanes outside ``mask`` is not touched."""
    vector = value.type
    pointer, align = builder.bitcast(pointer, vector.as_pointer()), _bytes_of_a_lane(vector)
    if mask is not None:
        arguments = [value, pointer, INT32(align), mask]
        _masked(builder, "store", vector, ir.VoidType(), arguments)
    else:
        builder.store(value, pointer).align = align


@intrinsic
def load(typingctx, array, position):
    """The register that begins at ``position``."""
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, array, *arguments)
        return load_vector(builder, pointer, llvm_type(vector))

    return vector(array, types.intp), codegen


@intrinsic
def load_masked(typingctx, array, position, count):
    """The first ``count`` lanes (more, or less than 0, are allowed); the others are zero."""
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, array, *arguments[:2])
        mask = first_lanes(builder, arguments[2], vector.lanes)
        return load_vector(builder, pointer, llvm_type(vector), mask)

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def store(typingctx, array, position, value):
    """Write a register at ``position``."""

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, array, *arguments[:2])
        store_vector(builder, arguments[2], pointer)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def store_masked(typingctx, array, position, value, count):
    """Write the first ``count`` lanes (more, or less than 0, are allowed) and nothing else."""

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, array, *arguments[:2])
        mask = first_lanes(builder, arguments[3], value.lanes)
        store_vector(builder, arguments[2], pointer, mask)
        return context.get_dummy_value()

    return types.none(array, types.intp, value, types.intp), codegen


@intrinsic
def flat(typingctx, array):
    """All numbers of a C-contiguous array along one axis.

    As ``array.reshape(-1)``, of which Numba compiles a part that stays apart from the kernel.
    """
    result = array.copy(ndim=1)

    def codegen(context, builder, signature, arguments):
        source = context.make_array(array)(context, builder, arguments[0])
        view = context.make_array(result)(context, builder)
        context.populate_array(
            view, data=source.data, shape=[source.nitems], strides=[source.itemsize],
            itemsize=source.itemsize, meminfo=source.meminfo, parent=source.parent,
        )  # fmt: skip
        return impl_ret_borrowed(context, builder, result, view._getvalue())

    return result(array), codegen


@intrinsic
def words_of(typingctx, array):
    """The memory of a flat array of float32 numbers as words, int32: ``array.view(np.int32)``."""
    result = array.copy(dtype=types.int32)

    def codegen(context, builder, signature, arguments):
        source = context.make_array(array)(context, builder, arguments[0])
        view = context.make_array(result)(context, builder)
        context.populate_array(
            view, data=builder.bitcast(source.data, view.data.type), shape=source.shape,
            strides=source.strides, itemsize=source.itemsize, meminfo=source.meminfo,
            parent=source.parent,
        )  # fmt: skip
        return impl_ret_borrowed(context, builder, result, view._getvalue())

    return result(array), codegen


@intrinsic
def fence(typingctx):
    """What was stored before is loaded after it: no instruction, but LLVM may not look across."""

    def codegen(context, builder, signature, arguments):
        builder.fence("seq_cst", targetscope="singlethread")
        return context.get_dummy_value()

    return types.none(), codegen


@functools.cache
def groups(places):
    """Load and store vectors in these places, which lie ``stride`` numbers apart, as one tuple.

    ``load_group(array, position, stride, units)`` loads whole registers, however few ``units`` are
    wanted; ``store_group(array, position, stride, tuple, units)`` writes no more than ``units``
    lanes of each.
    """

    def pointers(context, builder, array_type, array, position, stride):
        first = element_pointer(context, builder, array_type, array, position)
        return [builder.gep(first, [builder.mul(stride, INT64(place))]) for place in places]

    @intrinsic
    def load_group(typingctx, array, position, stride, units):
        vector = Vector(array.dtype)

        def codegen(context, builder, signature, arguments):
            found = pointers(context, builder, array, *arguments[:3])
            values = [load_vector(builder, pointer, llvm_type(vector)) for pointer in found]
            return context.make_tuple(builder, signature.return_type, values)

        result = types.BaseTuple.from_types([vector] * len(places))
        return result(array, types.intp, types.intp, types.intp), codegen

    @intrinsic
    def store_group(typingctx, array, position, stride, values, units):
        if not isinstance(values, types.UniTuple) or len(values) != len(places):
            raise TypeError(f"expected a tuple of {len(places)} vectors, got {values}")

        def codegen(context, builder, signature, arguments):
            found, units = pointers(context, builder, array, *arguments[:3]), arguments[4]
            parts = cgutils.unpack_tuple(builder, arguments[3], len(places))
            lanes = parts[0].type.count
            whole = builder.icmp_signed(">=", units, INT64(lanes))
            with builder.if_else(whole, likely=True) as (is_whole, is_edge):
                with is_whole:
                    for value, pointer in zip(parts, found, strict=True):
                        store_vector(builder, value, pointer)
                with is_edge:
                    mask = first_lanes(builder, units, lanes)
                    for value, pointer in zip(parts, found, strict=True):
                        store_vector(builder, value, pointer, mask)
            return context.get_dummy_value()

        return types.none(array, types.intp, types.intp, values, types.intp), codegen

    return load_group, store_group
