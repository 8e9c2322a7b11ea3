"""OptunaPruning: end a trial early that will not be the best of its study."""

from rnnlite.needed import needed
from rnnlite.training import Callback


class OptunaPruning(Callback):
    """Report a figure to an Optuna trial at each record, and end the trial if Optuna says so.

    Then ``fit`` raises ``optuna.TrialPruned``, which a study expects of its objective.  Records are
    counted from 0, as Optuna counts the steps of a trial.

    Parameters
    ----------
    trial : optuna.trial.Trial
    monitor : str
        Column of the history.

    Examples
    --------
    >>> import optuna, rnnlite
    >>> def objective(trial):
    ...     model = rnnlite.Dense(2, 2, seed=0)
    ...     optimizer = rnnlite.Adam(model, lr=trial.suggest_float("lr", 1e-4, 1.0, log=True))
    ...     history = rnnlite.fit(
    ...         model, [[0, 1], [1, 0]], [0, 1], optimizer=optimizer, epochs=30,
    ...         callbacks=[OptunaPruning(trial, "loss")], progress=False,
    ...     )
    ...     return history["loss"][-1]
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    >>> study.optimize(objective, n_trials=5)
    >>> bool(study.best_value < 0.7)
    True
    """

    everywhere = False

    def __init__(self, trial, monitor="val_loss"):
        self._optuna = needed("OptunaPruning", "optuna")
        if not hasattr(trial, "report") or not hasattr(trial, "should_prune"):
            raise TypeError(f"OptunaPruning: trial is {trial!r:.200}; wanted a trial of Optuna")
        if not isinstance(monitor, str):
            got = f"monitor is {monitor!r:.200}"
            raise TypeError(f"OptunaPruning: {got}; wanted the name of a column of the history")
        self.trial, self.monitor = trial, monitor

    def record(self, run):
        """Report the figure; raise TrialPruned if the trial is to end; see ``Callback``."""
        record, number = run.history.last(), len(run.history["step"]) - 1
        if self.monitor not in record:
            hint = "; give validation=(x, y)" if self.monitor.startswith("val_") else ""
            known = f"the history has {', '.join(record)}{hint}"
            raise ValueError(f"OptunaPruning: monitor is {self.monitor!r}; {known}")
        self.trial.report(record[self.monitor], number)
        if self.trial.should_prune():
            value = f"{self.monitor} {record[self.monitor]:.4g}"
            raise self._optuna.TrialPruned(f"pruned after record {number}, counted from 0: {value}")
