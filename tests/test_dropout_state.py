"""Dropout: its generator, its turns, memory and copies, and what it refuses."""

import json

import numpy as np
import pytest
from conftest import (
    assert_all_same_bits,
    assert_allocates_little,
    assert_close,
    assert_refused,
    assert_same_bits,
    every_dtype,
)
from dropped import B, F, T, masks, stack
from layer_cases import rng

import rnnlite
from rnnlite import Sequential
from rnnlite.layers.dropout import Dropout


def test_the_same_seed_draws_the_same_masks_and_another_seed_others():
    first = masks(Dropout(0.5, seed=7), (B, T, F), 3)
    for a, b in zip(first, masks(Dropout(0.5, seed=7), (B, T, F), 3), strict=True):
        assert_same_bits("mask", a, b)
    assert not np.array_equal(first[0], first[1])
    for other in (Dropout(0.5, seed=8), Dropout(0.5)):
        assert not np.array_equal(masks(other, (B, T, F))[0], first[0])


@pytest.mark.parametrize("per_sequence", [False, True])
def test_both_precisions_draw_the_same_masks(per_sequence):
    one, other = (
        masks(Dropout(0.3, seed=7, per_sequence=per_sequence, dtype=dtype), (B, T, F), 3)
        for dtype in ("float32", "float64")
    )
    for a, b in zip(one, other, strict=True):
        assert_same_bits("mask", b.astype(np.float32), a)


def test_numpys_global_generator_is_left_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    masks(Dropout(0.5), (B, F))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("shape", [(3, 5), (4, 6), (3, 3, 3)])
def test_masks_go_on_where_a_checkpoint_was_written(shape):
    layer = Dropout(0.5, seed=7)
    masks(layer, shape, 2)
    text = json.dumps(layer.state_dict())
    state = layer.state_dict()
    expected = masks(layer, shape, 3)
    assert json.loads(text) == state  # a copy: the masks since did not change it
    resumed = Dropout(0.5, seed=99)
    masks(resumed, (5, 1))
    resumed.load_state_dict(json.loads(text))
    for a, b in zip(masks(resumed, shape, 3), expected, strict=True):
        assert_same_bits("mask", a, b)


BAD_STATES = {
    "no dict": ([1], TypeError, ["state is of type list"]),
    "empty": ({}, ValueError, ["state has the keys []", "generator"]),
    "more": ({"generator": {}, "rate": 1}, ValueError, ["['generator', 'rate']"]),
    "no generator": ({"generator": 5}, ValueError, ["state['generator'] is not what"]),
    "nothing in it": ({"generator": {}}, ValueError, ["state['generator'] is not what"]),
    "another": (
        {"generator": np.random.Philox(0).state}, ValueError, ["state['generator'] is not what"],
    ),
    "half": (
        {"generator": {"bit_generator": "PCG64", "state": {"state": 1, "inc": 3}}}, ValueError,
        ["state['generator'] is not what"],
    ),
    "too large": (
        {"generator": {"bit_generator": "PCG64", "state": {"state": 2**200, "inc": 3},
                       "has_uint32": 0, "uinteger": 0}},
        ValueError, ["state['generator'] is not what"],
    ),
    "a word": (
        {"generator": {"bit_generator": "PCG64", "state": {"state": "a", "inc": 3},
                       "has_uint32": 0, "uinteger": 0}},
        ValueError, ["state['generator'] is not what"],
    ),
}  # fmt: skip
# What NumPy takes for something else, or for a state that no generator has.
STATE = np.random.PCG64(0).state
BAD_STATES |= {
    f"{key} {value}": ({"generator": STATE | {key: value}}, ValueError, ["no generator stands"])
    for key, value in (
        ("has_uint32", 0.5), ("has_uint32", False), ("has_uint32", 7), ("more", 1),
        ("state", {"state": 1.5, "inc": 3}), ("state", {"state": True, "inc": 3}),
        ("state", {"state": 1, "inc": 4}), ("state", {"state": 1, "inc": 3, "more": 1}),
    )
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "error", "fragments"), BAD_STATES.values(), ids=BAD_STATES.keys()
)
def test_a_bad_state_is_refused_and_changes_nothing(state, error, fragments):
    layer = Dropout(0.5, seed=7)
    before = layer.state_dict()
    fragments = ["Dropout.load_state_dict: ", *fragments]
    assert_refused(error, fragments, layer.load_state_dict, state)
    assert layer.state_dict() == before


# --- turns, memory, copies ------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_each_forward_allows_one_backward(training):
    layer, x = Dropout(0.5), np.ones((B, F))
    fragments = ["Dropout.backward", "forward"]
    assert_refused(RuntimeError, fragments, layer.backward, x)
    layer.forward(x, training=training), layer.backward(x)
    assert_refused(RuntimeError, fragments, layer.backward, x)
    layer(x)
    assert_refused(RuntimeError, fragments, layer.backward, x)
    layer.forward(x, training=training)
    assert layer.backward(x, need_dx=False) is None
    assert_refused(RuntimeError, fragments, layer.backward, x)


def test_a_refused_gradient_can_be_corrected():
    layer, x = Dropout(0.5, seed=0), np.ones((B, F))
    y = layer.forward(x, training=True).copy()
    assert_refused(ValueError, ["dy has shape"], layer.backward, np.ones((B, F, 1)))
    assert_same_bits("dx", layer.backward(x), y)


def test_in_training_results_are_memory_of_the_layer():
    layer, x = Dropout(0.5, seed=0), np.ones((B, F), np.float32)
    y, dx = layer.forward(x, training=True), layer.backward(x)
    again, dx_again = layer.forward(x, training=True), layer.backward(x)
    assert np.shares_memory(y, again) and np.shares_memory(dx, dx_again)
    assert not np.shares_memory(y, dx)
    assert not any(np.shares_memory(x, array) for array in (y, dx))
    assert layer.forward(x) is x and layer.backward(x) is x


def test_arguments_are_taken_as_they_are_and_left_alone():
    layer, x = Dropout(0.5, seed=0), rng().integers(-4, 5, (B, T, F))
    expected = Dropout(0.5, seed=0).forward(x.astype(np.float32), training=True)
    for same in (x.astype(np.float64), x.astype(np.int8), x.tolist(), x[::-1][::-1]):
        layer = Dropout(0.5, seed=0)
        if isinstance(same, np.ndarray):
            same.flags.writeable = False
        assert_same_bits("y", layer.forward(same, training=True), expected)
        dx = layer.backward(same)
        assert_same_bits("dx", dx, expected)
    np.testing.assert_array_equal(same, x)


@pytest.mark.quick(every=3)
@every_dtype
@pytest.mark.parametrize("per_sequence", [False, True])
def test_a_training_step_allocates_nothing(dtype, per_sequence):
    layer = Dropout(0.5, seed=0, per_sequence=per_sequence, dtype=dtype)
    x = np.ones((200, 5, 60), dtype)

    def step():
        layer.forward(x, training=True)
        layer.backward(x)

    assert_allocates_little(step, 8_000)  # the smallest mask has 48,000


@pytest.mark.parametrize("per_sequence", [False, True])
def test_a_change_of_the_batch_changes_no_result(per_sequence):
    layer = Dropout(0.5, seed=0, per_sequence=per_sequence)
    for shape in ((B, T, F), (1, T, F), (7, T, F), (B, F), (B, T, F), (T, B, F)):
        fresh = Dropout(0.5, per_sequence=per_sequence)
        fresh.load_state_dict(layer.state_dict())
        x, dy = rng(0).normal(size=shape), rng(1).normal(size=shape)
        results = [
            {"y": some.forward(x, training=True), "dx": some.backward(dy)}
            for some in (layer, fresh)
        ]
        assert_all_same_bits(*results)


@pytest.mark.parametrize("dtype", [None, "float64"])
def test_a_copy_draws_the_same_masks_independently(dtype):
    layer = Dropout(0.5, seed=0, per_sequence=True)
    masks(layer, (B, T, F), 2)
    twin = layer.copy(dtype)
    assert twin.dtype == (dtype or "float32") and twin.flat_params.dtype == twin.dtype
    assert repr(twin) == repr(layer)
    assert_refused(RuntimeError, ["backward"], twin.backward, np.ones((B, T, F)))
    expected = masks(twin, (B, T, F), 3)
    for a, b in zip(masks(layer, (B, T, F), 3), expected, strict=True):
        assert_close("mask", a, b, 0)


def test_a_copy_of_a_model_draws_the_same_masks():
    model, x = stack(), rng().normal(size=(B, T, F))
    twin = model.copy()
    for _ in range(2):
        assert_same_bits("y", twin.forward(x, training=True), model.forward(x, training=True))


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "error"),
    [(1.0, ValueError), (1, ValueError), (-0.1, ValueError), (np.nan, ValueError),
     (np.inf, ValueError), ("0.5", TypeError), (None, TypeError), (True, TypeError)],
)  # fmt: skip
def test_a_rate_outside_0_to_1_is_refused(rate, error):
    assert_refused(error, [f"Dropout: rate is {rate!r}"], Dropout, rate)


def test_the_wanted_range_of_the_rate_is_told():
    assert_refused(ValueError, ["it must lie in [0.0, 1.0)"], Dropout, 1.5)


def test_other_bad_arguments_are_refused_by_name():
    for seed, error in (("a", TypeError), (-1, ValueError), (1.5, TypeError)):
        assert_refused(error, [f"Dropout: seed is {seed!r}"], Dropout, 0.5, seed=seed)
    for value in ("yes", 1, None):
        fragments = [f"Dropout: per_sequence is {value!r}", "True or False"]
        assert_refused(TypeError, fragments, Dropout, 0.5, per_sequence=value)
    for dtype in ("float16", "int32", "nonsense"):
        fragments = [f"Dropout: dtype is {dtype!r}", "'float32' or 'float64'"]
        assert_refused(ValueError, fragments, Dropout, 0.5, dtype=dtype)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(), (5,), (0, 5), (3, 0, 5)])
def test_x_of_a_wrong_shape_is_refused(shape, training):
    fragments = [f"Dropout.forward: x has shape {shape}; wanted (batch, ...)"]
    assert_refused(ValueError, fragments, Dropout(0.5).forward, np.ones(shape), training=training)


@pytest.mark.parametrize("x", [np.ones((3, 5), complex), np.full((3, 5), "1"), None, {}])
def test_x_without_real_numbers_is_refused(x):
    fragments = ["Dropout.forward: x ", "real numbers"]
    assert_refused(TypeError, fragments, Dropout(0.5).forward, x)


@pytest.mark.parametrize("training", [False, True])
def test_a_wrong_gradient_is_refused_with_both_shapes(training):
    layer = Dropout(0.5)
    layer.forward(np.ones((B, F)), training=training)
    fragments = ["Dropout.backward: dy has shape (3, 6)", "(3, 5)"]
    assert_refused(ValueError, fragments, layer.backward, np.ones((B, F + 1)))
    fragments = ["Dropout.backward: dy ", "real numbers"]
    assert_refused(TypeError, fragments, layer.backward, np.ones((B, F), complex))


# Layers around others.


def around(kind, layer):
    """A layer that draws masks, inside another."""
    if kind == "Bidirectional":
        return rnnlite.Bidirectional(layer, seed=3)
    inner = Sequential([layer])
    return inner if kind == "Sequential" else Sequential([inner])


@pytest.mark.parametrize("kind", ["Bidirectional", "Sequential", "Sequential in another"])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: rnnlite.LSTM(F, 3, recurrent_dropout=0.5, seed=0, return_sequences=True),
        lambda: rnnlite.GRU(F, 3, recurrent_dropout=0.5, seed=0),
    ],
    ids=["LSTM", "GRU"],
)
def test_a_layer_inside_another_is_told_that_it_is_trained(kind, layer):
    model, x = around(kind, layer()), rng(1).normal(size=(B, T, F)).astype("f")
    still = model.forward(x, training=False).copy()
    assert np.array_equal(still, model.forward(x)), "no mask where nobody trains"
    drawn = [model.forward(x, training=True).copy() for _ in range(2)]
    assert not np.array_equal(drawn[0], drawn[1])
    for part in np.split(drawn[0] - still, 2, axis=-1) if kind == "Bidirectional" else [still]:
        assert part.any(), "a direction without masks"
