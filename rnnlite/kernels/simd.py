"""One vector register as a number.

``load(a, i)`` reads as many neighbouring numbers of the flat array ``a`` as
one vector register holds (16 float32 with AVX-512) and gives them back as one
value.  ``+ - * /`` work on it, on all lanes at once, so that

    c = f * c_prev + i * g

compiles to two instructions that update 16 units of a row.  Leaving this to
LLVM's own loop vectoriser was tried: it gives up as soon as a loop walks over
more arrays than it cares to prove disjoint (about eight comparisons; one step
of an LSTM touches eleven), and says nothing.

Under ``NUMBA_DISABLE_JIT=1`` a "register" is a small NumPy array, and what
you see in the debugger is what the machine does.

All functions here are understood by Numba inside kernels; positions and
strides count numbers, not bytes.
"""

import functools
import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import (
    intrinsic,
    lower_builtin,
    models,
    register_model,
    type_callable,
)

from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.target import CHOSEN, lanes_of

# Multiply-adds may be fused.  Nothing may be reassociated: expm1(y) relies on
# p * scale + (scale - 1) being computed in this order.
FLAGS = ("contract", "nsz")
INT32, INT64 = ir.IntType(32), ir.IntType(64)


# --- the type ---------------------------------------------------------------


class Vector(types.Type):
    """Numba type of one register full of float32 or float64."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.lanes = CHOSEN.vector_bytes * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype} x {self.lanes})")


def llvm_type(vector):
    """LLVM's type of a ``Vector``."""
    element = ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType()
    return ir.VectorType(element, vector.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, llvm_type(vector))


def splat(builder, scalar, lanes):
    """The same scalar in every lane."""
    undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, undefined, zeros)


def call_llvm(builder, name, vector, arguments):
    """Call the LLVM intrinsic ``llvm.<name>`` on vectors of one type."""
    width = 32 if vector.element == ir.FloatType() else 64
    function = builder.module.declare_intrinsic(
        f"llvm.{name}.v{vector.count}f{width}",
        (),
        ir.FunctionType(vector, [vector] * len(arguments)),
    )
    return builder.call(function, arguments, fastmath=FLAGS)


# --- arithmetic: + - * / between vectors, and between a vector and a number ---

_OPERATORS = {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


def _common(left, right):
    """The vector type of an operation's result, None if it is not ours."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Vector) and (one == other or isinstance(other, types.Number)):
            return one
    return None


def _as_vector(context, builder, value, numba_type, vector):
    if isinstance(numba_type, Vector):
        return value
    return splat(builder, context.cast(builder, value, numba_type, vector.dtype), vector.lanes)


def _define_operator(symbol, instruction):
    @type_callable(symbol)
    def _typing(context):
        return _common

    def lower(context, builder, signature, arguments):
        vector = signature.return_type
        left, right = (
            _as_vector(context, builder, value, kind, vector)
            for value, kind in zip(arguments, signature.args, strict=True)
        )
        return getattr(builder, instruction)(left, right, flags=FLAGS)

    for left, right in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(symbol, left, right)(lower)


for _symbol, _instruction in _OPERATORS.items():
    _define_operator(_symbol, _instruction)


@type_callable(operator.neg)
def _type_negation(context):
    return lambda value: value if isinstance(value, Vector) else None


@lower_builtin(operator.neg, Vector)
def _negation(context, builder, signature, arguments):
    return builder.fneg(arguments[0], flags=FLAGS)


# --- functions of a vector ----------------------------------------------------


@intrinsic
def _clip(typingctx, value, low, high):
    def codegen(context, builder, signature, arguments):
        vector = signature.return_type
        value, low, high = (
            _as_vector(context, builder, x, kind, vector)
            for x, kind in zip(arguments, signature.args, strict=True)
        )
        # A comparison with NaN is false, so NaN passes through both.  No
        # fast-math flags here: they would allow the operands to be swapped.
        value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
        return builder.select(builder.fcmp_ordered(">", value, high), high, value)

    return value(value, low, high), codegen


@intrinsic
def _round_to_integer(typingctx, value):
    def codegen(context, builder, signature, arguments):
        return call_llvm(builder, "rint", llvm_type(signature.return_type), arguments)

    return value(value), codegen


@intrinsic
def _power_of_two(typingctx, exponent):
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
def _where_positive(typingctx, condition, value):
    def codegen(context, builder, signature, arguments):
        zero = ir.Constant(llvm_type(signature.return_type), None)
        positive = builder.fcmp_ordered(">", arguments[0], zero)
        return builder.select(positive, arguments[1], zero)

    return value(condition, value), codegen


@intrinsic
def _zero_from(typingctx, x, bound, value):
    def codegen(context, builder, signature, arguments):
        vector = signature.return_type
        x, bound = (
            _as_vector(context, builder, argument, kind, vector)
            for argument, kind in zip(arguments[:2], signature.args[:2], strict=True)
        )
        reached = builder.fcmp_ordered(">=", x, bound)  # false for NaN
        return builder.select(reached, ir.Constant(llvm_type(vector), None), arguments[2])

    return value(x, bound, value), codegen


@intrinsic
def _zero_like(typingctx, value):
    def codegen(context, builder, signature, arguments):
        return ir.Constant(llvm_type(signature.return_type), None)

    return value(value), codegen


@intrinsic
def _is_double(typingctx, value):
    answer = value.dtype == types.float64

    def codegen(context, builder, signature, arguments):
        return cgutils.true_bit if answer else cgutils.false_bit

    return types.boolean(value), codegen


@intrinsic
def _lanes(typingctx, array):
    count = Vector(array.dtype).lanes

    def codegen(context, builder, signature, arguments):
        return context.get_constant(types.intp, count)

    return types.intp(array), codegen


# --- memory -------------------------------------------------------------------


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


def load_masked(builder, pointer, mask, vector):
    """Read the lanes of ``mask``; the others are zero and their memory is not touched."""
    pointer = builder.bitcast(pointer, vector.as_pointer())
    align = INT32(4 if vector.element == ir.FloatType() else 8)
    zero = ir.Constant(vector, None)
    return _masked(builder, "load", vector, vector, [pointer, align, mask, zero])


def store_masked(builder, value, pointer, mask):
    """Write the lanes of ``mask``; the memory of the others is not touched."""
    vector = value.type
    pointer = builder.bitcast(pointer, vector.as_pointer())
    align = INT32(4 if vector.element == ir.FloatType() else 8)
    _masked(builder, "store", vector, ir.VoidType(), [value, pointer, align, mask])


@intrinsic
def _load(typingctx, array, position):
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, arguments):
        pointer = element_pointer(context, builder, signature.args[0], *arguments)
        return load_vector(builder, pointer, llvm_type(vector))

    return vector(array, types.intp), codegen


@intrinsic
def _load_some(typingctx, array, position, count):
    vector = Vector(array.dtype)

    def codegen(context, builder, signature, arguments):
        array, position, count = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, position)
        mask = first_lanes(builder, count, vector.lanes)
        return load_masked(builder, pointer, mask, llvm_type(vector))

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def _store(typingctx, array, position, value):
    def codegen(context, builder, signature, arguments):
        array, position, value = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, position)
        store_vector(builder, value, pointer)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def _store_some(typingctx, array, position, value, count):
    def codegen(context, builder, signature, arguments):
        array, position, value, count = arguments
        pointer = element_pointer(context, builder, signature.args[0], array, position)
        mask = first_lanes(builder, count, signature.args[2].lanes)
        store_masked(builder, value, pointer, mask)
        return context.get_dummy_value()

    return types.none(array, types.intp, value, types.intp), codegen


def _group_intrinsics(count):
    @intrinsic
    def load_group(typingctx, array, position, stride):
        vector = Vector(array.dtype)

        def codegen(context, builder, signature, arguments):
            array, position, stride = arguments
            pointer = element_pointer(context, builder, signature.args[0], array, position)
            values = [
                load_vector(
                    builder,
                    builder.gep(pointer, [builder.mul(stride, INT64(block))]),
                    llvm_type(vector),
                )
                for block in range(count)
            ]
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(vector, count)(array, types.intp, types.intp), codegen

    @intrinsic
    def store_group(typingctx, array, position, stride, values):
        if not isinstance(values, types.UniTuple) or len(values) != count:
            raise TypeError(f"expected a tuple of {count} vectors, got {values}")

        def codegen(context, builder, signature, arguments):
            array, position, stride, values = arguments
            pointer = element_pointer(context, builder, signature.args[0], array, position)
            for block, value in enumerate(cgutils.unpack_tuple(builder, values, count)):
                place = builder.gep(pointer, [builder.mul(stride, INT64(block))])
                store_vector(builder, value, place)
            return context.get_dummy_value()

        return types.none(array, types.intp, types.intp, values), codegen

    return load_group, store_group


# --- the same in NumPy, for NUMBA_DISABLE_JIT=1 --------------------------------


def _numpy_lanes(array):
    return lanes_of(array.dtype)


def _numpy_load(array, position):
    return array[position : position + lanes_of(array.dtype)].copy()


def _numpy_load_some(array, position, count):
    result = np.zeros(lanes_of(array.dtype), array.dtype)
    count = max(0, min(count, result.size))
    result[:count] = array[position : position + count]
    return result


def _numpy_store(array, position, value):
    array[position : position + value.size] = value


def _numpy_store_some(array, position, value, count):
    count = max(0, min(count, value.size))
    array[position : position + count] = value[:count]


def _numpy_groups(count):
    def load_group(array, position, stride):
        return tuple(_numpy_load(array, position + block * stride) for block in range(count))

    def store_group(array, position, stride, values):
        for block in range(count):
            _numpy_store(array, position + block * stride, values[block])

    return load_group, store_group


def _numpy_clip(value, low, high):
    return np.clip(value, value.dtype.type(low), value.dtype.type(high))


def _numpy_power_of_two(exponent):
    # The cast of NaN to an integer is undefined: keep it out, and put it back.
    finite = np.where(np.isnan(exponent), 0, exponent).astype(np.int32)
    return np.where(np.isnan(exponent), exponent, np.ldexp(exponent.dtype.type(1), finite))


def _numpy_where_positive(condition, value):
    return np.where(condition > 0, value, value.dtype.type(0))


def _numpy_zero_from(x, bound, value):
    return np.where(x >= bound, value.dtype.type(0), value)


def _numpy_is_double(value):
    return value.dtype == np.float64


@functools.cache
def groups(count):
    """Load and store ``count`` vectors that lie ``stride`` numbers apart, as one tuple.

    Returns
    -------
    load_group : function ``(array, position, stride) -> tuple``
    store_group : function ``(array, position, stride, tuple)``
    """
    return _numpy_groups(count) if JIT_DISABLED else _group_intrinsics(count)


lanes = _numpy_lanes if JIT_DISABLED else _lanes
load = _numpy_load if JIT_DISABLED else _load
load_some = _numpy_load_some if JIT_DISABLED else _load_some
store = _numpy_store if JIT_DISABLED else _store
store_some = _numpy_store_some if JIT_DISABLED else _store_some
clip = _numpy_clip if JIT_DISABLED else _clip
round_to_integer = np.rint if JIT_DISABLED else _round_to_integer
power_of_two = _numpy_power_of_two if JIT_DISABLED else _power_of_two
where_positive = _numpy_where_positive if JIT_DISABLED else _where_positive
zero_from = _numpy_zero_from if JIT_DISABLED else _zero_from
zero_like = np.zeros_like if JIT_DISABLED else _zero_like
is_double = _numpy_is_double if JIT_DISABLED else _is_double
