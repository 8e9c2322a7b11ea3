"""Checks of numbers at their limits."""

import pytest
from conftest import assert_refused

from rnnlite import checking


def test_the_largest_whole_number_is_that_of_an_index():
    assert checking.whole_number("f", "n", 2**63 - 1) == 2**63 - 1
    assert_refused(ValueError, ["f: n is above"], checking.whole_number, "f", "n", 2**63)


@pytest.mark.parametrize("value", [0, 2**63, 2**128, None])
def test_a_seed_may_be_any_whole_number(value):
    assert checking.seed("f", value) == value


def test_a_seed_below_zero_is_none():
    assert_refused(ValueError, ["f: seed is -1"], checking.seed, "f", -1)
