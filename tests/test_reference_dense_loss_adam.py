"""The reference's dense layer, cross-entropy and Adam: by hand, and by central differences."""

import math

import numpy as np
import pytest
from reference_cells import central_differences

from rnnlite import reference

# --- dense, loss -----------------------------------------------------------------------------


def test_dense_by_hand():
    y = reference.dense_forward([[1, 2]], [[1.0, 10.0], [0.5, 5.0]], [100.0, 0.0])
    np.testing.assert_array_equal(y, [[102.0, 20.0]])
    dx, dW, db = reference.dense_backward([[1.0, 3.0]], [[1, 2]], [[1.0, 10.0], [0.5, 5.0]])
    np.testing.assert_array_equal(dx, [[31.0, 15.5]])
    np.testing.assert_array_equal(dW, [[1.0, 3.0], [2.0, 6.0]])
    np.testing.assert_array_equal(db, [1.0, 3.0])


@pytest.mark.parametrize("leading", [(), (4,), (2, 3)])
def test_dense_gradients_equal_central_differences(leading):
    rng = np.random.default_rng(5)
    x, W, b, dy = (rng.normal(size=s) for s in ((*leading, 3), (3, 2), (2,), (*leading, 2)))
    gradients = reference.dense_backward(dy, x, W)
    for array, gradient in zip((x, W, b), gradients, strict=True):
        expected = central_differences(lambda: np.sum(reference.dense_forward(x, W, b) * dy), array)
        np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-9)


def test_cross_entropy_by_hand():
    logits = np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]])  # p = (1, 2, 5)/8 and (1, 1, 2)/4
    loss, dlogits = reference.softmax_cross_entropy(logits, [2, 0])
    assert type(loss) is float
    assert loss == pytest.approx((math.log(8 / 5) + math.log(4)) / 2, rel=1e-15)
    expected = [[1 / 16, 2 / 16, -3 / 16], [-3 / 8, 1 / 8, 2 / 8]]  # (p - onehot) / 2
    np.testing.assert_allclose(dlogits, expected, rtol=1e-14)


def test_cross_entropy_takes_one_hot_rows_and_sequences():
    rng = np.random.default_rng(6)
    logits, labels = rng.normal(size=(2, 3, 4)), rng.integers(0, 4, size=(2, 3))
    loss, dlogits = reference.softmax_cross_entropy(logits, labels)
    for rows, targets in (
        (logits, np.eye(4)[labels]),
        (logits.reshape(6, 4), labels.ravel()),
        (logits.reshape(6, 4), np.eye(4, dtype=bool)[labels.ravel()]),
    ):
        other_loss, other_dlogits = reference.softmax_cross_entropy(rows, targets)
        assert other_loss == pytest.approx(loss, rel=1e-15)
        np.testing.assert_allclose(other_dlogits.reshape(dlogits.shape), dlogits, rtol=1e-14)


def test_cross_entropy_gradient_equals_central_differences():
    rng = np.random.default_rng(7)
    logits, labels = rng.normal(size=(3, 4)), np.array([0, 3, 3])
    _, dlogits = reference.softmax_cross_entropy(logits, labels)
    expected = central_differences(
        lambda: reference.softmax_cross_entropy(logits, labels)[0], logits
    )
    np.testing.assert_allclose(dlogits, expected, rtol=1e-8, atol=1e-10)


def test_cross_entropy_stays_finite_for_huge_logits():
    loss, dlogits = reference.softmax_cross_entropy([[1e4, -1e4], [1e30, 0.0]], [1, 0])
    assert loss == 1e4
    np.testing.assert_array_equal(dlogits, [[0.5, -0.5], [0.0, 0.0]])
    loss, _ = reference.softmax_cross_entropy([[0.0, -np.inf]], [0])  # an excluded class
    assert loss == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dlogits_have_the_dtype_of_the_logits_whatever_the_labels(dtype):
    logits = np.ones((2, 3), dtype=dtype)
    for labels in (np.array([0, 1]), np.eye(3)[:2]):
        assert reference.softmax_cross_entropy(logits, labels)[1].dtype == dtype


# --- Adam ------------------------------------------------------------------------------------


def test_the_first_two_adam_steps_by_hand():
    p, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    assert reference.adam_step(p, np.array([2.0]), m, v, 1, lr=0.1, beta1=0.5, beta2=0.75) is None
    assert (m.item(), v.item()) == (1.0, 1.0)  # 0.5 * 2, 0.25 * 4; m_hat = 2, v_hat = 4
    assert p.item() == pytest.approx(1.0 - 0.1 * 2 / (2 + 1e-8), rel=1e-15)
    before = p.item()
    reference.adam_step(p, np.array([-4.0]), m, v, 2, lr=0.1, beta1=0.5, beta2=0.75)
    assert (m.item(), v.item()) == (-1.5, 4.75)  # 0.5 - 2, 0.75 + 4
    m_hat, v_hat = -1.5 / 0.75, 4.75 / 0.4375  # 1 - 0.5^2, 1 - 0.75^2
    assert p.item() == pytest.approx(before - 0.1 * m_hat / (math.sqrt(v_hat) + 1e-8), rel=1e-15)


def test_adam_epsilon_stands_outside_the_corrected_root():
    p, m, v = np.zeros(1), np.zeros(1), np.zeros(1)
    reference.adam_step(p, np.array([1e-8]), m, v, 1, lr=1.0)
    # g / (|g| + eps) = 1/2; under the root it were 1e-4, beside the uncorrected one 0.3
    assert p.item() == pytest.approx(-0.5, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_writes_in_place_and_keeps_the_dtype(dtype):
    rng = np.random.default_rng(8)
    p, g = rng.normal(size=(2, 3)).astype(dtype), rng.normal(size=(2, 3)).astype(dtype)
    m, v, start, gradient = np.zeros_like(p), np.zeros_like(p), p.copy(), g.copy()
    reference.adam_step(p, g, m, v, 1)
    assert p.dtype == m.dtype == v.dtype == dtype
    np.testing.assert_allclose(p, start - 1e-3 * np.sign(g), rtol=1e-5)
    np.testing.assert_array_equal(g, gradient)
