"""Copies of layers and models: equal, independent, in another dtype, by Python's own means."""

import copy
import pickle

import numpy as np
import pytest
from conftest import assert_all_same_bits, assert_refused, assert_same_bits
from layer_cases import every_model


@every_model
def test_a_copy_is_equal_and_independent(make, x):
    model = make()
    y = model.forward(x)
    twin = model.copy()
    assert type(twin) is type(model)
    assert list(twin.params) == list(model.params)
    assert_same_bits("y", twin.forward(x), y)
    for array in twin.params.values():
        array[...] = 0.0
    twin.backward(np.ones_like(y))
    assert_same_bits("y", model.forward(x), y)
    for name, array in twin.params.items():
        assert not np.shares_memory(array, model.params[name])
        assert not np.shares_memory(twin.grads[name], model.grads[name])
    assert not np.shares_memory(twin.flat_params, model.flat_params)


@every_model
def test_a_copy_has_no_forward_pass(make, x):
    model = make()
    y = model.forward(x)
    assert_refused(RuntimeError, ["backward"], model.copy().backward, np.ones_like(y))
    model.backward(np.ones_like(y))  # the original still has it


@every_model
def test_a_copy_in_another_dtype_has_the_rounded_parameters(make, x):
    model = make()
    wide = model.copy("float64")
    assert wide.dtype == np.float64
    for name, array in wide.params.items():
        assert_same_bits(name, array, model.params[name].astype(np.float64))
    assert wide.forward(x).dtype == np.float64
    assert_all_same_bits(wide.copy(np.float32).params, model.params)
    assert_refused(ValueError, ["copy: dtype", "'float16'"], model.copy, "float16")


@every_model
@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["copy.copy", "copy.deepcopy", "pickle"],
)
def test_python_copies_keep_params_and_memory_together(make, x, duplicate):
    """A duplicate whose params are no longer its weights would train nothing."""
    model = make()
    twin = duplicate(model)
    before = twin.forward(x)
    assert_same_bits("y", before, model.forward(x))
    for array in twin.params.values():
        array[...] = 0.0
    assert not np.array_equal(twin.forward(x), before)
    assert not twin.flat_params.any()
