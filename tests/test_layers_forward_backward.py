"""Forward and backward in turns: what each may follow, and that no turn changes a number."""

import copy

import numpy as np
import pytest
from conftest import (
    assert_all_same_bits,
    assert_refused,
    assert_same_bits,
    every_cell,
    every_dtype,
    needs_jit,
)
from layer_cases import B, H, I, every_maker, every_model, rng

import rnnlite


@every_model
def test_backward_overwrites_the_gradients(make, x):
    model = make()
    results = []
    for _ in range(2):
        model.flat_grads[...] = 99.0
        y = model.forward(x)
        model.backward(np.ones_like(y))
        results.append(copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_a_second_backward_is_an_error(make, x, training):
    model = make()
    dy = np.ones_like(model.forward(x, training=training))
    model.backward(dy)
    name = type(model).__name__
    fragments = [f"{name}.backward", "forward"]
    assert_refused(RuntimeError, fragments, model.backward, dy)
    model.forward(x, training=training)
    model.backward(dy)  # after another forward it is right again


@every_model
def test_backward_before_forward_is_an_error(make, x):
    model = make()
    fragments = [f"{type(model).__name__}.backward", "forward"]
    assert_refused(RuntimeError, fragments, model.backward, np.ones((B, H)))


@every_model
def test_a_refused_gradient_can_be_corrected(make, x):
    model, twin = make(), make()
    y = model.forward(x)
    assert_refused(ValueError, ["backward: dy has shape"], model.backward, np.ones((B, 1, 1, 9)))
    dx = model.backward(np.ones_like(y))
    twin.forward(x)
    assert_same_bits("dx", dx, twin.backward(np.ones_like(y)))


@every_cell
def test_states_before_forward_are_an_error(cell):
    layer = cell.make(I, H)
    name = type(layer).__name__
    with pytest.raises(RuntimeError, match=f"{name}.final_state"):
        _ = layer.final_state
    with pytest.raises(RuntimeError, match=f"{name}.dinitial_state"):
        _ = layer.dinitial_state


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_gradients_do_not_depend_on_whether_dx_is_wanted(make, x, training):
    model = make()
    y = model.forward(x, training=training)
    dx = model.backward(np.ones_like(y))
    assert dx.shape == x.shape
    expected = copy.deepcopy(model.grads)
    model.flat_grads[...] = 99.0
    model.forward(x, training=training)
    assert model.backward(np.ones_like(y), need_dx=False) is None
    assert_all_same_bits(model.grads, expected)


@needs_jit
@every_maker
@every_dtype
def test_layers_give_the_same_bits_at_any_number_of_threads(make, dtype, work_for_many):
    features, width, rows, steps = 20, 30, 151, 9
    assert rows * steps * features * width > 2 * work_for_many
    x = rng().normal(size=(rows, steps, features)).astype(dtype)
    results = []
    for n in (1, 2, 3):
        rnnlite.set_num_threads(n)
        layer = make(features, width, seed=0, dtype=dtype)
        y = layer.forward(x)
        dx = layer.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        results.append({"y": y, "dx": dx} | layer.grads)
    assert_all_same_bits(results[1], results[0])
    assert_all_same_bits(results[2], results[0])
