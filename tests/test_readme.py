"""What the README and the pages under docs show is true."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
every_doc = pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
every_page = pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)


def python_blocks(page):
    """A page's programs, each with the number of its first line."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```python\n(.*?)^```", text, re.S | re.M):
        yield text[: found.start(1)].count("\n") + 1, found[1]


def run(page):
    """Run a page's blocks in their order; the names that are there in the end.

    The excerpt from a cell is no program; it is compared below.
    """
    names = {}
    for line, block in python_blocks(page):
        if "c_before" not in block:
            # Empty lines in front, so that a traceback shows the line of the page.
            exec(compile("\n" * (line - 1) + block, str(page), "exec"), names)
    return names


@pytest.mark.long
def test_the_tour_runs_as_it_stands():
    names = run(README)
    assert names["loss"] < 1.0
    assert names["accuracy"] > 0.7
    assert names["g"].dWx.shape == (3, 16)
    assert np.all(names["h"][1, 3:] == 0.0)


@every_doc
def test_every_block_of_a_page_runs_as_it_stands(page):
    run(page)


@every_doc
def test_every_block_of_a_page_asserts_what_it_claims(page):
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


def anchors(page):
    """Names by which a page's headings are linked."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@every_page
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert len(links) > 5
    for link in links:
        if not link.startswith("http"):
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link
