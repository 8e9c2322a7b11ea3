"""What is no name of a file is refused wherever one may be given, before anything is computed."""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from conftest import assert_refused

import rnnlite
from rnnlite import inside, interop, logs

MODEL = rnnlite.Sequential([rnnlite.LSTM(2, 3, seed=0), rnnlite.Dense(3, 2, seed=1)])
X = np.zeros((1, 2, 2), "f")
TRACE = rnnlite.trace(MODEL, X)
STEPS = rnnlite.LSTM(4, 3, return_sequences=True, seed=0)
TEXT = rnnlite.trace(STEPS, np.eye(4, dtype="f")[None])
HISTORY = rnnlite.History(loss=[1.0], step=[1])

WAYS = {
    "save": lambda path: rnnlite.save(MODEL, path),
    "load": rnnlite.load,
    "explain": lambda path: rnnlite.explain(MODEL, X, path),
    "Page.save": lambda path: rnnlite.explain(MODEL, X).save(path),
    "Trace.save": TRACE.save,
    "TextPage.save": lambda path: inside.text_page(TEXT, "abcd").save(path),
    "text_page": lambda path: inside.text_page(TEXT, "abcd", path=path),
    "plot_gates": lambda path: inside.plot_gates(TRACE, path=path),
    "plot_gate_saturation": lambda path: inside.plot_gate_saturation(TRACE, path=path),
    "plot_gradient_flow": lambda path: inside.plot_gradient_flow(
        rnnlite.trace(MODEL, X, labels=[1]), path=path
    ),
    "plot_itemised_gradient": lambda path: inside.plot_itemised_gradient(
        STEPS, np.eye(4, dtype="f")[None], np.zeros((1, 4), int), path=path
    ),
    "plot_saliency": lambda path: inside.plot_saliency(MODEL, X, path=path),
    "plot_text": lambda path: inside.plot_text(TEXT, "abcd", path=path),
    "plot_answers": lambda path: inside.plot_answers(MODEL, X, path=path),
    "plot_counting": lambda path: inside.plot_counting(TRACE, [[1, 2]], path=path),
    "plot_states_in_plane": lambda path: inside.plot_states_in_plane(TRACE, path=path),
    "History.to_json": HISTORY.to_json,
    "History.to_csv": HISTORY.to_csv,
    "History.plot": HISTORY.plot,
    "ConfusionMatrix.plot": rnnlite.confusion_matrix([0, 1], [0, 1]).plot,
    "export_onnx": lambda path: interop.export_onnx(MODEL, path),
    "import_onnx": interop.import_onnx,
    "save_safetensors": lambda path: interop.save_safetensors(MODEL, path),
    "load_safetensors": interop.load_safetensors,
    "CSVLog": logs.CSVLog,
    "text": rnnlite.datasets.text,
}
NEEDS = {"onnx": "onnx", "safetensors": "safetensors"}


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("value", [3.5, ["a"], 7, b"a"], ids=["float", "list", "int", "bytes"])
@pytest.mark.parametrize("name", WAYS)
def test_what_is_no_name_of_a_file_is_refused_by_name(name, value):
    for part, library in NEEDS.items():
        if name.endswith(part):
            pytest.importorskip(library)
    assert_refused(TypeError, [f"{name}: path is {value!r}"], WAYS[name], value)


@pytest.mark.parametrize(("name", "meant"), [("cells", "cells, "), ("layers", "classes of layers")])
def test_what_a_file_may_name_is_a_sequence(tmp_path, name, meant):
    rnnlite.save(MODEL, tmp_path / "model.npz")
    wanted = [f"load: {name} is 3; wanted {meant}"]
    assert_refused(TypeError, wanted, rnnlite.load, tmp_path / "model.npz", **{name: 3})


def test_every_function_that_takes_a_path_is_among_them():
    found = set()
    for part in pkgutil.walk_packages(rnnlite.__path__, "rnnlite."):
        # scikit-learn, which the estimators are made of, need not be there; they take no path.
        if any(word in part.name for word in (".exercises", ".mistakes", ".sklearn", "__main__")):
            continue
        module = importlib.import_module(part.name)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != part.name:
                continue
            if inspect.isclass(thing):
                methods = {f"{name}.{n}": m for n, m in vars(thing).items() if n[0] != "_"}
                found |= {n for n, m in methods.items() if takes_a_path(m)}
            elif takes_a_path(thing) and public(name):
                found.add(name)
    assert found <= set(WAYS), found - set(WAYS)


def takes_a_path(thing):
    return inspect.isfunction(thing) and "path" in inspect.signature(thing).parameters


def public(name):
    rooms = rnnlite, inside, interop, rnnlite.datasets
    return any(name in dir(room) for room in rooms)
