"""Compiled kernels: saved for the next process, never stale, and harmless when they are damaged.

Whether an edit is noticed and whether anything is compiled can only be seen in a
fresh process, so most tests here start some, with a kernel folder of their own.
What holds for any kernel is asked of one that doubles an array: the time loop of
a cell takes seconds to compile.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite import cells
from rnnlite.cache_folder import cache_folder
from rnnlite.kernels import jit, target
from rnnlite.kernels.fingerprint import identity

ROOT = Path(rnnlite.__file__).resolve().parents[1]


def start(script, *arguments, cache, package=ROOT, path=(), **variables):
    """Start ``script``, a text or a file, in a fresh process of its own environment."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RNNLITE_", "NUMBA_", "PYTHONWARNINGS"))
    }
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (*path, package)))
    environment |= {"RNNLITE_CACHE": str(cache)} | variables
    program = [str(script)] if isinstance(script, Path) else ["-c", script]
    return subprocess.Popen(
        [sys.executable, "-P", *program, *map(str, arguments)],  # -P: not from this folder
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process, timeout=300):
    """What a process printed, as JSON, and its lines of complaint."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return json.loads(out), err.splitlines()


def run(script, *arguments, **options):
    return finish(start(script, *arguments, **options))


def is_about_compiling(line):
    return "compiling kernels" in line


# ---- an edit takes effect --------------------------------------------------------------------

# One step of one LSTM unit, and which kernels had to be compiled for it.
ONE_STEP = """
import json
from numba.core import event
recorder = event.RecordingListener()
event.register("numba:compile", recorder)
from rnnlite import functional
h, (hT, cT), cache = functional.lstm_forward(
    [[[1.0]]], [[0.3, 0.5, 0.7, 0.9]], [[0.0] * 4], [0.1, 0.2, 0.3, 0.4], h0=[[0.0]], c0=[[2.0]]
)
print(json.dumps({"h": float(h[0, 0, 0]), "compiled": len(recorder.buffer)}))
"""


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def one_step(sign=1.0, gate=sigmoid, bias=1.0):
    """What ONE_STEP computes; the arguments are what the edits below change."""
    i, f, o = (gate(wx + bias * b) for wx, b in ((0.3, 0.1), (0.5, 0.2), (0.9, 0.4)))
    c = f * 2.0 + sign * i * np.tanh(0.7 + bias * 0.3)
    return o * np.tanh(c)


# File, pattern of the text to exchange, what takes its place, how ``one_step`` changes.
EDITS = [
    (
        "cells/lstm.py", r"c = f \* c_before \+ i \* g\n", "c = f * c_before - i * g\n",
        {"sign": -1.0},
    ),
    (
        "kernels/activations.py", r"return 1\.0 / \(_expm1", "return 0.5 / (_expm1",
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


@pytest.mark.long
def test_an_edit_of_a_cell_of_ones_own_takes_effect_in_the_next_process(tmp_path):
    script, cache = tmp_path / "my_cell.py", tmp_path / "cache"
    results = []
    for function in ("tanh", "relu", "tanh"):
        text = OWN_CELL.replace("h = tanh(z[0])", f"h = {function}(z[0])")
        script.write_text(text, encoding="utf-8")
        results.append(run(script, cache=cache)[0])
    assert results == pytest.approx([np.tanh(0.5), 0.5, np.tanh(0.5)], rel=1e-5)


@pytest.mark.long
def test_a_cell_typed_in_without_a_file_and_then_defined_anew_is_compiled_anew(tmp_path):
    first = OWN_CELL.replace("print(json.dumps(", "first = (").replace("[0, 0])))", "[0, 0]))")
    second = OWN_CELL.replace("h = tanh(z[0])", "h = sigmoid(z[0])")
    second = second.replace("json.dumps(", "json.dumps([first, ").replace("[0, 0])))", "[0, 0])]))")
    result, _ = run(first + second, cache=tmp_path)
    assert result == pytest.approx([np.tanh(0.5), sigmoid(0.5)], rel=1e-5)


# The same with a kernel that is quick to compile.
OWN_EQUATION = """
import json
import numpy as np
from rnnlite.kernels import fingerprint, jit


def step(x):
    return 2.0 * x


equation = jit.equation(step)


@jit.kernel(identity=fingerprint.fingerprint("mine", [step]))
def apply(a):
    a[0] = equation(a[0])


a = np.full(1, 0.5)
apply(a)
print(json.dumps(a[0]))
"""


@pytest.mark.parametrize("text, right", [
    (OWN_EQUATION, 1.0), (OWN_CELL, np.tanh(0.5)),
], ids=["an equation", "a cell"])  # fmt: skip
@pytest.mark.long
def test_a_kernel_of_ones_own_needs_no_module_and_runs_none(tmp_path, text, right):
    """The machine code is saved; the module it was compiled for is gone, or another one."""
    (tmp_path / "old.py").write_text(text, encoding="utf-8")
    cache = tmp_path / "cache"
    run("import old", cache=cache, path=[tmp_path])
    (tmp_path / "new.py").write_text(text, encoding="utf-8")
    (tmp_path / "old.py").unlink()
    assert run(tmp_path / "new.py", cache=cache)[0] == pytest.approx(right, rel=1e-5)
    (tmp_path / "old.py").write_text("raise SystemExit('imported for no reason')\n")
    result, _ = run(tmp_path / "new.py", cache=cache, path=[tmp_path])
    assert result == pytest.approx(right, rel=1e-5)


@pytest.mark.long
def test_a_cell_of_a_known_name_with_other_equations_is_compiled_anew(tmp_path):
    made = 'custom_cell("mine", step, step_backward, gates=["h"], saved=["h"])'
    own = OWN_CELL.replace("import Recurrent, custom_cell", "import Recurrent, cells")
    own = own.replace(made, 'cells.RNN["tanh"]._replace(step=step)')
    library = own.replace("._replace(step=step)", "")
    texts = [library, *(own.replace("h = tanh", f"h = {f}") for f in ("sigmoid", "2.0 * tanh"))]
    assert len({OWN_CELL, own, *texts}) == 5
    results = [run(text, cache=tmp_path)[0] for text in (*texts, library)]
    right = [np.tanh(0.5), sigmoid(0.5), 2.0 * np.tanh(0.5), np.tanh(0.5)]
    assert results == pytest.approx(right, rel=1e-5)


def another_step(z, state):
    return (z[0],), (z[0],)


def test_all_that_a_kernel_is_made_of_is_part_of_a_cell_s_identity():
    made = cells.RNN["tanh"]
    others = [
        made._replace(name="other"),
        made._replace(gates=("k",)),
        made._replace(projections=(("h", None),)),
        made._replace(family="other"),
        made._replace(states=("h", "c")),
        made._replace(saved=("k",)),
        made._replace(step=another_step),
        made._replace(step_backward=made.step),
        made._replace(recurrent_bias=True),
        made._replace(unit_params=("p",)),
        made._replace(intermediate=another_step),
        made._replace(intermediate_backward=another_step),
        made._replace(whole_rows=True),
        cells.clipped_lstm(1.0)._replace(name="lstm"),
        cells.clipped_lstm(2.0)._replace(name="lstm"),
        cells.peephole_lstm(2.0)._replace(name="lstm"),
        cells.LSTM,
        cells.LSTM._replace(step=another_step),
    ]
    identities = [identity(cell) for cell in (made, *others)]
    assert len(set(identities)) == len(identities)
    assert identity(made._replace(unit_values=(1.0,))) == identities[0]  # no kernel knows them


# Equations of a leaky unit that take their constant, {0}, from different places.
LEAKY = {
    "in the equation": "def step(z, state):\n    h = {0} * state[0] + z[0]\n    return (h,), (h,)",
    "a global": "LEAK = {0}\ndef step(z, state):\n    h = LEAK * state[0] + z[0]\n"
    "    return (h,), (h,)",
    "a helper": "def leak(h):\n    return {0} * h\ndef step(z, state):\n"
    "    h = leak(state[0]) + z[0]\n    return (h,), (h,)",
    "a helper's helper": "def leak(h):\n    return {0} * h\ndef old(h):\n    return leak(h)\n"
    "def step(z, state):\n    h = old(state[0]) + z[0]\n    return (h,), (h,)",
    "around it": "def make(leak):\n    def step(z, state):\n        h = leak * state[0] + z[0]\n"
    "        return (h,), (h,)\n    return step\nstep = make({0})",
    "a default value": "def step(z, state, leak={0}):\n    h = leak * state[0] + z[0]\n"
    "    return (h,), (h,)",
    "a keyword's default value": "def leak(h, *, rate={0}):\n    return rate * h\n"
    "def step(z, state):\n    h = leak(state[0]) + z[0]\n    return (h,), (h,)",
    "an array": "import numpy as np\nrates = np.array([{0}])\ndef step(z, state):\n"
    "    h = rates[0] * state[0] + z[0]\n    return (h,), (h,)",
    "an array of many": "import numpy as np\nrates = np.zeros(5000)\nrates[2500] = {0}\n"
    "def step(z, state):\n    h = rates[2500] * state[0] + z[0]\n    return (h,), (h,)",
    "the name of a part": "import collections\nnames = 'a b' if {0} == 0.5 else 'b a'\n"
    "rates = collections.namedtuple('Rates', names)(0.5, 0.9)\n"
    "def step(z, state):\n    h = rates.a * state[0] + z[0]\n    return (h,), (h,)",
    "an enumeration": "import enum\nclass Rates(enum.Enum):\n    LEAK = {0}\n"
    "def step(z, state):\n    h = Rates.LEAK.value * state[0] + z[0]\n    return (h,), (h,)",
    "a module": "import types\nsettings = types.ModuleType('settings')\nsettings.LEAK = {0}\n"
    "def step(z, state):\n    h = settings.LEAK * state[0] + z[0]\n    return (h,), (h,)",
}


@pytest.mark.parametrize("text", LEAKY.values(), ids=LEAKY.keys())
def test_all_that_an_equation_of_ones_own_reaches_is_part_of_its_identity(text):
    identities = []
    for leak in (0.5, 0.9, 0.5):
        namespace = {}
        exec(text.format(leak), namespace)
        step = namespace["step"]
        assert step((1.0,), (1.0,))[0][0] == 1.0 + leak
        equations = {"gates": ["h"], "saved": ["h"], "compiled": False}
        cell = rnnlite.custom_cell("leaky", step, step, **equations)
        identities.append(identity(cell))
    assert identities[0] == identities[2] != identities[1]


def test_cells_that_call_another_function_of_numpy_are_told_apart():
    def with_function(bound):
        def step(z, state):
            h = bound(z[0], 0.5)
            return (h,), (h,)

        return rnnlite.custom_cell("bounded", step, step, compiled=False, **ONE)

    functions = (np.maximum, np.minimum, np.hypot, np.mean, np.median, max, min)
    assert len({identity(with_function(function)) for function in functions}) == len(functions)


ONE = {"gates": ["h"], "saved": ["h"]}


class Rate:
    """Holds a number that may change, in ways that no hash sees."""

    leak = 0.5

    def times(self, h):
        return self.leak * h


UNSEEN = {
    "a class": Rate, "an object": Rate(), "a method": Rate().times, "a list": [0.5],
    "a partial": functools.partial(max, 0.5), "an array of objects": np.array([Rate()]),
}  # fmt: skip


@pytest.mark.parametrize("value", UNSEEN.values(), ids=UNSEEN)
def test_what_may_change_unseen_is_refused(value):
    def step(z, state):
        h = z[0] * value
        return (h,), (h,)

    with pytest.raises(TypeError, match=r"custom_cell: the equations use .*numbers, arrays and"):
        rnnlite.custom_cell("mine", step, step, compiled=False, **ONE)


# ---- an unchanged second process compiles nothing ----------------------------------------------

TRAIN = """
import json, re, sys
from numba.core import event
recorder = event.RecordingListener()
event.register("numba:compile", recorder)
import numpy as np
import rnnlite

rng = np.random.default_rng(0)
B, T = (64, 28) if "large" in sys.argv else (4, 5)
x, y = rng.random((B, T, 6), np.float32), rng.integers(0, 3, B)
lengths, inputs = None, [x, x, x]
if "strange" in sys.argv:  # arrays that Numba would take for other types
    apart, fixed = np.zeros((B, T, 12), np.float32), x.copy()
    apart[:, :, ::2] = x
    fixed.flags.writeable = False
    inputs = [apart[:, :, ::2], fixed, np.asfortranarray(x)]
    y = y.astype(np.int16)
    y.flags.writeable = False
    lengths = [T] * B
rnnlite.set_num_threads(2)
first = rnnlite.Flatten() if "flat" in sys.argv else rnnlite.LSTM(6, 33, seed=0)
width = 6 * T if "flat" in sys.argv else 33
model = rnnlite.Sequential([first, rnnlite.Dense(width, 3, seed=1)])
optimizer = rnnlite.Adam(model)
for step, x in enumerate(inputs):
    logits = model.forward(x, lengths=lengths, training=step != 1)
    loss, dlogits = rnnlite.softmax_cross_entropy(logits, y)
    model.backward(dlogits, need_dx=step != 2)
    optimizer.step()
names = sorted({found.data["dispatcher"].__name__ for _, found in recorder.buffer})
for_a_number = [
    found.data["dispatcher"].__name__
    for _, found in recorder.buffer
    if "Literal" in str(found.data["args"])
]
apart = []  # what a kernel calls beside what its own wrappers call: itself
for kernel in {found.data["dispatcher"] for _, found in recorder.buffer}:
    if type(kernel._cache).__name__ == "_KernelCache":
        for code in kernel.inspect_llvm().values():
            called = set(re.findall(r'call [^@\\n]*@"?(_ZN[^"(]*)', code))
            apart += [name for name in called if kernel.__name__ not in name]
state = optimizer.state_dict()  # its moments show a last bit that the weights round away
numbers = [model.flat_params, *(state[key].ravel() for key in state if key[:2] in ("m.", "v."))]
numbers = np.concatenate(numbers).tolist()
print(json.dumps(dict(compiled=names, numbers=numbers, apart=apart, for_a_number=for_a_number)))
"""


@pytest.fixture(
    scope="module", params=[pytest.param(p, marks=pytest.mark.long) for p in ("flat", "lstm")]
)
def trained(tmp_path_factory, request):
    """The model of TRAIN, its kernel folder then, what it said, and its lines of complaint."""
    cache = tmp_path_factory.mktemp("trained")
    return request.param, cache, *run(TRAIN, request.param, cache=cache)


def test_the_first_process_compiles_and_says_so_in_one_line(trained):
    model, cache, result, lines = trained
    kernels = {"dense_forward", "dense_backward", "weight_gradients", "adam"}
    assert set(result["compiled"]) >= kernels | (
        {"forward", "backward"} if model == "lstm" else set()
    )
    assert len(lines) == 1 and is_about_compiling(lines[0])
    assert str(cache) in lines[0]


def test_nothing_that_a_kernel_calls_stays_apart(trained):
    assert trained[2]["apart"] == [], "the process that compiles would run it unoptimised"


def test_no_part_is_compiled_for_one_number_alone(trained):
    """As f(0), f(1) and f(n) once were: three versions of one product."""
    assert trained[2]["for_a_number"] == []


@pytest.mark.parametrize(
    "how", ["same", *(pytest.param(how, marks=pytest.mark.long) for how in ("large", "strange"))]
)
def test_a_second_process_compiles_nothing_says_nothing_and_has_the_same_bits(trained, how):
    model, cache, first, _ = trained
    result, lines = run(TRAIN, model, how, cache=cache)
    assert result["compiled"] == [] and lines == []
    if how != "large":
        assert result["numbers"] == first["numbers"]


# ---- no kernel folder ------------------------------------------------------------------------


DOUBLE = """
import json
import numpy as np
from rnnlite.kernels import jit

def double(a):
    for i in range(a.size):
        a[i] *= 2.0

kernel, a = jit.kernel(double), np.ones(3)
kernel(a)
print(json.dumps([*a.tolist(), sum(kernel.stats.cache_hits.values())]))
"""


@pytest.mark.long
def test_a_folder_that_cannot_be_made_costs_a_line_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = tmp_path / "file" / "cache"
    result, lines = run(DOUBLE, cache=cache)
    assert result == [2.0, 2.0, 2.0, 0]
    assert len(lines) == 1 and "cannot keep compiled kernels" in lines[0] and str(cache) in lines[0]


@pytest.mark.long
def test_a_folder_that_becomes_a_file_half_way_is_no_error(tmp_path):
    taken = """
import pathlib, shutil
shutil.rmtree(jit.kernel_folder())
pathlib.Path(jit.kernel_folder()).write_text("in the way")
kernel(a)
"""
    script = DOUBLE.replace("kernel(a)\n", taken)
    result, lines = run(script, cache=tmp_path)
    assert result == [2.0, 2.0, 2.0, 0]
    assert lines and all(line.startswith("rnnlite: ") for line in lines)


# ---- damaged kernels -------------------------------------------------------------------------

# The files of a small kernel are damaged in every way of a list.  A kernel made anew then finds
# them as the next process would; it must give the right result, and leave whole files behind.
DAMAGE = """
import json, logging, random, sys
import numpy as np
from rnnlite.kernels import jit

logging.disable(logging.CRITICAL)
noise = random.Random(0)
ways = {
    "none": lambda content: content,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "one byte less": lambda content: content[:-1],
    "text": lambda content: b"garbage",
    "zeros": lambda content: bytes(len(content)),
    "noise": lambda content: noise.randbytes(len(content)),
    "that of another": lambda content: b"\\x80\\x04K\\x01.",  # a pickle, of the number 1
    # As a machine that lost its power leaves behind: pages of zeros.
    "a hole early": lambda content: content[:500] + bytes(500) + content[1000:],
    "a hole late": lambda content: content[:-900] + bytes(500) + content[-400:],
} | {f"{n} bytes of noise": lambda content, n=n: noise.randbytes(n) for n in range(1, 17)}

def double(a):
    for i in range(a.size):
        a[i] *= 2.0

def use():
    kernel, a = jit.kernel(double), np.ones(3)
    kernel(a)
    assert a.tolist() == [2.0, 2.0, 2.0], "wrong result"
    return sum(kernel.stats.cache_hits.values())

use()
failed, found = {}, {}
for way, damage in ways.items():
    files = sorted(jit.kernel_folder().glob("*.kernel"))
    whole = {path: path.read_bytes() for path in files}
    for path, content in whole.items():
        path.write_bytes(damage(content))
    try:
        found[way] = use()
        assert use() == 1, "not saved again"
    except Exception as error:
        failed[way] = repr(error)
        for path, content in whole.items():
            path.write_bytes(content)
print(json.dumps({"failed": failed, "files": len(files), "found": found}))
"""


@pytest.mark.long  # NO_KERNEL of test_kernel_folder.py has one of each kind
def test_damaged_files_are_compiled_again(tmp_path):
    result, _ = run(DAMAGE, cache=tmp_path)
    assert result["files"] == 1
    assert result["failed"] == {}
    assert result["found"].pop("none") == 1 and set(result["found"].values()) == {0}


@pytest.mark.by_hand
@pytest.mark.long
def test_every_file_cut_short_costs_time_and_nothing_else(tmp_path):
    run(ONE_STEP, cache=tmp_path)
    files = list(tmp_path.rglob("*.kernel"))
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:100])
    result, lines = run(ONE_STEP, cache=tmp_path)
    assert result["h"] == pytest.approx(one_step(), rel=1e-5) and result["compiled"] > 0
    assert lines and all(line.startswith("rnnlite: ") for line in lines)
    assert run(ONE_STEP, cache=tmp_path) == ({"h": result["h"], "compiled": 0}, [])


# ---- two processes at once ---------------------------------------------------------------------


# Each process is held until both have compiled their kernel, then both keep it.
MEETING = """
import json, sys, time
from pathlib import Path
import numpy as np
from rnnlite.kernels import jit

me, other, folder = *sys.argv[1:3], Path(sys.argv[3])
save = jit._KernelCache.save_overload
met = []

def hold(cache, sig, data):
    (folder / f"{me} {len(met)}").touch()
    end, coming = time.monotonic() + 30.0, folder / f"{other} {len(met)}"
    while not coming.exists() and time.monotonic() < end:
        time.sleep(0.005)
    met.append(coming.exists())
    save(cache, sig, data)

jit._KernelCache.save_overload = hold
"""
# Two kernels that differ in their identity alone, as the time loops of two cells do.
TIMES = """
def make(name):
    factor = {"five": 5.0, "two": 2.0, "three": 3.0}[name]
    @jit.kernel(identity=name)
    def times(a):
        for i in range(a.size):
            a[i] *= factor
    return times

a = np.ones(1)
make("five")(a)
make(me)(a)
print(json.dumps([*a.tolist(), *met]))
"""


@pytest.mark.long
def test_two_processes_that_compile_at_once_on_an_empty_folder_both_succeed(tmp_path):
    """First the same kernel, then different ones, which are not swapped."""
    cache, folder = tmp_path / "cache", tmp_path / "meeting"
    folder.mkdir()
    processes = [
        start(MEETING + TIMES, me, other, folder, cache=cache)
        for me, other in (("two", "three"), ("three", "two"))
    ]
    held = [finish(process)[0] for process in processes]
    # The place to hold them is still there: for the first kernel and the second.
    assert held == [[10.0, True, True], [15.0, True, True]]
    imports = "import json\nimport numpy as np\nfrom rnnlite.kernels import jit\n"
    for me, factor in (("two", 10.0), ("three", 15.0)):
        later, lines = run(f"{imports}me, met = {me!r}, []" + TIMES, cache=cache)
        assert later == [factor] and lines == []


# ---- every vector width ------------------------------------------------------------------------

AGAINST_REFERENCE = """
import itertools, json
import numpy as np
from rnnlite import functional, reference
from rnnlite.kernels import target

rng, worst, cases = np.random.default_rng(0), {}, 0
cells = {"lstm": 4, "rnn": 1, "gru": 3}
sizes = [(1, 1, 1), (13, 1, 1), (3, 7, 5), (13, 7, 16), (1, 33, 3), (3, 33, 40), (13, 33, 7)]
for (name, gates), (B, H, I), padded in itertools.product(cells.items(), sizes, (False, True)):
    T, K = 5, gates * H
    shapes = {"x": (B, T, I), "Wx": (I, K), "Wh": (H, K), "b": (K,), "h0": (B, H)}
    shapes |= {"c0": (B, H)} if name == "lstm" else {"bh": (K,)} if name == "gru" else {}
    exact = {key: rng.normal(0.0, 0.5, shape).astype(np.float32).astype(np.float64)
             for key, shape in shapes.items()}
    exact["lengths"] = rng.integers(1, T + 1, B) if padded else None
    up = {key: rng.normal(size=(B, H)).astype(np.float32).astype(np.float64)
          for key in (("dhT", "dcT") if name == "lstm" else ("dhT",))}
    dh = rng.normal(size=(B, T, H)).astype(np.float32).astype(np.float64)

    def results(module, dtype):
        cast = lambda a: a if a is None or a.dtype.kind == "i" else a.astype(dtype)
        arrays = {key: cast(a) for key, a in exact.items()}
        h, state, cache = getattr(module, f"{name}_forward")(**arrays)
        g = getattr(module, f"{name}_backward")(
            cast(dh), cache, **{key: cast(a) for key, a in up.items()}
        )
        states = state if isinstance(state, tuple) else (state,)
        return {"h": h, **{f"state {s}": a for s, a in enumerate(states)}, **g._asdict()}

    expected = results(reference, np.float64)
    for dtype in ("float32", "float64"):
        got = results(functional, dtype)
        assert got.keys() == expected.keys()
        for key, array in got.items():
            assert array.dtype == dtype and array.shape == expected[key].shape, key
            scale = max(np.abs(expected[key]).max(), 0.1)
            error = float(np.max(np.abs(array - expected[key])) / scale)
            place = f"{name} {dtype}"
            worst[place] = float(np.fmax(worst.get(place, 0.0), np.nan_to_num(error, nan=np.inf)))
            cases += 1
print(json.dumps({"target": target.CHOSEN.name, "worst": worst, "cases": cases}))
"""
# The widest and the narrowest; what lies between is left to a person's patience.
WIDTHS = [
    "avx512", "sse2", *(pytest.param(name, marks=pytest.mark.by_hand) for name in ("avx2", "neon"))
]  # fmt: skip


@pytest.mark.long  # the width of this machine is what all other tests run with
@pytest.mark.parametrize("name", WIDTHS)
def test_every_vector_width_agrees_with_the_reference(tmp_path, name):
    """The width of this machine finds kernels of other test files, if they ran before."""
    cache = cache_folder() if name == target.CHOSEN.name else tmp_path
    result, _ = run(AGAINST_REFERENCE, cache=cache, RNNLITE_SIMD=name)
    assert result["target"] == name and result["cases"] > 500
    assert len(result["worst"]) == 6
    for place, error in result["worst"].items():
        assert error < (4e-6 if "float32" in place else 1e-14), place


def test_an_unknown_vector_width_is_a_clear_error(tmp_path):
    process = start("import rnnlite", cache=tmp_path, RNNLITE_SIMD="mmx")
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.splitlines()[-1] == (
        "ValueError: RNNLITE_SIMD is 'mmx'; it can be one of avx512, avx512bf16, avx2, neon, sse2"
    )


# ---- what import does not do -------------------------------------------------------------------

UNWANTED = ("torch", "matplotlib", "pooch", "tqdm", "scipy", "requests", "urllib3", "tensorflow")

IMPORT = """
import json, socket, sys
import numpy, numba  # what these two import is theirs
for name in list(sys.modules):
    if name.split(".")[0] in UNWANTED:
        del sys.modules[name]

def opened(*arguments, **options):
    raise AssertionError("a socket was opened")

socket.socket = socket.create_connection = socket.getaddrinfo = opened
import rnnlite
found = sorted(name for name in sys.modules if name.split(".")[0] in UNWANTED)
print(json.dumps(found))
"""


def test_import_takes_in_no_optional_library_and_opens_no_socket(tmp_path):
    # Empty modules of these names, so that an import of one is seen wherever it is not installed.
    for name in UNWANTED:
        (tmp_path / f"{name}.py").write_text("__version__ = '99.0'\n")
    script = IMPORT.replace("UNWANTED", repr(UNWANTED))
    found, lines = run(script, cache=tmp_path / "cache", path=[tmp_path])
    assert found == [] and lines == []


def test_import_compiles_nothing(tmp_path):
    script = ONE_STEP[: ONE_STEP.index("h, (hT")] + "print(json.dumps(len(recorder.buffer)))"
    assert run(script, cache=tmp_path) == (0, [])
