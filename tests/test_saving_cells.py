"""Models with cells of one's own: files name the cell, and loading is given it."""

import pytest
from conftest import assert_refused
from saved_models import LEAKY, assert_same_model, everything, leaky, round_trip, stirred

import rnnlite
from rnnlite import Recurrent, Sequential
from rnnlite import cells as library
from rnnlite.saving.architecture import build, describe

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def test_a_cell_of_one_s_own_is_found_by_its_name(tmp_path):
    model = stirred(Sequential([Recurrent(LEAKY, 3, 4)]))
    path = tmp_path / "model.npz"
    rnnlite.save(model, path)
    assert describe(model)["options"]["layers"][0]["options"]["cell"] == LEAKY.name
    for cells in ([LEAKY], (leaky("other"), LEAKY), iter([LEAKY]), LEAKY):
        loaded = rnnlite.load(path, cells=cells)
        assert loaded.layers[0].cell is LEAKY
    other = leaky("other")
    fragments = [str(path), f"layer 0: cell is '{LEAKY.name}'", "cells=", "fingerprint"]
    assert_refused(ValueError, [*fragments, "has none"], rnnlite.load, path)
    assert_refused(ValueError, [*fragments, other.name], rnnlite.load, path, cells=[other])
    assert_refused(TypeError, ["cells", "'leaky'"], rnnlite.load, path, cells=["leaky"])


def test_a_model_with_the_cell_needs_no_list_of_cells(tmp_path):
    model, other = (stirred(Recurrent(LEAKY, 3, 4), seed) for seed in (1, 2))
    round_trip(model, tmp_path, into=other)
    assert everything(model) == everything(other)


@pytest.mark.parametrize("name", ["lstm-clip-", "lstm-clip-1e", "lstm-clip-nan", None, 3, "LSTM"])
def test_a_name_like_that_of_a_library_s_cell_is_none(name):
    description = describe(Recurrent(library.LSTM, 3, 4))
    description["options"]["cell"] = name
    assert_refused(ValueError, ["cell is "], build, description)


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
