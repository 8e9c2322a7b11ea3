"""What a gradient check found, number by number and as a table."""

from typing import NamedTuple

import numpy as np


class ArrayReport(NamedTuple):
    """The check of one array.

    Attributes
    ----------
    name, shape : str, tuple of int
    checked : int
        How many of its numbers were checked.
    relative_error : float
        Largest difference between backward and the estimate, divided by the largest of all
        values on either side.
    worst : tuple of int
        Index of that difference.
    analytic, numeric : float
        Both values there: what backward says, and the estimate.

    Examples
    --------
    >>> from rnnlite.gradcheck import check
    >>> from rnnlite.layers import Dense
    >>> report = check(Dense(2, 1, seed=0), [[1.0, 2.0]])
    >>> report.arrays[1].name, report.arrays[1].shape, report.arrays[1].checked
    ('b', (1,), 1)
    """

    name: str
    shape: tuple
    checked: int
    relative_error: float
    worst: tuple
    analytic: float
    numeric: float


class Report(NamedTuple):
    """Result of a gradient check; ``print`` it for a table.

    Attributes
    ----------
    arrays : tuple of ArrayReport
        For every parameter, the input, and the initial state.
    tolerance : float
    notes : tuple of str
        What is not checked: products rounded to bfloat16.  If it failed, what is known of the
        mistake: the time step at which the gradient of x
        first goes wrong, the equation of the cell, the mistakes that would have given these
        numbers.
    mistakes : tuple of Mistake
        Those of the catalogue (``rnnlite/mistakes``) that ``notes`` tells.

    Examples
    --------
    >>> from rnnlite.gradcheck import check
    >>> from rnnlite.layers import Dense
    >>> report = check(Dense(2, 1, seed=0), [[1.0, 2.0]])
    >>> report.passed, report.max_relative_error < 1e-8, report.notes
    (True, True, ())
    """

    arrays: tuple
    tolerance: float
    notes: tuple = ()
    mistakes: tuple = ()

    @property
    def max_relative_error(self):
        """Largest relative error of all arrays."""
        # np.max, unlike max, lets a NaN through.
        return float(np.max([array.relative_error for array in self.arrays]))

    @property
    def passed(self):
        """Whether every relative error is within the tolerance (a NaN is not)."""
        return bool(self.max_relative_error <= self.tolerance)

    def __str__(self):
        rows = [("array", "shape", "checked", "relative error", "worst at", "backward", "estimate")]
        for a in self.arrays:
            mark = "" if a.relative_error <= self.tolerance else "  <-- wrong"
            rows.append((
                a.name, str(a.shape), str(a.checked), f"{a.relative_error:.2e}",
                str(a.worst), f"{a.analytic:+.9e}", f"{a.numeric:+.9e}{mark}",
            ))  # fmt: skip
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        verdict = "passed" if self.passed else "FAILED"
        error = f"{self.max_relative_error:.2e}, allowed {self.tolerance:.0e}"
        lines.append(f"gradient check {verdict}: largest relative error {error}")
        return "\n".join([*lines, *self.notes])
