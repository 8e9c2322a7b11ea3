"""What ``import rnnlite`` does not do: compile, open a socket, take in what it does not need."""

import os
import subprocess
import sys

import pytest
from conftest import needs_jit
from fresh_process import ONE_STEP, run

from rnnlite.cache_folder import cache_folder

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


def test_import_takes_in_no_more_of_numba_than_import_numba(tmp_path):
    """It leaves to the first kernel what would take a tenth of the time: arrays above all."""
    script = """
import json, sys
import numba
before = set(sys.modules)
import rnnlite
new = set(sys.modules) - before
print(json.dumps([name for name in new if name.split(".")[0] in ("numba", "llvmlite")]))
"""
    assert run(script, cache=tmp_path) == ([], [])


AT_ONCE = """
import json, sys, threading
import numpy as np
import rnnlite

assert "numba.np.arrayobj" not in sys.modules
layers = [rnnlite.LSTM(2, 3, seed=0), rnnlite.RNN(2, 3, seed=0), rnnlite.Dense(2, 3, seed=0)]
begin, failures = threading.Barrier(len(layers)), []

def first_step(layer):
    begin.wait()
    try:
        layer.backward(np.ones_like(layer.forward(np.ones((2, 4, 2)))))
    except BaseException as error:
        failures.append(repr(error))

threads = [threading.Thread(target=first_step, args=(layer,)) for layer in layers]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(failures))
"""


@pytest.mark.long
@needs_jit
def test_several_threads_may_be_the_first_to_need_the_rest_of_numba():
    """Its modules import each other in circles, which several threads at once cannot."""
    for _ in range(3):
        assert run(AT_ONCE, cache=cache_folder())[0] == []


def test_a_folder_of_the_same_name_does_not_hide_it(tmp_path):
    """As when one starts Python in the folder that a clone lies in."""
    (tmp_path / "rnnlite").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", "import rnnlite; print(rnnlite.LSTM.__name__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "LSTM\n", done.stderr
