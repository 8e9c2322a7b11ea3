"""Time series cut into windows: from the last values, forecast the next ones."""

import itertools
import math
import os
from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.datasets.csv_table import read_table
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
        Their names, or places in the file.
    target : int
        Place in ``columns`` of the one that is forecast.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> data = datasets.time_series(np.arange(100.0), window=12)
    >>> data.train.x.shape, data.validation.x.shape, data.test.x.shape
    ((58, 12, 1), (15, 12, 1), (15, 12, 1))
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
        """Forecasts in the units of the series.

        Parameters
        ----------
        y : array_like
            Normalised, as the network sees and says them.

        Returns
        -------
        numpy.ndarray
            float64, in the shape of ``y``: y * std + mean of the target column.

        Raises
        ------
        TypeError
            ``y`` does not hold numbers.
        """
        y = checking.real_array("TimeSeries.restore", "y", y)
        return y.astype(np.float64) * self.std[self.target] + self.mean[self.target]


def time_series(
    source,
    *,
    window,
    horizon=1,
    columns=None,
    target=None,
    split=(0.7, 0.15, 0.15),
    missing="error",
    delimiter=None,
    header=None,
    decimal=".",
):
    """Windows of a time series, from a CSV file or an array, for forecasting.

    The rows are divided in order of time.  A window belongs to the part in which
    all values to be forecast lie; its inputs may reach back into the part before,
    for when they are needed the past is known.  Nothing else crosses: mean and
    standard deviation are those of the training rows, and no row that is
    forecast in one part is forecast in another.

    What is hard about it depends on the series.  Two forecasts cost nothing and are
    hard to beat: the last value, ``x[:, -1, target]``, and where there is a season of
    s rows, the value s rows before.  Solved means to be clearly better than both
    on the test part.

    Parameters
    ----------
    source : str, os.PathLike or array_like (rows,) or (rows, columns)
        A CSV file in UTF-8, or the values.
    window, horizon : int
        Rows that are seen, and rows after them that are forecast.
    columns : sequence of str or int, optional
        Columns that are seen: names of the header, or places from 0.  If not given,
        every column whose first value is a number: dates are left out.
    target : str or int, optional
        The column of these that is forecast; the last one if not given.
    split : tuple of three float
        Shares of the rows for training, validation and test; together 1.
    missing : {"error", "forward"}
        What to do about an empty cell, NA, NaN, null, none or ?: refuse it, or
        put the value of the row before.
    delimiter, header, decimal : optional
        Of a file; see ``rnnlite.datasets.csv_table.read_table``: delimiter and header are
        found out, the decimals stand behind a point.

    Returns
    -------
    TimeSeries
        ``.train``, ``.validation`` and ``.test``, each with ``x`` (n, window,
        columns) and ``y`` (n, horizon), read-only views of one float32 array of
        the whole series; ``.restore(y)`` undoes the normalisation.

    Raises
    ------
    DataNotFound
        There is no such file.
    ValueError
        A value is missing or not a number (the message names line and column), a
        column does not exist, or a part is too short.
    TypeError
        For an argument of another kind.

    Examples
    --------
    >>> t = np.arange(200)
    >>> data = time_series(np.sin(t / 5), window=20, horizon=3)
    >>> x, y = data.train
    >>> x.shape, y.shape
    ((118, 20, 1), (118, 3))
    >>> bool(abs(data.restore(y[0]) - np.sin(t[20:23] / 5)).max() < 1e-6)
    True
    """
    where = "time_series"
    window = checking.whole_number(where, "window", window)
    horizon = checking.whole_number(where, "horizon", horizon)
    missing = checking.one_of(where, "missing", missing, ("error", "forward"))
    checking.one_of(where, "decimal", decimal, (".", ","))
    if header is not None:
        checking.true_or_false(where, "header", header)
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise TypeError(f"{where}: delimiter is {delimiter!r}; wanted a single character or None")
    columns = _column_list(where, columns)
    if isinstance(source, str | os.PathLike):
        table = read_table(where, source, columns, delimiter, header, decimal)
        names, values = table.names, table.values

        def place(row):
            return f"{source}, line {table.lines[row]}"

    else:
        names, values = _from_array(where, source, columns)

        def place(row):
            return f"row {row}"

    _fill_gaps(where, values, names, place, missing)
    target = _target(where, names, target)
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


def _column_list(where, columns):
    """``columns`` as a list of str and int, or None."""
    if columns is None:
        return None
    if isinstance(columns, str) or not hasattr(columns, "__iter__"):
        raise TypeError(f"{where}: columns is {columns!r}; wanted a list of names or places")
    columns = [
        column if isinstance(column, str) else checking.whole_number(where, "columns", column, 0)
        for column in columns
    ]
    if not columns:
        raise ValueError(f"{where}: columns is empty; wanted at least one name or place")
    return columns


def _from_array(where, source, columns):
    """Names and float64 values (rows, columns) of an array; a copy."""
    source = checking.real_array(where, "source", source)
    if source.ndim not in (1, 2) or 0 in source.shape:
        raise ValueError(
            f"{where}: source has shape {source.shape}; wanted (rows,) or (rows, columns)"
        )
    values = source.reshape(len(source), -1).astype(np.float64)
    names = tuple(range(values.shape[1])) if columns is None else tuple(columns)
    for name in names:
        if name not in range(values.shape[1]):
            raise ValueError(
                f"{where}: columns names {name!r}; an array of shape {source.shape} has places"
                f" 0..{values.shape[1] - 1}"
            )
    return names, values[:, names]


def _fill_gaps(where, values, names, place, missing):
    """Put the value of the row before where one is missing, or refuse; in place."""
    for column, name in zip(values.T, names, strict=True):
        wrong = np.isinf(column)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"{where}: {place(row)}, column {name!r} is {column[row]}")
        gaps = np.isnan(column)
        if not gaps.any():
            continue
        row = int(gaps.argmax())
        if missing == "error":
            raise ValueError(
                f"{where}: {place(row)}, column {name!r} has no value; missing='forward' puts"
                " the one before"
            )
        if row == 0:
            raise ValueError(
                f"{where}: {place(row)}, column {name!r} has no value, and there is none before it"
            )
        latest = np.maximum.accumulate(np.where(gaps, 0, np.arange(len(column))))
        column[...] = column[latest]


def _target(where, names, target):
    """Place of the target among the columns."""
    if target is None:
        return len(names) - 1
    if isinstance(target, str):
        if target not in names:
            raise ValueError(
                f"{where}: target is {target!r}; the columns are {', '.join(map(repr, names))}"
            )
        return names.index(target)
    target = checking.whole_number(where, "target", target, 0)
    if target >= len(names):
        raise ValueError(f"{where}: target is {target}; there are {len(names)} columns, from 0")
    return target


def _ends(where, split, rows, window, horizon):
    """Where the parts begin and end: four rows, of which the first is 0 and the last ``rows``."""
    try:
        shares = [checking.real_number(where, "split", share, 0.0, 1.0) for share in split]
    except TypeError:
        shares = ()
    if len(shares) != 3 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        raise ValueError(
            f"{where}: split is {split!r}; wanted three shares (training, validation, test) that"
            " sum to 1"
        )
    ends = [0, round(shares[0] * rows), round((shares[0] + shares[1]) * rows), rows]
    for part, share, start, end in zip(PARTS, shares, ends[:-1], ends[1:], strict=True):
        least = window + horizon if part == "training" else horizon
        if end - start < least and (share > 0 or part == "training"):
            raise ValueError(
                f"{where}: the {part} part has {end - start} of {rows} rows; window {window} and"
                f" horizon {horizon} need {least} there"
            )
    return ends
