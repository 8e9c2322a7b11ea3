"""States as people hand them in: one array, or a tuple if a cell carries several."""

from rnnlite import checking


def split(where, name, value, parts):
    """A state argument, or None, as a tuple with one entry for each of ``parts``."""
    if value is None:
        return (None,) * len(parts)
    if len(parts) == 1:
        return (value,)
    several = isinstance(value, (tuple, list))
    if not several or len(value) != len(parts):
        got = f"{len(value)} of them" if several else f"one of type {type(value).__name__}"
        raise ValueError(f"{where}: {name} must be a tuple ({', '.join(parts)}); got {got}")
    return tuple(value)


def checked(where, name, value, parts, shape, dtype):
    """A state argument as a list of arrays (batch, hidden), None for one that was not given."""
    return [
        None
        if state is None
        else checking.shaped(where, f"{name} ({part})", state, shape, "(batch, hidden)", dtype)
        for part, state in zip(parts, split(where, name, value, parts), strict=True)
    ]


def join(arrays):
    """The other way round: a tuple, or the one array there is."""
    return tuple(arrays) if len(arrays) > 1 else arrays[0]
