"""Memory of layers: what is used again in training, what is yours to keep, what is never taken."""

import copy
import tracemalloc

import numpy as np
import pytest
from conftest import (
    assert_all_same_bits,
    assert_allocates_little,
    assert_refused,
    assert_same_bits,
    every_cell,
    needs_jit,
)
from layer_cases import B, I, T, every_model, prepared, rng, state_argument, state_arrays

import rnnlite
from rnnlite import Adam, Dense, Sequential, softmax_cross_entropy


@every_model
def test_training_gives_the_same_numbers(make, x):
    results = []
    for training in (False, True):
        model = make()
        y = model.forward(x, training=training).copy()
        dx = model.backward(np.ones_like(y)).copy()
        results.append({"y": y, "dx": dx} | copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])


@every_model
def test_results_outside_training_are_yours_to_keep(make, x):
    model = make()
    first = model.forward(x)
    dx_first = model.backward(np.ones_like(first))
    saved, dx_saved = first.copy(), dx_first.copy()
    for training in (True, False):
        second = model.forward(x + 1, training=training)
        dx_second = model.backward(np.full_like(second, 2.0))
        assert not np.shares_memory(first, second)
        assert not np.shares_memory(dx_first, dx_second)
    assert_same_bits("y", first, saved)
    assert_same_bits("dx", dx_first, dx_saved)


@every_model
def test_results_in_training_use_the_same_memory_again(make, x):
    model = make()
    first = model.forward(x, training=True)
    dx_first = model.backward(np.ones_like(first))
    second = model.forward(x + 1, training=True)
    dx_second = model.backward(np.ones_like(first))
    assert np.shares_memory(first, second)
    assert np.shares_memory(dx_first, dx_second)


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_a_change_of_the_batch_changes_no_result(make, x, training):
    model = make()
    for rows, steps in ((B, T), (1, T), (17, T), (2, 1), (17, T), (B, T)):
        batch = rng(rows).normal(size=(rows, steps, I))
        fresh = make()
        y, expected = model.forward(batch, training=training), fresh.forward(batch)
        assert_same_bits("y", y, expected)
        dy = rng(3).normal(size=y.shape)
        assert_same_bits("dx", model.backward(dy), fresh.backward(dy))
        assert_all_same_bits(model.grads, fresh.grads)


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_inference_gives_the_same_numbers_and_leaves_a_forward_pass_alone(make, x, training):
    model, twin = make(), make()
    dy = np.ones_like(twin.forward(x))
    expected = twin.backward(dy)
    model.forward(x, training=training)
    for steps in (T, T - 1, 1, T):
        for lengths in (None, np.minimum([1, 4, 2], steps)):
            y = model(x[:, :steps], lengths=lengths)
            assert_same_bits("y", y, twin.forward(x[:, :steps], lengths=lengths))
            y[...] = np.nan  # the caller's
    assert_same_bits("dx", model.backward(dy), expected)
    model(x)
    assert_refused(RuntimeError, [f"{type(model).__name__}.backward"], model.backward, dy)


@every_cell
@pytest.mark.parametrize("return_sequences", [True, False])
def test_inference_returns_the_same_final_state(cell, return_sequences):
    layer, a = prepared(cell, return_sequences)
    initial = state_argument(cell, (a[name] for name in cell.initial))
    for steps in (T, T - 1, 1):
        for lengths in (None, np.minimum([1, 4, 2], steps)):
            y = layer.forward(a["x"][:, :steps], initial, lengths)
            expected = state_arrays(cell, layer.final_state)
            inferred, final = layer(a["x"][:, :steps], initial, lengths, return_state=True)
            assert_same_bits("y", inferred, y)
            for name, state, wanted in zip(
                cell.states, state_arrays(cell, final), expected, strict=True
            ):
                assert_same_bits(f"{name}T", state, wanted)


@needs_jit
@every_cell
def test_memory_of_inference_does_not_grow_with_time(cell):
    def peak(steps):
        layer, x = cell.make(8, 40), np.zeros((32, steps, 8), np.float32)
        tracemalloc.start()
        try:
            layer(x)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # loads the kernels
    many, few = (min(peak(steps) for _ in range(3)) for steps in (200, 10))  # other threads apart
    assert many < 1.1 * few


@pytest.mark.quick(every=5)
@needs_jit
@every_cell
@pytest.mark.parametrize(("lengths", "n"), [(False, 1), (True, 2)], ids=["full", "ragged"])
def test_a_training_step_allocates_nothing(cell, lengths, n):
    """Views, tuples and messages to threads aside: a few KB, where the smallest array has 40."""
    rnnlite.set_num_threads(n)
    rows, steps, hidden, classes = 256, 4, 48, 40
    model = Sequential(
        [
            cell.make(20, hidden, return_sequences=True),
            cell.make(hidden, hidden),
            Dense(hidden, classes),
        ]
    )
    optimizer = Adam(model)
    x = rng().normal(size=(rows, steps, 20)).astype(np.float32)
    labels = rng().integers(0, classes, rows)
    lengths = rng().integers(1, steps + 1, rows) if lengths else None
    dlogits = np.empty((rows, classes), np.float32)

    def step():
        logits = model.forward(x, lengths=lengths, training=True)
        softmax_cross_entropy(logits, labels, out=dlogits)
        model.backward(dlogits, need_dx=False)
        optimizer.step()

    assert_allocates_little(step, 16_000)
