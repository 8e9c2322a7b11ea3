"""Time series cut into windows: from the last values, forecast the next ones."""

import itertools
import math
import os
from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import Sequences

PARTS = ("training", "validation", "test")


class TimeSeries(NamedTuple):
    """A time series in three parts, windowed and normalised.

    Attributes
    ----------
    train, validation, test : Sequences
        ``x`` (n, window, columns) and ``y`` (n, horizon), float32, in order of time.
    mean, std : numpy.ndarray (columns,) float64
        Of the training rows; x and y are (value - mean) / std.
    columns : tuple
        Their names, or places in the array.
    target : int
        Place in ``columns`` of the one that is forecast.

    Examples
    --------
    >>> data = time_series(np.arange(100.0), window=12)
    >>> data.restore(data.test.y[-1]).round(3)
    array([99.])
    """

    train: Sequences
    validation: Sequences
    test: Sequences
    mean: np.ndarray
    std: np.ndarray
    columns: tuple
    target: int

    def restore(self, y):
        """Forecasts in the units of the series, y * std + mean, float64; see ``TimeSeries``."""
        y = checking.real_array("TimeSeries.restore", "y", y)
        return y.astype(np.float64) * self.std[self.target] + self.mean[self.target]


def time_series(
    source, *, window, horizon=1, columns=None, target=None, split=(0.7, 0.15, 0.15),
    missing="error",
):  # fmt: skip
    """Windows of a time series, from an array or a data frame, for forecasting.

    The rows are divided in order of time.  A window belongs to the part in which all values to be
    forecast lie; its inputs may reach back into the part before, for when they are needed the past
    is known.  Nothing else crosses: mean and standard deviation are those of the training rows.

    What is hard about it depends on the series.  Two forecasts cost nothing and are hard to beat:
    the last value, ``x[:, -1, target]``, and where there is a season of s rows, the value s rows
    before.  Solved means to be clearly better than both on the test part.

    Parameters
    ----------
    source : array_like (rows,) or (rows, columns), or a data frame
        The values.  Data frames and series of pandas, polars and others are read through the
        library narwhals (``pip install narwhals``).
    window, horizon : int
        Rows that are seen, and rows after them that are forecast.
    columns : sequence of str or int, optional
        Columns that are seen, by default all: names in a data frame, or places from 0.  Each must
        hold numbers: dates and words are refused.
    target : str or int, optional
        The column of these that is forecast; the last one if not given.
    split : tuple of three float
        Shares of the rows for training, validation and test; together 1.
    missing : {"error", "forward"}
        Refuse NaN and the missing values of a data frame, or put the value of the row before.

    Returns
    -------
    TimeSeries
        ``.train``, ``.validation`` and ``.test``, each with ``x`` (n, window, columns) and
        ``y`` (n, horizon), read-only views of one float32 array; ``.restore(y)`` undoes the
        normalisation.

    Examples
    --------
    >>> data = time_series(np.sin(np.arange(200) / 5), window=20, horizon=3)
    >>> x, y = data.train
    >>> x.shape, y.shape
    ((118, 20, 1), (118, 3))
    """
    where = "time_series"
    window = checking.whole_number(where, "window", window)
    horizon = checking.whole_number(where, "horizon", horizon)
    missing = checking.one_of(where, "missing", missing, ("error", "forward"))
    table = _table(where, source)
    names, places = list(table), range(len(table))
    if columns is not None:
        if isinstance(columns, str):
            raise TypeError(f"{where}: columns is {columns!r}; wanted a list of names or places")
        columns = checking.sequence(where, "columns", columns, "a list of names or places")
        places = [_place(where, "columns", names, column) for column in columns]
    if not places:
        raise ValueError(f"{where}: columns is empty; wanted at least one name or place")
    names = tuple(names[place] for place in places)
    target = len(names) - 1 if target is None else _place(where, "target", names, target)
    values = np.stack([_numbers(where, name, table[name]) for name in names]).T
    _fill_gaps(where, values, names, missing)
    ends = _ends(where, split, len(values), window, horizon)

    known = values[: ends[1]]
    mean, std = known.mean(axis=0), known.std(axis=0)
    constant = (known == known[0]).all(axis=0)  # its std is 0 only as far as sums are exact
    mean[constant], std[constant] = known[0, constant], 1.0  # it becomes zero
    values = ((values - mean) / std).astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view
    x = view(values, window, axis=0).swapaxes(1, 2)  # x[k] begins at row k
    y = view(values[:, target], horizon)
    parts = []
    for start, end in itertools.pairwise(ends):
        first = max(start, window)  # row of the first forecast
        count = max(end - horizon + 1 - first, 0)
        parts.append(Sequences(x[first - window :][:count], y[first:][:count]))
    return TimeSeries(*parts, mean, std, names, target)


def _table(where, source):
    """The columns of an array or a data frame, by their names."""
    if isinstance(source, str | os.PathLike):
        hint = "read the file by pandas.read_csv or numpy.genfromtxt first"
        raise TypeError(f"{where}: source is {source!r}; wanted an array or a data frame: {hint}")
    # Asked of the class, since a property may compute.
    is_frame = hasattr(type(source), "columns") or hasattr(type(source), "to_frame")
    source = _frame(where, source) if is_frame else checking.real_array(where, "source", source)
    if len(source.shape) not in (1, 2) or 0 in source.shape:
        wanted = "(rows,) or (rows, columns)"
        raise ValueError(f"{where}: source has shape {source.shape}; wanted {wanted}")
    if is_frame:
        # By place: a number in brackets would be one even where it is a name.
        return {name: source[:, place] for place, name in enumerate(source.columns)}
    return dict(enumerate(source.reshape(len(source), -1).T))


def _frame(where, source):
    """A data frame, or a single column of one, as narwhals reads it."""
    kind = type(source).__name__
    try:
        import narwhals
    except ImportError:
        hint = f"to read a {kind} the library narwhals is needed: pip install narwhals"
        raise ImportError(f"{where}: {hint}") from None
    try:
        frame = narwhals.from_native(source, eager_only=True, allow_series=True)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{where}: source is a {kind} that cannot be read ({' '.join(str(error).split())});"
            " wanted a data frame in memory, its columns of different names"
        ) from None
    return frame if isinstance(frame, narwhals.DataFrame) else frame.to_frame()


def _numbers(where, name, column):
    """The values of a column, float64; NaN where a data frame has none."""
    if isinstance(column, np.ndarray):
        return column.astype(np.float64)
    import narwhals

    if not column.dtype.is_numeric() and column.dtype != narwhals.Boolean:
        hint = "convert it, or name the columns to be seen without it: columns=[...]"
        raise TypeError(f"{where}: column {name!r} holds {column.dtype}, not numbers; {hint}")
    return column.cast(narwhals.Float64).to_numpy()


def _place(where, argument, names, wanted):
    """The place of a column that somebody named, or told by its place."""
    if isinstance(wanted, str):
        if wanted not in names:
            every = ", ".join(map(repr, names))
            raise ValueError(f"{where}: {argument} names {wanted!r}; the columns are {every}")
        return names.index(wanted)
    place = checking.whole_number(where, argument, wanted, 0)
    if place >= len(names):
        hint = f"there are {len(names)} columns, from 0"
        raise ValueError(f"{where}: {argument} names {place}; {hint}")
    return place


def _fill_gaps(where, values, names, missing):
    """Put the value of the row before where one is missing, or refuse; in place."""
    for column, name in zip(values.T, names, strict=True):
        wrong, gaps = np.isinf(column), np.isnan(column)
        if wrong.any():
            row = wrong.argmax()
            raise ValueError(f"{where}: row {row}, column {name!r} is {column[row]}")
        if gaps.any() and (missing == "error" or gaps[0]):
            row = gaps.argmax()
            hint = "missing='forward' puts the one before" if row > 0 else "none is before it"
            raise ValueError(f"{where}: row {row}, column {name!r} has no value; {hint}")
        latest = np.maximum.accumulate(np.where(gaps, 0, np.arange(len(column))))
        column[...] = column[latest]


def _ends(where, split, rows, window, horizon):
    """Where the parts begin and end: four rows, of which the first is 0 and the last ``rows``."""
    try:
        shares = [checking.real_number(where, "split", share, 0.0, 1.0) for share in split]
    except TypeError:
        shares = ()
    if len(shares) != 3 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        wanted = "three shares (training, validation, test) that sum to 1"
        raise ValueError(f"{where}: split is {split!r}; wanted {wanted}")
    ends = [0, round(shares[0] * rows), round((shares[0] + shares[1]) * rows), rows]
    for part, share, start, end in zip(PARTS, shares, ends[:-1], ends[1:], strict=True):
        least = window + horizon if part == "training" else horizon
        if end - start < least and (share > 0 or part == "training"):
            hint = f"window {window} and horizon {horizon} need {least} there"
            raise ValueError(f"{where}: the {part} part has {end - start} of {rows} rows; {hint}")
    return ends
