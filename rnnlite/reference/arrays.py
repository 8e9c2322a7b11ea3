"""What is no mathematics: shapes, dtypes, padding, and the errors that name them."""

import numpy as np

from rnnlite.reference.bfloat16 import rounding


def float_type(*arrays):
    """float64 if one of the arrays is, else float32; integers and None do not decide."""
    dtypes = [np.asarray(a).dtype for a in arrays]
    return np.result_type(np.float32, *(dtype for dtype in dtypes if dtype.kind == "f"))


def array_of(function, name, value):
    """``value`` as an array; rows of different lengths are none."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{function}: {name} is not an array: {error}") from None


def shaped(function, name, value, wanted, dtype, optional=False):
    """Copy in ``dtype``, held to the shape ``wanted``; a word there means any size but 0."""
    none = optional and value is None
    array = np.zeros(wanted, dtype) if none else array_of(function, name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{function}: {name} has dtype {array.dtype}; wanted real numbers")
    if array.ndim != len(wanted) or any(
        size == 0 if isinstance(want, str) else size != want
        for size, want in zip(array.shape, wanted, strict=True)
    ):
        wanted = str(tuple(wanted)).replace("'", "")
        raise ValueError(f"{function}: {name} has shape {array.shape}; wanted {wanted}")
    return np.array(array, dtype)


def checked(function, gates, lengths, compute_dtype, x, Wx, Wh, **others):
    """Return what rounds a product's operands, valid steps (B, T, 1), and the arrays, checked.

    The padding of x becomes zero, and a state or peephole that is None.  All are copies: the
    cache stays true whatever the caller writes into the originals before backward.  x, weights and
    biases are rounded already: nobody needs them as they were.
    """
    given = {"x": x, "Wx": Wx, "Wh": Wh} | others
    dtype = float_type(*(array_of(function, name, value) for name, value in given.items()))
    _, rounded = rounding(function, compute_dtype, dtype)
    H = len(shaped(function, "Wh", Wh, ("hidden", f"{gates}*hidden"), dtype))
    Wh = shaped(function, "Wh", Wh, (H, gates * H), dtype)
    Wx = shaped(function, "Wx", Wx, ("input", gates * H), dtype)
    x = shaped(function, "x", x, ("batch", "time", len(Wx)), dtype)
    B, T, _ = x.shape
    shapes = {"b": (gates * H,), "bh": (gates * H,), "peephole": (3 * H,)}
    biases = ("b", "bh")
    others = {  # what is not in shapes is an initial state
        name: shaped(function, name, a, shapes.get(name, (B, H)), dtype, name not in biases)
        for name, a in others.items()
    }
    others = [rounded(a) if name in biases else a for name, a in others.items()]
    lengths = np.full(B, T) if lengths is None else array_of(function, "lengths", lengths)
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"{function}: lengths has dtype {lengths.dtype}; wanted integers")
    lengths = shaped(function, "lengths", lengths, (B,), np.int64)
    if lengths.min() < 0 or lengths.max() > T:
        raise ValueError(f"{function}: lengths is {lengths}; wanted each in 0..{T}")
    valid = (np.arange(T) < lengths[:, None])[:, :, None]
    x, Wx, Wh = rounded(np.where(valid, x, 0)), rounded(Wx), rounded(Wh)
    return rounded, valid, x, Wx, Wh, *others


def slots(initial, T):
    """State buffer (B, T + 1, H) with the initial state in slot 0."""
    slots = np.zeros((len(initial), T + 1, initial.shape[1]), initial.dtype)
    slots[:, 0] = initial
    return slots


def incoming(function, maker, cache, **grads):
    """Return dh, its padding zeroed, and the final states' gradients; None becomes zero."""
    if getattr(cache, "function", None) != maker:
        kind = type(cache).__name__
        raise TypeError(f"{function}: cache is of type {kind}; wanted that of {maker}")
    (B, T, H), dtype = cache.h.shape, cache.h.dtype
    dh, *dfinal = (
        shaped(function, name, a, (B, T, H) if name == "dh" else (B, H), dtype, optional=True)
        for name, a in grads.items()
    )
    return np.where(cache.inputs[-1], dh, 0), *dfinal


def positive_number(function, name, value, most):
    """``value`` as a float above 0, at most ``most``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{function}: {name} is {value!r}; wanted a number")
    if not 0 < value <= most:
        raise ValueError(f"{function}: {name} is {value!r}; wanted above 0, at most {most:g}")
    return float(value)
