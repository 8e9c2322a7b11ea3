"""evaluate, predict, predict_proba, predict_values, confusion_matrix, accuracy_interval."""

import numpy as np
import pytest

import rnnlite
from rnnlite import LSTM, Dense, Sequential

N, T, F, C = 23, 4, 3, 5


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(N, T, F)).astype(np.float32)


@pytest.fixture(scope="module")
def y():
    return np.random.default_rng(1).integers(0, C, N)


def network(outputs=C, every_step=False):
    return Sequential([LSTM(F, 6, seed=0, return_sequences=every_step), Dense(6, outputs, seed=1)])


@pytest.mark.parametrize("batch_size", [1, 7, 23, 1000])
def test_batches_change_nothing(x, y, batch_size):
    model = network()
    logits = model.forward(x)
    loss, _ = rnnlite.softmax_cross_entropy(logits, y)
    metrics = rnnlite.evaluate(model, x, y, batch_size=batch_size)
    assert metrics.loss == pytest.approx(loss, rel=1e-5)
    assert metrics.accuracy == pytest.approx(np.mean(logits.argmax(1) == y))
    values = rnnlite.predict_values(model, x, batch_size=batch_size)
    np.testing.assert_allclose(values, logits, rtol=1e-5, atol=1e-6)
    assert values.dtype == np.float32
    assert np.array_equal(rnnlite.predict(model, x, batch_size=batch_size), logits.argmax(1))


def test_evaluate_takes_batches_and_one_hot_labels(x, y):
    model = network()
    whole = rnnlite.evaluate(model, x, y)
    batches = [(x[:10], y[:10]), (x[10:], y[10:])]
    assert rnnlite.evaluate(model, batches).loss == pytest.approx(whole.loss, rel=1e-6)
    assert rnnlite.evaluate(model, np.float32(x), np.eye(C)[y]).accuracy == whole.accuracy


def test_padding_counts_nowhere(x):
    model = network(every_step=True)
    lengths = np.random.default_rng(2).integers(1, T + 1, N)
    counts = np.arange(T) < lengths[:, None]
    y = np.random.default_rng(3).integers(0, C, (N, T))
    padded = x.copy()
    padded[~counts] = np.nan
    logits = model.forward(x, lengths=lengths)
    metrics = rnnlite.evaluate(model, padded, y, lengths=lengths, batch_size=5)
    loss, _ = rnnlite.softmax_cross_entropy(logits, y, lengths=lengths)
    assert metrics.loss == pytest.approx(loss, rel=1e-5)
    assert metrics.accuracy == pytest.approx(np.mean((logits.argmax(-1) == y)[counts]))
    classes = rnnlite.predict(model, padded, lengths=lengths)
    assert np.array_equal(classes, np.where(counts, logits.argmax(-1), -1))
    probability = rnnlite.predict_proba(model, padded, lengths=lengths)
    np.testing.assert_allclose(probability.sum(-1), counts, atol=1e-6)


def test_probabilities_are_the_softmax_of_the_scores(x):
    model = network()
    model.params["1.W"][...] *= 300  # where exp alone would overflow
    logits = model.forward(x).astype(np.float64)
    wanted = np.exp(logits - logits.max(1, keepdims=True))
    wanted /= wanted.sum(1, keepdims=True)
    probability = rnnlite.predict_proba(model, x)
    np.testing.assert_allclose(probability, wanted, atol=1e-5)


def test_a_single_output_is_the_score_of_yes(x):
    model = network(outputs=1)
    model.params["1.W"][...] *= 300
    scores = model.forward(x)[:, 0].astype(np.float64)
    assert set(rnnlite.predict(model, x)) == {0, 1}
    assert np.array_equal(rnnlite.predict(model, x), scores > 0)
    wanted = np.where(scores > 0, 1, np.exp(-abs(scores))) / (1 + np.exp(-abs(scores)))
    np.testing.assert_allclose(rnnlite.predict_proba(model, x)[:, 0], wanted, atol=1e-6)
    metrics = rnnlite.evaluate(
        model, x, (scores > 0).astype("float32")[:, None], loss="binary_cross_entropy"
    )
    assert metrics.accuracy == 1.0


def test_values_have_no_accuracy(x):
    metrics = rnnlite.evaluate(network(outputs=2), x, np.zeros((N, 2)) + 0.5)
    assert metrics.accuracy is None
    assert metrics.loss > 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m, x: rnnlite.evaluate(m, x, [0]), r"y has shape \(1,\) and x has 23 rows"),
        (lambda m, x: rnnlite.evaluate(m, x, np.full(N, C)), "labels from 5 to 5"),
        (lambda m, x: rnnlite.evaluate(m, []), "there is no batch to evaluate"),
        (lambda m, x: rnnlite.evaluate(3, x, [0]), "evaluate: model is of type int"),
        (lambda m, x: rnnlite.predict(m, x[0]), r"x has shape \(4, 3\)"),
        (lambda m, x: rnnlite.predict(m, x, batch_size=0), "predict: batch_size is 0"),
        (lambda m, x: rnnlite.predict(m, x, lengths=[1]), r"lengths has shape \(1,\)"),
        (lambda m, x: rnnlite.predict_proba(m, 3.0), r"x has shape \(\)"),
    ],
)
def test_bad_arguments_are_named(x, call, says):
    with pytest.raises((ValueError, TypeError), match=says):
        call(network(), x)


# The confusion matrix.


def test_the_confusion_matrix_counts_true_against_predicted():
    matrix = rnnlite.confusion_matrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 0])
    assert matrix.counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert matrix.accuracy == pytest.approx(4 / 6)
    np.testing.assert_allclose(matrix.recall, [1 / 2, 1, 2 / 3])
    np.testing.assert_allclose(matrix.precision, [1 / 2, 1 / 2, 1])


def test_classes_that_do_not_occur_have_a_place():
    matrix = rnnlite.confusion_matrix([0], [0], classes=3)
    assert matrix.counts.shape == (3, 3)
    assert np.isnan(matrix.recall[2]) and np.isnan(matrix.precision[2])


def test_padded_steps_are_left_out():
    matrix = rnnlite.confusion_matrix([[0, 1], [1, 0]], [[0, -1], [1, 1]])
    assert matrix.counts.tolist() == [[1, 1], [0, 1]]


def test_the_confusion_matrix_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures are an extra")
    matrix = rnnlite.confusion_matrix([0, 1, 1], [0, 1, 0], names=["no", "yes"])
    figure = matrix.plot(tmp_path / "m.png")
    assert (tmp_path / "m.png").stat().st_size > 3000
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([0.5], [0]), "labels holds float64"),
        (([0, 1], [0]), r"labels has shape \(2,\)"),
        (([0, 3], [0, 1], 2), "classes run from 0 to 3"),
        (([0, -1], [0, 1]), "classes run from -1 to 1"),
        (([0], [-1]), "predicted is -1 everywhere"),
        (([0, 1], [0, 1], None, ["a"]), "classes run from 0 to 1"),
        (([0, 1], [0, 1], 2, ["a"]), "names has 1 names; wanted 2"),
    ],
)
def test_bad_confusion_arguments_are_named(arguments, says):
    with pytest.raises((ValueError, TypeError), match=says):
        rnnlite.confusion_matrix(*arguments)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    truth, n = 0.98, 128
    rights = np.random.default_rng(0).binomial(n, truth, 4000)
    bounds = [rnnlite.accuracy_interval(right / n, n) for right in rights]
    covered = np.mean([low <= truth <= high for low, high in bounds])
    assert 0.92 < covered < 0.98
    assert rnnlite.accuracy_interval(1.0, 10)[1] == pytest.approx(1.0)
