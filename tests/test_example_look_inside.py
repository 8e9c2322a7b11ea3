"""The example that opens trained networks: it runs, and every picture is there."""

import re
from pathlib import Path

import pytest
from programs import EXAMPLES, load_example

pytest.importorskip("matplotlib", reason="pictures are an extra")

PICTURES = {
    "answer_to_a_digit.png", "answer_while_reading.png", "counting.png", "gate_saturation.png",
    "gates_gru.png", "gates_lstm.png", "gates_of_four_rows.png", "gates_rnn.png",
    "gradient_flow.png", "history_gru.png", "history_lstm.png", "history_rnn.png",
    "itemised_gradient.png", "saliency_of_a_digit.png", "saliency_of_a_text.png",
    "states_in_plane.png", "text_by_a_unit.png",
}  # fmt: skip
DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.long
def test_it_draws_everything_and_says_what_it_trained(run_example, tmp_path):
    said = run_example("look_inside", "--fast", "--out", tmp_path / "out")
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == PICTURES | {"film", "text_by_unit.html", "digits.html", "book.html"}
    assert (tmp_path / "out" / "film" / "film.gif").stat().st_size > 5000
    for part in (r"RNN: \d+% of", r"LSTM: \d+% of", r"GRU: \d+% of", r"nats a character"):
        assert re.search(part, said), said
    assert re.search(r"\d+ files in .*out, \d+\.\d s", said)


def test_help_explains_every_option(run_example, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_example("look_inside", "--help")
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--out FOLDER", "--fast", "--seed SEED"))
    text = (EXAMPLES / "look_inside.py").read_text(encoding="utf-8")
    assert "python examples/look_inside.py\n" in text


def test_the_strings_to_count_are_right():
    x, y, lengths, count = load_example("look_inside").a_n_b_n([1, 3])
    letters = ["".join("ab."[n] for n in row.argmax(axis=1)) for row in x]
    assert [letters[k][:n] for k, n in enumerate(lengths)] == ["ab", "aaabbb"]
    assert y[1].tolist() == [0, 0, 1, 1, 1, 2] and y[0, :2].tolist() == [1, 2]
    assert count[1].tolist() == [1, 2, 3, 2, 1, 0] and count[0, :2].tolist() == [1, 0]


def test_the_page_shows_what_the_example_draws_in_few_bytes():
    shown = set(re.findall(r"\(inside/(\w+\.png)\)", (DOCS / "inside.md").read_text("utf-8")))
    assert shown <= PICTURES and len(shown) >= 10
    files = list((DOCS / "inside").iterdir())
    assert {file.name for file in files} == shown
    assert sum(file.stat().st_size for file in files) < 600_000


def test_the_readme_opens_with_the_page_and_says_how_to_get_it():
    text = (DOCS.parent / "README.md").read_text("utf-8")
    title, picture, line, *_ = text.split("\n\n")
    assert title == "# rnnlite" and "](docs/page.png)" in picture
    assert "`python examples/mnist_lstm.py --explain digits.html`" in line
    content = (DOCS / "page.png").read_bytes()
    assert content[:4] == b"\x89PNG" and len(content) < 200_000
