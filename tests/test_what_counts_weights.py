"""What a loss weighs, and what the accuracy counts."""

from functools import partial

import numpy as np
import pytest
from conftest import assert_close, assert_refused
from counted import (
    CLASSES,
    KNOWN,
    LENGTHS,
    TAGS,
    VALID,
    WEIGHTS,
    C,
    N,
    T,
    X,
    known,
    network,
    rng,
    share,
)

import rnnlite
from rnnlite import (
    SGD,
    binary_cross_entropy,
    evaluate,
    fit,
    mean_squared_error,
    softmax_cross_entropy,
)
from rnnlite.saving import container

weighted = partial(softmax_cross_entropy, class_weights=WEIGHTS)


def own_with_weights(output, y, *, lengths=None):
    return (*weighted(output, y, lengths=lengths), WEIGHTS[y])


def own_with_their_sum(output, y, *, lengths=None):
    return (*weighted(output, y, lengths=lengths), WEIGHTS[y].sum())


LABELS = {
    "classes": (CLASSES, {}), "one-hot": (np.eye(C)[CLASSES], {}),
    "soft": (rng.dirichlet(np.ones(C), N), {}), "tags": (TAGS, {}),
    "lengths": (TAGS, {"lengths": LENGTHS}),
    "one-hot lengths": (np.eye(C)[TAGS], {"lengths": LENGTHS}),
}  # fmt: skip


@pytest.mark.parametrize("labels", LABELS)
def test_class_weights_give_the_same_loss_at_any_batch_size(labels):
    y, options = LABELS[labels]
    model = network(C, y.shape[1:2] == (T,))
    whole = weighted(model(X, **options), y, **options)[0]
    losses = [weighted]
    if labels in ("classes", "tags"):
        losses += [own_with_weights, own_with_their_sum]
    if labels == "lengths":
        losses += [own_with_weights]
    for loss in losses:
        for batch_size in (1, 7, 20, N):
            metrics = evaluate(model, X, y, loss=loss, batch_size=batch_size, **options)
            assert metrics.loss == pytest.approx(whole, rel=1e-6), loss


def test_records_and_validation_weigh_too():
    many = np.concatenate([X] * 10)  # validation takes 256 rows at once
    labels = np.sort(np.concatenate([CLASSES] * 10))
    model = network()
    whole = weighted(model(many), labels)[0]
    still = SGD(model, lr=1e-30)
    history = fit(
        model, many, labels, optimizer=still, loss=weighted, batch_size=7,
        validation=(many, labels),
    )  # fmt: skip
    assert history["val_loss"][0] == pytest.approx(whole, rel=1e-6)
    assert history["loss"][0] == pytest.approx(whole, rel=1e-6)


def test_batches_of_other_lengths_in_time_weigh_by_their_steps():
    model, target = network(2, True), rng.normal(size=(N, T, 2))
    batches = [(X[:, :1], target[:, :1]), (X, target)]
    (short, _), (long, _) = (mean_squared_error(model(x), y) for x, y in batches)
    wanted = pytest.approx((short + T * long) / (1 + T), rel=1e-6)
    assert evaluate(model, batches).loss == wanted

    def own(output, y):
        return (
            *mean_squared_error(output, y),
            np.ones(len(y)),
        )  # a weight a row, for all its steps

    assert evaluate(model, batches, loss=own).loss == wanted


@pytest.mark.parametrize(
    ("weights", "error", "says"),
    [
        (np.ones(N - 1), ValueError, f"returned have shape ({N - 1},); wanted ({N},)"),
        (-np.ones(N), ValueError, "run from -1.0 to -1.0; wanted finite, not negative"),
        (np.nan, ValueError, "finite, not negative"),
        ("a", TypeError, "real numbers"),
    ],
)
def test_weights_of_ones_own_that_cannot_be_are_refused(weights, error, says):
    def own(output, y):
        return (*softmax_cross_entropy(output, y), weights)

    assert_refused(
        error, ["evaluate: the weights that loss", says], evaluate, network(), X, CLASSES, loss=own
    )


def test_the_losses_say_what_they_weigh():
    logits = rng.normal(size=(N, T, C))
    for function, y in (
        (softmax_cross_entropy, TAGS), (softmax_cross_entropy, np.eye(C)[TAGS]),
        (mean_squared_error, logits + 1.0), (binary_cross_entropy, np.eye(C)[TAGS]),
    ):  # fmt: skip
        for options, wanted in (
            ({}, np.ones((N, T))), ({"mask": KNOWN}, KNOWN), ({"lengths": LENGTHS}, VALID)
        ):  # fmt: skip
            loss, gradient, weights = function(logits, y, return_weights=True, **options)
            assert (loss, gradient.shape) == (function(logits, y, **options)[0], logits.shape)
            np.testing.assert_array_equal(weights, wanted)
    for y in (TAGS, np.eye(C)[TAGS]):
        *_, weights = weighted(logits, y, mask=KNOWN, return_weights=True)
        assert_close("weights", weights, KNOWN * WEIGHTS[TAGS], 1e-15)


# --- what the accuracy counts ---------------------------------------------------------------

TAGS_OR_NONE = np.where(KNOWN, TAGS, -1)


def known_elsewhere(output, y):
    """One that leaves out steps for a reason that labels do not show, and says so."""
    return softmax_cross_entropy(output, y, mask=KNOWN[: len(y)], return_weights=True)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (known, TAGS_OR_NONE),
        (known_elsewhere, TAGS),
        (partial(softmax_cross_entropy, mask=KNOWN), TAGS),
        (partial(softmax_cross_entropy, mask=KNOWN), np.eye(C)[TAGS]),
    ],
)
def test_what_the_loss_leaves_out_the_accuracy_leaves_out(loss, y):
    model = network(C, True)
    wanted = share(model(X).argmax(-1) == TAGS, KNOWN)
    assert evaluate(model, X, y, loss=loss).accuracy == wanted
    history = fit(
        model, X, y, loss=loss, batch_size=N, shuffle=False, optimizer=SGD(model, lr=1e-30),
        validation=(X, y),
    )  # fmt: skip
    assert history["accuracy"] == history["val_accuracy"] == [wanted]


def test_a_mask_of_rows_or_of_numbers_is_left_out_of_the_accuracy_too():
    model, yes = network(C, True), rng.integers(0, 2, (N, T, C))
    right = (model(X) > 0) == yes
    for mask in (KNOWN[:, 0], KNOWN, rng.random((N, T, C)) < 0.5):
        loss = partial(binary_cross_entropy, mask=mask)
        counts = mask.reshape(mask.shape + (1,) * (3 - mask.ndim))
        assert evaluate(model, X, yes, loss=loss).accuracy == share(right, counts)
    loss = partial(softmax_cross_entropy, mask=KNOWN[:, 0])
    right = model(X).argmax(-1) == TAGS
    assert evaluate(model, X, TAGS, loss=loss).accuracy == share(right, KNOWN[:, :1])


def test_classes_of_weight_0_are_left_out_of_the_accuracy_too():
    loss = partial(softmax_cross_entropy, class_weights=[1.0, 0.0, 1.0])
    right = network()(X).argmax(-1) == CLASSES
    assert evaluate(network(), X, CLASSES, loss=loss).accuracy == share(right, CLASSES != 1)


def test_a_loss_that_leaves_out_and_does_not_say_gets_no_accuracy():
    silent = partial(known, return_weights=False)
    model = network(C, True)
    assert evaluate(model, X, TAGS_OR_NONE, loss=silent).accuracy is None
    history = fit(model, X, TAGS_OR_NONE, loss=silent, batch_size=7, validation=(X, TAGS_OR_NONE))
    assert not {"accuracy", "val_accuracy"} & set(history)
    later = np.where(np.arange(N)[:, None] < 20, TAGS, TAGS_OR_NONE)  # the first batches are whole
    history = fit(
        model, X, later, loss=silent, batch_size=7, shuffle=False, record_every=1, epochs=2
    )
    known_until = 20 // 7
    assert np.isfinite(history["accuracy"][:known_until]).all()
    assert np.isnan(history["accuracy"][known_until:]).all()
    whole = evaluate(model, X, TAGS, loss=silent)
    assert whole.accuracy == evaluate(model, X, TAGS).accuracy


class Stop(rnnlite.Callback):
    """The process ends after a step."""

    def __init__(self, after):
        self.after = after

    def step(self, run):
        if run.step == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("of_before", [False, True], ids=["", "of-before"])
def test_a_checkpoint_holds_all_sums_of_the_accuracy(tmp_path, of_before):
    path, options = tmp_path / "run", {"loss": known, "batch_size": 7, "checkpoint_every": 1}
    whole = fit(network(C, True), X, TAGS_OR_NONE, loss=known, batch_size=7)
    with pytest.raises(KeyboardInterrupt):
        fit(
            network(C, True), X, TAGS_OR_NONE, checkpoint=path, callbacks=[Stop(3)], **options
        )  # fmt: skip
    if of_before:  # one number said how many answers there were, and what the losses weighed
        _, header, arrays = container.read(path, ("checkpoint",))
        assert header["totals"].pop("answers") == header["totals"]["counted"] > 0
        container.write(path, "checkpoint", header, arrays)
    again = fit(
        network(C, True), X, TAGS_OR_NONE, checkpoint=path, callbacks=[Stop(9)], resume=True,
        **options,
    )  # fmt: skip
    assert (again["loss"], again["accuracy"]) == (whole["loss"], whole["accuracy"])
