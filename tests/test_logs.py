"""Callbacks that tell others: what the real TensorBoard, MLflow and Optuna then know."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import assert_refused

import rnnlite
from rnnlite import Callback, Dense, fit, tables
from rnnlite.logs import CSVLog, MLflow, OptunaPruning, TensorBoard

X = np.random.default_rng(0).normal(size=(12, 2)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def train(callbacks, epochs=4, model=None, **options):
    model = Dense(2, 2, seed=0) if model is None else model
    data = {"validation": (X, Y), "batch_size": 4, "progress": False}
    return fit(model, X, Y, epochs=epochs, callbacks=callbacks, **data | options)


class PowerFailure(Callback):
    def __init__(self, after):
        self.after = after

    def record(self, run):
        if len(run.history["step"]) == self.after:
            raise KeyboardInterrupt


class Looking(Callback):
    """What a look at a file shows at each record."""

    def __init__(self, path):
        self.path, self.seen, self.wanted = path, [], []

    def record(self, run):
        self.seen.append(self.path.read_text())
        self.wanted.append(run.history.to_csv())


# ---- a table on the disk ---------------------------------------------------------------------


def test_the_table_is_on_the_disk_while_training_goes_on(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    path = tmp_path / "run.csv"
    path.write_text("of the run before")
    looking = Looking(path)
    history = train([CSVLog(path), looking])
    assert looking.seen == looking.wanted and len(looking.seen) == 4
    assert path.read_text() == history.to_csv()
    assert len(synced) >= 4


def test_a_resumed_run_s_table_has_all_records_once(tmp_path):
    path, options = tmp_path / "run.csv", {"checkpoint": tmp_path / "run.npz", "resume": True}
    train([CSVLog(path)], 2, **options)
    path.write_text(path.read_text() + "a line after the checkpoint")
    history = train([CSVLog(path)], 4, **options)
    assert path.read_text() == history.to_csv() and len(history["step"]) == 4


def test_a_place_without_a_folder_is_found_before_training(tmp_path):
    seen = []
    words = ["there is no folder"]
    assert_refused(OSError, words, train, [CSVLog(tmp_path / "no" / "run.csv"), seen.append])
    assert not seen


# ---- TensorBoard -----------------------------------------------------------------------------


def events(folder):
    """Values by step, by name, in all files of a folder, first to last."""
    from tensorboardX.proto.event_pb2 import Event

    found, restarts = {}, []
    for path in sorted(folder.glob("events.*"), key=lambda path: path.stat().st_mtime_ns):
        content = path.read_bytes()
        while content:  # length, its checksum, the event, its checksum
            size = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + size])
            content = content[16 + size :]
            if event.WhichOneof("what") == "session_log":
                restarts.append(event.step)
            for value in event.summary.value:
                is_histogram = value.WhichOneof("value") == "histo"
                figure = value.histo.num if is_histogram else value.simple_value
                found.setdefault(value.tag, {})[event.step] = figure
    return found, restarts


def test_tensorboard_has_a_curve_of_each_figure(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    history = train([TensorBoard(tmp_path, weights=True)])
    found, restarts = events(tmp_path)
    assert not restarts
    for name in set(history) - {"step"}:
        assert list(found[name]) == history["step"]
        np.testing.assert_allclose(list(found[name].values()), history[name], rtol=1e-6)
    assert list(found["W"].values()) == [4.0] * 4


def test_tensorboard_hides_what_a_resumed_run_does_again(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    options = {"checkpoint": tmp_path / "run.npz", "resume": True}
    folder = tmp_path / "events"
    train([TensorBoard(folder)], 2, **options)
    history = train([TensorBoard(folder)], 4, **options)
    found, restarts = events(folder)
    assert restarts == [7]  # 3 steps in each of the 2 epochs before
    assert list(found["loss"]) == history["step"] == [3, 6, 9, 12]


@pytest.mark.long
def test_a_run_that_breaks_off_has_its_curves(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    with pytest.raises(KeyboardInterrupt):
        train([TensorBoard(tmp_path), PowerFailure(2)])
    until = time.monotonic() + 20
    while list(events(tmp_path)[0].get("loss", ())) != [3, 6]:
        assert time.monotonic() < until
        time.sleep(0.1)


# ---- MLflow ----------------------------------------------------------------------------------


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: mlflow-skinny will do")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield mlflow
    mlflow.set_tracking_uri(before)


def curve(mlflow, run_id, name):
    points = mlflow.MlflowClient().get_metric_history(run_id, name)
    return {point.step: point.value for point in points}


def test_mlflow_has_the_settings_and_the_figures(mlflow):
    log = MLflow("digits", params={"window": 24, "lr": "searched"})
    history = train([log])
    run = mlflow.MlflowClient().get_run(log.run_id)
    assert run.info.status == "FINISHED" and run.data.tags["stopped_by"] == "end"
    assert mlflow.get_experiment(run.info.experiment_id).name == "digits"
    wanted = {
        "model": "Dense(2, 2)", "parameters": "6", "optimizer": "Adam", "lr": "searched",
        "epochs": "4", "batch_size": "4", "window": "24",
    }  # fmt: skip
    assert run.data.params == wanted
    for name in set(history) - {"step"}:
        assert curve(mlflow, log.run_id, name) == dict(
            zip(history["step"], history[name], strict=True)
        )


def test_mlflow_logs_into_the_run_that_is_active(mlflow):
    log = MLflow()
    with mlflow.start_run() as active:
        train([log])
        assert log.run_id == active.info.run_id
        assert mlflow.MlflowClient().get_run(log.run_id).info.status == "RUNNING"


def test_mlflow_goes_on_in_the_run_of_the_checkpoint(mlflow, tmp_path):
    options = {"checkpoint": tmp_path / "run.npz", "resume": True}
    first, second = MLflow("a"), MLflow("a")
    with pytest.raises(KeyboardInterrupt):
        train([first, PowerFailure(3)], **options)
    train([second, Callback()], **options)
    assert second.run_id == first.run_id
    assert list(curve(mlflow, first.run_id, "val_loss")) == [3, 6, 9, 12]


# ---- Optuna ----------------------------------------------------------------------------------


@pytest.fixture
def optuna():
    optuna = pytest.importorskip("optuna", reason="optuna is not installed")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield optuna
    optuna.logging.set_verbosity(before)


def test_optuna_ends_a_trial_that_is_worse(optuna):
    lengths = []

    def objective(trial):
        model = Dense(2, 2, seed=0)
        lr = [0.3, 0.0][trial.number]
        log = OptunaPruning(trial)
        counted = []
        try:
            optimizer = rnnlite.Adam(model, lr=lr)
            history = train([counted.append, log], model=model, optimizer=optimizer)
        finally:
            lengths.append(len(counted))
        return history["val_loss"][-1]

    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1)
    study = optuna.create_study(pruner=pruner)
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert lengths == [4, 2]
    assert list(study.trials[0].intermediate_values) == [0, 1, 2, 3]
    assert list(study.trials[1].intermediate_values) == [0, 1]


def test_a_column_that_is_not_there_is_named(optuna):
    trial = optuna.create_study().ask()
    words = ["OptunaPruning", "'val_loss'", "give validation"]
    assert_refused(ValueError, words, train, [OptunaPruning(trial)], validation=None)
    assert_refused(TypeError, ["trial is 3"], OptunaPruning, 3)
    assert_refused(TypeError, ["monitor is 3"], OptunaPruning, trial, 3)


# ---- without a library -----------------------------------------------------------------------


MISSING = {
    "mlflow-skinny": ("mlflow", "MLflow", MLflow),
    "optuna": ("optuna", "OptunaPruning", lambda: OptunaPruning(None)),
    "tensorboardX": ("tensorboardX", "TensorBoard", lambda: TensorBoard("runs")),
    "narwhals": ("narwhals", "Reader.learn", lambda: tables.Reader(["a"]).learn(None)),
    "scikit-learn": ("sklearn", "rnnlite.sklearn", lambda: __import__("rnnlite.sklearn")),
}


@pytest.mark.parametrize("package", MISSING)
def test_a_missing_library_is_a_sentence_with_the_command(package, monkeypatch):
    library, where, call = MISSING[package]
    monkeypatch.delitem(sys.modules, "rnnlite.sklearn", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError) as raised:
        call()
    assert str(raised.value).startswith(f"{where} needs the library ")
    assert str(raised.value).endswith(f"pip install {package}")


EARLY = """
import sys
import rnnlite
from rnnlite import logs, tables

libraries = "joblib mlflow narwhals optuna pandas polars sklearn tensorboardX".split()
print([name for name in libraries if name in sys.modules])
"""


@pytest.mark.long
def test_no_library_is_imported_before_it_is_needed():
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
