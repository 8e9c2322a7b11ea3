"""The checks that many tests share notice what they look for."""

import pytest
from conftest import assert_allocates_little


@pytest.mark.long
def test_a_step_that_takes_or_keeps_memory_is_noticed():
    kept = []
    for step in (lambda: bytes(50_000), lambda: kept.append(bytes(2_000))):
        with pytest.raises(AssertionError):
            assert_allocates_little(step, 10_000)
    assert_allocates_little(lambda: bytes(5_000), 10_000)
