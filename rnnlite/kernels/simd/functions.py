"""Functions of a register: bounds, choices, powers of two."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rnnlite.kernels.simd.vector import INT32, INT64, Vector, as_vector, call_llvm, llvm_type


@intrinsic
def clip(typingctx, value, low, high):
    """``value`` bounded to [low, high]; NaN stays NaN."""

    def codegen(context, builder, signature, arguments):
        vector = signature.return_type
        value, low, high = (
            as_vector(context, builder, x, kind, vector)
            for x, kind in zip(arguments, signature.args, strict=True)
        )
        # A comparison with NaN is false, so NaN passes through both.  No
        # fast-math flags here: they would allow the operands to be swapped.
        value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
        return builder.select(builder.fcmp_ordered(">", value, high), high, value)

    return value(value, low, high), codegen


@intrinsic
def round_to_integer(typingctx, value):
    """The nearest whole number; halves go to the even one."""

    def codegen(context, builder, signature, arguments):
        return call_llvm(builder, "rint", llvm_type(signature.return_type), arguments)

    return value(value), codegen


@intrinsic
def power_of_two(typingctx, exponent):
    """2^n for whole numbers n."""

    def codegen(context, builder, signature, arguments):
        # The bits of 2^n are n + bias in the exponent field, zero elsewhere.
        vector = signature.return_type
        mantissa, bias, integer = (
            (23, 127, INT32) if vector.dtype == types.float32 else (52, 1023, INT64)
        )
        integers = ir.VectorType(integer, vector.lanes)
        number = builder.fptosi(arguments[0], integers)
        number = builder.add(number, ir.Constant(integers, [bias] * vector.lanes))
        number = builder.shl(number, ir.Constant(integers, [mantissa] * vector.lanes))
        return builder.bitcast(number, llvm_type(vector))

    return exponent(exponent), codegen


@intrinsic
def where_positive(typingctx, condition, value):
    """``value`` where ``condition`` > 0, else 0."""

    def codegen(context, builder, signature, arguments):
        zero = ir.Constant(llvm_type(signature.return_type), None)
        positive = builder.fcmp_ordered(">", arguments[0], zero)
        return builder.select(positive, arguments[1], zero)

    return value(condition, value), codegen


@intrinsic
def zero_from(typingctx, x, bound, value):
    """``value`` where x < bound or x is NaN, else 0."""

    def codegen(context, builder, signature, arguments):
        vector = signature.return_type
        x, bound = (
            as_vector(context, builder, argument, kind, vector)
            for argument, kind in zip(arguments[:2], signature.args[:2], strict=True)
        )
        reached = builder.fcmp_ordered(">=", x, bound)  # false for NaN
        return builder.select(reached, ir.Constant(llvm_type(vector), None), arguments[2])

    return value(x, bound, value), codegen


@intrinsic
def zero_like(typingctx, value):
    """A register of zeros."""

    def codegen(context, builder, signature, arguments):
        return ir.Constant(llvm_type(signature.return_type), None)

    return value(value), codegen


@intrinsic
def is_double(typingctx, value):
    """Whether the lanes are float64; known when the kernel is compiled."""
    answer = value.dtype == types.float64

    def codegen(context, builder, signature, arguments):
        return cgutils.true_bit if answer else cgutils.false_bit

    return types.boolean(value), codegen


@intrinsic
def lanes(typingctx, array):
    """How many numbers of the array's dtype a register holds."""
    count = Vector(array.dtype).lanes

    def codegen(context, builder, signature, arguments):
        return context.get_constant(types.intp, count)

    return types.intp(array), codegen
