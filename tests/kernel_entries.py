"""Functions of the machine room, to be called from Python over whole arrays."""

import numba

from rnnlite.kernels.jit import OPTIONS

# A guard value: a sum of the small whole numbers below never equals it, and arithmetic on it
# would not either.
GUARD = 123456.0
entry = numba.njit(**OPTIONS)  # called from Python, and not kept on disk
# Guard values behind an array: a mistake of a whole tile still falls on them, not on memory
# that belongs to somebody else.
ROOM = 256
