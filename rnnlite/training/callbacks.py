"""Callbacks: what else should happen while a model is trained."""

import math

from rnnlite import checking


class Callback:
    """Base of callbacks; override what you need.

    With several processes (``comm``) it is called in each, and what it does to the model must be
    the same in all; with ``everywhere = False`` in the first alone, as what writes files should be.

    Each method is given the ``Run``: its ``model``, ``optimizer``, ``history``, ``epoch`` and
    ``step`` (so far), ``loss`` (of the last step), and ``stop(reason)``.

    Examples
    --------
    >>> class Patience(Callback):
    ...     def step(self, run):
    ...         if run.loss > 100:
    ...             run.stop("loss above 100")
    """

    everywhere = True

    def begin(self, run):
        """Before the first step; see ``Callback``."""

    def step(self, run):
        """After each step; see ``Callback``."""

    def record(self, run):
        """After each record of the history, ``run.history.last()``; see ``Callback``."""

    def end(self, run):
        """After the last step, also if training is interrupted; see ``Callback``."""

    def state_dict(self):
        """What to save in a checkpoint, a dict as JSON can hold it; see ``Callback``."""
        return {}

    def load_state_dict(self, state):
        """Go on from a dict as in ``state_dict``."""


class Call(Callback):
    """A plain function as a callback: called after each record."""

    def __init__(self, function):
        self.record = function


class EarlyStopping:
    """Stop when a figure has not become better for a while, and go back to the best weights.

    Parameters
    ----------
    patience : int
        Records without a better figure before training stops.
    monitor : str, optional
        Column of the history.  An accuracy is to become higher, anything else lower.
    min_delta : float
        By how much it must be better to count.
    restore_best : bool
        Whether the model has the weights of the best record in the end.

    Examples
    --------
    >>> EarlyStopping(patience=3, monitor="val_accuracy")
    EarlyStopping(patience=3, monitor='val_accuracy')
    """

    def __init__(self, patience, monitor="val_loss", min_delta=0.0, restore_best=True):
        where = "EarlyStopping"
        self.patience = checking.whole_number(where, "patience", patience)
        if not isinstance(monitor, str):
            raise TypeError(f"{where}: monitor is {monitor!r}; wanted the name of a column")
        self.monitor = monitor
        self.min_delta = checking.real_number(where, "min_delta", min_delta, 0.0, 1e30)
        self.restore_best = checking.true_or_false(where, "restore_best", restore_best)
        self.reset()

    def __repr__(self):
        options = "" if self.min_delta == 0.0 else f", min_delta={self.min_delta!r}"
        options += "" if self.restore_best else f", restore_best={self.restore_best!r}"
        return f"EarlyStopping(patience={self.patience}, monitor={self.monitor!r}{options})"

    def reset(self):
        """Forget what was seen: for a new run."""
        self.best, self.waited, self.best_params = None, 0, None

    def seen(self, record, params):
        """Whether to stop after a record, as in ``History.last``, and with its weights."""
        value = record.get(self.monitor)
        if value is None:
            hint = "; give validation=(x, y)" if self.monitor.startswith("val_") else ""
            known = f"the history has {', '.join(record)}{hint}"
            raise ValueError(f"EarlyStopping: monitor is {self.monitor!r}; {known}")
        gain = math.inf if self.best is None else self.best - value
        if self.best is not None and self.monitor.endswith("accuracy"):
            gain = -gain
        if gain > self.min_delta and not math.isnan(value):
            self.best, self.waited = value, 0
            if self.restore_best:
                self.best_params = params.copy()
        else:
            self.waited += 1
        return self.waited >= self.patience
