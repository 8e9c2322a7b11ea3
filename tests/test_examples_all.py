"""What all programs under examples/ promise: how they refuse, how they end, what they show."""

import argparse
import io
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_jit
from programs import EXAMPLES, load_example

import rnnlite
from rnnlite import datasets

command_line = load_example("command_line")

NAMES = sorted(
    path.stem for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
)
# A loop of their own; the others train by ``fit``.
EXPLICIT = {
    "adding_problem": ("--length", 5, "--hidden", 4),
    "char_lstm": ("--hidden", 4, "--length", 5),
    "forecast": ("--hidden", 4),
    "mnist_lstm": ("--data", "bundled", "--hidden", 4),
    "one_to_sequence": ("--hidden", 4),
    "stream": ("--hidden", 4, "--blocks", 3),
}
every_program = pytest.mark.parametrize("name", NAMES)


def test_these_are_all_the_programs():
    others = ["from_torch", "look_inside", "mnist_pixels", "mnist_record", "sweep"]
    assert sorted([*EXPLICIT, *others]) == NAMES


# ---- options -----------------------------------------------------------------------------------


def options_of(name):
    """The options of a program that take a value, as its parser knows them."""
    found = []

    def caught(parser, *arguments):
        found.extend(parser._actions)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(argparse.ArgumentParser, "parse_args", caught)
        load_example(name).main()
    return {action.option_strings[0]: action for action in found if action.nargs != 0}


def refusal(run_example, capsys, name, *arguments):
    """The one line of the parser in which a program refuses its arguments."""
    with pytest.raises(SystemExit) as stopped:
        run_example(name, *arguments)
    shown = capsys.readouterr()
    assert stopped.value.code == 2 and shown.out == ""
    (told,) = [line for line in shown.err.splitlines() if line.startswith(f"{name}.py: error: ")]
    assert f"argument {arguments[0]}" in told
    return told


@every_program
def test_every_number_has_its_limits(run_example, capsys, name):
    options = options_of(name)
    numbers = [o for o, action in options.items() if action.type not in (None, str, Path)]
    assert not any(action.type in (int, float) for action in options.values())
    for option in numbers:
        bad = "nan" if option not in PATHS else "/nonexistent/file"
        assert bad in refusal(run_example, capsys, name, option, bad)
    counts = {"--steps", "--epochs", "--hidden", "--images", "--batch-size", "--threads"}
    assert counts & set(numbers) or name == "look_inside"  # its parts have sizes of their own
    for option in counts & set(numbers):
        for bad in "0", "-1":
            told = refusal(run_example, capsys, name, option, bad)
            assert f"'{bad}' is not a " in told and "number from 1" in told


PATHS = ("--plot", "--save", "--checkpoint", "--explain", "--study")
WRITING = [(name, option) for name in NAMES for option in options_of(name) if option in PATHS]


def test_all_that_is_written_is_known():
    files = {
        o for name in NAMES for o, a in options_of(name).items() if a.metavar in ("FILE", "NAME")
    }
    assert files - {"--text", "--csv", "--load"} == set(PATHS) and len(WRITING) == 11


@pytest.mark.parametrize(("name", "option"), WRITING)
def test_a_place_where_nothing_can_be_written_is_refused_before_training(
    run_example, capsys, tmp_path, name, option
):
    if option == "--plot":
        pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    file = tmp_path / "file"
    file.touch()
    ending = "html" if option == "--explain" else "png"
    for folder in tmp_path / "none", file:
        told = refusal(run_example, capsys, name, option, folder / f"x.{ending}")
        assert "there is no folder" in told and str(folder) in told
    made = tmp_path / "x-history.png" if name == "mnist_record" else tmp_path / f"x.{ending}"
    made.mkdir()
    given = tmp_path / "x" if (name, option) == ("mnist_record", "--plot") else made
    assert "is a folder; wanted a file" in refusal(run_example, capsys, name, option, given)


@pytest.mark.parametrize("name", ["forecast", "one_to_sequence"])
def test_a_picture_of_an_unknown_kind_is_refused(run_example, capsys, name):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    assert ".png" in refusal(run_example, capsys, name, "--plot", "picture.doc")


@pytest.mark.parametrize("name", [name for name, option in WRITING if option == "--plot"])
def test_a_picture_without_matplotlib_is_refused(run_example, capsys, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    told = refusal(run_example, capsys, name, "--plot", "picture.png")
    assert told.endswith("matplotlib is needed: pip install matplotlib")


# ---- Ctrl-C, | head ----------------------------------------------------------------------------


@pytest.fixture
def ctrl_c_in_step_3(monkeypatch, listening_to_ctrl_c):
    """Ctrl-C while an optimizer takes its third step."""
    step, taken = rnnlite.Adam.step, []

    def interrupted(optimizer):
        step(optimizer)
        taken.append(optimizer)
        if sum(other is optimizer for other in taken) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(rnnlite.Adam, "step", interrupted)


EVALUATION = {
    "adding_problem": "on 2,000 new sequences mean squared error",
    "char_lstm": "on the last tenth of the text: ",
    "forecast": "mean squared error on the test part:\n  LSTM ",
    "mnist_lstm": "accuracy on all 1,000 test images: ",
    "one_to_sequence": "on 1,000 test images: ",
    "stream": "error to signal, on a new tune: ",
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long) if n == "stream" else n for n in EXPLICIT]
)
def test_ctrl_c_ends_a_loop_after_its_step_and_what_was_trained_is_tried(
    run_example, ctrl_c_in_step_3, name
):
    out = run_example(name, "--steps", 2000, "--lr", 0.01, *EXPLICIT[name])
    assert out.count("stopped by Ctrl-C after step 3 of 2000\n") == 1
    assert EVALUATION[name] in out.split("of 2000")[1] and out.count(EVALUATION[name]) == 1


@needs_jit
def test_ctrl_c_ends_the_record_and_what_was_trained_is_tried(
    run_example, capsys, ctrl_c_in_step_3, tmp_path
):
    out = run_example("mnist_record", "--bundled", "--save", tmp_path / "model.npz")
    assert "accuracy on all 1,000 test images: " in out and (tmp_path / "model.npz").exists()
    assert rnnlite.load(tmp_path / "model.npz").num_params() == 81_674


@needs_jit
def test_ctrl_c_ends_the_pixels_and_what_was_trained_is_tried(
    run_example, ctrl_c_in_step_3, monkeypatch
):
    full = datasets.mnist_5k(validation=500)
    few = datasets.images.MNIST(*(datasets.images.Split(*(a[:8] for a in p)) for p in full))
    monkeypatch.setattr(datasets, "mnist_5k", lambda validation: few)
    out = run_example("mnist_pixels", "--bundled", "--epochs", 50)
    assert "accuracy on all 8 test images: " in out


@every_program
def test_every_program_is_run_by_what_ends_it_quietly(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert text.endswith('\n\n\nif __name__ == "__main__":\n    run(main)\n')


def printing_for_ever():
    while True:
        print("a line", flush=True)


@pytest.mark.parametrize("main", [printing_for_ever, lambda: print("a line")], ids=["now", "last"])
def test_a_reader_who_has_seen_enough_ends_a_program_quietly(capsys, monkeypatch, main):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", nobody)
        with pytest.raises(SystemExit) as stopped:
            command_line.run(main)
        nobody.flush()  # as Python does at its end
    assert stopped.value.code == 141 and capsys.readouterr().err == ""


def test_a_second_ctrl_c_ends_a_program_with_a_line(capsys, monkeypatch, listening_to_ctrl_c):
    def main():
        for _ in command_line.Steps(10):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "argv", ["program.py"])
    with pytest.raises(SystemExit) as stopped:
        command_line.run(main)
    assert stopped.value.code == 130
    assert capsys.readouterr().err.strip() == "program.py: stopped by Ctrl-C"


def test_too_little_memory_is_said_in_a_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["program.py"])
    with pytest.raises(SystemExit) as stopped:
        command_line.run(lambda: np.empty(1 << 45))
    assert stopped.value.code.startswith("program.py: not enough memory: Unable to allocate")


def test_a_console_without_a_letter_shows_a_question_mark(monkeypatch):
    shown = io.BytesIO()
    with io.TextIOWrapper(shown, encoding="ascii") as console:
        monkeypatch.setattr(sys, "stdout", console)
        command_line.run(lambda: print("a \u044b b"))
        assert shown.getvalue().split() == [b"a", b"?", b"b"]


# ---- the progress of mnist_lstm -----------------------------------------------------------------


@pytest.mark.parametrize("columns", [36, 60, 120])
def test_loss_and_accuracy_fit_into_the_window(monkeypatch, columns):
    pty = pytest.importorskip("pty", reason="no terminals to make here")
    leader, terminal = pty.openpty()
    pytest.importorskip("termios").tcsetwinsize(terminal, (24, columns))
    with os.fdopen(terminal, "w") as window:
        monkeypatch.setattr(sys, "stderr", window)
        progress = load_example("mnist_lstm").Progress(781)
        for step in 10, 780, 781:
            progress.show(step, 12.34567, 0.12345)
        shown = ""
        while not shown.endswith("\n"):
            shown += os.read(leader, 4096).decode()
    os.close(leader)
    assert shown.endswith("\n")
    lines = shown.rstrip().split("\r")[1:]
    assert len(lines) == 3 and all(len(line) < columns for line in lines)
    assert all(line.startswith("loss 12.3457  accuracy 0.123") for line in lines)
    assert ("781/781" in lines[-1], "[###" in lines[-1]) == (columns >= 60, columns >= 60)


def test_compiling_is_no_part_of_the_time(run_example, monkeypatch):
    example = load_example("mnist_lstm")
    now, steps = [0.0], []

    def slow_at_first(x, y, model, optimizer, train_on=example.train_on):
        now[0] += 1.0 if steps else 100.0
        steps.append(model)
        return train_on(x, y, model, optimizer)

    monkeypatch.setattr(example, "train_on", slow_at_first)
    monkeypatch.setattr(example.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr("conftest.load_example", lambda name: example)
    out = run_example("mnist_lstm", *EXPLICIT["mnist_lstm"], "--steps", 9, "--batch-size", 8)
    assert "trained in 9.0 s, 8 images a second\n" in out
    trial, model = steps[1], steps[2]
    assert trial is steps[0] and all(other is model for other in steps[3:])
    assert not np.shares_memory(trial.flat_params, model.flat_params)


def test_the_bundled_images_take_no_longer_than_all_of_mnist():
    example = load_example("mnist_lstm")
    assert example.ON_BUNDLED["steps"] <= 0.9 * example.ON_MNIST["steps"]  # moving takes time, too
