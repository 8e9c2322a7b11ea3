"""Parameters: the one owner of where each parameter of a layer or a model lies in memory.

All values are one flat array, and so are all gradients: an optimizer is one pass over them, a
norm one sum, a checkpoint one array.  What people see by name are views into the two.

    flat    [ 0.Wx ......... | 0.b .. | 0.Wh ........ | gap | 1.W .... | 1.b ]
              places["0.Wx"]                                  parts["1"]

A model moves the arrays of its layers into its own, and theirs become views.
"""

import math
import types
from collections.abc import ItemsView, Mapping, ValuesView

import numpy as np

from rnnlite import checking
from rnnlite.engine.memory import CACHE_LINE, aligned_zeros


class Views(dict):
    """Named views into a flat array: what is assigned is checked and copied into place.

    Each answer is a view of its own, whose shape, dtype or flags may be changed: only the numbers
    are shared.  ``what``, "params" or "grads", is its name in messages.
    """

    def __init__(self, what):
        super().__init__()
        self._what = what

    def bind(self, name, view):
        """Let a name stand for this view."""
        super().__setitem__(name, view)

    def __getitem__(self, name):
        return super().__getitem__(name).view()

    def __missing__(self, name):
        known = ", ".join(self) or "none"
        raise KeyError(f"{self._what}[{name!r}] does not exist; there are {known}")

    def __iter__(self):  # without this, dict(self) and **self would take the views themselves
        return super().__iter__()

    def get(self, name, default=None):
        """The view of this name, or ``default``."""
        view = super().get(name)
        return default if view is None else view.view()

    def items(self):
        """Pairs of name and view."""
        return ItemsView(self)

    def values(self):
        """The views."""
        return ValuesView(self)

    def copy(self):
        """A plain dict of the views."""
        return dict(self)

    def __setitem__(self, name, value):
        self.update({name: value})

    def update(self, other=types.MappingProxyType({}), /, **named):
        """Copy arrays into place: all of them, or none if one does not fit."""
        if not isinstance(other, Mapping):
            wanted = "a dict of arrays by name"
            raise TypeError(f"{self._what} is of type {type(other).__name__}; wanted {wanted}")
        arrays, checked = {**other, **named}, {}
        for name, value in arrays.items():
            view = self[name]
            key, meaning = f"{self._what}[{name!r}]", "as it is"
            array = checking.shaped(self._what, key, value, view.shape, meaning, view.dtype)
            checked[name] = array if len(arrays) == 1 else array.copy()  # two may change places
        for name, array in checked.items():
            self[name][...] = array

    def __ior__(self, other):
        self.update(other)
        return self

    def _fixed(self, *_, **__):
        raise TypeError(
            f"{self._what}: names cannot be added or removed; they belong to the layer, and values "
            f"are copied into place: {self._what}[name] = array"
        )

    __delitem__ = pop = popitem = clear = setdefault = _fixed

    def __reduce__(self):  # a copy is a plain dict: its arrays are views of nothing
        return dict, ({name: np.array(view) for name, view in self.items()},)

    def __or__(self, other):
        return dict(self) | other


class Parameters:
    """Values and gradients of a layer, or of all layers of a model.

    ``shapes`` are of the layer's own parameters, in the order of their place in memory; ``parts``
    are the ``Parameters`` of the layers inside, which move in after them, each at the beginning of
    a cache line if ``aligned``.  ``largest`` is the most numbers there may be, where a file asks
    for them; ``where`` opens messages.

    ``values`` and ``gradients`` are ``Views`` by name, those of a part under "part.name", into
    ``flat`` and ``flat_gradients`` (n,); ``places`` and ``part_places`` say where each name, and
    each part, lies there, as slices.
    """

    def __init__(self, where, shapes, dtype, parts=(), aligned=True, largest=None):
        self._shapes, self.dtype, self._parts = dict(shapes), dtype, dict(parts)
        self.places, self.part_places = {}, {}
        end = 0
        for name, shape in self._shapes.items():
            self.places[name] = slice(end, end := end + math.prod(shape))
        if largest is not None and end > largest:
            raise ValueError(f"{where}: has {end:,} numbers; there are {largest:,} for it")
        lanes = CACHE_LINE // dtype.itemsize if aligned else 1
        for key, part in self._parts.items():
            start = -(-end // lanes) * lanes
            self.part_places[key] = slice(start, end := start + part.size)
            for name, place in part.places.items():
                self.places[f"{key}.{name}"] = slice(start + place.start, start + place.stop)
        self.size = end
        checking.number_of_numbers(where, end)
        self.values, self.gradients = Views("params"), Views("grads")
        self.flat = self.flat_gradients = None
        self.move(aligned_zeros(end, dtype), aligned_zeros(end, dtype))

    def move(self, flat, flat_gradients):
        """Live in these arrays from now on, with the values there were."""
        self.dtype = flat.dtype  # a layer without parameters takes that of its model
        if self.flat is not None:
            flat[...], flat_gradients[...] = self.flat, self.flat_gradients
        self.flat, self.flat_gradients = flat, flat_gradients
        for name, shape in self._shapes.items():
            place = self.places[name]
            self.values.bind(name, flat[place].reshape(shape))
            self.gradients.bind(name, flat_gradients[place].reshape(shape))
        for key, part in self._parts.items():
            place = self.part_places[key]
            part.move(flat[place], flat_gradients[place])
            for name in part.values:
                self.values.bind(f"{key}.{name}", part.values[name])
                self.gradients.bind(f"{key}.{name}", part.gradients[name])

    def copy(self, dtype, parts=()):
        """Parameters with the same values in memory of their own; ``parts`` are the copied ones."""
        twin = object.__new__(Parameters)
        twin.__dict__.update(self.__dict__)
        twin._parts = dict(parts)
        twin.values, twin.gradients = Views("params"), Views("grads")
        twin.flat = twin.flat_gradients = None
        twin.move(aligned_zeros(self.size, dtype), aligned_zeros(self.size, dtype))
        twin.flat[...] = self.flat
        return twin
