"""What ``import rnnlite`` does not do: compile, open a socket, take in optional libraries."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_process import ONE_STEP, run

import rnnlite

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
assert [getattr(rnnlite, name) for name in rnnlite.__all__]
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


def test_what_is_not_asked_for_is_not_waited_for(tmp_path):
    script = """
import json, sys
import rnnlite
rooms = {"rnnlite.inside", "rnnlite.datasets", "rnnlite.interop"}
def there():
    return sorted(sys.modules.keys() & rooms)
before, trace = there(), rnnlite.trace
print(json.dumps([before, there(), trace is rnnlite.inside.trace is vars(rnnlite)["trace"]]))
"""
    assert run(script, cache=tmp_path) == ([[], ["rnnlite.inside"], True], [])


def test_type_checkers_find_every_name():
    """Some are imported when they are asked for; the file says all of them all the same."""
    imports = ast.walk(ast.parse(Path(rnnlite.__file__).read_text()))
    said = [
        alias.name for node in imports if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    assert sorted(set(said) - {"import_module", "TYPE_CHECKING"}) == sorted(rnnlite.__all__)


def test_a_name_that_is_not_there_is_named():
    with pytest.raises(AttributeError, match="module 'rnnlite' has no attribute 'LSTN'") as told:
        rnnlite.LSTN  # noqa: B018
    assert told.value.name == "LSTN" and told.value.obj is rnnlite  # "Did you mean: 'LSTM'?"
    with pytest.raises(ImportError, match="cannot import name 'LSTN'"):
        from rnnlite import LSTN  # noqa: F401


def test_a_room_that_lacks_its_library_says_so(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("rnnlite.sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(vars(rnnlite), "sklearn", raising=False)
    for name in ("sklearn", "sklearn.utils", "sklearn.utils.validation"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="scikit-learn"):
        rnnlite.sklearn  # noqa: B018


def test_a_folder_of_the_same_name_does_not_hide_it(tmp_path):
    """As when one starts Python in the folder that a clone lies in."""
    (tmp_path / "rnnlite").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", "import rnnlite; print(rnnlite.LSTM.__name__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "LSTM\n", done.stderr
