"""Odd arguments, and what may become of them: the ground of ``test_fuzz_*.py``.

The promise: an error that opens with the name of what was called, or the right answer.
"""

import re
import warnings

import numpy as np
from conftest import sized
from hypothesis import settings
from hypothesis import strategies as st

import rnnlite

PUBLIC = {
    *rnnlite.__all__, *rnnlite.functional.__all__, *rnnlite.datasets.__all__,
    *rnnlite.saving.__all__, *rnnlite.initializers.BY_NAME, "check", "check_equations",
    "constant", "step_decay", "cosine", "one_cycle", "warm_up", "copy", "write", "read", "build",
}  # fmt: skip
OPENING = re.compile(r"([A-Za-z_]\w*)(\.\w+)?(: validation)?: ")


def examples(many, few=8):
    """So many examples, or few without compiled kernels."""
    return settings(max_examples=sized(many, few))


class Refused:
    """What a call was answered with that ended in an error."""

    def __init__(self, error):
        self.error = error

    def __repr__(self):
        return f"Refused({self.error!r})"


def tried(call, *arguments, also=(), **keywords):
    """Result of a call, or ``Refused``; anything but a named error goes on up."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", rnnlite.DataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN, infinity: NumPy's own words
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        try:
            return call(*arguments, **keywords)
        except also as error:
            return Refused(error)
        except (ValueError, TypeError) as error:
            found = OPENING.match(str(error))
            assert found and found[1] in PUBLIC, f"an error that does not say who: {error!r}"
            return Refused(error)


def refused(result):
    """Whether ``tried`` saw an error."""
    return isinstance(result, Refused)


# ---- numbers and things --------------------------------------------------------------------

ODD = (
    None, True, False, np.True_, "", "abc", "1", b"1", 0, -1, 1, 2, 1.0, 1.5, -0.5, 0.5, 1e300,
    float("nan"), float("inf"), -float("inf"), 2**40, 2**63, 2**64, -(2**70), 10**400, 1j, (),
    [], {}, [1], [[1], [1, 2]], {"a": 1}, {1: 2, "a": 3}, {3}, object(), int, len, slice(1),
    np.float32(0.5), np.float16(2.0), np.int8(3), np.uint64(2**64 - 1), np.array(2), np.array([]),
    np.array([1, 2]), np.array("a"), np.array(None), np.datetime64(0, "s"), np.dtype("f4"),
)  # fmt: skip
odd = st.sampled_from(ODD)


def odd_but(*things):
    """Odd things without these, which are right or would run for ever."""
    return odd.filter(lambda value: not any(value is thing for thing in things))


def mostly(usual, other=odd):
    """Usual values three times in four, to get past the first check."""
    return st.integers(0, 3).flatmap(lambda n: other if n == 0 else usual)


sizes = mostly(st.integers(1, 5))
flags = mostly(st.booleans())
seeds = mostly(st.sampled_from([0, 1, 2**100, None]))
dtypes = mostly(st.sampled_from(["float32", "float64", np.float32, np.dtype("f8")]))
choices = st.integers(0, 2**31)


# ---- arrays --------------------------------------------------------------------------------

REAL = ("f4", "f8", "f2", "g", ">f8", ">f4", "i1", "i8", "u8", ">i2", "?")
UNREAL = ("c8", "O", "U3", "M8[s]", "V4")


def wrong_shape(rng, shape):
    """A shape near to the wanted one."""
    shape = list(shape)
    change = rng.integers(5)
    at = int(rng.integers(len(shape)))
    if change == 0:
        shape[at] += 1
    elif change == 1:
        shape[at] = 0
    elif change == 2:
        del shape[at]
    elif change == 3:
        shape.insert(at, 1)
    else:
        shape = shape[::-1]
    return tuple(shape)


def laid_out(rng, array):
    """The same numbers in memory of another kind."""
    array, layout = np.asarray(array), rng.integers(7)
    if layout == 1:
        return np.asfortranarray(array)
    if layout == 2 and array.ndim:
        return np.flip(np.flip(array).copy())
    if layout == 3 and array.ndim:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == 4:
        array = array.copy()
        array.flags.writeable = False
    if layout == 5 and array.dtype.kind in "fiu":
        memory = bytearray(array.nbytes + 1)
        unaligned = np.frombuffer(memory, np.uint8)[1:].view(array.dtype).reshape(array.shape)
        unaligned[...] = array
        return unaligned
    return array.tolist() if layout == 6 else array


def array_like(choice, shape, kinds=REAL, below=None):
    """Something for an array of this shape; ``below``: whole numbers 0 to below - 1."""
    rng = np.random.default_rng(choice)
    if rng.random() < 0.1:
        return ODD[rng.integers(len(ODD))]
    if rng.random() < 0.25:
        shape = wrong_shape(rng, shape)
    values = rng.normal(size=shape) if below is None else rng.integers(0, below, shape)
    if rng.random() < 0.1:
        values = np.asarray(values, np.float64)
        values.reshape(-1)[:1] = [np.nan, np.inf, -np.inf, 1e300][rng.integers(4)]
        return laid_out(rng, values)
    if below is not None and rng.random() < 0.15:
        values.reshape(-1)[:1] = [-1, below, -(2**63), 2**63 - 1][rng.integers(4)]
    kind = UNREAL[rng.integers(len(UNREAL))] if rng.random() < 0.1 else None
    if kind is None:
        usual = ("i8", "i4", "u1", ">i8") if below is not None else ("f4", "f8")
        kind = str(rng.choice(kinds if rng.random() < 0.4 else usual))
    if np.dtype(kind).kind in "iuMV":
        values = np.round(np.abs(values) if kind == "u8" else values).astype(np.int64)
    if kind == "V4":
        values = values.astype("i4").view(kind) if values.size else values.astype("i4")
    with np.errstate(all="ignore"):
        return laid_out(rng, values.astype(kind))


def row_lengths(choice, B, T):
    """Something for ``lengths``; None half of the time."""
    return None if choice % 2 else array_like(choice, (B,), below=T + 1)
