"""Compiled kernels: saved for the next process, and never stale.

Whether an edit is noticed and whether anything is compiled can only be seen in a
fresh process, so most tests here start some, with a kernel folder of their own.
What holds for any kernel is asked of one that doubles an array: the time loop of
a cell takes seconds to compile.
"""

import re
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from fresh_process import ONE_STEP, ROOT, one_step, run, sigmoid

from rnnlite.cache_folder import cache_folder
from rnnlite.kernels import jit


def is_about_compiling(line):
    return "compiling kernels" in line


# ---- an edit takes effect --------------------------------------------------------------------

# File, pattern of the text to exchange, what takes its place, how ``one_step`` changes.
EDITS = [
    (
        "cells/lstm.py", r"c = f \* c_before \+ i \* g\n", "c = f * c_before - i * g\n",
        {"sign": -1.0},
    ),
    (
        "kernels/activations.py", r"return 1\.0 / \(p", "return 0.5 / (p",
        {"gate": lambda z: 0.5 * sigmoid(z)},
    ),
    ("kernels/loop.py", r"(xh\[[^]]+\]) = 1\.0", r"\1 = 0.5", {"bias": 0.5}),
]  # fmt: skip


def copy_of_the_package(folder):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "rnnlite", folder / "rnnlite", ignore=ignored)
    return folder


@pytest.mark.by_hand
@pytest.mark.long  # test_every_file_that_is_compiled_counts promises the same in a moment
@pytest.mark.parametrize(("file", "right", "edited", "change"), EDITS)
def test_an_edit_takes_effect_in_the_next_process(tmp_path, file, right, edited, change):
    # Other tests use this kernel, too: only the one of the edited text is compiled in vain.
    run(ONE_STEP, cache=cache_folder())
    cache, package = tmp_path / "cache", copy_of_the_package(tmp_path)
    folder = Path("kernels") / jit.source_hash()
    shutil.copytree(cache_folder() / folder, cache / folder)
    before, _ = run(ONE_STEP, cache=cache, package=package)
    assert before["h"] == pytest.approx(one_step(), rel=1e-5)
    assert before["compiled"] == 0  # the same text in another place: the kernels are saved

    path = package / "rnnlite" / file
    text = path.read_text(encoding="utf-8")
    wrong, places = re.subn(right, edited, text)
    assert places >= 1, f"{file} has changed: {right!r} is not in it"
    path.write_text(wrong, encoding="utf-8")
    after, _ = run(ONE_STEP, cache=cache, package=package)
    assert abs(one_step(**change) - one_step()) > 0.01
    assert after["h"] == pytest.approx(one_step(**change), rel=1e-5) and after["compiled"] > 0

    path.write_text(text, encoding="utf-8")
    again, _ = run(ONE_STEP, cache=cache, package=package)
    assert again == before


def test_every_file_that_is_compiled_counts(tmp_path, monkeypatch):
    package = copy_of_the_package(tmp_path) / "rnnlite"
    monkeypatch.setattr(jit, "__file__", str(package / "kernels" / "jit.py"))
    source_hash = jit.source_hash.__wrapped__
    assert source_hash() == jit.source_hash()
    files = [*(package / "kernels").rglob("*.py"), *(package / "cells").rglob("*.py")]
    hashes = {source_hash()}
    for path in files:
        path.write_bytes(path.read_bytes() + b"\n")
        hashes.add(source_hash())
    files[0].rename(files[0].with_name("renamed.py"))
    hashes.add(source_hash())
    (package / "layers" / "dense.py").write_text("# not compiled", encoding="utf-8")
    assert len(hashes) == len(files) + 2 > 20 and source_hash() in hashes


@pytest.mark.parametrize(
    ("module", "name"), [(jit.numba, "__version__"), (np, "__version__"), (sys, "implementation")]
)
def test_another_python_numpy_or_numba_has_kernels_of_its_own(monkeypatch, module, name):
    other = "9.9" if module is not sys else types.SimpleNamespace(cache_tag="cpython-399")
    monkeypatch.setattr(module, name, other)
    assert jit.source_hash.__wrapped__() != jit.source_hash()


OWN_CELL = """
import json
from rnnlite import Recurrent, custom_cell
from rnnlite.cells.functions import relu, sigmoid, tanh


def step(z, state):
    h = tanh(z[0])
    return (h,), (h,)


def step_backward(dstate, saved, state, new_state):
    return saved, dstate


cell = custom_cell("mine", step, step_backward, gates=["h"], saved=["h"])
layer = Recurrent(cell, 1, 1, seed=0)
layer.params["Wx"][...] = 1.0
print(json.dumps(float(layer.forward([[[0.5]]])[0, 0])))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """OWN_CELL in a script; a folder with its kernel, and one of a module that is a trap since."""
    folder = tmp_path_factory.mktemp("saved")
    script, cache, old = (folder / name for name in ("my_cell.py", "cache", "old.py"))
    script.write_text(OWN_CELL, encoding="utf-8")
    old.write_text(OWN_CELL, encoding="utf-8")
    first, _ = run("import old", cache=cache, path=[folder])
    old.write_text("raise SystemExit('imported for no reason')\n", encoding="utf-8")
    second, _ = run(script, cache=cache, path=[folder])
    assert [first, second] == pytest.approx([np.tanh(0.5)] * 2, rel=1e-5)
    return script, {"cache": cache, "path": [folder]}


@pytest.mark.long
def test_an_edit_of_a_cell_of_ones_own_takes_effect_in_the_next_process(saved):
    script, folders = saved
    script.write_text(OWN_CELL.replace("h = tanh(z[0])", "h = relu(z[0])"), encoding="utf-8")
    edited, said = run(script, **folders)
    assert edited == pytest.approx(0.5, rel=1e-5)
    assert len(said) == 1 and is_about_compiling(said[0])


@pytest.mark.long
def test_a_kernel_of_ones_own_needs_no_module_and_runs_none(saved, tmp_path):
    """The machine code is saved, of the text as it was; the file may be another one."""
    _, folders = saved
    (tmp_path / "new.py").write_text(OWN_CELL, encoding="utf-8")
    result, said = run(tmp_path / "new.py", **folders)
    assert result == pytest.approx(np.tanh(0.5), rel=1e-5) and said == []


@pytest.mark.long
def test_a_cell_typed_in_without_a_file_and_then_defined_anew_is_compiled_anew(saved):
    first = OWN_CELL.replace("print(json.dumps(", "first = (").replace("[0, 0])))", "[0, 0]))")
    second = OWN_CELL.replace("h = tanh(z[0])", "h = sigmoid(z[0])")
    second = second.replace("json.dumps(", "json.dumps([first, ").replace("[0, 0])))", "[0, 0])]))")
    result, _ = run(first + second, **saved[1])
    assert result == pytest.approx([np.tanh(0.5), sigmoid(0.5)], rel=1e-5)


@pytest.mark.long
def test_a_cell_of_a_known_name_with_other_equations_is_compiled_anew(tmp_path):
    made = 'custom_cell("mine", step, step_backward, gates=["h"], saved=["h"])'
    own = OWN_CELL.replace("import Recurrent, custom_cell", "import Recurrent, cells")
    own = own.replace(made, 'cells.RNN["tanh"]._replace(step=step)')
    library = own.replace("._replace(step=step)", "")
    others = [own.replace("h = tanh", f"h = {f}") for f in ("sigmoid", "2.0 * tanh")]
    assert len({OWN_CELL, own, library, *others}) == 5

    def all_of(texts):
        said = "".join(texts).replace("print(json.dumps(", "said.append((")
        return run(f"said = []\n{said}\nprint(json.dumps(said))", cache=tmp_path)

    right = [np.tanh(0.5), sigmoid(0.5), 2.0 * np.tanh(0.5)]
    assert all_of([library, *others])[0] == pytest.approx(right, rel=1e-5)
    again, lines = all_of([others[0], library])  # as they were saved
    assert again == pytest.approx([right[1], right[0]], rel=1e-5) and lines == []


# ---- an unchanged second process compiles nothing ----------------------------------------------

TRAIN = """
import json, re, sys
from numba.core import event
recorder = event.RecordingListener()
event.register("numba:compile", recorder)
import numpy as np
import rnnlite

def trained(flat, how):
    rng = np.random.default_rng(0)
    B, T = (64, 28) if how == "large" else (4, 5)
    x, y = rng.random((B, T, 6), np.float32), rng.integers(0, 3, B)
    lengths, inputs = None, [x, x, x]
    if how == "strange":  # arrays that Numba would take for other types
        apart, fixed = np.zeros((B, T, 12), np.float32), x.copy()
        apart[:, :, ::2] = x
        fixed.flags.writeable = False
        inputs = [apart[:, :, ::2], fixed, np.asfortranarray(x)]
        y = y.astype(np.int16)
        y.flags.writeable = False
        lengths = [T] * B
    first = rnnlite.Flatten() if flat else rnnlite.LSTM(6, 33, seed=0)
    width = 6 * T if flat else 33
    model = rnnlite.Sequential([first, rnnlite.Dense(width, 3, seed=1)])
    optimizer = rnnlite.Adam(model)
    for step, x in enumerate(inputs):
        logits = model.forward(x, lengths=lengths, training=step != 1)
        loss, dlogits = rnnlite.softmax_cross_entropy(logits, y)
        model.backward(dlogits, need_dx=step != 2)
        optimizer.step()
        model(x)
    state = optimizer.state_dict()  # its moments show a last bit that the weights round away
    numbers = [model.flat_params, *(state[k].ravel() for k in state if k[:2] in ("m.", "v."))]
    return np.concatenate(numbers).tolist()

rnnlite.set_num_threads(2)
numbers = {how: [trained(flat, how) for flat in (True, False)] for how in sys.argv[1:]}
names = sorted({found.data["dispatcher"].__name__ for _, found in recorder.buffer})
for_a_number = [
    found.data["dispatcher"].__name__
    for _, found in recorder.buffer
    if "Literal" in str(found.data["args"])
]
several = []  # kernels for arrays of several kinds
apart = []  # what a kernel calls beside what its own wrappers call: itself
for kernel in {found.data["dispatcher"] for _, found in recorder.buffer}:
    if type(kernel._cache).__name__ == "_KernelCache":
        several += [kernel.__name__] * (len(kernel.signatures) > 1)
        for code in kernel.inspect_llvm().values():
            called = set(re.findall(r'call [^@\\n]*@"?(_ZN[^"(]*)', code))
            apart += [name for name in called if kernel.__name__ not in name]
told = dict(compiled=names, numbers=numbers, apart=apart)
print(json.dumps(told | dict(for_a_number=for_a_number, several=several)))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The kernel folder of TRAIN, what it said, and its lines of complaint."""
    cache = tmp_path_factory.mktemp("trained")
    return cache, *run(TRAIN, "same", cache=cache)


@pytest.mark.long
def test_the_first_process_compiles_and_says_so_in_one_line(trained):
    cache, result, lines = trained
    kernels = {"dense_forward", "dense_backward", "weight_gradients", "adam"}
    assert set(result["compiled"]) >= kernels | {"forward", "backward"}
    assert len(lines) == 1 and is_about_compiling(lines[0])
    assert str(cache) in lines[0]


@pytest.mark.long
def test_nothing_that_a_kernel_calls_stays_apart(trained):
    assert trained[1]["apart"] == [], "the process that compiles would run it unoptimised"


@pytest.mark.long
def test_no_part_is_compiled_for_one_number_alone(trained):
    """As f(0), f(1) and f(n) once were: three versions of one product."""
    assert trained[1]["for_a_number"] == []


@pytest.mark.long
def test_no_kernel_is_compiled_for_two_kinds_of_arrays(trained):
    """A layer's may lie otherwise in memory than a user's, and the next process has others."""
    assert trained[1]["several"] == []


@pytest.mark.long
def test_a_second_process_compiles_nothing_says_nothing_and_has_the_same_bits(trained):
    """Nor for other sizes and arrays of other kinds."""
    cache, first, _ = trained
    result, lines = run(TRAIN, "same", "large", "strange", cache=cache)
    assert result["compiled"] == [] and lines == []
    assert result["numbers"]["same"] == first["numbers"]["same"]
    assert result["numbers"]["strange"] == first["numbers"]["same"]
