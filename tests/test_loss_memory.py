"""Losses: memory, where the arrays lie, and that the checks of them can fail."""

import tracemalloc

import numpy as np
import pytest
from conftest import assert_close, needs_jit, sized
from loss_cases import (
    ELEMENTWISE,
    INSIDE,
    C,
    case,
    check_against_definition,
    elementwise_case,
    slow_binary_cross_entropy,
    slow_cross_entropy,
    slow_squared_error,
)

from rnnlite.kernels import losses as kernels
from rnnlite.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy


@needs_jit
@pytest.mark.parametrize(
    "function", [softmax_cross_entropy, *(f for f, _, _ in ELEMENTWISE.values())]
)
@pytest.mark.parametrize("padded", [False, True])
def test_nothing_large_is_allocated_when_out_is_given(function, padded):
    y = np.zeros((50, 40, 100), np.float32)
    target, out = np.full_like(y, 0.01), np.empty_like(y)
    options = {"lengths": np.full(50, 7)} if padded else {}
    function(y, target, out, **options)
    tracemalloc.start()
    function(y, target, out, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < y.nbytes / 10


@needs_jit
@pytest.mark.parametrize(("rows", "classes"), [(3, 8), (2, 4), (1, 10), (2, 17)])
def test_the_same_bits_wherever_the_arrays_lie(rows, classes):
    """Arrays side by side once took another loop, which summed in another order."""
    rng = np.random.default_rng(0)
    n = rows * classes
    values, label = rng.normal(0, 3, n), rng.integers(0, classes, rows)
    q, w, yes = rng.dirichlet(np.ones(classes), rows).ravel(), rng.random(classes), np.ones(1, bool)
    counted = np.ones(rows, bool)
    for dtype in (np.float32, np.float64):
        memory = np.zeros(8 * n + 100, dtype)
        for kernel, arguments in (
            (kernels.cross_entropy_of_classes, lambda x, q, o: (x, label, o, rows, classes)),
            (kernels.cross_entropy_of_distributions, lambda x, q, o: (x, q, o, rows, classes)),
            (
                kernels.weighted_cross_entropy_of_classes,
                lambda x, q, o: (x, label, w, 0.1, counted, o, rows, classes),
            ),
            (
                kernels.weighted_cross_entropy_of_distributions,
                lambda x, q, o: (x, q, w, 0.1, counted, o, rows, classes),
            ),
            (kernels.squared_error, lambda x, q, o: (x, q, yes, n, o)),
            (kernels.logistic_cross_entropy, lambda x, q, o: (x, q, yes, n, o)),
        ):
            far, x = memory[:n], memory[4 * n + 50 : 5 * n + 50]
            results = set()
            for gap in range(40):
                for start in (5 * n + 50 + gap, 3 * n + 50 - gap):  # after x, before x
                    near = memory[start : start + n]
                    for target, out in ((far, near), (near, far)):
                        x[...], target[...] = values, q
                        total = kernel(*arguments(x, target, out))
                        results.add((np.float64(total).tobytes(), out.tobytes()))
            assert len(results) == 1, kernel.__name__


# --- the checks of loss_cases can fail ------------------------------------------------------


def test_a_planted_mistake_is_refused():
    logits, labels, options = case("everything")
    padding = {"lengths": options["lengths"]}

    def off_by_a_thousandth(*arguments, **options):
        loss, gradient = softmax_cross_entropy(*arguments, **options)
        gradient[0, 0, 1] *= 1.001
        return loss, gradient

    def mean_over_all_rows(logits, labels, **options):
        loss, gradient = softmax_cross_entropy(logits, labels, **options)
        share = INSIDE.sum() / INSIDE.size
        return loss * share, gradient * share

    def padding_counts(logits, labels, lengths, **options):
        return softmax_cross_entropy(logits, labels, **options)

    def weights_forgotten(logits, labels, class_weights, **options):
        return softmax_cross_entropy(logits, labels, **options)

    def mean_over_rows_instead_of_weights(logits, labels, class_weights, **options):
        loss, gradient = softmax_cross_entropy(
            logits, labels, class_weights=class_weights, **options
        )
        share = np.asarray(class_weights)[labels[INSIDE]].mean()
        return loss * share, gradient * share

    def smoothing_over_the_other_classes(logits, labels, label_smoothing, **options):
        return softmax_cross_entropy(
            logits, labels, label_smoothing=label_smoothing * C / (C - 1), **options
        )

    for wrong in (
        off_by_a_thousandth,
        mean_over_all_rows,
        padding_counts,
        weights_forgotten,
        mean_over_rows_instead_of_weights,
        smoothing_over_the_other_classes,
    ):
        with pytest.raises(AssertionError, match="differs first"):
            check_against_definition(wrong, slow_cross_entropy, logits, labels, options)

    y, target, _ = elementwise_case("lengths")
    for function, slow in (
        (mean_squared_error, slow_squared_error),
        (binary_cross_entropy, slow_binary_cross_entropy),
    ):
        for factor in (0.5, 1.001):

            def scaled(y, target, function=function, factor=factor, **options):
                loss, gradient = function(y, target, **options)
                return loss, factor * gradient

            with pytest.raises(AssertionError, match="`gradient` differs first"):
                check_against_definition(scaled, slow, y, target, padding)


def test_a_large_batch_keeps_its_digits_in_float32():
    n = sized(200_000, 2_000)
    y = np.full(n, 0.1, np.float32)
    loss, _ = mean_squared_error(y, np.zeros(n, np.float32))
    assert_close("loss", loss, float(np.float32(0.1)) ** 2, 1e-7)
