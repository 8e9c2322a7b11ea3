"""The gradient of an embedding: no other row of the table is looked at."""

import numpy as np
import pytest
from conftest import assert_same_bits
from embedded import B, D, Indexed, N, T, X, plain_gradient

from rnnlite import Sequential, gradcheck
from rnnlite.kernels import embedding as kernels
from rnnlite.layers.embedding import Embedding


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
