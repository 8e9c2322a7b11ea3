"""What papers call right and solved: table 11 of Hochreiter & Schmidhuber 1997; what all refuse."""

import numpy as np
import pytest
from conftest import assert_refused

from rnnlite import datasets

correct, solved = datasets.experiment_correct, datasets.experiment_solved
TOLERANCES = {
    "2a": 0.25, "2b": 0.25, "2c": 0.2, "3a": 0.2, "3b": 0.2, "3c": 0.1,
    "4": 0.04, "5": 0.04, "6a": 0.3, "6b": 0.3,
}  # fmt: skip
# Sequences, how many may be wrong, and the bound of their mean error (None: the tolerance alone).
RUNS = {
    "2a": (10_000, 0, None), "2b": (10_000, 0, None), "2c": (10_000, 0, None),
    "3a": (256, 0, 0.01), "3b": (256, 5, 0.04), "3c": (256, 0, 0.015),
    "4": (2000, 0, 0.01), "5": (2000, 12, None), "6a": (2000, 0, 0.1), "6b": (2000, 0, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("experiment", TOLERANCES)
def test_an_error_at_the_tolerance_is_wrong_and_one_below_is_right(experiment):
    y, tolerance = np.full((3, 2), 0.5), TOLERANCES[experiment]
    outputs = y.copy()
    outputs[0, 1] += 0.999 * tolerance
    outputs[1, 0] -= 1.001 * tolerance
    assert correct(outputs, y, experiment).tolist() == [True, False, True]


def test_classes_stand_for_their_vectors_at_each_step_too():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, (50, 4))
    vectors = np.eye(3)[classes]
    outputs = np.clip(vectors + rng.normal(0, 0.1, vectors.shape), 0, 1)
    got = correct(outputs, classes, "2a")
    np.testing.assert_array_equal(got, (abs(outputs - vectors) < 0.25).all(axis=(1, 2)))
    assert 0.2 < got.mean() < 1.0
    last = correct(outputs[:, -1], classes[:, -1], "2b")
    np.testing.assert_array_equal(last, (abs(outputs - vectors) < 0.25)[:, -1].all(axis=1))


def test_what_is_not_a_number_is_not_right():
    assert not correct([[np.nan]], [[0.5]], "4").any()


@pytest.mark.parametrize("experiment", RUNS)
def test_solved_counts_the_wrong_ones_and_looks_at_the_mean(experiment):
    n, wrong, mean = RUNS[experiment]
    y = np.full((n, 1), 0.5)
    assert solved(y, y, experiment)
    outputs = y.copy()
    outputs[:wrong] += 1.01 * TOLERANCES[experiment]
    assert solved(outputs, y, experiment)
    outputs[wrong] += 1.01 * TOLERANCES[experiment]
    assert not solved(outputs, y, experiment)
    small = y + 0.99 * TOLERANCES[experiment]
    assert solved(small, y, experiment) == (mean is None)
    if mean is not None:
        assert solved(y + 0.99 * mean, y, experiment)
        assert not solved(y - 1.01 * mean, y, experiment)
    assert not solved(np.full((n, 1), np.nan), y, experiment)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[0.5]], [[0.5]], "1"), "experiment is '1'; it can be '2a'"),
        (([0.5], [0.5], "4"), "outputs has shape (1,); wanted (n, outputs)"),
        (([[0.5, 0.5]], [[0.5]], "4"), "y has shape (1, 1); wanted (1, 2)"),
        (([[0.5, 0.5]], [2], "6a"), "y runs from 2 to 2; classes lie in 0..1"),
        (([[0.5, 0.5]], [-1], "6a"), "y runs from -1 to -1"),
        (([[0.5, 0.5]], np.array([2**63], np.uint64), "6a"), f"y runs from {2**63} to {2**63}"),
        (([[0.5, 0.5]], [0.5], "6a"), "y has shape (1,); wanted (1, 2)"),
    ],
)
def test_what_cannot_be_judged_is_refused(arguments, words):
    for judge in (correct, solved):
        assert_refused(ValueError, [f"{judge.__name__}: {words}"], judge, *arguments)


def test_solved_wants_as_many_sequences_as_the_paper():
    y = np.zeros((1999, 1))
    words = "experiment_solved: outputs are of 1,999 sequences; experiment 4 is judged by 2,000"
    assert_refused(ValueError, [words], solved, y, y, "4")


# ---- what no criterion can judge ---------------------------------------------------------------

COUNTED, REBER = datasets.anbn(4, seed=0), datasets.embedded_reber(4, seed=0)
SPIKES, TABLE = datasets.spike_delays(4, seed=0), np.full((256, 2), 0.5)
JUDGED = {
    datasets.strings_accepted: {
        "scores": COUNTED.legal, "legal": COUNTED.legal, "lengths": COUNTED.lengths,
    },
    datasets.reber_correct: {
        "scores": REBER.legal, "legal": REBER.legal, "lengths": REBER.lengths,
    },
    datasets.spikes_correct: {"outputs": SPIKES.y, "y": SPIKES.y, "mask": SPIKES.mask},
    correct: {"outputs": TABLE, "y": TABLE, "experiment": "3a"},
    solved: {"outputs": TABLE, "y": TABLE, "experiment": "3a"},
}  # fmt: skip
every_judge = pytest.mark.parametrize("judge", JUDGED, ids=lambda judge: judge.__name__)
NO_ARRAYS = (None, "text", [["a"]], [[1], [1, 2]], 3, [], 1j * TABLE, {}, np.zeros(4, "M8[s]"))


@every_judge
def test_what_is_no_array_of_numbers_that_fits_is_refused_by_name(judge):
    good = JUDGED[judge]
    judge(**good)
    for name in good:
        for value in NO_ARRAYS:
            with pytest.raises((ValueError, TypeError)) as raised:
                judge(**good | {name: value})
            assert str(raised.value).startswith(f"{judge.__name__}: {name} "), value


@pytest.mark.parametrize("judge", list(JUDGED)[:3], ids=lambda judge: judge.__name__)
def test_arrays_that_do_not_fit_are_told_what_is_wanted(judge):
    (scores, array), (target, _), (last, rows) = JUDGED[judge].items()
    for name, value, words in [
        (scores, array[..., 0], f"has shape {array.shape[:2]}; wanted 3 axes, ("),
        (target, array[:2], f"has shape {array[:2].shape}; wanted {array.shape}, as {scores}"),
        (last, rows[:2], f"has shape {rows[:2].shape}; wanted {rows.shape}, ("),
    ]:
        words = [f"{judge.__name__}: {name} {words}"]
        assert_refused(ValueError, words, judge, **JUDGED[judge] | {name: value})


@pytest.mark.parametrize("judge", list(JUDGED)[:2], ids=lambda judge: judge.__name__)
def test_lengths_are_whole_numbers_from_0_to_the_number_of_steps(judge):
    for lengths, error, words in [
        ([1, 2, -1, 3], ValueError, "lengths runs from -1 to 3; each must lie in 0.."),
        ([1, 2, 99, 3], ValueError, "lengths runs from 1 to 99; each must lie in 0.."),
        ([1.0, 2.0, 1.0, 3.0], TypeError, "lengths holds float64; it must hold whole numbers"),
        (None, TypeError, "lengths is None; wanted (4,), the steps of each string"),
    ]:
        words = [f"{judge.__name__}: {words}"]
        assert_refused(error, words, judge, **JUDGED[judge] | {"lengths": lengths})
