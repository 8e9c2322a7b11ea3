"""A table in order: which rows are a group's, what numbers they hold, where one is missing."""

import numpy as np

from rnnlite.needed import needed


class Rows:
    """The rows of a table, ordered by group and time, and where each group begins."""

    def __init__(self, where, source, reader):
        nw = narwhals_for(where)
        try:
            frame = nw.from_native(source, eager_only=True)
        except TypeError:
            got = f"frame is of type {type(source).__name__}"
            hint = "; its collect() makes one" if hasattr(source, "collect") else ""
            raise TypeError(f"{where}: {got}; wanted a data frame{hint}") from None
        self.where, self.group, self.time = where, reader.group, reader.time
        by = [*self.group, *([self.time] if self.time is not None else ())]
        for name in (*by, *reader.features):
            if name not in frame.columns:
                every = ", ".join(map(repr, frame.columns))
                in_index = name in getattr(getattr(source, "index", None), "names", ())
                hint = "; it is in the index, and a column of frame.reset_index()"
                hint = hint if in_index else f"; there are {every}"
                raise ValueError(f"{where}: there is no column {name!r}{hint}")
        if not len(frame):
            raise ValueError(f"{where}: the table has no row")
        for name in by:
            missing = frame[name].is_null().to_numpy()
            if frame[name].dtype.is_float():  # where polars has NaN beside null
                missing = missing | np.isnan(frame[name].to_numpy())
            if missing.any():
                row = int(missing.argmax())
                raise ValueError(f"{where}: row {row} has no {name!r}, and belongs nowhere")
        index = "_rnnlite_row"  # keeps the order of rows that nothing else orders
        self.frame = frame.with_row_index(index).sort(*by, index).drop(index)
        is_first = np.zeros(len(frame), bool)
        is_first[0] = True
        for name in self.group:
            values = self.frame[name].to_numpy()
            is_first[1:] |= values[1:] != values[:-1]
        if self.time is not None:
            times = self.frame[self.time].to_numpy()
            twice = ~is_first[1:] & (times[1:] == times[:-1])
            if twice.any():
                row = self.frame.select(by)[int(twice.argmax())].rows()[0]
                raise ValueError(f"{where}: {dict(zip(by, row, strict=True))} stands in two rows")
        self.starts = np.flatnonzero(is_first)
        self.lengths = np.diff(np.append(self.starts, len(frame)))
        self.is_step = np.arange(self.lengths.max()) < self.lengths[:, None]

    def keys(self):
        """The columns of group and time, in the library of the table."""
        nw = narwhals_for(self.where)
        keys = self.frame.select([*self.group, *([self.time] if self.time else ())])
        return nw.maybe_reset_index(keys).to_native()  # pandas numbers rows as they came

    def column(self, name):
        """A column of classes as an array; none may be missing."""
        if name not in self.frame.columns:
            raise ValueError(f"{self.where}: there is no column {name!r}")
        if self.frame[name].is_null().any():
            raise ValueError(f"{self.where}: column {name!r} has missing values, which is no class")
        return self.frame[name].to_numpy()

    def classes(self, name):
        """The classes of a column, in order: of a kind that JSON holds, to be saved."""
        found = set(self.column(name).tolist())
        for kind in (str, bool, int | float):
            if all(isinstance(value, kind) for value in found):
                return sorted(found)
        kinds = ", ".join(sorted({type(value).__name__ for value in found}))
        wanted = "one kind of text, numbers, or True and False"
        raise TypeError(f"{self.where}: column {name!r} holds {kinds}; wanted {wanted}")

    def numbers(self, names):
        """Columns as float64 (rows, columns), NaN where a value is missing."""
        nw, columns = narwhals_for(self.where), []
        for name in names:
            if name not in self.frame.columns:
                raise ValueError(f"{self.where}: there is no column {name!r}")
            column = self.frame[name]
            if not column.dtype.is_numeric() and column.dtype != nw.Boolean:
                hint = "make numbers of it first, such as a column for each of its values"
                got = f"column {name!r} holds {column.dtype}, not numbers"
                raise TypeError(f"{self.where}: {got}; {hint}")
            columns.append(column.cast(nw.Float64).to_numpy())
        values = np.stack(columns, axis=1).astype(np.float64)
        if np.isinf(values).any():
            row, place = np.argwhere(np.isinf(values))[0]
            raise ValueError(f"{self.where}: column {names[place]!r} has {values[row, place]}")
        return values

    def filled(self, names, mean, missing):
        """``numbers`` without gaps."""
        values = self.numbers(names)
        gaps = np.isnan(values)
        if gaps.any() and missing == "error":
            place = gaps.any(axis=0).argmax()
            hint = "missing='forward' puts the one before"
            got = f"{gaps.sum():,} values are missing, first in column {names[place]!r}"
            raise ValueError(f"{self.where}: {got}; {hint}")
        rows = np.arange(len(values))[:, None]
        latest = np.maximum.accumulate(np.where(gaps, -1, rows), axis=0)
        is_known = latest >= np.repeat(self.starts, self.lengths)[:, None]
        before = np.take_along_axis(values, np.maximum(latest, 0), axis=0)
        return np.where(is_known, before, mean)


def narwhals_for(where):
    """The library through which frames of all kinds are read."""
    return needed(where, "narwhals")
