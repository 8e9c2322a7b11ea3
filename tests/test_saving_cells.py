"""Models with cells of one's own: files say the name and what the equations compute."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused
from saved_models import LEAKY, assert_same_model, everything, leaky, round_trip, stirred

import rnnlite
from rnnlite import Recurrent, Sequential
from rnnlite import cells as library
from rnnlite.cells.functions import sigmoid, tanh
from rnnlite.saving import cells_in_files
from rnnlite.saving.architecture import build, describe

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def test_a_cell_of_one_s_own_is_found_by_its_name(tmp_path):
    model = stirred(Sequential([Recurrent(LEAKY, 3, 4)]))
    path = tmp_path / "model.npz"
    rnnlite.save(model, path)
    assert describe(model)["options"]["layers"][0]["options"]["cell"]["cell"] == "leaky"
    for cells in ([LEAKY], (leaky("other"), LEAKY), iter([LEAKY]), LEAKY):
        loaded = rnnlite.load(path, cells=cells)
        assert loaded.layers[0].cell is LEAKY
    fragments = [str(path), "layer 0: cell is 'leaky'", "load(path, cells=[...]), which has "]
    assert_refused(ValueError, [*fragments, "has none"], rnnlite.load, path)
    assert_refused(ValueError, [*fragments, "other"], rnnlite.load, path, cells=[leaky("other")])
    assert_refused(TypeError, ["cells", "'leaky'"], rnnlite.load, path, cells=["leaky"])


def test_what_a_file_says_of_a_cell_is_computed_from_these_numbers():
    """Other ones would make every cell of an older file another: they belong to the format."""
    numbers = np.array([0.03, -0.4, 0.9, -1.7, 2.8, -4.6, 7.3, -11.9])
    cell = rnnlite.custom_cell(
        "two", lambda z, state: ((z[0] - z[1], state[0]), (z[0],)),
        lambda dstate, saved, state, new_state: ((dstate[0], -dstate[0]), (dstate[1], dstate[0])),
        gates=["a", "b"], states=["h", "c"], saved=["a"], compiled=False,
    )  # fmt: skip
    found = cells_in_files.describe(cell)
    z, other, state = (np.roll(numbers, 3 * n) * (1 + n / 16) for n in range(3))
    np.testing.assert_allclose(found["step"], [*(z - other), *state, *z], 1e-11)


def test_equations_of_whole_rows_are_given_rows():
    cell = rnnlite.custom_cell(
        "first", lambda z, state: ((z[0] - z[0][0],), (z[0],)),
        lambda dstate, saved, state, new_state: ((dstate[0],), (dstate[0],)),
        gates=["a"], states=["h"], saved=["a"], compiled=False, whole_rows=True,
    )  # fmt: skip
    found = cells_in_files.describe(cell)["step"]
    np.testing.assert_allclose(found[:8], np.array(found[8:]) - found[8], atol=1e-10)
    assert found[1] != 0.0


def test_a_model_with_the_cell_needs_no_list_of_cells(tmp_path):
    model, other = (stirred(Recurrent(LEAKY, 3, 4), seed) for seed in (1, 2))
    round_trip(model, tmp_path, into=other)
    assert everything(model) == everything(other)


@pytest.mark.parametrize("name", ["lstm-clip-", "lstm-clip-1e", "lstm-clip-nan", "", 3, "LSTM"])
def test_a_name_like_that_of_a_library_s_cell_is_none(name):
    description = describe(Recurrent(library.LSTM, 3, 4))
    for described in ({"cell": name}, name):
        description["options"]["cell"] = described
        assert_refused(ValueError, ["cell is "], build, description)


@pytest.mark.parametrize(
    "cell",
    [
        library.LSTM, library.GRU, library.GRU_2014, *library.RNN.values(),
        library.clipped_lstm(3.5), library.peephole_lstm(), library.peephole_lstm(0.4),
        library.peephole_lstm(clip=float("inf")),
    ],
    ids=lambda cell: cell.name,
)  # fmt: skip
def test_a_cell_of_rnnlite_is_its_name(cell):
    described = cells_in_files.describe(cell)
    assert described == {"cell": cell.name}
    assert cells_in_files.find(described, []).name == cell.name
    changed = cell._replace(step=lambda *arguments: cell.step(*arguments))
    described = cells_in_files.describe(changed)
    assert len(described) > 2, "other equations under the name of one of rnnlite"
    assert cells_in_files.find(described, [changed]) is changed
    fragments = [f"cell '{cell.name}' is one of your own in the file"]
    assert_refused(ValueError, fragments, cells_in_files.find, described, [])
    assert cells_in_files.find({"cell": cell.name}, [changed]).step is not changed.step


def test_parameters_of_cells_may_have_any_name_a_file_can_have(tmp_path):
    def step(z, state, p):
        return (p[0] * z[0],), (z[0],)

    def step_backward(dstate, saved, state, new_state, p):
        return (dstate[0] * p[0],), (0.0 * dstate[0],), (dstate[0] * saved[0],)

    def with_parameter(name):
        return rnnlite.custom_cell(
            "gain", step, step_backward, gates=["h"], saved=["z"], unit_params={name: 2.0},
            compiled=False,
        )  # fmt: skip

    cell = with_parameter("größe 1/γ")
    model = stirred(Recurrent(cell, 3, 4))
    assert_same_model(round_trip(model, tmp_path, cells=[cell]), model)
    path = tmp_path / "other.npz"
    for name in ("../gain", "a:b", "a\\b", "a\nb"):
        refused = Recurrent(with_parameter(name), 3, 4)
        assert_refused(ValueError, ["arrays has the name"], rnnlite.save, refused, path)
    assert not path.exists()


# ---- what equations say --------------------------------------------------------------------

GATED = dict(gates=["f", "h"], saved=["f", "g"], unit_params={"p": 0.0}, recurrent_bias=True)


def gated(limit=5.0, weight=1.0, *, slope=1.0, **options):
    """A cell with two gates, a parameter a unit and a product after an intermediate."""

    def intermediate(z, state, p):
        return sigmoid(z[0]) * state[0]

    def intermediate_backward(da, dz, dbefore, saved, state, p):
        f = saved[0]
        return (dz[0] + slope * da * state[0] * f * (1.0 - f), dz[1]), (dbefore[0] + da * f,)

    def step(z, state, p):
        f = sigmoid(np.minimum(z[0], limit))
        g = tanh(z[1] + p[0] * weight)
        return (state[0] * f + g,), (f, g)

    def step_backward(dstate, saved, state, new_state, p):
        f, g = saved
        dz_h = dstate[0] * (1.0 - g * g)
        dz_f = dstate[0] * state[0] * f * (1.0 - f)
        return (dz_f, dz_h), (dstate[0] * f,), (dz_h * weight,)

    arguments = GATED | {"projections": [("f", "f"), ("h", "h", "intermediate")]} | options
    return rnnlite.custom_cell(
        "gated", step, step_backward, intermediate=intermediate,
        intermediate_backward=intermediate_backward, compiled=False, **arguments,
    )  # fmt: skip


OTHERS = {
    "a bound": (gated(limit=6.0), "step computes something else"),
    "a constant": (gated(weight=1.0001), "step computes something else"),
    "a derivative": (gated(slope=0.999), "intermediate_backward computes something else"),
    "names of gates": (
        gated(gates=["f", "g"], projections=[("f", "f"), ("g", "g", "intermediate")]),
        "gates is ['f', 'h'] in the file, ['f', 'g'] in the model",
    ),
    "a projection": (gated(blocks=[("f", "h"), ("h", "f", "intermediate")]), "projections is [["),
    "names of parameters": (gated(unit_params={"q": 0.0}), "unit_params is ['p'] in the file"),
    "a bias": (gated(recurrent_bias=False), "recurrent_bias is True in the file, False"),
}


@pytest.mark.parametrize(("other", "says"), OTHERS.values(), ids=OTHERS)
def test_other_equations_under_the_same_name_are_refused(tmp_path, other, says):
    path, model = tmp_path / "model.npz", Recurrent(gated(), 3, 4)
    rnnlite.save(model, path)
    for options in ({"cells": [other]}, {"into": Recurrent(other, 3, 4)}):
        fragments = [str(path), "cell 'gated'", says]
        assert_refused(ValueError, fragments, rnnlite.load, path, **options)
    mine = gated(unit_params={"p": 9.0})  # where training began does not matter any more
    assert rnnlite.load(path, cells=[other, mine]).cell is mine


def test_the_same_equations_written_in_another_way_are_the_same():
    def step(z, state):
        h = state[0] - 0.1 * (state[0] - tanh(z[0]))
        return (h,), (h,)

    def step_backward(dstate, saved, state, new_state):
        g = (new_state[0] - 0.9 * state[0]) / 0.1
        return (dstate[0] * (1.0 - g * g) / 10.0,), (dstate[0] - dstate[0] / 10.0,)

    described = json.loads(json.dumps(cells_in_files.describe(LEAKY)))
    for compiled in (False, True):
        for whole_rows in (False, True):
            again = rnnlite.custom_cell(
                "leaky", step, step_backward, gates=["h"], saved=["h"], compiled=compiled,
                whole_rows=whole_rows,
            )  # fmt: skip
            assert cells_in_files.find(described, [again]) is again


def test_equations_of_whole_rows_are_compared():
    def cell(scale):
        def step(z, state):
            return (tanh(z[0] - scale * np.mean(z[0])),), (z[0],)

        return rnnlite.custom_cell(
            "rows", step, lambda dstate, *_: (dstate, dstate), gates=["h"], saved=["z"],
            whole_rows=True,
        )  # fmt: skip

    described = cells_in_files.describe(cell(1.0))
    assert cells_in_files.difference(described, cells_in_files.describe(cell(1.0))) is None
    assert "step comp" in cells_in_files.difference(described, cells_in_files.describe(cell(0.9)))


def test_equations_that_raise_in_numpy_are_compared_by_the_rest():
    def cell(gain, back=1.0):
        def step(z, state):
            if z[0] > 0:  # an array has no truth
                return (gain * z[0],), (z[0],)
            return (z[0],), (z[0],)

        def step_backward(dstate, saved, state, new_state):
            return (back * dstate[0],), (dstate[0],)

        return library.Cell(
            "raises", "raises", ("h",), LEAKY.projections, ("h",), ("z",), step, step_backward
        )

    described = cells_in_files.describe(cell(1.0))
    assert described["step"] is None and described["step_backward"] is not None
    assert cells_in_files.find(described, [found := cell(2.0)]) is found
    fragments = ["step_backward computes something else"]
    assert_refused(ValueError, fragments, cells_in_files.find, described, [cell(1.0, back=0.9)])


def test_numbers_that_are_none_are_compared():
    def cell(value):
        def step(z, state):
            return (z[0] * value,), (z[0],)

        return library.Cell("odd", "odd", ("h",), LEAKY.projections, ("h",), ("z",), step, step)

    for value, other in ((math.nan, math.inf), (math.inf, 1.0)):
        described = json.loads(json.dumps(cells_in_files.describe(cell(value))))
        assert cells_in_files.difference(described, cells_in_files.describe(cell(value))) is None
        assert cells_in_files.difference(described, cells_in_files.describe(cell(other)))


@pytest.mark.parametrize(
    "change",
    [
        {"step": 3}, {"step": []}, {"step": ["a"] * 16}, {"step": [10**400] * 16},
        {"step": [[1.0]] * 16}, {"gates": None}, {"gates": {"h": 1}}, {"states": 10**400},
        {"more": 1}, {"cell": "l" * 10**5},
    ],
    ids=lambda change: str(change)[:25],
)  # fmt: skip
def test_a_cell_of_a_file_may_be_anything(change):
    described = cells_in_files.describe(LEAKY) | change
    with pytest.raises(ValueError, match=r"cell ") as raised:
        cells_in_files.find(described, [LEAKY])
    assert len(str(raised.value)) < 400


SCRIPT = """
import sys
import rnnlite

def step(z, state):
    return (0.5 * state[0] + z[0],), (z[0],)

def step_backward(dstate, saved, state, new_state):
    return (dstate[0],), (0.5 * dstate[0],)

CELL = rnnlite.custom_cell("mine", step, step_backward, gates=["h"], saved=["z"], compiled=False)

if __name__ == "__main__":
    rnnlite.save(rnnlite.Recurrent(CELL, 3, 4), sys.argv[1])
"""


def test_a_cell_saved_by_a_script_is_loaded_where_its_functions_are_imported(tmp_path, monkeypatch):
    script, path = tmp_path / "saved_by_a_script.py", tmp_path / "model.npz"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, str(script), str(path)], check=True)
    monkeypatch.syspath_prepend(tmp_path)
    cell = importlib.import_module("saved_by_a_script").CELL
    assert Path(sys.modules["saved_by_a_script"].__file__) == script
    assert rnnlite.load(path, cells=[cell]).cell is cell
