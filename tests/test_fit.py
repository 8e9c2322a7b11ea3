"""fit: what it trains on, for how long, and what it records."""

import io
import json
import math
import os
import re
import signal
import threading
import time
import tracemalloc
from itertools import chain

import numpy as np
import pytest

import rnnlite
from rnnlite import LSTM, RNN, Adam, Dense, Dropout, Embedding, Sequential, fit
from rnnlite.training import progress

B, T, F = 10, 5, 3


def data(n=47, seed=0, steps=T):
    """Sequences whose class is whether their numbers add up to more than nothing."""
    x = np.random.default_rng(seed).normal(size=(n, steps, F)).astype(np.float32)
    return x, (x.sum(axis=(1, 2)) > 0).astype(np.int64)


def network(seed=0, outputs=2, dtype="float32"):
    return Sequential([RNN(F, 6, seed=seed, dtype=dtype), Dense(6, outputs, seed=1, dtype=dtype)])


def explicit_loop(model, x, y, order, lengths=None, lr=1e-3):
    """What fit must do, written out."""
    optimizer = Adam(model, lr=lr)
    for rows in order:
        some = None if lengths is None else lengths[rows]
        logits = model.forward(x[rows], lengths=some, training=True)
        _, dlogits = rnnlite.softmax_cross_entropy(logits, y[rows])
        model.backward(dlogits)
        optimizer.step()


# What it trains on.


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


# What it aims at.


def test_the_loss_follows_the_labels():
    x, y = data()
    one_hot = np.eye(2, dtype=np.float32)[y]
    cross, same = network(), network()
    a = fit(cross, x, y, batch_size=B)
    b = fit(same, x, one_hot, batch_size=B)
    assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
    assert a["accuracy"] == b["accuracy"]
    values = fit(network(outputs=1), x, x.sum(axis=(1, 2))[:, None], batch_size=B)
    assert "accuracy" not in values


def test_the_loss_can_be_named_or_brought_along():
    from functools import partial

    x, y = data()
    yes = y[:, None].astype(np.float32)
    named = fit(network(outputs=1), x, yes, loss="binary_cross_entropy", batch_size=B)
    assert 0 <= named["accuracy"][0] <= 1
    smooth = partial(rnnlite.softmax_cross_entropy, label_smoothing=0.1)
    assert "accuracy" in fit(network(), x, y, loss=smooth, batch_size=B)

    def own(output, y):
        error = output[:, 0] - y
        return float(np.mean(np.abs(error))), (np.sign(error) / len(y))[:, None]

    assert "accuracy" not in fit(network(outputs=1), x, y, loss=own, batch_size=B)


def own_loss(output, y, *, lengths=None):
    """Half the squared error of the valid steps."""
    difference = output - y
    if lengths is not None:
        difference[np.arange(output.shape[1]) >= lengths[:, None]] = 0.0
    return 0.5 * float(np.sum(difference**2)), difference


@pytest.mark.parametrize("stream", [False, True])
def test_a_loss_of_ones_own_is_tried_before_the_first_step(stream):
    x, wanted = np.ones((6, T, 3), "f"), np.ones((6, T, 2), "f")
    lengths = np.array([1, 2, 3, 4, 4, 4])
    model = Sequential([RNN(3, 2, return_sequences=True, seed=0)])
    before = model.flat_params.copy()

    def run(loss, lengths=lengths):
        if stream:
            batch = (x, wanted) if lengths is None else (x, wanted, lengths)
            return fit(model, [batch], loss=loss)
        return fit(model, x, wanted, lengths=lengths, loss=loss)

    for loss, error, says in [
        (lambda output, y: (0.0, output), TypeError, "does not take them; wanted a function"),
        (lambda output, y, lengths: 3.0, TypeError, "returned 3.0; wanted (loss, doutput)"),
        (lambda output, y, lengths: (0.0, y[:, 0]), ValueError, "gradient of shape (6, 2); wanted"),
        (lambda output, y, lengths: ("a", y), TypeError, "the loss is 'a'"),
        (lambda output, lengths: (0.0, output), TypeError, "be called with output and y: multiple"),
        (lambda output, y, w, lengths: (0.0, y), TypeError, "missing a required argument: 'w'"),
        (lambda output, y, lengths: (y, y), TypeError, f"(an array of shape (6, {T}, 2), an"),
        (lambda output, y, lengths: (0.0, y * 1j), TypeError, "returned holds complex64"),
        (3, TypeError, "loss is 3; wanted 'softmax"),
    ]:
        with pytest.raises(error) as raised:
            run(loss)
        assert str(raised.value).startswith("fit: ") and says in str(raised.value)
        np.testing.assert_array_equal(model.flat_params, before)
    assert run(own_loss)["loss"][0] > 0
    assert not np.array_equal(model.flat_params, before)
    run(lambda output, y: own_loss(output, y), lengths=None)
    assert rnnlite.evaluate(model, x, wanted, lengths=lengths, loss=own_loss).loss > 0


def test_right_answers_are_counted_whatever_the_loss():
    def own(output, y):
        return rnnlite.softmax_cross_entropy(output, y)

    x, y = data()
    named, brought = (fit(network(), x, y, loss=loss, batch_size=B) for loss in (None, own))
    assert brought["accuracy"] == named["accuracy"]
    model = network()
    assert rnnlite.evaluate(model, x, y, loss=own) == rnnlite.evaluate(model, x, y)


def test_it_learns():
    x, y = data(400)
    model = Sequential([LSTM(F, 16, seed=0), Dense(16, 2, seed=1)])
    history = fit(
        model, x, y, optimizer=Adam(model, lr=0.01), epochs=15, batch_size=40,
        validation=data(200, seed=1),
    )  # fmt: skip
    assert history["val_accuracy"][-1] > 0.93
    assert history["val_loss"][-1] < 0.3


# How it goes about it.


def test_the_schedule_sets_every_step_size():
    x, y = data()
    ours, theirs = network(), network()
    history = fit(ours, x, y, batch_size=B, shuffle=False, schedule=lambda step: 0.1 / (step + 1))
    optimizer = Adam(theirs)
    for step in range(5):
        rows = slice(step * B, step * B + B)
        optimizer.lr = 0.1 / (step + 1)
        _, d = rnnlite.softmax_cross_entropy(theirs.forward(x[rows], training=True), y[rows])
        theirs.backward(d)
        optimizer.step()
    assert np.array_equal(ours.flat_params, theirs.flat_params)
    assert history["lr"] == [pytest.approx(0.02)]


def test_gradients_are_clipped_and_their_norm_is_recorded():
    x, y = data()
    free, tight = network(), network()
    big = fit(free, x, y, batch_size=47, optimizer=rnnlite.SGD(free, lr=1.0))
    before = tight.flat_params.copy()
    small = fit(tight, x, y, batch_size=47, optimizer=rnnlite.SGD(tight, lr=1.0), clip_norm=1e-3)
    assert big["grad_norm"] == small["grad_norm"], "the norm before clipping"
    moved = np.linalg.norm(tight.flat_params - before)
    assert moved == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("average", [0.5, 0.999])
@pytest.mark.parametrize("validation", [data(30, seed=2), None], ids=["validated", "not"])
def test_the_average_is_what_validation_sees_and_what_remains(average, validation):
    x, y = data()
    model, twin = network(), network()
    mean = twin.flat_params.copy()
    history = fit(
        model, x, y, epochs=5, batch_size=B, shuffle=False, average=average, validation=validation
    )
    optimizer = Adam(twin)
    for n, i in enumerate([*range(0, 47, B)] * 5, start=1):
        _, d = rnnlite.softmax_cross_entropy(twin.forward(x[i : i + B]), y[i : i + B])
        twin.backward(d)
        optimizer.step()
        mean += (1 - min(average, n / (n + 9))) * (twin.flat_params - mean)
    assert np.array_equal(model.flat_params, mean)
    if validation is not None:
        assert history["val_loss"][-1] == rnnlite.evaluate(model, *validation).loss


def test_early_stopping_goes_back_to_the_best_weights():
    x, y = data()
    validation = data(30, seed=2)
    model = network()
    history = fit(
        model, x, y, epochs=50, batch_size=B, early_stopping=3, validation=validation,
        optimizer=Adam(model, lr=0.3),
    )  # fmt: skip
    best = history.best("val_loss")
    assert history.stopped_by == "early stopping"
    assert len(history["val_loss"]) == best + 4
    assert rnnlite.evaluate(model, *validation).loss == history["val_loss"][best]


def test_callbacks_are_called_in_their_place():
    x, y = data(20)
    calls = []

    class Log(rnnlite.Callback):
        def begin(self, run):
            calls.append(("begin", run.step))

        def step(self, run):
            calls.append(("step", run.step, run.loss > 0))

        def record(self, run):
            calls.append(("record", run.history.last()["step"]))

        def end(self, run):
            calls.append(("end", run.step))

    seen = []
    fit(network(), x, y, batch_size=B, callbacks=[Log(), lambda run: seen.append(run.epoch)])
    assert calls == [
        ("begin", 0), ("step", 1, True), ("step", 2, True), ("record", 2), ("end", 2)
    ]  # fmt: skip
    assert seen == [1]


def test_a_callback_can_stop_the_run():
    x, y = data()
    history = fit(
        network(), x, y, epochs=9, batch_size=B,
        callbacks=lambda run: run.stop("enough") if run.epoch == 2 else None,
    )  # fmt: skip
    assert history["epoch"] == [1, 2]
    assert history.stopped_by == "enough"


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="only it gets signals"
)
@pytest.mark.usefixtures("listening_to_ctrl_c")
def test_ctrl_c_ends_the_run_after_the_step():
    x, y = data()

    class Press(rnnlite.Callback):
        def step(self, run):
            if run.step == 3:
                signal.raise_signal(signal.SIGINT)

    history = fit(network(), x, y, epochs=9, batch_size=B, callbacks=Press())
    assert history.stopped_by == "interrupt"
    assert history["step"] == [3]
    with pytest.raises(KeyboardInterrupt):  # and Ctrl-C is what it was before
        signal.raise_signal(signal.SIGINT)


def test_fit_works_in_another_thread():
    x, y = data()
    ours, theirs = network(), network()
    thread = threading.Thread(target=fit, args=(ours, x, y), kwargs={"batch_size": B})
    thread.start()
    thread.join()
    fit(theirs, x, y, batch_size=B)
    assert np.array_equal(ours.flat_params, theirs.flat_params)


# What a person sees.


class Screen(io.StringIO):
    """A standard error stream that says that it is a terminal, or that it is none."""

    def __init__(self, is_terminal):
        super().__init__()
        self.isatty, self.fileno = lambda: is_terminal, lambda: -1


@pytest.mark.parametrize("is_terminal", [True, False])
def test_it_is_silent_if_asked(capfd, monkeypatch, is_terminal):
    x, y = data()
    screen = Screen(is_terminal)
    monkeypatch.setattr("sys.stderr", screen)
    fit(network(), x, y, batch_size=B, progress=False)
    assert (screen.getvalue(), *capfd.readouterr()) == ("", "", "")


def test_without_a_terminal_it_prints_a_line_a_record_at_once(monkeypatch):
    """A log file, or a notebook, whose stream is no terminal."""
    x, y = data()
    screen, at_once = Screen(False), []
    monkeypatch.setattr("sys.stderr", screen)
    fit(
        network(), x, y, epochs=3, batch_size=B,
        callbacks=lambda run: at_once.append(screen.getvalue().count("\n")),
    )  # fmt: skip
    lines = screen.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "epoch 1, step 5", "epoch 2, step 10", "epoch 3, step 15"
    ]  # fmt: skip
    assert all("loss " in line and "accuracy " in line for line in lines)
    assert at_once == [1, 2, 3] and "\r" not in screen.getvalue()


def test_loss_and_accuracy_are_seen_on_60_columns(monkeypatch):
    pytest.importorskip("tqdm", reason="the bar is an extra")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((60, 24)))
    monkeypatch.setattr(progress, "REFRESH", 0.0)
    screen = Screen(True)
    monkeypatch.setattr("sys.stderr", screen)
    x, y = data()
    fit(network(), x, y, epochs=100, batch_size=B, record_every=1000)
    lines = screen.getvalue().split("\r")
    shown = [line.rstrip() for line in lines if "loss" in line and "%|" in line]
    assert len(shown) > 100
    for line in shown:
        assert len(line) <= 60
        assert re.match(r"loss \d\.\d{4}, accuracy \d\.\d{4}, epoch \d+/100 +\d+%", line), line


def test_the_time_left_leaves_out_the_first_step_which_compiles():
    pytest.importorskip("tqdm", reason="the bar is an extra")
    shown = progress.Progress(True, 1000, 0, 1)
    time.sleep(0.3)
    shown.step(10, 1, 0.5, 0.5)
    figures = shown._bar.format_dict
    assert figures["elapsed"] < 0.2 and figures["n"] == figures["initial"] == 10
    time.sleep(0.02)
    shown.step(10, 1, 0.5, 0.5)
    figures = shown._bar.format_dict
    assert re.search(r" \d[\d.]*k?( seq/s|s/ seq)$", str(shown._bar))
    shown.close()
    assert (figures["n"] - figures["initial"]) / figures["elapsed"] > 10 / 0.2


def test_progress_knows_how_long_a_stream_will_take(monkeypatch):
    tqdm = pytest.importorskip("tqdm", reason="the bar is an extra")
    x, y = data(B)
    totals = []

    class Bar(tqdm.tqdm):
        def close(self):
            totals.append((self.n, self.total))
            super().close()

    monkeypatch.setattr(tqdm, "tqdm", Bar)
    fit(network(), lambda epoch: [(x, y)] * 3, steps=7, progress=True)
    assert totals[0] == (7 * B, 7 * B)


def test_a_program_without_a_standard_error_stream_trains(monkeypatch):
    closed = Screen(True)
    closed.close()
    x, y = data()
    for stream in None, closed:
        monkeypatch.setattr("sys.stderr", stream)
        fit(network(), x, y, batch_size=B)


def test_progress_shows_a_line_a_record_with_and_without_tqdm(capfd, monkeypatch):
    x, y = data()
    for missing in (False, True):
        if missing:
            monkeypatch.setitem(__import__("sys").modules, "tqdm", None)
        fit(network(), x, y, epochs=2, batch_size=B, validation=(x, y), progress=True)
        out, err = capfd.readouterr()
        assert out == ""
        assert "epoch 2, step 10: loss" in err and "val_accuracy" in err
        assert ("pip install tqdm" in err) == missing


# What it refuses.


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"y": None}, TypeError, "x is an array and y is missing"),
        ({"y": np.zeros(5, int)}, ValueError, r"y has shape \(5,\) and x has 47 rows"),
        ({"y": np.full(47, 2)}, ValueError, "labels from 2 to 2; the model has 2 outputs"),
        ({"y": np.full(47, -1)}, ValueError, r"each must lie in 0\.\.1"),
        ({"y": np.zeros((47, 3))}, ValueError, r"wanted whole numbers of shape \(47,\)"),
        ({"y": np.zeros(47)}, ValueError, "y holds float64"),
        ({"x": np.zeros((47, T, 4), "float32")}, ValueError, "x has 4 features|built for 3"),
        ({"x": np.zeros(47)}, ValueError, r"x has shape \(47,\)"),
        ({"lengths": np.full(47, T + 1)}, ValueError, "lengths runs from 6 to 6"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"epochs": 1, "steps": 1}, ValueError, "give one of them"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"seed": "now"}, TypeError, "seed is 'now'"),
        ({"loss": "hinge"}, ValueError, "loss is 'hinge'; it can be"),
        ({"loss": 3}, TypeError, "loss is 3"),
        ({"schedule": 0.1}, TypeError, "schedule is 0.1"),
        ({"clip_norm": 0}, ValueError, "clip_norm is 0"),
        ({"average": 1.0}, ValueError, "average is 1.0"),
        ({"validation": 3}, TypeError, "validation is of type int"),
        ({"validation": (np.zeros((2, T, F), "float32"), [0, 7])}, ValueError, "validation: y has"),
        ({"early_stopping": 1}, ValueError, "give validation"),
        ({"early_stopping": 0}, ValueError, "early_stopping is 0"),
        ({"callbacks": [3]}, TypeError, r"callbacks\[0\] is 3"),
        ({"resume": True}, ValueError, "resume is given without checkpoint"),
        ({"optimizer": "adam"}, TypeError, "optimizer is 'adam'"),
        ({"model": "lstm"}, TypeError, "model is of type str"),
        ({"record_every": -1}, ValueError, "record_every is -1"),
    ],
)
def test_bad_arguments_are_named(arguments, error, says):
    x, y = data()
    arguments = {"model": network(), "x": x, "y": y} | arguments
    with pytest.raises(error, match=says):
        fit(**arguments)


def test_the_optimizer_must_be_the_models():
    x, y = data()
    with pytest.raises(ValueError, match="optimizer belongs to another model"):
        fit(network(), x, y, optimizer=Adam(network()))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"early_stopping": 3}, "early_stopping watches 'val_loss'; give validation"),
        (
            {"early_stopping": rnnlite.EarlyStopping(1, "los")},
            "'los'; the history has epoch, step, loss",
        ),
        (
            {"validation": (np.zeros((2, T, 4), "f4"), [0, 1])},
            "fit: validation: Sequential.forward: layer 0, RNN: x has 4",
        ),
        (
            {"validation": (np.zeros((2, T, F), "f4"), np.zeros((2, 3)))},
            r"fit: validation: softmax_cross_entropy: labels has shape",
        ),
        (
            {"validation": (np.zeros((2, T, F), "f4"), [0, 7]), "loss": "softmax_cross_entropy"},
            "fit: validation: y has labels from 0 to 7",
        ),
        (
            {
                "validation": (np.zeros((2, T, F), "f4"), np.zeros((2, 3))),
                "loss": "mean_squared_error", "y": np.zeros((47, 2)),
            },
            "fit: validation: mean_squared_error: ",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_found_before_the_first_step(arguments, says):
    x, y = data()
    model, steps = network(), []
    with pytest.raises(ValueError, match=says):
        fit(model, **{"x": x, "y": y} | arguments, augment=lambda x, rng: steps.append(1) or x)
    assert steps == []


@pytest.mark.parametrize(
    ("source", "long", "says"),
    [
        ((b for b in []), {"epochs": 2}, "x is an iterator, which runs once"),
        ([], {}, "there is no batch in epoch 1"),
        ([3], {}, "batch 0 is int"),
        ([(np.zeros((2, T, F)), [0])], {}, "of equally many rows"),
        (lambda epoch: None, {}, r"x\(0\) returned None"),
    ],
)
def test_bad_batches_are_named(source, long, says):
    with pytest.raises((ValueError, TypeError), match=says):
        fit(network(), source, **long)


def test_pixels_that_are_not_scaled_are_noticed():
    x = np.full((B, T, F), 255, np.uint8)
    with pytest.warns(rnnlite.DataWarning, match="uint8 from 255 to 255 and is not scaled") as seen:
        fit(network(), x, np.zeros(B, int))
    assert seen[0].filename == __file__


def test_warnings_name_the_line_of_the_caller():
    x, y = data()
    pixels = np.full((B, T, F), 255, np.uint8)
    for call in (
        lambda: rnnlite.predict(network(), pixels),
        lambda: rnnlite.evaluate(network(), pixels, np.zeros(B, int)),
        lambda: fit(network(), x, y, validation=(pixels, np.zeros(B, int))),
    ):
        with pytest.warns(rnnlite.DataWarning, match="is not scaled") as seen:
            call()
        assert seen[0].filename == __file__


def test_pixels_that_augment_scales_are_not_noticed():
    x = np.full((B, T, F), 255, np.uint8)
    fit(network(), x, np.zeros(B, int), augment=lambda x, rng: x.astype(np.float32) / 255)
    with pytest.warns(rnnlite.DataWarning, match="uint8 from 255 to 255 and is not scaled"):
        fit(network(), x, np.zeros(B, int), augment=lambda x, rng: x)


def test_double_precision_that_must_be_rounded_is_noticed():
    x, y = data()
    with pytest.warns(rnnlite.DataWarning, match="x is float64 and the model computes in float32"):
        fit(network(), x.astype(np.float64), y)
    fit(network(dtype="float64"), x.astype(np.float64), y)


# What it records.


def test_the_history_is_plain_data(tmp_path):
    x, y = data()
    history = fit(network(), x, y, epochs=2, batch_size=B, validation=(x, y))
    assert isinstance(history, dict)
    assert json.loads(history.to_json(tmp_path / "h.json")) == dict(history)
    assert (tmp_path / "h.json").read_text() == history.to_json()
    lines = history.to_csv(tmp_path / "h.csv").splitlines()
    assert lines[0] == "epoch,step,loss,accuracy,grad_norm,lr,val_loss,val_accuracy,seconds"
    assert len(lines) == 3
    assert (tmp_path / "h.csv").read_text().splitlines() == lines


def test_json_has_no_word_for_nan_and_says_null(tmp_path):
    history = rnnlite.History({"step": [1, 2, 3], "val_loss": [math.nan, 0.5, math.inf]})
    text = history.to_json(tmp_path / "h.json")
    assert text == '{"step": [1, 2, 3], "val_loss": [null, 0.5, null]}'
    assert (tmp_path / "h.json").read_text() == text
    assert math.isnan(history["val_loss"][0]), "the history itself is as it was"


@pytest.mark.parametrize("kind", ["accuracy", "loss"])
@pytest.mark.parametrize("prefix", ["", "val_"])
def test_the_best_accuracy_is_the_highest_and_the_best_loss_the_lowest(prefix, kind):
    history = rnnlite.History({f"{prefix}{kind}": [0.5, 0.9, 0.1, 0.9, 0.1]})
    assert history.best(f"{prefix}{kind}") == {"accuracy": 1, "loss": 2}[kind]


def test_the_step_size_that_a_schedule_gives_is_recorded_as_a_plain_number(tmp_path):
    x, y = data()
    keep = {"checkpoint": tmp_path / "run.npz"}
    history = fit(network(), x, y, schedule=lambda step: np.float32(0.5), **keep)
    assert type(history["lr"][0]) is float and json.loads(history.to_json())
    with pytest.raises(TypeError, match=r"fit: schedule\(0\): lr is 'a'"):
        fit(network(), x, y, schedule=lambda step: "a")


def test_the_history_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures are an extra")
    x, y = data()
    history = fit(network(), x, y, epochs=2, batch_size=B, validation=(x, y))
    figure = history.plot(tmp_path / "h.png")
    assert (tmp_path / "h.png").stat().st_size > 5000
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]


def test_dropout_is_drawn_while_training_and_not_while_validating():
    x, y = data()
    model = Sequential([RNN(F, 6, seed=0), Dropout(0.5, seed=2), Dense(6, 2, seed=1)])
    history = fit(model, x, y, batch_size=B, validation=(x, y))
    assert history["val_loss"][-1] == rnnlite.evaluate(model, x, y).loss
