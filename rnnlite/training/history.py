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
    """

    stopped_by = "end"

    def add(self, **record):
        """Append a record: a value for each column.

        Parameters
        ----------
        **record
            The same names each time.

        Raises
        ------
        ValueError
            If the columns are others than those of the first record.

        Examples
        --------
        >>> history = History()
        >>> history.add(epoch=1, loss=0.7)
        >>> history
        {'epoch': [1], 'loss': [0.7]}
        """
        if self and set(record) != set(self):
            raise ValueError(f"History.add: record has {sorted(record)}; wanted {sorted(self)}")
        for name, value in record.items():
            self.setdefault(name, []).append(value)

    def last(self):
        """The last record.

        Returns
        -------
        dict
            Of one value a column; empty if there is none.
        """
        return {name: column[-1] for name, column in self.items() if column}

    def best(self, column):
        """Position of the best record: the lowest value, or the highest of an accuracy.

        Parameters
        ----------
        column : str

        Returns
        -------
        int

        Raises
        ------
        KeyError
            If there is no such column.
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
        """As JSON.

        Parameters
        ----------
        path : str or os.PathLike, optional
            File to write, whole or not at all.

        Returns
        -------
        str

        Examples
        --------
        >>> History({"epoch": [1], "loss": [0.7]}).to_json()
        '{"epoch": [1], "loss": [0.7]}'
        """
        return _written(json.dumps(self), path)

    def to_csv(self, path=None):
        """As comma-separated values: a line of names, then a line a record.

        Parameters
        ----------
        path : str or os.PathLike, optional
            File to write, whole or not at all.

        Returns
        -------
        str

        Examples
        --------
        >>> History({"epoch": [1], "loss": [0.7]}).to_csv().splitlines()
        ['epoch,loss', '1,0.7']
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self)
        writer.writerows(zip(*self.values(), strict=True))
        return _written(text.getvalue(), path)

    def plot(self, path=None):
        """Draw loss and accuracy against the step; needs matplotlib.

        Parameters
        ----------
        path : str or os.PathLike, optional
            Picture file to write; its ending says which kind.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If there is no record yet.
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
