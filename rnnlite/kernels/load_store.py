"""How the time loop hands values to a cell's equations, and takes them back.

Either register by register (``lanes`` units at a time), or, for cells that must see all units of a
row at once, as NumPy arrays (H,).  Both have the same signatures, so there is one loop.

A register has one size.  A row is what an equation makes of it: its length is looked at before
anything is stored, since behind a row there is other memory.
"""

from typing import NamedTuple

from rnnlite.kernels.jit import JIT_DISABLED, inner
from rnnlite.kernels.simd import groups, load, load_units, store, store_masked

# What a kernel raises; the engine, which knows the cell, says whose equation it was.
WRONG_LENGTH = "an equation returned a row that has not one number a unit"


class LoadStore(NamedTuple):
    """Functions of one granularity; ``count`` units of each value are there."""

    load_unit: object  # (array, at, count) -> value
    store_unit: object  # (array, at, value, count)
    add: object  # (array, at, value, count): add to what stands there
    # places -> load, store: several values at once, in places that lie ``stride`` numbers apart;
    # load(array, at, stride, count) -> tuple, store(array, at, stride, values, count)
    group: object


@inner
def _add_register(array, at, value, count):
    # Without the JIT the last "register" of a row has no more numbers than there are units.
    before = load_units(array, at, count) if JIT_DISABLED else load(array, at)
    store(array, at, before + value)


@inner
def _load_row(array, at, count):
    # A copy: results are stored over the values an equation was given, and may be one of those.
    return array[at : at + count].copy()


@inner
def _check_row(value, count):
    if value.size != count:
        raise ValueError(WRONG_LENGTH)


@inner
def _store_row(array, at, value, count):
    _check_row(value, count)
    for j in range(count):
        array[at + j] = value[j]


@inner
def _add_row(array, at, value, count):
    _check_row(value, count)
    for j in range(count):
        array[at + j] += value[j]


def _row_group(places):
    """Tuples of rows, built one by one: Numba wants their length at compile time."""
    if not places:
        return groups(())
    place, others = places[0], len(places) > 1
    load_others, store_others = _row_group(places[1:])

    @inner
    def load_values(array, at, stride, count):
        first = _load_row(array, at + place * stride, count)
        return (first,) + load_others(array, at, stride, count)  # noqa: RUF005

    @inner
    def store_values(array, at, stride, values, count):
        _store_row(array, at + place * stride, values[0], count)
        if others:
            store_others(array, at, stride, values[1:], count)

    return load_values, store_values


def argument_loader(load_store, n):
    """``load`` of n values as an equation takes its parameters: as one argument, or none."""
    load_values, _ = load_store.group(range(n))
    if n == 0:
        return load_values

    @inner
    def load_argument(array, at, stride, count):
        return (load_values(array, at, stride, count),)

    return load_argument


def group_adder(add, n):
    """``(array, at, stride, values, count)`` that adds n values, ``stride`` numbers apart."""
    add_others = group_adder(add, n - 1) if n > 1 else None

    @inner
    def add_values(array, at, stride, values, count):
        add(array, at, values[0], count)
        if n > 1:
            add_others(array, at + stride, stride, values[1:], count)

    return add_values


REGISTERS = LoadStore(load_units, store_masked, _add_register, lambda at: groups(tuple(at)))
ROWS = LoadStore(_load_row, _store_row, _add_row, _row_group)
