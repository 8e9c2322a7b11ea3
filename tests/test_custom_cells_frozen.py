"""Custom cells keep the values of the moment they were made; their kernels go with them."""

import gc
import types
import weakref

import numpy as np
import pytest
from conftest import needs_jit
from custom_cases import GOOD, make_decaying, sequences, step, step_backward
from numba.core.dispatcher import Dispatcher

import rnnlite
from rnnlite import gradcheck
from rnnlite.cells.functions import tanh
from rnnlite.engine import compiled as engine
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.freeze import frozen

settings = types.ModuleType("settings")


def leak_with(rates):
    """A leaky unit whose numbers stand in a module, in its array, in an array of a helper."""
    settings.rate, settings.rates = 0.5, rates

    def gain(value):
        return value * rates[1]

    def leaky_step(z, state):
        h = settings.rate * state[0] + gain(tanh(z[0])) + settings.rates[2] * state[0]
        return (h,), (h,)

    def leaky_step_backward(dstate, saved, state, new_state):
        g = (new_state[0] - (settings.rate + rates[2]) * state[0]) / rates[1]
        dz = gain(dstate[0]) * (1.0 - g * g)
        return (dz,), (dstate[0] * (settings.rate + settings.rates[2]),)

    return leaky_step, leaky_step_backward


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=pytest.mark.long), False])
def test_what_changes_after_a_cell_was_made_changes_neither_it_nor_its_gradient(compiled):
    x, rates = sequences(), np.array([0.0, 0.8, 0.1])
    cell = rnnlite.custom_cell("leaky", *leak_with(rates), **GOOD, compiled=compiled)
    key = identity(cell)
    layer = rnnlite.Recurrent(cell, 3, 4, seed=0, dtype="float64", return_sequences=True)
    y = layer.forward(x).copy()
    settings.rate, settings.rates = 0.25, rates  # between forward and backward, where it is
    rates[:] = 0.3  # compiled for the first time
    dx = layer.backward(np.cos(y))
    step = 1e-6 * np.random.default_rng(1).normal(size=x.shape)
    change = np.sin(layer.forward(x + step)).sum() - np.sin(layer.forward(x - step)).sum()
    np.testing.assert_allclose(np.sum(dx * step) * 2, change, rtol=1e-6)
    np.testing.assert_array_equal(layer.forward(x), y)
    assert gradcheck.check(layer, x).passed and identity(cell) == key
    other = rnnlite.custom_cell("leaky", *leak_with(rates), **GOOD, compiled=compiled)
    assert identity(other) != key  # made with what is there now


def test_a_frozen_array_cannot_be_written_and_is_not_the_user_s():
    array = np.ones(3)

    def writing_step(z, state):
        array[0] = 2.0
        return (z[0],), (z[0],)

    with pytest.raises(ValueError, match=r"mine: step raises .*read-only"):
        rnnlite.custom_cell("mine", writing_step, step_backward, **GOOD)
    array[0] = 3.0  # still the user's own


def test_a_frozen_function_is_the_same_function():
    """With its helpers, that may call one another, Numba's, and its own name and text."""
    import numba

    rate = 0.5

    @numba.njit
    def compiled(h):
        return rate * h

    def even(n, h):
        return h if n == 0 else odd(n - 1, h)

    def odd(n, h):
        return 0.0 * h if n == 0 else even(n - 1, h)

    def recursive_step(z, state):
        """My step."""
        h = even(4, compiled(state[0])) + tanh(z[0])
        return (h,), (h,)

    cell = rnnlite.custom_cell("mine", recursive_step, step_backward, **GOOD, compiled=False)
    rate = 100.0
    z = state = (np.ones((2, 3)),)
    np.testing.assert_allclose(cell.step(z, state)[0][0], 0.5 + np.tanh(1.0))
    assert cell.step is not recursive_step and cell.step.__doc__ == "My step."
    assert cell.step.__qualname__ == recursive_step.__qualname__
    again = rnnlite.custom_cell("mine", cell.step, cell.step_backward, **GOOD, compiled=False)
    assert again == cell


@needs_jit
def test_a_frozen_function_of_numba_s_keeps_its_options():
    import numba

    rounded = numba.njit(fastmath={"nnan"}, error_model="numpy")(lambda h: 0.5 * h)

    def step(z, state):
        return (rounded(z[0]),), (z[0],)

    (twin,) = frozen([step])
    (inside,) = (cell.cell_contents for cell in twin.__closure__)
    assert inside is not rounded and inside.targetoptions == rounded.targetoptions


# --- kernels of cells that are gone ---------------------------------------------------------


def dispatchers():
    gc.collect()
    return sum(issubclass(type(one), Dispatcher) for one in gc.get_objects())


@needs_jit
@pytest.mark.long
def test_engines_of_cells_that_are_gone_are_freed():
    """Not compiled here: what is made for each is 70 of Numba's functions."""
    engine._recent.clear()
    before, made = dispatchers(), []
    for n in range(30):
        cell = rnnlite.custom_cell("mine", make_decaying(n / 100), step_backward, **GOOD)
        made.append(weakref.ref(engine.engine_of(cell)))
    del cell
    of_one = (dispatchers() - before) / engine._recent.maxlen
    assert sum(one() is not None for one in made) == engine._recent.maxlen
    engine._recent.clear()
    assert dispatchers() - before < of_one / 10
    assert not any(one() for one in made)


@pytest.mark.long
@needs_jit
def test_a_cell_made_and_dropped_again_and_again_is_compiled_once():
    def once():
        cell = rnnlite.custom_cell("mine", step, step_backward, **GOOD)
        return engine.engine_of(cell)

    first = once()
    count = dispatchers()
    functions = weakref.ref(rnnlite.custom_cell("mine", step, step_backward, **GOOD).step)
    for _ in range(20):
        assert once() is first
    assert dispatchers() <= count and functions() is None


@pytest.mark.long
@needs_jit
def test_kernels_that_were_compiled_are_freed_with_their_cell():
    engine._recent.clear()
    while_there, after = [], []
    for n in range(3):
        cell = rnnlite.custom_cell("mine", make_decaying(n / 7), step_backward, **GOOD)
        layer = rnnlite.Recurrent(cell, 3, 4, seed=0)
        layer.backward(layer.forward(sequences()))
        while_there.append(dispatchers())
        del cell, layer
        engine._recent.clear()
        dispatchers()  # collects: some are held by others that are gone
        after.append(dispatchers())
    made = while_there[2] - after[1]
    assert made > 0 and after[2] - after[0] < 2 * made  # two cells later
