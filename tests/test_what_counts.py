"""Which loss labels choose, and which steps, rows and labels count."""

import numpy as np
import pytest
from conftest import CLIP, assert_close, assert_refused
from counted import (
    CLASSES,
    KNOWN,
    LENGTHS,
    TAGS,
    VALID,
    WEIGHTS,
    C,
    F,
    N,
    T,
    X,
    network,
    rng,
    share,
)

import rnnlite
from rnnlite import (
    GRU,
    LSTM,
    RNN,
    Adam,
    Dense,
    binary_cross_entropy,
    evaluate,
    fit,
    functional,
    mean_squared_error,
    softmax_cross_entropy,
)
from rnnlite.losses import arguments, cross_entropy


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
