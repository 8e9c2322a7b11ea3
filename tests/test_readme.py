"""What the README shows is true."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parent.parent / "README.md"


def python_blocks():
    """The README's programs, without the excerpt from a cell, which is compared below."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    return [block for block in blocks if "c_before" not in block]


def test_the_tour_runs_as_it_stands():
    names = {}
    exec("\n".join(python_blocks()), names)
    assert names["loss"] < 1.0
    assert names["accuracy"] > 0.7
    assert names["g"].dWx.shape == (3, 16)
    assert np.all(names["h"][1, 3:] == 0.0)


def test_the_shown_equations_are_those_of_the_cell():
    text = README.read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(i = sigmoid.*?)```", text, re.S)
    cell = (README.parent / "rnnlite" / "cells" / "lstm.py").read_text(encoding="utf-8")
    written = [line.strip() for line in cell.splitlines()]
    for line in shown.splitlines():
        assert line in written


def test_every_link_leads_somewhere():
    links = re.findall(r"\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) > 5
    for link in links:
        if not link.startswith("http"):
            assert (README.parent / link).exists(), link
