"""States as people hand them in: one array, or a tuple if a cell carries several."""

from rnnlite import checking


def split(where, name, value, parts):
    """A state argument as a tuple with one entry for each of ``parts``, the names of the states.

    Parameters
    ----------
    where, name : str
        For the error's sentence.
    value : one array, a tuple of them, or None
    parts : tuple of str

    Returns
    -------
    tuple
        All None if the argument is.

    Raises
    ------
    ValueError
        If there are several states and ``value`` is no tuple of as many.
    """
    if value is None:
        return (None,) * len(parts)
    if len(parts) == 1:
        return (value,)
    if not isinstance(value, (tuple, list)) or len(value) != len(parts):
        several = isinstance(value, (tuple, list))
        got = f"{len(value)} of them" if several else f"one of type {type(value).__name__}"
        raise ValueError(f"{where}: {name} must be a tuple ({', '.join(parts)}); got {got}")
    return tuple(value)


def checked(where, name, value, parts, shape, dtype):
    """A state argument as arrays (batch, hidden).

    Parameters
    ----------
    where, name, value, parts
        As in ``split``.
    shape : tuple of int
    dtype : numpy.dtype

    Returns
    -------
    list of numpy.ndarray or None
        None for a state that was not given.

    Raises
    ------
    ValueError, TypeError
        For a wrong shape, or an array that does not hold real numbers.
    """
    return [
        None
        if state is None
        else checking.shaped(where, f"{name} ({part})", state, shape, "(batch, hidden)", dtype)
        for part, state in zip(parts, split(where, name, value, parts), strict=True)
    ]


def join(arrays):
    """The other way round: a tuple, or the one array there is.

    Parameters
    ----------
    arrays : sequence of numpy.ndarray

    Returns
    -------
    tuple or numpy.ndarray
    """
    return tuple(arrays) if len(arrays) > 1 else arrays[0]
