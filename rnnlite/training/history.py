"""History: the figures of a training run, as plain lists."""

import csv
import io
import json
import math

from rnnlite import checking
from rnnlite.saving.atomic import replace_file

# What a run may record; accuracy only for answers that are right or wrong.
COLUMNS = (
    "epoch", "step", "loss", "accuracy", "grad_norm", "lr", "val_loss", "val_accuracy", "seconds"
)  # fmt: skip


class History(dict):
    """What was measured during training: a dict of lists, one entry a record.

    Columns: ``epoch`` (begun so far, from 1), ``step`` (taken so far), ``loss``, ``accuracy`` (if
    there are right answers) and ``grad_norm``, means since the record before; ``lr``; ``val_loss``
    and ``val_accuracy`` with validation data; ``seconds`` of training so far.

    Attributes
    ----------
    stopped_by : str
        Why training ended: "end", "early stopping", "interrupt", or what a callback said.
    in_epochs : bool
        Whether ``fit`` was told how many epochs to train, and not how many steps.

    Examples
    --------
    >>> history = History({"epoch": [1, 2], "loss": [0.7, 0.4]})
    >>> history["loss"][-1], history.best("loss")
    (0.4, 1)
    >>> history.to_json(), history.to_csv().splitlines()[1]
    ('{"epoch": [1, 2], "loss": [0.7, 0.4]}', '1,0.7')
    """

    stopped_by = "end"
    in_epochs = False

    def add(self, **record):
        """Append a record, a value for each column, the same names each time; see ``History``."""
        if self and set(record) != set(self):
            raise ValueError(f"History.add: record has {sorted(record)}; wanted {sorted(self)}")
        for name, value in record.items():
            self.setdefault(name, []).append(value)

    def last(self):
        """The last record: a dict of one value a column; see ``History``."""
        return {name: column[-1] for name, column in self.items() if column}

    def best(self, column):
        """Position of the lowest of a ``column``, of an accuracy the highest; see ``History``."""
        best = max if column.endswith("accuracy") else min
        return self[column].index(best(self[column]))

    def __str__(self):
        if not self:
            return "no record yet"
        rows = [self, *zip(*self.values(), strict=True)]
        widths = [max(7, len(name)) for name in self]
        cells = (zip(map(figure_text, row), widths, strict=True) for row in rows)
        return "\n".join("  ".join(f"{text:>{width}}" for text, width in row) for row in cells)

    def to_json(self, path=None):
        """As JSON text, written to the file ``path`` too, whole or not at all; see ``History``.

        A NaN or an infinity, for which JSON has no word, becomes null.
        """
        columns = {name: list(map(_or_null, column)) for name, column in self.items()}
        return _written("History.to_json", json.dumps(columns, allow_nan=False), path)

    def to_csv(self, path=None):
        """As comma-separated values, a line a record; as in ``History.to_json``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self)
        writer.writerows(zip(*self.values(), strict=True))
        return _written("History.to_csv", text.getvalue(), path)

    def plot(self, path=None):
        """Draw loss and accuracy with matplotlib, and return the figure.

        They stand against epochs if these were given and each has one record, else against steps;
        a ring marks the best value.  The figure is saved as the picture file ``path`` if that is
        given; see ``History``.
        """
        if not self:
            raise ValueError("History.plot: there is no record yet")
        from rnnlite.training.plots import plot_history

        return plot_history(self, path)


def figure_text(value):
    """A figure in few characters: four decimals, or three digits of what is smaller than 0.001."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if value and abs(value) < 1e-3 else f"{value:.4f}"


def _or_null(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _written(where, text, path):
    if path is not None:
        replace_file(checking.file_name(where, "path", path), text.encode())
    return text
