"""Embedding: rows looked up, and gradients added up."""

import numpy as np
import pytest
from conftest import (
    assert_all_same_bits,
    assert_close,
    assert_refused,
    assert_same_bits,
    every_dtype,
    needs_jit,
    sized,
)
from embedded import D, Indexed, N, X, plain_gradient, valid
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import rng

import rnnlite
from rnnlite import Dense, Sequential, gradcheck
from rnnlite.layers.embedding import Embedding


@every_dtype
def test_the_table_has_the_name_and_shape_of_the_contract(dtype):
    layer = Embedding(N, D, dtype=dtype)
    for arrays in (layer.params, layer.grads):
        assert list(arrays) == ["W"]
        assert arrays["W"].shape == (N, D) and arrays["W"].dtype == dtype
    assert not layer.grads["W"].any()
    assert layer.num_params() == layer.flat_params.size == N * D
    assert repr(layer) == "Embedding(7, 5)"
    assert Embedding(N, D).dtype == np.float32


def test_the_initial_table_is_normal():
    W = Embedding(500, 80, seed=3).params["W"]
    assert abs(W.mean()) < 4 * 0.05 / np.sqrt(W.size)
    assert W.std() == pytest.approx(0.05, rel=0.02)
    assert (np.abs(W) < 0.05).mean() == pytest.approx(0.6827, abs=0.01)


def test_one_seed_gives_the_same_table_and_another_seed_another():
    first, exact = Embedding(N, D, seed=7), Embedding(N, D, seed=7, dtype="float64")
    assert_same_bits("W", Embedding(N, D, seed=7).flat_params, first.flat_params)
    assert_same_bits("W", exact.flat_params.astype(np.float32), first.flat_params)
    for other in (Embedding(N, D, seed=8), Embedding(N, D)):
        assert not np.array_equal(first.flat_params, other.flat_params)


# --- forward and backward -------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("x", [X, X[:, 0]], ids=["(B, T)", "(B,)"])
def test_forward_copies_rows_and_backward_adds_them_up(dtype, x):
    layer = Embedding(N, D, seed=0, dtype=dtype)
    y = layer.forward(x)
    assert_same_bits("y", y, layer.params["W"][x])
    dy = rng().normal(size=y.shape).astype(dtype)
    assert layer.backward(dy) is None
    assert_same_bits("dW", layer.grads["W"], plain_gradient(x, dy, N))
    assert_same_bits("touched", layer.touched, np.unique(x))


def test_the_gradient_worked_out_by_hand():
    layer = Embedding(4, 2, dtype="float64")
    layer.forward([[3, 0, 3], [1, 0, 0]], lengths=[3, 1])
    layer.backward([[[1, 10], [2, 20], [4, 40]], [[8, 80], [100, 100], [100, 100]]])
    np.testing.assert_array_equal(layer.grads["W"], [[2, 20], [8, 80], [0, 0], [5, 50]])
    np.testing.assert_array_equal(layer.touched, [0, 1, 3])


@pytest.mark.parametrize("x", [X, X[:, 0]], ids=["(B, T)", "(B,)"])
def test_it_is_dense_without_bias_on_one_hot_vectors(x):
    layer = Embedding(N, D, seed=0, dtype="float64")
    dense = Dense(N, D, dtype="float64")
    dense.params["W"][...] = layer.params["W"]
    y, expected = layer.forward(x), dense.forward(np.eye(N)[x])
    assert_close("y", y, expected, 1e-15)
    dy = rng().normal(size=y.shape)
    layer.backward(dy), dense.backward(dy)
    assert_close("dW", layer.grads["W"], dense.grads["W"], 1e-14)


@pytest.mark.parametrize("lengths", [None, [4, 1, 2]], ids=["full", "ragged"])
def test_the_row_of_padding_idx_is_a_constant(lengths):
    plain, layer = (Embedding(N, D, seed=0, padding_idx=index) for index in (None, 2))
    assert not layer.params["W"][2].any() and plain.params["W"][2].any()
    assert repr(layer) == "Embedding(7, 5, padding_idx=2)"
    layer.params["W"] = plain.params["W"]
    for _ in range(2):  # the second backward begins from what the first has written
        y = layer.forward(X, lengths=lengths)
        dy = rng(1).normal(size=y.shape).astype("f")
        assert_same_bits("y", y, plain.forward(X, lengths=lengths))
        assert layer.backward(dy) is None is plain.backward(dy)
        expected = plain.grads["W"].copy()
        expected[2] = 0.0
        assert_same_bits("dW", layer.grads["W"], expected)
        assert 2 in plain.touched and 2 not in layer.touched
    report = gradcheck.check(Indexed(layer.copy("float64")), np.where(X == 2, 3, X))
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize(("value", "error"), [(N, ValueError), (-1, ValueError), (1.0, TypeError)])
def test_a_padding_idx_that_is_no_row_is_refused(value, error):
    assert_refused(error, ["Embedding: padding_idx is"], Embedding, N, D, padding_idx=value)


@pytest.mark.parametrize("lengths", [None, [4, 1, 2]], ids=["full", "ragged"])
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_it_equals_pytorch(lengths, padding_idx):
    torch = pytest.importorskip("torch", reason="PyTorch is the yardstick of this test alone")
    layer = Embedding(N, D, seed=0, dtype="float64", padding_idx=padding_idx)
    twin = torch.nn.Embedding(N, D, padding_idx, dtype=torch.float64)
    with torch.no_grad():
        twin.weight[...] = torch.from_numpy(layer.params["W"])
    mask = torch.from_numpy(valid(X, lengths))[..., None]
    y, expected = layer.forward(X, lengths=lengths), twin(torch.from_numpy(X)) * mask
    assert_same_bits("y", y, expected.detach().numpy())
    dy = rng(1).normal(size=y.shape)
    layer.backward(dy)
    expected.backward(torch.from_numpy(dy))
    assert_close("dW", layer.grads["W"], twin.weight.grad.numpy(), 1e-15)


@pytest.mark.parametrize("lengths", [None, [4, 1, 2]], ids=["full", "ragged"])
def test_the_gradient_check_passes(lengths):
    layer = Embedding(N, D, seed=0, dtype="float64")
    report = gradcheck.check(Indexed(layer), X, lengths=lengths)
    assert report.passed, f"\n{report}"
    assert [array.name for array in report.arrays] == ["W"]


@pytest.mark.parametrize("lengths", [None, [4, 1, 2]], ids=["full", "ragged"])
def test_the_gradient_check_of_a_model_that_begins_with_it_passes(lengths):
    model = Sequential([
        Embedding(N, D, seed=0, dtype="float64"),
        rnnlite.LSTM(D, 3, seed=1, dtype="float64"),
        Dense(3, 2, seed=2, dtype="float64"),
    ])  # fmt: skip
    report = gradcheck.check(Indexed(model), X, labels=[0, 1, 1], lengths=lengths)
    assert report.passed, f"\n{report}"
    assert "0.W" in [array.name for array in report.arrays]


@every_dtype
@settings(max_examples=sized(60, 20))
@given(data=st.data())
def test_batches_of_any_shape_one_after_the_other_equal_plain_numpy(dtype, data):
    num_embeddings, dim = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 70))
    layer = Embedding(num_embeddings, dim, seed=0, dtype=dtype)
    for _ in range(data.draw(st.integers(1, 3))):
        batch, steps = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 6))
        random = rng(data.draw(st.integers(0, 1000)))
        x = random.integers(0, num_embeddings, (batch, steps) if steps else batch)
        lengths = None
        if steps and data.draw(st.booleans()):
            lengths = random.integers(1, steps + 1, batch)
        training = data.draw(st.booleans())
        y = layer.forward(x, lengths=lengths, training=training)
        here = valid(x, lengths)
        assert_same_bits("y", y, np.where(here[..., None], layer.params["W"][x], dtype(0)))
        dy = random.normal(size=y.shape).astype(dtype)
        layer.backward(dy)
        expected = plain_gradient(x, dy, num_embeddings, lengths)
        assert_same_bits("dW", layer.grads["W"], expected)
        assert_same_bits("touched", layer.touched, np.unique(x[here]))


@pytest.mark.parametrize("training", [False, True])
def test_padding_adds_no_gradient_whatever_dy_holds_there(training):
    layer, lengths = Embedding(N, D, seed=0), [4, 1, 2]
    padding = ~valid(X, lengths)
    results = []
    for junk in (0.0, np.nan):
        y = layer.forward(X, lengths=lengths, training=training)
        assert not y[padding].any()
        dy = np.ones_like(y)
        dy[padding] = junk
        layer.backward(dy)
        results.append({"dW": layer.grads["W"].copy(), "touched": layer.touched})
    assert_all_same_bits(results[1], results[0])
    np.testing.assert_array_equal(results[1]["touched"], [0, 2, 6])  # 1 and 5 are padding


def test_lengths_of_one_batch_are_forgotten_in_the_next():
    layer = Embedding(N, D, seed=0)
    layer.forward(X, lengths=[1, 1, 1])
    assert_same_bits("y", layer.forward(X), layer.params["W"][X])


@pytest.mark.parametrize("kind", ["u1", "i2", "u4", "i8", "u8", ">i4"])
def test_any_whole_numbers_are_indices(kind):
    layer = Embedding(300, D, seed=0)
    x = X.astype(kind)
    assert_same_bits("y", layer.forward(x), layer.params["W"][X])
    assert_same_bits("y", layer.forward(x.T[::2]), layer.params["W"][X.T[::2]])
    assert_same_bits("y", layer.forward(X.tolist()), layer.params["W"][X])


def test_a_nan_in_the_table_or_in_dy_stays_in_its_row():
    layer = Embedding(N, D, seed=0)
    layer.params["W"][2, 1] = np.nan
    y = layer.forward(X)
    np.testing.assert_array_equal(np.isnan(y).any(axis=-1), X == 2)
    dy = np.ones_like(y)
    dy[0, 0, 3] = np.nan
    layer.backward(dy)
    np.testing.assert_array_equal(np.argwhere(np.isnan(layer.grads["W"])), [[6, 3]])


@needs_jit
@every_dtype
def test_the_bits_are_the_same_at_any_number_of_threads(dtype, work_for_many):
    num_embeddings, dim, n = 1000, 67, 20_000
    assert n * dim > 3 * work_for_many
    batches = [rng(seed).zipf(1.3, n) % num_embeddings for seed in range(2)]
    dy = rng(2).normal(size=(n, dim)).astype(dtype)
    results = []
    for count in (1, 2, 3, 40):
        rnnlite.set_num_threads(count)
        layer = Embedding(num_embeddings, dim, seed=0, dtype=dtype)
        for x in batches:
            y = layer.forward(x)
            layer.backward(dy)
        results.append({"y": y, "dW": layer.grads["W"]})
    for result in results:
        assert_same_bits("dW", result["dW"], plain_gradient(x, dy, num_embeddings))
        assert_all_same_bits(result, results[0])
