"""Checkpoints: a run that is broken off anywhere ends where it would have ended."""

import signal

import numpy as np
import pytest
from broken_runs import B, Break, Count, N, data, network, shaky, train

import rnnlite
from rnnlite import SGD, Adam, fit, schedules
from rnnlite.saving import container

PER_EPOCH = 6

OPTIONS = {
    "plain": {},
    "everything": {
        "augment": shaky,
        "schedule": schedules.one_cycle(0.01, steps=3 * PER_EPOCH),
        "clip_norm": 0.5,
        "average": 0.9,
        "early_stopping": 2,
        "record_every": 4,
    },
}


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("step", [1, 5, 6, 7, 17])
def test_a_broken_run_ends_where_an_unbroken_one_does(tmp_path, step, options):
    whole, broken, resumed = network(), network(), network()
    counts = Count(), Count(), Count()
    wanted = train(whole, callbacks=[counts[0]], **options)
    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1}
    with pytest.raises(ZeroDivisionError):
        train(broken, callbacks=[counts[1], Break(step)], **keep, **options)
    found = train(resumed, callbacks=[counts[2], Break(0)], resume=True, **keep, **options)
    assert np.array_equal(resumed.flat_params, whole.flat_params)
    assert found == wanted
    assert counts[2].steps == counts[0].steps


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda model: Adam(model, amsgrad=True, weight_decay=0.01),
        lambda model: SGD(model, lr=0.1, momentum=0.9, nesterov=True),
    ],
    ids=["amsgrad", "nesterov"],
)
def test_the_optimizer_goes_on_with_its_moments(tmp_path, optimizer):
    whole, broken, resumed = network(), network(), network()
    train(whole, optimizer)
    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1}
    with pytest.raises(ZeroDivisionError):
        train(broken, optimizer, callbacks=[Break(8)], **keep)
    train(resumed, optimizer, callbacks=[Break(0)], resume=True, **keep)
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_batches_from_a_generator_are_passed_over(tmp_path):
    x, y = data()

    def batches(epoch):
        rng = np.random.default_rng(epoch)
        for _ in range(4):
            rows = rng.integers(0, N, B)
            yield x[rows], y[rows]

    def run(model, **options):
        fit(model, batches, epochs=3, checkpoint=tmp_path / "run.npz", **options)

    whole = network()
    fit(whole, batches, epochs=3)
    for step in (4, 6):
        with pytest.raises(ZeroDivisionError):
            run(network(), checkpoint_every=1, callbacks=[Break(step)], resume=True)
    resumed = network()
    run(resumed, callbacks=[Break(0)], resume=True)
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_a_finished_run_is_not_trained_again_and_can_be_made_longer(tmp_path):
    x, y = data()
    keep = {"checkpoint": tmp_path / "run.npz", "resume": True, "batch_size": B, "average": 0.9}
    model = network()
    first = fit(model, x, y, epochs=2, **keep)
    trained = model.flat_params.copy()
    again = network()
    second = fit(again, x, y, epochs=2, callbacks=(), **keep)
    assert second == first
    assert np.array_equal(again.flat_params, trained)
    longer, whole = network(), network()
    fit(longer, x, y, epochs=4, **keep)
    fit(whole, x, y, epochs=4, batch_size=B, average=0.9)
    assert np.array_equal(longer.flat_params, whole.flat_params)


def test_a_run_that_stopped_early_has_its_best_weights_when_resumed(tmp_path):
    options = {"early_stopping": 1, "checkpoint": tmp_path / "run.npz", "resume": True}
    model, again = network(), network()
    x, y = data()
    long = {"epochs": 60, "batch_size": B, "validation": data(1)}
    first = fit(model, x, y, optimizer=Adam(model, lr=0.5), **long, **options)
    second = fit(again, x, y, optimizer=Adam(again, lr=0.5), **long, **options)
    assert first.stopped_by == second.stopped_by == "early stopping"
    assert first == second
    assert np.array_equal(model.flat_params, again.flat_params)


class BreakAtEnd(rnnlite.Callback):
    """Ends a run between its last record and its last checkpoint."""

    def __init__(self, broken):
        self.broken = broken

    def end(self, run):
        if self.broken:
            raise ZeroDivisionError


@pytest.mark.parametrize(
    "options", [{"average": 0.9}, {"early_stopping": 1}, {"record_every": 4, "average": 0.5}]
)
def test_a_run_broken_after_its_last_step_ends_where_an_unbroken_one_does(tmp_path, options):
    def optimizer(model):
        return Adam(model, lr=0.5)

    whole, resumed = network(), network()
    wanted = train(whole, optimizer, callbacks=[BreakAtEnd(False)], **options)
    keep = {"checkpoint": tmp_path / "run.npz", **options}
    with pytest.raises(ZeroDivisionError):
        train(network(), optimizer, callbacks=[BreakAtEnd(True)], **keep)
    found = train(resumed, optimizer, callbacks=[BreakAtEnd(False)], resume=True, **keep)
    assert found == wanted
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_a_run_that_a_callback_ended_ends_there_though_it_was_broken(tmp_path):
    class Enough(BreakAtEnd):
        def record(self, run):
            run.stop("enough")

    keep = {"checkpoint": tmp_path / "run.npz"}
    with pytest.raises(ZeroDivisionError):
        train(network(), callbacks=[Enough(True)], **keep)
    assert train(network(), callbacks=[Enough(False)], resume=True, **keep)["step"] == [6]


def test_the_model_can_be_taken_out_of_a_checkpoint(tmp_path):
    model = network()
    train(model, checkpoint=tmp_path / "run.npz")
    loaded = rnnlite.load(tmp_path / "run.npz")
    assert np.array_equal(loaded.flat_params, model.flat_params)


def steps_in(path):
    """How many steps the checkpoint has."""
    return container.read(path, "checkpoint")[1]["counters"]["step"] if path.exists() else None


@pytest.mark.parametrize("options", [{}, {"record_every": 4}])
def test_checkpoints_are_written_at_the_steps_that_were_asked_for(tmp_path, options):
    path, seen = tmp_path / "run.npz", []

    class Look(rnnlite.Callback):
        """What was there before a step is what was written after the one before it."""

        def step(self, run):
            seen.append(steps_in(path))

    train(network(), checkpoint=path, checkpoint_every=5, callbacks=[Look()], **options)
    due = [s for s in range(18) if s % 5 == 0 or s % options.get("record_every", PER_EPOCH) == 0]
    assert seen == [max(s for s in due if s < step) for step in range(1, 19)]


def test_the_patience_of_early_stopping_goes_on_after_a_break(tmp_path):
    """The loss grows from the first record on, and the break is in the middle of the patience."""

    def run(model, *callbacks, **options):
        x, y = data()
        return fit(
            model, x, y, optimizer=SGD(model, lr=0.01), epochs=9, batch_size=B, early_stopping=4,
            validation=(x, 1 - y), callbacks=callbacks, **options,
        )  # fmt: skip

    keep, whole, resumed = {"checkpoint": tmp_path / "run.npz"}, network(), network()
    wanted = run(whole, Break(0))
    assert wanted["val_loss"] == sorted(wanted["val_loss"]) and len(wanted["val_loss"]) == 5
    with pytest.raises(ZeroDivisionError):
        run(network(), Break(3 * PER_EPOCH + 1), **keep)
    found = run(resumed, Break(0), resume=True, **keep)
    assert found["val_loss"] == wanted["val_loss"] and found.stopped_by == "early stopping"
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_a_further_call_that_is_broken_sees_its_own_order_again(tmp_path):
    """The order depends on the steps of the optimizer, and these on the calls before."""

    def run(broken, **options):
        model, (x, y) = network(), data()
        optimizer = Adam(model)
        fit(model, x, y, optimizer=optimizer, batch_size=B)
        before = model.flat_params.copy(), optimizer.state_dict()
        options |= {"optimizer": optimizer, "epochs": 3, "batch_size": B, "augment": shaky}
        if broken:
            with pytest.raises(ZeroDivisionError):
                fit(model, x, y, callbacks=[Break(9)], checkpoint_every=1, **options)
            model.flat_params[...] = before[0]
            optimizer.load_state_dict(before[1])
            options["resume"] = True
        fit(model, x, y, callbacks=[Break(0)], **options)
        return model.flat_params

    assert np.array_equal(run(True, checkpoint=tmp_path / "run.npz"), run(False))


def test_a_loss_below_zero_goes_on(tmp_path):
    """A loss of one's own may be a log-likelihood."""

    def likelihood(output, y):
        loss, d = rnnlite.softmax_cross_entropy(output, y)
        return loss - 10.0, d

    keep = {"loss": likelihood, "checkpoint": tmp_path / "run.npz", "checkpoint_every": 1}
    whole, resumed = network(), network()
    wanted = train(whole, loss=likelihood, callbacks=[Break(0)])
    with pytest.raises(ZeroDivisionError):
        train(network(), callbacks=[Break(9)], **keep)
    assert train(resumed, callbacks=[Break(0)], resume=True, **keep) == wanted
    assert np.array_equal(resumed.flat_params, whole.flat_params)


@pytest.mark.usefixtures("listening_to_ctrl_c")
def test_ctrl_c_saves_and_returns_what_there_is(tmp_path):
    x, y = data()

    class Press(rnnlite.Callback):
        def step(self, run):
            if run.step == 8:
                signal.raise_signal(signal.SIGINT)

    whole, model = network(), network()
    train(whole, callbacks=[Break(0)])
    options = {"epochs": 3, "batch_size": B, "validation": data(1), "seed": 5}
    path = tmp_path / "run.npz"
    history = fit(model, x, y, callbacks=[Press()], checkpoint=path, **options)
    assert history.stopped_by == "interrupt"
    assert history["step"] == [6, 8]
    assert steps_in(path) == 8, "saved at Ctrl-C, not at the last record"
    resumed = network()
    history = fit(resumed, x, y, callbacks=[Break(0)], checkpoint=path, resume=True, **options)
    assert history["step"] == [6, 12, 18]
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_ctrl_c_at_the_last_step_loses_nothing(tmp_path):
    class Press(rnnlite.Callback):
        def __init__(self, at):
            self.at = at

        def step(self, run):
            if run.step == self.at:
                signal.raise_signal(signal.SIGINT)

    whole, stopped, resumed = network(), network(), network()
    wanted = train(whole, callbacks=[Press(0)], average=0.9)
    keep = {"checkpoint": tmp_path / "run.npz", "average": 0.9}
    train(stopped, callbacks=[Press(18)], **keep)
    assert train(resumed, callbacks=[Press(0)], resume=True, **keep) == wanted
    assert np.array_equal(stopped.flat_params, whole.flat_params)
    assert np.array_equal(resumed.flat_params, whole.flat_params)
