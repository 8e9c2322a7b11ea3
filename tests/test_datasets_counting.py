"""a^n b^n and a^n b^n c^n, against a second description: all strings, and what may follow each."""

import numpy as np
import pytest
from conftest import assert_refused
from drawn import uniform

from rnnlite import datasets

LANGUAGES = {"anbn": (datasets.anbn, "ab"), "anbncn": (datasets.anbncn, "abc")}
both = pytest.mark.parametrize(("make", "letters"), LANGUAGES.values(), ids=LANGUAGES.keys())


@both
def test_every_string_is_in_the_language_and_each_length_is_as_likely(make, letters):
    data = make(4000, largest=9, seed=0, smallest=2)
    counts = []
    for string in data.strings():
        n = string.count("a")
        assert string == "".join(letter * n for letter in letters)
        counts.append(n)
    assert uniform(counts, 2, 9)
    np.testing.assert_array_equal(data.lengths, len(letters) * np.array(counts) + 1)


@both
def test_legal_symbols_are_those_with_which_some_string_goes_on(make, letters):
    # By search: a prefix may be followed by what some string of the language puts there.
    language = ["".join(letter * n for letter in letters) + "T" for n in range(12)]
    data = make(None, smallest=0, largest=5)
    assert data.strings() == [word[:-1] for word in language[:6]]
    for k, word in enumerate(data.strings()):
        for t in range(len(word) + 1):
            follow = {other[t] for other in language if other.startswith(word[:t])}
            said = {("T" + letters)[s] for s in np.flatnonzero(data.legal[k, t])}
            assert said == follow, (word, t)
            assert ("T" + letters)[data.y[k, t]] == (word + "T")[t]
        assert not data.legal[k, len(word) + 1 :].any()


@both
def test_vectors_and_symbols_say_the_same(make, letters):
    vectors, symbols = make(50, seed=1), make(50, seed=1, one_hot=False)
    np.testing.assert_array_equal(vectors.x.argmax(axis=2), symbols.x)
    assert vectors.x.shape[2] == len(letters) + 1
    assert (symbols.x[:, 0] == 0).all()


@both
def test_who_knows_the_language_is_accepted_and_one_wrong_symbol_is_not(make, letters):
    data = make(None, largest=8)
    scores = data.legal - 0.5
    accepted = datasets.strings_accepted(scores, data.legal, data.lengths)
    assert accepted.dtype == bool and accepted.all()
    for change in (lambda s: -s, lambda s: 0.0 * s, lambda s: np.nan * s):
        spoiled = scores.copy()
        last = (3, data.lengths[3] - 1, 1)
        spoiled[last] = change(spoiled[last])
        got = datasets.strings_accepted(spoiled, data.legal, data.lengths)
        assert got.tolist() == [k != 3 for k in range(8)]
    spoiled = scores.copy()
    spoiled[np.arange(scores.shape[1]) >= data.lengths[:, None]] = np.nan  # nobody looks there
    assert datasets.strings_accepted(spoiled, data.legal, data.lengths).all()


def test_without_a_counter_no_string_of_two_is_accepted():
    # The best answer from the present symbol alone, for each symbol any of 2^3 sets.
    data = datasets.anbn(None, smallest=2, largest=6)
    for answer in np.ndindex(8, 8, 8):
        table = np.array([[bits >> k & 1 for k in range(3)] for bits in answer]) - 0.5
        scores = table[data.x.argmax(axis=2)]
        assert not datasets.strings_accepted(scores, data.legal, data.lengths).any()


@both
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"largest": 0}, ValueError, "largest is 0; it must be at least 1"),
        ({"smallest": 0, "largest": 0}, ValueError, "largest is 0; it must be at least 1"),
        ({"smallest": 5, "largest": 4}, ValueError, "largest is 4; it must be at least 5"),
        ({"smallest": -1}, ValueError, "smallest is -1; it must be at least 0"),
        ({"one_hot": 1}, TypeError, "one_hot is 1; it must be True or False"),
    ],
)
def test_what_cannot_be_is_refused(make, letters, arguments, error, words):
    assert_refused(error, [f"{make.__name__}: {words}"], make, 5, **arguments)
