"""bfloat16: a float32 with 8 binary digits instead of 24, of the same range.

With ``compute_dtype="bfloat16"`` what is multiplied in a matrix product is rounded, and so is the
bias, which the product multiplies by 1; sums, and all else, are float32.  With
``"bfloat16_weight_gradients"`` it is in the products alone whose result changes the weights.
"""

import numpy as np


def to_bfloat16(x):
    """The nearest bfloat16 numbers, as float32; of two as near, the one whose last digit is even.

    x is an array of any shape.

    >>> print(to_bfloat16(np.float32([1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, np.inf, np.nan])))
    [1.       1.       1.015625      inf      nan]
    """
    with np.errstate(over="ignore", invalid="ignore"):  # the largest may become infinite
        _, exponent = np.frexp(x)  # |x| = 0.1... 2^exponent, in binary
        exponent = np.maximum(exponent, -125)  # below 2^-126 digits are lost, as in float32
        unit = np.ldexp(1.0, exponent - 8)  # what the last of 8 digits is worth
        return (np.rint(x / unit) * unit).astype(np.float32)


def as_it_is(x):
    """x."""
    return x


def rounding(function, compute_dtype, dtype):
    """What to do with operands, of weight gradients and of all other products: a function each."""
    if compute_dtype is None:
        return as_it_is, as_it_is
    if compute_dtype not in ("bfloat16", "bfloat16_weight_gradients"):
        wanted = "None, 'bfloat16' or 'bfloat16_weight_gradients'"
        raise ValueError(f"{function}: compute_dtype is {compute_dtype!r}; wanted {wanted}")
    if dtype != np.float32:
        problem = f"compute_dtype is {compute_dtype!r} and arrays are {dtype}"
        raise ValueError(f"{function}: {problem}; wanted float32 arrays, since sums are float32")
    return to_bfloat16, to_bfloat16 if compute_dtype == "bfloat16" else as_it_is
