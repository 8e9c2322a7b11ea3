"""History: the figures of a training run, as plain lists."""

import csv
import io
import json

from rnnlite.saving.atomic import replace_file

# What a run may record; accuracy only for answers that are right or wrong.
COLUMNS = (
    "epoch", "step", "loss", "accuracy", "grad_norm", "lr", "val_loss", "val_accuracy", "seconds"
)  # fmt: skip


class History(dict):
    """What was measured during training: a dict of lists, one entry a record.

    Columns: ``epoch`` (begun so far, from 1), ``step`` (taken so far),
    ``loss``, ``accuracy`` (if there are right answers) and ``grad_norm``, means
    since the record before; ``lr``; ``val_loss`` and ``val_accuracy`` with
    validation data; ``seconds`` of training so far.

    Attributes
    ----------
    stopped_by : str
        Why training ended: "end", "early stopping", "interrupt", or what a
        callback said.

    Examples
    --------
    >>> history = History({"epoch": [1, 2], "loss": [0.7, 0.4]})
    >>> history["loss"][-1], history.best("loss")
    (0.4, 1)
    >>> print(history)
    epoch     loss
        1   0.7000
        2   0.4000
    >>> history.to_json(), history.to_csv().splitlines()[1]
    ('{"epoch": [1, 2], "loss": [0.7, 0.4]}', '1,0.7')
    """

    stopped_by = "end"

    def add(self, **record):
        """Append a record: a value for each column, the same names each time.

        Parameters
        ----------
        **record
        """
        if self and set(record) != set(self):
            raise ValueError(f"History.add: record has {sorted(record)}; wanted {sorted(self)}")
        for name, value in record.items():
            self.setdefault(name, []).append(value)

    def last(self):
        """The last record: a dict of one value a column; see ``History``."""
        return {name: column[-1] for name, column in self.items() if column}

    def best(self, column):
        """Position of the best record: the lowest value, or the highest of an accuracy.

        Parameters
        ----------
        column : str

        Returns
        -------
        int
        """
        values = self[column]
        best = max if column.endswith("accuracy") else min
        return values.index(best(values))

    def __str__(self):
        if not self:
            return "no record yet"
        lines = ["  ".join(f"{name:>{max(7, len(name))}}" for name in self)]
        for record in zip(*self.values(), strict=True):
            cells = zip(self, record, strict=True)
            lines.append("  ".join(f"{figure_text(v):>{max(7, len(name))}}" for name, v in cells))
        return "\n".join(lines)

    def to_json(self, path=None):
        """As JSON text, also in a file if a path is given.

        Parameters
        ----------
        path : str or os.PathLike, optional
            Written whole or not at all.

        Returns
        -------
        str
        """
        return _written(json.dumps(self), path)

    def to_csv(self, path=None):
        """As comma-separated values, a line a record; as in ``History.to_json``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self)
        writer.writerows(zip(*self.values(), strict=True))
        return _written(text.getvalue(), path)

    def plot(self, path=None):
        """Draw loss and accuracy against the step (needs matplotlib); return the figure.

        Parameters
        ----------
        path : str or os.PathLike, optional
            Picture file to write; its ending says which kind.

        Returns
        -------
        matplotlib.figure.Figure
        """
        if not self:
            raise ValueError("History.plot: there is no record yet")
        from rnnlite.training.plots import plot_history

        return plot_history(self, path)


def figure_text(value):
    """A figure in few characters: four decimals, or three digits of what is smaller.

    Examples
    --------
    >>> figure_text(0.51234), figure_text(3.2e-8), figure_text(7)
    ('0.5123', '3.2e-08', '7')
    """
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if value and abs(value) < 1e-3 else f"{value:.4f}"


def _written(text, path):
    if path is not None:
        replace_file(path, text.encode())
    return text
