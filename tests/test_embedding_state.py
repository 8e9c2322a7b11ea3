"""Embedding: its turns, memory and copies, and what it refuses."""

import numpy as np
import pytest
from conftest import assert_allocates_little, assert_refused, assert_same_bits, needs_jit, sized
from embedded import B, D, N, T, X, plain_gradient
from layer_cases import rng

import rnnlite
from rnnlite import Adam, Dense, Sequential, softmax_cross_entropy
from rnnlite.layers.embedding import Embedding


@pytest.mark.parametrize("training", [False, True])
def test_each_forward_allows_one_backward(training):
    layer, dy = Embedding(N, D), np.ones((B, T, D))
    fragments = ["Embedding.backward", "forward"]
    assert_refused(RuntimeError, fragments, layer.backward, dy)
    layer.forward(X, training=training), layer.backward(dy)
    assert_refused(RuntimeError, fragments, layer.backward, dy)
    layer(X)
    assert_refused(RuntimeError, fragments, layer.backward, dy)


def test_a_refused_gradient_can_be_corrected():
    layer = Embedding(N, D, seed=0)
    layer.forward(X)
    assert_refused(ValueError, ["dy has shape"], layer.backward, np.ones((B, T)))
    layer.backward(np.ones((B, T, D)))
    assert_same_bits("dW", layer.grads["W"], plain_gradient(X, np.ones((B, T, D), "f"), N))


def test_only_in_training_the_output_is_memory_of_the_layer():
    layer = Embedding(N, D, seed=0)
    first = layer.forward(X)
    kept = first.copy()
    second, third = layer.forward(X[:, ::-1], training=True), layer.forward(X, training=True)
    assert np.shares_memory(second, third)
    assert not any(np.shares_memory(layer.forward(X), other) for other in (first, second))
    assert_same_bits("y", first, kept)
    assert_same_bits("y", third, kept)


def test_it_keeps_its_own_copy_of_the_indices():
    layer, x = Embedding(N, D, seed=0), X.copy()
    layer.forward(x)
    x[...] = 3
    layer.backward(np.ones((B, T, D)))
    np.testing.assert_array_equal(layer.touched, np.unique(X))


def test_read_only_arguments_are_taken_and_left_alone():
    layer = Embedding(N, D, seed=0)
    x, dy, lengths = X.copy(), np.ones((B, T, D), np.float32), np.array([4, 1, 2])
    for array in (x, dy, lengths):
        array.flags.writeable = False
    for training in (False, True):
        layer.forward(x, lengths=lengths, training=training), layer.backward(dy)
    np.testing.assert_array_equal(x, X)


@pytest.mark.quick(every=2)
@needs_jit
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
def test_a_training_step_allocates_nothing(ragged):
    rows, steps, dim = 64, 40, 16
    layer = Embedding(100, dim, seed=0)
    batches = [rng(seed).integers(0, 100, (rows, steps)) for seed in range(2)]
    lengths = rng().integers(1, steps + 1, rows) if ragged else None
    dy = np.ones((rows, steps, dim), np.float32)

    def step():
        for x in batches:
            layer.forward(x, lengths=lengths, training=True)
            layer.backward(dy)

    assert_allocates_little(step, 16_000)  # the indices take 20,000


def test_a_copy_is_equal_and_independent():
    layer = Embedding(N, D, seed=0)
    y = layer.forward(X)
    layer.backward(y)
    layer.forward(X)
    gradient, touched = layer.grads["W"].copy(), layer.touched.copy()
    twin, exact = layer.copy(), layer.copy("float64")
    assert_same_bits("y", twin.forward([4, 0]), layer.params["W"][[4, 0]])
    assert_same_bits("W", exact.params["W"], layer.params["W"].astype(np.float64))
    assert exact.forward(X).dtype == np.float64
    twin.backward(np.ones((2, D)))
    np.testing.assert_array_equal(twin.touched, [0, 4])
    twin.params["W"][...] = 0.0
    assert_same_bits("y", layer.forward(X), y)
    assert_same_bits("dW", layer.grads["W"], gradient)
    assert_same_bits("touched", layer.touched, touched)
    layer.backward(y)
    assert_same_bits("dW", layer.grads["W"], gradient)


def test_a_copy_has_no_gradient_and_starts_from_zeros():
    layer = Embedding(N, D, seed=0)
    layer.forward(X), layer.backward(np.ones((B, T, D)))
    twin = layer.copy()
    assert twin.touched.size == 0 and not twin.grads["W"].any()
    twin.flat_grads[...] = 99.0
    twin.forward([4]), twin.backward(np.ones((1, D)))
    np.testing.assert_array_equal(twin.grads["W"][:, 0], [0, 0, 0, 0, 1, 0, 0])


def test_a_copy_has_no_forward_pass():
    layer = Embedding(N, D, seed=0)
    layer.forward(X)
    assert_refused(RuntimeError, ["backward"], layer.copy().backward, np.ones((B, T, D)))
    layer.backward(np.ones((B, T, D)))


def test_a_model_learns_which_sequences_hold_a_word():
    x = rng().integers(0, 8, (32, 6))
    labels = (x == 3).any(axis=1).astype(int)
    model = Sequential([Embedding(8, 8, seed=0), rnnlite.GRU(8, 16, seed=1), Dense(16, 2, seed=2)])
    optimizer = Adam(model, lr=0.02)
    losses = []
    for _ in range(sized(60, 20)):
        loss, dlogits = softmax_cross_entropy(model.forward(x, training=True), labels)
        losses.append(loss)
        model.backward(dlogits, need_dx=False)
        optimizer.step()
    assert losses[-1] < sized(0.05, 0.9) * losses[0]


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-3, ValueError), (2.0, TypeError), ("8", TypeError), (None, TypeError),
     (True, TypeError), ([4], TypeError)],
)  # fmt: skip
def test_sizes_must_be_whole_numbers_above_zero(value, error):
    assert_refused(error, [f"Embedding: num_embeddings is {value!r}"], Embedding, value, 4)
    assert_refused(error, [f"Embedding: dim is {value!r}"], Embedding, 4, value)
    assert Embedding(np.int64(2), np.uint8(3)).num_params() == 6


def test_other_bad_arguments_are_refused_by_name():
    for seed, error in (("a", TypeError), (-1, ValueError), (1.5, TypeError)):
        assert_refused(error, [f"Embedding: seed is {seed!r}"], Embedding, 2, 3, seed=seed)
    for dtype in ("float16", "int32", "nonsense"):
        fragments = [f"Embedding: dtype is {dtype!r}", "'float32' or 'float64'"]
        assert_refused(ValueError, fragments, Embedding, 2, 3, dtype=dtype)


@pytest.mark.parametrize(
    ("x", "kind"),
    [([1.0, 2.0], "float64"), (np.ones(3, np.float32), "float32"), ([True, False], "bool"),
     (["a"], "<U1"), ([1j], "complex128"), (None, "object"), ([], "float64")],
)  # fmt: skip
def test_indices_must_be_whole_numbers(x, kind):
    fragments = [f"Embedding.forward: x holds {kind}; it must hold whole numbers"]
    assert_refused(TypeError, fragments, Embedding(N, D).forward, x)


@pytest.mark.parametrize("shape", [(), (2, 3, 4), (0,), (0, 4), (3, 0)])
def test_indices_of_a_wrong_shape_are_refused(shape):
    fragments = [f"Embedding.forward: x has shape {shape}; wanted (batch,) or (batch, time)"]
    assert_refused(ValueError, fragments, Embedding(N, D).forward, np.ones(shape, int))


@pytest.mark.parametrize(
    ("x", "low", "high"),
    [([0, 7], 0, 7), ([[-1, 2]], -1, 2), ([-5, 900], -5, 900),
     (np.array([2**64 - 1, 3], np.uint64), 3, 2**64 - 1)],
)  # fmt: skip
def test_indices_outside_the_table_are_refused_with_their_range(x, low, high):
    layer = Embedding(N, D)
    fragments = [f"Embedding.forward: x runs from {low} to {high}", "0..6"]
    assert_refused(ValueError, fragments, layer.forward, x)
    assert_refused(RuntimeError, ["forward"], layer.backward, np.ones((2, D)))


def test_bad_lengths_are_refused():
    layer = Embedding(N, D)
    for lengths, error in (
        ([-1, 1, 1], ValueError), ([5, 1, 1], ValueError), ([1, 1], ValueError),
        ([1.0, 2.0, 3.0], TypeError), (3, ValueError),
    ):  # fmt: skip
        fragments = ["Embedding.forward: lengths "]
        assert_refused(error, fragments, layer.forward, X, lengths=lengths)
    fragments = ["lengths were given", "(3,)", "(batch, time)"]
    assert_refused(ValueError, fragments, layer.forward, [1, 2, 3], lengths=[1, 1, 1])


def test_a_wrong_gradient_is_refused_with_both_shapes():
    layer = Embedding(N, D)
    layer.forward(X)
    fragments = ["Embedding.backward: dy has shape (3, 4, 6)", "(3, 4, 5)"]
    assert_refused(ValueError, fragments, layer.backward, np.ones((B, T, 6)))
    fragments = ["Embedding.backward: dy ", "real numbers"]
    assert_refused(TypeError, fragments, layer.backward, np.ones((B, T, D), complex))


def test_padding_may_hold_any_index():
    layer, lengths = Embedding(5, 3, seed=0), [3, 1, 0]
    clean = np.array([[1, 2, 3], [4, 0, 0], [0, 0, 0]])
    dirty = np.array([[1, 2, 3], [4, -1, 99], [-100, 2**40, 7]])
    assert_same_bits("y", layer.forward(dirty, lengths=lengths), layer(clean, lengths=lengths))
    layer.backward(np.ones((3, 3, 3)))
    assert layer.touched.tolist() == [1, 2, 3, 4]
    fragments = ["x runs from 1 to 5; each must lie in 0..4"]
    assert_refused(ValueError, fragments, layer, clean + (clean == 4), lengths=lengths)
