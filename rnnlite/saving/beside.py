"""What a file may hold beside a model: a person's JSON, and what an optimizer has gathered.

In the header "extra", as it was given, and "optimizer": {"class": "Adam", "settings": {...}}; its
moments are arrays as "optimizer/m.0.Wx".  A model without them has neither key.
"""

import math
import reprlib

from rnnlite.optim import SGD, Adam
from rnnlite.saving.header import DEEPEST, LARGEST, CorruptFile, json_size

PREFIX = "optimizer/"
OPTIMIZERS = {"Adam": Adam, "SGD": SGD}
MOST_BITS = 1024  # of a whole number: Python writes and reads longer ones slowly, or not at all


def extra_header(extra):
    """A person's JSON as a part of a header; TypeError or ValueError for what JSON cannot hold."""
    if extra is None:
        return {}
    _check("save: extra", extra, DEEPEST - 1)
    if (size := json_size(extra)) > LARGEST // 2:
        problem = f"extra takes {size:,} bytes as JSON; wanted at most {LARGEST // 2:,}"
        raise ValueError(f"save: {problem} (a file of its own is the place for more)")
    return {"extra": extra}


def _check(place, value, depth):
    """That JSON holds ``value``, and gives it back (a tuple as a list)."""
    kind = type(value).__name__
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}; JSON has no such number, None may stand for it")
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ValueError(f"{place} is a number of {value.bit_length():,} bits; wanted {MOST_BITS}")
    if isinstance(value, int | float):
        return
    if not isinstance(value, dict | list | tuple):
        hint = "; its tolist() gives them" if hasattr(value, "tolist") else ""
        wanted = "dicts, lists, text, numbers, True, False and None"
        raise TypeError(f"{place} is of type {kind}; JSON holds {wanted}{hint}")
    if depth == 0:
        raise ValueError(f"{place}: there are more than {DEEPEST} lists and dicts in one another")
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict) and not isinstance(key, str):
            raise TypeError(f"{place} has the key {reprlib.repr(key)}; the keys of JSON are text")
        _check(f"{place}[{reprlib.repr(key)}]", part, depth - 1)


def optimizer_parts(model, optimizer):
    """An optimizer as a part of a header, and as arrays."""
    if optimizer is None:
        return {}, {}
    name = type(optimizer).__name__
    if OPTIMIZERS.get(name) is not type(optimizer):
        raise TypeError(f"save: optimizer is {optimizer!r}; a file holds one of rnnlite's own")
    if optimizer.model is not model:
        raise ValueError(f"save: optimizer is of another model; wanted {name}(model), trained")
    moments, settings = {}, {}
    for key, value in optimizer.state_dict().items():
        (moments if hasattr(value, "shape") else settings)[key] = value
    arrays = {f"{PREFIX}{key}": array for key, array in moments.items()}
    return {"optimizer": {"class": name, "settings": settings}}, arrays


def optimizer_of(model, header, arrays):
    """The optimizer of a model in what ``container.read`` returned, or None."""
    if "optimizer" not in header:
        return None
    part = header["optimizer"]
    whole = isinstance(part, dict) and set(part) == {"class", "settings"}
    if not whole or not isinstance(part["settings"], dict):
        raise CorruptFile(f"optimizer is {reprlib.repr(part)}; wanted class and settings")
    name = part["class"]
    if not isinstance(name, str) or name not in OPTIMIZERS:
        known = " or ".join(map(repr, OPTIMIZERS))
        raise CorruptFile(f"the optimizer is of class {reprlib.repr(name)}; wanted {known}")
    moments = {k.removeprefix(PREFIX): a for k, a in arrays.items() if k.startswith(PREFIX)}
    for key, array in moments.items():
        if array.dtype != model.dtype:
            raise CorruptFile(f"{PREFIX}{key} is {array.dtype} in the file; wanted {model.dtype}")
    kinds = {key.partition(".")[0] for key in moments}
    if name == "Adam":
        optimizer = Adam(model, amsgrad="highest" in kinds)
    else:
        optimizer = SGD(model, lr=0.1, momentum=0.9 if kinds else 0.0)
    try:
        optimizer.load_state_dict(part["settings"] | moments)
    except (TypeError, ValueError) as error:
        raise CorruptFile(f"its optimizer does not fit: {error}") from None
    return optimizer


def check_nothing_else(header, arrays, prefix):
    """That the file of a model holds nothing that no ``save`` wrote."""
    if "extra" in header:
        try:
            _check("extra", header["extra"], DEEPEST - 1)
        except ValueError as error:
            raise CorruptFile(str(error)) from None
    for key in header if "model" in header else ():
        if key not in ("model", "extra", "optimizer"):
            raise CorruptFile(f"its header has the key {reprlib.repr(key)}, which no model has")
    known = (prefix, PREFIX) if "optimizer" in header else (prefix,)
    for name in arrays:
        if not name.startswith(known):
            raise CorruptFile(f"it has the array {reprlib.repr(name)}, which is none of a model")
