"""TableData: the groups of a table as sequences."""

from typing import Any, NamedTuple

import numpy as np


class TableData(NamedTuple):
    """The groups of a table as sequences, from ``Reader.read``.

    Attributes
    ----------
    x : numpy.ndarray (n, T, F)
        Scaled; zeros behind the end of each group.
    lengths : numpy.ndarray of int64 (n,)
        Rows of each group.
    y : numpy.ndarray (n,) or (n, T), or None
        Class numbers, or scaled targets; -1, or NaN, where they are not known (yet).  None where
        the table has no such column.
    keys : frame
        Group and time of each row in order, one row for each valid step.

    Examples
    --------
    >>> data = TableData(np.zeros((1, 2, 1)), np.array([2]), np.array([[0.5, np.nan]]), None)
    >>> data.known()[2]     # the target of the last step is not known yet
    array([1])
    """

    x: np.ndarray
    lengths: np.ndarray
    y: Any
    keys: Any

    def known(self):
        """x, y and lengths of the steps whose y is known: what ``fit`` and ``evaluate`` take.

        Returns
        -------
        x : numpy.ndarray (n, T, F)
        y : numpy.ndarray (n,) or (n, T)
        lengths : numpy.ndarray of int64 (n,)
        """
        if self.y is None:
            raise ValueError("TableData.known: the table has no column with what is to be known")
        if self.y.ndim == 1:
            return self.x, self.y, self.lengths
        is_known = self.y >= 0 if self.y.dtype.kind == "i" else ~np.isnan(self.y)
        steps = np.arange(self.y.shape[1])
        lengths = np.where(is_known, steps + 1, 0).max(axis=1)
        gaps = ~is_known & (steps < lengths[:, None])
        if gaps.any():
            group, step = np.argwhere(gaps)[0]
            hint = "leave out such rows, or fill them first"
            raise ValueError(f"TableData.known: group {group} lacks y at step {step}; {hint}")
        return self.x, np.where(is_known, self.y, self.y.dtype.type(0)), lengths
