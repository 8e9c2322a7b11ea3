"""Memory and the number of threads stay flat, however long a process lives."""

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite import Adam, Dense, Sequential

pytestmark = pytest.mark.long
STATM = Path("/proc/self/statm")


def resident():
    """Bytes of memory that the process has, after a collection."""
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


needs_proc = pytest.mark.skipif(
    not STATM.exists(), reason="the memory of a process is read from /proc"
)


def flat(work, rounds=4, room=6 * 2**20):
    """Run ``work`` a few times; from the second on memory and threads must not grow."""
    work()
    work()
    memory, threads = resident(), threading.active_count()
    for _ in range(rounds):
        work()
    assert threading.active_count() <= threads
    assert resident() - memory < room, f"{(resident() - memory) / 2**20:.1f} MB more"


def model(seed=0):
    return Sequential([rnnlite.LSTM(3, 8, seed=seed), Dense(8, 2, seed=1)])


@needs_proc
def test_ten_thousand_steps_of_changing_shapes():
    trained, rng = model(), np.random.default_rng(0)
    optimizer = Adam(trained)
    shapes = [tuple(rng.integers(1, 12, 2)) for _ in range(300)]
    data = [rng.normal(size=(*shape, 3)).astype("float32") for shape in shapes]

    def steps():
        for n in range(10_000 // 6):
            x = data[n % len(data)]
            lengths = None if n % 3 else np.full(len(x), x.shape[1])
            y = trained.forward(x, lengths=lengths, training=bool(n % 2))
            trained.backward(np.ones_like(y), need_dx=bool(n % 5))
            optimizer.step()
            trained(x)

    flat(steps, room=3 * 2**20)  # some 450 bytes a step


@needs_proc
def test_five_hundred_fits():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 5, 3)).astype("float32"), rng.integers(0, 2, 16)

    def fits():
        for n in range(500 // 6 + 1):
            rnnlite.fit(model(n), x, y, epochs=2, batch_size=8, validation=(x, y), progress=False)

    flat(fits)


@needs_proc
def test_a_thousand_layers_made_and_dropped():
    x = np.ones((2, 3, 4), "float32")
    kinds = [
        lambda n: rnnlite.LSTM(4, 5 + n % 7, seed=n),
        lambda n: rnnlite.Bidirectional(rnnlite.GRU(4, 5 + n % 7, seed=n)),
        lambda n: rnnlite.Dense(4, 1 + n % 9, seed=n, activation="gelu"),
        lambda n: rnnlite.LayerNorm(4),
        lambda n: rnnlite.Dropout(0.5, seed=n),
    ]

    def layers():
        for n in range(1_000 // 6 + 1):
            layer = kinds[n % len(kinds)](n)
            y = layer.forward(x, training=True)
            layer.backward(np.ones_like(y))
            layer(x)

    flat(layers)


@needs_proc
def test_a_leak_is_noticed():
    lost = []
    with pytest.raises(AssertionError, match="MB more"):
        flat(lambda: lost.append(np.ones(2**22)))
    stop = threading.Event()
    with pytest.raises(AssertionError, match="active_count"):
        flat(lambda: threading.Thread(target=stop.wait).start())
    stop.set()
