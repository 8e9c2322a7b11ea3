"""What a model is besides its weights, as plain data that JSON holds.

    {"class": "Sequential", "options": {"layers": [
        {"class": "LSTM", "options": {"input_size": 28, "hidden_size": 128, ...}},
        {"class": "Dense", "options": {"in_features": 128, "out_features": 10, ...}}]}}

A description may come from anywhere: it can name the library's own layers and
nothing else, and their constructors check every option.
"""

import re
import reprlib

import numpy as np

from rnnlite import cells as library
from rnnlite import checking, layers
from rnnlite.layers import Layer

__all__ = ["build", "describe", "difference"]

# By the name that a description has for them.
CLASSES = {
    name: getattr(layers, name) for name in layers.__all__ if getattr(layers, name) is not Layer
}


def describe(model):
    """All that says what a layer or a model computes, but for its numbers.

    Parameters
    ----------
    model : Layer
        Of the library, with its own cells or yours.

    Returns
    -------
    dict
        ``class`` and ``options``, layers in layers; a cell is its name.

    Raises
    ------
    TypeError
        For anything else, and for a class of your own.

    Examples
    --------
    >>> describe(layers.Dropout(0.5))
    {'class': 'Dropout', 'options': {'rate': 0.5, 'per_sequence': False, 'dtype': 'float32'}}
    """
    name = type(model).__name__
    if CLASSES.get(name) is not type(model):
        raise TypeError(
            f"model is of type {name}, which is not a layer or a model of rnnlite: "
            "no file can hold it"
        )
    return {"class": name, "options": {k: _described(v) for k, v in model.options().items()}}


def _described(value):
    if isinstance(value, Layer):
        return describe(value)
    if isinstance(value, library.Cell):
        return value.name
    if isinstance(value, np.dtype):
        return value.name
    return [describe(layer) for layer in value] if isinstance(value, list) else value


def build(description, cells=(), largest=None):
    """Make a model of this description; its weights are initial ones.

    Parameters
    ----------
    description : dict
        As ``describe`` returns it.
    cells : iterable of Cell
        Cells of your own that the description names.
    largest : int, optional
        Most numbers that all layers together may have.  Beyond that there is an
        error before memory is taken: a few bytes can ask for any size.

    Returns
    -------
    Layer

    Raises
    ------
    ValueError
        For a description that is not one; the message says where.
    TypeError
        If ``cells`` holds something else.

    Examples
    --------
    >>> build(describe(layers.LSTM(28, 128)))
    LSTM(28, 128)
    """
    cells = (cells,) if isinstance(cells, library.Cell) else tuple(cells)
    for cell in cells:
        if not isinstance(cell, library.Cell):
            raise TypeError(f"build: cells has {cell!r}; wanted cells, as custom_cell makes them")
    return _Builder(cells, largest).build("", description)


class _Builder:
    """Builds layers from descriptions that may be anything."""

    def __init__(self, cells, largest):
        self.cells, self.left = cells, largest

    def build(self, place, description):
        """The layer of a description; ``place`` opens the sentences about it."""
        name, options = _parts(place, description)
        if name not in CLASSES:
            names = ", ".join(sorted(CLASSES))
            raise ValueError(f"{place}class is {reprlib.repr(name)}; it can be {names}")
        wanted = CLASSES[name]._options
        for key in (*wanted, *options):
            if key not in options or key not in wanted:
                problem = "lacks" if key in wanted else "does not have"
                raise ValueError(f"{place}{name} {problem} the option {reprlib.repr(key)}")
        arguments = {key: self._argument(place, key, value) for key, value in options.items()}
        layer = object.__new__(CLASSES[name])
        layer._largest = self.left
        try:
            if "dtype" in wanted:  # a name alone: NumPy makes a dtype of almost anything
                checking.one_of(name, "dtype", arguments["dtype"], ("float32", "float64"))
            layer.__init__(**arguments)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{place}{_short(str(error), 300)}") from None
        del layer._largest
        if self.left is not None and not hasattr(layer, "layers"):
            self.left -= layer.num_params()
        return layer

    def _argument(self, place, key, value):
        if key == "cell":
            return _cell(place, value, self.cells)
        if key == "layer":
            return self.build(f"{place}layer: ", value)
        if key == "layers":
            if not isinstance(value, list):
                raise ValueError(f"{place}layers is {reprlib.repr(value)}; wanted a list")
            return [self.build(f"{place}layer {n}: ", layer) for n, layer in enumerate(value)]
        return value


def _parts(place, description):
    """Class and options of a description that may be anything."""
    if not isinstance(description, dict) or set(description) != {"class", "options"}:
        raise ValueError(
            f"{place}description is {reprlib.repr(description)}; wanted a dict of class and options"
        )
    name, options = description["class"], description["options"]
    if not isinstance(name, str) or not isinstance(options, dict):
        raise ValueError(f"{place}class must be a str, and options a dict")
    return name, options


def _cell(place, name, cells):
    """The cell of that name: one of ``cells``, or the library's."""
    for cell in (*cells, *_library_cells(name)):
        if cell.name == name:
            return cell
    given = ", ".join(cell.name for cell in cells) or "none"
    raise ValueError(
        f"{place}cell is {reprlib.repr(name)}, which is not of rnnlite; wanted it among cells=, "
        f"which has {given} (a name ends with a fingerprint of the equations, of where they are "
        "defined and of Python's version)"
    )


def _library_cells(name):
    yield from (library.LSTM, library.GRU, library.GRU_2014, *library.RNN.values())
    clip = re.fullmatch(r"lstm-(?:peephole-)?clip-([0-9.e+-]{1,30}|inf)", str(name))
    if clip:
        try:
            limit = float(clip[1])
        except ValueError:
            return
        yield from (library.peephole_lstm(limit), library.clipped_lstm(limit))


def difference(description, other):
    """Where two descriptions first differ.

    Parameters
    ----------
    description : dict
        That of the file.
    other : dict
        That of the model.

    Returns
    -------
    str or None
        A sentence without its full stop; None if they are equal.

    Examples
    --------
    >>> small, large = (layers.Sequential([layers.GRU(3, size)]) for size in (64, 128))
    >>> difference(describe(small), describe(large))
    'layer 0: hidden_size is 64 in the file, 128 in the model'
    """
    return _difference("", description, other)


def _difference(place, description, other):
    (name, mine), (other_name, its) = _parts(place, description), _parts(place, other)
    if name != other_name:
        return f"{place}class is {name} in the file, {other_name} in the model"
    for key in dict.fromkeys((*its, *mine)):
        if key not in mine or key not in its:
            return f"{place}{key} is only in the {'file' if key in mine else 'model'}"
        found = _difference_of_options(place, key, mine[key], its[key])
        if found:
            return found
    return None


def _difference_of_options(place, key, mine, its):
    if key == "layer":
        return _difference(f"{place}layer: ", mine, its)
    if key == "layers" and isinstance(mine, list) and isinstance(its, list):
        if len(mine) != len(its):
            return f"{place}there are {len(mine)} layers in the file, {len(its)} in the model"
        for n, pair in enumerate(zip(mine, its, strict=True)):
            found = _difference(f"{place}layer {n}: ", *pair)
            if found:
                return found
    elif mine != its:
        return f"{place}{key} is {_short(mine)} in the file, {_short(its)} in the model"
    return None


def _short(value, length=80):
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= length else f"{text[:length]}..."
