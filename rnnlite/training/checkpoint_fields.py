"""The fields of a checkpoint: each has its type, its range, and its place among the others.

A file that is whole may still say what no run can have written.  Every function here returns what
a part of it says, or raises ``TypeError`` or ``ValueError`` with the name of the field.
"""

import dataclasses
import math

from rnnlite import checking
from rnnlite.optim.optimizer import LIMITS
from rnnlite.training.counters import Counters, RunningTotals
from rnnlite.training.history import COLUMNS, History

MOST = 2**53  # of anything that is counted
LARGEST = 1e300

# Columns, also after "val_", of numbers that are not between 0 and LARGEST.
RANGES = {"loss": (-LARGEST, LARGEST), "accuracy": (0.0, 1.0), "lr": LIMITS["lr"][:2]}

MAY_BE_NAN = ("accuracy", "val_loss", "val_accuracy")  # or infinite


def named(where, name, values, names):
    """``values``, if it is a dict with exactly these names."""
    if not isinstance(values, dict) or set(values) != set(names):
        raise ValueError(f"{where}: {name} is {values!r:.200}; wanted a dict of {', '.join(names)}")
    return values


def _dataclass(where, name, kind, values):
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    named(where, name, values, fields)
    result = {}
    for field, of in fields.items():
        place, value = f"{name}.{field}", values[field]
        if of is int:
            result[field] = checking.whole_number(where, place, value, 0, MOST)
        else:
            low = -LARGEST if field == "loss" else 0.0
            result[field] = _float(where, place, value, low, LARGEST)
    return kind(**result)


def counters(where, values, source):
    """Where the run was, which its batches must be able to reach."""
    at = _dataclass(where, "counters", Counters, values)
    if source.batches is None:
        checking.whole_number(where, "counters.epoch", at.epoch, 0, at.step)
        checking.whole_number(where, "counters.batch", at.batch, 0, at.step)
        checking.whole_number(where, "counters.sequences", at.sequences, at.step)
        return at
    checking.whole_number(where, "counters.batch", at.batch, 0, source.batches - 1)
    after = f"after {at.epoch} epochs of {source.batches} batches and {at.batch} more"
    _same(where, "counters.step", at.step, at.epoch * source.batches + at.batch, after)
    rows = at.epoch * source.rows + at.batch * source.batch_size
    _same(where, "counters.sequences", at.sequences, rows, after)
    return at


def totals(where, values, steps):
    """The sums over so many steps since the last record."""
    result = _dataclass(where, "totals", RunningTotals, values)
    _same(where, "totals.steps", result.steps, steps, "since the last record of history")
    if steps == 0 and result != RunningTotals():
        raise ValueError(f"{where}: totals is {result}; wanted zeros, as there was no step")
    return result


def history(where, values, at, validated):
    """The records until then: columns of equal length, in the order of time."""
    known = [name for name in COLUMNS if validated or not name.startswith("val_")]
    always = [name for name in known if not name.endswith("accuracy")]
    if not isinstance(values, dict) or (values and not set(always) <= set(values) <= set(known)):
        raise ValueError(f"{where}: history is {values!r:.200}; wanted columns {', '.join(always)}")
    records = values.get("step")
    for name, column in {"step": records, **values}.items() if values else ():
        if not isinstance(column, list) or not column or len(column) != len(records):
            wanted = "a list, not empty, as long as the others"
            raise ValueError(f"{where}: history.{name} is {column!r:.200}; wanted {wanted}")
        before = 1  # of what is counted, the lowest that may come next
        for n, value in enumerate(column):
            place = f"history.{name}[{n}]"
            if name in ("epoch", "step"):
                last = at.step if name == "step" else at.epoch + (at.batch > 0)
                before = checking.whole_number(where, place, value, before, last)
                before += name == "step"
            elif not (name in MAY_BE_NAN and isinstance(value, float) and not math.isfinite(value)):
                low, high = RANGES.get(name.removeprefix("val_"), (0.0, LARGEST))
                if name == "seconds":
                    low = values[name][n - 1] if n else 0.0
                (checking.real_number if name == "lr" else _float)(where, place, value, low, high)
    return History(values)


def early_stopping(where, values, column):
    """The best figure so far, one of its ``column`` of the history, and how long ago that was."""
    named(where, "early_stopping", values, ("best", "waited"))
    best, known = values["best"], [value for value in column if not math.isnan(value)]
    if not (best in known if known else best is None) or isinstance(best, bool):
        wanted = "a figure of the history"
        raise ValueError(f"{where}: early_stopping.best is {best!r:.200}; wanted {wanted}")
    waited = values["waited"]
    return best, checking.whole_number(where, "early_stopping.waited", waited, 0, len(column))


def settings(where, values):
    """What the run was told: plain values by name."""
    if not isinstance(values, dict):
        raise TypeError(f"{where}: settings is {values!r:.200}; wanted a dict")
    for name, value in values.items():
        if not isinstance(value, str | bool | int | float | None):
            raise TypeError(f"{where}: settings.{name} is {value!r:.200}; wanted text or a number")
    return values


def _float(where, name, value, low, high):
    """A float, as all these are written; an int of any size is not."""
    if type(value) is not float:
        raise TypeError(f"{where}: {name} is {value!r:.200}; it must be a float")
    return checking.real_number(where, name, value, low, high)


def _same(where, name, value, wanted, when):
    if value != wanted:
        raise ValueError(f"{where}: {name} is {value}; wanted {wanted}, {when}")
