"""Sequences of different length become one array."""

import numpy as np
import pytest
from conftest import assert_refused

from rnnlite import pad
from rnnlite.padding import are_ragged, as_array


@pytest.mark.parametrize(
    ("sequences", "wanted", "dtype", "lengths"),
    [
        ([[1, 2], [3]], [[1, 2], [3, 0]], np.int64, [2, 1]),
        ([[[1.5, 2.0]], []], [[[1.5, 2.0]], [[0.0, 0.0]]], np.float64, [1, 0]),
        ([np.ones((2, 1), "f")], [[[1.0], [1.0]]], np.float32, [2]),
        ([np.ones((1, 1), "f"), np.ones((2, 1))], [[[1], [0]], [[1], [1]]], np.float64, [1, 2]),
        ([[1, 2], [0.5]], [[1.0, 2.0], [0.5, 0.0]], np.float64, [2, 1]),
        ([[], []], [[0.0], [0.0]], np.float64, [0, 0]),
        ([[True], [False, True]], [[1, 0], [0, 1]], np.float32, [1, 2]),
    ],
)
def test_rows_stand_at_the_front_and_zeros_behind(sequences, wanted, dtype, lengths):
    x, their_lengths = pad(sequences)
    np.testing.assert_array_equal(x, wanted)
    np.testing.assert_array_equal(their_lengths, lengths)
    assert x.dtype == dtype and their_lengths.dtype == np.int64


def test_length_value_and_dtype_may_be_asked_for():
    x, lengths = pad([[1, 2], [3]], length=3, value=-1, dtype="float32")
    assert x.dtype == np.float32 and x.tolist() == [[1, 2, -1], [3, -1, -1]]
    assert lengths.tolist() == [2, 1]
    assert pad([[1, 2], [3]], length=2)[0].tolist() == [[1, 2], [3, 0]], "the longest just fits"


def test_what_cannot_be_one_array_is_refused_by_name():
    for sequences, fragments in [
        ([], ["pad: sequences is empty"]),
        (3, ["pad: sequences is 3"]),
        ([[1, 2], 3], ["pad: sequences[1] has shape (); wanted (steps), as the others"]),
        ([np.ones((2, 3)), np.ones((2, 4))], ["sequences[1] has shape (2, 4); wanted (steps, 3)"]),
    ]:
        assert_refused(ValueError if sequences != 3 else TypeError, fragments, pad, sequences)
    assert_refused(TypeError, ["sequences[0] holds"], pad, [["a"]])
    assert_refused(ValueError, ["length is 1; sequences[0] has 2 steps"], pad, [[1, 2]], length=1)


def test_what_is_ragged():
    assert are_ragged([[1], [1, 2]]) and are_ragged((np.ones((2, 3)), np.ones((1, 3))))
    assert are_ragged([[[1.0]], []])
    for other in ([[1], [2]], [1, 2], np.ones((2, 3)), [], [[1], 2], "ab", ["a", "bc"], None):
        assert not are_ragged(other), other


def test_a_ragged_list_gets_zeros_behind():
    x, lengths = as_array("fit", "x", [[1], [1, 2]], None)
    assert x.tolist() == [[1, 0], [1, 2]] and lengths.tolist() == [1, 2]
