"""Every row of scikit-learn's table in docs/coming_from.md, executed in both libraries."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_same_bits
from page_rows import Rows, code_in

pytest.importorskip("sklearn", minversion="1.6", reason="these tests compare with scikit-learn")
import joblib
from sklearn import compose, multioutput, neural_network, pipeline, preprocessing
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

import rnnlite.sklearn
from rnnlite.sklearn import RNNClassifier, estimator

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"  # a few epochs are enough here
)
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5)).astype("float32")
Y = np.where(X.sum(axis=1) > 0, "up", "down")
VALUES = X.sum(axis=1)
MLP = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
SMALL = {"cell": "rnn", "units": 4, "epochs": 3, "random_state": 0}
row = Rows("scikit-learn")


@row.every_row()
def test_every_row_is_true(first, others):
    row.run(first, others)


def test_no_check_is_left_over():
    assert not row.left_over()


def made(text, **options):
    """The estimator that a line makes, with the names that it uses."""
    places = (compose, multioutput, neural_network, pipeline, preprocessing, rnnlite.sklearn)
    names = {name: value for place in places for name, value in vars(place).items()}
    return eval(text, names).set_params(**options)


def options(cell):
    """What stands between backticks in a cell, as arguments."""
    return {k: v for text in code_in(cell) for k, v in eval(f"dict({text})").items()}


@row("`MLPClassifier(hidden_layer_sizes=(8, 8))`")
def layers(first, ours):
    theirs = made(*code_in(first), max_iter=2).fit(X, Y)
    mine = made(*code_in(ours), cell="rnn", epochs=2).fit(X, Y)
    assert [len(b) for b in theirs.intercepts_[:-1]] == [8, 8]
    assert [getattr(layer, "hidden_size", None) for layer in mine.model_.layers] == [8, 8, None]


@row("`MLPRegressor()`, y of one column or more")
def regressors(first, ours):
    for y in (VALUES, np.stack([VALUES, -VALUES], axis=1)):
        theirs = made(code_in(first)[0], **MLP).fit(X, y).predict(X)
        assert theirs.shape == made(*code_in(ours), **SMALL).fit(X, y).predict(X).shape


@row("`max_iter=3`")
def passes(first, ours):
    theirs = MLPClassifier(**MLP | options(first)).fit(X, Y)
    assert theirs.n_iter_ == RNNClassifier(**SMALL | options(ours)).fit(X, Y).n_iter_ == 3


@row("`learning_rate_init=0.01`")
def step_size(first, ours):
    (theirs,) = options(first).values()
    rate, shape = (eval(f"dict({text})") for text in code_in(ours))
    assert MLPClassifier(**options(first)).learning_rate_init == theirs == rate["lr"]
    assert set(RNNClassifier(**SMALL, **rate).fit(X, Y).history_["lr"]) == {theirs}
    lr = RNNClassifier(**SMALL | {"batch_size": 8}, **rate, **shape).fit(X, Y).history_["lr"]
    assert max(lr) <= theirs and lr[-1] < theirs / 2


@row("`batch_size=32`", "`random_state=0`")
def same_argument(first, ours):
    assert ours == "the same"
    assert_same_bits("answers", *(fitted.predict_proba(X) for fitted in (
        RNNClassifier(**SMALL | options(first)).fit(X, Y) for _ in range(2))))  # fmt: skip
    assert options(first).keys() <= MLPClassifier(**options(first)).get_params().keys()


@row('`solver="adam"`')
def solver(first, ours):
    assert ours == "always" and MLPClassifier(**options(first)).solver == "adam"
    fitted = RNNClassifier(**SMALL).fit(X, Y)
    assert any(name.startswith("v.") for name in fitted.optimizer_state_)  # second moments


@row('`X.astype("float32")`: a network of that precision')
def precision(first, ours):
    given = {"X": X.astype(float)}
    theirs = MLPClassifier(**MLP).fit(eval(*code_in(first), given), Y)
    mine = RNNClassifier(**SMALL).fit(eval(*code_in(first), given), Y)
    assert theirs.coefs_[0].dtype == mine.model_.dtype == np.float32
    rounded = RNNClassifier(**SMALL, **options(ours)).fit(given["X"], Y)
    assert rounded.model_.layers[0].compute_dtype == "bfloat16" and ours.startswith("the same")
    assert RNNClassifier(**SMALL).fit(given["X"], Y).model_.dtype == np.float64


@row("`alpha=1e-4`, weight decay")
def decay(first, ours):
    assert ours.startswith("none") and "alpha" not in RNNClassifier().get_params()
    model = RNNClassifier(**SMALL, **options(ours.partition(";")[2])).fit(X, Y).model_
    assert "Dropout(0.2)" in repr(model)
    assert MLPClassifier(**options(first)).alpha == 1e-4


@row('`early_stopping="auto"` of `HistGradientBoostingClassifier`')
def stopping(first, ours):
    assert ours.startswith("the same") and f"{estimator.MANY_ROWS:,} rows" in ours
    for kind in (RNNClassifier, HistGradientBoostingClassifier):
        assert kind().early_stopping == "auto"
    many = rng.normal(size=(estimator.MANY_ROWS + 1, 1)).astype("float32")
    y = (many[:, 0] > 0).astype(int)
    for n in (len(many), len(many) - 1):
        theirs = HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=2).fit(many[:n], y[:n])
        mine = RNNClassifier("rnn", 2, epochs=1, batch_size=4096).fit(many[:n], y[:n])
        stops = n > estimator.MANY_ROWS
        assert theirs.do_early_stopping_ == ("val_loss" in mine.history_) == stops


@row("`validation_fraction=0.1`, `n_iter_no_change=10`")
def stopping_options(first, ours):
    assert ours == "the same"
    for kind in (RNNClassifier, MLPClassifier, HistGradientBoostingClassifier):
        assert kind().get_params().items() >= options(first).items()


@row("`tol=1e-4`")
def tolerance(first, ours):
    assert ours == "the same; 0 if not given"
    assert MLPClassifier().tol == options(first)["tol"] and RNNClassifier().tol == 0
    stopped = SMALL | {"epochs": 50, "early_stopping": True, "validation_fraction": None}
    assert RNNClassifier(**stopped, n_iter_no_change=2, tol=1.0).fit(X, Y).n_iter_ == 3


@row('`class_weight="balanced"`')
def class_weight(first, ours):
    assert ours == "the same"
    rare = np.where(np.arange(40) < 4, "rare", "usual")
    share = [
        made("RNNClassifier()", **SMALL | more).fit(X, rare).predict_proba(X)[:, 0].mean()
        for more in ({"epochs": 30}, {"epochs": 30} | options(first))
    ]
    assert share[1] > 2 * share[0]


@row("`fit(X, y, sample_weight=w)`, `partial_fit(X, y, classes=names)`")
def methods(first, ours):
    assert ours == "the same"
    fit, partial_fit = (f"estimator.{text}" for text in code_in(first))
    given = {"X": X, "y": Y, "w": np.ones(40), "names": ["down", "up"]}
    weighted = HistGradientBoostingClassifier(max_iter=1)  # MLPClassifier has weights from 1.7 on
    for one, text in [
        (weighted, fit), (MLPClassifier(**MLP), partial_fit),
        (RNNClassifier(**SMALL), fit), (RNNClassifier(**SMALL), partial_fit),
    ]:  # fmt: skip
        assert eval(text, given | {"estimator": one}).classes_.tolist() == given["names"]


@row("`make_pipeline(StandardScaler(), MLPClassifier())`")
def scaled(first, ours):
    sequences = rng.normal(3, 2, size=(20, 5, 2)).astype("float32")
    theirs = made(*code_in(first)).steps[0][1].fit(sequences.reshape(-1, 2))
    kind, option = code_in(ours)
    mine = made(kind, **SMALL, **eval(f"dict({option})")).fit(sequences, Y[:20])
    assert mine.get_params().items() >= RNNClassifier(**SMALL).get_params().items()  # the default
    np.testing.assert_allclose(mine.mean_, theirs.mean_, rtol=1e-5)
    np.testing.assert_allclose(mine.scale_, theirs.scale_, rtol=1e-5)


@row("`TransformedTargetRegressor(MLPRegressor(), transformer=StandardScaler())`")
def scaled_target(first, ours):
    theirs = made(*code_in(first)).set_params(**{f"regressor__{k}": v for k, v in MLP.items()})
    theirs.fit(X, 1000 * VALUES)
    kind, option = code_in(ours)
    mine = made(kind, **SMALL, **eval(f"dict({option})")).fit(X, 1000 * VALUES)
    np.testing.assert_allclose(mine.y_mean_, theirs.transformer_.mean_)
    np.testing.assert_allclose(mine.y_scale_, theirs.transformer_.scale_)
    assert isinstance(theirs, compose.TransformedTargetRegressor)


@row("`MultiOutputClassifier(MLPClassifier())`")
def questions(first, ours):
    y = np.stack([Y, np.where(X[:, 0] > 1, "a", np.where(X[:, 0] > 0, "b", "c"))], axis=1)
    theirs = made(*code_in(first)).set_params(estimator__max_iter=3).fit(X, y)
    mine = made(code_in(ours)[0], **SMALL).fit(X, y)
    assert isinstance(theirs, multioutput.MultiOutputClassifier)
    assert [c.tolist() for c in theirs.classes_] == [c.tolist() for c in mine.classes_]
    shapes = [[p.shape for p in fitted.predict_proba(X)] for fitted in (theirs, mine)]
    assert shapes[0] == shapes[1] and mine.model_.layers[-1].out_features == 5


@row("`loss_curve_`, `n_iter_`", "`coefs_`, `intercepts_`")
def fitted_attributes(first, ours):
    theirs, mine = MLPClassifier(**MLP).fit(X, Y), RNNClassifier(**SMALL).fit(X, Y)
    for name, line in zip(code_in(first), code_in(ours), strict=False):
        expected = getattr(theirs, name)
        found = eval(f"mine.{line}", {"mine": mine})
        assert found == expected if name == "n_iter_" else len(found) >= len(expected) > 1
    if "loss_curve_" in first:
        assert len(mine.history_["loss"]) == len(theirs.loss_curve_) == 3


class Asked(RNNClassifier):
    """Tells how many threads it computed with."""

    def score(self, X, y):
        with estimator.workers.threads("test", self.n_threads):
            return float(rnnlite.get_num_threads())


@row("`n_jobs=2` of a search")
def jobs(first, ours):
    told = os.environ.pop("RNNLITE_NUM_THREADS", None)
    try:
        for n_threads, expected in ((None, 1.0), (2, 2.0)):
            search = GridSearchCV(
                Asked(**SMALL, n_threads=n_threads), {"lr": [0.01]}, cv=2, **options(first)
            )
            with joblib.parallel_backend("threading"):
                search.fit(X, Y)
            assert search.best_score_ == expected
    finally:
        if told is not None:
            os.environ["RNNLITE_NUM_THREADS"] = told
    assert all(word in ours for word in ("`n_threads`", "`RNNLITE_NUM_THREADS`"))


@row("`joblib.dump(estimator, path)`")
def files(first, ours):
    fitted = RNNClassifier(**SMALL).fit(X, Y)
    with tempfile.TemporaryDirectory() as folder:
        values = {"joblib": joblib, "rnnlite": rnnlite, "estimator": fitted}
        values["path"] = Path(folder) / "a.joblib"
        eval(*code_in(first), values)
        assert_same_bits("answers", joblib.load(values["path"]).predict_proba(X),
                         fitted.predict_proba(X))  # fmt: skip
        values["path"] = Path(folder) / "a.npz"
        eval(code_in(ours)[0], values)
        model = rnnlite.load(values["path"])
    assert_same_bits("flat_params", model.flat_params, fitted.model_.flat_params)
