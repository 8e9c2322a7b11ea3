"""What the tests of the reference share: small random problems, planted mistakes."""

import functools
import inspect
import math
import sys

import conftest
import numpy as np
from conftest import CELLS, KEYWORD_CELLS, for_each

from rnnlite import reference

LN3 = math.log(3.0)  # sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, sigmoid(0) = 1/2
ATANH_HALF = math.atanh(0.5)

REFERENCE_CELLS = {cell.name: cell for cell in (*CELLS, *KEYWORD_CELLS)}
every_reference_cell = for_each(list(REFERENCE_CELLS.values()))
every_clipped_cell = for_each([KEYWORD_CELLS[2]])  # with peepholes: a kernel less to compile

# Small, for central differences and loops over numbers.
problem = functools.partial(conftest.problem, I=2, H=3)
upstream = functools.partial(conftest.upstream, H=3)
run = functools.partial(conftest.run, module=reference)


def backward(cell, dh, cache, *dfinal, **named):
    return cell.backward(reference)(dh, cache, *dfinal, **named)


def padding(lengths, B=3, T=4):
    """True where a step lies past its row's length."""
    return np.arange(T) >= np.array([T] * B if lengths is None else lengths)[:, None]


def distance_from_clip(cache):
    """How far each input of an activation is from the bounds: above 0 within, below beyond.

    Columns i, f, g, o and c; inputs of padded steps are left out.
    """
    inputs = np.dstack([cache.z, cache.states[1][:, 1:]])[cache.inputs[-1][:, :, 0]]
    return cache.clip - np.abs(inputs)


def central_differences(loss, array, step=1e-5):
    """Gradient of ``loss()`` by every element of ``array``, which is changed and restored."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + step
        above = loss()
        array[index] = value - step
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * step)
    return gradient


def plant(monkeypatch, cell, direction, old, new):
    """Replace one piece of the source of the cell's equations."""
    file = cell.file or cell.function
    name = f"{file}_{direction}"
    home = sys.modules[f"rnnlite.reference.{file}"]
    source = inspect.getsource(getattr(home, name))
    assert source.count(old) == 1, f"{name} holds {old!r} {source.count(old)} times"
    namespace = dict(vars(home))
    exec(compile(source.replace(old, new), f"<{name} with a mistake>", "exec"), namespace)
    for place, module in list(sys.modules.items()):
        if place.startswith("rnnlite.reference") and hasattr(module, name):
            monkeypatch.setattr(module, name, namespace[name])
