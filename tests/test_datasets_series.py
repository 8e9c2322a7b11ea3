"""Time series: what is read of a CSV file, and that nothing of the future reaches the past."""

import csv

import numpy as np
import pytest
from conftest import assert_refused

import rnnlite
from rnnlite import datasets


def rows(count=100, columns=3, seed=0):
    return np.random.default_rng(seed).normal(5.0, 3.0, (count, columns))


def written(folder, text, name="series.csv"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


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


def test_a_column_that_never_changes_becomes_zero():
    series = np.stack([np.arange(50.0), np.full(50, 7.0)], axis=1)
    data = datasets.time_series(series, window=5)
    assert not data.train.x[..., 1].any() and data.std[1] == 1.0
    np.testing.assert_array_equal(data.restore(data.test.y), 7.0)


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
        ({"target": 3}, ValueError, "target is 3; there are 3 columns, from 0"),
        ({"target": "level"}, ValueError, "target is 'level'; the columns are 0, 1, 2"),
        ({"columns": [3]}, ValueError, "columns names 3; an array of shape (100, 3) has places 0"),
        ({"columns": ["a"]}, ValueError, "columns names 'a'"),
        ({"columns": []}, ValueError, "columns is empty"),
        ({"columns": "a"}, TypeError, "columns is 'a'; wanted a list"),
        ({"columns": [0.5]}, TypeError, "columns is 0.5; it must be a whole number"),
        ({"split": (0.5, 0.5)}, ValueError, "split is (0.5, 0.5); wanted three shares"),
        ({"split": (0.5, 0.4, 0.2)}, ValueError, "that sum to 1"),
        ({"split": (1.5, -0.5, 0)}, ValueError, "split is 1.5; it must lie in [0.0, 1.0]"),
        ({"split": 0.7}, ValueError, "split is 0.7; wanted three shares"),
        ({"missing": "zero"}, ValueError, "missing is 'zero'; it can be 'error' or 'forward'"),
        ({"decimal": ";"}, ValueError, "decimal is ';'; it can be '.' or ','"),
        ({"header": "yes"}, TypeError, "header is 'yes'; it must be True or False"),
        ({"delimiter": "tab"}, TypeError, "delimiter is 'tab'; wanted a single character"),
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
    ],
)
def test_what_is_no_series_is_refused(source, error, words):
    assert_refused(error, [f"time_series: {words}"], datasets.time_series, source, window=1)


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
        ValueError, ["row 0, column 1 has no value, and there is none before it"],
        datasets.time_series, series, window=5, missing="forward",
    )  # fmt: skip


# ---- files -----------------------------------------------------------------------------------

LEVELS = np.round(rows(40, 2), 3)


def table(delimiter=",", decimal=".", header=("day", "level", "wind"), end="\n", quote=False):
    """A file with a date in the first column."""
    lines = [delimiter.join(header)] if header else []
    for k, row in enumerate(LEVELS):
        cells = [f"2024-{k // 28 + 1:02}-{k % 28 + 1:02}"]
        cells += [str(value).replace(".", decimal) for value in row]
        lines.append(delimiter.join(f'"{cell}"' if quote else cell for cell in cells))
    return end.join(lines) + end


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("quote", [True, False])
def test_delimiter_header_and_dates_are_found_out(tmp_path, delimiter, header, quote):
    names = ("day", "level", "wind") if header else None
    path = written(tmp_path, table(delimiter, header=names, quote=quote))
    data = datasets.time_series(path, window=5)
    assert data.columns == (("level", "wind") if header else (1, 2)) and data.target == 1
    np.testing.assert_allclose(data.mean, LEVELS[:28].mean(axis=0))
    np.testing.assert_allclose(data.restore(data.test.y[-1]), LEVELS[-1, 1], rtol=1e-5)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("header", [("day", "level", "wind"), None], ids=["header", "no header"])
def test_decimals_may_stand_behind_a_comma(tmp_path, delimiter, header):
    path = written(tmp_path, table(delimiter, ",", header))
    data = datasets.time_series(path, window=5, decimal=",")
    np.testing.assert_allclose(data.mean, LEVELS[:28].mean(axis=0))


@pytest.mark.parametrize("decimal", ["1.000", "1_000", "inf", "1,0,0"])
def test_what_only_looks_like_a_number_is_refused(tmp_path, decimal):
    text = table(";", ",").replace(str(LEVELS[20, 0]).replace(".", ","), decimal)
    message = f"line 22, column 'level': '{decimal}' is not a number"
    path = written(tmp_path, text)
    assert_refused(ValueError, [message], datasets.time_series, path, window=5, decimal=",")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_marks_line_ends_and_blank_lines_do_not_matter(tmp_path, mark, end):
    path = written(tmp_path, mark + table(end=end).encode())
    data = datasets.time_series(path, window=5)
    assert data.columns == ("level", "wind")
    np.testing.assert_allclose(data.mean, LEVELS[:28].mean(axis=0))


def test_columns_and_target_are_chosen_by_name_or_place(tmp_path):
    path = written(tmp_path, table())
    for columns in ["wind", "level"], [2, 1], ["wind", 1], (np.int64(2), "level"):
        data = datasets.time_series(path, window=5, columns=columns, target="wind")
        assert data.columns == ("wind", "level") and data.target == 0
        np.testing.assert_allclose(data.mean, LEVELS[:28].mean(axis=0)[::-1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"columns": ["rain"]}, "has no column 'rain'; its columns are 'day', 'level', 'wind'"),
        ({"columns": [3]}, "has 3 columns, from 0; there is no column 3"),
        ({"columns": ["day"]}, "line 2, column 'day': '2024-01-01' is not a number"),
        ({"target": "day"}, "target is 'day'; the columns are 'level', 'wind'"),
        ({"header": False, "columns": ["level"]}, "has no column 'level'; its columns are 0, 1, 2"),
        ({"header": False, "columns": [1]}, "line 1, column 1: 'level' is not a number"),
        ({"delimiter": ";"}, "has no column of numbers (delimiter ';')"),
    ],
)
def test_columns_that_are_not_there_are_refused(tmp_path, arguments, words):
    path = written(tmp_path, table())
    assert_refused(
        ValueError, ["time_series: ", words], datasets.time_series, path, window=5, **arguments
    )


def test_two_columns_of_one_name_are_told_apart_by_place(tmp_path):
    path = written(tmp_path, table(header=("day", "level", "level")))
    make = datasets.time_series
    assert_refused(
        ValueError, ["has more than one column 'level'"], make, path, window=5, columns=["level"]
    )
    np.testing.assert_allclose(make(path, window=5, columns=[2]).mean, LEVELS[:28, 1].mean())


def test_a_header_of_numbers_must_be_announced(tmp_path):
    text = "2023,2024\n" + "".join(f"{k},{2 * k}\n" for k in range(30))
    path = written(tmp_path, text)
    assert datasets.time_series(path, window=3).mean[0] > 50  # 2023 taken for a value
    data = datasets.time_series(path, window=3, header=True)
    assert data.columns == ("2023", "2024") and data.mean[0] == 10.0


@pytest.mark.parametrize("first", ["2024-01-01,", "2024-01-01,NA", "x,"])
def test_a_first_row_without_a_value_is_no_header(tmp_path, first):
    text = first + "\n" + "".join(f"2024-01-02,{k}\n" for k in range(30))
    message = "line 1, column 1 has no value"
    assert_refused(ValueError, [message], datasets.time_series, written(tmp_path, text), window=3)


def test_a_first_row_with_a_slip_is_no_header(tmp_path):
    text = "2024-01-01,n.a.,5\n" + "".join(f"2024-01-02,{k},{k}\n" for k in range(30))
    path = written(tmp_path, text)
    data = datasets.time_series(path, window=3)
    assert data.columns == (2,) and len(data.train.x) == 22 - 3  # 31 rows, not 30
    message = "line 1, column 1: 'n.a.' is not a number"
    assert_refused(ValueError, [message], datasets.time_series, path, window=3, columns=[1])


@pytest.mark.parametrize("gap", ["", " ", "NA", "n/a", "NaN", "nan", "NULL", "None", "?"])
def test_missing_values_in_a_file_are_named_or_filled(tmp_path, gap):
    lines = table().splitlines()
    lines[30] = lines[30].rpartition(",")[0] + "," + gap
    path = written(tmp_path, "\n".join(lines))
    message = f"time_series: {path}, line 31, column 'wind' has no value"
    assert_refused(ValueError, [message], datasets.time_series, path, window=5)
    data = datasets.time_series(path, window=5, missing="forward", split=(1, 0, 0))
    filled = LEVELS.copy()
    filled[29, 1] = filled[28, 1]
    np.testing.assert_allclose(data.mean, filled.mean(axis=0))


def test_lines_are_counted_as_in_an_editor(tmp_path):
    text = 'note,level\n"two\nlines",1\n\nplain,2\n"x",oops\n'
    message = "line 6, column 'level': 'oops' is not a number"
    assert_refused(ValueError, [message], datasets.time_series, written(tmp_path, text), window=1)


def test_a_ragged_line_is_named(tmp_path):
    lines = table().splitlines()
    lines[7] += ",9"
    path = written(tmp_path, "\n".join(lines))
    message = f"time_series: {path}, line 8 has 4 cells; line 1 has 3 (delimiter ',')"
    assert_refused(ValueError, [message], datasets.time_series, path, window=5)


def test_columns_without_any_number_are_left_out(tmp_path):
    text = "index,,level,\n" + "".join(f"row {k},,{k},\n" for k in range(30))
    data = datasets.time_series(written(tmp_path, text), window=3)
    assert data.columns == ("level",)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"", ValueError, "is empty; wanted lines of numbers"),
        (b"\n\n", ValueError, "is empty"),
        (b"a,b\n", ValueError, "has no column of numbers"),
        (b"a,b\n1,\xff\n", ValueError, "is not UTF-8: byte 0xff at offset 6 (line 2)"),
        (b"a\n1\n2\n", ValueError, "the training part has 1 of 2 rows"),
        (b'a,b\n1,"' + b"x" * csv.field_size_limit() + b'x"\n', ValueError, "line 2: field larger"),
    ],
    ids=["empty", "blank", "header only", "not UTF-8", "too short", "an endless cell"],
)  # fmt: skip
def test_files_without_a_series_are_refused(tmp_path, content, error, words):
    path = written(tmp_path, content)
    assert_refused(error, ["time_series: ", words], datasets.time_series, path, window=1)


def test_a_missing_file_is_refused(tmp_path):
    path = tmp_path / "none.csv"
    message = f"time_series: there is no file {path}"
    assert_refused(datasets.DataNotFound, [message], datasets.time_series, str(path), window=1)


def test_a_file_and_its_numbers_give_the_same_windows(tmp_path):
    file = datasets.time_series(written(tmp_path, table()), window=6, horizon=2)
    array = datasets.time_series(LEVELS, window=6, horizon=2)
    for part, wanted in zip(file[:3], array[:3], strict=True):
        np.testing.assert_array_equal(part.x, wanted.x)
        np.testing.assert_array_equal(part.y, wanted.y)


@pytest.mark.parametrize("value", [0.1, 2.3, 0.0])
def test_a_column_that_never_changes_becomes_zero_whatever_its_sum_rounds_to(value):
    series = np.column_stack([np.full(1000, value), np.arange(1000.0)])
    data = datasets.time_series(series, window=5, target=0)
    assert not data.train.x[..., 0].any() and not data.test.y.any()
    assert np.array_equal(data.restore(data.test.y), np.full_like(data.test.y, value, np.float64))


@pytest.mark.parametrize(
    ("text", "header", "says"),
    [
        ("day;level\n", True, "no row beneath the names"),
        ("day;level\n" + "1,5;2,5\n" * 9, None, "decimal=',' reads 1,5"),
    ],
)
def test_a_file_without_numbers_is_explained(tmp_path, text, header, says):
    with pytest.raises(ValueError, match=says):
        datasets.time_series(written(tmp_path, text), window=2, header=header)
