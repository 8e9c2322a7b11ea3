"""Cross-entropy with label smoothing, class weights and padding, held to its definition."""

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits, every_dtype
from loss_cases import (
    OPTIONS,
    WRONG_WEIGHTS,
    B,
    C,
    T,
    case,
    check_against_definition,
    counted_rows,
    slow_cross_entropy,
)

from rnnlite.losses import softmax_cross_entropy

every_option = pytest.mark.parametrize("name", OPTIONS)
one_hot_or_not = pytest.mark.parametrize("kind", ["classes", "one-hot", "probabilities"])


# --- cross-entropy --------------------------------------------------------------------------


@every_option
@one_hot_or_not
def test_cross_entropy_is_the_definition_and_its_derivative(name, kind):
    logits, labels, options = case(name, kind)
    check_against_definition(softmax_cross_entropy, slow_cross_entropy, logits, labels, options)


@every_option
def test_a_one_hot_label_is_worth_the_same_as_its_class(name):
    logits, labels, options = case(name)
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    other_loss, other = softmax_cross_entropy(logits, np.eye(C)[labels], **options)
    assert_close("loss", other_loss, loss, 1e-14)
    assert_close("dlogits", other, dlogits, 1e-14)


@every_option
@pytest.mark.parametrize("kind", ["classes", "probabilities"])
def test_cross_entropy_is_that_of_pytorch(name, kind):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    logits, labels, options = case(name, kind)
    counted = counted_rows(
        logits.shape[:-1], **{k: v for k, v in options.items() if k in ("mask", "lengths")}
    )
    x = torch.tensor(logits, requires_grad=True)
    weights = options.get("class_weights")
    weights = np.ones(C) if weights is None else np.asarray(weights, float)
    expected = torch.nn.functional.cross_entropy(
        x[torch.tensor(counted)],
        torch.tensor(labels[counted]),
        weight=torch.tensor(weights),
        label_smoothing=options.get("label_smoothing", 0.0),
    )
    if kind == "probabilities":  # PyTorch divides by the rows there, whatever they weigh
        expected = expected * counted.sum() / (labels[counted] * weights).sum()
    expected.backward()
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    assert_close("loss", loss, expected.item(), 1e-10)
    assert_close("dlogits", dlogits, x.grad.numpy(), 1e-10)


def test_options_that_change_nothing_change_nothing():
    for name in ("plain", "every-step"):
        logits, labels, _ = case(name)
        loss, dlogits = softmax_cross_entropy(logits, labels)
        for option in (
            {"class_weights": np.ones(C)},
            {"class_weights": np.full(C, 7.0)},
            {"mask": np.ones(B, bool)},
            {"mask": np.ones(labels.shape, bool), "label_smoothing": 0.0},
        ):
            other_loss, other = softmax_cross_entropy(logits, labels, **option)
            assert_close("loss", other_loss, loss, 1e-14)
            assert_close("dlogits", other, dlogits, 1e-14)


@pytest.mark.parametrize("name", ["mask", "mask-of-rows", "mask-of-steps", "lengths", "everything"])
@one_hot_or_not
@every_dtype
def test_padding_reaches_neither_loss_nor_gradient(name, kind, dtype):
    logits, labels, options = case(name, kind, dtype)
    padding = {k: v for k, v in options.items() if k in ("mask", "lengths")}
    outside = ~counted_rows(logits.shape[:-1], **padding)
    assert outside.any()
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    assert_same_bits("dlogits of padding", dlogits[outside], np.zeros_like(logits[outside]))
    for anything in (np.nan, np.inf, -np.inf, 1e30):
        spoiled, spoiled_labels = logits.copy(), labels.copy()
        spoiled[outside] = anything
        spoiled_labels[outside] = -100 if kind == "classes" else anything
        out = np.full_like(logits, np.nan)
        other_loss, other = softmax_cross_entropy(spoiled, spoiled_labels, out, **options)
        assert other_loss == loss
        assert_same_bits("dlogits", other, dlogits)
        assert other is out


@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_a_nan_that_counts_reaches_the_loss(kind):
    logits, labels, options = case("everything", kind)
    logits[2, 1, 4] = np.nan
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    assert np.isnan(loss)
    assert np.isnan(dlogits[2, 1]).all()
    assert np.isfinite(dlogits[0]).all()


def test_an_excluded_class_costs_nothing_without_smoothing_and_everything_with_it():
    logits = np.array([[0.0, 0.0, -np.inf]])
    loss, dlogits = softmax_cross_entropy(logits, [0], class_weights=[1, 1, 1])
    assert_close("loss", loss, np.log(2.0), 1e-15)
    assert_close("dlogits", dlogits, [[-0.5, 0.5, 0.0]], 1e-15)
    assert softmax_cross_entropy(logits, [0], label_smoothing=0.1)[0] == np.inf


@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_an_excluded_class_of_weight_0_costs_nothing_at_all(kind):
    logits = np.array([[0.0, 1.0, -np.inf], [1.0, 0.0, -np.inf], [0.0, 0.0, -np.inf]])
    labels = [0, 1, 2] if kind == "classes" else np.eye(3)
    options = {"class_weights": [1.0, 1.0, 0.0], "label_smoothing": 0.3}
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    u = np.array([[0.8, 0.1], [0.1, 0.8], [0.1, 0.1]])
    log_p = logits[:, :2] - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert_close("loss", loss, -(u * log_p).sum() / 2, 1e-14)
    expected = (u.sum(axis=1, keepdims=True) * np.exp(log_p) - u) / 2
    assert_close("dlogits", dlogits, np.column_stack([expected, np.zeros(3)]), 1e-14)


@every_option
@one_hot_or_not
@every_dtype
@pytest.mark.parametrize("shift", [-1e30, 1e30])
def test_huge_logits_cost_what_equal_ones_do(name, kind, dtype, shift):
    """The shift swallows the differences; it must not swallow the logarithm of the sum."""
    logits, labels, options = case(name, kind)
    loss, dlogits = softmax_cross_entropy(np.zeros_like(logits), labels, **options)
    shifted = logits.astype(dtype) + dtype(shift)
    other_loss, other = softmax_cross_entropy(shifted, labels, **options)
    assert_close("loss", other_loss, loss, 1e-6)
    assert_close("dlogits", other, dlogits, 1e-6)


@every_option
@one_hot_or_not
def test_float32_is_close_to_float64(name, kind):
    logits, labels, options = case(name, kind, np.float32)
    if kind != "classes":
        labels = labels.astype(np.float64)
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    wanted_loss, wanted = softmax_cross_entropy(logits.astype(np.float64), labels, **options)
    assert dlogits.dtype == np.float32
    assert_close("loss", loss, wanted_loss, 1e-6)
    assert_close("dlogits", dlogits, wanted, 1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "fragments"),
    [
        ({"label_smoothing": 1.5}, ValueError, ["label_smoothing is 1.5", "[0.0, 1.0]"]),
        ({"label_smoothing": np.zeros(2)}, TypeError, ["label_smoothing is array", "a number"]),
        ({"label_smoothing": False}, TypeError, ["label_smoothing is False", "a number"]),
        ({"label_smoothing": "0"}, TypeError, ["label_smoothing is '0'", "a number"]),
        ({"class_weights": [1, 2]}, ValueError, ["class_weights has shape (2,)", "(5,)"]),
        ({"class_weights": [1, 2, 3, 4, -1]}, ValueError, ["class_weights", "-1", "not negative"]),
        ({"class_weights": [1, 2, 3, 4, np.nan]}, ValueError, ["class_weights", "finite"]),
        ({"class_weights": [0] * 5}, ValueError, ["class_weights is 0 for every class"]),
        ({"mask": [[1, 1, 1]] * 4}, TypeError, ["mask holds int64", "True and False"]),
        ({"mask": [True] * 3}, ValueError, ["mask has shape (3,)", "(4,) or (4, 3)", "(4, 3, 5)"]),
        ({"mask": True}, ValueError, ["mask has shape ()"]),
        ({"mask": np.ones((B, T, C), bool)}, ValueError, ["mask has shape (4, 3, 5)"]),
        ({"mask": [True] * 4, "lengths": [1] * 4}, ValueError, ["mask and lengths", "one of them"]),
        ({"lengths": [1, 2, 3, 4]}, ValueError, ["lengths runs from 1 to 4", "0..3"]),
        ({"lengths": [1, 2, 3]}, ValueError, ["lengths has shape (3,)", "(4,)"]),
        *WRONG_WEIGHTS,
    ],
)
@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_wrong_options_are_explained(arguments, error, fragments, kind):
    labels = np.zeros((B, T), int) if kind == "classes" else np.tile(np.eye(C)[0], (B, T, 1))
    assert_refused(
        error, ["softmax_cross_entropy: ", *fragments],
        softmax_cross_entropy, np.zeros((B, T, C)), labels, **arguments,
    )  # fmt: skip


def test_wrong_labels_are_explained_only_where_they_count():
    logits = np.zeros((2, C))
    fragments = ["labels runs from -1 to 0", "0..4"]
    assert_refused(ValueError, fragments, softmax_cross_entropy, logits, [0, -1], label_smoothing=1)
    mask = [True, False]
    assert softmax_cross_entropy(logits, [0, -1], mask=mask)[0] > 0
    mask = [False, True]
    assert_refused(
        ValueError, ["labels runs from -1 to -1"], softmax_cross_entropy, logits, [0, -1], mask=mask
    )
    q = np.full((2, C), 0.2)
    q[1] = 0.0
    assert softmax_cross_entropy(logits, q, mask=[True, False])[0] > 0
    assert_refused(
        ValueError, ["must sum to 1 (found 0 to 0)"], softmax_cross_entropy, logits, q, mask=mask
    )
    assert_refused(
        ValueError, ["lengths is for logits of 3 axes", "(2, 5)"],
        softmax_cross_entropy, logits, [0, 0], lengths=[1, 1],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("logits", "labels", "error", "fragments"),
    [
        (np.zeros(3), [0], ValueError, ["logits has shape (3,)", "(batch, classes)"]),
        (np.zeros((2, 3)), [0, 1, 2], ValueError, ["labels has shape (3,)", "(2,)", "(2, 3)"]),
        (np.zeros((2, 3)), [0.0, 1.0], TypeError, ["labels holds float64", "whole numbers"]),
    ],
)
def test_wrong_arrays_are_explained(logits, labels, error, fragments):
    fragments = ["softmax_cross_entropy: ", *fragments]
    assert_refused(error, fragments, softmax_cross_entropy, logits, labels, label_smoothing=0.1)
