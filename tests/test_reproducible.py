"""One seed, one machine: the same bits, however the work is done."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite import GRU, LSTM, Adam, Bidirectional, Dense, Dropout, Sequential, fit
from rnnlite.kernels.jit import JIT_DISABLED

N, T, F = 300, 6, 16


def data():
    x = np.random.default_rng(0).normal(size=(N, T, F)).astype(np.float32)
    return x, (x.sum(axis=(1, 2)) > 0).astype(np.int64)


def trained(seed=0):
    """Weights after a run with everything random: big enough to be dealt to two threads."""
    x, y = data()
    both = Bidirectional(GRU(F, 40, return_sequences=True, seed=seed), seed=seed + 1)
    model = Sequential(
        [
            both,
            Dropout(0.2, seed=seed + 2),
            LSTM(80, 48, seed=seed + 3, recurrent_dropout=0.1),
            Dense(48, 2, seed=seed + 4),
        ]
    )
    fit(
        model, x, y, optimizer=Adam(model, lr=0.01), epochs=2, batch_size=64, seed=seed,
        clip_norm=1.0, average=0.9,
        augment=lambda x, rng: x + rng.normal(0, 0.1, x.shape).astype(np.float32),
    )  # fmt: skip
    return model.flat_params.copy()


@pytest.fixture(scope="module")
def weights():
    return trained()


def test_the_same_seed_gives_the_same_weights(weights):
    assert np.array_equal(trained(), weights)
    assert not np.array_equal(trained(seed=9), weights)


@pytest.mark.skipif(JIT_DISABLED, reason="without the JIT there is one thread")
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same_weights(weights, threads):
    rnnlite.set_num_threads(threads)
    assert np.array_equal(trained(), weights)


def test_another_process_gives_the_same_weights(weights, tmp_path):
    script = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import numpy as np
        from test_reproducible import trained
        np.save({str(tmp_path / "weights.npy")!r}, trained())
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert np.array_equal(np.load(tmp_path / "weights.npy"), weights)


def test_a_second_model_training_at_once_changes_nothing(weights):
    others = trained(seed=9)
    results = {}
    threads = [
        threading.Thread(target=lambda seed=seed: results.setdefault(seed, trained(seed)))
        for seed in (0, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(results[0], weights)
    assert np.array_equal(results[9], others)
