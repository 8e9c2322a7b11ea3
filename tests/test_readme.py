"""What the README and the pages under docs show is true."""

import codeop
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pages import check_links, python_blocks, run

import rnnlite
from rnnlite import datasets
from rnnlite.datasets import images

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
every_doc = pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
NEEDS = {
    "deploy.md": ("onnx", "onnxruntime"),
    "how_to_tables.md": ("narwhals", "pandas", "matplotlib"),
}
# They train networks; one draws a dozen pictures, too.
TRAIN = ("index.md", "bfloat16.md", "inside.md", "shapes_of_use.md", "tasks.md")
SLOW = dict.fromkeys((*TRAIN, *NEEDS), pytest.mark.long)
every_doc_in_time = pytest.mark.parametrize(
    "page", [pytest.param(page, marks=SLOW.get(page.name, ()), id=page.name) for page in DOCS]
)
every_page = pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)


def check_tour(after):
    """What the text between the README's blocks says of their results."""
    assert after[0]["g"].dWx.shape == (3, 16)
    assert np.all(after[0]["h"][1, 3:] == 0.0)
    np.testing.assert_allclose(after[2]["h"], after[0]["cache"].h[:, 0])
    tour = next(names for names in after if "answers" in names)
    assert tour["padded"].shape == (4, 7, 3) and tour["lengths"].tolist() == [7, 2, 0, 5]
    behind = np.arange(7) >= tour["lengths"][:, None]
    assert np.all(tour["answers"][behind] == 0.0) and np.all(tour["answers"][~behind] != 0.0)
    assert after[-1]["report"].passed


@pytest.mark.long
def test_the_tour_runs_as_it_stands():
    after = run(README)
    check_tour(after)
    assert after[-1]["loss"] < 1.0
    assert after[-1]["accuracy"] > 0.7
    assert after[-1]["history"]["step"] == [28, 56]  # the steps of the schedule


def test_the_blocks_of_the_tour_follow_one_another(monkeypatch):
    data = datasets.mnist_5k(validation=500)
    few = images.MNIST(*(images.Split(*(array[:32] for array in part)) for part in data))
    monkeypatch.setattr(datasets, "mnist_5k", lambda validation: few)
    monkeypatch.setattr(rnnlite, "custom_cell", partial(rnnlite.custom_cell, compiled=False))
    small = {"range(100)": "range(2)", "128": "8"}
    blocks = "".join(block for _, block in python_blocks(README))
    assert all(text in blocks for text in small)
    pattern = re.compile("|".join(map(re.escape, small)))
    check_tour(run(README, lambda block: pattern.sub(lambda found: small[found[0]], block)))


def test_every_block_of_the_tour_can_be_pasted_into_a_console():
    # Which ends an indented block at an empty line, and only there.
    for line, block in python_blocks(README):
        console, typed = codeop.CommandCompiler(), []
        for text in [*block.splitlines(), ""]:
            typed.append(text)
            try:
                if console("\n".join(typed), symbol="single") is not None:
                    typed = []
            except SyntaxError as error:
                raise AssertionError(f"line {line}: {error}") from error
        assert not any(typed), f"the block at line {line} does not end"


def test_the_test_images_are_kept_for_the_test():
    text = README.read_text(encoding="utf-8")
    assert "validation=data.validation" in text and not re.search(r"validation=\W*data\.test", text)


@every_doc_in_time
def test_every_block_of_a_page_runs_as_it_stands(page):
    for library in NEEDS.get(page.name, ()):
        pytest.importorskip(library, reason=f"{page.name} shows {library}, which is not installed")
    run(page)


@every_doc
def test_every_block_of_a_page_asserts_what_it_claims(page):
    # A list, which test_mistakes.py compares; the front page, a first look; a page of one frame.
    if page.name in ("mistakes.md", "index.md", "running_network.md"):
        return
    _, *blocks = python_blocks(page)  # the first one names what the others use
    assert blocks
    for line, block in blocks:
        assert re.search(r"^ *assert ", block, re.M), f"{page.name}:{line} asserts nothing"


def test_a_block_that_is_wrong_is_noticed_and_its_line_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n\n```python\na = 1\n```\n\n```python\nassert a == 2\n```\n")
    with pytest.raises(AssertionError) as raised:
        run(page)
    assert raised.traceback[-1].lineno + 1 == 8


def test_the_shown_equations_are_those_of_the_cell():
    text = README.read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(i = sigmoid.*?)```", text, re.S)
    cell = (ROOT / "rnnlite" / "cells" / "lstm.py").read_text(encoding="utf-8")
    written = [line.strip() for line in cell.splitlines()]
    for line in shown.splitlines():
        assert line in written


@every_page
def test_every_link_leads_somewhere(page):
    check_links(page)
