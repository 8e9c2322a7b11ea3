"""A cell that tells what it computes: the plain engine runs it, and a list takes every call."""

import contextlib
import contextvars
import functools

import numpy as np

# Calls of equations, (name, arguments, result), in the order in which they are made.
_CALLS = contextvars.ContextVar("calls of equations", default=None)

__frozen__ = True  # what a recording cell computes is its cell's, which is frozen (freeze.py)

EQUATIONS = ("step", "step_backward", "intermediate_backward")


@functools.cache
def recording(cell):
    """The cell with equations that add themselves to the list of ``recorded``."""

    def told(name):
        equation = getattr(cell, name)

        def tells(*arguments):
            result = equation(*arguments)
            calls = _CALLS.get()
            if calls is not None:
                calls.append((name, arguments, result))
            return result

        return equation and tells

    return cell._replace(compiled=False, **{name: told(name) for name in EQUATIONS})


@contextlib.contextmanager
def recorded():
    """A block; what it yields is the list of all calls of equations that are made in it."""
    calls = []
    token = _CALLS.set(calls)
    try:
        yield calls
    finally:
        _CALLS.reset(token)


def steps(calls, name, T, whole_rows):
    """The calls of one equation as T pairs of (arguments, result) whose arrays are (B, H)."""
    found = [(arguments, result) for called, arguments, result in calls if called == name]
    if not whole_rows:
        return found
    B = len(found) // T
    return [_stacked(found[t * B : (t + 1) * B]) for t in range(T)]


def _stacked(rows):
    if isinstance(rows[0], tuple | list):
        return tuple(_stacked(parts) for parts in zip(*rows, strict=True))
    return np.stack(rows)
