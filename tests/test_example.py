"""The example that people run first: what it prints, what it learns, how it refuses."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rnnlite
from rnnlite.cache_folder import cache_folder

ROOT = Path(rnnlite.__file__).resolve().parents[1]
SCRIPT = Path(__file__).parents[1] / "examples" / "mnist_lstm.py"
NUMBER = r"(\d+\.\d+)"


def environment(cache, *path, **variables):
    """Environment of a run: nothing of the caller's settings, modules of ``path`` first.

    The kernels are those that this process uses, the data those in the folder ``cache``.
    """
    compiled = cache_folder() / "kernels"
    compiled.mkdir(parents=True, exist_ok=True)
    if not (cache / "kernels").exists():
        shutil.copytree(compiled, cache / "kernels")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RNNLITE_", "NUMBA_", "PYTHONWARNINGS"))
    }
    modules = os.pathsep.join(map(str, (*path, ROOT)))
    return inherited | {"PYTHONPATH": modules, "RNNLITE_CACHE": str(cache)} | variables


def run(cache, *arguments, path=(), **variables):
    """Run the example as people do; the finished process."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), *map(str, arguments)],
        env=environment(cache, *path, **variables),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def small(run_example):
    """Lines of a short run on the bundled images, in this process."""

    def call(*arguments, steps=30):
        length = ("--steps", steps) if steps else ()
        options = ("--data", "bundled", *length, "--hidden", 16, *arguments)
        return run_example("mnist_lstm", *options).splitlines()

    return call


def progress(lines):
    """Step, number of steps, loss and accuracy of each line of progress."""
    pattern = rf"step +(\d+)/(\d+) \[#* *\] loss {NUMBER}  accuracy {NUMBER}"
    found = [re.fullmatch(pattern, line) for line in lines if line.startswith("step")]
    return [(int(m[1]), int(m[2]), float(m[3]), float(m[4])) for m in found]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """What the short run prints, in a process of its own."""
    options = ("--data", "bundled", "--steps", 30, "--hidden", 16)
    done = run(tmp_path_factory.mktemp("cache"), *options)
    assert done.returncode == 0, done.stderr
    assert all("compiling kernels" in line for line in done.stderr.splitlines()), done.stderr
    return done.stdout.splitlines()


# ---- what it prints ------------------------------------------------------------------------


def test_it_prints_a_line_every_ten_steps_with_step_loss_and_accuracy(lines):
    shown = progress(lines)
    assert [(step, steps) for step, steps, *_ in shown] == [(10, 30), (20, 30), (30, 30)]
    assert all(0.0 < loss < 3.0 and 0.0 <= share <= 1.0 for *_, loss, share in shown)


def test_it_begins_with_what_it_trains_on_what(lines):
    # 4 * 16 * (28 + 16 + 1) of the LSTM, 17 * 10 of the scores
    assert lines[0].startswith("LSTM of 16 units, 3,050 parameters; 4,000 training images")
    assert "30 steps of 128 images" in lines[0]


def test_products_of_bfloat16_numbers_are_told_and_change_the_loss_a_little(small, lines):
    told = small("--compute", "bfloat16")
    assert ", products of bfloat16 numbers; 4,000 training images" in told[0]
    (*_, rounded, _), (*_, loss, _) = progress(told)[-1], progress(lines)[-1]
    assert 0 < abs(rounded - loss) < 0.05


def test_it_ends_with_seconds_speed_and_both_accuracies(lines):
    assert len(lines) == 1 + 3 + 4
    speed, first, everything = lines[-4:-1]
    assert re.fullmatch(rf"trained in {NUMBER} s, [\d,]+ images a second", speed)
    accuracies = [
        re.fullmatch(rf"accuracy on {which} test images: {NUMBER}", line)
        for which, line in (("the first 128", first), ("all 1,000", everything))
    ]
    assert all(0.0 <= float(found[1]) <= 1.0 for found in accuracies)


def test_the_last_line_says_that_there_is_a_page_and_with_the_option_that_it_was_written(
    small, lines, tmp_path
):
    assert lines[-1].startswith("to see inside: --explain digits.html writes a page")
    path = tmp_path / "digits.html"
    told = small("--explain", path)
    assert without_times(told)[:-1] == without_times(lines)[:-1]
    assert told[-1] == f"wrote {path}: open it in a browser"
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and 'id="data"' in page


def test_the_last_step_is_shown_even_if_it_is_no_tenth(small):
    assert [step for step, *_ in progress(small(steps=12))] == [10, 12]
    assert [step for step, *_ in progress(small(steps=3))] == [3]


@pytest.mark.long
def test_on_a_terminal_a_bar_moves_instead(tmp_path):
    pytest.importorskip("tqdm", reason="the bar is tqdm's")
    pty = pytest.importorskip("pty", reason="no terminals to make here")
    leader, terminal = pty.openpty()
    pytest.importorskip("termios").tcsetwinsize(terminal, (24, 100))
    done = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--data", "bundled", "--steps", "20", "--hidden", "16"],
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=terminal, text=True,
    )  # fmt: skip
    os.close(terminal)
    shown = bytearray()
    while True:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    out, _ = done.communicate(timeout=300)
    assert done.returncode == 0
    assert b"20/20" in shown and b"loss" in shown and b"accuracy" in shown
    assert progress(out.splitlines()) == [] and len(out.splitlines()) == 1 + 4


# ---- what it learns ------------------------------------------------------------------------


def test_the_loss_falls(lines):
    losses = [loss for *_, loss, _ in progress(lines)]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1]


@pytest.mark.parametrize(
    ("cell", "parameters"), [("lstm", "3,050"), ("gru", "2,378"), ("rnn", "890")]
)
def test_it_learns_to_tell_digits_apart(small, cell, parameters):
    lines = small("--cell", cell, "--lr", 0.01, "--shift", 0, steps=250)
    assert lines[0].startswith(f"{cell.upper()} of 16 units, {parameters} parameters")
    losses = [loss for *_, loss, _ in progress(lines)]
    assert losses[-1] < 0.7 * losses[0]
    assert float(lines[-2].split()[-1]) > 0.5


def test_epochs_are_passes_over_the_training_images(small):
    lines = small("--epochs", 0.5, "--batch-size", 100, steps=None)
    assert "20 steps of 100 images" in lines[0]  # half of 4,000
    assert [(step, steps) for step, steps, *_ in progress(lines)] == [(10, 20), (20, 20)]


def test_a_batch_may_be_larger_than_the_data(small):
    assert "1 steps of 4500 images" in small("--batch-size", 4500, steps=1)[0]


# ---- the same again ------------------------------------------------------------------------


def without_times(lines):
    return [re.sub(r"; \d+ threads", "", line) for line in lines if "trained in" not in line]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_prints_the_same_at_any_number_of_threads(small, lines, threads):
    again = small("--threads", threads)
    assert f"; {threads} threads" in again[0]
    assert without_times(again) == without_times(lines)


def test_another_seed_prints_other_losses(small, lines):
    assert progress(small("--seed", 1)) != progress(lines)


def test_another_seed_begins_with_other_weights(small):
    # The first loss, over all images at once: their order does not matter.
    losses = [
        progress(small("--batch-size", 4000, "--shift", 0, "--seed", seed, steps=1))[0][2]
        for seed in (0, 1)
    ]
    assert losses[0] != losses[1]


# ---- its command line ------------------------------------------------------------------------

OPTIONS = (
    "--cell", "--hidden", "--batch-size", "--steps", "--epochs", "--lr", "--forget-bias",
    "--shift", "--seed", "--data", "--threads", "--compute", "--explain",
)  # fmt: skip


def test_help_explains_every_option_and_its_default(run_example, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stopped:
        run_example("mnist_lstm", "--help")
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    explained = {line.split()[0]: line for line in shown.splitlines() if line.startswith("  --")}
    assert set(explained) == set(OPTIONS)
    assert len(shown.split("options:")[1].split("  --")) == 1 + len(OPTIONS)
    help_text = " ".join(shown.split())
    for option, default in (("--hidden", "128"), ("--lr", "0.001"), ("--data", "auto")):
        explanation = help_text.split("options:")[1].split(option, 1)[1].split(" --")[0]
        assert f"(default: {default})" in explanation, option


def test_the_parser_knows_no_option_that_is_not_tested_here():
    named = re.findall(r'add_argument\(\s*"(--[\w-]+)"', SCRIPT.read_text(encoding="utf-8"))
    assert sorted(named) == sorted(OPTIONS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--steps", "0"), ("--steps", "-3"), ("--steps", "1.5"), ("--epochs", "0"),
        ("--epochs", "nan"), ("--epochs", "inf"), ("--hidden", "-1"), ("--hidden", "0"),
        ("--batch-size", "0"), ("--threads", "0"), ("--shift", "-1"), ("--lr", "-1"),
        ("--lr", "nan"), ("--lr", "inf"), ("--seed", "-1"), ("--forget-bias", "nan"),
        ("--cell", "gru7"), ("--data", "/nonexistent"), ("--data", str(SCRIPT)),
        ("--epochs", "1", "--steps", "3"), ("--hiden", "5"),
        ("--forget-bias", "2", "--cell", "gru"), ("--explain", "page.txt"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_bad_value_is_refused_in_one_line(run_example, capsys, arguments):
    rest = () if "--data" in arguments else ("--data", "bundled")
    told = refusal(run_example, capsys, *rest, *arguments)
    assert arguments[0] in told or arguments[1] in told


def test_a_folder_with_other_files_is_refused_in_one_line(run_example, capsys, tmp_path):
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / f"{name}-ubyte").write_bytes(b"something else")
    told = refusal(run_example, capsys, "--data", tmp_path)
    assert "train-images-idx3-ubyte" in told


def refusal(run_example, capsys, *arguments):
    """The one line in which the example refuses its arguments."""
    with pytest.raises(SystemExit) as stopped:
        run_example("mnist_lstm", *arguments)
    shown = capsys.readouterr()
    message = stopped.value.code if isinstance(stopped.value.code, str) else shown.err
    told = [line for line in message.splitlines() if not line.startswith(("usage: ", "  "))]
    assert len(told) == 1 and told[0].startswith("mnist_lstm.py: ") and shown.out == ""
    return told[0]


# ---- without MNIST -----------------------------------------------------------------------------

NO_NETWORK = """
import socket

def no_network(*arguments, **options):
    raise socket.gaierror("there is no network in this test")

socket.getaddrinfo = socket.gethostbyname = socket.create_connection = no_network
socket.socket.connect = socket.socket.connect_ex = no_network
"""
NO_POOCH = """
raise ModuleNotFoundError("No module named 'pooch'", name="pooch")
"""


@pytest.mark.quick(every=2)
@pytest.mark.parametrize(
    "modules",
    [{"sitecustomize": NO_NETWORK}, {"sitecustomize": NO_NETWORK, "pooch": NO_POOCH}],
    ids=["no network", "no pooch either"],
)
def test_without_network_it_says_so_in_one_line_and_uses_the_bundled_images(tmp_path, modules):
    folder = tmp_path / "modules"
    folder.mkdir()
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    empty = tmp_path / "cache"
    empty.mkdir()
    done = run(empty, "--steps", 10, "--hidden", 16, path=[folder])
    assert done.returncode == 0, done.stderr
    told, trained, *rest = done.stdout.splitlines()
    assert "MNIST" in told and told.endswith("Using the 5,000 bundled images instead.")
    assert "4,000 training images" in trained and len(rest) == 1 + 4
    assert re.search(r"; this takes about \d+ s$", trained)
    assert not any("MNIST" in line for line in [*rest, *done.stderr.splitlines()])
    assert all("compiling kernels" in line for line in done.stderr.splitlines())
    assert not list((empty / "mnist").glob("*"))


def test_the_stand_in_for_a_missing_network_works(tmp_path):
    # Else the test above would pass with MNIST downloaded, or wait for it.
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    script = "import urllib.request as r; r.urlopen('http://127.0.0.1:9/')"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(tmp_path, tmp_path),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0 and "there is no network in this test" in done.stderr
