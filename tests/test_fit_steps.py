"""fit: what it aims at, and how it goes about it."""

import signal
import threading

import numpy as np
import pytest
from fitted import B, F, T, data, network

import rnnlite
from rnnlite import LSTM, RNN, Adam, Dense, Sequential, fit


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
