"""Registers of bfloat16 numbers, two in a word: made of float32 registers, and multiplied.

A bfloat16 is the upper half of a float32: its sign, its 8 bits of exponent and the first 7 of its
mantissa.  To round to the nearest number, and a tie to the even one, is to add a little less than
half of the last m, or half of it where that m is 1, and to cut off the lower half:

    float32   s eeeeeeee mmmmmmm|rrrrrrrrrrrrrrrr
            +                    0111111111111111      and 1 more if the last m is 1
    bfloat16  s eeeeeeee mmmmmmm                       a carry may go up to infinity, as it should

A NaN would carry as well, and some would come out as zero: it is cut off as it is, but for its
first m, which is set, since a NaN without any m would be infinity.
"""

import functools

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from rnnlite.kernels.simd.functions import of_registers
from rnnlite.kernels.simd.memory import element_pointer, first_lanes, load_vector, store_vector
from rnnlite.kernels.simd.vector import INT32, INT64, Vector, call_llvm, llvm_type
from rnnlite.kernels.target import CHOSEN


def _constant(register, number):
    return ir.Constant(register, [number] * register.count)


def _rounded(builder, value):
    """The bits of float32 numbers, of which the upper halves are rounded to nearest even."""
    words = ir.VectorType(INT32, value.type.count)
    bits = builder.bitcast(value, words)
    last = builder.and_(builder.lshr(bits, _constant(words, 16)), _constant(words, 1))
    nearest = builder.add(builder.add(bits, _constant(words, 0x7FFF)), last)
    quiet = builder.or_(bits, _constant(words, 0x400000))
    return builder.select(builder.fcmp_unordered("uno", value, value), quiet, nearest)


def _pair(builder, low, high):
    low, high = _rounded(builder, low), _rounded(builder, high)
    low = builder.lshr(low, _constant(low.type, 16))
    return builder.or_(low, builder.and_(high, _constant(high.type, -0x10000)))


def _low(builder, words):
    """The lower numbers of pairs, as float32."""
    bits = builder.shl(words, _constant(words.type, 16))
    return builder.bitcast(bits, ir.VectorType(ir.FloatType(), words.type.count))


def _high(builder, words):
    """The upper ones."""
    bits = builder.and_(words, _constant(words.type, -0x10000))
    return builder.bitcast(bits, ir.VectorType(ir.FloatType(), words.type.count))


def with_half(builder, old, value, odd):
    """Words with a register of numbers as their upper halves if ``odd``, else as their lower."""
    bits, kind = _rounded(builder, value), old.type
    low = builder.or_(
        builder.and_(old, _constant(kind, -0x10000)), builder.lshr(bits, _constant(kind, 16))
    )
    high = builder.or_(
        builder.and_(old, _constant(kind, 0xFFFF)), builder.and_(bits, _constant(kind, -0x10000))
    )
    return builder.select(odd, high, low)


@functools.partial(of_registers, result=Vector(types.int32))
def pair(builder, low, high):
    """Words of two registers: lane j holds ``low[j]`` and ``high[j]``, rounded."""
    return _pair(builder, low, high)


@functools.partial(of_registers, result=Vector(types.int32))
def pair_neighbours(builder, first, second):
    """Words of two registers, one behind the other: lane j holds numbers 2j and 2j + 1, rounded."""
    lanes = first.type.count
    even, odd = (
        ir.Constant(ir.VectorType(INT32, lanes), [2 * j + k for j in range(lanes)]) for k in (0, 1)
    )
    return _pair(
        builder,
        builder.shuffle_vector(first, second, even),
        builder.shuffle_vector(first, second, odd),
    )


@intrinsic
def store_half(typingctx, words, position, value, odd, count):
    """Write numbers, rounded, as the upper or lower halves of the first ``count`` words."""

    def codegen(context, builder, signature, arguments):
        words, position, value, odd, count = arguments
        pointer = element_pointer(context, builder, signature.args[0], words, position)
        old = load_vector(builder, pointer, llvm_type(Vector(types.int32)))
        new = with_half(builder, old, value, builder.icmp_signed("!=", odd, INT64(0)))
        store_vector(builder, new, pointer, first_lanes(builder, count, value.type.count))
        return context.get_dummy_value()

    n = types.intp
    return types.none(words, n, value, n, n), codegen


class _BFloat(ir.types._BaseFloatType):
    """LLVM's bfloat, which llvmlite does not know: its name is all that is needed."""

    null, intrinsic_name = "0.0", "bf16"

    def __str__(self):
        return "bfloat"


_BFloat._create_instance()


def multiply_add_pairs(builder, a, w, total):
    """``total + a.low w.low + a.high w.high`` in every lane, float32, for the tile.

    One instruction where the processor has it, ``vdpbf16ps`` of AVX512-BF16, which takes denormal
    numbers for zero.  ARM's ``bfdot`` (``llvm.aarch64.neon.bfdot.v4f32.v8bf16``) takes the same
    pairs in the same lanes: a line here, and one in ``target.py``, once there is a machine to try
    it on.  Elsewhere two multiply-adds of the halves.
    """
    if not CHOSEN.multiplies_pairs:
        for half in (_low, _high):
            factors = [half(builder, a), half(builder, w), total]
            total = call_llvm(builder, "fmuladd", total.type, factors)
        return total
    lanes = total.type.count
    # Before LLVM 16 the intrinsic took words.
    as_bfloat = llvm.llvm_version_info >= (16,)
    kind = ir.VectorType(_BFloat(), 2 * lanes) if as_bfloat else ir.VectorType(INT32, lanes)
    name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * lanes}"
    signature = ir.FunctionType(total.type, [total.type, kind, kind])
    function = builder.module.declare_intrinsic(name, (), signature)
    return builder.call(function, [total, builder.bitcast(a, kind), builder.bitcast(w, kind)])
