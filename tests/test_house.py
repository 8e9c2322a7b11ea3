"""The package keeps the rules of the house (``house_*.py``), and each rule finds its offender.

A small package with one fault must have one complaint, so no rule can pass because it looks at
nothing.
"""

import graphlib
import inspect
import re
import sys
import tomllib
from pathlib import Path

import pytest
from house_docstrings import (
    SHOWN,
    documented,
    exports,
    false_signs,
    missing_docstrings,
    missing_examples,
    missing_examples_of_results,
    undocumented_arguments,
    undocumented_results,
)
from house_imports import (
    NUMBA_COMPILES,
    ROOMS,
    compilers,
    imports_against_the_stream,
    imports_of_cells,
    imports_of_kernels,
    imports_of_reference,
    kernels_outside,
    pickles,
)
from house_reading import PACKAGE, PYPROJECT, modules, name_of, room_of
from house_rules import (
    asks_before_where,
    asks_for_a_kind_of_tree,
    fast_math,
    flag_keep,
    old_terms,
    old_words,
    prints,
    skips_without_a_reason,
)

import rnnlite
from rnnlite import functional, reference

# ---- the package keeps them ------------------------------------------------------------------

# A rule, and small packages that break it: file, text, the complaint.
FAULTS = {
    missing_docstrings: [
        ("a.py", "x = 1", "a.py has no docstring"),
        ("a.py", '"""A."""\ndef f(): pass', "a.py: f has no docstring"),
        ("kernels/a.py", '"""A."""\nclass C: pass', "kernels/a.py: C has no docstring"),
        ("a.py", '"""A."""\nclass C:\n  "C."\n  def m(self): pass', "a.py: C.m has no docstring"),
    ],
    undocumented_arguments: [
        (
            "functional/__init__.py",
            'def f(x): "Do."',
            "functional/__init__.py: f does not say what x is",
        ),
        (
            "functional/__init__.py",
            'def f(x, y):\n  """Do.\n\n  Parameters\n  ----------\n  x : int\n\n'
            '  Raises\n  ------\n  E\n      For y.\n  """',
            "functional/__init__.py: f does not say what y is",
        ),
        (
            "layers/__init__.py",
            'class C:\n  """C."""\n  def __init__(self, size): pass',
            "layers/__init__.py: C does not say what size is",
        ),
        (
            "functional/__init__.py",
            'class C:\n  """C."""\n  def m(self, *, key=1): "M."',
            "functional/__init__.py: C.m does not say what key is",
        ),
        ("reference/a.py", 'def f(Wx): "Do it to W."', "reference/a.py: f does not say what Wx is"),
    ],
    undocumented_results: [
        (
            "functional/__init__.py",
            'def f():\n  "Do."\n  return 1',
            "functional/__init__.py: f does not say what it returns",
        ),
        (
            "functional/__init__.py",
            'class C:\n  "C."\n  def m(self):\n    "M."\n    if 1:\n      return 1',
            "functional/__init__.py: C.m does not say what it returns",
        ),
        (
            "reference/a.py",
            'def f():\n  "Do."\n  return 1',
            "reference/a.py: f does not say what it",
        ),
    ],
    missing_examples: [
        (
            "functional/__init__.py",
            '__all__ = ["f"]\ndef f(): "Do."\ndef g(): "Not exported."',
            "functional/__init__.py: f has no example",
        ),
        ("reference/__init__.py", 'def f(): "Do."', "reference/__init__.py: f has no example"),
        (
            "gradcheck/__init__.py",
            'class C: "Do."',
            "gradcheck/__init__.py: C has no example",
        ),
        (
            "layers/dense.py",
            'class Dense:\n  """A layer.\n\n  >>> Dense()\n  """',
            "layers/dense.py: Dense has no example",
        ),
        ("datasets/mnist.py", 'def mnist(): "Load."', "datasets/mnist.py: mnist has no example"),
    ],
    missing_examples_of_results: [
        (
            "functional/__init__.py",
            'class P(NamedTuple): "A pair."',
            "functional/__init__.py: P has no example",
        ),
    ],
    imports_of_reference: [
        ("reference/a.py", "import numba", "reference/a.py imports numba"),
        ("reference/a.py", "from rnnlite import losses", "reference/a.py imports rnnlite.losses"),
        (
            "reference/a.py",
            "def f():\n  from .. import cells",
            "reference/a.py imports rnnlite.cells",
        ),
    ],
    imports_of_kernels: [
        ("kernels/a.py", "from rnnlite import layers", "kernels/a.py imports rnnlite.layers"),
        ("kernels/a.py", "import rnnlite.functional", "kernels/a.py imports rnnlite.functional"),
        ("kernels/a.py", "from ..cells import lstm", "kernels/a.py imports rnnlite.cells.lstm"),
    ],
    imports_of_cells: [
        ("cells/a.py", "import numpy as np", "cells/a.py imports numpy"),
        (
            "cells/a.py",
            "from rnnlite.kernels.simd import load",
            "cells/a.py imports rnnlite.kernels.simd.load",
        ),
        ("cells/a.py", "from rnnlite import kernels", "cells/a.py imports rnnlite.kernels"),
        ("cells/a.py", "from numba import njit", "cells/a.py imports numba.njit"),
    ],
    prints: [("a.py", "def f():\n  print(1)", "a.py:2 prints")],
    pickles: [
        ("a.py", "import pickle", "a.py imports pickle"),
        ("kernels/a.py", "from pickle import loads", "kernels/a.py imports pickle.loads"),
        ("a.py", "np.load(path, allow_pickle=True)", "a.py:1 allows pickles"),
    ],
    fast_math: [
        ("kernels/a.py", "f = njit(fastmath=True)", "kernels/a.py:1 sets fastmath=True"),
        ("kernels/jit.py", 'O = {"fastmath": True}', "kernels/jit.py:1 sets fastmath=True"),
        ("kernels/jit.py", 'F = {"nnan"}', "kernels/jit.py:1 names the flag nnan"),
    ],
    kernels_outside: [
        ("a.py", "@kernel\ndef f(): pass", "a.py: f is decorated with kernel"),
        ("layers/a.py", "@inner\ndef f(): pass", "layers/a.py: f is decorated with inner"),
        ("a.py", '@jit.kernel(identity="x")\ndef f(): pass', "a.py: f is decorated with kernel"),
        ("losses.py", "from numba import njit", "losses.py imports numba.njit"),
        ("cells/a.py", "@overload(f)\ndef g(): pass", "cells/a.py: g is decorated with overload"),
        (
            "cells/functions.py",
            "@njit\ndef g(): pass",
            "cells/functions.py: g is decorated with njit",
        ),
        *(
            ("engine/a.py", f"@{name}\ndef f(): pass", f"engine/a.py: f is decorated with {name}")
            for name in sorted({*compilers(PACKAGE), *NUMBA_COMPILES})
        ),
        (
            "engine/a.py",
            "from ..kernels.parallel import parallel as p",
            "engine/a.py imports rnnlite.kernels.parallel.parallel",
        ),
    ],
    imports_against_the_stream: [
        ("cells/a.py", "from rnnlite import layers", "cells/a.py imports rnnlite.layers"),
        ("engine/a.py", "from ..layers import LSTM", "engine/a.py imports rnnlite.layers.LSTM"),
        ("losses/a.py", "import rnnlite.optim.adam", "losses/a.py imports rnnlite.optim.adam"),
        (
            "layers/a.py",
            "from rnnlite.training import fit",
            "layers/a.py imports rnnlite.training.fit",
        ),
        (
            "layers/a.py",
            "def f():\n  from rnnlite.training import fit",
            "layers/a.py imports rnnlite.training.fit",
        ),
        ("layers/a.py", "from ..saving import save", "layers/a.py imports rnnlite.saving.save"),
        ("checking.py", "import rnnlite", "checking.py imports rnnlite"),
        ("custom.py", "from . import LSTM", "custom.py imports rnnlite.LSTM"),
        ("attic/a.py", "", "attic/a.py is in no room"),
    ],
    asks_for_a_kind_of_tree: [
        ("training/a.py", "isinstance(a, Sequential)", "training/a.py:1 asks for Sequential"),
        (
            "saving/a.py",
            "isinstance(a, (int, layers.Bidirectional))",
            "saving/a.py:1 asks for Bidirectional",
        ),
        ("a.py", "if type(a) is Sequential: pass", "a.py:1 asks for Sequential"),
        ("a.py", "match a:\n  case Group(): pass", "a.py:2 asks for Group"),
    ],
    old_words: [
        ("a.py", "tape = 1", "a.py has the name tape"),
        ("a.py", "def f(keeper): pass", "a.py has the name keeper"),
        ("a.py", "f(kept=1)", "a.py has the name kept"),
        ("a.py", "def no_live_weights(): pass", "a.py has the name no_live_weights"),
        ("a.py", "class Trouble: pass", "a.py has the name Trouble"),
        ("a.py", "from a import b as hx", "a.py has the name hx"),
        ("kernels/access.py", "", "kernels/access.py has the name access"),
    ],
    old_terms: [
        ("a.py", '"""A.\n\nWrites a tape.\n"""', "a.py:3 says tape, now workspace"),
        ("a.py", "x = f'{n} kept kernels'", "a.py:1 says kept kernels, now cached kernel"),
        ("a.py", "load_some(a)  # a few", "a.py:1 says load_some, now load_masked"),
    ],
    false_signs: [
        ("layers/a.py", '"""See b.py."""', "layers/a.py speaks of b.py"),
        ("layers/__init__.py", '"""fast/b.py    is fast"""', "layers/__init__.py speaks of fast/b"),
    ],
    asks_before_where: [
        ("a.py", "checking.array('x', where, x)", "a.py:1 gives where to checking.array too late"),
        ("a.py", "if f(model, where): pass", "a.py:1 gives where to f too late"),
    ],
    flag_keep: [
        ("layers/a.py", "def forward(self, x, keep=True): pass", "layers/a.py:1 takes keep"),
        ("a.py", "def forward(self, x, *, keep): pass", "a.py:1 takes keep"),
        ("a.py", "model.forward(x, keep=False)", "a.py:1 gives keep to forward"),
        ("a.py", "model(x, keep=False)", "a.py:1 gives keep to model"),
    ],
}
every_rule = pytest.mark.parametrize("rule", FAULTS, ids=lambda rule: rule.__name__)
# What exports the names of the faults above.
EXPORTING = {
    "__init__.py": 'from rnnlite.layers import Dense\n__all__ = ["Dense"]',
    "layers/__init__.py": "from rnnlite.layers.dense import Dense",
    "datasets/__init__.py": 'from rnnlite.datasets.mnist import mnist\n__all__ = ["mnist"]',
    "reference/__init__.py": 'from rnnlite.reference.a import f\n__all__ = ["f"]',
}


@every_rule
def test_the_package_keeps_the_rule(rule):
    complaints = list(rule(PACKAGE))
    assert not complaints, f"{rule.__doc__}\n" + "\n".join(complaints)


@pytest.mark.parametrize(
    ("rule", "file", "text", "complaint"),
    [(rule, *fault) for rule, faults in FAULTS.items() for fault in faults],
    ids=[f"{rule.__name__}-{n}" for rule, faults in FAULTS.items() for n in range(len(faults))],
)
def test_a_package_that_breaks_the_rule_is_noticed(tmp_path, rule, file, text, complaint):
    for name, content in {**EXPORTING, file: text}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + "\n", encoding="utf-8")
    assert [c for c in rule(tmp_path) if c.startswith(complaint)]


def test_what_compiles_is_found_in_the_kernels_themselves(tmp_path):
    assert compilers(PACKAGE) >= {"kernel", "inner", "exact_inner", "equation", "parallel"}
    assert NUMBA_COMPILES >= {"njit", "jit", "vectorize", "guvectorize", "cfunc", "intrinsic"}
    assert NUMBA_COMPILES >= {"overload", "overload_method", "register_jitable", "stencil"}
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "new.py").write_text(
        "import numba\n"
        "def direct(function):\n    return numba.njit(nogil=True)(function)\n"
        "indirect = functools.partial(direct, a=1)\n"
        "def third(function):\n    return Holder(indirect(function))\n"
        "@direct\ndef compiled(x):\n    return helper(x)\n"
    )
    assert compilers(tmp_path) == {"direct", "indirect", "third"}


def test_the_table_of_rooms_has_one_direction_and_every_room():
    graphlib.TopologicalSorter(ROOMS).prepare()  # a circle is an error
    rooms = {room_of(module) for module, _ in modules(PACKAGE)} - {"__init__"}
    assert rooms <= set(ROOMS)


def test_every_skip_gives_its_reason(tmp_path):
    assert list(skips_without_a_reason(Path(__file__).parent)) == []
    for text in (
        "pytest.skip()", "@pytest.mark.skip\ndef test(): pass",
        "@pytest.mark.skipif(True)\ndef test(): pass", "m = pytest.mark.skipif(True, marks=1)",
    ):  # fmt: skip
        (tmp_path / "test_a.py").write_text(text)
        assert len(list(skips_without_a_reason(tmp_path))) == 1, text


def test_the_rules_look_at_the_whole_package():
    seen = {name_of(module) for module, _ in modules(PACKAGE)}
    loaded = {
        name
        for name, module in sys.modules.items()
        if name.split(".")[0] == "rnnlite" and getattr(module, "__file__", None)
    }
    assert loaded <= seen and len(seen) > 20
    assert len(list(documented(PACKAGE))) > 100
    shown = dict(exports(PACKAGE))
    assert set(shown) == set(SHOWN) and all(shown.values())
    assert shown["__init__.py"] == set(rnnlite.__all__)
    assert shown["functional/__init__.py"] == set(functional.__all__)


# ---- what agrees with what -------------------------------------------------------------------


def recurrent_functions(module):
    return {
        name: function
        for name, function in vars(module).items()
        if re.fullmatch(r"(lstm|rnn|gru)_(forward|backward)", name)
    }


def all_forward_and_backward(module):
    """Public functions of a module, among them only those that run or unroll a network."""
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and re.search(r"_(forward|backward)$", name)
        and not name.startswith(("_", "dense_", "activation_", "layer_norm_"))
    }


def test_functional_and_reference_have_the_same_recurrent_functions():
    assert all_forward_and_backward(functional) == all_forward_and_backward(reference)
    assert len(recurrent_functions(functional)) == 6


@pytest.mark.parametrize("name", sorted(recurrent_functions(functional)))
def test_functional_and_reference_take_the_same_arguments(name):
    fast, plain = (
        inspect.signature(getattr(module, name)).parameters for module in (functional, reference)
    )
    assert list(fast) == list(plain)
    for argument in fast:
        assert fast[argument].default == plain[argument].default, argument
        assert fast[argument].kind == plain[argument].kind, argument


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    assert project["version"] == rnnlite.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", rnnlite.__version__)


def test_everything_exported_exists_and_is_sorted():
    for module in (
        rnnlite,
        rnnlite.functional,
        rnnlite.datasets,
        rnnlite.layers,
        rnnlite.cells,
        rnnlite.saving,
    ):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
        assert len(module.__all__) == len(set(module.__all__))


def test_the_package_shows_what_users_may_use():
    shown = {name for name in dir(rnnlite) if not name.startswith("__")}
    assert shown == set(rnnlite.__all__) and {"LSTM", "Layer", "fit", "schedules"} <= shown
    assert not shown & {"engine", "kernels", "checking", "custom", "training", "optim"}
