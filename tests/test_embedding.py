"""Embedding: rows looked up, gradients added up, and no other row of the table looked at."""

import numpy as np
import pytest
from conftest import (
    assert_all_same_bits,
    assert_allocates_little,
    assert_close,
    assert_refused,
    assert_same_bits,
    every_dtype,
    needs_jit,
    sized,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnlite
from rnnlite import Adam, Dense, Sequential, gradcheck, softmax_cross_entropy
from rnnlite.kernels import embedding as kernels
from rnnlite.layers.embedding import Embedding

N, D, B, T = 7, 5, 3, 4
X = np.array([[6, 0, 6, 2], [2, 2, 2, 2], [0, 6, 5, 1]])


def rng(seed=0):
    return np.random.default_rng(seed)


def valid(x, lengths):
    """Where the steps of x are not padding, (B, T) or (B,)."""
    if lengths is None:
        return np.ones(x.shape, bool)
    return np.arange(x.shape[1]) < np.asarray(lengths)[:, None]


def plain_gradient(x, dy, num_embeddings, lengths=None):
    """dW in plain NumPy, terms in ascending order of position."""
    dW = np.zeros((num_embeddings, dy.shape[-1]), dy.dtype)
    here = valid(x, lengths)
    np.add.at(dW, x[here], dy[here])
    return dW


class Indexed:
    """A layer or model as the gradient check takes anybody's own: indices stay whole numbers."""

    def __init__(self, layer):
        self.layer, self.params, self.grads = layer, layer.params, layer.grads

    def forward(self, x, lengths=None):
        return self.layer.forward(x, lengths=lengths)

    def backward(self, dy):
        return self.layer.backward(dy)


# --- parameters -----------------------------------------------------------------------------


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


# --- the gradient of a table that is looked at nowhere else ---------------------------------


def test_backward_neither_reads_nor_writes_rows_that_do_not_occur():
    layer = Embedding(N, D, seed=0)
    layer.forward([1, 2]), layer.backward(np.ones((2, D)))
    layer.grads["W"][4] = np.nan  # nobody should; it shows who comes by
    layer.forward([2, 3]), layer.backward(np.ones((2, D)))
    assert np.isnan(layer.grads["W"][4]).all()
    np.testing.assert_array_equal(layer.grads["W"][[0, 1, 2, 3, 5, 6], 0], [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(layer.touched, [2, 3])
    layer.zero_grads()
    assert not layer.grads["W"].any() and layer.touched.size == 0
    layer.forward([2, 3]), layer.backward(np.ones((2, D)))
    assert_same_bits(
        "dW", layer.grads["W"], plain_gradient(np.array([2, 3]), np.ones((2, D), "f"), N)
    )


def test_a_scaled_gradient_is_zeroed_like_any_other():
    layer = Embedding(N, D, seed=0)
    layer.forward([1, 2]), layer.backward(np.ones((2, D)))
    layer.flat_grads *= 0.5
    layer.forward([2, 3]), layer.backward(np.ones((2, D)))
    np.testing.assert_array_equal(layer.grads["W"][:, 0], [0, 0, 1, 1, 0, 0, 0])


def test_the_first_backward_starts_from_zeros():
    layer = Embedding(N, D, seed=0)
    layer.flat_grads[...] = 99.0
    layer.forward([1, 1]), layer.backward(np.ones((2, D)))
    np.testing.assert_array_equal(layer.grads["W"][:, 0], [0, 2, 0, 0, 0, 0, 0])


def test_the_gradient_starts_from_zeros_wherever_a_model_moves_it():
    layer = Embedding(N, D, seed=0)
    layer.forward([1, 2]), layer.backward(np.ones((2, D)))
    model = Sequential([layer])
    np.testing.assert_array_equal(model.grads["0.W"][:, 0], [0, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(layer.touched, [1, 2])
    model.flat_grads[...] = 99.0
    model.forward([2, 3]), model.backward(np.ones((2, D)))
    np.testing.assert_array_equal(model.grads["0.W"][:, 0], [0, 0, 1, 1, 0, 0, 0])
    outer = Sequential([model])
    outer.flat_grads[...] = 99.0
    outer.forward([4]), outer.backward(np.ones((1, D)))
    np.testing.assert_array_equal(outer.grads["0.0.W"][:, 0], [0, 0, 0, 0, 1, 0, 0])
    np.testing.assert_array_equal(layer.touched, [4])


def test_a_backward_that_broke_off_leaves_nothing_behind(monkeypatch):
    layer = Embedding(N, D, seed=0)
    layer.forward([1, 2]), layer.backward(np.ones((2, D)))

    def breaks_off(first, last, before, rows, dy, grads, D):
        grads[...] = 5.0
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kernels, "add_up", breaks_off)
        layer.forward([5])
        with pytest.raises(KeyboardInterrupt):
            layer.backward(np.ones((1, D)))
    layer.forward([3]), layer.backward(np.ones((1, D)))
    np.testing.assert_array_equal(layer.grads["W"][:, 0], [0, 0, 0, 1, 0, 0, 0])


def test_forward_passes_without_a_backward_leave_the_gradient_alone():
    layer = Embedding(N, D, seed=0)
    layer.forward([1, 2]), layer.backward(np.ones((2, D)))
    layer.forward(X), layer([3, 4])
    np.testing.assert_array_equal(layer.touched, [1, 2])
    layer.forward([5]), layer.backward(np.ones((1, D)))
    np.testing.assert_array_equal(layer.grads["W"][:, 0], [0, 0, 0, 0, 0, 1, 0])


def test_touched_is_empty_before_the_first_backward():
    layer = Embedding(N, D)
    layer.forward(X)
    assert_same_bits("touched", layer.touched, np.empty(0, np.int64))


# --- planted mistakes -----------------------------------------------------------------------


def planted(zeroes=True, adds=True, skips_padding=True, row_of=lambda row: row, factor=1.0):
    """``kernels.add_up`` in plain NumPy, wrong on request."""

    def add_up(first, last, before, rows, dy, grads, D):
        grads = grads.reshape(-1, D)
        mine = np.arange(len(grads)) % kernels.PARTS
        for part in range(first, last):
            if zeroes:
                stale = before[before >= 0]
                grads[stale[mine[stale] == part]] = 0.0
            for k, row in enumerate(rows):
                if (row >= 0 or not skips_padding) and mine[row] == part:
                    term = factor * dy[k * D : (k + 1) * D]
                    grads[row_of(row)] = term + (grads[row_of(row)] if adds else 0.0)

    return add_up


MISTAKES = {
    "rows stay": {"zeroes": False},
    "the last one wins": {"adds": False},
    "padding counts": {"skips_padding": False},
    "the row beside": {"row_of": lambda row: row - 1},
    "0.1% off": {"factor": 1.001},
}


@pytest.mark.parametrize("mistake", [{}, *MISTAKES.values()], ids=["none", *MISTAKES])
def test_planted_mistakes_are_caught(mistake, monkeypatch):
    """By the gradient check: each of its calls of backward follows another one."""
    monkeypatch.setattr(kernels, "add_up", planted(**mistake))
    layer = Embedding(N, D, seed=0, dtype="float64")
    layer.forward(X + (X < 6)), layer.backward(np.ones((B, T, D)))
    report = gradcheck.check(Indexed(layer), X, lengths=[4, 1, 2])
    assert report.passed == (not mistake), f"\n{report}"


# --- turns, memory, copies ------------------------------------------------------------------


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
