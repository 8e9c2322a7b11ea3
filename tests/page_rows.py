"""The rows of the tables in docs/coming_from.md, for the tests that execute each of them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "coming_from.md"


def rows_under(heading):
    """First cell to second cell of every row of two or three columns, below a heading."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    section = section.partition("\n## ")[0]
    found = {}
    for line in re.findall(r"^\|(.+)\|$", section, re.M):
        cells = [cell.strip() for cell in line.split("|")]
        if set(cells[0]) - set("- ") and cells[-1] != "rnnlite":  # neither a rule nor a head
            assert cells[0] not in found
            found[cells[0]] = cells[1:]
    return found


def code_in(cell):
    """What stands between backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


class Rows:
    """Checks by the first cell of the row that they execute."""

    def __init__(self, heading):
        self.heading, self.checks = heading, {}

    def __call__(self, *first_cells):
        def register(check):
            for cell in first_cells:
                assert cell not in self.checks
                self.checks[cell] = check
            return check

        return register

    def every_row(self):
        """Parameters of a test: first cell, the other cells."""
        found = rows_under(self.heading)
        return pytest.mark.parametrize(("first", "others"), found.items(), ids=list(found))

    def run(self, first, others):
        """Execute one row; a row without a check, or a check without a row, is an error."""
        assert first in self.checks, f"no test executes the row {first!r} of {PAGE.name}"
        self.checks[first](first, *others)

    def left_over(self):
        """Checks whose row is gone."""
        return self.checks.keys() - rows_under(self.heading).keys()
