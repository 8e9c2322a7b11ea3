"""Which loss labels choose, what it counts, what it weighs, and what the accuracy counts.

Padding, masks and weights of 0 take no part in anything; nothing depends on the batch size.
"""

from functools import partial

import numpy as np
import pytest
from conftest import CLIP, assert_close, assert_refused

import rnnlite
from rnnlite import (
    GRU,
    LSTM,
    RNN,
    SGD,
    Adam,
    Dense,
    Sequential,
    binary_cross_entropy,
    evaluate,
    fit,
    functional,
    mean_squared_error,
    softmax_cross_entropy,
)
from rnnlite.losses import arguments, cross_entropy
from rnnlite.saving import container

N, T, F, C = 30, 4, 3, 3
rng = np.random.default_rng(0)
X = rng.normal(size=(N, T, F)).astype(np.float32)
CLASSES, TAGS = rng.integers(0, C, N), rng.integers(0, C, (N, T))
LENGTHS = rng.integers(0, T + 1, N)
VALID = np.arange(T) < LENGTHS[:, None]
KNOWN = rng.random((N, T)) < 0.6  # steps whose tag a loss of one's own takes


def network(outputs=C, every_step=False):
    return Sequential([RNN(F, 5, seed=0, return_sequences=every_step), Dense(5, outputs, seed=1)])


def share(right, counts=True):
    return np.mean(right[np.broadcast_to(counts, right.shape)])


# --- which loss labels choose ---------------------------------------------------------------


@pytest.mark.parametrize("padding", [0.0, 1.0, 0.5, np.nan, -7.0])
def test_padding_of_one_hot_rows_does_not_choose_the_loss(padding):
    one_hot = np.where(VALID[..., None], np.eye(C, dtype="f")[TAGS], np.float32(padding))
    metrics = evaluate(network(C, True), X, one_hot, lengths=LENGTHS, batch_size=7)
    logits = network(C, True)(X, lengths=LENGTHS)
    assert metrics.loss == pytest.approx(
        softmax_cross_entropy(logits, TAGS, lengths=LENGTHS)[0], rel=1e-6
    )
    assert metrics.accuracy == share(logits.argmax(-1) == TAGS, VALID)
    models = network(C, True), network(C, True)
    for model, y in zip(models, (one_hot, TAGS), strict=True):
        fit(model, X, y, lengths=LENGTHS, batch_size=7)
    assert_close("params", models[0].flat_params, models[1].flat_params, 1e-5)


@pytest.mark.parametrize("anything", [-1, -100, C, 2**40])
def test_labels_under_padding_may_be_anything(anything):
    tags = np.where(VALID, TAGS, anything)
    models = network(C, True), network(C, True)
    for model, y in zip(models, (tags, TAGS), strict=True):
        fit(model, X, y, lengths=LENGTHS, batch_size=7, validation=(X, y, LENGTHS))
    np.testing.assert_array_equal(models[0].flat_params, models[1].flat_params)
    batches = [(X[s], tags[s], LENGTHS[s]) for s in (slice(9), slice(9, N))]
    wanted = evaluate(models[0], X, TAGS, lengths=LENGTHS)
    assert evaluate(models[0], batches).loss == pytest.approx(wanted.loss, rel=1e-6)
    tags[np.argwhere(VALID)[-1][0], 0] = anything
    for function in (fit, evaluate):
        assert_refused(
            ValueError, [f"{function.__name__}: y has labels from", f"0..{C - 1}"],
            function, models[0], X, tags, lengths=LENGTHS,
        )  # fmt: skip


YES = X.sum(axis=(1, 2)) > 0


@pytest.mark.parametrize("dtype", [int, np.uint8, float, np.float32, bool])
@pytest.mark.parametrize("shape", [(N, 1), (N,)])
def test_yes_and_no_of_one_output_are_a_binary_cross_entropy_cut_at_0(shape, dtype):
    model, y = network(1), YES.astype(dtype).reshape(shape)
    metrics = evaluate(model, X, y, batch_size=7)
    scores = model(X)
    wanted, _ = binary_cross_entropy(scores, YES[:, None])
    assert metrics.loss == pytest.approx(wanted, rel=1e-6)
    assert metrics.accuracy == share(rnnlite.predict(model, X) == YES)
    assert "accuracy" in fit(model, X, y)


def test_yes_and_no_of_one_output_are_learned():
    model = network(1)
    history = fit(model, X, YES[:, None], optimizer=Adam(model, lr=0.1), epochs=20)
    assert history["accuracy"][-1] > 0.9
    assert evaluate(model, X, YES).accuracy == share(rnnlite.predict(model, X) == YES) > 0.9


def test_a_score_between_0_and_one_half_is_a_yes():
    model = Dense(1, 1)
    model.params["W"] = [[1.0]]
    x = np.array([[-0.3], [-0.1], [0.1], [0.3]], "f")
    assert evaluate(model, x, [[0], [0], [1], [1]]).accuracy == 1.0
    assert rnnlite.predict(model, x).tolist() == [0, 0, 1, 1]
    assert evaluate(
        model, x, [[0.0], [0.0], [1.0], [1.0]], loss="binary_cross_entropy"
    ) == evaluate(model, x, [0, 0, 1, 1])


def test_values_of_one_output_are_a_regression_in_either_shape():
    values = X[:, 0, 0]
    wanted, _ = mean_squared_error(network(1)(X), values[:, None])
    models = network(1), network(1)
    for model, y in zip(models, (values, values[:, None]), strict=True):
        metrics = evaluate(model, X, y, batch_size=7)
        assert metrics.accuracy is None and metrics.loss == pytest.approx(wanted, rel=1e-6)
        assert "accuracy" not in fit(model, X, y, batch_size=7)
    np.testing.assert_array_equal(models[0].flat_params, models[1].flat_params)
    counts = np.arange(N)
    assert evaluate(network(1), X, counts[:, None]).accuracy is None
    for function in (fit, evaluate):
        fragments = [
            f"{function.__name__}: y holds whole numbers of shape ({N},)",
            f"for regression y is float or of shape ({N}, 1)",
        ]
        assert_refused(ValueError, fragments, function, network(1), X, counts)
    by_name = evaluate(network(1), X, counts, loss="mean_squared_error")
    assert by_name == evaluate(network(1), X, counts[:, None])


def test_soft_labels_are_a_cross_entropy():
    soft = rng.dirichlet(np.ones(C), N)
    logits = network()(X)
    metrics = evaluate(network(), X, soft, batch_size=7)
    assert metrics.loss == pytest.approx(softmax_cross_entropy(logits, soft)[0], rel=1e-6)
    assert metrics.accuracy == share(logits.argmax(-1) == soft.argmax(-1))
    assert "accuracy" in fit(network(), X, soft)
    soft[: N // 2] = 1 / C  # no class is more right than the others
    metrics = evaluate(network(), X, soft)
    assert metrics.accuracy == share((logits.argmax(-1) == soft.argmax(-1))[N // 2 :])
    assert evaluate(network(), X, np.full((N, C), 1 / C)).accuracy is None


def test_several_classes_at_once_are_not_taken_for_one():
    several = (rng.random((N, C)) < 0.5).astype("f")
    assert set(several.sum(axis=1)) == {0, 1, 2, 3}
    scores = network()(X)
    metrics = evaluate(network(), X, several, batch_size=7)
    assert metrics.loss == pytest.approx(binary_cross_entropy(scores, several)[0], rel=1e-6)
    assert metrics.accuracy == share((scores > 0) == several)
    several[rng.random((N, C)) < 0.3] = 0.5  # neither yes nor no
    metrics = evaluate(network(), X, several, loss="binary_cross_entropy")
    assert metrics.accuracy == share((scores > 0) == (several > 0.5), several != 0.5)
    with_one_of_two = np.eye(C)[CLASSES]
    with_one_of_two[5] = 1, 1, 0
    metrics = evaluate(network(), X, with_one_of_two)
    assert metrics.loss == pytest.approx(binary_cross_entropy(scores, with_one_of_two)[0], rel=1e-6)


def test_what_is_not_clear_is_asked():
    padded = np.eye(C)[TAGS] * VALID[..., None]
    nearly = rng.dirichlet(np.ones(C), N)
    nearly[7] *= 0.5
    for function in (fit, evaluate):
        for y, every_step, sums in ((padded, True, VALID.sum()), (nearly, False, N - 1)):
            fragments = [f"{function.__name__}: {sums} of", "sum to 1", "lengths", "loss"]
            assert_refused(ValueError, fragments, function, network(C, every_step), X, y)
    assert evaluate(network(), X, nearly, loss="mean_squared_error").loss > 0
    assert evaluate(network(), X, X[:, 0]).accuracy is None  # values


@pytest.mark.parametrize("names", [["cat", "dog"], np.array(["a", "b"], object), [b"x", b"y"]])
def test_names_of_classes_are_no_labels_and_the_message_helps(names):
    y = np.array(list(names) * (N // 2))
    helps = "class_names, y = np.unique(names, return_inverse=True)"
    for function in (fit, evaluate):
        assert_refused(
            TypeError, [f"{function.__name__}: y holds", helps], function, network(), X, y
        )
        assert_refused(TypeError, ["y of batch 0 holds", helps], function, network(), [(X, y)])
    assert_refused(TypeError, [helps], softmax_cross_entropy, network()(X), y)
    _, y = np.unique(y.astype(str), return_inverse=True)
    assert evaluate(network(), X, y).accuracy is not None


# --- what it weighs -------------------------------------------------------------------------

WEIGHTS = np.array([0.1, 5.0, 2.0])
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


def known(output, y, *, lengths=None, return_weights=True):
    """A loss that leaves out steps of label -1."""
    return softmax_cross_entropy(
        output, np.maximum(y, 0), mask=y >= 0, return_weights=return_weights
    )


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


# --- nothing counts -------------------------------------------------------------------------

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


# --- what is checked is what is used --------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"class_weights": WEIGHTS}, {"mask": KNOWN}])
def test_kernels_index_with_labels_that_nobody_else_can_change(monkeypatch, options):
    """Another thread may write into the caller's labels, or mask, between check and use."""
    logits, labels = rng.normal(size=(N, T, C)), TAGS.astype(np.int64)
    options = {name: value.copy() for name, value in options.items()}
    expected = softmax_cross_entropy(logits, labels, **options)
    other_labels = (labels + 1) % C  # in range: the test is to fail, not to crash
    name = "weighted_cross_entropy_of_classes" if options else "cross_entropy_of_classes"
    kernel, used = getattr(cross_entropy.kernels, name), []

    def watched(logits, classes, *others):
        used.append(classes)
        labels[...] = other_labels
        options.get("mask", labels)[...] = True
        return kernel(logits, classes, *others)

    monkeypatch.setattr(cross_entropy.kernels, name, watched)
    loss, dlogits = softmax_cross_entropy(logits, labels, **options)
    assert len(used) == 1 and not np.may_share_memory(used[0], labels)
    assert (loss, dlogits.tobytes()) == (expected[0], expected[1].tobytes())


@pytest.mark.parametrize("options", [{"mask": KNOWN}, {"lengths": LENGTHS}])
def test_what_counts_is_a_copy(options):
    logits = rng.normal(size=(N, T, C))
    counted = arguments.counted(
        "f", "y", logits, (N, T), **{"mask": None, "lengths": None} | options
    )
    assert not any(np.may_share_memory(counted, array) for array in options.values())


def test_what_stands_in_padding_is_nothing_to_index_with(monkeypatch):
    used, kernel = [], cross_entropy.kernels.weighted_cross_entropy_of_classes

    def watched(logits, classes, *others):
        used.append(classes.copy())
        return kernel(logits, classes, *others)

    monkeypatch.setattr(cross_entropy.kernels, "weighted_cross_entropy_of_classes", watched)
    labels = np.where(KNOWN, TAGS, 10**9)
    softmax_cross_entropy(rng.normal(size=(N, T, C)), labels, mask=KNOWN)
    assert 0 <= used[0].min() and used[0].max() < C


# --- a layer's parameters are not all of it -------------------------------------------------


def test_functions_compute_what_a_layer_does_if_they_are_given_its_options():
    """As their docstrings say it."""
    cases = (
        (
            LSTM(F, 4, seed=0, clip=CLIP, return_sequences=True, dtype="float64"),
            functional.lstm_forward,
            "clip",
        ),
        (RNN(F, 4, "relu", True, seed=0, dtype="float64"), functional.rnn_forward, "activation"),
        (
            GRU(F, 4, True, reset_after=False, dtype="float64"),
            functional.gru_forward,
            "reset_after",
        ),
    )
    for layer, forward, option in cases:
        rnn = {option: getattr(layer, option)}
        h, *_ = forward(X, **layer.params, **rnn)
        np.testing.assert_array_equal(h, layer(X))
        assert not np.array_equal(forward(X, **layer.params)[0], layer(X))
        assert f"{option}=layer.{option}" in forward.__doc__ and option in type(layer).__doc__
    backwards = RNN(F, 4, seed=0, go_backwards=True, return_sequences=True)
    h, *_ = functional.rnn_forward(X[:, ::-1], **backwards.params)
    assert_close("h", h[:, ::-1], backwards(X), 1e-6)
