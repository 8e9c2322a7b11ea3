"""Sequences of different length as one array, with zeros behind the shorter ones."""

import numpy as np

from rnnlite import checking


def pad(sequences, length=None, value=0, dtype=None):
    """Put sequences of different length into one array, and say how long each is.

    Parameters
    ----------
    sequences : list of array_like (T_i, ...)
        All of the same shape but for the first axis; T_i may be 0.
    length : int, optional
        Steps of the result, at least the longest T_i; that, and at least 1, if not given.
    value : number
        What stands behind the shorter ones.  No layer and no loss looks at it.
    dtype : data type, optional
        Of the result: float64 if a sequence is, else float32; whole numbers stay int64.

    Returns
    -------
    x : numpy.ndarray (n, T, ...)
    lengths : numpy.ndarray of int64 (n,)

    Examples
    --------
    >>> x, lengths = pad([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]])
    >>> x.shape, x[0].tolist(), lengths
    ((2, 2, 2), [[1.0, 2.0], [0.0, 0.0]], array([1, 2]))
    >>> pad([[7, 8, 9], [7]])[0]
    array([[7, 8, 9],
           [7, 0, 0]])
    """
    return _padded("pad", "sequences", sequences, length, value, dtype)


def are_ragged(sequences):
    """Whether this is a list of sequences that are not all of one length."""
    if not isinstance(sequences, list | tuple):
        return False
    sizes = {len(s) if hasattr(s, "__len__") and np.ndim(s[:0]) else None for s in sequences}
    return len(sizes) > 1 and None not in sizes


def as_array(where, name, sequences, lengths):
    """A list of sequences of different length as an array and its lengths; others as they are."""
    if isinstance(sequences, np.ndarray) and sequences.dtype.kind == "O" and sequences.ndim == 1:
        sequences = list(sequences)  # NumPy's way to hold such a list
    if not are_ragged(sequences):
        return sequences, lengths
    if lengths is not None:
        raise ValueError(
            f"{where}: {name} is a list of sequences of different length, and lengths was given; "
            "wanted one of the two"
        )
    return _padded(where, name, sequences, None, 0, None)


def until_nan(where, x):
    """x (n, T, F) with zeros for the NaN behind each row's end, and lengths (n,), or None.

    NaN at any other place is a missing value, and refused.
    """
    nan = np.isnan(x)
    if not nan.any():
        return x, None
    T, has_values = x.shape[1], ~nan.all(axis=2)
    lengths = np.where(has_values.any(axis=1), T - has_values[:, ::-1].argmax(axis=1), 0)
    if not lengths.all():
        row = (lengths == 0).argmax()
        raise ValueError(f"{where}: Input X contains NaN alone in row {row}; wanted steps, too")
    gaps = nan.any(axis=2) & (np.arange(T) < lengths[:, None])
    if gaps.any():
        row, step = np.argwhere(gaps)[0]
        hint = "it may stand behind the end of a sequence only; fill gaps first"
        raise ValueError(f"{where}: Input X contains NaN, in row {row} at step {step}: {hint}")
    return np.where(nan, x.dtype.type(0), x), lengths


def _padded(where, name, sequences, length, value, dtype):
    arrays = [
        checking.real_array(where, f"{name}[{n}]", s)
        for n, s in enumerate(checking.sequence(where, name, sequences, "a list of sequences"))
    ]
    if not arrays:
        raise ValueError(f"{where}: {name} is empty; wanted at least one sequence")
    filled = [array for array in arrays if array.size] or arrays
    shape = filled[0].shape[1:]
    for n, array in enumerate(arrays):
        if array.ndim == 0 or (array.shape[1:] != shape and array.shape != (0,)):
            raise ValueError(
                f"{where}: {name}[{n}] has shape {array.shape}; wanted (steps"
                f"{''.join(f', {size}' for size in shape)}), as the others"
            )
    lengths = np.array([len(array) for array in arrays], np.int64)
    T = max(int(lengths.max()), 1)
    if length is not None:
        T = checking.whole_number(where, "length", length)
        if T < lengths.max():
            raise ValueError(
                f"{where}: length is {T}; {name}[{lengths.argmax()}] has {lengths.max()} steps"
            )
    if dtype is None:
        whole = all(array.dtype.kind in "iu" for array in filled)
        dtype = np.int64 if whole else checking.common_float(*filled)
    x = np.full((len(arrays), T, *shape), value, dtype)
    for row, array in zip(x, arrays, strict=True):
        if array.size:
            row[: len(array)] = array
    return x, lengths
