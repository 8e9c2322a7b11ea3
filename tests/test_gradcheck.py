"""The gradient check passes every right gradient, says what it found, and leaves things alone."""

import numpy as np
import pytest
from gradchecked import B, H, HandWritten, I, T, X, normal, snapshot, spoilt, wrong_arrays

import rnnlite
from rnnlite import GRU, LSTM, RNN, Dense, Sequential, functional, gradcheck
from rnnlite.layers import Bidirectional, Dropout, Embedding, Recurrent

# ---- right gradients pass ------------------------------------------------------------------


def shaken(layer, seed=20):
    """The layer, with random numbers for every parameter that starts at a constant."""
    for n, (name, array) in enumerate(layer.params.items()):
        if array.ndim == 1 and name != "b":
            array[...] += 0.5 * normal(*array.shape, seed=seed + n)
    return layer


def centred_step(z, state, p):
    """h = tanh(p (z - the mean of z over all units of the row))."""
    (z_h,), (scale,) = z, p
    h = np.tanh(scale * (z_h - z_h.mean()))
    return (h,), (h, z_h)


def centred_step_backward(dstate, saved, state, new_state, p):
    (dh,), (h, z_h), (scale,) = dstate, saved, p
    da = dh * (1.0 - h * h)
    dz_h = da * scale
    return (dz_h - dz_h.mean(),), (0.0 * dh,), (da * (z_h - z_h.mean()),)


CENTRED = rnnlite.custom_cell(
    "centred", centred_step, centred_step_backward,
    gates=["h"], saved=["h", "z_h"], unit_params={"scale": 1.0}, whole_rows=True,
)  # fmt: skip
WHOLE_ROWS = "a cell that sees whole rows"
RECURRENT = {
    "lstm": lambda **k: LSTM(I, H, seed=1, **k),
    "lstm, forget bias 0": lambda **k: LSTM(I, H, forget_bias=0.0, seed=1, **k),
    "lstm, forget bias -2": lambda **k: LSTM(I, H, forget_bias=-2.0, seed=1, **k),
    "rnn, tanh": lambda **k: RNN(I, H, activation="tanh", seed=1, **k),
    "rnn, relu": lambda **k: RNN(I, H, activation="relu", seed=1, **k),
    "gru": lambda **k: shaken(GRU(I, H, seed=1, **k)),
    "lstm, peephole": lambda **k: shaken(LSTM(I, H, peephole=True, seed=1, **k)),
    "lstm, clip": lambda **k: LSTM(I, H, clip=0.6, seed=1, **k),
    "lstm, peephole, clip": lambda **k: shaken(LSTM(I, H, peephole=True, clip=0.6, seed=1, **k)),
    "lstm, backwards": lambda **k: LSTM(I, H, go_backwards=True, seed=1, **k),
    "gru, reset before": lambda **k: shaken(GRU(I, H, reset_after=False, seed=1, **k)),
    "gru, backwards": lambda **k: GRU(I, H, go_backwards=True, seed=1, **k),
    WHOLE_ROWS: lambda **k: shaken(Recurrent(CENTRED, I, H, seed=1, **k)),
}
COMPILED_HERE = WHOLE_ROWS, "lstm, peephole", "lstm, clip"  # for no other test: seconds each
every_recurrent = pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=pytest.mark.long if name in COMPILED_HERE else ())
        for name, make in RECURRENT.items()
    ],
)


def state_of(layer, seed=5):
    states = tuple(normal(B, H, seed=seed + s) for s in range(len(layer.cell.states)))
    return states if len(states) > 1 else states[0]


@pytest.mark.quick(every=3)
@every_recurrent
@pytest.mark.parametrize(
    ("sequences", "lengths", "given"),
    [(False, None, True), (False, [2, 3], False), (True, [T, 1], False)],
    ids=["last step", "last step, lengths", "every step, lengths"],
)
def test_a_recurrent_layer_passes_in_all_options(make, sequences, lengths, given):
    layer = make(return_sequences=sequences)
    state = state_of(layer) if given else None
    report = gradcheck.check(layer, X, lengths=lengths, initial_state=state)
    assert report.passed, f"\n{report}"
    states = [f"{name}0" for name in layer.cell.states]
    assert [a.name for a in report.arrays] == [*layer.params, "x", *states]


@every_recurrent
def test_a_recurrent_layer_passes_from_a_zero_state(make):
    layer = make()
    zero = tuple(np.zeros((B, H)) for _ in layer.cell.states)
    report = gradcheck.check(layer, X, initial_state=zero if len(zero) > 1 else zero[0])
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize(
    ("merge", "sequences", "lengths"),
    [("concat", False, [T, 1]), ("sum", True, [T, 1]), ("concat", True, None)],
)
@pytest.mark.parametrize("make", [LSTM, RNN, GRU])
def test_a_bidirectional_layer_passes(make, sequences, lengths, merge):
    layer = Bidirectional(make(I, H, return_sequences=sequences, seed=0), merge=merge, seed=1)
    report = gradcheck.check(layer, X, lengths=lengths)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == [*layer.params, "x"]


@pytest.mark.parametrize("shape", [(5, I), (B, T, I)], ids=["2-D", "3-D"])
def test_dense_passes(shape):
    report = gradcheck.check(Dense(I, 3, seed=0), normal(*shape))
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == ["W", "b", "x"]


@pytest.mark.parametrize("shape", [(6,), (2, 5)], ids=["1-D", "2-D"])
def test_an_embedding_passes_and_its_indices_are_left_alone(shape):
    indices = np.random.default_rng(0).integers(0, 7, shape)
    report = gradcheck.check(Embedding(7, 3, seed=0), indices)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == ["W"]


def test_a_stack_on_an_embedding_passes():
    model = Sequential([Embedding(7, 3, seed=0), LSTM(3, H, seed=1), Dense(H, 4, seed=2)])
    indices = np.random.default_rng(0).integers(0, 7, (B, T))
    report = gradcheck.check(model, indices, labels=[3, 0], lengths=[4, 2])
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == [*model.params]


def test_dropout_passes_as_it_is_outside_training():
    report = gradcheck.check(Sequential([Dropout(0.5, seed=0), Dense(I, 3, seed=0)]), normal(4, I))
    assert report.passed, f"\n{report}"


STACKS = {
    "lstm, dense": lambda: [LSTM(I, H, seed=0), Dense(H, 4, seed=1)],
    "lstm, rnn, dense": lambda: [
        LSTM(I, H, return_sequences=True, seed=0),
        RNN(H, 2, activation="relu", seed=1),
        Dense(2, 4, seed=2),
    ],
    "both directions, lstm, dense": lambda: [
        Bidirectional(GRU(I, 2, return_sequences=True, seed=0), seed=1),
        LSTM(4, H, seed=2),
        Dense(H, 4, seed=3),
    ],
    "dense, gru, lstm, dense": lambda: [
        Dense(I, 3, seed=0),
        GRU(3, H, return_sequences=True, seed=1),
        LSTM(H, 2, seed=2),
        Dense(2, 4, seed=3),
    ],
}


@pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS.keys())
@pytest.mark.parametrize(
    ("lengths", "labels"),
    [(None, [3, 0]), ([3, 1], np.eye(4)[[3, 0]])],
    ids=["classes", "lengths, one-hot"],
)
def test_a_stack_passes_with_labels_and_their_cross_entropy(layers, lengths, labels):
    model = Sequential(layers())
    report = gradcheck.check(model, X, labels=labels, lengths=lengths)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == [*model.params, "x"]


@pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS.keys())
def test_a_stack_passes_without_a_loss(layers):
    assert gradcheck.check(Sequential(layers()), X).passed


def test_a_stack_passes_with_a_label_at_every_step():
    model = Sequential([LSTM(I, H, return_sequences=True, seed=0), Dense(H, 4, seed=1)])
    labels = np.arange(B * T).reshape(B, T) % 4
    assert gradcheck.check(model, X, labels=labels).passed


def squared_error(y, target):
    return 0.5 * np.sum((y - target) ** 2), y - target


@pytest.mark.parametrize("make", [LSTM, RNN, GRU])
def test_a_loss_of_ones_own_is_used_as_given(make):
    target = normal(B, H, seed=3)
    assert gradcheck.check(make(I, H, seed=0), X, labels=target, loss=squared_error).passed

    def twice_the_gradient(y, target):
        loss, dy = squared_error(y, target)
        return loss, 2.0 * dy

    report = gradcheck.check(make(I, H, seed=0), X, labels=target, loss=twice_the_gradient)
    assert wrong_arrays(report) == {a.name for a in report.arrays}
    for a in report.arrays:
        assert a.analytic == pytest.approx(2.0 * a.numeric, rel=1e-5)


def test_a_loss_may_do_without_labels():
    def energy(y, labels):
        assert labels is None
        return 0.5 * np.sum(y**2), y

    assert gradcheck.check(RNN(I, H, seed=0), X, loss=energy).passed


# ---- what the report says ------------------------------------------------------------------


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


# ---- objects of a person's own -------------------------------------------------------------


def test_a_hand_written_network_passes():
    report = gradcheck.check(HandWritten(I, H), X)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == ["U", "V", "a", "x"]


def test_a_hand_written_network_passes_with_labels():
    assert gradcheck.check(HandWritten(I, H), X, labels=[0, 2]).passed


def test_a_hand_written_network_gets_its_parameters_and_gradients_back():
    own, twin = HandWritten(I, H), HandWritten(I, H)
    arrays = {name: id(a) for name, a in own.params.items()}
    gradcheck.check(own, X, labels=[0, 2])
    assert {name: id(a) for name, a in own.params.items()} == arrays
    _, dy = functional.softmax_cross_entropy(twin.forward(X), [0, 2])
    twin.backward(dy)
    assert snapshot(own) == snapshot(twin)


@pytest.mark.parametrize("call", [2, 5, 30])
def test_parameters_come_back_even_if_forward_breaks_half_way(call):
    class Breaks(HandWritten):
        calls = 0

        def forward(self, x):
            self.calls += 1
            if self.calls == call:
                raise ArithmeticError("broken")
            return super().forward(x)

    own = Breaks(I, H)
    with pytest.raises(ArithmeticError, match="broken"):
        gradcheck.check(own, X)
    before = HandWritten(I, H).params
    assert {n: a.tobytes() for n, a in own.params.items()} == {
        n: a.tobytes() for n, a in before.items()
    }


def test_backward_of_a_hand_written_network_need_not_return_dx():
    class NoInputGradient(HandWritten):
        def backward(self, dy):
            super().backward(dy)

    report = gradcheck.check(NoInputGradient(I, H), X)
    assert report.passed and [a.name for a in report.arrays] == ["U", "V", "a"]


def test_whole_numbers_are_handed_to_a_hand_written_network_as_they_are():
    class Lookup:
        def __init__(self):
            self.params, self.grads = {"table": normal(5, 3)}, {"table": np.zeros((5, 3))}

        def forward(self, x):
            assert x.dtype.kind == "i"
            self.x = x
            return self.params["table"][x]

        def backward(self, dy):
            self.grads["table"][...] = 0.0
            np.add.at(self.grads["table"], self.x, dy)

    report = gradcheck.check(Lookup(), np.array([[1, 4], [4, 0]]))
    assert report.passed and [a.name for a in report.arrays] == ["table"]


def test_a_hand_written_network_gets_lengths_if_it_takes_them():
    class TakesLengths(HandWritten):
        def forward(self, x, lengths=None):
            self.mask = (np.arange(x.shape[1]) < np.asarray(lengths)[:, None])[..., None]
            return super().forward(x * self.mask)

        def backward(self, dy):
            return super().backward(dy) * self.mask

    assert gradcheck.check(TakesLengths(I, H), X, lengths=[4, 2]).passed


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("factor", [0.0, -1.0, 1.01, 1.001], ids=["0", "-1", "1.01", "1.001"])
@pytest.mark.parametrize("name", ["U", "V", "a", "x"])
def test_a_mistake_in_a_hand_written_network_is_caught(name, factor):
    class Wrong(HandWritten):
        def backward(self, dy):
            dx = super().backward(dy)
            if name == "x":
                return factor * dx
            self.grads[name] *= factor
            return dx

    assert wrong_arrays(gradcheck.check(Wrong(I, H), X)) == {name}
