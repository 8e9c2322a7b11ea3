"""What a call of a compiled kernel costs before it computes anything, by the kind of its arguments.

    python benchmarks/dispatch.py

The time loop takes 15 arguments, of which 12 are arrays with their own axes.  Before, it took 33:
flat arrays and all sizes as numbers.  A NamedTuple of the arrays would read better still.
"""

import timeit
from typing import NamedTuple

import numba
import numpy as np

FLAT = [np.zeros(64, np.float32) for _ in range(16)]
CUBES = [np.zeros((4, 4, 4), np.float32) for _ in range(12)]
Arrays = NamedTuple("Arrays", [(f"a{n}", np.ndarray) for n in range(12)])


def microseconds(*arguments):
    """The shortest time of a call of a kernel that does nothing with these arguments."""
    names = ", ".join(f"a{n}" for n in range(len(arguments)))
    space = {}
    exec(f"def kernel({names}):\n    return 0", space)
    kernel = numba.njit(nogil=True)(space["kernel"])
    kernel(*arguments)
    return min(timeit.repeat(lambda: kernel(*arguments), number=50_000, repeat=9)) / 50_000 * 1e6


if __name__ == "__main__":
    for what, arguments in {
        "16 flat arrays, 17 numbers": (*FLAT, *range(17)),
        "12 arrays with 3 axes, 3 numbers": (*CUBES, *range(3)),
        "a tuple of 12 arrays, 3 numbers": (tuple(CUBES), *range(3)),
        "a NamedTuple of 12 arrays, 3 numbers": (Arrays(*CUBES), *range(3)),
    }.items():
        print(f"{what:38}{microseconds(*arguments):6.2f} us")
