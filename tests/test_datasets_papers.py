"""Long lags, two sequences, multiplication, spikes: each is what its paper says."""

import numpy as np
import pytest
from conftest import assert_refused
from drawn import share, uniform

from rnnlite import datasets

N = 4000

# ---- long time lags ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["2a", "2b"])
def test_the_last_symbol_is_the_first_and_stands_nowhere_else(form):
    p = 7
    x, y = datasets.long_lag(N, p, seed=0, form=form, one_hot=False)
    assert x.shape == y.shape == (N, p)
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])  # y is the next symbol
    np.testing.assert_array_equal(x[:, 0], y[:, -1])
    assert uniform(x[:, 0], p - 1, p)  # x and y, as symbols
    between = x[:, 1:]
    assert between.max() == p - 2 and between.min() == 0  # never x or y
    if form == "2a":
        np.testing.assert_array_equal(between, np.tile(np.arange(p - 1), (N, 1)))
    else:
        assert all(uniform(between[:, k], 0, p - 2) for k in range(p - 1))
        pairs = (p - 1) * between[:, 1] + between[:, 4]
        assert uniform(pairs, 0, (p - 1) ** 2 - 1)  # independent
        assert uniform(2 * between[:, 2] + x[:, 0] - p + 1, 0, 2 * p - 3)  # and of the first


def test_very_long_lags_are_as_published():
    q, p = 5, 4
    x, y, lengths = datasets.long_lag(N, q, seed=0, form="2c", distractors=p, one_hot=False)
    e, b, first = p, p + 1, p + 2
    assert uniform(y, 0, 1)
    symbols = []
    for row, label, length in zip(x, y, lengths, strict=True):
        assert row[0] == b and row[1] == first + label and row[length - 1] == e
        assert row[2 : length - 1].max() < p  # no b, e, x, y among the distractors
        symbols.extend(row[2 : length - 1])
        assert not row[length:].any()
    assert uniform(symbols, 0, p - 1)
    # The paper counts the last symbol, too: q + 4 at least, q + 13 on average by its own series.
    whole = lengths + 1
    series = 4 + sum(0.1 * 0.9**k * (q + k) for k in range(1000))
    assert whole.min() == q + 4 and abs(whole.mean() - series) < 0.6
    for k in range(4):  # after each symbol one more with probability 9/10
        assert abs(share(lengths[lengths >= q + 3 + k] > q + 3 + k) - 0.9) < 0.02


@pytest.mark.parametrize("form", ["2a", "2b", "2c"])
def test_long_lag_vectors_and_symbols_say_the_same(form):
    vectors = datasets.long_lag(30, 6, seed=2, form=form)
    symbols = datasets.long_lag(30, 6, seed=2, form=form, one_hot=False)
    assert vectors.x.shape[2] == {"2a": 7, "2b": 7, "2c": 10}[form]
    np.testing.assert_array_equal(vectors.x.argmax(axis=2), symbols.x)
    np.testing.assert_array_equal(vectors.y, symbols.y)


# ---- two sequences -----------------------------------------------------------------------------


@pytest.mark.parametrize("relevant", [1, 3])
@pytest.mark.parametrize("form", ["3a", "3b", "3c"])
def test_two_sequences_begin_with_their_class(form, relevant):
    x, y, lengths, expected = datasets.two_sequence(N, 30, seed=0, form=form, relevant=relevant)
    assert x.shape == (N, 33, 1) and uniform(lengths, 30, 33)
    one, two = (0.2, 0.8) if form == "3c" else (1.0, 0.0)
    first = expected[:, 0] == np.float32(one)
    assert uniform(first.astype(int), 0, 1)
    assert set(np.unique(expected)) == {np.float32(one), np.float32(two)}
    signal = x[:, :relevant, 0] - np.where(first, 1.0, -1.0)[:, None]
    noise = x[:, relevant:30, 0]
    if form == "3b":
        assert abs(signal.var() - 0.2) < 0.02 and abs(signal.mean()) < 0.04
    else:
        assert not signal.any()
    assert abs(noise.var() - 0.2) < 0.005 and abs(noise.mean()) < 0.01
    assert abs(np.corrcoef(noise.mean(axis=1), first)[0, 1]) < 0.08  # it says nothing of the class
    errors = y - expected
    if form == "3c":
        assert abs(errors.var() - 0.1) < 0.012 and abs(errors.mean()) < 0.025
    else:
        assert not errors.any()


# ---- multiplication ----------------------------------------------------------------------------


def test_multiplication_is_the_product_of_the_marked_numbers():
    x, y, lengths = datasets.multiplication_problem(N, 40, seed=0)
    numbers, markers = x[..., 0], x[..., 1]
    assert numbers.min() >= 0 and numbers.max() < 1
    for row in range(N):
        places = np.flatnonzero(markers[row] == 1.0)
        product = np.prod(numbers[row, places], dtype=np.float64)
        if len(places) == 2:  # the first pair is not marked, so it says -1 as always
            assert markers[row, 0] == -1.0 and places[0] < 20
            assert abs(product - y[row, 0]) < 1e-6
        else:  # it is, and counts as 1
            assert len(places) == 1 and abs(product - y[row, 0]) < 1e-6
        assert markers[row, lengths[row] - 1] == -1.0
    p = 0.1 + 0.9 / 19
    assert abs(share((markers == 1).sum(axis=1) == 1) - p) < 0.03
    variance = (1 - p) * 7 / 144 + p / 12 + p * (1 - p) / 16
    assert abs(y.var() - variance) < 0.003
    p = 0.1 + 0.9 / 49
    assert round((1 - p) * 7 / 144 + p / 12 + p * (1 - p) / 16, 3) == 0.059  # the docstring's


def test_multiplication_marks_where_the_adding_problem_does():
    product = datasets.multiplication_problem(50, 30, seed=4)
    total = datasets.adding_problem(50, 30, seed=4, form="1997")
    np.testing.assert_array_equal(product.x[..., 1], total.x[..., 1])
    np.testing.assert_array_equal(product.lengths, total.lengths)


# ---- spikes ------------------------------------------------------------------------------------


def test_spikes_come_after_the_interval_and_a_delay():
    delays = (0, 1, 4)
    trains = datasets.spike_delays(N, 3, seed=0, interval=5, delays=delays)
    drawn = []
    for k in range(N):
        times = np.flatnonzero(trains.x[k])
        delay = np.diff(times, prepend=-1) - 5
        assert len(times) == 3 and trains.lengths[k] == times[-1] + 1
        np.testing.assert_array_equal(trains.y[k, times, 0], delay)
        np.testing.assert_array_equal(np.flatnonzero(trains.mask[k]), times)
        assert np.count_nonzero(trains.y[k]) == np.count_nonzero(delay)
        drawn.append(delay)
    drawn = np.searchsorted(delays, drawn)
    assert uniform(9 * drawn[:, 0] + 3 * drawn[:, 1] + drawn[:, 2], 0, 26)


def test_generating_is_measuring_with_input_and_output_exchanged():
    measure = datasets.spike_delays(200, 4, seed=3, interval=6, delays=(0, 2, 3))
    generate = datasets.spike_delays(200, 4, seed=3, task="generate", interval=6, delays=(0, 2, 3))
    np.testing.assert_array_equal(generate.y, measure.x)
    spikes = measure.x > 0
    np.testing.assert_array_equal(generate.x[spikes], measure.y[spikes])
    for k in range(200):  # and the delay is held from the spike before on
        start = 0
        for time in np.flatnonzero(measure.x[k]):
            assert (generate.x[k, start : time + 1] == measure.y[k, time]).all()
            start = time + 1
        assert not generate.x[k, start:].any()
        np.testing.assert_array_equal(generate.mask[k], np.arange(len(spikes[k])) < start)


def test_spikes_are_judged_where_they_count():
    trains = datasets.spike_delays(6, 3, seed=0)
    judge = datasets.spikes_correct
    assert judge(np.where(trains.mask[..., None], trains.y, 9.0), *trains[1::2]).all()
    outputs = trains.y.copy()
    outputs[2, trains.lengths[2] - 1] += 0.48
    outputs[4, trains.lengths[4] - 1] -= 0.5
    outputs[5, trains.lengths[5] - 1] = np.nan
    assert judge(outputs, trains.y, trains.mask).tolist() == [True] * 4 + [False] * 2
    # The mean of the delays, and silence, are never right.
    assert not judge(np.full_like(outputs, 0.5), trains.y, trains.mask).any()
    made = datasets.spike_delays(6, 3, seed=0, task="generate")
    assert not judge(np.zeros_like(made.y), made.y, made.mask).any()


# ---- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "arguments", "error", "words"),
    [
        (datasets.long_lag, {"form": "2d"}, ValueError, "form is '2d'; it can be '2a', '2b' or"),
        (datasets.long_lag, {"steps": 1}, ValueError, "steps is 1; it must be at least 2"),
        (datasets.long_lag, {"distractors": 4}, ValueError, "distractors is 4 and form '2b'"),
        (
            datasets.long_lag,
            {"form": "2c", "distractors": 0},
            ValueError,
            "distractors is 0; it must be at least 1",
        ),
        (datasets.long_lag, {"one_hot": 0}, TypeError, "one_hot is 0; it must be True or False"),
        (datasets.long_lag, {"steps": 10**7}, ValueError, "these sizes make"),
        (datasets.two_sequence, {"form": "3"}, ValueError, "form is '3'; it can be '3a', '3b' or"),
        (datasets.two_sequence, {"relevant": 0}, ValueError, "relevant is 0"),
        (datasets.two_sequence, {"steps": 9, "relevant": 10}, ValueError, "relevant is above 9"),
        (datasets.multiplication_problem, {"steps": 19}, ValueError, "steps is 19; it must be at"),
        (datasets.spike_delays, {"task": "hear"}, ValueError, "task is 'hear'; it can be"),
        (datasets.spike_delays, {"interval": 0}, ValueError, "interval is 0; it must be at least"),
        (datasets.spike_delays, {"delays": ()}, ValueError, "delays is empty; wanted"),
        (datasets.spike_delays, {"delays": (0, -1)}, ValueError, "delays[1] is -1; it must be"),
        (datasets.spike_delays, {"delays": 3}, TypeError, "delays is 3"),
    ],
)
def test_what_cannot_be_made_is_refused(make, arguments, error, words):
    assert_refused(error, [f"{make.__name__}: {words}"], make, 5, **arguments)
