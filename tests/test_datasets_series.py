"""Time series: what is read of a data frame, and that nothing of the future reaches the past."""

import decimal
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused

import rnnlite
from rnnlite import datasets


def rows(count=100, columns=3, seed=0):
    return np.random.default_rng(seed).normal(5.0, 3.0, (count, columns))


def restored(data):
    """All three parts' x and y in the units of the series."""
    for part in data[:3]:
        yield part.x * data.std + data.mean, data.restore(part.y)


# ---- windows ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (5, 1), (4, 3), (20, 10)])
def test_windows_are_followed_by_what_is_forecast(window, horizon):
    series = rows()
    data = datasets.time_series(series, window=window, horizon=horizon, target=1)
    ends = [0, 70, 85, 100]
    for k, (x, y) in enumerate(restored(data)):
        first = max(ends[k], window)
        starts = range(first, ends[k + 1] - horizon + 1)
        assert x.shape == (len(starts), window, 3) and y.shape == (len(starts), horizon)
        for n, start in enumerate(starts):
            np.testing.assert_allclose(x[n], series[start - window : start], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(
                y[n], series[start : start + horizon, 1], rtol=1e-5, atol=1e-5
            )


def test_no_row_is_forecast_in_two_parts():
    data = datasets.time_series(np.arange(100.0), window=8, horizon=5)
    forecast = [set(np.rint(y).astype(int).ravel()) for _, y in restored(data)]
    assert [(min(part), max(part)) for part in forecast] == [(8, 69), (70, 84), (85, 99)]


def test_what_comes_later_changes_nothing_before():
    series = rows()
    changed = series.copy()
    changed[70:] = 1e6
    data, other = (datasets.time_series(s, window=8, horizon=3) for s in (series, changed))
    for name in "mean", "std":
        np.testing.assert_array_equal(getattr(data, name), getattr(other, name))
    for name in "x", "y":
        np.testing.assert_array_equal(getattr(data.train, name), getattr(other.train, name))
    assert not np.array_equal(data.validation.x, other.validation.x)


def test_mean_and_deviation_are_those_of_the_training_rows():
    series = rows()
    data = datasets.time_series(series, window=8, split=(0.5, 0.2, 0.3))
    np.testing.assert_allclose(data.mean, series[:50].mean(axis=0))
    np.testing.assert_allclose(data.std, series[:50].std(axis=0))
    seen = np.concatenate([data.train.x[0], data.train.x[8:, -1]])  # rows 0 to 7, 15 to 48
    assert abs(seen.mean()) < 0.3 and abs(seen.std() - 1.0) < 0.3


def test_arrays_are_float32_views_of_one_copy():
    series = rows(1000)
    data = datasets.time_series(series, window=100, horizon=10)
    for part in data[:3]:
        assert part.x.dtype == part.y.dtype == np.float32
        assert not part.x.flags.writeable and not part.y.flags.writeable
        assert np.shares_memory(part.x, data.train.x) or part is data.test
        assert np.shares_memory(part.x, part.y) and not np.shares_memory(part.x, series)


def test_windows_take_no_memory(peak_memory):
    series = np.zeros((20_000, 4))
    data = datasets.time_series(series, window=500, horizon=50)
    assert data.train.x.nbytes > 50_000_000 and peak_memory() < 10 * series.nbytes


def test_restoring_undoes_the_normalisation_of_the_target():
    series = rows()
    data = datasets.time_series(series, window=8, target=0, split=(0.5, 0.2, 0.3))
    truth = series[np.arange(80, 100), 0]
    got = data.restore(data.test.y[-20:])
    assert got.dtype == np.float64 and got.shape == (20, 1)
    np.testing.assert_allclose(got[:, 0], truth, rtol=1e-5)
    assert data.restore(0.0) == pytest.approx(series[:50, 0].mean())
    assert_refused(TypeError, ["TimeSeries.restore: y holds"], data.restore, ["a"])


@pytest.mark.parametrize("value", [0.1, 2.3, 0.0])
def test_a_column_that_never_changes_becomes_zero_whatever_its_sum_rounds_to(value):
    series = np.column_stack([np.full(1000, value), np.arange(1000.0)])
    data = datasets.time_series(series, window=5, target=0)
    assert not data.train.x[..., 0].any() and not data.test.y.any()
    assert np.array_equal(data.restore(data.test.y), np.full_like(data.test.y, value, np.float64))


@pytest.mark.parametrize("kind", ["f4", "f8", "i4", "u1"])
def test_any_real_array_will_do_and_stays_as_it_is(kind):
    series = np.arange(60).astype(kind)
    before = series.copy()
    data = datasets.time_series(series, window=5)
    assert data.columns == (0,) and data.train.x.shape[2] == 1
    np.testing.assert_array_equal(series, before)
    np.testing.assert_allclose(data.restore(data.test.y[-1]), [59], rtol=1e-5)


def test_columns_are_chosen_and_ordered():
    series = rows()
    data = datasets.time_series(series, window=5, columns=[2, 0])
    assert data.columns == (2, 0) and data.target == 1
    np.testing.assert_allclose(data.mean, series[:70].mean(axis=0)[[2, 0]])
    data = datasets.time_series(series, window=5, columns=[2, 0], target=0)
    np.testing.assert_allclose(data.restore(data.test.y[-1]), series[-1, 2], rtol=1e-5)


def test_a_part_may_be_left_out():
    data = datasets.time_series(rows(), window=5, split=(0.8, 0.0, 0.2))
    assert [len(part.x) for part in data[:3]] == [75, 0, 20]
    assert data.validation.x.shape == (0, 5, 3) and data.validation.y.shape == (0, 1)
    data = datasets.time_series(rows(), window=5, split=(1, 0, 0))
    assert [len(part.x) for part in data[:3]] == [95, 0, 0]


def test_windows_go_straight_into_a_network_and_its_loss():
    data = datasets.time_series(rows(), window=8, horizon=2)
    model = rnnlite.Sequential([rnnlite.LSTM(3, 4, seed=0), rnnlite.Dense(4, 2, seed=0)])
    x, y = data.validation
    assert np.isfinite(rnnlite.mean_squared_error(model.forward(x), y)[0])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"window": 0}, ValueError, "window is 0; it must be at least 1"),
        ({"horizon": 2.5}, TypeError, "horizon is 2.5; it must be a whole number"),
        ({"target": 3}, ValueError, "target names 3; there are 3 columns, from 0"),
        ({"target": "level"}, ValueError, "target names 'level'; the columns are 0, 1, 2"),
        ({"columns": [3]}, ValueError, "columns names 3; there are 3 columns, from 0"),
        ({"columns": ["a"]}, ValueError, "columns names 'a'"),
        ({"columns": []}, ValueError, "columns is empty"),
        ({"columns": "a"}, TypeError, "columns is 'a'; wanted a list"),
        ({"columns": [0.5]}, TypeError, "columns is 0.5; it must be a whole number"),
        ({"split": (0.5, 0.5)}, ValueError, "split is (0.5, 0.5); wanted three shares"),
        ({"split": (0.5, 0.4, 0.2)}, ValueError, "that sum to 1"),
        ({"split": (1.5, -0.5, 0)}, ValueError, "split is 1.5; it must lie in [0.0, 1.0]"),
        ({"split": 0.7}, ValueError, "split is 0.7; wanted three shares"),
        ({"missing": "zero"}, ValueError, "missing is 'zero'; it can be 'error' or 'forward'"),
        ({"window": 70}, ValueError, "the training part has 70 of 100 rows; window 70"),
        ({"horizon": 16}, ValueError, "validation part has 15 of 100 rows; window 5 and"),
        ({"split": (0, 0.5, 0.5)}, ValueError, "the training part has 0 of 100 rows"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(arguments, error, words):
    make = datasets.time_series
    assert_refused(error, ["time_series: ", words], make, rows(), **({"window": 5} | arguments))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (np.zeros((2, 2, 2)), ValueError, "source has shape (2, 2, 2); wanted (rows,) or"),
        (np.zeros((0, 2)), ValueError, "source has shape (0, 2)"),
        ([["a"]], TypeError, "source holds <U1; it must hold real numbers"),
        (3.0, ValueError, "source has shape ()"),
        ("series.csv", TypeError, "source is 'series.csv'; wanted an array or a data frame: read"),
        (Path("series.csv"), TypeError, "read the file by pandas.read_csv or numpy.genfromtxt"),
    ],
)
def test_what_is_no_series_is_refused(source, error, words):
    assert_refused(error, ["time_series: ", words], datasets.time_series, source, window=1)


# ---- missing values --------------------------------------------------------------------------


def test_a_missing_value_in_an_array_is_named():
    series = rows()
    series[41, 2] = series[50, 2] = np.nan
    message = "time_series: row 41, column 2 has no value"
    assert_refused(
        ValueError, [message, "missing='forward'"], datasets.time_series, series, window=5
    )
    series[41, 2] = -np.inf
    assert_refused(
        ValueError, ["row 41, column 2 is -inf"],
        datasets.time_series, series, window=5, missing="forward",
    )  # fmt: skip


def test_missing_values_may_become_those_before_them():
    series = rows()
    series[[10, 40, 41, 42, 99], [0, 2, 2, 2, 2]] = np.nan
    before = series.copy()
    data = datasets.time_series(series, window=5, missing="forward")
    filled = series.copy()
    filled[10, 0], filled[40:43, 2], filled[99, 2] = series[9, 0], series[39, 2], series[98, 2]
    expected = datasets.time_series(filled, window=5)
    for part, wanted in zip(data[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(part.x, wanted.x)
        np.testing.assert_array_equal(part.y, wanted.y)
    np.testing.assert_array_equal(series, before)


def test_there_must_be_a_value_before_them():
    series = rows()
    series[0, 1] = np.nan
    assert_refused(
        ValueError, ["row 0, column 1 has no value; none is before it"],
        datasets.time_series, series, window=5, missing="forward",
    )  # fmt: skip


# ---- data frames -----------------------------------------------------------------------------

LEVELS = np.round(rows(40, 2), 3)
DAYS = np.datetime64("2024-01-01") + np.arange(40)
libraries = pytest.mark.parametrize("library", ["pandas", "polars"])


def imported(library):
    pytest.importorskip("narwhals", reason="data frames are read through narwhals")
    return pytest.importorskip(library, reason=f"{library} is not installed")


def frame(library, **columns):
    """A data frame with a date, two columns of numbers, and others if given."""
    table = {"day": DAYS, "level": LEVELS[:, 0], "wind": LEVELS[:, 1]} | columns
    return imported(library).DataFrame(table)


@libraries
def test_a_data_frame_and_its_numbers_give_the_same_windows(library):
    table = frame(library)
    data = datasets.time_series(table, window=6, horizon=2, columns=["level", "wind"])
    array = datasets.time_series(LEVELS, window=6, horizon=2)
    assert data.columns == ("level", "wind") and data.target == 1
    for part, wanted in zip(data[:3], array[:3], strict=True):
        np.testing.assert_array_equal(part.x, wanted.x)
        np.testing.assert_array_equal(part.y, wanted.y)


@libraries
def test_columns_and_target_are_chosen_by_name_or_place(library):
    table = frame(library)
    for columns in ["wind", "level"], [2, 1], ["wind", 1], (np.int64(2), "level"):
        data = datasets.time_series(table, window=5, columns=columns, target="wind")
        assert data.columns == ("wind", "level") and data.target == 0
        np.testing.assert_allclose(data.mean, LEVELS[:28].mean(axis=0)[::-1])


@libraries
def test_a_single_column_is_a_series(library):
    column = frame(library)["level"]
    data = datasets.time_series(column, window=5)
    wanted = datasets.time_series(LEVELS[:, 0], window=5)
    assert data.columns == ("level",) and np.array_equal(data.train.x, wanted.train.x)


NOT_NUMBERS = {
    "dates": DAYS,
    "words": ["1.5"] * 40,
    "thousands": ["1,234"] * 39 + ["5"],
    "decimal commas": ["1,5"] * 40,
    "mixed": [None] * 39 + ["#N/A"],
    "durations": (DAYS - DAYS[0]).astype("m8[ms]"),
}


@libraries
@pytest.mark.parametrize("what", NOT_NUMBERS)
def test_columns_that_are_no_numbers_are_refused_by_name(library, what):
    table = frame(library, sales=NOT_NUMBERS[what])
    make = datasets.time_series
    words = ["time_series: column 'sales' holds ", ", not numbers", "columns=[...]"]
    assert_refused(TypeError, words, make, table, window=5, columns=["level", "sales"])
    if what != "dates":
        assert_refused(TypeError, ["column 'day' holds Date"], make, table, window=5)
    assert make(table, window=5, columns=["wind"]).columns == ("wind",)


@libraries
def test_numbers_of_every_kind_are_read(library):
    flags = np.arange(40) % 7 == 0
    kinds = {kind: np.arange(40).astype(kind) for kind in ("f4", "i2", "u1")} | {"flags": flags}
    table = frame(library, **kinds)
    data = datasets.time_series(table, window=5, columns=list(kinds), split=(1, 0, 0))
    np.testing.assert_allclose(data.mean, [19.5, 19.5, 19.5, flags.mean()])


def test_decimal_numbers_and_categories_of_polars():
    prices = [decimal.Decimal(k) / 4 for k in range(40)]
    table = frame("polars", price=prices, word=["a", "b"] * 20)
    data = datasets.time_series(table, window=5, columns=["price"])
    assert data.restore(data.test.y[-1]) == pytest.approx(39 / 4, rel=1e-5)
    table = table.cast({"word": imported("polars").Categorical})
    words = ["column 'word' holds Categorical"]
    assert_refused(TypeError, words, datasets.time_series, table, window=5, columns=["word"])


@libraries
@pytest.mark.parametrize("gap", [None, float("nan")])
def test_missing_values_of_a_frame_are_named_or_filled(library, gap):
    wind = LEVELS[:, 1].tolist()
    wind[29] = gap
    table = frame(library, wind=wind)
    arguments = {"window": 5, "columns": ["level", "wind"]}
    words = ["time_series: row 29, column 'wind' has no value; missing='forward'"]
    assert_refused(ValueError, words, datasets.time_series, table, **arguments)
    data = datasets.time_series(table, missing="forward", split=(1, 0, 0), **arguments)
    filled = LEVELS.copy()
    filled[29, 1] = filled[28, 1]
    np.testing.assert_allclose(data.mean, filled.mean(axis=0))


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean"])
def test_missing_values_of_pandas_own_types_are_missing(kind):
    pandas = imported("pandas")
    table = frame("pandas", more=pandas.array([1, None] + [0] * 38, dtype=kind))
    words = ["row 1, column 'more' has no value"]
    assert_refused(ValueError, words, datasets.time_series, table, window=5, columns=["more"])


@libraries
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"columns": ["rain"]}, "columns names 'rain'; the columns are 'day', 'level', 'wind'"),
        ({"columns": [3]}, "columns names 3; there are 3 columns, from 0"),
        ({"columns": [1, 2], "target": "day"}, "target names 'day'; the columns are 'level', 'wi"),
    ],
)
def test_columns_that_are_not_there_are_refused(library, arguments, words):
    make, table = datasets.time_series, frame(library)
    assert_refused(ValueError, ["time_series: ", words], make, table, window=5, **arguments)


@libraries
def test_frames_without_rows_or_columns_are_refused(library):
    make, table = datasets.time_series, frame(library)
    assert_refused(ValueError, ["source has shape (0, 3)"], make, table[:0], window=1)
    assert_refused(ValueError, ["source has shape (0, 0)"], make, type(table)(), window=1)


def test_what_is_no_table_in_memory_is_refused():
    lazy, make = frame("polars").lazy(), datasets.time_series
    words = ["source is a LazyFrame that cannot be read", "wanted a data frame in memory"]
    assert_refused(TypeError, words, make, lazy, window=1)
    twice = imported("pandas").DataFrame(LEVELS, columns=["a", "a"])
    words = ["source is a DataFrame that cannot be read", "of different names"]
    assert_refused(ValueError, words, make, twice, window=1)


def test_numbers_may_be_names_of_columns():
    for names in [2023, 2024], [1, 0]:
        table = imported("pandas").DataFrame(LEVELS, columns=names)
        data = datasets.time_series(table, window=5)
        assert data.columns == tuple(names)
        np.testing.assert_allclose(data.mean, LEVELS[:28].mean(axis=0))
        assert datasets.time_series(table, window=5, columns=[1]).columns == (names[1],)


@libraries
def test_without_narwhals_it_says_what_to_install(monkeypatch, library):
    table = frame(library)
    monkeypatch.setitem(sys.modules, "narwhals", None)
    words = ["to read a DataFrame the library narwhals is needed: pip install narwhals"]
    assert_refused(ImportError, words, datasets.time_series, table, window=5)
