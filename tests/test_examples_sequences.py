"""The examples of sequences: each runs, prints what it promises, and what it claims is so."""

import re

import numpy as np
import pytest
from conftest import needs_jit
from programs import EXAMPLES, load_example

import rnnlite
from rnnlite import datasets

NAMES = ("adding_problem", "char_lstm", "forecast", "one_to_sequence")


def number(pattern, text):
    """The number at the group of a pattern that occurs once."""
    (found,) = re.findall(pattern, text)
    return float(found)


# ---- all of them -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_help_explains_every_option(run_example, capsys, name):
    with pytest.raises(SystemExit) as stopped:
        run_example(name, "--help")
    assert stopped.value.code == 0
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    options = re.findall(r'\badd\(\s*"(--[\w-]+)"', text)
    shown = capsys.readouterr().out
    assert "--steps" in options and "--seed" in options
    assert all(f"  {option} " in shown for option in options)


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_shows_how_to_run_it(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    assert f"python examples/{name}.py\n" in text and f"python examples/{name}.py --help" in text


QUICK = {
    "adding_problem": ("--cell", "lstm", "--length", 5, "--hidden", 4),
    "char_lstm": ("--hidden", 4, "--length", 5),
    "forecast": ("--hidden", 4),
    "one_to_sequence": ("--hidden", 4),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_prints_the_same_and_another_one_not(run_example, name):
    first, again, other = (
        re.sub(r"\d+\.\d s", "", run_example(name, "--steps", 3, "--seed", seed, *QUICK[name]))
        for seed in (0, 0, 1)
    )
    assert first == again != other


# ---- adding problem ----------------------------------------------------------------------------


@needs_jit
def test_the_lstm_adds_numbers_and_says_so(run_example):
    out = run_example(
        "adding_problem", "--cell", "lstm", "--length", 10, "--steps", 500, "--hidden", 16
    )
    assert out.startswith("LSTM of 16 units, sequences of 10 steps\n")
    assert out.rstrip().endswith("0.1667 by a guess: solved")
    assert number(r"new sequences mean squared error ([\d.]+)", out) < 0.01


def test_untrained_networks_have_not_solved_it(run_example):
    out = run_example("adding_problem", "--length", 20, "--steps", 2, "--hidden", 4)
    assert out.count("not solved") == 2 and "LSTM of 4" in out and "RNN of 4" in out


# ---- characters --------------------------------------------------------------------------------


@pytest.mark.long
@needs_jit
def test_the_writer_learns_more_than_how_often_characters_occur(run_example):
    out = run_example("char_lstm", "--steps", 200, "--hidden", 24, "--lr", 0.02, "--length", 40)
    line = r"on the last tenth of the text: ([\d.]+) nats a character, [\d.]+ by frequency alone"
    guess = number(r"([\d.]+) by frequency alone", out)
    assert number(line, out) < guess - 0.5 and guess == 3.162
    written = out.split("frequency alone\n\n")[1].removesuffix("\n")
    assert written.startswith("Alice") and len(written) == 5 + 40
    assert set(written) <= set(datasets.sample_text())


def test_any_text_will_do_and_the_prompt_is_its_beginning(run_example, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(
        "съешь ещё этих мягких французских булок, да выпей чаю\n" * 60, encoding="utf-8"
    )
    out = run_example("char_lstm", "--text", path, "--steps", 3, "--hidden", 4, "--length", 10)
    assert "\nсъешь ещё этих мягки" in out
    out = run_example("char_lstm", "--text", path, "--steps", 3, "--prompt", "чай", "--length", 0)
    assert out.endswith("\nчай\n")


def test_temperature_zero_is_the_likeliest_character_always():
    example = load_example("char_lstm")
    data = datasets.text()
    writer = example.untrained(70, 4, seed=0)
    texts = [
        example.write(writer, data.vocabulary, "Al", 20, 0.0, np.random.default_rng(seed))
        for seed in (0, 1)
    ]
    assert texts[0] == texts[1] and len(texts[0]) == 22
    state, numbers = None, data.vocabulary.encode(texts[0])
    for k, number in enumerate(numbers[:-1]):
        logits, state = writer.step([number], state)
        assert k < 1 or logits[0].argmax() == numbers[k + 1]


def test_high_temperature_draws_from_the_softmax():
    example = load_example("char_lstm")
    words = datasets.Vocabulary("abc")
    writer = example.untrained(3, 2, seed=0)
    writer.model.flat_params[...] = 0.0
    writer.scores.params["b"][...] = np.log([0.2, 0.3, 0.5])
    text = example.write(writer, words, "a", 3000, 1.0, np.random.default_rng(0))
    shares = [text[1:].count(c) / 3000 for c in "abc"]
    np.testing.assert_allclose(shares, [0.2, 0.3, 0.5], atol=0.03)


def test_single_steps_are_the_same_as_reading_at_once():
    example = load_example("char_lstm")
    writer = example.untrained(9, 5, seed=0)
    text = np.random.default_rng(0).integers(0, 9, (2, 6))
    at_once, _ = writer(text, None)
    state = None
    for t in range(6):
        logits, state = writer.step(text[:, t], state)
        np.testing.assert_allclose(logits, at_once[:, t], rtol=1e-4, atol=1e-6)


def test_a_writer_is_kept_and_writes_and_explains_again(run_example, tmp_path):
    kept, page = tmp_path / "writer.npz", tmp_path / "writer.html"
    trained = run_example("char_lstm", "--steps", 3, *QUICK["char_lstm"], "--save", kept)
    again = run_example("char_lstm", "--load", kept, "--length", 5, "--explain", page)
    written = trained[trained.index("on the last tenth") :]
    assert again == f"{written}\nwrote {page}: open it in a browser\n"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--load", "w.npz", "--steps", 5), "argument --steps: not with --load"),
        (("--load", "w.npz", "--hidden", 5), "argument --hidden: not with --load"),
        (("--load", "w.npz", "--lr", 0.1), "argument --lr: not with --load"),
        (("--load", "w.npz", "--save", "v.npz"), "argument --save: not with --load"),
        (("--save", "w.html", "--explain", "w.html"), "w.html is the file of --save, too"),
        (("--text", "w.html", "--explain", "./w.html"), "w.html is the file of --text, too"),
        (("--text", "w.txt", "--save", "w.txt"), "w.txt is the file of --text, too"),
        (("--explain", "w.txt"), "argument --explain: 'w.txt' does not end with .html"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_options_that_contradict_each_other_are_refused(
    run_example, capsys, monkeypatch, tmp_path, arguments, words
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run_example("char_lstm", *arguments)
    shown = capsys.readouterr()
    assert stopped.value.code == 2 and words in shown.err and shown.out == ""


def test_a_file_that_holds_no_writer_is_refused(run_example, tmp_path):
    def told(*arguments):
        with pytest.raises(SystemExit) as stopped:
            run_example("char_lstm", *arguments)
        assert stopped.value.code.startswith("char_lstm.py: ") and "\n" not in stopped.value.code
        return stopped.value.code

    path, text = tmp_path / "model.npz", tmp_path / "text.txt"
    assert str(path) in told("--load", path)
    path.write_text("something else")
    assert "rnnlite did not write it" in told("--load", path)
    rnnlite.save(rnnlite.Dense(3, 4, seed=0), path)
    assert "holds Dense(3, 4); wanted a file of --save" in told("--load", path)
    writer = load_example("char_lstm").untrained(70, 4, seed=0)
    rnnlite.save(writer.model, path)
    text.write_text("abc " * 1000)
    assert "knows 70 characters, the text has 4 different" in told("--load", path, "--text", text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--text", "/nonexistent"), "there is no file"),
        (("--prompt", "日"), "'日' (U+65E5)"),
    ],
)
def test_the_writer_refuses_in_one_line(run_example, arguments, words):
    with pytest.raises(SystemExit) as stopped:
        run_example("char_lstm", *arguments)
    assert stopped.value.code.startswith("char_lstm.py: ") and words in stopped.value.code
    assert "\n" not in stopped.value.code


# ---- forecasts ---------------------------------------------------------------------------------


def forecast_errors(out):
    rows = re.findall(r"^  (\S.*?) +([\d.e+-]+)$", out, re.M)
    return {name: float(error) for name, error in rows}


@needs_jit
def test_the_lstm_forecasts_better_than_both_free_forecasts(run_example):
    out = run_example("forecast", "--steps", 500, "--hidden", 32)
    errors = forecast_errors(out)
    assert list(errors) == ["LSTM", "last value again", "24 rows before"]
    assert errors["LSTM"] < 0.8 * min(errors["last value again"], errors["24 rows before"])


def test_free_forecasts_are_what_their_names_say():
    example = load_example("forecast")
    series = np.random.default_rng(0).normal(size=(200, 2))
    data = datasets.time_series(series, window=9, horizon=5, target=0)
    errors = example.errors(data, data.test.y, season=3)
    starts = np.arange(170, 196)
    truth = series[starts[:, None] + np.arange(5), 0]
    last = series[starts - 1, 0][:, None]
    before = series[starts[:, None] + np.array([-3, -2, -1, -3, -2]), 0]  # what is known by then
    assert errors["LSTM"] == 0.0
    assert errors["last value again"] == pytest.approx(np.mean((last - truth) ** 2), rel=1e-5)
    assert errors["3 rows before"] == pytest.approx(np.mean((before - truth) ** 2), rel=1e-5)


def test_a_level_never_seen_is_no_news_to_the_forecast():
    example = load_example("forecast")
    model = rnnlite.Sequential([rnnlite.LSTM(1, 4, seed=0), rnnlite.Dense(4, 2, seed=0)])
    x = np.random.default_rng(0).normal(size=(3, 6, 1)).astype(np.float32)
    low, high = (example.forecast(model, x + level, 0) for level in (0, 50))
    np.testing.assert_allclose(high, low + 50, rtol=1e-4)


@pytest.fixture
def csv_file(tmp_path):
    for library in "pandas", "narwhals":
        pytest.importorskip(library, reason="the example reads a file by pandas and narwhals")

    def write(text):
        path = tmp_path / "tide.csv"
        path.write_text(text)
        return path

    return write


TIDE = "day,level,wind\n" + "\n".join(
    f"day {k},{np.sin(k / 2):.4f},{np.cos(k / 5):.4f}" for k in range(300)
)


def test_a_csv_file_is_forecast(run_example, csv_file):
    out = run_example(
        "forecast", "--csv", csv_file(TIDE), "--target", "level", "--window", 15, "--season", 13,
        "--horizon", 4, "--steps", 5, "--hidden", 4, "--columns", "level", "wind",
    )  # fmt: skip
    assert "15 rows seen, 4 forecast" in out and "13 rows before" in forecast_errors(out)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TIDE, "column 'day' holds String, not numbers"),
        ("a,b\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
        ("", "No columns to parse"),
        ("level\n1\n\n2\n#N/A\n4", "row 2, column 'level' has no value"),
        ('sales\n"1,234"\n7', "column 'sales' holds String"),
    ],
)
def test_a_csv_file_that_is_no_table_of_numbers_is_refused(run_example, csv_file, text, words):
    with pytest.raises(SystemExit) as stopped:
        run_example("forecast", "--csv", csv_file(text), "--window", 1, "--horizon", 1)
    assert stopped.value.code.startswith("forecast.py: ") and words in stopped.value.code
    assert "\n" not in stopped.value.code


def test_a_file_without_pandas_says_what_to_install(run_example, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    program = load_example("forecast")
    monkeypatch.setattr("sys.argv", ["forecast.py", "--csv", "tide.csv"])
    with pytest.raises(SystemExit):
        program.main()
    assert "--csv needs pandas and narwhals: pip install pandas narwhals" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--target", "level"), "target names 'level'"),
        (("--target", "rain"), "target names 'rain'"),
        (("--window", 5), "--season is 24; wanted 1 to 5, the --window"),
    ],
)
def test_the_forecast_refuses_in_one_line(run_example, arguments, words):
    with pytest.raises(SystemExit) as stopped:
        run_example("forecast", *arguments)
    assert stopped.value.code.startswith("forecast.py: ") and words in stopped.value.code
    assert "\n" not in stopped.value.code


# ---- drawing digits ----------------------------------------------------------------------------


@needs_jit
@pytest.mark.long
def test_the_drawings_are_better_than_the_mean_image(run_example):
    out = run_example("one_to_sequence", "--steps", 600, "--hidden", 48, "--lr", 0.015)
    line = r"on 1,000 test images: ([\d.]+) nats a pixel, [\d.]+ by the mean image"
    guess = number(r"([\d.]+) by the mean image", out)
    assert number(line, out) < guess and guess == 0.2258


def test_lean_width_and_ink_are_measured():
    example = load_example("one_to_sequence")
    upright = np.zeros((28, 28), np.float32)
    upright[4:24, 13:15] = 1.0
    # Right at the top: half a pixel for each row.
    leaning = np.stack([np.roll(row, round((13.5 - k) / 2)) for k, row in enumerate(upright)])
    lean, width, ink = example.manner(np.stack([upright, leaning, leaning[:, ::-1], upright / 2])).T
    np.testing.assert_allclose(lean, [0, 0.5, -0.5, 0], atol=0.02)
    np.testing.assert_allclose(ink, [40, 40, 40, 20])
    np.testing.assert_allclose(width[[0, 3]], 0.5, rtol=1e-4)
    assert width[1] == pytest.approx(width[2], rel=1e-3) and width[1] > 2


def test_every_step_sees_the_same_vector():
    x = load_example("one_to_sequence").vectors(np.array([3, 0]), np.ones((2, 3), np.float32))
    assert x.shape == (2, 28, 13) and x.dtype == np.float32
    assert (x == x[:, :1]).all() and x[0, 0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1]


# ---- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["forecast", "one_to_sequence"])
def test_a_picture_is_drawn(run_example, tmp_path, name):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    path = tmp_path / "picture.png"
    run_example(name, "--steps", 1, "--plot", path, *QUICK[name])
    assert path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size > 5000
