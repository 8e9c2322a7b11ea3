"""Checkpoints that do not belong to a run, or are damaged, are refused; older ones go on."""

import numpy as np
import pytest
from broken_runs import B, Break, Count, F, N, T, data, network, shaky, train

import rnnlite
from rnnlite import RNN, SGD, Adam, Dense, Sequential, fit, schedules
from rnnlite.saving import CorruptFile, container, previous_path


def test_an_old_checkpoint_is_never_written_over(tmp_path):
    path = tmp_path / "run.npz"
    train(network(), checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="give resume=True to go on from it"):
        train(network(), checkpoint=path)
    assert path.read_bytes() == before


def test_a_run_that_failed_at_its_first_step_can_be_started_again(tmp_path):
    x, y = data()
    bad = x.copy()
    bad[:] = np.nan
    for _ in range(2):
        with pytest.raises(ValueError, match="x holds nan"):
            fit(network(), bad, y, checkpoint=tmp_path / "run.npz")
    fit(network(), x, y, checkpoint=tmp_path / "run.npz")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": 6}, "seed = 5; this one has 6"),
        ({"batch_size": 11}, "batch_size = 10; this one has 11"),
        ({"shuffle": False}, "shuffle = True; this one has False"),
        ({"clip_norm": 1.0}, "clip_norm = None; this one has 1.0"),
        ({"schedule": schedules.constant(0.1)}, r"schedule = None; this one has constant\(lr=0.1"),
        ({"augment": shaky}, "augment = None; this one has shaky"),
        ({"loss": "mean_squared_error"}, "loss = None; this one has mean_squared_error"),
        ({"rows": 40}, "rows = 53; this one has 40"),
        ({"model": Sequential([RNN(F, 5), Dense(5, 2)])}, "of another model"),
        ({"callbacks": [Count()]}, "a run with 0 callbacks; this one has 1"),
        ({"optimizer": SGD}, "optimizer = Adam; this one has SGD"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, options, says):
    path, (x, y) = tmp_path / "run.npz", data()
    fit(network(), x, y, batch_size=B, seed=5, checkpoint=path)
    options = {"model": network(), "batch_size": B, "seed": 5, "optimizer": Adam} | options
    model, rows = options.pop("model"), options.pop("rows", N)
    optimizer = options.pop("optimizer")(model, lr=0.001)
    if options.get("loss"):
        y = np.eye(2, dtype=np.float32)[y]
    weights, state = model.flat_params.copy(), model.params
    with pytest.raises(ValueError, match=says):
        fit(
            model, x[:rows], y[:rows], optimizer=optimizer, epochs=2, checkpoint=path,
            resume=True, **options,
        )  # fmt: skip
    assert np.array_equal(model.flat_params, weights), "nothing half loaded"
    assert optimizer.t == 0 and state is model.params


@pytest.mark.parametrize("name", ["data", "lengths", "validation", "lr"])
def test_another_run_is_known_by_its_numbers_too(tmp_path, name):
    x, y = data()
    arguments = {"x": x, "y": y, "lengths": np.full(N, T), "validation": data(1)}

    def run(lr=0.001, **change):
        model = network()
        fit(
            model, **arguments | change, optimizer=Adam(model, lr=lr), epochs=2,
            checkpoint=tmp_path / "run.npz", resume=True,
        )  # fmt: skip

    run()
    other = {
        "data": {"x": x + 1},
        "lengths": {"lengths": np.full(N, T - 1)},
        "validation": {"validation": data(2)},
        "lr": {"lr": 0.5},
    }[name]
    says = "data" if name == "lengths" else name
    with pytest.raises(ValueError, match=f"is of a run with {says} = "):
        run(**other)
    run()


def test_an_optimizer_whose_rate_changed_on_the_way_may_go_on(tmp_path):
    class Slower(rnnlite.Callback):
        def record(self, run):
            run.optimizer.lr /= 2

    x, y = data()
    model = network()
    optimizer = Adam(model, lr=0.1)
    for epochs, again in ((1, optimizer), (2, optimizer), (3, None)):
        if again is None:  # another process begins as the first did
            model = network()
            again = Adam(model, lr=0.1)
        history = fit(
            model, x, y, optimizer=again, epochs=epochs, callbacks=[Slower()],
            checkpoint=tmp_path / "run.npz", resume=True,
        )  # fmt: skip
    assert history["lr"] == [0.1, 0.05, 0.025]


def test_a_stream_that_became_shorter_is_refused(tmp_path):
    x, y = data()
    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1, "resume": True}
    with pytest.raises(ZeroDivisionError):
        fit(network(), [(x, y)] * 4, callbacks=[Break(4)], **keep)
    with pytest.raises(ValueError, match="x has 2 batches in epoch 1; the run had 3 of it before"):
        fit(network(), [(x, y)] * 2, callbacks=[Break(0)], **keep)


def test_a_stream_may_be_broken_between_the_last_batch_of_an_epoch_and_its_end(tmp_path):
    x, y = data()
    whole, resumed = network(), network()
    wanted = fit(whole, [(x, y)] * 3, epochs=2, callbacks=[Break(0)])

    def broken(epoch):
        yield from [(x, y)] * 3
        raise ZeroDivisionError

    keep = {"checkpoint": tmp_path / "run.npz", "checkpoint_every": 1, "resume": True}
    with pytest.raises(ZeroDivisionError):
        fit(network(), broken, callbacks=[Break(0)], **keep)
    found = fit(resumed, [(x, y)] * 3, epochs=2, callbacks=[Break(0)], **keep)
    assert found["loss"] == wanted["loss"]
    assert np.array_equal(resumed.flat_params, whole.flat_params)


def test_a_checkpoint_with_the_names_of_before_goes_on(tmp_path):
    """What are counters, totals and raw weights was position, sums and live weights."""
    old = {"counters": "position", "totals": "sums", "run/raw_weights": "run/live"}
    path, whole, model = tmp_path / "run.npz", network(), network()
    for epochs, which, file in [(3, whole, {}), (2, network(), {"checkpoint": path})]:
        fit(which, *data(), epochs=epochs, batch_size=B, average=0.9, **file)
    _, header, arrays = container.read(path, "checkpoint")
    assert {"counters", "totals"} <= set(header) and "run/raw_weights" in arrays
    header, arrays = ({old.get(k, k): v for k, v in part.items()} for part in (header, arrays))
    container.write(path, "checkpoint", header, arrays)
    fit(model, *data(), epochs=3, batch_size=B, average=0.9, checkpoint=path, resume=True)
    assert np.array_equal(model.flat_params, whole.flat_params)


def test_a_callback_that_refuses_its_state_leaves_the_model_alone(tmp_path):
    class Fussy(Count):
        def load_state_dict(self, state):
            raise ZeroDivisionError

    path = tmp_path / "run.npz"
    train(network(), checkpoint=path, callbacks=[Count()])
    model = network()
    weights = model.flat_params.copy()
    with pytest.raises(ZeroDivisionError):
        train(model, checkpoint=path, callbacks=[Fussy()], resume=True)
    assert np.array_equal(model.flat_params, weights)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    train(network(), checkpoint=path)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    model = network()
    weights = model.flat_params.copy()
    with pytest.raises(CorruptFile, match=r"run\.npz"):
        train(model, checkpoint=path, resume=True)
    assert np.array_equal(model.flat_params, weights)


def test_the_one_before_is_kept_and_used_if_the_last_is_gone(tmp_path):
    path = tmp_path / "run.npz"
    model, resumed = network(), network()
    wanted = train(model, checkpoint=path)
    assert previous_path(path).exists()
    path.unlink()
    assert train(resumed, checkpoint=path, resume=True) == wanted
    assert np.array_equal(model.flat_params, resumed.flat_params)


def test_a_folder_that_is_missing_is_found_before_training(tmp_path):
    steps = []
    with pytest.raises(OSError, match="nowhere"):
        train(
            network(), checkpoint=tmp_path / "nowhere" / "run.npz",
            callbacks=lambda run: steps.append(run.step),
        )  # fmt: skip
    assert steps == []
