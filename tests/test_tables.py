"""Long tables: what becomes of their rows, what is learned of which, and the way back."""

import json

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits

import rnnlite
from rnnlite.tables import Reader, channels_last

pytest.importorskip("narwhals", reason="data frames are read through narwhals")


def module(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


every_library = pytest.mark.parametrize("library", ["pandas", "polars"])


def table(library, **changes):
    """Two groups, out of order: "b" has the times 1 to 3, "a" has 1 and 2."""
    columns = {
        "site": ["b", "a", "b", "a", "b"],
        "day": [2, 1, 1, 2, 3],
        "load": [20.0, 1.0, 10.0, 3.0, 30.0],
        "wind": [0.5, None, 0.0, 1.0, None],
        "state": ["off", "on", "on", "on", "off"],
        "kind": ["x", "y", "x", "y", "x"],
    } | changes
    return module(library).DataFrame({k: v for k, v in columns.items() if v is not None})


def columns(frame):
    return {name: list(frame[name]) for name in frame.columns}


@every_library
def test_rows_become_sequences_in_order_of_group_and_time(library):
    reader = Reader(["load"], group="site", time="day", target="load").learn(table(library))
    data = reader.read(table(library))
    assert data.lengths.tolist() == [2, 3] and data.x.dtype == np.float32
    loads = np.array([20, 1, 10, 3, 30])
    assert (reader.mean[0], reader.scale[0]) == (loads.mean(), loads.std())
    assert_same_bits("y", data.y[:, :2], data.x[:, :2, 0])
    np.testing.assert_allclose(reader.restore(data.y[1]), [10, 20, 30], rtol=1e-6)
    assert data.x[0, 2, 0] == 0.0 and np.isnan(data.y[0, 2])
    assert columns(data.keys) == {"site": list("aabbb"), "day": [1, 2, 1, 2, 3]}
    assert isinstance(data.keys, module(library).DataFrame)


@every_library
def test_predictions_go_back_to_their_keys(library):
    frame = table(library)
    reader = Reader(["load"], group="site", time="day", target="load").learn(frame)
    data = reader.read(frame)
    for predictions in (data.y, data.y[:, :, None]):
        back = reader.frame(data, predictions)
        assert isinstance(back, module(library).DataFrame)
        assert list(back.columns) == ["site", "day", "load_predicted"]
        np.testing.assert_allclose(list(back["load_predicted"]), [1, 3, 10, 20, 30], rtol=1e-6)
        both = frame.merge(back) if library == "pandas" else frame.join(back, on=["site", "day"])
        np.testing.assert_allclose(
            both["load"].to_numpy(), both["load_predicted"].to_numpy(), rtol=1e-6
        )


@every_library
def test_a_horizon_looks_ahead_in_its_own_group_alone(library):
    frame = table(library)
    reader = Reader(["load"], group="site", time="day", target="load", horizon=1).learn(frame)
    data = reader.read(frame)
    np.testing.assert_allclose(
        reader.restore(data.y), [[3, np.nan, np.nan], [20, 30, np.nan]], rtol=1e-6
    )
    x, y, lengths = data.known()
    assert lengths.tolist() == [1, 2] and x is data.x and not np.isnan(y).any()
    assert list(reader.frame(data, data.y).columns)[-1] == "load_in_1"
    far = Reader(["load"], group="site", time="day", target="load", horizon=7).learn(frame)
    assert far.read(frame).known()[2].tolist() == [0, 0]


@every_library
def test_classes_are_of_a_step_or_of_a_group(library):
    frame = table(library)
    steps = Reader(["load"], group="site", time="day", label="state", per_step=True).learn(frame)
    data = steps.read(frame)
    assert steps.classes == ["off", "on"] and data.y.tolist() == [[1, 1, -1], [1, 0, 0]]
    back = steps.frame(data, data.y)
    assert list(back["state_predicted"]) == ["on", "on", "on", "off", "off"]
    groups = Reader(["load"], group="site", time="day", label="kind").learn(frame)
    data = groups.read(frame)
    assert data.y.tolist() == [1, 0] and data.known()[1] is data.y
    back = groups.frame(data, data.y)
    assert columns(back) == {"site": ["a", "b"], "kind_predicted": ["y", "x"]}
    assert library == "polars" or back.index.tolist() == [0, 1]
    back = groups.frame(data, np.array([[0.25, 0.75], [1.0, 0.0]]))
    assert columns(back) == {
        "site": ["a", "b"],
        "kind_predicted_x": [0.25, 1.0],
        "kind_predicted_y": [0.75, 0.0],
    }
    changing = Reader(["load"], group="site", time="day", label="state").learn(frame)
    assert_refused(ValueError, ["'state' changes", "per_step=True"], changing.read, frame)


@every_library
def test_a_gap_has_the_value_before_it_in_its_group_or_the_mean(library):
    frame = table(library)
    options = {"group": "site", "time": "day", "missing": "forward"}
    reader = Reader(["wind", "load"], **options).learn(frame)
    assert (reader.mean[0], reader.scale[0]) == (0.5, pytest.approx(np.sqrt(1 / 6)))
    data = reader.read(frame)
    wind = data.x[:, :, 0] * reader.scale[0] + reader.mean[0]
    np.testing.assert_allclose(wind[0, :2], [0.5, 1.0], rtol=1e-6)  # the mean, its own
    np.testing.assert_allclose(wind[1], [0.0, 0.5, 0.5], atol=1e-6)  # not the 1.0 of the other
    assert data.y is None
    assert_refused(ValueError, ["no column"], data.known)
    strict = Reader(["wind"], group="site", time="day").learn(frame)
    assert_refused(ValueError, ["2 values", "'wind'", "forward"], strict.read, frame)
    target = Reader(["load"], target="wind", **options).learn(frame)
    assert_refused(ValueError, ["group 0 lacks y at step 0"], target.read(frame).known)


def test_nothing_but_the_training_rows_is_learned_from():
    frame = table("pandas")
    reader = Reader(["load"], group="site", time="day", target="load").learn(frame[frame.day < 3])
    before = reader.to_dict()
    reader.read(frame)
    assert reader.to_dict() == before and reader.mean[0] == np.mean([20, 1, 10, 3])
    label = Reader(["load"], group="site", label="kind").learn(frame[frame.site == "a"])
    assert_refused(ValueError, ["'kind' holds 'x'", "['y']"], label.read, frame)


def test_rows_without_target_are_read_to_be_predicted():
    frame = table("pandas")
    reader = Reader(["load"], group="site", time="day", label="kind").learn(frame)
    assert reader.read(frame.drop(columns=["kind"])).y is None


def test_without_a_group_there_is_one_sequence_and_without_time_the_order_stays():
    frame = table("pandas")
    reader = Reader(["load"], target="load").learn(frame)
    data = reader.read(frame)
    np.testing.assert_allclose(reader.restore(data.y)[0], frame["load"], rtol=1e-6)
    for library in ("pandas", "polars"):
        back = reader.frame(reader.read(table(library)), data.y)
        assert list(back.columns) == ["load_predicted"]
        np.testing.assert_allclose(list(back["load_predicted"]), frame["load"], rtol=1e-6)
    two = Reader(["load"], group=["site", "kind"]).learn(frame).read(frame)
    assert two.lengths.tolist() == [2, 3]


@every_library
def test_dates_are_an_order(library):
    days = np.array(["2026-02-01", "2026-01-31"], "datetime64[D]")
    frame = module(library).DataFrame({"day": days, "load": [2.0, 1.0]})
    reader = Reader(["load"], time="day", target="load").learn(frame)
    data = reader.read(frame)
    back = reader.frame(data, data.y)
    assert [str(day)[:10] for day in back["day"]] == ["2026-01-31", "2026-02-01"]
    np.testing.assert_allclose(list(back["load_predicted"]), [1.0, 2.0])


def test_a_reader_is_saved_beside_its_model(tmp_path):
    frame = table("pandas")
    options = {"group": "site", "time": "day", "missing": "forward", "dtype": "float64"}
    for target in ({"target": "load", "horizon": 1}, {"label": "kind"}, {}):
        reader = Reader(["load", "wind"], **options, **target).learn(frame)
        rnnlite.save(rnnlite.Dense(2, 1, seed=0), tmp_path / "m.npz", extra=reader.to_dict())
        found = rnnlite.load(tmp_path / "m.npz", return_all=True).extra
        again = Reader.from_dict(found)
        assert again.to_dict() == reader.to_dict() == json.loads(json.dumps(found))
        assert_same_bits("x", again.read(frame).x, reader.read(frame).x)
    assert_refused(ValueError, ["from_dict", "to_dict"], Reader.from_dict, {"mean": [0]})
    wrong = reader.to_dict() | {"mean": [0.0]}
    assert_refused(ValueError, ["mean has shape (1,)"], Reader.from_dict, wrong)


def test_a_step_is_scaled_as_a_table_is():
    frame = table("pandas")
    reader = Reader(["load"], group="site", time="day", target="load").learn(frame)
    data = reader.read(frame)
    assert_same_bits("x_t", reader.scaled([[10.0], [20.0], [30.0]]), data.x[1])
    assert reader.scaled([float("nan")]).tolist() == [0.0]
    assert_refused(ValueError, ["shape (2,)", "load"], reader.scaled, [1.0, 2.0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"day": [2, 1, 2, 2, 3]}, ["'b'", "2", "two rows"]),
        ({"site": ["b", None, "b", "a", "b"]}, ["row 1 has no 'site'"]),
        ({"load": [1.0, float("inf"), 1.0, 1.0, 1.0]}, ["'load' has inf"]),
        ({"load": None}, ["no column 'load'", "'wind'"]),
        ({"load": ["1", "2", "3", "4", "5"]}, ["'load' holds", "numbers"]),
        ({name: [] for name in ("site", "day", "load", "wind", "state", "kind")}, ["no row"]),
    ],
    ids=range(6),
)
def test_a_table_that_is_none_is_refused(changes, words):
    reader = Reader(["load"], group="site", time="day")
    assert_refused((ValueError, TypeError), ["Reader.learn", *words], reader.learn,
                   table("polars", **changes))  # fmt: skip


def test_what_pandas_keeps_elsewhere_and_what_polars_calls_otherwise():
    reader = Reader(["load"], group="site", time="day")
    words = ["no column 'site'", "reset_index()"]
    assert_refused(ValueError, words, reader.learn, table("pandas").set_index(["site", "day"]))
    assert_refused(TypeError, ["LazyFrame", "collect()"], reader.learn, table("polars").lazy())
    frame = table("polars", day=[2.0, float("nan"), 1.0, 2.0, 3.0])  # no null, and no time
    assert_refused(ValueError, ["row 1 has no 'day'"], reader.learn, frame)


@every_library
def test_classes_are_what_json_holds(library):
    for names in (["a", "b", "a", "b", "a"], [7, 5, 7, 5, 7], [True, False, True, False, True]):
        frame = table(library, state=names)
        reader = Reader(["load"], group="site", time="day", label="state", per_step=True)
        again = Reader.from_dict(json.loads(json.dumps(reader.learn(frame).to_dict())))
        data = again.read(frame)
        assert again.classes == sorted(set(names))
        assert list(again.frame(data, data.y)["state_predicted"]) == [
            names[n] for n in (1, 3, 2, 0, 4)
        ]
    dates = np.array(["2026-02-01"] * 5, "datetime64[us]")
    wanted = ["'state' holds datetime", "text, numbers"]
    assert_refused(TypeError, wanted, reader.learn, table(library, state=dates))


@pytest.mark.parametrize("wrong", [2, -1, 0.7])
def test_predictions_that_are_no_classes_are_refused(wrong):
    reader = Reader(["load"], group="site", label="kind").learn(table("pandas"))
    data = reader.read(table("pandas"))
    words = [f"from {wrong} to {wrong}", "class numbers, 0 to 1"]
    assert_refused(ValueError, words, reader.frame, data, np.array([wrong, wrong]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"features": "load"}, ["features is 'load'", "list"]),
        ({"features": []}, ["features is []"]),
        ({"features": ["a"], "target": 3}, ["target is 3"]),
        ({"features": ["a"], "target": "a", "label": "b"}, ["wanted one of them"]),
        ({"features": ["a"], "target": "a", "per_step": False}, ["per_step is False"]),
        ({"features": ["a"], "missing": "drop"}, ["missing is 'drop'"]),
        ({"features": ["a"], "horizon": -1}, ["horizon is -1"]),
    ],
    ids=range(7),
)
def test_settings_that_do_not_fit_are_refused(arguments, words):
    assert_refused((ValueError, TypeError), ["Reader", *words], Reader, **arguments)


def test_what_has_not_learned_says_so():
    reader, words = Reader(["load"]), ["nothing has been learned"]
    for call in (reader.to_dict, lambda: reader.read(table("pandas")), lambda: reader.scaled([1])):
        assert_refused(ValueError, words, call)
    assert_refused(TypeError, ["frame is of type list"], reader.learn, [1, 2])
    reader.learn(table("pandas"))
    assert_refused(ValueError, ["no target"], reader.restore, [0.0])
    data = reader.read(table("pandas"))
    assert_refused(ValueError, ["predictions has shape (3,)"], reader.frame, data, np.zeros(3))


# ---- sktime and aeon -------------------------------------------------------------------------


def test_channels_go_last():
    X = np.random.default_rng(0).normal(size=(3, 2, 5))
    x, lengths = channels_last(X)
    assert_same_bits("x", x, np.ascontiguousarray(np.moveaxis(X, 1, 2)))
    assert lengths is None and channels_last(list(X))[1] is None
    assert_same_bits("x", channels_last(list(X))[0], x)
    padded = X.copy()
    padded[1, :, 3:] = np.nan
    for form in (padded, [X[0], X[1, :, :3], X[2]]):
        found, lengths = channels_last(form)
        assert lengths.tolist() == [5, 3, 5]
        assert_same_bits("x", found[1, :3], x[1, :3])
        assert not found[1, 3:].any()
    padded[0, 0, 0] = np.nan
    assert_refused(ValueError, ["row 0 at step 0"], channels_last, padded)
    assert_refused(ValueError, ["X[1]", "(channels, steps)"], channels_last, [X[0], X[1, 0]])
    assert_refused(ValueError, ["(rows, channels, steps)"], channels_last, X[0])
