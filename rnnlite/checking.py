"""Checks of what people hand in: every error names the argument, what came and what was wanted."""

import contextlib
import operator
import os
from pathlib import Path

import numpy as np

# Numbers that no memory holds: NumPy's errors from here on are of many kinds.
LARGEST = 2**39

# What ``compute_dtype`` may be besides float32, which is no rounding: ``docs/bfloat16.md``.
ROUNDED = ("bfloat16", "bfloat16_weight_gradients")


def float_dtype(where, dtype):
    """float32 or float64 as a numpy.dtype."""
    try:
        result = None if dtype is None else np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # NumPy reads texts as lists of fields
        result = None
    if result not in (np.float32, np.float64):
        raise ValueError(f"{where}: dtype is {dtype!r}; it can be 'float32' or 'float64'")
    return result


def compute_dtype(where, value, dtype):
    """One of ``ROUNDED``, or None for products of the numbers as they are."""
    if value is None:
        return None
    if dtype != np.float32 and isinstance(value, str) and value in ROUNDED:
        problem = f"compute_dtype is {value!r}, and dtype {dtype.name!r}"
        raise ValueError(f"{where}: {problem}; products of bfloat16 numbers are summed in float32")
    allowed = (*ROUNDED, "float32") if dtype == np.float32 else (dtype.name,)
    value = one_of(where, "compute_dtype", value, allowed)
    return None if value == dtype.name else value


def whole_number(where, name, value, least=1, most=2**63 - 1):
    """``value`` as an int of at least ``least``; None as ``most``: no limit."""
    number = None
    if not isinstance(value, (bool, np.bool_)):  # NumPy takes some of these for an index
        with contextlib.suppress(TypeError):
            number = operator.index(value)
    if number is None:
        raise TypeError(f"{where}: {name} is {value!r:.200}; it must be a whole number")
    if number < least:
        raise ValueError(f"{where}: {name} is {number}; it must be at least {least}")
    if most is not None and number > most:
        raise ValueError(f"{where}: {name} is above {most:,}; it can be that at most")
    return number


def seed(where, value):
    """``value`` as a seed: a whole number, or None for a different one each time."""
    return None if value is None else whole_number(where, "seed", value, 0, most=None)


def generator(where, value):
    """``value``, if it is a ``numpy.random.Generator``."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{where}: rng is {value!r:.200}; wanted numpy.random.default_rng(seed)")
    return value


def real_number(where, name, value, low, high, *, low_included=True, high_included=True):
    """``value`` as a finite float between ``low`` and ``high``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{where}: {name} is {value!r:.200}; it must be a number")
    try:
        number = float(value)
    except OverflowError:  # an int beyond all floats
        number = np.inf if value > 0 else -np.inf
    above = number >= low if low_included else number > low
    below = number <= high if high_included else number < high
    if not (above and below and np.isfinite(number)):
        interval = f"{'[' if low_included else '('}{low}, {high}{']' if high_included else ')'}"
        raise ValueError(f"{where}: {name} is {value!r:.200}; it must lie in {interval}")
    return number


def sequence(where, name, value, meaning):
    """``value`` as a list; ``meaning`` says of what."""
    try:
        return list(value)
    except TypeError:  # an array without axes has __iter__, and is none
        raise TypeError(f"{where}: {name} is {value!r:.200}; wanted {meaning}") from None


def file_name(where, name, value):
    """``value`` as a Path, if it can be the name of a file."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(f"{where}: {name} is {value!r:.200}; wanted the name of a file")
    if not text or "\0" in text:
        raise ValueError(f"{where}: {name} is {text!r:.200}; wanted the name of a file")
    return Path(text)


def true_or_false(where, name, value):
    """``value`` as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{where}: {name} is {value!r:.200}; it must be True or False")
    return bool(value)


def one_of(where, name, value, allowed):
    """``value``, if it is among ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        *others, last = map(repr, allowed)
        wanted = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"{where}: {name} is {value!r:.200}; it can be {wanted}")
    return value


def no_others(where, unknown, known):
    """Refuse arguments by names that ``where`` does not know, which Python would call a base's."""
    if unknown:
        known = ", ".join(known)
        raise TypeError(f"{where}: there is no argument {min(unknown)!r}; there are {known}")


def any_array(where, name, value):
    """``value`` as an array."""
    try:
        return np.asarray(value)
    except ValueError as error:  # rows of different lengths, which NumPy calls inhomogeneous
        raise ValueError(f"{where}: {name} is not an array: {error}") from None


def real_array(where, name, value):
    """``value`` as an array of real numbers, of any shape."""
    array = value if type(value) is np.ndarray else any_array(where, name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{where}: {name} holds {array.dtype}; it must hold real numbers")
    return array


def labels(where, name, value):
    """``value`` as an array of labels or values: as ``real_array``, with a hint for names."""
    array = any_array(where, name, value)
    if array.dtype.kind in "USTO" and array.size and isinstance(array.flat[0], (str, bytes)):
        got = f"{name} holds {array.dtype}, text as {str(array.flat[0])!r}"
        hint = "class_names, y = np.unique(names, return_inverse=True) numbers them"
        raise TypeError(f"{where}: {got}; wanted class numbers: {hint}")
    return real_array(where, name, array)


def common_float(*arrays):
    """float64 if one of the arrays is, else float32 (whole numbers do not decide)."""
    kinds = [array.dtype for array in arrays if array is not None and array.dtype.kind == "f"]
    wide = any(kind.itemsize >= 8 for kind in kinds)  # extended precision becomes float64 too
    return np.dtype(np.float64 if wide else np.float32)


def shaped(where, name, value, shape, meaning, dtype):
    """``value`` as a C-contiguous array of this shape, in words ``"(batch, hidden)"``."""
    array = real_array(where, name, value)
    shape = tuple(shape)
    if array.shape != shape:
        raise ValueError(f"{where}: {name} has shape {array.shape}; wanted {shape}, {meaning}")
    return contiguous(array, dtype)


def contiguous(array, dtype):
    """``array``, C-contiguous, aligned, writeable: the one kind that kernels are compiled for."""
    if array.dtype == dtype and array.flags.carray and type(array) is np.ndarray:
        return array  # the usual case: 0.2 microseconds in place of 1.3
    return np.require(array, dtype, "CAW")


def dimensions(where, name, value, count, meaning):
    """``value`` as an array with ``count`` axes, none of them empty."""
    array = real_array(where, name, value)
    if array.ndim != count:
        raise ValueError(f"{where}: {name} has shape {array.shape}; wanted {count} axes, {meaning}")
    if 0 in array.shape:
        raise ValueError(f"{where}: {name} has shape {array.shape}; no axis of {meaning} may be 0")
    return array


def row_lengths(where, lengths, B, T):
    """``lengths`` as int64 (B,), a copy, each in 0..T; None stays None."""
    if lengths is None:
        return None
    array = any_array(where, "lengths", lengths).copy()  # what is checked is what is used
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{where}: lengths holds {array.dtype}; it must hold whole numbers")
    if array.shape != (B,):
        raise ValueError(f"{where}: lengths has shape {array.shape}; wanted ({B},), (batch,)")
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high > T:
        hint = f"each must lie in 0..{T}, the number of time steps"
        raise ValueError(f"{where}: lengths runs from {array.min()} to {high}; {hint}")
    return array.astype(np.int64, copy=False)


def number_of_numbers(where, count):
    """Refuse sizes that no memory holds."""
    if count > LARGEST:
        raise ValueError(f"{where}: these sizes make {count:,} numbers; wanted {LARGEST:,} at most")
