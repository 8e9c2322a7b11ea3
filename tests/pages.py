"""Pages whose programs are run: their blocks, what these print, their headings."""

import contextlib
import importlib.util
import io
import math
import os
import re
from typing import NamedTuple

import pytest

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w]|\.\d)")
ANY = math.inf  # what is printed differs from machine to machine


class Block(NamedTuple):
    """A program on a page, and what the page says that it prints."""

    line: int  # of its first line
    code: str
    output: str | None  # the ```text that follows, before the next program
    within: float  # relative difference that its numbers may have


def python_blocks(page):
    """A page's programs, each with the number of its first line."""
    for block in blocks(page):
        yield block.line, block.code


def blocks(page):
    """A page's programs with their output.

    In front of the output may stand ``<!-- within 20 % -->``, where networks were trained and the
    last bits differ from machine to machine, or ``<!-- yours differ -->``, where time is measured.
    """
    text = page.read_text(encoding="utf-8")
    found = list(re.finditer(r"^```python[^\n]*\n(.*?)^```", text, re.S | re.M))
    for n, block in enumerate(found):
        after = text[block.end() : found[n + 1].start() if n + 1 < len(found) else len(text)]
        output = re.search(r"(?:^<!-- ([^>]*) -->\n)?^```text\n(.*?)^```", after, re.S | re.M)
        line = text[: block.start(1)].count("\n") + 1
        remark, shown = output.groups() if output else (None, None)
        yield Block(line, block[1], shown, _within(remark))


def _within(remark):
    if remark is None:
        return 0.0
    percent = re.fullmatch(r"within (\d+) %", remark)
    assert percent or remark == "yours differ", f"<!-- {remark} --> is not known"
    return int(percent[1]) / 100 if percent else ANY


def run(page, change=lambda block: block):
    """Run a page's blocks in their order; the names that are there after each."""
    names, after = notebook(), []
    for line, block in python_blocks(page):
        execute(page, line, change(block), names)
        after.append(dict(names))
    return after


def notebook():
    """The names that are there before the first block, as in a notebook."""
    return {"__name__": "__main__"}


def execute(page, line, code, names):
    """Run a block; empty lines in front, so that a traceback shows the line of the page."""
    exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)


def run_and_compare(page):
    """Run a page's blocks in their order, and compare what each prints with what is shown."""
    names = notebook()
    for block in blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            execute(page, block.line, block.code, names)
        difference = different(block.output or "", printed.getvalue(), block.within)
        assert not difference, f"{page.name}:{block.line}: {difference}"
    return names


def different(shown, printed, within=0.0):
    """How two texts differ, or an empty text.  Spaces do not count, nor does a number's last digit.

    A number with a fraction may be one unit of its last shown digit off, since it was rounded; and
    every number may be ``within`` of itself.
    """
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return f"the page shows\n{shown}\nand it prints\n{printed}"
    for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        rounded = last_digit(a) if "." in a or "e" in a else 0
        allowed = 1.001 * rounded + (ANY if within == ANY else within * abs(float(a)))
        if abs(float(a) - float(b)) > allowed:
            return f"the page shows {a}, and it prints {b}"
    return ""


def last_digit(number):
    """One unit of a number's last digit: of "0.25" 0.01, of "3.1e-4" 0.1e-4."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def anchors(page):
    """Names by which a page's headings are linked."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def check_links(page):
    """Every link of a page leads somewhere."""
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert links
    for link in links:
        if not link.startswith("http"):
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def needs(module):
    """Skip where a part of the extra "docs" is missing, unless ``RNNLITE_SITE`` demands it."""
    if importlib.util.find_spec(module) is None:
        reason = f"{module} is not installed: pip install -e '.[docs]'"
        assert not os.environ.get("RNNLITE_SITE"), reason
        pytest.skip(reason)
