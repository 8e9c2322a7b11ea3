"""MLflow: the settings and the figures of a run, to be compared with those of others."""

import time

from rnnlite.needed import needed
from rnnlite.training import Callback


class MLflow(Callback):
    """Log a run with MLflow: settings when it begins, figures at each record.

    Within ``with mlflow.start_run():`` it logs into that run, and MLflow marks the run as failed
    if training fails.  Otherwise it makes a run of its own, and finishes it.  A run that is resumed
    from a checkpoint goes on in the same one.

    Parameters
    ----------
    experiment : str, optional
        Name of the experiment for a run of its own, made if it is new; "Default" if not given.
    tracking_uri : str, optional
        Where MLflow keeps runs; what ``mlflow.set_tracking_uri`` or MLFLOW_TRACKING_URI say if not
        given.
    params : dict, optional
        Settings of yours to log, too.

    Attributes
    ----------
    run_id : str
        Of MLflow's run, once training has begun.

    Examples
    --------
    >>> log = MLflow(experiment="forecasts", params={"window": 24})
    >>> log.run_id is None    # until fit(..., callbacks=[log])
    True
    """

    everywhere = False

    def __init__(self, experiment=None, *, tracking_uri=None, params=None):
        self._mlflow = needed("MLflow", "mlflow", package="mlflow-skinny")
        if params is not None and not isinstance(params, dict):
            raise TypeError(f"MLflow: params is {params!r:.200}; wanted a dict of names and values")
        self.experiment, self.tracking_uri, self.params = experiment, tracking_uri, params or {}
        self.run_id, self._is_own = None, True

    def begin(self, run):
        """Find or make the run, and log the settings; see ``Callback``."""
        self._client = self._mlflow.MlflowClient(self.tracking_uri)
        active = self._mlflow.active_run()
        if self.run_id is None:
            self._is_own = active is None
            self.run_id = self._new_run() if active is None else active.info.run_id
            for name, value in self._settings(run).items():
                self._client.log_param(self.run_id, name, value)

    def record(self, run):
        """Log the figures at the step; see ``Callback``."""
        kind, now = self._mlflow.entities.Metric, int(time.time() * 1000)
        last = run.history.last()
        metrics = [kind(k, float(v), now, run.step) for k, v in last.items() if k != "step"]
        self._client.log_batch(self.run_id, metrics=metrics)

    def end(self, run):
        """Finish a run of its own; see ``Callback``."""
        self._client.set_tag(self.run_id, "stopped_by", run.history.stopped_by)
        if self._is_own:
            self._client.set_terminated(self.run_id)

    def state_dict(self):
        """Which of MLflow's runs this is; see ``Callback``."""
        return {"run_id": self.run_id, "is_own": self._is_own}

    def load_state_dict(self, state):
        """Go on in the same run; see ``Callback``."""
        self.run_id, self._is_own = state["run_id"], state["is_own"]

    def _new_run(self):
        name = self.experiment or "Default"
        found = self._client.get_experiment_by_name(name)
        number = self._client.create_experiment(name) if found is None else found.experiment_id
        return self._client.create_run(number).info.run_id

    def _settings(self, run):
        optimizer, settings = run.optimizer, run.settings
        found = {
            "model": repr(run.model)[:500],
            "parameters": run.model.num_params(),
            "optimizer": type(optimizer).__name__,
            "lr": optimizer.lr,
            "epochs": settings.epochs,
            "steps": settings.steps,
            "batch_size": getattr(run.source, "batch_size", None),
            "clip_norm": settings.clip_norm,
        }
        return {k: v for k, v in (found | self.params).items() if v is not None}
