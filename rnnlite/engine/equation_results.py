"""What a cell's equations return: as many values as were promised, of the right shape.

Neither engine looks: a kernel stores a row as long as it comes, past the end of its memory too, and
to NumPy an array (B, H) is as good as B values.
"""

import numpy as np

from rnnlite import checking
from rnnlite.kernels.freeze import EQUATIONS, arrays_in


def checked(cell, function, result, shape):
    """The result of an equation, with its lists as tuples; its values must fit ``shape``."""
    where = f"{cell.name}: {function}"
    kinds = tuple if cell.compiled else (tuple, list)
    if function == "intermediate":
        return _value(where, "a", result, shape)
    parts = {"dz": cell.z_names, "dbefore": cell.states}
    if function == "step":
        parts = {"new_state": cell.states, "saved": cell.saved}
    elif function == "step_backward" and cell.unit_params:
        parts["dp"] = cell.unit_params
    result = _tuple(where, "the result", result, parts, kinds)
    return tuple(
        tuple(
            _value(where, f"{part}[{n}] ({name})", value, shape)
            for n, (name, value) in enumerate(
                zip(names, _tuple(where, part, values, names, kinds), strict=True)
            )
        )
        for (part, names), values in zip(parts.items(), result, strict=True)
    )


def try_out(cell):
    """Call the equations of a cell with a few numbers, for several sizes; check what they return.

    An equation may be meant for one size alone, that of an array it uses, and raise at others.
    """
    arrays = arrays_in([getattr(cell, name) for name in EQUATIONS])
    sizes = sorted({3, 8, *(n for array in arrays for n in array.shape if 0 < n < 10_000)})
    for name in EQUATIONS:
        if getattr(cell, name) is None:
            continue
        errors = [_try(cell, name, size) for size in sizes]
        if all(errors):
            raise ValueError(
                f"{cell.name}: {name} raises {errors[0]!r} for arrays of {sizes[0]} numbers; "
                f"compiled=False lets it run as plain NumPy in a debugger"
            ) from errors[0]


def _try(cell, name, size):
    """The error that an equation raises for values of this size, or None if it answers right."""
    shape = (size,) if cell.whole_rows else (2, size)

    def numbers(names):
        return tuple(np.full(shape, 0.5) for _ in names)

    state, z, saved = numbers(cell.states), numbers(cell.projections), numbers(cell.saved)
    arguments = {
        "step": (z, state),
        "step_backward": (state, saved, state, state),
        "intermediate": (z, state),
        "intermediate_backward": (z[0], z, state, saved, state),
    }[name]
    if cell.unit_params:
        arguments += (numbers(cell.unit_params),)
    try:
        with np.errstate(all="ignore"):
            result = getattr(cell, name)(*arguments)
    except Exception as error:  # the caller raises it
        return error
    checked(cell, name, result, shape)
    return None


def _tuple(where, name, value, names, kinds):
    if not isinstance(value, kinds) or len(value) != len(names):
        wanted = f"wanted a tuple of {len(names)}: {', '.join(names)}"
        raise TypeError(f"{where}: {name} is {_described(value)}; {wanted}")
    return value


def _value(where, name, value, shape):
    if not isinstance(value, np.ndarray):
        hint = " (zero_like makes one of zeros)" if np.isscalar(value) else ""
        raise TypeError(f"{where}: {name} is {_described(value)}; wanted an array{hint}")
    if value.shape != shape:  # (hidden,) would fit every row
        raise ValueError(f"{where}: {name} has shape {value.shape}; wanted {shape}")
    return checking.real_array(where, name, value)


def _described(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return repr(value)
