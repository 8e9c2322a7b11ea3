"""How the time loop hands values to a cell's equations, and takes them back.

Either register by register (``lanes`` units at a time), or, for cells that
must see all units of a row at once, as NumPy arrays (H,).  Both have the same
signatures, so there is one loop.
"""

from typing import NamedTuple

from rnnlite.kernels.jit import inner
from rnnlite.kernels.simd import groups, lanes, load, load_masked, store, store_masked


class LoadStore(NamedTuple):
    """Functions of one granularity.

    Attributes
    ----------
    chunk : ``(array, H) -> int``
        Units that go through the equations together.
    load_unit, store_unit : ``(array, at, count)``, ``(array, at, value, count)``
        A value at the edge of an array without padding: ``count`` units are there.
    add : ``(array, at, value)``
        Add to what stands there.
    add_group : ``n -> (array, at, stride, values)``
        The same for n values that lie ``stride`` numbers apart.
    group : ``places -> load, store``
        ``load(array, at, stride, count) -> tuple`` and
        ``store(array, at, stride, values, count)`` of values in these places, which lie
        ``stride`` numbers apart: ``count`` units of each.
    """

    chunk: object
    load_unit: object
    store_unit: object
    add: object
    add_group: object
    group: object


@inner
def _one_register(array, H):
    return lanes(array)


@inner
def _add_register(array, at, value):
    store(array, at, load(array, at) + value)


def _register_group(places):
    if not places:
        return _nothing()
    load_group, store_group = groups(tuple(places))

    @inner
    def load_values(array, at, stride, count):
        return load_group(array, at, stride)

    return load_values, store_group


def _nothing():
    @inner
    def load_values(array, at, stride, count):
        return ()

    @inner
    def store_values(array, at, stride, values, count):
        pass

    return load_values, store_values


@inner
def _whole_row(array, H):
    return H


@inner
def _load_row(array, at, count):
    # A copy: the results of an equation are stored one by one, over the values
    # it was given, and a result may be one of those.
    return array[at : at + count].copy()


@inner
def _store_row(array, at, value, count):
    for j in range(count):
        array[at + j] = value[j]


@inner
def _add_row(array, at, value):
    for j in range(value.size):
        array[at + j] += value[j]


def _row_group(places):
    """Tuples of rows, built one by one: Numba wants their length at compile time."""
    if not places:
        return _nothing()
    place, (load_others, store_others) = places[0], _row_group(places[1:])

    @inner
    def load_values(array, at, stride, count):
        first = _load_row(array, at + place * stride, count)
        return (first,) + load_others(array, at, stride, count)  # noqa: RUF005

    @inner
    def store_values(array, at, stride, values, count):
        _store_row(array, at + place * stride, values[0], count)
        store_others(array, at, stride, values[1:], count)

    return load_values, store_values


def _group_adder(add, n):
    if n == 0:

        @inner
        def add_values(array, at, stride, values):
            pass

    else:
        add_others = _group_adder(add, n - 1)

        @inner
        def add_values(array, at, stride, values):
            add(array, at, values[0])
            add_others(array, at + stride, stride, values[1:])

    return add_values


REGISTERS = LoadStore(
    chunk=_one_register,
    load_unit=load_masked,
    store_unit=store_masked,
    add=_add_register,
    add_group=lambda n: _group_adder(_add_register, n),
    group=_register_group,
)
ROWS = LoadStore(
    chunk=_whole_row,
    load_unit=_load_row,
    store_unit=_store_row,
    add=_add_row,
    add_group=lambda n: _group_adder(_add_row, n),
    group=_row_group,
)
