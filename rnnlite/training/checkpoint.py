"""Checkpoints: all that the rest of a training run depends on, in one file."""

import dataclasses
import math
import os
import time
from pathlib import Path

import numpy as np

from rnnlite.saving import CorruptFile, architecture, container, models, previous_path
from rnnlite.saving.atomic import real_path
from rnnlite.training.counters import Counters, RunningTotals
from rnnlite.training.history import History
from rnnlite.training.objective import name_of

SECONDS_BETWEEN = 30.0


class Checkpoint:
    """Keeps a run in a file."""

    def __init__(self, where, path, every, resume):
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"{where}: checkpoint is {path!r}; wanted the path of a file")
        if not Path(path).name or "\0" in str(path):
            raise ValueError(f"{where}: checkpoint is {str(path)!r}; wanted the path of a file")
        self.where, self.path, self.every, self.resume = where, real_path(path), every, resume
        self._saved_at = time.monotonic()
        self._began_with = None  # settings of the optimizer, before anything changed them

    def start(self, run):
        """Load the run if it is to be resumed; never let a new one write over an old one."""
        self._began_with = _optimizer_settings(run.optimizer)
        found = next((p for p in (self.path, previous_path(self.path)) if p.exists()), None)
        if found is None:
            return
        if not self.resume and _has_steps(found):
            got = f"checkpoint {found} exists and would be lost"
            hint = "give resume=True to go on from it, or another path"
            raise FileExistsError(f"{self.where}: {got}; {hint}")
        if self.resume:
            self._began_with = load(run, found, self.where)

    def is_due(self, run):
        """Whether to save in the middle of an epoch."""
        if self.every is not None:
            return run.step % self.every == 0
        return time.monotonic() - self._saved_at > SECONDS_BETWEEN

    def save(self, run):
        """Write the file, whole or not at all; the one before it stays beside it."""
        header, arrays = _state(run)
        header["began_with"] = self._began_with
        container.write(self.path, "checkpoint", header, arrays, keep_previous=True)
        self._saved_at = time.monotonic()


def _state(run):
    """Header and arrays of a run."""
    optimizer, arrays = _divided(run.optimizer)
    arrays = models.model_arrays(run.model) | arrays
    extra = {"raw_weights": run.raw_weights, "averaged": run.averaged}
    header = {
        "model": models.model_header(run.model),
        "optimizer": optimizer,
        "settings": _settings(run),
        "counters": dataclasses.asdict(run.counters),
        "totals": dataclasses.asdict(run.totals),
        "history": dict(run.history),
        "stopped_by": run.history.stopped_by,
        "finished": run.finished,
        # Ctrl-C is for the process; any other reason must end the run after a crash, too.
        "reason": None if run.finished or run.reason == "interrupt" else run.reason,
        "callbacks": [callback.state_dict() for callback in run.settings.callbacks],
    }
    stopping = run.settings.early_stopping
    if stopping is not None:
        header["early_stopping"] = {"best": stopping.best, "waited": stopping.waited}
        extra["best"] = stopping.best_params
    arrays |= {f"run/{name}": array for name, array in extra.items() if array is not None}
    return header, arrays


def load(run, path, where):
    """Put a run where the file says it was; on an error it is as it was before."""
    header, arrays = _read(path)
    try:
        _check_same_run(where, path, header, run)
        counters = _numbers(Counters, header["counters"])
        totals = _numbers(RunningTotals, header["totals"])
        history = History(header["history"])
        history.stopped_by, reason = header["stopped_by"], header["reason"]
        finished, began_with = header["finished"], dict(header["began_with"])
        if not isinstance(reason, str | None) or type(finished) is not bool:
            raise TypeError(f"reason = {reason!r}, finished = {finished!r}")
        if not all(map(list.__len__, history.values())) or len({*map(len, history.values())}) > 1:
            raise TypeError("history")
        names = ("raw_weights", "averaged", "best")
        extra = {name: _weights(path, name, arrays, run.model) for name in names}
        if (extra["averaged"] is None) != (run.settings.average is None):
            raise KeyError("run/averaged")
        states, stopping = header["callbacks"], header.get("early_stopping")
        if run.settings.early_stopping is not None:
            stopping = stopping["best"], stopping["waited"]
            if not isinstance(stopping[0], float | int | None) or type(stopping[1]) is not int:
                raise TypeError(f"early_stopping = {stopping!r}")
        prefix = "optimizer/"
        moments = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        optimizer = header["optimizer"] | moments
        saved, given = len(states), len(run.settings.callbacks)
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptFile(f"{path} is not a whole checkpoint: {error!r}") from error
    if saved != given:
        hint = f"this one has {given}"
        raise ValueError(f"{where}: {path} is of a run with {saved} callbacks; {hint}")
    before = run.optimizer.state_dict()
    run.optimizer.load_state_dict(optimizer)
    try:
        for callback, state in zip(run.settings.callbacks, states, strict=True):
            callback.load_state_dict(state)
        models.load_model(header, arrays, into=run.model)
    except BaseException:  # a callback may raise anything
        run.optimizer.load_state_dict(before)
        raise
    run.counters, run.totals, run.history = counters, totals, history
    run.raw_weights, run.averaged = extra["raw_weights"], extra["averaged"]
    run.finished, run.reason = finished, reason
    if run.settings.early_stopping is not None:
        run.settings.early_stopping.best, run.settings.early_stopping.waited = stopping
        run.settings.early_stopping.best_params = extra["best"]
    return began_with


# What keys were called in files of before.
FORMER = {"position": "counters", "sums": "totals", "run/live": "run/raw_weights"}


def _read(path):
    _, *parts = container.read(path, ("checkpoint",))
    return [{FORMER.get(k, k): v for k, v in part.items()} for part in parts]


def _numbers(kind, values):
    """Counters or RunningTotals of what a file says."""
    result = kind(**values)
    for field in dataclasses.fields(kind):
        value = getattr(result, field.name)
        if type(value) not in (int, field.type) or not 0 <= value < math.inf:
            raise TypeError(f"{field.name} = {value!r}")
    return result


def _has_steps(path):
    """Whether there is something to lose: a run that failed at its first step left nothing."""
    header, _ = _read(path)
    try:
        return _numbers(Counters, header["counters"]).step > 0
    except (KeyError, TypeError) as error:
        raise CorruptFile(f"{path} is not a whole checkpoint: {error!r}") from error


def _settings(run):
    """What two runs must have in common for one to go on from the other's checkpoint."""
    source, validation = run.source, run.validation
    data = {"rows": source.rows}
    if source.rows is not None:
        data |= {name: getattr(source, name) for name in ("batch_size", "shuffle", "seed")}
        data["augment"] = name_of(source.augment)
    return data | {
        "loss": name_of(run.settings.loss),
        "optimizer": type(run.optimizer).__name__,
        "schedule": name_of(run.settings.schedule),
        "clip_norm": run.settings.clip_norm,
        "average": run.settings.average,
        "early_stopping": name_of(run.settings.early_stopping),
        "record_every": run.settings.record_every,
        # Last: where an option differs, too, that is what to say.
        "data": source.fingerprint(),
        "validation": None if validation is None else validation.fingerprint(),
    }


def _divided(optimizer):
    """What an optimizer was told, and what it has gathered: as a header and as arrays of a file."""
    state = optimizer.state_dict().items()
    arrays = {f"optimizer/{k}": v for k, v in state if isinstance(v, np.ndarray)}
    return {k: v for k, v in state if not isinstance(v, np.ndarray)}, arrays


def _optimizer_settings(optimizer):
    """What an optimizer was told, without what it has gathered."""
    return {name: value for name, value in _divided(optimizer)[0].items() if name != "t"}


def _check_same_run(where, path, header, run):
    """A resumed run is the same run: only its length may be another."""
    model = architecture.describe(run.model)
    difference = architecture.difference(header["model"]["architecture"], model)
    if difference is not None:
        raise ValueError(f"{where}: checkpoint {path} is of another model: {difference}")
    saved, now = header["settings"], _settings(run)
    pairs = [(saved, now)]
    if saved.get("optimizer") == now["optimizer"]:
        # An optimizer may begin as the run began, or go on from where it was.
        began, later = header["began_with"], header["optimizer"]
        now = _optimizer_settings(run.optimizer)
        if run.settings.schedule is not None:
            now.pop("lr", None)  # each step sets it
        pairs.append(({k: v if later[k] == v else began[k] for k, v in now.items()}, now))
    for saved, now in pairs:
        for name in now | saved:
            if saved.get(name) != now.get(name):
                raise ValueError(
                    f"{where}: checkpoint {path} is of a run with {name} = {saved.get(name)}; this "
                    f"one has {now.get(name)}.  Only epochs and steps may differ; to train its "
                    "weights in another way, take them by rnnlite.load and begin a new run"
                )


def _weights(path, name, arrays, model):
    """An array of all weights, in memory of its own, or None."""
    array = arrays.get(f"run/{name}")
    if array is None:
        return None
    flat = model.flat_params
    if array.shape != flat.shape or array.dtype != flat.dtype:
        got = f"run/{name} is {array.dtype} of shape {array.shape}"
        raise CorruptFile(f"{path}: {got}; wanted {flat.dtype} of shape {flat.shape}")
    return np.array(array)
