"""What a model is besides its weights, as plain data that JSON holds.

    {"class": "Sequential", "options": {"layers": [
        {"class": "LSTM", "options": {"input_size": 28, "hidden_size": 128, ...}},
        {"class": "Mine", "options": {"size": 10, "inner": {"class": ...}}}]}}

An option may be None, True, False, a number, text, a dtype, a cell (``cells_in_files.py``), a
layer, a list of them, or a dict of layers by name.  A description may come from anywhere: it can
name the library's layers and those that the caller gives; their constructors check every option.
"""

import reprlib

import numpy as np

from rnnlite import checking, layers
from rnnlite.cells import Cell
from rnnlite.layers import Layer
from rnnlite.saving import cells_in_files

# By the name that a description has for them.
CLASSES = {name: getattr(layers, name) for name in layers.__all__ if name != "Layer"}

# Options that files of earlier versions do not have, and what a layer without them is.
LATER = {"Dense": {"activation": None}, "Embedding": {"padding_idx": None}}
for _name in ("Dense", "Recurrent", "LSTM", "GRU", "RNN"):
    LATER[_name] = LATER.get(_name, {}) | {"compute_dtype": None}


def describe(model):
    """All that says what a layer or a model computes, but for its numbers."""
    if not isinstance(model, Layer):
        problem = "which is not a layer or a model of rnnlite: no file can hold it"
        raise TypeError(f"model is of type {type(model).__name__}, {problem}")
    name = type(model).__name__
    if is_own(type(model)) and name in CLASSES:
        problem = "has the name of a layer of rnnlite, which a file would mean by it"
        raise TypeError(f"class {name} of {type(model).__module__} {problem}; give it another name")
    options = model.options().items()
    return {"class": name, "options": {k: _described(f"{name}: {k}", v) for k, v in options}}


def is_own(cls):
    """Whether a class of layers is not the library's."""
    return CLASSES.get(cls.__name__) is not cls


def _described(place, value):
    if isinstance(value, Layer):
        return describe(value)
    if isinstance(value, Cell):
        return cells_in_files.describe(value)
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, list | tuple):
        return [_described(place, part) for part in value]
    if isinstance(value, dict) and all(isinstance(part, Layer) for part in value.values()):
        return {key: describe(part) for key, part in value.items()}
    held = "None, True, False, numbers, text, dtypes, cells, layers, lists of them, dicts of layers"
    raise TypeError(f"{place} is {reprlib.repr(value)}; a file holds {held}")


def _is_layer(described):
    both = isinstance(described, dict) and set(described) == {"class", "options"}
    return both and isinstance(described["class"], str) and isinstance(described["options"], dict)


def _is_cell(described):
    return isinstance(described, dict) and isinstance(described.get("cell"), str)


def build(description, cells=(), own_layers=(), largest=None):
    """Make a model of this description, with initial weights.

    It may name ``cells`` and ``own_layers``.  ``largest`` is the most numbers that all layers
    together may have: a few bytes can ask for any size of memory.
    """
    of_cells, of_layers = "cells, as custom_cell makes them", "classes of layers, as in [Mine]"
    cells = [cells] if isinstance(cells, Cell) else cells
    cells = checking.sequence("load", "cells", cells, of_cells)
    classes = [own_layers] if isinstance(own_layers, type) else own_layers
    classes = checking.sequence("load", "layers", classes, of_layers)
    for cell in cells:
        if not isinstance(cell, Cell):
            raise TypeError(f"load: cells has {cell!r}; wanted {of_cells}")
    known = {}
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, Layer)):
            raise TypeError(f"load: layers has {cls!r}; wanted {of_layers}")
        if known.setdefault(cls.__name__, cls) is not cls:
            raise ValueError(f"load: layers has two classes of the name {cls.__name__}")
    return _Builder(cells, known | CLASSES, largest).build("", description)


class _Builder:
    """Builds layers from descriptions that may be anything."""

    def __init__(self, cells, classes, largest):
        self.cells, self.classes, self.left = cells, classes, largest

    def build(self, place, description):
        """The layer of a description; ``place`` opens the sentences about it."""
        if not _is_layer(description):
            found = reprlib.repr(description)
            raise ValueError(f"{place}description is {found}; wanted a dict of class and options")
        name, options = description["class"], description["options"]
        if name not in self.classes:
            given = ", ".join(sorted(self.classes.keys() - CLASSES)) or "none"
            known = ", ".join(sorted(CLASSES))
            problem = f"class is {reprlib.repr(name)}, which is none of rnnlite ({known})"
            wanted = f"the class of that name in load(path, layers=[...]), which has {given}"
            raise ValueError(f"{place}{problem}; wanted {wanted}")
        cls, left = self.classes[name], self.left
        options = LATER.get(name, {}) | options
        for key in (*cls._options, *options):
            if key not in options or key not in cls._options:
                problem = "lacks" if key in cls._options else "does not have"
                raise ValueError(f"{place}{name} {problem} the option {reprlib.repr(key)}")
        if cls is layers.Recurrent and isinstance(options["cell"], str):  # as files had it at first
            options = options | {"cell": cells_in_files.from_name(options["cell"])}
        arguments = {key: self.argument(place, key, value) for key, value in options.items()}
        layer = object.__new__(cls)
        layer._largest = left
        try:
            if "dtype" in options:  # a name alone: NumPy makes a dtype of almost anything
                checking.one_of(name, "dtype", arguments["dtype"], ("float32", "float64"))
            layer.__init__(**arguments)
        except Exception as error:  # a class of one's own may raise anything
            raise ValueError(f"{place}{_short(str(error), 300)}") from error
        del layer._largest
        if left is not None:
            self.left = max(left - layer.num_params(), 0)
        return layer

    def argument(self, place, name, value):
        """The value of the option, or of the part of one, of this name."""
        if _is_layer(value):
            return self.build(f"{place}{name}: ", value)
        if _is_cell(value):
            try:
                return cells_in_files.find(value, self.cells)
            except ValueError as error:
                raise ValueError(f"{place}{error}") from None
        if isinstance(value, list):
            return [self.argument(place, f"layer {n}", part) for n, part in enumerate(value)]
        if isinstance(value, dict):
            if not all(map(_is_layer, value.values())):
                found = reprlib.repr(value)
                raise ValueError(f"{place}{_short(name)} is {found:.200}; a dict holds layers")
            return {key: self.argument(place, key, part) for key, part in value.items()}
        return value


def difference(description, other, place="", name="model"):
    """Where the description of a file and that of a model first differ, as a sentence, or None."""
    mine, its = description, other
    if _is_cell(its) and (_is_cell(mine) or isinstance(mine, str)):
        mine = cells_in_files.from_name(mine) if isinstance(mine, str) else mine
        found = cells_in_files.difference(mine, its)
        return found and f"{place}{found}"
    if _is_layer(mine) and _is_layer(its):
        if mine["class"] != its["class"]:
            found = _short(mine["class"])
            return f"{place}class is {found} in the file, {its['class']} in the model"
        mine, its = LATER.get(its["class"], {}) | mine["options"], its["options"]
    elif isinstance(mine, list) and isinstance(its, list) and any(map(_is_layer, its)):
        if len(mine) != len(its):
            return f"{place}there are {len(mine)} {name} in the file, {len(its)} in the model"
        mine, its = ({f"layer {n}": part for n, part in enumerate(all)} for all in (mine, its))
    elif not (isinstance(mine, dict) and isinstance(its, dict) and list(mine) == list(its)):
        if mine == its and not isinstance(its, dict):
            return None
        return f"{place}{name} is {_short(mine)} in the file, {_short(its)} in the model"
    for key in dict.fromkeys((*its, *mine)):
        if key not in mine or key not in its:
            return f"{place}{_short(key)} is only in the {'file' if key in mine else 'model'}"
        inside = f"{place}{key}: " if _is_layer(its[key]) and _is_layer(mine[key]) else place
        if found := difference(mine[key], its[key], inside, key):
            return found
    return None


def _short(value, length=80):
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= length else f"{text[:length]}..."
