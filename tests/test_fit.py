"""fit: what it trains on, in which order, from arrays, files and batches of any source."""

import tracemalloc
from itertools import chain

import numpy as np
import pytest
from fitted import B, F, T, data, network

import rnnlite
from rnnlite import RNN, Adam, Dense, Embedding, Sequential, fit


def explicit_loop(model, x, y, order, lengths=None, lr=1e-3):
    """What fit must do, written out."""
    optimizer = Adam(model, lr=lr)
    for rows in order:
        some = None if lengths is None else lengths[rows]
        logits = model.forward(x[rows], lengths=some, training=True)
        _, dlogits = rnnlite.softmax_cross_entropy(logits, y[rows])
        model.backward(dlogits)
        optimizer.step()


def test_it_is_the_explicit_loop_bit_for_bit():
    x, y = data()
    ours, theirs = network(), network()
    fit(ours, x, y, epochs=2, batch_size=B, shuffle=False)
    order = [np.arange(47)[i : i + B] for i in range(0, 47, B)] * 2
    explicit_loop(theirs, x, y, order)
    assert np.array_equal(ours.flat_params, theirs.flat_params)


def test_every_row_is_seen_once_an_epoch_in_an_order_of_its_own():
    x = np.repeat(np.arange(47, dtype=np.float32)[:, None, None], T, 1)
    seen = []

    def look(x, rng):
        seen.append(x[:, 0, 0].astype(int).tolist())
        return np.zeros((len(x), T, F), np.float32)

    fit(
        network(), np.repeat(x, F, 2), np.zeros(47, int), epochs=2, batch_size=B, augment=look,
        seed=3,
    )  # fmt: skip
    assert [len(batch) for batch in seen] == [10, 10, 10, 10, 7] * 2, "the last batch is kept"
    first, second = list(chain(*seen[:5])), list(chain(*seen[5:]))
    assert sorted(first) == sorted(second) == list(range(47))
    assert first != second and first != list(range(47))


def orders(model, calls, own=False, **options):
    """The rows that each epoch of each call saw; ``own`` lets each call make its optimizer."""
    n = 20
    x = np.repeat(np.arange(n, dtype=np.float32)[:, None, None], F, 2)
    seen, optimizer = [], None if own else Adam(model)

    def look(x, rng):
        seen.extend(x[:, 0, 0].astype(int))
        return x / n

    for epochs in calls:
        options |= {"optimizer": optimizer, "augment": look, "batch_size": B}
        fit(model, x, np.zeros(n, int), epochs=epochs, **options)
    return np.array(seen).reshape(-1, n).tolist()


@pytest.mark.parametrize("own", [True, False])
def test_each_call_sees_a_new_order_and_each_program_the_same(own):
    model, twin, once = network(), network(), network()
    found = orders(model, [1, 1, 1], own)
    assert len({tuple(order) for order in found}) == 3
    assert all(sorted(order) == list(range(20)) for order in found)
    assert orders(twin, [1, 1, 1], own) == found
    assert np.array_equal(model.flat_params, twin.flat_params)
    assert orders(once, [3], own) == orders(network(), [1, 2], own) == found
    assert orders(network(), [3], own, seed=1) != found
    if not own:
        assert np.array_equal(model.flat_params, once.flat_params)


def test_the_order_depends_on_the_seed():
    x, y = data()
    weights = []
    for seed in (0, 0, 1):
        model = network()
        fit(model, x, y, batch_size=B, seed=seed)
        weights.append(model.flat_params.copy())
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_steps_may_end_in_the_middle_of_an_epoch():
    x, y = data()
    model = network()
    history = fit(model, x, y, steps=7, batch_size=B)
    assert history["step"] == [5, 7]
    assert history["epoch"] == [1, 2]


@pytest.mark.parametrize("kind", ["list", "generator", "function", "object"])
def test_batches_may_come_from_elsewhere(kind):
    x, y = data()
    batches = [(x[i : i + B], y[i : i + B]) for i in range(0, 47, B)]

    class Loader:
        def __iter__(self):
            return iter(batches)

    source = {
        "list": batches,
        "generator": (batch for batch in batches * 2),
        "function": lambda epoch: iter(batches),
        "object": Loader(),
    }[kind]
    ours, theirs = network(), network()
    long = {"steps": 10} if kind == "generator" else {"epochs": 2}
    history = fit(ours, source, **long)
    fit(theirs, x, y, epochs=2, batch_size=B, shuffle=False)
    assert np.array_equal(ours.flat_params, theirs.flat_params)
    assert history["step"][-1] == 10


def test_an_iterable_is_asked_for_its_batches_once_an_epoch():
    x, y = data(B)
    asked = []

    class Loader:
        def __iter__(self):
            asked.append(1)
            return iter([(x, y)])

    fit(network(), Loader(), epochs=2)
    assert len(asked) == 2


def test_a_function_of_the_epoch_is_told_which():
    x, y = data(B)
    asked = []

    def batches(epoch):
        asked.append(epoch)
        yield x, y

    fit(network(), batches, epochs=3)
    assert asked == [0, 1, 2]


def test_an_endless_generator_is_ended_by_steps():
    x, y = data(B)

    def forever(epoch):
        while True:
            yield x, y

    history = fit(network(), forever, steps=9, record_every=4)
    assert history["step"] == [4, 8, 9]


def test_a_file_larger_than_memory_is_read_batch_by_batch(tmp_path):
    x, y = data()
    path = tmp_path / "x.npy"
    np.save(path, x)
    mapped = np.load(path, mmap_mode="r")
    largest = []

    def look(batch, rng):
        largest.append(len(batch))
        return batch

    ours, theirs = network(), network()
    fit(ours, mapped, y, batch_size=B, augment=look)
    fit(theirs, x, y, batch_size=B)
    assert max(largest) == B
    assert np.array_equal(ours.flat_params, theirs.flat_params)


@pytest.mark.parametrize("kind", ["Fortran order", "every second feature", "big-endian", "windows"])
def test_memory_of_any_kind_is_never_copied_whole(kind):
    n = 20_000
    x = np.random.default_rng(0).normal(size=(n, T, 2 * F)).astype(np.float32)
    y = np.zeros(n, np.int64)
    x = {
        "Fortran order": lambda: np.asfortranarray(x[:, :, :F]),
        "every second feature": lambda: x[:, :, ::2],
        "big-endian": lambda: x[:, :, :F].astype(">f4"),
        "windows": lambda: np.lib.stride_tricks.sliding_window_view(x[: n + 4, 0, :F], T, 0)
        .swapaxes(1, 2),
    }[kind]()  # fmt: skip
    ours, theirs = network(), network()
    fit(theirs, np.ascontiguousarray(x, np.float32), y[: len(x)], steps=2, batch_size=B)
    tracemalloc.start()
    fit(ours, x, y[: len(x)], steps=2, batch_size=B)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < x.nbytes / 2
    assert np.array_equal(ours.flat_params, theirs.flat_params)


@pytest.mark.parametrize("shuffle", [True, False])
def test_what_augment_writes_into_is_not_the_data(shuffle):
    x, y = data()
    before = x.copy()

    def louder(x, rng):
        x *= 2
        return x

    fit(network(), x, y, epochs=2, batch_size=B, shuffle=shuffle, augment=louder)
    assert np.array_equal(x, before)


def test_lengths_reach_the_model():
    x, y = data()
    lengths = np.random.default_rng(1).integers(1, T + 1, len(x))
    padded = x.copy()
    padded[np.arange(T) >= lengths[:, None]] = np.nan
    ours, theirs = network(), network()
    fit(ours, padded, y, lengths=lengths, batch_size=B, validation=(padded, y, lengths))
    fit(theirs, x, y, lengths=lengths, batch_size=B)
    assert np.array_equal(ours.flat_params, theirs.flat_params)


def test_steps_beyond_a_length_do_not_count():
    x, _ = data()
    lengths = np.random.default_rng(1).integers(1, T + 1, len(x))
    y = (x[:, :, 0] > 0).astype(np.int64)
    model = Sequential([RNN(F, 4, return_sequences=True, seed=0), Dense(4, 2, seed=1)])
    other = model.copy()
    history = fit(model, x, y, lengths=lengths, batch_size=47, shuffle=False)
    logits = other(x, lengths=lengths)
    counts = np.arange(T) < lengths[:, None]
    assert history["loss"][0] == pytest.approx(
        rnnlite.softmax_cross_entropy(logits, y, lengths=lengths)[0]
    )
    assert history["accuracy"][0] == pytest.approx(np.mean((logits.argmax(-1) == y)[counts]))


def test_class_numbers_go_to_an_embedding_unchanged():
    ids = np.random.default_rng(0).integers(0, 300, (20, T))
    model = Sequential([Embedding(300, 4, seed=0), RNN(4, 3, seed=1), Dense(3, 2, seed=2)])
    history = fit(model, ids, ids[:, 0] % 2, epochs=2, batch_size=8)
    assert np.isfinite(history["loss"]).all()
