"""A process that is killed at random moments ends, bit for bit, where an unbroken one does."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.saving import previous_path

SCRIPT = """
    import sys
    import numpy as np
    import rnnlite
    from rnnlite import LSTM, Dense, Dropout, Sequential, fit, schedules

    rnnlite.set_num_threads(1)
    x = np.random.default_rng(0).normal(size=(400, 5, 3)).astype(np.float32)
    y = (x.sum(axis=(1, 2)) > 0).astype(np.int64)
    model = Sequential([LSTM(3, 8, seed=0), Dropout(0.2, seed=1), Dense(8, 2, seed=2)])
    print("ready", flush=True)
    history = fit(
        model, x, y, epochs=25, batch_size=20, validation=(x[:50], y[:50]), clip_norm=1.0,
        average=0.9, schedule=schedules.one_cycle(0.01, steps=500), checkpoint=sys.argv[1],
        checkpoint_every=3, resume=True,
    )
    rnnlite.save(model, sys.argv[1] + ".done")
    print(history["step"][-1], len(history["loss"]), flush=True)
"""


def run_script(path):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def assert_same_weights(path, whole):
    killed, unbroken = rnnlite.load(f"{path}.done"), rnnlite.load(f"{whole}.done")
    assert np.array_equal(killed.flat_params, unbroken.flat_params)


@pytest.mark.long
@pytest.mark.skipif(JIT_DISABLED, reason="500 steps take too long without the JIT")
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.by_hand)])
def test_killed_at_random_moments_it_ends_bit_for_bit(tmp_path, times):
    whole = tmp_path / "whole.npz"
    with run_script(whole) as process:
        assert process.stdout.readline() == "ready\n"
        began = time.perf_counter()
        out = process.stdout.read()
        seconds = time.perf_counter() - began
    assert out == "500 25\n"
    path, rng, kills = tmp_path / "killed.npz", np.random.default_rng(0), 0
    while kills < times:
        with run_script(path) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, seconds / 8))
            process.kill()
            process.communicate()
        kills += 1
        if Path(f"{path}.done").exists():  # finished before the signal came: from the beginning
            assert_same_weights(path, whole)
            for name in (f"{path}.done", path, previous_path(path)):
                Path(name).unlink()
    with run_script(path) as process:
        assert process.stdout.read() == "ready\n500 25\n"
    assert_same_weights(path, whole)
    leftovers = {p.name for p in tmp_path.iterdir() if ".done" not in p.name}
    known = {q.name for p in (path, whole) for q in (p, previous_path(p))}
    assert len(leftovers - known) <= kills, "a killed process may leave its temporary file"
