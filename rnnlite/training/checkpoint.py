"""Checkpoints: all that the rest of a training run depends on, in one file."""

import dataclasses
import io
import time

import numpy as np

from rnnlite import checking
from rnnlite.optim.optimizer import setting
from rnnlite.saving import CorruptFile, architecture, container, models, previous_path
from rnnlite.saving.atomic import real_path
from rnnlite.training import checkpoint_fields as fields
from rnnlite.training.objective import name_of

SECONDS_BETWEEN = 30.0


class Checkpoint:
    """Keeps a run in a file."""

    def __init__(self, where, path, every, resume):
        path = checking.file_name(where, "checkpoint", path)
        if not path.name:
            raise ValueError(f"{where}: checkpoint is {str(path)!r}; wanted the name of a file")
        self.where, self.path, self.every, self.resume = where, real_path(path), every, resume
        self._saved_at = time.monotonic()
        self._began_with = None  # settings of the optimizer, before anything changed them

    def start(self, run):
        """Load the run if it is to be resumed; never let a new one write over an old one."""
        self._began_with = _optimizer_settings(run.optimizer)
        found = run.team.of_first("whether there is a checkpoint", self._found)
        if found is not None:
            self._began_with = load(run, found, self.where)

    def _found(self):
        """Path of the file to go on from; None if there is none."""
        found = next((p for p in (self.path, previous_path(self.path)) if p.exists()), None)
        if found is None:
            return None
        if not self.resume and _has_steps(found):
            got = f"checkpoint {found} exists and would be lost"
            hint = "give resume=True to go on from it, or another path"
            raise FileExistsError(f"{self.where}: {got}; {hint}")
        return str(found) if self.resume else None

    def is_due(self, run):
        """Whether to save in the middle of an epoch."""
        if self.every is not None:
            return run.step % self.every == 0
        return time.monotonic() - self._saved_at > SECONDS_BETWEEN

    def save(self, run):
        """Write the file, whole or not at all; the one before it stays beside it."""
        if not run.is_first:
            return
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
        "settings": settings_of(run),
        "counters": dataclasses.asdict(run.counters),
        "totals": dataclasses.asdict(run.totals),
        "history": list(run.history),  # names: a header has no room for many numbers
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
    arrays |= {f"history/{name}": np.array(column) for name, column in run.history.items()}
    return header, arrays


def load(run, path, where):
    """Put a run where the file says it was; on an error it is as it was before."""
    header, arrays = _read_for_all(run.team, path)
    prefix, place = "optimizer/", f"{path} is not a whole checkpoint"
    before = run.optimizer.state_dict()
    try:
        fields.named(place, "its header", header, _names(run))
        _check_same_run(where, path, header, run)
        at = fields.counters(place, header["counters"], run.source)
        history = fields.history(place, header["history"], at, run.validation is not None)
        since = at.step - (history["step"][-1] if history else 0)
        totals = fields.totals(place, header["totals"], since)
        finished = checking.true_or_false(place, "finished", header["finished"])
        history.stopped_by, reason = header["stopped_by"], header["reason"]
        if not isinstance(history.stopped_by, str) or not isinstance(reason, str | None):
            got = f"stopped_by is {history.stopped_by!r} and reason {reason!r}"
            raise TypeError(f"{place}: {got:.200}; wanted text")
        states, given = header["callbacks"], len(run.settings.callbacks)
        if not isinstance(states, list) or not all(isinstance(state, dict) for state in states):
            raise TypeError(f"{place}: callbacks is {states!r:.200}; wanted a list of dicts")
        stopping, best = run.settings.early_stopping, None
        if stopping is not None:
            column = history.get(stopping.monitor, [])
            best, waited = fields.early_stopping(place, header["early_stopping"], column)
        extra = _extra_weights(place, arrays, run, finished, best)
        # On a copy first: with what is wrong here, nothing has been taken yet.
        models.load_model(header, arrays, into=run.model.copy())
        moments = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        run.optimizer.load_state_dict(header["optimizer"] | moments)
    except _AnotherRun as error:
        raise ValueError(str(error)) from None
    except (TypeError, ValueError) as error:
        problem = str(error) if place in str(error) else f"{place}: {error}"
        raise CorruptFile(problem) from error
    try:
        if run.is_first and len(states) != given:
            hint = f"this one has {given}"
            raise ValueError(f"{where}: {path} is of a run with {len(states)} callbacks; {hint}")
        for callback, state in zip(run.settings.callbacks, states, strict=run.is_first):
            callback.load_state_dict(state)
        models.load_model(header, arrays, into=run.model)
    except BaseException:  # a callback may raise anything
        run.optimizer.load_state_dict(before)
        raise
    run.counters, run.totals, run.history = at, totals, history
    run.raw_weights, run.averaged = extra["raw_weights"], extra["averaged"]
    run.finished, run.reason = finished, reason
    if stopping is not None:
        stopping.best, stopping.waited, stopping.best_params = best, waited, extra["best"]
    return header["began_with"]


class _AnotherRun(ValueError):
    """The file is whole, and of a run with other settings."""


def _names(run):
    """The fields of a header."""
    always = (
        "model", "optimizer", "settings", "counters", "totals", "history", "stopped_by",
        "finished", "reason", "callbacks", "began_with",
    )  # fmt: skip
    return always if run.settings.early_stopping is None else (*always, "early_stopping")


# What keys were called in files of before.
FORMER = {"position": "counters", "sums": "totals", "run/live": "run/raw_weights"}


def _read(path):
    """Header and arrays, under the names of today."""
    _, *parts = container.read(path, ("checkpoint",))
    header, arrays = ({FORMER.get(k, k): v for k, v in part.items()} for part in parts)
    # The order of rows was drawn from the epoch; the answers were all that counted.
    for part, new, old in ("counters", "taken", "epoch"), ("totals", "answers", "counted"):
        if isinstance(values := header.get(part), dict) and new not in values:
            header[part] = values | {new: values.get(old)}
    if isinstance(names := header.get("history"), list):  # in files of before, the columns
        columns = {str(name): arrays.get(f"history/{name}") for name in names}
        header["history"] = {name: c if c is None else c.tolist() for name, c in columns.items()}
    return header, arrays


def _read_for_all(team, path):
    """What the first process reads; others, on other disks perhaps, are sent it."""
    if team.processes == 1:
        return _read(path)
    content = b"".join(container.dump("checkpoint", *_read(path))) if team.is_first else b""
    content = team.bytes_of_first("the checkpoint", content)
    return container.parse(io.BytesIO(content), ("checkpoint",))[1:]


def _has_steps(path):
    """Whether there is something to lose: a run that failed at its first step left nothing."""
    counters = _read(path)[0].get("counters")
    step = counters.get("step") if isinstance(counters, dict) else None
    if type(step) is not int:
        raise CorruptFile(f"{path} is not a whole checkpoint: counters.step is {step!r:.200}")
    return step > 0


def settings_of(run):
    """What two runs must have in common for one to go on from the other's checkpoint."""
    source, validation = run.source, run.validation
    data = {"rows": source.rows}
    if source.rows is not None:
        data |= {name: getattr(source, name) for name in ("batch_size", "shuffle", "seed")}
        data["augment"] = name_of(source.augment)
    return data | {
        "loss": name_of(run.settings.loss),
        "optimizer": type(run.optimizer).__name__,
        "class_weight": _text(run.settings.class_weight),
        "chunks": run.settings.chunks,
        "validation_split": run.settings.validation_split,
        "schedule": name_of(run.settings.schedule),
        "clip_norm": run.settings.clip_norm,
        "average": run.settings.average,
        "early_stopping": name_of(run.settings.early_stopping),
        "record_every": run.settings.record_every,
        # Last: where an option differs, too, that is what to say.
        "data": source.fingerprint(),
        "validation": None if validation is None else validation.fingerprint(),
    }


def _text(class_weight):
    """Weights of classes as text: numbers as they are, whatever holds them."""
    if isinstance(class_weight, dict):
        return str({int(label): float(value) for label, value in sorted(class_weight.items())})
    return None if class_weight is None else str(np.asarray(class_weight, float).tolist())


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
    model, place = header["model"], f"{path} is not a whole checkpoint"
    fields.named(place, "model", model, ("architecture", "random_states"))
    difference = architecture.difference(model["architecture"], architecture.describe(run.model))
    if difference is not None:
        raise _AnotherRun(f"{where}: checkpoint {path} is of another model: {difference}")
    saved, now = fields.settings(place, header["settings"]), settings_of(run)
    pairs = [(saved, now)]
    if saved.get("optimizer") == now["optimizer"]:
        # An optimizer may begin as the run began, or go on from where it was.
        now = _optimizer_settings(run.optimizer)
        began = fields.named(place, "began_with", header["began_with"], now)
        later = fields.named(place, "optimizer", header["optimizer"], ("t", *now))
        for name in now:
            setting(f"{place}: began_with", name, began[name])
        setting(f"{place}: optimizer", "t", later["t"])
        if run.settings.schedule is not None:
            now.pop("lr", None)  # each step sets it
        pairs.append(({k: v if later[k] == v else began[k] for k, v in now.items()}, now))
    for saved, now in pairs:
        for name in now | saved:
            if saved.get(name) != now.get(name):
                raise _AnotherRun(
                    f"{where}: checkpoint {path} is of a run with {name} = "
                    f"{saved.get(name)!s:.200}; this one has {now.get(name)!s:.200}.  Only epochs "
                    "and steps may differ; to train its weights in another way, take them by "
                    "rnnlite.load and begin a new run"
                )


def _extra_weights(place, arrays, run, finished, best):
    """All weights besides the model's own, in memory of their own or None, by name."""
    stopping, extra, flat = run.settings.early_stopping, {}, run.model.flat_params
    is_averaged = run.settings.average is not None
    has_best = best is not None and stopping.restore_best
    for name, is_there in (
        ("averaged", is_averaged),
        ("best", has_best),
        ("raw_weights", finished and (is_averaged or has_best)),
    ):
        array = arrays.get(f"run/{name}")
        if (array is not None) != is_there:
            got = f"finished is {finished} and run/{name} is {'missing' if is_there else 'there'}"
            raise ValueError(f"{place}: {got}")
        if is_there and (array.shape != flat.shape or array.dtype != flat.dtype):
            got = f"run/{name} is {array.dtype} of shape {array.shape}"
            raise ValueError(f"{place}: {got}; wanted {flat.dtype} of shape {flat.shape}")
        extra[name] = None if array is None else np.array(array)
    return extra
