"""The layout of sktime and aeon, (n, channels, T)."""

import numpy as np

from rnnlite import checking, padding


def channels_last(X):
    """Sequences in the layout of sktime and aeon as rnnlite takes them.

    Parameters
    ----------
    X : array_like (n, channels, T), or list of n arrays (channels, T_i)
        NaN may stand behind the end of a sequence that is shorter.

    Returns
    -------
    x : numpy.ndarray (n, T, channels)
    lengths : numpy.ndarray of int64 (n,), or None where all sequences are of one length

    Examples
    --------
    >>> x, lengths = channels_last([np.zeros((2, 5)), np.ones((2, 3))])
    >>> x.shape, lengths
    ((2, 5, 2), array([5, 3]))
    """
    where = "channels_last"
    if isinstance(X, list | tuple) or np.asarray(X).dtype.kind == "O":
        arrays = [checking.real_array(where, f"X[{n}]", sequence) for n, sequence in enumerate(X)]
        for n, array in enumerate(arrays):
            if array.ndim != 2:
                wanted = "(channels, steps)"
                raise ValueError(f"{where}: X[{n}] has shape {array.shape}; wanted {wanted}")
        x, lengths = padding.pad([array.T for array in arrays])
        return x, None if (lengths == lengths[0]).all() else lengths
    X = checking.dimensions(where, "X", X, 3, "(rows, channels, steps)")
    return padding.until_nan(where, np.ascontiguousarray(X.swapaxes(1, 2)))
