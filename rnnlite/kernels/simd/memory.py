"""Registers to and from memory: whole, in part, and several at once."""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rnnlite.kernels.simd.vector import INT32, INT64, Vector, llvm_type, splat


def element_pointer(context, builder, array_type, array, position):
    """Address of ``array[position]``."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [position])


def load_vector(builder, pointer, vector):
    """Read a register from any address (alignment makes it faster, not legal)."""
    value = builder.load(builder.bitcast(pointer, vector.as_pointer()))
    value.align = 4 if vector.element == ir.FloatType() else 8
    return value


def store_vector(builder, value, pointer):
    """Write a register to any address."""
    written = builder.store(value, builder.bitcast(pointer, value.type.as_pointer()))
    written.align = 4 if value.type.element == ir.FloatType() else 8


def first_lanes(builder, count, lanes):
    """A mask that is true in the first ``count`` lanes (an i64; may exceed the lanes)."""
    numbers = ir.Constant(ir.VectorType(INT64, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, count, lanes))


def _masked(builder, name, vector, result, arguments):
    width = 32 if vector.element == ir.FloatType() else 64
    function = builder.module.declare_intrinsic(
        f"llvm.masked.{name}.v{vector.count}f{width}.p0",
        (),
        ir.FunctionType(result, [argument.type for argument in arguments]),
    )
    return builder.call(function, arguments)


def emit_load_masked(builder, pointer, mask, vector):
    """Read the lanes of ``mask``; the others are zero and their memory is not touched."""
    pointer = builder.bitcast(pointer, vector.as_pointer())
    align = INT32(4 if vector.element == ir.FloatType() else 8)
    zero = ir.Constant(vector, None)
    return _masked(builder, "load", vector, vector, [pointer, align, mask, zero])


def emit_store_masked(builder, value, pointer, mask):
    """Write the lanes of ``mask``; the memory of the others is not touched."""
    vector = value.type
    pointer = builder.bitcast(pointer, vector.as_pointer())
    align = INT32(4 if vector.element == ir.FloatType() else 8)
    _masked(builder, "store", vector, ir.VoidType(), [value, pointer, align, mask])


@intrinsic
def load(typingctx, array, position):
    """The register that begins at ``position``."""
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, signature.args[0], *arguments)
        return load_vector(builder, pointer, llvm_type(vector))

    return vector(array, types.intp), codegen


@intrinsic
def load_masked(typingctx, array, position, count):
    """The first ``count`` lanes (more, or less than 0, are allowed); the others are zero."""
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, arguments):
        array, position, count = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, position)
        mask = first_lanes(builder, count, vector.lanes)
        return emit_load_masked(builder, pointer, mask, llvm_type(vector))

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def store(typingctx, array, position, value):
    """Write a register at ``position``."""

    def codegen(context, builder, signature, arguments):
        array, position, value = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, position)
        store_vector(builder, value, pointer)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def store_masked(typingctx, array, position, value, count):
    """Write the first ``count`` lanes (more, or less than 0, are allowed) and nothing else."""

    def codegen(context, builder, signature, arguments):
        array, position, value, count = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, position)
        mask = first_lanes(builder, count, signature.args[2].lanes)
        emit_store_masked(builder, value, pointer, mask)
        return context.get_dummy_value()

    return types.none(array, types.intp, value, types.intp), codegen


@functools.cache
def groups(places):
    """Load and store vectors in these places, which lie ``stride`` numbers apart, as one tuple.

    Returns
    -------
    load_group : function ``(array, position, stride, units) -> tuple``
        Whole registers, however few ``units`` are wanted.
    store_group : function ``(array, position, stride, tuple, units)``
        Of each vector no more than ``units`` lanes are written.
    """

    @intrinsic
    def load_group(typingctx, array, position, stride, units):
        vector = Vector(array.dtype)

        def codegen(context, builder, signature, arguments):
            array, position, stride, _ = arguments
            pointer = element_pointer(context, builder, signature.args[0], array, position)
            values = [
                load_vector(
                    builder,
                    builder.gep(pointer, [builder.mul(stride, INT64(place))]),
                    llvm_type(vector),
                )
                for place in places
            ]
            return context.make_tuple(builder, signature.return_type, values)

        found = types.BaseTuple.from_types([vector] * len(places))
        return found(array, types.intp, types.intp, types.intp), codegen

    @intrinsic
    def store_group(typingctx, array, position, stride, values, units):
        if not isinstance(values, types.UniTuple) or len(values) != len(places):
            raise TypeError(f"expected a tuple of {len(places)} vectors, got {values}")

        def codegen(context, builder, signature, arguments):
            array, position, stride, values, units = arguments
            pointer = element_pointer(context, builder, signature.args[0], array, position)
            pointers = [
                builder.gep(pointer, [builder.mul(stride, INT64(place))]) for place in places
            ]
            values = cgutils.unpack_tuple(builder, values, len(places))
            lanes = values[0].type.count
            whole = builder.icmp_signed(">=", units, INT64(lanes))
            with builder.if_else(whole, likely=True) as (is_whole, is_edge):
                with is_whole:
                    for value, pointer in zip(values, pointers, strict=True):
                        store_vector(builder, value, pointer)
                with is_edge:
                    mask = first_lanes(builder, units, lanes)
                    for value, pointer in zip(values, pointers, strict=True):
                        emit_store_masked(builder, value, pointer, mask)
            return context.get_dummy_value()

        return types.none(array, types.intp, types.intp, values, types.intp), codegen

    return load_group, store_group
