"""Reader: what a table's columns mean, what was learned of them, and the way there and back."""

import numpy as np

from rnnlite import checking
from rnnlite.tables.data import TableData
from rnnlite.tables.rows import Rows, narwhals_for

SETTINGS = (
    "features", "group", "time", "target", "label", "per_step", "horizon", "missing", "dtype"
)  # fmt: skip
LEARNED = ("mean", "scale", "y_mean", "y_scale", "classes")


class Reader:
    """Reads long tables: a row for each step of each group, such as a day of a shop.

    ``learn`` looks at the training rows, and only it does: at the mean and deviation of each
    column, and the classes.  ``read`` makes sequences of any rows with the same columns; ``frame``
    makes a table of predictions.  ``to_dict`` is all of it as JSON, for ``rnnlite.save(extra=)``.

    Parameters
    ----------
    features : list of str
        Columns that the network sees: numbers, or True and False.
    group : str or list of str, optional
        Columns that say to which sequence a row belongs; one sequence if not given.
    time : str, optional
        Column by which the rows of a group are ordered: dates, times, numbers.  No two rows of a
        group may have the same.  If not given, rows are in order as they are.
    target : str, optional
        Column of numbers to be predicted, scaled as the features are.
    label : str, optional
        Instead: column of classes to be predicted, of any names.
    per_step : bool, optional
        Whether there is an answer at each step, or one for the group: a label that all its rows
        have in common.  By default True for a target, False for a label.
    horizon : int
        Predict the target, or the label of a step, that many rows later in the group.
    missing : {"error", "forward"}
        Refuse missing values, or put the value of the row before, in a group's first rows the mean
        of the training rows.  A target is never filled.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    mean, scale : numpy.ndarray (F,) float64
    y_mean, y_scale : float
    classes : list

    Examples
    --------
    >>> import pandas
    >>> days = pandas.DataFrame(
    ...     {"shop": ["a", "b", "a", "a"], "day": [3, 1, 1, 2], "sold": [5.0, 7.0, 1.0, 3.0]}
    ... )
    >>> reader = Reader(["sold"], group="shop", time="day", target="sold", horizon=1).learn(days)
    >>> data = reader.read(days)
    >>> data.x.shape, data.lengths, data.known()[2]
    ((2, 3, 1), array([3, 1]), array([2, 0]))
    >>> reader.frame(data, np.zeros((2, 3, 1)))     # zero is the mean
      shop  day  sold_in_1
    0    a    1        4.0
    1    a    2        4.0
    2    a    3        4.0
    3    b    1        4.0
    """

    def __init__(
        self, features, *, group=None, time=None, target=None, label=None, per_step=None,
        horizon=0, missing="error", dtype="float32",
    ):  # fmt: skip
        where = "Reader"
        self.features = _names(where, "features", features)
        self.group = [] if group is None else _names(where, "group", group, one=True)
        for name, value in (("time", time), ("target", target), ("label", label)):
            if not isinstance(value, str | None):
                raise TypeError(f"{where}: {name} is {value!r:.200}; wanted the name of a column")
        if target is not None and label is not None:
            got = f"target is {target!r} and label is {label!r}"
            raise ValueError(f"{where}: {got}; wanted one of them")
        self.time, self.target, self.label = time, target, label
        default = label is None
        self.per_step = checking.true_or_false(
            where, "per_step", default if per_step is None else per_step
        )
        self.horizon = checking.whole_number(where, "horizon", horizon, 0)
        if not self.per_step and (self.horizon or target is not None):
            got = f"per_step is False, target {target!r} and horizon {self.horizon}"
            raise ValueError(f"{where}: {got}; one answer for a group is a label, without horizon")
        self.missing = checking.one_of(where, "missing", missing, ("error", "forward"))
        self.dtype = checking.float_dtype(where, dtype).name
        self.mean = self.scale = self.y_mean = self.y_scale = self.classes = None

    def learn(self, frame):
        """Learn scale and classes from the training rows.

        Parameters
        ----------
        frame : data frame of pandas, polars, ...

        Returns
        -------
        Reader, this one
        """
        rows = Rows("Reader.learn", frame, self)
        values = rows.numbers(self.features)
        self.mean, self.scale = _moments(values)
        if self.target is not None:
            mean, scale = _moments(rows.numbers([self.target]))
            self.y_mean, self.y_scale = float(mean[0]), float(scale[0])
        if self.label is not None:
            self.classes = rows.classes(self.label)
        return self

    def read(self, frame):
        """The groups of a table as sequences, in the order of their names.

        Parameters
        ----------
        frame : data frame of pandas, polars, ...
            With the columns of ``learn``; target and label may be missing.

        Returns
        -------
        TableData
        """
        where = "Reader.read"
        self._check_learned(where)
        rows = Rows(where, frame, self)
        values = rows.filled(self.features, self.mean, self.missing)
        x = np.zeros((len(rows.lengths), rows.lengths.max(), len(self.features)), self.dtype)
        x[rows.is_step] = (values - self.mean) / self.scale
        return TableData(x, rows.lengths, self._answers(where, rows), rows.keys())

    def scaled(self, values):
        """Features as the network takes them, for a single step or more.

        Parameters
        ----------
        values : array_like (..., F)
            In the order of ``features``; NaN becomes the mean.

        Returns
        -------
        numpy.ndarray (..., F)
        """
        where = "Reader.scaled"
        self._check_learned(where)
        values = checking.real_array(where, "values", values).astype(np.float64)
        if values.ndim == 0 or values.shape[-1] != len(self.features):
            wanted = f"(..., {len(self.features)}): {', '.join(self.features)}"
            raise ValueError(f"{where}: values has shape {values.shape}; wanted {wanted}")
        return np.nan_to_num((values - self.mean) / self.scale).astype(self.dtype)

    def restore(self, y):
        """Predicted targets in the units of the table.

        Parameters
        ----------
        y : array_like

        Returns
        -------
        numpy.ndarray float64, in the shape of y
        """
        self._check_learned("Reader.restore")
        if self.target is None:
            raise ValueError("Reader.restore: there is no target, whose units these would be")
        return np.asarray(y, np.float64) * self.y_scale + self.y_mean

    def frame(self, data, predictions):
        """Predictions as a table with the keys of the rows that were read.

        Parameters
        ----------
        data : TableData
        predictions : array_like
            Scaled targets (n, T) or (n, T, 1); class numbers or probabilities (n,) or (n, C), at
            each step (n, T) or (n, T, C).

        Returns
        -------
        data frame of the kind that was read: the columns ``group`` and ``time``, and the target's
        or the label's name with ``_predicted``, or with a horizon ``_in_3``; of probabilities a
        column for each class.
        """
        where = "Reader.frame"
        self._check_learned(where)
        nw = narwhals_for(where)
        values, keys = checking.real_array(where, "predictions", predictions), data.keys
        keys = nw.from_native(keys, eager_only=True)
        n, T = data.x.shape[:2]
        wanted = (n, T) if self.per_step else (n,)
        if values.shape[: len(wanted)] != wanted or values.ndim > len(wanted) + 1:
            got = f"predictions has shape {values.shape}"
            raise ValueError(f"{where}: {got}; wanted {wanted}, with an axis more for classes")
        if self.per_step:
            values = values[np.arange(T) < data.lengths[:, None]]
        else:
            last_rows = (np.cumsum(data.lengths) - 1).tolist()
            keys = nw.maybe_reset_index(keys[last_rows].select(self.group))
        name = self.target if self.label is None else self.label
        name = f"{name}_in_{self.horizon}" if self.horizon else f"{name}_predicted"
        if self.target is not None:
            columns = {name: self.restore(values.reshape(len(values)))}
        elif values.ndim == 1:
            numbers = values.astype(np.int64)
            if (numbers != values).any() or not np.isin(numbers, range(len(self.classes))).all():
                got = f"predictions runs from {values.min()} to {values.max()}"
                wanted = f"class numbers, 0 to {len(self.classes) - 1}, or an axis of probabilities"
                raise ValueError(f"{where}: {got}; wanted {wanted}")
            columns = {name: [self.classes[number] for number in numbers]}
        elif values.shape[1] == len(self.classes):
            columns = {f"{name}_{c}": values[:, k] for k, c in enumerate(self.classes)}
        else:
            got = f"predictions has {values.shape[1]} columns"
            raise ValueError(f"{where}: {got}; the classes are {self.classes}")
        backend = nw.get_native_namespace(keys)
        if not keys.columns:  # one sequence in the order of its rows
            columns = {k: list(v) for k, v in columns.items()}
            return nw.from_dict(columns, backend=backend).to_native()
        columns = {k: nw.new_series(k, list(v), backend=backend) for k, v in columns.items()}
        return keys.with_columns(**columns).to_native()

    def to_dict(self):
        """All that this reader was told and has learned, as JSON holds it.

        Returns
        -------
        dict
        """
        self._check_learned("Reader.to_dict")
        found = {name: getattr(self, name) for name in (*SETTINGS, *LEARNED)}
        return found | {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, found):
        """The reader of which this is ``to_dict``.

        Parameters
        ----------
        found : dict

        Returns
        -------
        Reader
        """
        where = "Reader.from_dict"
        if not isinstance(found, dict) or set(found) != {*SETTINGS, *LEARNED}:
            raise ValueError(f"{where}: found is {found!r:.200}; wanted what to_dict returns")
        settings = {name: found[name] for name in SETTINGS}
        reader = cls(settings.pop("features"), **settings | {"group": found["group"] or None})
        shape, names = (len(reader.features),), "(features,)"
        for name in ("mean", "scale"):
            value = checking.shaped(where, name, found[name], shape, names, np.float64)
            setattr(reader, name, value)
        reader.y_mean, reader.y_scale = found["y_mean"], found["y_scale"]
        reader.classes = found["classes"]
        return reader

    def _check_learned(self, where):
        if self.mean is None:
            raise ValueError(f"{where}: nothing has been learned; call learn(training_rows) first")

    def _answers(self, where, rows):
        """y: targets or classes of the steps, or of the groups; None if the table has none."""
        name = self.target if self.label is None else self.label
        if name is None or name not in rows.frame.columns:
            return None
        if self.label is None:
            values = (rows.numbers([name])[:, 0] - self.y_mean) / self.y_scale
        else:
            values = self._class_numbers(where, rows.column(name))
        if not self.per_step:
            first = values[rows.starts]
            if (values != np.repeat(first, rows.lengths)).any():
                row = (values != np.repeat(first, rows.lengths)).argmax()
                got = f"{name!r} changes within the group of row {row}, ordered by group and time"
                raise ValueError(f"{where}: {got}; per_step=True is for one at each step")
            return first.astype(np.int64)
        unknown, dtype = (np.nan, self.dtype) if self.label is None else (-1, np.int64)
        y = np.full(rows.is_step.shape, unknown, dtype)
        y[rows.is_step] = values
        if self.horizon:
            y[:, : -self.horizon] = y[:, self.horizon :].copy()
            y[:, -self.horizon :] = unknown
        return y

    def _class_numbers(self, where, values):
        numbers = {name: number for number, name in enumerate(self.classes)}
        found = [numbers.get(value, -1) for value in values.tolist()]
        if -1 in found:
            got = f"column {self.label!r} holds {values[found.index(-1)]!r}"
            raise ValueError(f"{where}: {got}; the classes that were learned are {self.classes}")
        return np.array(found)


def _moments(values):
    """Mean and deviation of each column without its gaps; a constant one has deviation 1."""
    counts = (~np.isnan(values)).sum(axis=0)
    filled = np.nan_to_num(values)
    mean = filled.sum(axis=0) / np.maximum(counts, 1)
    squares = np.where(np.isnan(values), 0.0, values - mean) ** 2
    scale = np.sqrt(squares.sum(axis=0) / np.maximum(counts, 1))
    return mean, np.where(scale > 1e-12 * np.abs(mean), scale, 1.0)


def _names(where, argument, value, one=False):
    """Names of columns as a list."""
    if one and isinstance(value, str):
        return [value]
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(f"{where}: {argument} is {value!r:.200}; wanted a list of names of columns")
    names = list(value)
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{where}: {argument} is {names!r:.200}; wanted a list of names of columns")
    return names
