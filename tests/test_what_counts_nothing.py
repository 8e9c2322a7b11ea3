"""Batches, records and arrays in which nothing counts."""

from functools import partial

import numpy as np
import pytest
from conftest import assert_refused
from counted import CLASSES, LENGTHS, TAGS, WEIGHTS, C, N, T, X, known, network, rng

from rnnlite import (
    SGD,
    binary_cross_entropy,
    evaluate,
    fit,
    mean_squared_error,
    softmax_cross_entropy,
)

NOTHING = {
    "mask": {"mask": np.zeros(N, bool)}, "steps": {"mask": np.zeros((N, T), bool)},
    "lengths": {"lengths": np.zeros(N, int)},
}  # fmt: skip


@pytest.mark.parametrize("options", NOTHING.values(), ids=NOTHING)
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (softmax_cross_entropy, TAGS), (softmax_cross_entropy, np.full((N, T, C), np.nan)),
        (softmax_cross_entropy, np.full((N, T), -100)),
        (partial(softmax_cross_entropy, class_weights=WEIGHTS), TAGS),
        (mean_squared_error, np.full((N, T, C), np.nan)),
        (binary_cross_entropy, np.full((N, T, C), 7.0)),
    ],
)  # fmt: skip
def test_where_nothing_counts_loss_and_gradient_are_0(loss, y, options):
    out = np.full((N, T, C), np.nan)
    value, gradient, weights = loss(out.copy(), y, out, return_weights=True, **options)
    assert value == 0.0 and type(value) is float and gradient is out
    assert not gradient.any() and not weights.any()


@pytest.mark.parametrize("y", [CLASSES * 0, np.eye(C)[CLASSES * 0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_where_all_classes_weigh_0_loss_and_gradient_are_0(y, smoothing):
    loss, gradient = softmax_cross_entropy(
        rng.normal(size=(N, C)), y, np.full((N, C), np.nan), class_weights=[0, 1, 1],
        label_smoothing=smoothing,
    )  # fmt: skip
    assert loss == 0.0 and not gradient.any()


EMPTY = {
    "lengths 0": (None, (X, TAGS, LENGTHS), (X, TAGS - 100, LENGTHS * 0)),
    "one-hot": (None, (X, np.eye(C)[TAGS], LENGTHS), (X, np.zeros((N, T, C)), LENGTHS * 0)),
    "mask": (known, (X, TAGS), (X, TAGS * 0 - 1)),
    "weights": (
        partial(softmax_cross_entropy, class_weights=[0, 1, 1]), (X, TAGS), (X, TAGS * 0)),
    "own": (lambda output, y, lengths: (lengths.mean() / lengths.any(), output, lengths > 0),
            (X, TAGS, LENGTHS), (X, TAGS, LENGTHS * 0)),
}  # fmt: skip


@pytest.mark.parametrize("case", EMPTY)
@pytest.mark.parametrize("first", [False, True])
def test_a_batch_in_which_nothing_counts_changes_nothing_and_training_goes_on(case, first):
    loss, batch, empty = EMPTY[case]
    results = []
    for batches in ([batch, batch], [empty, batch, batch] if first else [batch, empty, batch]):
        model = network(C, True)
        history = fit(model, batches, loss=loss, optimizer=SGD(model, lr=0.1), clip_norm=1.0)
        results.append((model.flat_params, history["loss"], history["accuracy"]))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1:] == results[1][1:]
    assert evaluate(model, [empty, batch], loss=loss) == evaluate(model, [batch], loss=loss)
    fragments = ["evaluate: nothing counts for loss", "weights of 0"]
    assert_refused(ValueError, fragments, evaluate, model, [empty, empty], loss=loss)


def test_rows_of_weight_0_are_none_for_a_loss_of_ones_own():
    """Batches of nothing else are not handed to it; its means and its accuracy are of the rest."""

    def own(output, y, *, lengths=None, weights=None):
        assert weights.any()
        return softmax_cross_entropy(output, y, lengths=lengths, weights=weights)

    weights = np.where(np.arange(N) < 20, 0.0, rng.random(N))
    options = {"sample_weight": weights, "lengths": LENGTHS, "batch_size": 7, "shuffle": False}
    models = network(C, True), network(C, True)
    ours, theirs = (
        fit(model, X, TAGS, loss=loss, optimizer=SGD(model, lr=0.1), **options)
        for model, loss in zip(models, (None, own), strict=True)
    )
    np.testing.assert_array_equal(models[0].flat_params, models[1].flat_params)
    assert ours["loss"] == pytest.approx(theirs["loss"]) and ours["accuracy"] == theirs["accuracy"]


def test_records_in_which_nothing_counts_go_on():
    model, empty = network(C, True), (X, TAGS, LENGTHS * 0)
    history = fit(model, [empty, (X, TAGS, LENGTHS), empty], record_every=1)
    assert history["loss"][0] == history["loss"][2] == 0.0 < history["loss"][1]
    assert np.isnan(history["accuracy"]).tolist() == [True, False, True]


def test_arrays_in_which_nothing_counts_are_refused_before_training():
    for y, loss in ((TAGS, None), (np.eye(C)[TAGS], "mean_squared_error")):
        for function in (fit, evaluate):
            fragments = [f"{function.__name__}: lengths is 0 for every row"]
            assert_refused(
                ValueError, fragments, function, network(C, True), X, y, loss=loss,
                lengths=np.zeros(N, int),
            )  # fmt: skip
    with pytest.raises(ValueError, match="fit: validation: lengths is 0 for every row"):
        fit(network(C, True), X, TAGS, validation=(X, TAGS, LENGTHS * 0))
