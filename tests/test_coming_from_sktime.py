"""Every row of the table of sktime and aeon in docs/coming_from.md, executed in both libraries."""

import warnings

import numpy as np
import pytest
from conftest import assert_same_bits
from page_rows import Rows, code_in

import rnnlite
from rnnlite.tables import Reader, channels_last

pytest.importorskip("sklearn", minversion="1.6", reason="the estimators need scikit-learn")
pytest.importorskip("sktime", reason="these tests compare with sktime")
import pandas
from sklearn.linear_model import LinearRegression

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what they say of their own future
    from sktime.classification.distance_based import KNeighborsTimeSeriesClassifier
    from sktime.datatypes import convert_to
    from sktime.forecasting.compose import make_reduction
    from sktime.split import temporal_train_test_split

from rnnlite.sklearn import RNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs; ours are errors in other tests
rng = np.random.default_rng(0)
X = rng.normal(size=(8, 2, 5))  # (n, channels, T)
Y = np.array(list("abababab"))
SERIES = np.sin(np.arange(120) / 5) + rng.normal(scale=0.1, size=120)
SMALL = {"cell": "rnn", "units": 4, "epochs": 3, "random_state": 0}
NAMES = {"channels_last": channels_last, "Reader": Reader, "datasets": rnnlite.datasets}
row = Rows("sktime and aeon")


@row.every_row()
def test_every_row_is_true(first, others):
    row.run(first, others)


def test_no_check_is_left_over():
    assert not row.left_over()


def here(text, **names):
    return eval(text, NAMES | names)


def unscaled(reader, frame):
    """Sequences as a reader makes them, in the units of the frame."""
    return reader.learn(frame).read(frame).x * reader.scale + reader.mean


@row('"numpy3D" (n, channels, T)')
def numpy3d(first, ours):
    numbers = convert_to(convert_to(X, "df-list"), "numpy3D")
    names = {"X": numbers}
    exec(*code_in(ours), NAMES, names)
    assert_same_bits("x", names["x"], np.ascontiguousarray(X.swapaxes(1, 2)))
    assert names["lengths"] is None


@row('list of arrays (channels, T), aeon\'s "np-list"')
def np_list(first, ours):
    series = [X[0], X[1, :, :3], X[2]]
    x, lengths = here(code_in(ours)[0], X=series)
    assert x.shape == (3, 5, 2) and lengths.tolist() == [5, 3, 5]
    found = RNNClassifier(**SMALL).fit(here(code_in(ours)[1], X=series), Y[:3])
    x[1, 3:] = np.nan
    assert found.predict(x).tolist() == found.predict([s.T for s in series]).tolist()


@row('"df-list" of (T, channels)')
def df_list(first, ours):
    frames = convert_to(X, "df-list")
    for found, expected in zip(here(*code_in(ours), X=frames), X, strict=True):
        assert_same_bits("series", np.ascontiguousarray(found), np.ascontiguousarray(expected.T))


@row('"pd-multiindex"')
def multiindex(first, ours):
    table = convert_to(X, "pd-multiindex")
    make, frame = code_in(ours)
    x = unscaled(here(make), here(frame, X=table))
    np.testing.assert_allclose(x[:, :, 0], X[:, 0], atol=1e-6)


@row('"nested_univ"')
def nested(first, ours):
    names = {"X": convert_to(X, "nested_univ"), "convert_to": convert_to}
    x, _ = here(*code_in(ours), **names)
    assert_same_bits("x", x, channels_last(X)[0])


@row("`KNeighborsTimeSeriesClassifier().fit(X, y)`", "`classifier.predict_proba(X)`")
def classifiers(first, ours):
    theirs = KNeighborsTimeSeriesClassifier(distance="euclidean").fit(X, Y)
    found = RNNClassifier(**SMALL).fit(channels_last(X)[0], Y)
    if "fit" in first:
        assert eval(*code_in(first), {type(theirs).__name__: type(theirs), "X": X, "y": Y})
        here(*code_in(ours), RNNClassifier=lambda: found, X=X, y=Y)
        assert found.predict(channels_last(X)[0]).shape == theirs.predict(X).shape
    else:
        assert ours == "the same"
        probabilities = found.predict_proba(channels_last(X)[0])
        assert probabilities.shape == theirs.predict_proba(X).shape
        assert found.classes_.tolist() == theirs.classes_.tolist()


@row("`temporal_train_test_split(series)`")
def split(first, ours):
    series = pandas.Series(SERIES)
    call = {"temporal_train_test_split": temporal_train_test_split, "series": series}
    train, test = eval(*code_in(first), call)
    assert train.index.max() < test.index.min()
    data = here(*code_in(ours), series=SERIES)
    for earlier, later in ((data.train, data.validation), (data.validation, data.test)):
        # The last value to be forecast, and the first one of the part after it.
        last, first = data.restore(earlier.y[-1, -1:]), data.restore(later.y[0, :1])
        places = [np.abs(SERIES - value).argmin() for value in (*last, *first)]
        assert places[0] < places[1]


class Keeping(LinearRegression):
    """Keeps the windows that a reduction makes."""

    def fit(self, X, y):
        Keeping.windows = X, y
        return super().fit(X, y)


@row("`make_reduction(regressor, window_length=24)`")
def reduction(first, ours):
    call = {"make_reduction": make_reduction, "regressor": Keeping()}
    assert eval(*code_in(first), call).window_length == 24
    forecaster = make_reduction(Keeping(), window_length=24, strategy="multioutput")
    forecaster.fit(pandas.Series(SERIES), fh=[1, 2, 3])
    windows, answers = Keeping.windows
    data = here(code_in(ours)[0], series=SERIES)
    n = len(data.train.x)
    np.testing.assert_allclose(data.restore(data.train.x[:, :, 0]), windows[:n], atol=1e-5)
    np.testing.assert_allclose(data.restore(data.train.y), answers[:n], atol=1e-5)
    LinearRegression().fit(data.train.x[:, :, 0], data.train.y)  # any estimator


def test_arrays_in_the_layout_of_aeon_are_that_to_aeon():
    pytest.importorskip("aeon", reason="aeon is not installed")
    from aeon.utils.validation.collection import get_type

    assert get_type(X) == "numpy3D" and get_type([X[0], X[1, :, :3]]) == "np-list"
