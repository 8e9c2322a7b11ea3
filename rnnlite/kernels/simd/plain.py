"""The same in NumPy, for NUMBA_DISABLE_JIT=1: a register is a small array."""

import numpy as np

from rnnlite.kernels.target import lanes_of

as_number, zero_like = np.copy, np.zeros_like


def lanes(array):
    """How many numbers of the array's dtype a register holds."""
    return lanes_of(array.dtype)


def fence():
    """Nothing: Python runs one line after the other."""


def load(array, position):
    """The register that begins at ``position``."""
    return array[position : position + lanes_of(array.dtype)].copy()


def load_masked(array, position, count):
    """The first ``count`` lanes (more, or less than 0, are allowed); the others are zero."""
    result = np.zeros(lanes_of(array.dtype), array.dtype)
    count = max(0, min(count, result.size))
    result[:count] = array[position : position + count]
    return result


def load_units(array, position, count):
    """At most the first ``count`` lanes, and no others: what a cell's equations see."""
    return array[position : position + min(count, lanes(array))].copy()


def store(array, position, value):
    """Write a register at ``position``."""
    array[position : position + value.size] = value


def store_masked(array, position, value, count):
    """Write the first ``count`` lanes (more, or less than 0, are allowed) and nothing else."""
    count = max(0, min(count, value.size))
    array[position : position + count] = value[:count]


def flat(array):
    """All numbers of a C-contiguous array along one axis."""
    return array.reshape(-1)


def words_of(array):
    """The memory of a flat array of float32 numbers as words."""
    return array.view(np.int32)


def groups(places):
    """Load and store registers in these places, ``stride`` numbers apart, as one tuple."""

    def load_group(array, position, stride, units):
        return tuple(load_units(array, position + place * stride, units) for place in places)

    def store_group(array, position, stride, values, units):
        for place, value in zip(places, values, strict=True):
            store_masked(array, position + place * stride, value, units)

    return load_group, store_group


def clip(value, low, high):
    """``value`` bounded to [low, high]; NaN stays NaN."""
    return np.clip(value, value.dtype.type(low), value.dtype.type(high))


def whole_part(value, factor):
    """The whole number nearest to ``value * factor``."""
    return np.rint(value * value.dtype.type(factor))


def power_of_two(exponent):
    """2^n for whole numbers n."""
    # The cast of NaN to an integer is undefined: keep it out, and put it back.
    finite = np.where(np.isnan(exponent), 0, exponent).astype(np.int32)
    return np.where(np.isnan(exponent), exponent, np.ldexp(exponent.dtype.type(1), finite))


def where_positive(condition, value):
    """``value`` where ``condition`` > 0, else 0."""
    return np.where(condition > 0, value, value.dtype.type(0))


def zero_from(x, bound, value):
    """``value`` where x < bound or x is NaN, else 0."""
    return np.where(x >= bound, value.dtype.type(0), value)


def is_double(value):
    """Whether the lanes are float64; known when the kernel is compiled."""
    return value.dtype == np.float64


# --- bfloat16, two numbers in a word ---


def rounded(value):
    """float32 numbers of which the lower halves are zero: to the nearest, or the even one."""
    bits = value.view(np.uint32)
    nearest = bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)
    bits = np.where(np.isnan(value), bits | np.uint32(0x400000), nearest)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


def pair(low, high):
    """Words of two registers: lane j holds ``low[j]`` and ``high[j]``, rounded."""
    low, high = rounded(low).view(np.uint32), rounded(high).view(np.uint32)
    return (low >> 16 | high).view(np.int32)


def pair_neighbours(first, second):
    """Words of two registers, one behind the other: lane j holds numbers 2j and 2j + 1, rounded."""
    numbers = np.concatenate([first, second])
    return pair(numbers[::2].copy(), numbers[1::2].copy())


def low_of(words):
    """The lower numbers of pairs, as float32."""
    return (words.view(np.uint32) << 16).view(np.float32)


def high_of(words):
    """The upper ones."""
    return (words.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def store_half(words, position, value, odd, count):
    """Write numbers, rounded, as the upper or lower halves of the first ``count`` words."""
    old = load_masked(words, position, count)
    new = pair(low_of(old), value) if odd else pair(value, high_of(old))
    store_masked(words, position, new, count)
