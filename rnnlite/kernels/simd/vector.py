"""The type of a register, and its arithmetic: ``+ - * /`` on all lanes at once."""

import operator

from llvmlite import ir
from numba import types
from numba.core.errors import NumbaError
from numba.extending import lower_builtin, models, register_model, type_callable

from rnnlite.kernels.target import CHOSEN

# Multiply-adds may be fused.  Nothing may be reassociated: expm1 relies on the order of its sums.
FLAGS = ("contract", "nsz")
INT32, INT64 = ir.IntType(32), ir.IntType(64)
ELEMENTS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType(), types.int32: INT32}


class Vector(types.Type):
    """Numba type of one register full of float32, float64, or int32: pairs of bfloat16."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.lanes = CHOSEN.vector_bytes * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype} x {self.lanes})")


def llvm_type(vector):
    """LLVM's type of a ``Vector``."""
    return ir.VectorType(ELEMENTS[vector.dtype], vector.lanes)


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
    kind = ir.FunctionType(vector, [vector] * len(arguments))
    full_name = f"llvm.{name}.v{vector.count}f{width}"
    function = builder.module.declare_intrinsic(full_name, (), kind)
    return builder.call(function, arguments, fastmath=FLAGS)


# --- arithmetic: + - * / between vectors, and between a vector and a number ---


def _common(left, right):
    """The vector type of an operation's result, None if it is not ours."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Vector) and (one == other or isinstance(other, types.Number)):
            return one
    return None


def as_vector(context, builder, value, numba_type, vector):
    """A number in every lane; a vector as it is."""
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
            as_vector(context, builder, value, kind, vector)
            for value, kind in zip(arguments, signature.args, strict=True)
        )
        return getattr(builder, instruction)(left, right, flags=FLAGS)

    for left, right in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(symbol, left, right)(lower)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")


@type_callable(operator.neg)
def _type_negation(context):
    return lambda value: value if isinstance(value, Vector) else None


@lower_builtin(operator.neg, Vector)
def _negation(context, builder, signature, arguments):
    return builder.fneg(arguments[0], flags=FLAGS)


@lower_builtin("print_item", Vector)
def _print(context, builder, signature, arguments):
    # Numba would compile it, and complain at every register that it can't be shown.
    raise NumbaError("print cannot show a vector register")
