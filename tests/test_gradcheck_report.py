"""What the report of a gradient check says, and what the check leaves alone."""

import numpy as np
import pytest
from gradchecked import B, H, HandWritten, I, X, normal, snapshot, spoilt

from rnnlite import GRU, LSTM, RNN, Dense, Sequential, gradcheck


def test_the_report_tells_what_was_checked_and_both_values():
    layer = LSTM(I, H, seed=0, dtype="float64")
    report = gradcheck.check(layer, X)
    assert report.passed is True and report.tolerance == gradcheck.TOLERANCE == 1e-6
    shapes = {name: array.shape for name, array in layer.params.items()}
    shapes |= {"x": X.shape, "h0": (B, H), "c0": (B, H)}
    assert {a.name: a.shape for a in report.arrays} == shapes
    for a in report.arrays:
        assert a.checked == np.prod(a.shape)
        assert len(a.worst) == len(a.shape)
        assert all(0 <= i < size for i, size in zip(a.worst, a.shape, strict=True))
        assert 0.0 <= a.relative_error < 1e-8
        assert a.analytic == pytest.approx(a.numeric, abs=1e-8)
    assert report.max_relative_error == max(a.relative_error for a in report.arrays)


def test_the_numeric_value_is_the_derivative_worked_out_by_hand():
    dense = Dense(1, 1, seed=0, dtype="float64")
    dense.params["W"][...], dense.params["b"][...] = 3.0, 0.5
    report = gradcheck.check(dense, [[2.0]], loss=lambda y, _: (float(y[0, 0]) ** 2, 2.0 * y))
    # y = 6.5; dL/dW = 2 y x, dL/db = 2 y, dL/dx = 2 y W
    assert {a.name: round(a.numeric, 6) for a in report.arrays} == {"W": 26, "b": 13, "x": 39}
    assert {a.name: round(a.analytic, 6) for a in report.arrays} == {"W": 26, "b": 13, "x": 39}


def test_the_table_has_a_line_for_each_array_and_a_verdict():
    report = gradcheck.check(RNN(I, H, seed=0), X)
    assert report.notes == ()
    head, *rows, verdict = str(report).splitlines()
    assert " ".join(head.split()) == "array shape checked relative error worst at backward estimate"
    assert [row.split()[0] for row in rows] == ["Wx", "b", "Wh", "x", "h0"]
    for row, a in zip(rows, report.arrays, strict=True):
        assert str(a.shape) in row and str(a.worst) in row
        assert f"{a.relative_error:.2e}" in row
        assert f"{a.analytic:+.9e}" in row and f"{a.numeric:+.9e}" in row
        assert row == row.rstrip()
    assert "<-- wrong" not in str(report)
    assert verdict == (
        f"gradient check passed: largest relative error {report.max_relative_error:.2e}, "
        "allowed 1e-06"
    )


def test_the_table_marks_the_wrong_array_and_the_place_in_it():
    def spoil(layer, dx):
        layer.grads["Wh"][2, 1] *= 1.01
        return dx

    report = gradcheck.check(spoilt(RNN, spoil)(I, H, seed=0), X)
    marked = [line for line in str(report).splitlines() if line.endswith("<-- wrong")]
    assert [line.split()[0] for line in marked] == ["Wh"] and "(2, 1)" in marked[0]
    assert "\ngradient check FAILED: largest relative error" in str(report)


@pytest.mark.parametrize("samples", [1, 12, 10_000])
def test_samples_limits_the_numbers_checked_of_each_array(samples):
    report = gradcheck.check(LSTM(I, H, seed=0), X, samples=samples)
    assert report.passed
    assert [a.checked for a in report.arrays] == [
        min(samples, int(np.prod(a.shape))) for a in report.arrays
    ]


def test_samples_lie_at_places_that_the_seed_chooses():
    calls = []

    class Watched(HandWritten):
        def forward(self, x):
            calls.append([np.array(p) for p in self.params.values()])
            return super().forward(x)

    def places(seed):
        calls.clear()
        own = Watched(I, H)
        before = [np.array(p) for p in own.params.values()]
        gradcheck.check(own, X, samples=3, seed=seed)
        moved = set()
        for params in calls:
            for n, (new, old) in enumerate(zip(params, before, strict=True)):
                moved |= {(n, *map(int, place)) for place in np.argwhere(new != old)}
        return moved

    assert places(0) == places(0) != places(1)
    assert len(places(0)) == 9  # 3 of each of the three arrays


def test_the_same_seed_gives_the_same_report_and_another_seed_another():
    def reports(seed):
        return gradcheck.check(GRU(I, H, seed=0), X, seed=seed)

    assert reports(0) == reports(0) != reports(1)


# ---- what the check leaves alone -----------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: LSTM(I, H, seed=0, dtype=dtype),
        lambda dtype: Sequential([GRU(I, H, seed=0, dtype=dtype), Dense(H, 2, dtype=dtype)]),
    ],
    ids=["layer", "model"],
)
def test_the_layer_handed_in_stays_bit_for_bit_as_it_was(make, dtype):
    layer = make(dtype)
    y = layer.forward(X)
    layer.backward(np.ones_like(y))
    before, arrays = snapshot(layer), dict(layer.params)
    assert gradcheck.check(layer, X).passed
    assert snapshot(layer) == before
    assert all(np.shares_memory(a, arrays[name]) for name, a in layer.params.items())
    assert layer.dtype == dtype and all(a.dtype == dtype for a in layer.params.values())


def test_a_forward_pass_under_way_can_still_go_back():
    layer, undisturbed = LSTM(I, H, seed=0), LSTM(I, H, seed=0)
    dy = normal(B, H, seed=2)
    layer.forward(X), undisturbed.forward(X)
    gradcheck.check(layer, normal(3, 2, I, seed=1))
    layer.backward(dy), undisturbed.backward(dy)
    assert snapshot(layer) == snapshot(undisturbed)


def test_a_float32_layer_is_checked_in_float64():
    # In float32, differences at a step of 1e-5 are right to two digits at best.
    report = gradcheck.check(LSTM(I, H, seed=0, dtype="float32"), X.astype(np.float32))
    assert report.max_relative_error < 1e-8


def test_input_state_labels_and_lengths_are_not_written_to():
    given = x, h0, c0, labels, lengths = (
        X.copy(), normal(B, H), normal(B, H), np.array([0, 2]), np.array([4, 2])
    )  # fmt: skip
    saved = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    model = LSTM(I, H, seed=0)
    gradcheck.check(model, x, labels=labels, initial_state=(h0, c0), lengths=lengths)
    for now, before in zip(given, saved, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("in_a_model", [False, True])
def test_every_forward_pass_gets_the_lengths(in_a_model):
    seen = []

    class Watched(GRU):
        def forward_pass(self, x, saved, **states):
            seen.append(saved.lengths.tolist())
            return super().forward_pass(x, saved, **states)

    layer = Watched(I, H, seed=0)
    gradcheck.check(Sequential([layer]) if in_a_model else layer, X, lengths=[4, 2], samples=1)
    assert len(seen) > 8 and all(lengths == [4, 2] for lengths in seen)


def test_input_may_be_a_list_or_hold_whole_numbers():
    assert gradcheck.check(RNN(1, H, seed=0), [[[1], [2]]]).passed
    assert gradcheck.check(Dense(2, 2, seed=0), np.arange(6).reshape(3, 2)).passed
