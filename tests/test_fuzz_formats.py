"""A few mutants of each format; ``python -m tests.fuzz_formats`` tries as many as you like."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import sized
from fuzz_formats import formats

from rnnlite.datasets import idx
from rnnlite.layers.random_layer import RandomLayer
from rnnlite.saving import models, random_states
from rnnlite.training import checkpoint

MANY = {"model": 150, "checkpoint": 60, "idx": 400, "text": 200}

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def tried(format, count):
    """How many mutants were read, and how many refused."""
    samples, found = format.samples(), {"read": 0, "refused": 0}
    for number in range(count):
        rng = random.Random(f"short {number}")
        content = format.mutant(rng, rng.choice(samples), samples)
        found[formats.judged(format, content)] += 1
    return found


@pytest.mark.parametrize("name", MANY)
def test_mutants_are_refused_with_a_sentence_or_read_right(name, tmp_path):
    count = sized(MANY[name], 40)
    found = tried(formats.FORMATS[name](tmp_path), count)
    assert min(found.values()) > count // 20, f"mutants of one kind only: {found}"


@pytest.mark.parametrize("name", MANY)
def test_samples_are_read(name, tmp_path):
    format = formats.FORMATS[name](tmp_path)
    for content in format.samples():
        assert formats.judged(format, content) == "read"


# ---- the judge sees what is wrong ------------------------------------------------------------


def swapped(monkeypatch):
    """Weights of one size change places."""
    check = models._check_weights

    def checked(weights, params):
        check(weights, params)
        for name in [name for name in weights if name.endswith("b")]:
            weights[name] = weights[name][::-1] + 1.0

    monkeypatch.setattr(models, "_check_weights", checked)


def other_masks(monkeypatch):
    """A state is taken for another."""
    monkeypatch.setattr(RandomLayer, "load_state_dict", lambda layer, _: layer.draw_masks_from(5))


def no_masks(monkeypatch):
    """States are not looked at."""
    monkeypatch.setattr(random_states, "checked_states", lambda model, states: [])


def half_loaded(monkeypatch):
    """The model is changed before the file is found wrong."""
    load = checkpoint.load

    def loaded(run, path, where):
        run.model.flat_params[...] += 1.0
        return load(run, path, where)

    monkeypatch.setattr(checkpoint, "load", loaded)


def unnamed(monkeypatch):
    """An error of NumPy's, as it comes."""

    def read(stream, name, known):
        content = stream.read()
        return idx.np.frombuffer(content, idx.np.uint8, offset=4 + 4 * len(known.shape)).reshape(
            known.shape
        )

    monkeypatch.setattr(idx, "read", read)


@pytest.mark.parametrize(
    ("name", "plant", "error"),
    [
        ("model", swapped, AssertionError),
        ("model", other_masks, AssertionError),
        ("model", no_masks, AssertionError),
        ("checkpoint", half_loaded, AssertionError),
        ("idx", unnamed, ValueError),
    ],
)
def test_a_planted_fault_is_found(name, plant, error, monkeypatch, tmp_path):
    format = formats.FORMATS[name](tmp_path)
    samples = format.samples()
    plant(monkeypatch)
    monkeypatch.setattr(format, "samples", lambda: samples)
    with pytest.raises(error):
        tried(format, 60)


@pytest.mark.long
@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["atheris", "plain"])
@pytest.mark.parametrize("name", MANY)
def test_the_command_tells_what_was_tried(name, options, tmp_path):
    if not options:
        pytest.importorskip("atheris", reason='Atheris is not there: pip install -e ".[fuzz]"')
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-m", "tests.fuzz_formats", name, "--inputs", "300", *options]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("300 inputs in" if options else "Done 300 runs") in done.stdout + done.stderr
