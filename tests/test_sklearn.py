"""The estimators: all that scikit-learn asks of one, and sequences in every form people have."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits

import rnnlite
from rnnlite.cells.functions import tanh

REASON = "the estimators need scikit-learn: pip install scikit-learn"
pytest.importorskip("sklearn", minversion="1.6", reason=REASON)
import joblib
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnlite.sklearn import RNNClassifier, RNNRegressor, workers

SMALL = {"cell": "rnn", "units": 4, "epochs": 3, "random_state": 0}
both = pytest.mark.parametrize(
    "kind", [RNNClassifier, RNNRegressor], ids=["classifier", "regressor"]
)


def table(n=20, T=5, seed=0):
    """X (n, T), float32, and whether the sum of a row is above 0."""
    X = np.random.default_rng(seed).normal(size=(n, T)).astype("float32")
    return X, (X.sum(axis=1) > 0).astype(int)


def ragged(n=20, F=2, seed=0):
    """A list of sequences (1 to 6, F), and whether the first number of each is above 0."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(rng.integers(1, 7), F)).astype("float32") for _ in range(n)]
    return X, np.array([int(x[0, 0] > 0) for x in X])


def answers(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


# ---- what scikit-learn asks ------------------------------------------------------------------


@pytest.mark.long
@both
def test_every_check_of_scikit_learn_passes_none_is_skipped(kind, monkeypatch):
    # Without this, scikit-learn skips its check of arrays of other libraries.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    monkeypatch.setenv("RNNLITE_NUM_THREADS", "1")  # other tests have the other processors
    program = (
        "import sys\n"
        "from sklearn.utils.estimator_checks import check_estimator\n"
        f"from rnnlite.sklearn import {kind.__name__} as kind\n"
        "found = check_estimator(kind(), on_skip=None, on_fail=None)\n"
        "wrong = [f for f in found if f['status'] != 'passed' or f['expected_to_fail']]\n"
        "sys.exit(f'{len(wrong)} of {len(found)}: {wrong}' if wrong or len(found) < 50 else 0)\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-3000:]


@both
def test_a_table_is_sequences_of_one_feature_in_every_form(kind):
    X, y = table()
    expected = kind(**SMALL).fit(X, y)
    for form in (X[:, :, None], [list(row[:, None]) for row in X]):
        found = kind(**SMALL).fit(form, y)
        assert_same_bits("flat_params", found.model_.flat_params, expected.model_.flat_params)
        assert_same_bits("answers", answers(found, form), answers(expected, X))
        assert (found.n_features_in_, expected.n_features_in_) == (1, 5)
        assert_same_bits("answers", answers(found, X), answers(expected, X))  # a table is more


@both
@pytest.mark.parametrize("F", [1, 2])
def test_nan_behind_the_end_is_a_list_of_sequences(kind, F):
    X, y = ragged(F=F)
    padded = np.full((len(X), 6, F), np.nan, np.float32)
    for row, sequence in zip(padded, X, strict=True):
        row[: len(sequence)] = sequence
    forms = [padded, X, np.array([*X, None], object)[:-1]]
    if F == 1:
        forms += [padded[:, :, 0], [sequence[:, 0] for sequence in X]]
    estimators = [kind(**SMALL).fit(form, y) for form in forms]
    for estimator, form in zip(estimators, forms, strict=True):
        same = estimator.model_.flat_params, estimators[0].model_.flat_params
        assert_same_bits("flat_params", *same)
        assert_same_bits("answers", answers(estimator, form), answers(estimators[0], padded))
    np.testing.assert_allclose(estimators[0].mean_, np.concatenate(X).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(estimators[0].scale_, np.concatenate(X).std(axis=0), atol=1e-6)


def test_any_other_nan_is_refused():
    X, y = table()
    for place, words in [
        ((3, 0), ["NaN", "row 3 at step 0", "fill gaps"]),
        ((3, slice(None)), ["NaN alone in row 3"]),
    ]:
        wrong = X.copy()
        wrong[place] = np.nan
        assert_refused(ValueError, words, RNNClassifier(**SMALL).fit, wrong, y)
    half = np.repeat(X[:, :, None], 2, axis=2)
    half[4, -1, 0] = np.nan  # one of two features
    assert_refused(ValueError, ["row 4 at step 4"], RNNClassifier(**SMALL).fit, half, y)
    lists, y = ragged()
    lists[2][-1, 0] = np.nan
    assert_refused(ValueError, ["NaN"], RNNClassifier(**SMALL).fit, lists, y)


def test_other_features_than_before_are_refused_and_other_lengths_are_not():
    X, y = ragged(F=2)
    classifier = RNNClassifier(**SMALL).fit(X, y)
    assert classifier.predict(np.zeros((3, 50, 2))).shape == (3,)
    words = ["shape (6, 2)", "sequences of 2 features", "[sequence]"]
    assert_refused(ValueError, words, classifier.predict, np.zeros((6, 2)))
    words = ["3 features", "expecting 2 features"]
    assert_refused(ValueError, words, classifier.predict, np.zeros((3, 6, 3)))
    words = ["1 features", "expecting 2 features"]
    assert_refused(ValueError, words, classifier.predict, [[1.0, 2.0], [1.0]])


# ---- targets ---------------------------------------------------------------------------------


def test_classes_may_have_names():
    X, y = table()
    names = np.array(["no", "yes"])[y]
    named, numbered = (RNNClassifier(**SMALL).fit(X, target) for target in (names, y))
    assert named.classes_.tolist() == ["no", "yes"]
    assert named.predict(X).tolist() == np.array(["no", "yes"])[numbered.predict(X)].tolist()
    assert_same_bits("probabilities", named.predict_proba(X), numbered.predict_proba(X))


def test_several_questions_in_one():
    X, first = table(60)
    second = np.array(["a", "b", "c"])[np.digitize(X[:, -1], [-0.5, 0.5])]
    y = np.stack([np.array(["down", "up"])[first], second], axis=1)
    settings = SMALL | {"cell": "gru", "units": 8, "epochs": 60, "lr": 0.03}
    classifier = RNNClassifier(**settings).fit(X, y)
    right = (classifier.predict(X) == y).mean(axis=0)
    assert (right > 0.85).all(), right
    assert [part.shape for part in classifier.predict_proba(X)] == [(60, 2), (60, 3)]
    assert [part.shape for part in classifier.decision_function(X)] == [(60,), (60, 3)]
    # Right is a row whose questions are all answered right: 45 of 60, or of weights 45 of 67.5.
    y = classifier.predict(X)
    y[:15, 1] = np.where(y[:15, 1] == "a", "b", "a")
    assert classifier.score(X, y) == 0.75
    weights = np.where(np.arange(60) < 15, 1.5, 1.0)
    assert classifier.score(X, list(y), weights) == pytest.approx(2 / 3)

    labels = np.stack([first, X[:, -1] > 0, X[:, 0] > 0], axis=1).astype(int)
    classifier = RNNClassifier(**settings).fit(X, labels)
    assert ((classifier.predict(X) == labels).mean(axis=0) > 0.85).all()
    assert_same_bits("labels", classifier.predict(X), (classifier.predict_proba(X) > 0.5) * 1)

    values = np.stack([X.sum(axis=1), 1000 + 50 * X[:, -1]], axis=1)
    regressor = RNNRegressor(**settings).fit(X, values)
    assert regressor.predict(X).shape == (60, 2) and regressor.score(X, values) > 0.7


def test_the_loss_of_several_questions_has_its_gradient():
    from rnnlite.sklearn.targets import MeanOfCrossEntropies

    rng = np.random.default_rng(0)
    output, direction = rng.normal(size=(2, 4, 5))
    y, weights = np.array([[0, 2], [1, 0], [1, 1], [0, 2]]), np.array([1.0, 0.0, 2.0, 0.5])
    loss = MeanOfCrossEntropies([2, 3])
    _, gradient, counts = loss(output, y, weights=weights)
    ahead, behind = (loss(output + s * 1e-6 * direction, y, weights=weights)[0] for s in (1, -1))
    np.testing.assert_allclose((ahead - behind) / 2e-6, (gradient * direction).sum(), rtol=1e-7)
    assert (counts == weights).all()


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 9.0}], ids=["balanced", "dict"])
def test_the_weight_of_a_class_is_that_of_its_rows(class_weight):
    X, _ = table()
    y = (np.arange(20) >= 18).astype(int)  # 18 and 2
    of_rows = np.where(y, 5.0, 20 / 36) if class_weight == "balanced" else np.where(y, 9.0, 1.0)
    settings = SMALL | {"dtype": "float64"}
    weighted = RNNClassifier(**settings).fit(X, y, sample_weight=of_rows)
    by_class = RNNClassifier(**settings, class_weight=class_weight).fit(X, y)
    # The scale of the features is that of the rows, whatever their classes weigh.
    assert not np.allclose(weighted.mean_, by_class.mean_)
    weighted, by_class = (
        RNNClassifier(**settings, standardize=False, class_weight=w).fit(X, y, sample_weight=s)
        for w, s in ((None, of_rows), (class_weight, None))
    )
    np.testing.assert_allclose(by_class.predict_proba(X), weighted.predict_proba(X), rtol=1e-10)


def test_a_row_of_weight_0_is_not_there():
    X, y = table()
    weights = np.arange(20) % 3
    X[weights == 0, -1] = 1e6
    all_rows = RNNClassifier(**SMALL).fit(X, y, sample_weight=weights)
    some = RNNClassifier(**SMALL).fit(X[weights > 0], y[weights > 0], weights[weights > 0])
    assert_same_bits("flat_params", all_rows.model_.flat_params, some.model_.flat_params)


# ---- training --------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("by_file", [False, True], ids=["", "through joblib"])
def test_three_partial_fits_are_three_epochs(kind, by_file, tmp_path):
    X, y = table()
    whole = kind(**SMALL, batch_size=8, dropout=0.2).fit(X, y)
    parts = kind(**SMALL, batch_size=8, dropout=0.2)
    for _ in range(3):
        parts.partial_fit(X, y)
        if by_file:
            joblib.dump(parts, tmp_path / "parts.joblib")
            parts = joblib.load(tmp_path / "parts.joblib")
    assert_same_bits("flat_params", parts.model_.flat_params, whole.model_.flat_params)
    assert parts.n_iter_ == whole.n_iter_ == 3


def test_partial_fit_is_told_all_classes_at_first():
    X, y = table()
    classifier = RNNClassifier(**SMALL).partial_fit(X[y == 0], y[y == 0], classes=[0, 1])
    assert classifier.partial_fit(X, y).classes_.tolist() == [0, 1]
    assert_refused(ValueError, ["y holds 7", "[0, 1]"], classifier.partial_fit, X, y * 7)
    balanced = RNNClassifier(class_weight="balanced")
    assert_refused(ValueError, ["partial_fit", "balanced"], balanced.partial_fit, X, y)


def test_it_stops_early_and_returns_to_the_best_weights():
    X, y = table(60)
    y = np.random.default_rng(1).permutation(y)  # there is nothing to learn
    options = SMALL | {"epochs": 200, "lr": 0.05, "n_iter_no_change": 3}
    classifier = RNNClassifier(**options, early_stopping=True, validation_fraction=0.25).fit(X, y)
    history = classifier.history_
    best = history.best("val_loss")
    assert classifier.n_iter_ == best + 1 + 3 < 200 and history.stopped_by == "early stopping"
    by_training = RNNClassifier(**options, early_stopping=True, validation_fraction=None, tol=1.0)
    assert by_training.fit(X, y).n_iter_ == 4 and "val_loss" not in by_training.history_
    never = RNNClassifier(**SMALL).fit(X, y)
    assert "val_loss" not in never.history_ and never.n_iter_ == 3


def test_the_rows_set_aside_teach_nothing(monkeypatch):
    X, y = table(40)
    seen = {}
    monkeypatch.setattr("rnnlite.sklearn.estimator.fit", lambda model, x, y, **options: seen.update(
        options, x=x, y=y) or rnnlite.fit(model, x, y, **options))  # fmt: skip
    classifier = RNNClassifier(**SMALL, early_stopping=True, validation_fraction=0.25).fit(X, y)
    x_held, y_held, _ = seen["validation"]
    assert (len(seen["x"]), len(x_held)) == (30, 10)
    assert abs(y_held.mean() - y.mean()) < 0.06  # evenly from both classes
    back = np.concatenate([seen["x"], x_held])[:, :, 0] * classifier.scale_ + classifier.mean_
    np.testing.assert_allclose(np.sort(back.ravel()), np.sort(X.ravel()), atol=1e-5)
    assert abs(seen["x"].mean()) < 1e-6 < abs(x_held.mean())


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", lambda step: 0.01 / (1 + step) ** 2])
def test_a_schedule_is_over_when_training_is(schedule):
    X, y = table()
    lr = RNNClassifier(**SMALL, batch_size=8, schedule=schedule).fit(X, y).history_["lr"]
    assert lr[-1] < 0.3 * max(lr)


def test_the_arguments_describe_the_network():
    X, y = table()
    options = {"layers": 2, "bidirectional": True, "dropout": 0.5, "epochs": 1, "units": 4}
    model = RNNRegressor("gru", **options, dtype="float64").fit(X, y).model_
    inner = "Bidirectional(GRU({}, 4{}))"
    names = [inner.format(1, ", return_sequences=True"), inner.format(8, "")]
    assert [repr(layer) for layer in model.layers] == [
        names[0], "Dropout(0.5)", names[1], "Dropout(0.5)", "Dense(8, 1)",
    ]  # fmt: skip
    assert model.dtype == np.float64
    assert RNNClassifier(**SMALL).fit(X, y).model_.dtype == np.float32
    rounded = RNNClassifier(**SMALL, compute_dtype="bfloat16").fit(X.astype(float), y).model_
    assert rounded.dtype == np.float32
    assert [layer.compute_dtype for layer in rounded.layers] == ["bfloat16"] * 2
    mixed = RNNClassifier(**SMALL, compute_dtype="bfloat16", dtype="float64")
    assert_refused(ValueError, ["compute_dtype is 'bfloat16'", "'float64'"], mixed.fit, X, y)
    assert RNNClassifier(**SMALL).fit(X.astype(float), y).model_.dtype == np.float64


def _step(z, state):
    return (tanh(z[0]),), (tanh(z[0]),)


def _step_backward(dstate, saved, state, new_state):
    return (dstate[0] * (1 - saved[0] * saved[0]),), (0.0 * dstate[0],)


MINE = rnnlite.custom_cell(
    "mine", _step, _step_backward, gates=["a"], saved=["a"], compiled=False
)  # fmt: skip


def test_a_cell_of_one_s_own(tmp_path):
    X, y = table()
    classifier = clone(RNNClassifier(**SMALL | {"cell": MINE})).fit(X, y)
    joblib.dump(classifier, tmp_path / "mine.joblib")
    again = joblib.load(tmp_path / "mine.joblib")
    assert_same_bits("answers", answers(again, X), answers(classifier, X))


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("cell", "lstn", ["cell is 'lstn'", "'gru'"]),
        ("units", 0, ["units is 0"]),
        ("dropout", 1.0, ["dropout is 1.0"]),
        ("lr", "fast", ["lr is 'fast'"]),
        ("schedule", "linear", ["schedule is 'linear'", "'one_cycle'"]),
        ("early_stopping", "never", ["early_stopping is 'never'"]),
        ("n_threads", 0, ["n_threads is 0"]),
        ("class_weight", {5: 2.0}, ["class_weight is for [5]", "[0, 1]"]),
        ("class_weight", "even", ["class_weight is 'even'", "'balanced'"]),
        ("class_weight", {0: -1.0, 1: 1.0}, ["class_weight is {0: -1.0", "at least 0"]),
        ("validation_fraction", 1.5, ["validation_fraction is 1.5"]),
        ("dtype", "float16", ["dtype is 'float16'"]),
        ("compute_dtype", "float16", ["compute_dtype is 'float16'"]),
    ],
)
def test_an_argument_out_of_bounds_is_named(argument, value, words):
    X, y = table()
    error = TypeError if value == "fast" or value == "never" else ValueError
    estimator = RNNClassifier(**SMALL | {argument: value})
    assert_refused(error, ["RNNClassifier", *words], estimator.fit, X, y)


# ---- in company ------------------------------------------------------------------------------


def test_searches_pipelines_and_scores():
    X, y = ragged(30)
    search = GridSearchCV(RNNClassifier(**SMALL), {"units": [3, 4]}, cv=3, n_jobs=2).fit(X, y)
    assert search.best_estimator_.predict(X).shape == (30,)
    assert cross_val_score(RNNRegressor(**SMALL), X, y, cv=3).shape == (3,)
    X, y = table(30)
    pipeline = make_pipeline(StandardScaler(), RNNClassifier(**SMALL))
    assert cross_val_score(pipeline, X, y, cv=3, n_jobs=2).shape == (3,)
    target = TransformedTargetRegressor(RNNRegressor(**SMALL), transformer=StandardScaler())
    assert target.fit(X, y).predict(X).shape == (30,)


def threads(n_threads=None):
    with workers.threads("test", n_threads):
        return rnnlite.get_num_threads()


def test_a_worker_of_joblib_computes_with_one_thread(monkeypatch):
    rnnlite.set_num_threads(3)
    monkeypatch.delenv("RNNLITE_NUM_THREADS", raising=False)
    assert threads() == 3 and threads(2) == 2 and threads(4) == 4 and threads() == 3

    def ask(*arguments):
        tasks = [joblib.delayed(threads)(*arguments) for _ in range(2)]
        return joblib.Parallel(n_jobs=2, backend="threading")(tasks)

    assert ask() == [1, 1] and ask(2) == [2, 2]
    monkeypatch.setenv("RNNLITE_NUM_THREADS", "3")
    assert ask() == [3, 3]


def test_results_do_not_depend_on_threads(work_for_many):
    X, y = table(64)
    one, two = (
        RNNClassifier(**SMALL | {"units": 64, "epochs": 1, "n_threads": n}).fit(X, y)
        for n in (1, 2)
    )
    assert_same_bits("flat_params", one.model_.flat_params, two.model_.flat_params)


def test_frames_are_read_by_the_names_of_their_columns():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y = table()
    frame = pandas.DataFrame(X, columns=[f"day {n}" for n in range(5)])
    classifier = RNNClassifier(**SMALL).fit(frame, y)
    assert classifier.feature_names_in_.tolist() == list(frame.columns)
    assert_refused(ValueError, ["day 0"], classifier.predict, frame.rename(columns={"day 0": "d"}))
    assert not hasattr(classifier.fit(X[:, :, None], y), "feature_names_in_")
