"""No signal, no hang, ever: every public attribute, every kind of value, between every two calls.

``attack.py`` enumerates the attributes by itself; its processes are watched here.
"""

import os
import subprocess
import sys
from pathlib import Path

import attack
import pytest
from conftest import needs_jit
from layer_kinds import KINDS

import rnnlite
from rnnlite.layers.parameters import Views
from rnnlite.layers.tree import Tree

PROGRAM = Path(attack.__file__)
APART = 53, 499  # every n-th case: of a single layer, of a model; primes meet every call


def attacked(kind, every, seconds):
    """What a process that attacks one kind of layer printed, and how it ended."""
    package = Path(rnnlite.__file__).parents[1]
    path = os.pathsep.join([str(package), str(PROGRAM.parent)])
    return subprocess.run(
        [sys.executable, str(PROGRAM), kind, str(every)],
        capture_output=True, text=True, timeout=seconds, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


@pytest.mark.long
def test_it_finds_attributes_by_itself():
    life = attack.Life("LSTM")
    life.forward(), life.backward()
    found = set(attack.attributes(life.layer))
    assert {"hidden_size", "cell", "params", "forward", "__class__"} <= found
    assert {"lr", "t", "model", "step"} <= set(attack.attributes(life.optimizer))
    assert {"flat_params", "flat_grads", "params", "grads"} <= set(attack.arrays(life.layer))
    assert len(list(attack.targets(attack.Life("Sequential")))) == 10


@pytest.mark.parametrize(
    "kind",
    [kind if kind == "Dense" else pytest.param(kind, marks=pytest.mark.long) for kind in KINDS],
)
def test_attributes_can_be_set_to_anything_between_any_two_calls(kind):
    """Some cases, in this process; many are ``long``, and the program itself takes all."""
    attack.main(kind, APART[kind == "Sequential"] * 11)


def planted_hidden_size(monkeypatch):
    """As before: what a layer was built with may be assigned."""
    monkeypatch.setattr(Tree, "_refuse_change", lambda self, name: None)


def planted_arrays(monkeypatch):
    """As before: what is handed out is the layer's own array."""
    monkeypatch.setattr(Views, "__getitem__", dict.__getitem__)


@pytest.mark.parametrize(
    ("plant", "kind", "text"),
    [
        (planted_hidden_size, "Dense", "in_features = 7"),
        (planted_hidden_size, "Dropout", "rate = 5.0"),
        (planted_hidden_size, "Flatten", "forward = None"),
        (planted_arrays, "Dense", "params reshaped"),
    ],
)
def test_a_planted_fault_is_found(plant, kind, text, monkeypatch):
    plant(monkeypatch)
    with pytest.raises(SystemExit, match=text):
        attack.main(kind, only=text)


@needs_jit
@pytest.mark.long
@pytest.mark.by_hand
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_ends_the_process_or_hangs(kind):
    done = attacked(kind, APART[kind == "Sequential"], seconds=1800)
    assert done.returncode == 0, f"{kind}: ended with {done.returncode}: {done.stderr[-3000:]}"
    assert done.stdout.startswith(f"{kind}: ")
