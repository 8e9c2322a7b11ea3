"""fit: what a person sees while it trains, and what it records."""

import io
import json
import math
import os
import re
import time

import numpy as np
import pytest
from conftest import sized
from fitted import B, F, data, network

import rnnlite
from rnnlite import RNN, Dense, Dropout, Sequential, fit
from rnnlite.training import progress


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
    epochs = sized(100, 20)
    fit(network(), x, y, epochs=epochs, batch_size=B, record_every=1000)
    lines = screen.getvalue().split("\r")
    shown = [line.rstrip() for line in lines if "loss" in line and "%|" in line]
    assert len(shown) > epochs
    for line in shown:
        assert len(line) <= 60
        assert re.match(
            rf"loss \d\.\d{{4}}, accuracy \d\.\d{{4}}, epoch \d+/{epochs} +\d+%", line
        ), line


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
