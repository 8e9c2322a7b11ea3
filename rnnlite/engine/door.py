r"""The door of the kernels: they check no bounds, so what comes in is compared here, once a call.

Whatever a person can change, a layer of their own above all, may hand in another shape than the
one that buffers were made for.  Three arrays take a microsecond, 300 nanoseconds each:

    python -m timeit -s "import numpy as np; from rnnlite.engine.door import compare" \
        -s "x = np.zeros((8, 9), 'f')" "compare('', x.dtype, *[('x', x, (8, 9))] * 3)"
"""

import numpy as np


def compare(where, dtype, *expected):
    """Refuse arrays that are not C-contiguous, of this dtype and shape.

    ``expected`` are tuples of name, array and shape; an array that is None is not there.
    """
    for name, array, shape in expected:
        if array is not None and not (
            type(array) is np.ndarray
            and array.shape == shape
            and array.dtype == dtype
            and array.flags.c_contiguous
        ):
            kind = getattr(array, "dtype", type(array).__name__)
            came = f"{name} is {kind} of shape {np.shape(array)}"
            wanted = f"{dtype} of shape {shape}, C-contiguous"
            raise ValueError(f"{where}: {came}; its kernel takes {wanted}")


def within(where, name, numbers, end):
    """Refuse whole numbers, int64, but those from 0 to ``end`` - 1; the caller's own copy."""
    # As unsigned numbers the negative ones are the largest: one pass.
    if numbers.size and numbers.view(np.uint64).max() >= end:
        came = f"{name} runs from {numbers.min()} to {numbers.max()}"
        raise ValueError(f"{where}: {came}; each must lie in 0..{end - 1}")
