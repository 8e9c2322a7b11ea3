"""Scripts in a fresh process of its own environment, and one step of an LSTM to run there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import rnnlite

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
    """What ONE_STEP computes; the arguments are what edits of the package change."""
    i, f, o = (gate(wx + bias * b) for wx, b in ((0.3, 0.1), (0.5, 0.2), (0.9, 0.4)))
    c = f * 2.0 + sign * i * np.tanh(0.7 + bias * 0.3)
    return o * np.tanh(c)
