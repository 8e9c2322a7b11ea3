"""Softmax and cross-entropy: the value, the gradient, the extremes, the refusals."""

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits, every_dtype, sized
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import rng

import rnnlite
from rnnlite import functional, reference, softmax_cross_entropy

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-14}


def problem(shape=(5, 4), dtype=np.float64, seed=0, size=2.0):
    """Random logits and a class for each row."""
    generator = rng(seed)
    logits = generator.normal(0.0, size, shape).astype(dtype)
    return logits, generator.integers(0, shape[-1], shape[:-1])


def soft(shape, seed=1):
    """A probability for each class in every row; some of them zero."""
    weights = np.maximum(rng(seed).normal(size=shape), 0.0) + np.eye(shape[-1])[0]
    return weights / weights.sum(axis=-1, keepdims=True)


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def truth(logits, targets):
    """Loss and gradient in extended precision, straight from the definition."""
    a, q = logits.astype(np.longdouble), np.asarray(targets, np.longdouble)
    p = np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)
    rows = a[..., 0].size
    return float(-np.sum(q * np.log(p)) / rows), ((p - q) / rows).astype(np.float64)


# --- the value and the gradient -------------------------------------------------------------

SHAPES = [(1, 1), (1, 2), (5, 4), (7, 10), (3, 4, 5), (33, 1000), (1, 1, 3)]


@every_dtype
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["classes", "one-hot", "probabilities"])
def test_loss_and_gradient_equal_the_definition_and_the_reference(shape, dtype, kind):
    logits, classes = problem(shape, dtype)
    targets = soft(shape) if kind == "probabilities" else one_hot(classes, shape[-1])
    labels = classes if kind == "classes" else targets
    loss, dlogits = softmax_cross_entropy(logits, labels)
    assert type(loss) is float
    assert dlogits.dtype == dtype
    for wanted_loss, wanted in (
        truth(logits, targets),
        reference.softmax_cross_entropy(logits.astype(np.float64), labels),
    ):
        assert loss == pytest.approx(wanted_loss, rel=TOLERANCE[dtype], abs=TOLERANCE[dtype])
        assert_close("dlogits", dlogits, wanted, TOLERANCE[dtype])


@pytest.mark.long
@settings(max_examples=sized(200, 100))
@given(
    st.integers(1, 40), st.integers(1, 40), st.floats(0.1, 30.0), st.integers(0, 2**32 - 1),
    st.booleans(),
)  # fmt: skip
def test_any_number_of_rows_and_classes_equals_the_reference(rows, classes, size, seed, narrow):
    dtype = np.float32 if narrow else np.float64
    logits, labels = problem((rows, classes), dtype, seed, size)
    loss, dlogits = softmax_cross_entropy(logits, labels)
    wanted_loss, wanted = reference.softmax_cross_entropy(logits.astype(np.float64), labels)
    assert loss == pytest.approx(wanted_loss, rel=1e-5 if narrow else 1e-13, abs=1e-6)
    assert_close("dlogits", dlogits, wanted, 1e-6 if narrow else 1e-14)


@pytest.mark.parametrize("kind", ["classes", "probabilities"])
@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4)])
def test_the_gradient_equals_central_differences(shape, kind):
    logits, classes = problem(shape)
    labels = classes if kind == "classes" else soft(shape)
    numeric, step = np.zeros_like(logits), 1e-5
    for index in np.ndindex(shape):
        moved = logits.copy()
        moved[index] += step
        above, _ = softmax_cross_entropy(moved, labels)
        moved[index] -= 2 * step
        below, _ = softmax_cross_entropy(moved, labels)
        numeric[index] = (above - below) / (2 * step)
    assert_close("dlogits", softmax_cross_entropy(logits, labels)[1], numeric, 1e-9)


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    for classes in (1, 2, 10):
        loss, dlogits = softmax_cross_entropy(np.full((3, classes), 7.0), [0, 0, classes - 1])
        assert loss == pytest.approx(np.log(classes), abs=1e-15)
        expected = (1 / classes - one_hot([0, 0, classes - 1], classes)) / 3
        assert_close("dlogits", dlogits, expected, 1e-15)


def test_the_gradient_of_every_row_sums_to_zero():
    logits, labels = problem((50, 10), size=5.0)
    _, dlogits = softmax_cross_entropy(logits, labels)
    assert np.abs(dlogits.sum(axis=1)).max() < 1e-16


def test_the_mean_is_over_batch_and_time():
    logits, labels = problem((3, 4, 5))
    loss, dlogits = softmax_cross_entropy(logits, labels)
    flat_loss, flat = softmax_cross_entropy(logits.reshape(12, 5), labels.ravel())
    assert loss == flat_loss
    assert_same_bits("dlogits", dlogits.reshape(12, 5), flat)
    single = [softmax_cross_entropy(logits[b, [t]], labels[b, [t]])[0]
              for b, t in np.ndindex(3, 4)]  # fmt: skip
    assert loss == pytest.approx(np.mean(single), rel=1e-14)


def test_one_function_under_three_names():
    assert functional.softmax_cross_entropy is softmax_cross_entropy
    assert rnnlite.softmax_cross_entropy is softmax_cross_entropy


# --- extremes -------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("shift", [-1e30, -1e4, 1e4, 1e30])
def test_huge_logits_neither_overflow_nor_vanish(dtype, shift):
    logits = np.array([[0.0, 1.0], [2.0, 2.0]]).astype(dtype)
    if abs(shift) < 1e30:  # the differences survive the shift
        expected = softmax_cross_entropy(logits, [0, 1])
    else:
        expected = softmax_cross_entropy(np.zeros_like(logits), [0, 1])
    loss, dlogits = softmax_cross_entropy(logits + dtype(shift), [0, 1])
    assert loss == pytest.approx(expected[0], rel=1e-6)
    assert_close("dlogits", dlogits, expected[1], 1e-6)


@every_dtype
def test_a_hopeless_row_costs_the_difference_of_its_logits(dtype):
    loss, dlogits = softmax_cross_entropy(np.array([[1e5, 0.0]], dtype), [1])
    assert loss == 1e5
    np.testing.assert_array_equal(dlogits, [[1.0, -1.0]])
    loss, dlogits = softmax_cross_entropy(np.array([[1e5, 0.0]], dtype), [0])
    assert loss == 0.0
    assert not dlogits.any()


@every_dtype
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("others", [0.0, 1000.0, -np.inf])
@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_nan_logits_give_a_nan_loss(dtype, place, others, kind):
    logits = np.full((2, 3), others, dtype)
    logits[0, 2] = logits[1] = 1.0
    logits[0, place] = np.nan
    for label in range(3):
        labels = np.array([label, 0])
        labels = labels if kind == "classes" else one_hot(labels, 3)
        with np.errstate(invalid="ignore"):
            loss, dlogits = softmax_cross_entropy(logits, labels)
        assert np.isnan(loss)
        assert np.isnan(dlogits[0]).all()
        assert np.isfinite(dlogits[1]).all()


@every_dtype
@pytest.mark.parametrize("kind", ["classes", "one-hot"])
def test_a_logit_of_minus_infinity_is_a_class_that_cannot_be(dtype, kind):
    logits = np.array([[1.0, -np.inf, 2.0, -np.inf]], dtype)
    for label in (0, 2):
        labels = [label] if kind == "classes" else one_hot([label], 4)
        loss, dlogits = softmax_cross_entropy(logits, labels)
        small = softmax_cross_entropy(logits[:, ::2], [label // 2])
        assert loss == pytest.approx(small[0], rel=1e-6)
        assert_close("dlogits", dlogits[:, ::2], small[1], 1e-6)
        assert not dlogits[:, 1::2].any()
    labels = [1] if kind == "classes" else one_hot([1], 4)
    loss, dlogits = softmax_cross_entropy(logits, labels)
    assert loss == np.inf
    assert np.isfinite(dlogits).all()


@every_dtype
@pytest.mark.parametrize("row", [[-np.inf] * 3, [0.0, np.inf, 0.0], [np.inf] * 3])
def test_logits_without_a_softmax_give_a_nan_loss(dtype, row):
    with np.errstate(invalid="ignore"):
        loss, _ = softmax_cross_entropy(np.array([row], dtype), [0])
    assert np.isnan(loss)


# --- what may be handed in ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, ">i4"])
def test_class_labels_may_be_any_whole_numbers(dtype):
    logits, labels = problem()
    expected = softmax_cross_entropy(logits, labels)
    for given_labels in (labels.astype(dtype), labels.tolist(), np.repeat(labels, 2)[::2]):
        loss, dlogits = softmax_cross_entropy(logits, given_labels)
        assert loss == expected[0]
        assert_same_bits("dlogits", dlogits, expected[1])


def test_logits_of_other_kinds_are_computed_in_float32():
    logits, labels = problem(dtype=np.float32)
    logits = np.rint(logits)
    expected = softmax_cross_entropy(logits, labels)
    for dtype in (np.int64, np.float16, ">f4"):
        loss, dlogits = softmax_cross_entropy(logits.astype(dtype), labels)
        assert loss == expected[0]
        assert_same_bits("dlogits", dlogits, expected[1])


def test_the_layout_of_logits_and_labels_makes_no_difference():
    logits, _ = problem((6, 4))
    labels = soft((6, 4))
    expected = softmax_cross_entropy(logits, labels)
    for layout in (
        np.asfortranarray,
        lambda a: a[::-1].copy()[::-1],
        lambda a: np.repeat(a, 2, 1)[:, ::2],
    ):
        given_logits, given_labels = layout(logits), layout(labels)
        given_logits.flags.writeable = given_labels.flags.writeable = False
        loss, dlogits = softmax_cross_entropy(given_logits, given_labels)
        assert loss == expected[0]
        assert_same_bits("dlogits", dlogits, expected[1])


def test_arguments_are_not_modified():
    logits, classes = problem()
    for labels in (classes, soft((5, 4))):
        before = logits.copy(), labels.copy()
        softmax_cross_entropy(logits, labels)
        assert_same_bits("logits", logits, before[0])
        assert_same_bits("labels", labels, before[1])


def test_one_hot_labels_may_be_booleans_or_whole_numbers():
    logits, classes = problem()
    expected = softmax_cross_entropy(logits, classes)
    for dtype in (np.bool_, np.int64, np.float32):
        loss, dlogits = softmax_cross_entropy(logits, one_hot(classes, 4).astype(dtype))
        assert loss == pytest.approx(expected[0], rel=1e-15)
        assert_close("dlogits", dlogits, expected[1], 1e-15)


@every_dtype
@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4)])
def test_out_receives_the_gradient(dtype, shape):
    logits, labels = problem(shape, dtype)
    expected = softmax_cross_entropy(logits, labels)
    out = np.full(shape, 99.0, dtype)
    loss, dlogits = softmax_cross_entropy(logits, labels, out=out)
    assert dlogits is out
    assert loss == expected[0]
    assert_same_bits("out", out, expected[1])


def test_out_may_not_change_the_loss_where_it_is_the_logits_themselves():
    """Either it works in place, or it is refused: a wrong loss is no third way."""
    for labels in ([0, 3, 1, 1, 2], soft((5, 4))):
        logits, _ = problem()
        expected_loss, expected = softmax_cross_entropy(logits, labels)
        try:
            loss, dlogits = softmax_cross_entropy(logits, labels, out=logits)
        except ValueError as error:
            assert "softmax_cross_entropy: out" in str(error)
            continue
        assert loss == expected_loss
        assert_same_bits("dlogits", dlogits, expected)


# --- bad input ------------------------------------------------------------------------------

NAME = "softmax_cross_entropy: "
LOGITS = np.zeros((3, 4))
BAD = {
    "one axis": (np.zeros(4), [0], ValueError, ["logits has shape (4,)", "(batch, classes)"]),
    "four axes": (np.zeros((1, 1, 1, 4)), [0], ValueError, ["logits has shape (1, 1, 1, 4)"]),
    "no row": (np.zeros((0, 4)), [], ValueError, ["logits has shape (0, 4)"]),
    "no class": (np.zeros((3, 0)), [0, 0, 0], ValueError, ["logits has shape (3, 0)"]),
    "complex logits": (LOGITS + 1j, [0, 0, 0], TypeError, ["logits", "complex"]),
    "text logits": ([["a", "b"]], [0], TypeError, ["logits"]),
    "no logits": (None, [0], TypeError, ["logits"]),
    "unequal rows": ([[1.0, 2.0], [1.0]], [0, 0], (ValueError, TypeError), ["logits"]),
    "too few labels": (LOGITS, [0, 1], ValueError, ["labels has shape (2,)", "(3,)", "(3, 4)"]),
    "a column": (LOGITS, [[0], [1], [2]], ValueError, ["labels has shape (3, 1)", "(3,)"]),
    "one label": (LOGITS, 2, ValueError, ["labels has shape ()", "(3,)"]),
    "negative label": (LOGITS, [0, -1, 2], ValueError, ["labels", "-1", "0..3"]),
    "label beyond": (LOGITS, [0, 4, 2], ValueError, ["labels", "4", "0..3"]),
    "huge label": (LOGITS, np.array([0, 2**63 + 1, 2], np.uint64), ValueError, ["0..3"]),
    "float labels": (LOGITS, [0.0, 1.0, 2.0], TypeError, ["labels", "float64", "whole"]),
    "NaN labels": (LOGITS, [0.0, np.nan, 2.0], TypeError, ["labels", "whole"]),
    "bool labels": (LOGITS, [True, False, True], TypeError, ["labels", "bool", "whole"]),
    "text labels": (LOGITS, ["a", "b", "c"], TypeError, ["labels"]),
    "no labels": (LOGITS, None, TypeError, ["labels"]),
    "sum 2": (LOGITS, np.full((3, 4), 0.5), ValueError, ["labels", "(3, 4)", "sum to 1", "2"]),
    "negative": (LOGITS, np.tile([1.5, -0.5, 0, 0], (3, 1)), ValueError, ["labels", "negative"]),
    "NaN one-hot": (LOGITS, np.full((3, 4), np.nan), ValueError, ["labels"]),
    "zero one-hot": (LOGITS, np.zeros((3, 4)), ValueError, ["labels", "sum to 1"]),
    "3-D, 1-D labels": (np.zeros((2, 3, 4)), [0, 1], ValueError, ["(2,)", "(2, 3)", "(2, 3, 4)"]),
}


@pytest.mark.parametrize(("logits", "labels", "error", "fragments"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_by_name(logits, labels, error, fragments):
    assert_refused(error, [NAME, *fragments], softmax_cross_entropy, logits, labels)


def read_only(array):
    array.flags.writeable = False
    return array


BAD_OUT = {
    "shape": (lambda: np.zeros((4, 3)), ["(4, 3)", "(3, 4)"]),
    "dtype": (lambda: np.zeros((3, 4), np.float32), ["float32", "float64"]),
    "order": (lambda: np.zeros((3, 4), order="F"), ["C-contiguous"]),
    "strides": (lambda: np.zeros((3, 8))[:, ::2], ["C-contiguous"]),
    "read-only": (lambda: read_only(np.zeros((3, 4))), []),
    "list": (lambda: [[0.0] * 4] * 3, []),
    "number": (lambda: 0.0, []),
}


@pytest.mark.parametrize(("make", "fragments"), BAD_OUT.values(), ids=BAD_OUT.keys())
def test_a_bad_out_is_refused(make, fragments):
    with pytest.raises((ValueError, TypeError)) as raised:
        softmax_cross_entropy(LOGITS, [0, 1, 2], out=make())
    for fragment in (NAME + "out", *fragments):
        assert fragment in str(raised.value)


@pytest.mark.skipif(
    np.dtype(np.longdouble) == np.float64, reason="long double is float64 on this platform"
)
def test_extended_precision_is_computed_in_float64_or_refused():
    try:
        _, dlogits = softmax_cross_entropy(LOGITS.astype(np.longdouble), [0, 1, 2])
    except TypeError as error:
        assert NAME + "logits" in str(error)
    else:
        assert dlogits.dtype == np.float64


def test_what_overflows_is_infinite_and_no_warning_with_the_jit_and_without():
    large = np.full((2, 3), 1e30, np.float32)
    with np.errstate(all="raise"):
        loss, _ = rnnlite.mean_squared_error(large, -large)
    assert loss == np.inf
