"""The embedded Reber grammar, against a second description of it: a regular expression."""

import re
from collections import Counter

import numpy as np
import pytest
from conftest import assert_refused, needs_jit

import rnnlite
from rnnlite import datasets

SYMBOLS = datasets.REBER_SYMBOLS

# The nodes of the figure, each as what can be said from it on: 4 = S or X3, 3 = T*V5, 5 = V or P4.
FROM_4 = "(?:XT*VP)*(?:S|XT*VV)"
FROM_3 = f"T*V(?:V|P{FROM_4})"
INNER = f"B(?:TS*X{FROM_4}|P{FROM_3})E"
EMBEDDED = re.compile(f"BT{INNER}TE|BP{INNER}PE")


def expand(longest):
    """Every string of the grammar up to a length, grown by the recursive description."""

    def from_4(room):
        if room >= 1:
            yield "S"
            yield from ("X" + rest for rest in from_3(room - 1))

    def from_3(room):
        if room >= 1:
            yield from ("T" + rest for rest in from_3(room - 1))
            yield from ("V" + rest for rest in from_5(room - 1))

    def from_5(room):
        if room >= 1:
            yield "V"
            yield from ("P" + rest for rest in from_4(room - 1))

    def from_2(room):
        if room >= 1:
            yield from ("S" + rest for rest in from_2(room - 1))
            yield from ("X" + rest for rest in from_4(room - 1))

    room = longest - 7  # B, T or P, B, T or P; E, T or P, E
    inner = [f"BT{rest}E" for rest in from_2(room)] + [f"BP{rest}E" for rest in from_3(room)]
    return [f"B{ends}{middle}{ends}E" for middle in inner for ends in "TP"]


ALL = expand(19)


@pytest.fixture(scope="module")
def data():
    return datasets.embedded_reber(20_000, seed=0)


def test_the_two_descriptions_agree():
    assert len(ALL) == len(set(ALL)) and all(EMBEDDED.fullmatch(word) for word in ALL)
    assert min(map(len, ALL)) == 9 and max(map(len, ALL)) == 19


def test_every_string_is_of_the_grammar_and_short_ones_all_occur(data):
    words = data.strings()
    assert len(words) == 20_000
    assert all(EMBEDDED.fullmatch(word) for word in words)
    assert {word for word in ALL if len(word) <= 12} <= set(words)


def test_forks_are_taken_with_probability_one_half(data):
    counts = Counter(data.strings())
    # A string has 2 to the power of minus its forks; which are: before T or P twice, and at
    # every node but the sixth.  The shortest has 4 forks, each more symbol is another.
    for word in ("BTBTXSETE", "BPBTXSEPE", "BTBPVVETE", "BPBPTVVEPE", "BTBTSXSETE", "BPBTXXVVEPE"):
        expected = 20_000 * 2.0 ** -(len(word) - 5)
        assert abs(counts[word] - expected) < 5 * expected**0.5, word


def test_arrays_say_what_the_strings_say(data):
    assert data.x.shape[2] == 7 and data.y.shape == data.x.shape[:2]
    assert data.legal.shape == data.x.shape and data.legal.dtype == np.float32
    for k, word in enumerate(data.strings()[:200]):
        n = len(word) - 1
        assert data.lengths[k] == n
        assert "".join(SYMBOLS[s] for s in data.x[k, :n].argmax(axis=1)) == word[:-1]
        assert "".join(SYMBOLS[s] for s in data.y[k, :n]) == word[1:]
        assert not data.y[k, n:].any() and not data.legal[k, n:].any()


def test_legal_symbols_are_those_with_which_some_string_goes_on(data):
    beginnings = {word[:k] for word in ALL for k in range(len(word) + 1)}
    checked = set()
    for k, word in enumerate(data.strings()):
        if len(word) > 14 or word in checked:  # longer ones go on past the strings in ALL
            continue
        checked.add(word)
        for t in range(len(word) - 1):
            legal = {SYMBOLS[s] for s in np.flatnonzero(data.legal[k, t])}
            assert legal == {s for s in SYMBOLS if word[: t + 1] + s in beginnings}, word
    assert len(checked) > 50
    assert set(np.unique(data.legal)) == {0.0, 1.0}


def test_lengths_and_lags_are_the_documented_ones(data):
    assert data.lengths.min() + 1 == 9 and abs(data.lengths.mean() + 1 - 12) < 0.1
    lags = data.lengths - 2  # from the second symbol to the one before the last
    assert lags.min() == 6 and abs(lags.mean() - 9) < 0.1


def test_cross_entropies_are_the_documented_ones(data):
    valid = np.arange(data.x.shape[1]) < data.lengths[:, None]
    best = np.log(data.legal.sum(axis=2)[valid]).mean()
    assert abs(best - 7 * np.log(2) / 11) < 0.01 and abs(best - 0.441) < 0.01
    forgotten = best + np.log(2) * len(data.x) / valid.sum()  # one more question for each string
    assert abs(forgotten - 0.504) < 0.01
    pairs = np.zeros((7, 7))
    np.add.at(pairs, (data.x.argmax(axis=2)[valid], data.y[valid]), 1)
    p = pairs / pairs.sum()
    guess = -(p * np.log(np.where(p > 0, p / p.sum(axis=1, keepdims=True), 1))).sum()
    assert abs(guess - 1.272) < 0.01


def test_excluded_strings_do_not_occur():
    train = datasets.embedded_reber(256, seed=0)
    test = datasets.embedded_reber(256, seed=0, exclude=train)  # else the same ones
    assert len(test.strings()) == 256
    assert not set(train.strings()) & set(test.strings())
    assert all(EMBEDDED.fullmatch(word) for word in test.strings())
    again = datasets.embedded_reber(256, seed=0, exclude=train)
    np.testing.assert_array_equal(test.x, again.x)


def test_what_is_no_set_of_strings_cannot_be_excluded():
    assert_refused(
        TypeError, ["embedded_reber: exclude is of type list; wanted ReberStrings"],
        datasets.embedded_reber, 3, exclude=["BTBTXSETE"],
    )  # fmt: skip


# ---- the judge -------------------------------------------------------------------------------


def slow_judge(scores, legal, length):
    """Whether at each step the highest scores are those of the legal symbols, by sorting."""
    for row, allowed in zip(scores[:length], legal[:length], strict=True):
        wanted = set(np.flatnonzero(allowed))
        order = sorted(range(7), key=lambda s: -row[s])
        if set(order[: len(wanted)]) != wanted:
            return False
    return True


def test_judge_agrees_with_sorting():
    data = datasets.embedded_reber(300, seed=1)
    rng = np.random.default_rng(0)
    # Noise of a size that spoils about half of the strings.
    scores = data.legal + rng.normal(0, 0.35, data.legal.shape)
    got = datasets.reber_correct(scores, data.legal, data.lengths)
    expected = [slow_judge(*row) for row in zip(scores, data.legal, data.lengths, strict=True)]
    assert got.dtype == bool and got.tolist() == expected and 0.2 < got.mean() < 0.8


def test_judge_wants_every_step_and_no_tie():
    data = datasets.embedded_reber(20, seed=0)
    assert datasets.reber_correct(data.legal, data.legal, data.lengths).all()
    for wrong in (0.0, np.nan):
        scores = data.legal.copy()
        scores[3, data.lengths[3] - 1] = wrong  # all symbols alike
        verdict = datasets.reber_correct(scores, data.legal, data.lengths)
        assert verdict.sum() == 19 and not verdict[3]


def test_judge_does_not_look_at_padding():
    data = datasets.embedded_reber(20, seed=0)
    scores = data.legal.copy()
    scores[np.arange(scores.shape[1]) >= data.lengths[:, None]] = np.nan
    assert datasets.reber_correct(scores, data.legal, data.lengths).all()


# ---- and it can be learned ---------------------------------------------------------------------


@needs_jit
def test_an_lstm_learns_what_a_forgetful_network_cannot():
    train = datasets.embedded_reber(256, seed=0)
    test = datasets.embedded_reber(256, seed=1, exclude=train)
    model = rnnlite.Sequential(
        [rnnlite.LSTM(7, 16, return_sequences=True, seed=0), rnnlite.Dense(16, 7, seed=1)]
    )
    optimizer = rnnlite.Adam(model, lr=0.02)
    rng = np.random.default_rng(0)
    for _ in range(400):
        rows = rng.integers(0, 256, 32)
        lengths = train.lengths[rows]
        scores = model.forward(train.x[rows], lengths=lengths, training=True)
        _, dscores = rnnlite.softmax_cross_entropy(scores, train.y[rows], lengths=lengths)
        model.backward(dscores, need_dx=False)
        optimizer.step()
    scores = model.forward(test.x, lengths=test.lengths)
    right = datasets.reber_correct(scores, test.legal, test.lengths).mean()
    assert right > 0.9  # who forgets the second symbol has half of them
