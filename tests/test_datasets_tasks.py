"""Adding problem, temporal order, copy memory: each is what the paper says, drawn as it says."""

import numpy as np
import pytest
from conftest import assert_refused
from drawn import share, uniform

import rnnlite
from rnnlite import datasets
from rnnlite.datasets.sequences import one_hot_vectors

N = 4000
TASKS = {
    "adding": lambda n, seed: datasets.adding_problem(n, 30, seed),
    "adding 1997": lambda n, seed: datasets.adding_problem(n, 30, seed, form="1997"),
    "6a": lambda n, seed: datasets.temporal_order(n, 2, seed, steps=30),
    "6b": lambda n, seed: datasets.temporal_order(n, 3, seed, steps=30),
    "6a symbols": lambda n, seed: datasets.temporal_order(n, 2, seed, steps=30, one_hot=False),
    "copy": lambda n, seed: datasets.copy_memory(n, 7, seed),
    "copy symbols": lambda n, seed: datasets.copy_memory(n, 7, seed, one_hot=False),
    "anbn": lambda n, seed: datasets.anbn(n, 12, seed),
    "anbncn symbols": lambda n, seed: datasets.anbncn(n, 12, seed, one_hot=False),
    "2a": lambda n, seed: datasets.long_lag(n, 7, seed, form="2a"),
    "2b symbols": lambda n, seed: datasets.long_lag(n, 7, seed, form="2b", one_hot=False),
    "2c": lambda n, seed: datasets.long_lag(n, 7, seed, form="2c", distractors=3),
    "2c symbols": lambda n, seed: datasets.long_lag(n, 4, seed, form="2c", one_hot=False),
    "3a": lambda n, seed: datasets.two_sequence(n, 20, seed),
    "3c": lambda n, seed: datasets.two_sequence(n, 20, seed, form="3c"),
    "multiplication": lambda n, seed: datasets.multiplication_problem(n, 30, seed),
    "spikes": lambda n, seed: datasets.spike_delays(n, 4, seed),
    "spikes made": lambda n, seed: datasets.spike_delays(n, 4, seed, task="generate"),
    "reber": lambda n, seed: datasets.embedded_reber(n, seed),
    "reber symbols": lambda n, seed: datasets.embedded_reber(n, seed, one_hot=False),
}
every_task = pytest.mark.parametrize("make", TASKS.values(), ids=TASKS.keys())


# ---- what all of them promise ----------------------------------------------------------------


@every_task
def test_the_same_seed_makes_the_same_data_and_another_seed_others(make):
    first, again, other = make(50, 3), make(50, 3), make(50, 4)
    for name, array in first._asdict().items():
        np.testing.assert_array_equal(array, getattr(again, name))
    assert not all(map(np.array_equal, first, other))


@every_task
def test_more_of_them_begin_with_the_same(make):
    few, many = make(20, 0), make(45, 0)
    for name, array in few._asdict().items():
        longer = getattr(many, name)[:20]
        if array.ndim > 1:  # strings of the grammar are padded to the longest
            longer = longer[:, : array.shape[1]]
        np.testing.assert_array_equal(array, longer)


@every_task
def test_without_a_seed_they_differ(make):
    assert not np.array_equal(make(50, None).x, make(50, None).x)


@every_task
def test_dtypes_are_those_of_layers_and_labels(make):
    data = make(5, 0)
    assert data.x.dtype == (np.float32 if data.x.ndim == 3 else np.int64)
    assert data.y.dtype == (np.float32 if data.x.shape[2:] in {(1,), (2,)} else np.int64)
    if "lengths" in data._fields:
        assert data.lengths.dtype == np.int64 and data.lengths.shape == (5,)
    for array in data:
        assert array.flags.c_contiguous or array.ndim < 3
        assert array.flags.writeable


@every_task
def test_padding_is_zero_and_lengths_reach_the_last_step(make):
    data = make(300, 0)
    if "lengths" in data._fields:
        padding = np.arange(data.x.shape[1]) >= data.lengths[:, None]
        assert padding.any() and not data.x[padding].any()
        assert data.lengths.max() == data.x.shape[1]
        if data.x.ndim == 3 and data.x.shape[2] > 2:
            np.testing.assert_array_equal(data.x.sum(axis=2), ~padding)


@every_task
def test_they_go_straight_into_a_network_and_its_loss(make):
    data = make(4, 0)
    lengths = getattr(data, "lengths", None)
    per_step = data.y.ndim == 3 or (data.y.ndim == 2 and data.y.dtype == np.int64)
    layers = [rnnlite.Embedding(10, 3, seed=0)] if data.x.ndim == 2 else []
    layers.append(
        rnnlite.LSTM(3 if layers else data.x.shape[2], 4, return_sequences=per_step, seed=0)
    )
    layers.append(rnnlite.Dense(4, 1 if data.y.dtype == np.float32 else 10, seed=0))
    model = rnnlite.Sequential(layers)
    scores = model.forward(data.x, lengths=lengths)
    if data.y.dtype == np.float32:
        loss, _ = rnnlite.mean_squared_error(scores, data.y, mask=getattr(data, "mask", None))
    else:
        loss, _ = rnnlite.softmax_cross_entropy(
            scores, data.y, lengths=lengths if per_step else None
        )
    assert np.isfinite(loss)


@pytest.mark.parametrize(
    "make",
    [
        datasets.adding_problem, datasets.temporal_order,
        datasets.copy_memory, datasets.embedded_reber, datasets.anbn, datasets.anbncn,
        datasets.long_lag, datasets.two_sequence, datasets.multiplication_problem,
        datasets.spike_delays,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n": 0}, ValueError, "n is 0; it must be at least 1"),
        ({"n": 2.5}, TypeError, "n is 2.5; it must be a whole number"),
        ({"n": 3, "seed": -1}, ValueError, "seed is -1; it must be at least 0"),
        ({"n": 3, "seed": "x"}, TypeError, "seed is 'x'; it must be a whole number"),
    ],
)
def test_bad_numbers_are_refused_by_name(make, arguments, error, words):
    assert_refused(error, [f"{make.__name__}: {words}"], make, **arguments)


# ---- the adding problem ----------------------------------------------------------------------


def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum():
    x, y = datasets.adding_problem(N, 21, seed=0)
    assert x.shape == (N, 21, 2) and y.shape == (N, 1)
    numbers, markers = x[..., 0], x[..., 1]
    assert set(np.unique(markers)) == {0.0, 1.0}
    np.testing.assert_array_equal(markers.sum(axis=1), 2.0)
    rows, places = np.nonzero(markers)
    first, second = places[::2], places[1::2]
    assert np.array_equal(rows[::2], np.arange(N))
    assert uniform(first, 0, 9) and uniform(second, 10, 20)  # halves of 10 and 11
    expected = [
        float(row[p]) + float(row[q]) for row, p, q in zip(numbers, first, second, strict=True)
    ]
    np.testing.assert_allclose(y[:, 0], expected, rtol=1e-6)


def test_adding_has_the_numbers_and_the_baseline_of_its_paper():
    x, y = datasets.adding_problem(40_000, 10, seed=0)
    numbers = x[..., 0]
    assert 0.0 <= numbers.min() < 0.001 and 0.999 < numbers.max() < 1.0
    assert abs(numbers.mean() - 0.5) < 0.003 and abs(numbers.var() - 1 / 12) < 0.001
    assert abs(np.mean((y - 1.0) ** 2) - 0.167) < 0.004  # of saying 1 always


def slow_target(x, length):
    """The target of 1997, by its words: the pairs whose marker is 1, scaled."""
    total = sum(number for number, marker in x[:length].tolist() if marker == 1.0)
    return 0.5 + total / 4.0


def test_adding_of_1997_is_as_published():
    x, y, lengths = datasets.adding_problem(N, 40, seed=0, form="1997")
    assert x.shape == (N, 44, 2) and y.shape == (N, 1)
    assert uniform(lengths, 40, 44)
    rows = np.arange(N)
    numbers, markers = x[..., 0], x[..., 1]
    assert -1.0 <= numbers.min() < -0.99 and 0.99 < numbers.max() < 1.0
    np.testing.assert_array_equal(markers[rows, 0], -1.0)
    np.testing.assert_array_equal(markers[rows, lengths - 1], -1.0)
    np.testing.assert_array_equal((markers == -1.0).sum(axis=1), 2)
    marked = (markers == 1.0).sum(axis=1)
    p = 0.1 + 0.9 / 19  # that the first pair was chosen, whose marker is -1 nevertheless
    assert set(marked) == {1, 2} and abs(share(marked == 1) - p) < 0.03
    assert not (markers[:, 20:] == 1.0).any() and (markers[:, 19] == 1.0).any()
    assert ((markers[:, :10] == 1.0).sum(axis=1) == 2).any()  # the second may be near, too
    expected = [slow_target(row, length) for row, length in zip(x, lengths, strict=True)]
    np.testing.assert_allclose(y[:, 0], expected, rtol=1e-5)
    assert abs(y.var() - (2 - p) / 48) < 0.002 and abs(y.mean() - 0.5) < 0.02
    assert 0.0 <= y.min() and y.max() <= 1.0


def test_adding_of_1997_chooses_its_places_evenly():
    x, _, _ = datasets.adding_problem(N, 40, seed=1, form="1997")
    chosen = (x[..., 1] == 1.0).sum(axis=0)[1:20]  # by place
    # A place below 10 is first in 1 of 10, second in 9 of 10 times 1 of 19; the others are second
    # in 1 of 19.
    expected = N * np.where(np.arange(1, 20) < 10, 0.1 + 0.9 / 19, 1 / 19)
    assert np.all(abs(chosen - expected) < 5 * expected**0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": 1}, "steps is 1; it must be at least 2"),
        ({"steps": 19, "form": "1997"}, "steps is 19; it must be at least 20"),
        ({"form": "1998"}, "form is '1998'; it can be '2015' or '1997'"),
    ],
)
def test_adding_refuses_what_it_cannot_make(arguments, words):
    assert_refused(ValueError, [words], datasets.adding_problem, 5, **arguments)


@pytest.mark.parametrize("arguments", [{"steps": 2}, {"steps": 3}, {"steps": 20, "form": "1997"}])
def test_adding_works_at_its_shortest(arguments):
    data = datasets.adding_problem(500, seed=0, **arguments)
    assert np.isfinite(data.y).all() and data.x.shape[0] == 500


# ---- temporal order --------------------------------------------------------------------------

LETTERS = {2: "QRSU", 3: "QRSUVABC"}
PLACES = {2: [(10, 20), (50, 60)], 3: [(10, 20), (33, 43), (66, 76)]}
# The tables of the paper, written out.
RULES = {
    "XX": "Q", "XY": "R", "YX": "S", "YY": "U",
    "XXX": "Q", "XXY": "R", "XYX": "S", "XYY": "U", "YXX": "V", "YXY": "A", "YYX": "B", "YYY": "C",
}  # fmt: skip


@pytest.mark.parametrize("relevant", [2, 3])
def test_temporal_order_is_as_published(relevant):
    x, y, lengths = datasets.temporal_order(N, relevant, seed=0)
    assert x.shape == (N, 110, 8) and uniform(lengths, 100, 110)
    assert uniform(y, 0, 2**relevant - 1)
    places = []
    for row, label, length in zip(x, y, lengths, strict=True):
        word = "".join(datasets.TEMPORAL_ORDER_SYMBOLS[s] for s in row[:length].argmax(axis=1))
        assert word[0] == "E" and word[-1] == "B"
        assert set(word[1:-1]) <= set("abcdXY")
        where = [place for place, symbol in enumerate(word) if symbol in "XY"]
        assert len(where) == relevant
        places.append(where)
        assert LETTERS[relevant][label] == RULES["".join(word[place] for place in where)]
    for found, (low, high) in zip(np.transpose(places), PLACES[relevant], strict=True):
        assert uniform(found, low, high)


def test_temporal_order_draws_its_noise_evenly():
    x, _, lengths = datasets.temporal_order(500, seed=0, one_hot=False)
    noise = np.concatenate([row[1:9] for row in x])
    assert uniform(noise, 2, 5)
    assert x.shape == (500, 110) and lengths.max() <= 110


def test_temporal_order_scales():
    x, _, lengths = datasets.temporal_order(N, 3, seed=0, steps=200, one_hot=False)
    assert uniform(lengths, 200, 220)
    where = np.stack([np.flatnonzero(row >= 6) for row in x])
    for found, (low, high) in zip(where.T, [(20, 40), (66, 86), (132, 152)], strict=True):
        assert found.min() == low and found.max() == high
    short = datasets.temporal_order(200, 3, seed=0, steps=10, one_hot=False)
    assert ((short.x >= 6).sum(axis=1) == 3).all() and set(short.lengths) == {10, 11}
    assert (short.x[np.arange(200), short.lengths - 1] == 1).all()


def test_temporal_order_symbols_and_vectors_say_the_same():
    vectors = datasets.temporal_order(50, seed=0)
    symbols = datasets.temporal_order(50, seed=0, one_hot=False)
    np.testing.assert_array_equal(vectors.x.argmax(axis=2), symbols.x)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"relevant": 4}, ValueError, "relevant is 4; it can be 2 (task 6a) or 3 (task 6b)"),
        ({"relevant": 1}, ValueError, "relevant is 1"),
        ({"steps": 9}, ValueError, "steps is 9; it must be at least 10"),
        ({"one_hot": 1}, TypeError, "one_hot is 1; it must be True or False"),
    ],
)
def test_temporal_order_refuses_what_it_cannot_make(arguments, error, words):
    assert_refused(error, [words], datasets.temporal_order, 5, **arguments)


# ---- copy memory -----------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [1, 2, 30])
def test_copy_memory_is_as_published(delay):
    x, y = datasets.copy_memory(50, delay, seed=0, one_hot=False)
    for row, wanted in zip(x.tolist(), y.tolist(), strict=True):
        symbols = row[:10]
        assert set(symbols) <= set(range(8))
        assert row[10:] == [8] * (delay - 1) + [9] + [8] * 10
        assert wanted == [8] * (delay + 10) + symbols
    assert x.shape == y.shape == (50, delay + 20)


def test_copy_memory_draws_its_symbols_evenly_and_independently():
    x, _ = datasets.copy_memory(N, 1, seed=0, one_hot=False)
    assert all(uniform(x[:, k], 0, 7) for k in range(10))
    assert uniform(8 * x[:, 3] + x[:, 4], 0, 63)


def test_copy_memory_has_the_baseline_it_claims():
    # Blanks are foretold, each of the ten symbols is guessed: 10 log 8/(T + 20), 8.75 of ten wrong.
    _, y = datasets.copy_memory(N, 100, seed=0, one_hot=False)
    p = np.full((120, 10), 1e-12)
    p[:110, 8], p[110:, :8] = 1.0, 1 / 8
    loss = -np.log(p[np.arange(120), y]).mean()
    assert abs(loss - 10 * np.log(8) / 120) < 1e-6 and abs(loss - 0.173) < 0.0005
    guesses = p.argmax(axis=1)
    assert abs(share(guesses == y) - (1 - 8.75 / 120)) < 0.001


def test_copy_memory_vectors_and_symbols_say_the_same():
    vectors, symbols = datasets.copy_memory(9, 4, 0), datasets.copy_memory(9, 4, 0, one_hot=False)
    assert vectors.x.shape == (9, 24, 10)
    np.testing.assert_array_equal(vectors.x.argmax(axis=2), symbols.x)
    np.testing.assert_array_equal(vectors.x.sum(axis=2), 1.0)
    np.testing.assert_array_equal(vectors.y, symbols.y)


def test_copy_memory_asks_for_the_same_symbols_at_any_delay():
    near, far = datasets.copy_memory(9, 1, seed=5), datasets.copy_memory(9, 70, seed=5)
    np.testing.assert_array_equal(near.y[:, -10:], far.y[:, -10:])


def test_copy_memory_refuses_no_delay():
    assert_refused(ValueError, ["copy_memory: delay is 0"], datasets.copy_memory, 5, 0)


# ---- what they are made with -----------------------------------------------------------------


def test_one_hot_vectors_take_no_memory_beside_their_own(peak_memory):
    symbols = np.zeros((2000, 100), np.int64)
    vectors = one_hot_vectors(symbols, 10)
    assert vectors.dtype == np.float32
    assert peak_memory() < vectors.nbytes + symbols.nbytes + 500_000  # not half as much again


def test_result_types_say_what_they_hold():
    assert isinstance(datasets.adding_problem(2, 5), datasets.Sequences)
    assert isinstance(datasets.copy_memory(2), datasets.Sequences)
    assert isinstance(datasets.temporal_order(2), datasets.PaddedSequences)
    assert isinstance(datasets.adding_problem(2, 20, form="1997"), datasets.PaddedSequences)
    assert isinstance(datasets.embedded_reber(2), datasets.ReberStrings)
