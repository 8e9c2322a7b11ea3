"""Functions of a register: bounds, choices, powers of two."""

import inspect

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from rnnlite.kernels.simd.vector import FLAGS, INT32, INT64, Vector, as_vector, call_llvm


def of_registers(emit, result=None):
    """``emit(builder, *registers)`` for kernels; a number given for one fills a register.

    ``result`` is the type of what it returns, that of the first register if not given.
    """

    def typing(typingctx, *kinds):
        vector = next(kind for kind in kinds if isinstance(kind, Vector))

        def codegen(context, builder, signature, arguments):
            values = zip(arguments, signature.args, strict=True)
            return emit(builder, *(as_vector(context, builder, *value, vector) for value in values))

        return (result or vector)(*kinds), codegen

    typing.__name__, typing.__doc__ = emit.__name__, emit.__doc__
    names = ["typingctx", *list(inspect.signature(emit).parameters)[1:]]  # Numba counts them
    typing.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )
    return intrinsic(typing)


@of_registers
def clip(builder, value, low, high):
    """``value`` bounded to [low, high]; NaN stays NaN."""
    # A comparison with NaN is false, so NaN passes through both.  No fast-math flags here: they
    # would allow the operands to be swapped.
    value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
    return builder.select(builder.fcmp_ordered(">", value, high), high, value)


# A number to which 1.5 2^23 is added (float64: 1.5 2^52) has no bits left for a fraction: the last
# ones are the nearest whole number n.  With the exponent's bias added, too, they are those of 2^n.
_SINGLE, _DOUBLE = (INT32, 23, 127), (INT64, 52, 1023)


def _shift(kind):
    integer, mantissa, bias = _SINGLE if kind.element == ir.FloatType() else _DOUBLE
    integers = ir.VectorType(integer, kind.count)
    shift = ir.Constant(kind, [1.5 * 2.0**mantissa + bias] * kind.count)
    return shift, integers, ir.Constant(integers, [mantissa] * kind.count)


@of_registers
def whole_part(builder, value, factor):
    """The whole number n nearest to ``value * factor``, shifted: for the next two functions."""
    return call_llvm(builder, "fmuladd", value.type, [value, factor, _shift(value.type)[0]])


@of_registers
def as_number(builder, shifted):
    """n, from what ``whole_part`` returned."""
    # Flags of its own, since Numba would give it the kernel's, by which LLVM may leave out what is
    # added and taken away again.
    return builder.fsub(shifted, _shift(shifted.type)[0], flags=FLAGS)


@of_registers
def power_of_two(builder, shifted):
    """2^n, from the same: its last bits, moved to where the exponent is."""
    _, integers, mantissa = _shift(shifted.type)
    bits = builder.shl(builder.bitcast(shifted, integers), mantissa)
    return builder.bitcast(bits, shifted.type)


@of_registers
def where_positive(builder, condition, value):
    """``value`` where ``condition`` > 0, else 0."""
    zero = ir.Constant(value.type, None)
    return builder.select(builder.fcmp_ordered(">", condition, zero), value, zero)


@of_registers
def zero_from(builder, x, bound, value):
    """``value`` where x < bound or x is NaN, else 0."""
    reached = builder.fcmp_ordered(">=", x, bound)  # false for NaN
    return builder.select(reached, ir.Constant(value.type, None), value)


@of_registers
def zero_like(builder, value):
    """A register of zeros."""
    return ir.Constant(value.type, None)


@intrinsic
def is_double(typingctx, value):
    """Whether the lanes are float64; known when the kernel is compiled."""
    answer = cgutils.true_bit if value.dtype == types.float64 else cgutils.false_bit
    return types.boolean(value), lambda context, builder, signature, arguments: answer


@intrinsic
def lanes(typingctx, array):
    """How many numbers of the array's dtype a register holds."""

    def codegen(context, builder, signature, arguments):
        return context.get_constant(types.intp, Vector(array.dtype).lanes)

    return types.intp(array), codegen
