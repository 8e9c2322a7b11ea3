"""The lessons: their programs print and draw what the text shows, and say what they need."""

import re
from pathlib import Path

import numpy as np
import pytest
from pages import NUMBER, check_links, different, last_digit, run_and_compare

import rnnlite
from rnnlite import exercises

FOLDER = Path(__file__).parent.parent / "docs" / "lessons"
BENCHMARKS = FOLDER.parent.parent / "benchmarks" / "README.md"
LESSONS = sorted(FOLDER.glob("[0-9]_*.md"))
every_lesson = pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.stem)
TIMED = {"9_rates.png"}  # differs from machine to machine
# They train networks, or compile kernels of their own.
SLOW = dict.fromkeys("3456789", pytest.mark.long)
every_lesson_in_time = pytest.mark.parametrize(
    "page", [pytest.param(page, marks=SLOW.get(page.stem[0], ()), id=page.stem) for page in LESSONS]
)


@pytest.fixture
def drawing(tmp_path, monkeypatch):
    """A folder for blocks to run in and to draw into; afterwards the threads are as before."""
    matplotlib = pytest.importorskip("matplotlib", reason="lessons draw, matplotlib is missing")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    threads = rnnlite.get_num_threads()
    with matplotlib.rc_context({"savefig.dpi": 150}):
        yield tmp_path
    pyplot.close("all")
    rnnlite.set_num_threads(threads)


@every_lesson_in_time
def test_a_lesson_prints_and_draws_what_it_shows(page, drawing):
    run_and_compare(page)
    text = page.read_text(encoding="utf-8")
    drawn = re.findall(r'(?:savefig\(|path=)"(\w+\.png)"', text)
    assert sorted(drawn) == sorted(re.findall(r"\]\(pictures/(\w+\.png)\)", text))
    for name in drawn:
        assert (drawing / name).exists()
        if name in TIMED:
            continue
        apart = np.abs(thumbnail(drawing / name) - thumbnail(FOLDER / "pictures" / name))
        assert apart.mean() < 0.01, f"{name} is another picture: run make_lesson_pictures.py"


def thumbnail(file):
    """A picture as (48, 64) greys from 0 to 1."""
    from PIL import Image

    with Image.open(file) as picture:
        return np.asarray(picture.convert("L").resize((64, 48), Image.Resampling.BOX)) / 255


@every_lesson
def test_every_number_of_a_lessons_text_is_one_that_was_printed(page):
    assert not list(unfounded(page.read_text(encoding="utf-8")))


def unfounded(text):
    """Fractions and percentages in a page's text that no program has or prints.

    Nor the page of measurements, where the text links it.
    """
    linked = set()
    if "](../../benchmarks/README.md" in text:
        linked = set(NUMBER.findall(BENCHMARKS.read_text(encoding="utf-8")))
    programs = "".join(re.findall(r"^```(?:python|text)\n(.*?)^```", text, re.S | re.M))
    known = [float(number) for number in NUMBER.findall(programs)]
    said = re.sub(r"^```.*?^```|<!--.*?-->", "", text, flags=re.S | re.M)
    for number in re.findall(r"(?<![\w.])\d+\.\d+(?:e-?\d+)?(?!\w)|(?<![\w.])\d+ %", said):
        scale = 100 if number.endswith("%") else 1
        wanted, digit = float(number.rstrip(" %")), last_digit(number.rstrip(" %"))
        if number in linked:
            continue
        if not any(abs(scale * a - wanted) <= 0.5001 * digit for a in known):
            yield number


@every_lesson
def test_a_lesson_has_what_a_lesson_has(page):
    text = page.read_text(encoding="utf-8")
    title, needs = re.match(r"# (\d\. .+)\n\n\*(\d+) minutes\. .+\*\n", text).groups()
    row = rf"\| \[{re.escape(title)}\]\({page.name}\) \| {needs} \| .+ \|"
    assert re.search(row, (FOLDER / "README.md").read_text(encoding="utf-8"))
    assert 10 <= int(needs) <= 20
    assert text.count("**Predict: ") >= 3 and "](pictures/" in text
    folds = text.count("<details><summary>")
    assert folds == text.count("</details>") and text.count("<details") == folds
    end = text[text.index("\n## Exercises\n") :]
    assert "**One.**" in end and "**Two.**" in end
    named = re.findall(r"rnnlite\.exercises start (\w+)", end)
    assert named and set(named) <= set(exercises.names())


HOUR = (FOLDER / "README.md").read_text(encoding="utf-8")
HOUR = re.search(r"^## In an hour\n(.*?)^## ", HOUR, re.S | re.M)[1]
CAN_WAIT = "*[Can wait](README.md#in-an-hour).*"


def in_the_hour(text):
    """A lesson without what can wait, and without its exercises."""
    text, *_ = re.split(r"^\*The \[hour\]|^## Exercises$", text, flags=re.M)
    sections = re.split(r"^(?=## )", text, flags=re.M)
    return "".join(part for part in sections if CAN_WAIT not in part)


def test_the_parts_of_the_hour_are_an_hour():
    *parts, (last, together) = re.findall(r"^\| (.+) \| (\d+) \|$", HOUR, re.M)
    assert last == "together" and sum(int(minutes) for _, minutes in parts) == int(together) <= 60
    rows = [row for row, _ in parts if row.startswith("[lesson")]
    assert len(rows) == 4
    for row, page in zip(rows, LESSONS[:4], strict=True):
        read = re.findall(r"^## (.+)$", in_the_hour(page.read_text(encoding="utf-8")), re.M)
        assert page.name in row and read
        assert "to the end of" not in row or f"to the end of *{read[-1]}*" in row
    assert set(re.findall(r"exercise, `(\w+)`", HOUR)) == {"rnn_step", "latch"}


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=SLOW.get(p.stem[0], ()), id=p.stem) for p in LESSONS[:4]]
)
def test_nothing_in_the_hour_needs_what_can_wait(page, drawing):
    text = page.read_text(encoding="utf-8")
    short = drawing / page.name
    short.write_text(in_the_hour(text), encoding="utf-8")
    assert len(short.read_text(encoding="utf-8")) < 0.8 * len(text)
    assert text.count("Can wait]") == text.count(f"\n\n{CAN_WAIT}\n\n")  # below its heading
    run_and_compare(short)


@every_lesson
def test_the_mathematics_of_a_lesson_survives_markdown(page):
    # GitHub reads Markdown first: \, and }_ and a * would be taken for something else.  And it
    # finds formulas by the spaces before them.
    text = re.sub(r"^```.*?^```|`[^`\n]+`", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    displayed = re.findall(r"^\$\$\n?(.*?)\n?\$\$$", text, re.S | re.M)
    text = re.sub(r"^\$\$.*?\$\$$", "", text, flags=re.S | re.M)
    inline = re.findall(r"(?<![^ \n])\$(?! )([^$\n]+)(?<! )\$(?=[ \n.,:;?])", text)
    assert len(inline) == text.count("$") / 2 > 0
    for formula in displayed + inline:
        assert not re.search(r"\\[^A-Za-z]|[^A-Za-z0-9]_|[*<>]", formula), formula


@every_lesson
def test_the_code_of_a_fold_is_hidden_in_jupyter_too(page):
    """There a block is a cell of its own, which no fold of the text around it holds."""
    text = page.read_text(encoding="utf-8")
    folds = "".join(re.findall(r"<details>.*?</details>", text, re.S))
    hidden = 'python jupyter={"source_hidden": true}'
    assert folds.count("```python") == folds.count(f"```{hidden}\n") == text.count(hidden)


def unchecked(text):
    """Displayed equations without a program after them that checks a derivative."""
    parts = re.split(r"^\$\$(.*?)\$\$$", text, flags=re.S | re.M)
    for equation, after in zip(parts[1::2], parts[2::2], strict=True):
        programs = re.findall(r"^```python[^\n]*\n(.*?)^```", after, re.S | re.M)
        if not any(re.search(r"^ *check(_array)?\(", program, re.M) for program in programs[:1]):
            yield equation


@pytest.mark.parametrize(
    "page", [page for page in LESSONS if page.stem[0] in "24"], ids=lambda page: page.stem
)
def test_every_equation_of_a_derivation_has_its_own_gradient_check(page):
    text = page.read_text(encoding="utf-8")
    assert text.count("$$") > 20
    assert not list(unchecked(text))


def test_an_equation_that_is_not_checked_is_noticed():
    checked = "$$a$$\n\n```python\na = 1\ncheck('a', a)\n```\n"
    assert list(unchecked(checked + "\n$$b$$\n\n```python\nb = 1\n```\n\n" + checked)) == ["b"]
    assert list(unchecked("$$b$$\n" + checked)) == ["b"]


@pytest.mark.parametrize("page", [FOLDER / "README.md", *LESSONS], ids=lambda page: page.stem)
def test_every_link_of_a_lesson_leads_somewhere(page):
    check_links(page)


@pytest.mark.parametrize(
    ("shown", "printed", "within", "same"),
    [
        ("loss 0.25", "loss   0.25\n", 0, True),
        ("loss 0.25", "loss 0.26", 0, True),
        ("loss 0.25", "loss 0.27", 0, False),
        ("loss 0.25", "loss 0.29", 0.2, True),
        ("loss 0.25", "loss 0.40", 0.2, False),
        ("loss 0.25", "gain 0.25", 0.2, False),
        ("3 of 4", "2 of 4", 0.2, False),
        ("12.5 ms", "3.1 ms", np.inf, True),
        ("1.2e-07", "1.3e-07", 0, True),
        ("1.2e-07", "1.2e-06", 0, False),
        ("", "0.5", 0, False),
    ],
)
def test_what_is_printed_is_compared(shown, printed, within, same):
    assert (not different(shown, printed, within)) == same


def test_a_number_that_nothing_printed_is_noticed():
    page = "It is 0.25 or 62 %, not 0.4.\n\n```python\nx = 0.625\n```\n\n```text\n0.2512\n```\n"
    assert list(unfounded(page)) == ["0.4"]


def test_a_page_that_shows_another_number_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(0.5)\n```\n\n<!-- within 10 % -->\n```text\n0.7\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2: .* shows 0\.7"):
        run_and_compare(page)
