"""The gradient check passes every right gradient and refuses every planted mistake.

Mistakes are planted in three places: in the result of a layer's ``backward``;
in backpropagation through time written out in NumPy, where each term has a
name and can be spoiled by itself; and in the equations of real cells, which
the compiled engine then runs.
"""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import rnnlite
from rnnlite import GRU, LSTM, RNN, Dense, Sequential, cells, functional, gradcheck
from rnnlite.layers import Bidirectional, Dropout, Embedding, Layer, Recurrent

B, T, I, H = 2, 4, 2, 3


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


X = normal(B, T, I)


def wrong_arrays(report):
    """Names of the arrays whose gradient the check refuses."""
    return {a.name for a in report.arrays if not a.relative_error <= report.tolerance}


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


def centred_step_backward(dstate, kept, state, new_state, p):
    (dh,), (h, z_h), (scale,) = dstate, kept, p
    da = dh * (1.0 - h * h)
    dz_h = da * scale
    return (dz_h - dz_h.mean(),), (0.0 * dh,), (da * (z_h - z_h.mean()),)


CENTRED = rnnlite.custom_cell(
    "centred", centred_step, centred_step_backward,
    gates=["h"], kept=["h", "z_h"], unit_params={"scale": 1.0}, whole_rows=True,
)  # fmt: skip
RECURRENT = {
    "lstm": lambda **k: LSTM(I, H, seed=1, **k),
    "lstm, forget bias 0": lambda **k: LSTM(I, H, forget_bias=0.0, seed=1, **k),
    "lstm, forget bias -2": lambda **k: LSTM(I, H, forget_bias=-2.0, seed=1, **k),
    "rnn, tanh": lambda **k: RNN(I, H, activation="tanh", seed=1, **k),
    "rnn, relu": lambda **k: RNN(I, H, activation="relu", seed=1, **k),
    "gru": lambda **k: shaken(GRU(I, H, seed=1, **k)),
    "lstm, peephole": lambda **k: shaken(LSTM(I, H, peephole=True, seed=1, **k)),
    "lstm, clip": lambda **k: LSTM(I, H, clip=0.8, seed=1, **k),
    "lstm, peephole, clip": lambda **k: shaken(LSTM(I, H, peephole=True, clip=0.8, seed=1, **k)),
    "lstm, backwards": lambda **k: LSTM(I, H, go_backwards=True, seed=1, **k),
    "gru, reset before": lambda **k: shaken(GRU(I, H, reset_after=False, seed=1, **k)),
    "gru, backwards": lambda **k: GRU(I, H, go_backwards=True, seed=1, **k),
    "a cell that sees whole rows": lambda **k: shaken(Recurrent(CENTRED, I, H, seed=1, **k)),
}
every_recurrent = pytest.mark.parametrize("make", RECURRENT.values(), ids=RECURRENT.keys())


def state_of(layer, seed=5):
    states = tuple(normal(B, H, seed=seed + s) for s in range(len(layer.cell.states)))
    return states if len(states) > 1 else states[0]


@every_recurrent
@pytest.mark.parametrize("sequences", [False, True], ids=["last step", "every step"])
@pytest.mark.parametrize("lengths", [None, [T, 1], [2, 3]], ids=["full", "4 and 1", "2 and 3"])
@pytest.mark.parametrize("initial", ["random", "given"])
def test_a_recurrent_layer_passes_in_all_options(make, sequences, lengths, initial):
    layer = make(return_sequences=sequences)
    state = state_of(layer) if initial == "given" else None
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


@pytest.mark.parametrize("merge", ["concat", "sum"])
@pytest.mark.parametrize("sequences", [False, True], ids=["last step", "every step"])
@pytest.mark.parametrize("lengths", [None, [T, 1]], ids=["full", "4 and 1"])
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
@pytest.mark.parametrize("lengths", [None, [3, 1]], ids=["full", "lengths"])
@pytest.mark.parametrize("labels", [[3, 0], np.eye(4)[[3, 0]]], ids=["classes", "one-hot"])
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


@pytest.mark.parametrize("samples", [1, 5, 12, 10_000])
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


def snapshot(layer):
    return {name: array.tobytes() for name, array in (layer.params | layer.grads).items()}


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
    before, arrays = snapshot(layer), {name: id(a) for name, a in layer.params.items()}
    assert gradcheck.check(layer, X).passed
    assert snapshot(layer) == before
    assert {name: id(a) for name, a in layer.params.items()} == arrays
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
    kept = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    model = LSTM(I, H, seed=0)
    gradcheck.check(model, x, labels=labels, initial_state=(h0, c0), lengths=lengths)
    for now, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("in_a_model", [False, True])
def test_every_forward_pass_gets_the_lengths(in_a_model):
    seen = []

    class Watched(GRU):
        def forward(self, x, **options):
            seen.append(options.get("lengths"))
            return super().forward(x, **options)

    layer = Watched(I, H, seed=0)
    gradcheck.check(Sequential([layer]) if in_a_model else layer, X, lengths=[4, 2], samples=1)
    assert len(seen) > 8 and all(lengths == [4, 2] for lengths in seen)


def test_input_may_be_a_list_or_hold_whole_numbers():
    assert gradcheck.check(RNN(1, H, seed=0), [[[1], [2]]]).passed
    assert gradcheck.check(Dense(2, 2, seed=0), np.arange(6).reshape(3, 2)).passed


# ---- objects of a person's own -------------------------------------------------------------


class HandWritten:
    """A vanilla RNN as somebody might write it, last hidden state only."""

    def __init__(self, input_size, hidden_size, seed=0):
        rng = np.random.default_rng(seed)
        shapes = {
            "U": (input_size, hidden_size), "V": (hidden_size, hidden_size), "a": (hidden_size,)
        }  # fmt: skip
        self.params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}

    def forward(self, x):
        p = self.params
        self.x, self.h = x, [np.zeros((len(x), len(p["a"])))]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ p["U"] + self.h[t] @ p["V"] + p["a"]))
        return self.h[-1]

    def backward(self, dy):
        p, g, dx = self.params, self.grads, np.zeros(self.x.shape)
        for grad in g.values():
            grad[...] = 0.0
        dh = dy
        for t in reversed(range(self.x.shape[1])):
            dz = dh * (1.0 - self.h[t + 1] ** 2)
            g["U"] += self.x[:, t].T @ dz
            g["V"] += self.h[t].T @ dz
            g["a"] += dz.sum(axis=0)
            dx[:, t] = dz @ p["U"].T
            dh = dz @ p["V"].T
        return dx


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


# ---- planted mistakes, 1: the result of backward is spoilt -----------------------------------


def spoilt(base, spoil, of_state=None):
    """A layer class whose backward is ``spoil``-ed: ``spoil(layer, dx) -> dx``."""

    class Spoilt(base):
        def backward(self, dy, *rest, **options):
            return spoil(self, super().backward(dy, *rest, **options))

        if of_state is not None:

            @property
            def dinitial_state(self):
                return of_state(super().dinitial_state)

    return Spoilt


def multiply(name, factor):
    """Spoil for one array: gradient times ``factor``."""

    def spoil(layer, dx):
        if name == "x":
            return factor * dx
        layer.grads[name][...] *= factor
        return dx

    return spoil


def untouched(layer, dx):
    return dx


LAYERS = {
    "lstm": (LSTM, ("Wx", "Wh", "b", "x")),
    "rnn": (RNN, ("Wx", "Wh", "b", "x")),
    "gru": (GRU, ("Wx", "Wh", "b", "bh", "x")),
    "dense": (Dense, ("W", "b", "x")),
}
ARRAYS = [(base, name) for base, names in LAYERS.values() for name in names]
array_ids = [f"{layer}-{name}" for layer, (_, names) in LAYERS.items() for name in names]
FACTORS = {"missing": 0.0, "sign turned": -1.0, "1% off": 1.01, "0.1% off": 1.001, "NaN": np.nan}
every_factor = pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS.keys())


@every_factor
@pytest.mark.parametrize(("base", "name"), ARRAYS, ids=array_ids)
def test_a_spoilt_gradient_is_caught_and_named(base, name, factor):
    layer = spoilt(base, multiply(name, factor))(I, H, seed=0)
    report = gradcheck.check(layer, X)
    assert not report.passed and wrong_arrays(report) == {name}


@pytest.mark.parametrize(("base", "name"), ARRAYS, ids=array_ids)
def test_the_spoiling_itself_is_not_what_fails(base, name):
    assert gradcheck.check(spoilt(base, multiply(name, 1.0))(I, H, seed=0), X).passed


@every_factor
@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_spoilt_gradient_of_the_initial_hidden_state_is_caught(base, factor):
    def of_state(state):
        return (factor * state[0], *state[1:]) if isinstance(state, tuple) else factor * state

    report = gradcheck.check(spoilt(base, untouched, of_state)(I, H, seed=0), X)
    assert not report.passed and wrong_arrays(report) == {"h0"}


@every_factor
def test_a_spoilt_gradient_of_the_initial_cell_state_is_caught(factor):
    layer = spoilt(LSTM, untouched, lambda state: (state[0], factor * state[1]))(I, H, seed=0)
    report = gradcheck.check(layer, X)
    assert not report.passed and wrong_arrays(report) == {"c0"}


@every_factor
def test_a_spoilt_gradient_of_an_embedding_is_caught(factor):
    layer = spoilt(Embedding, multiply("W", factor))(5, 2, seed=0)
    report = gradcheck.check(layer, np.array([[1, 4, 1], [0, 2, 2]]))
    assert not report.passed and wrong_arrays(report) == {"W"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
@pytest.mark.parametrize("t", range(T))
def test_one_skipped_step_of_dx_is_caught(base, t):
    def spoil(layer, dx):
        dx[:, t] = 0.0
        return dx

    report = gradcheck.check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"x"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_transposed_weight_gradient_is_caught(base):
    def spoil(layer, dx):
        for gate in np.split(layer.grads["Wh"], len(layer.cell.gates), axis=1):
            gate[...] = gate.T.copy()
        return dx

    report = gradcheck.check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"Wh"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
@pytest.mark.parametrize("factor", [1.01, 1.001])
def test_one_number_a_little_off_is_caught_where_it_is(base, factor):
    def spoil(layer, dx):
        largest = np.unravel_index(np.abs(layer.grads["Wh"]).argmax(), layer.grads["Wh"].shape)
        layer.grads["Wh"][largest] *= factor
        spoil.place = tuple(map(int, largest))
        return dx

    report = gradcheck.check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"Wh"}
    (wrong,) = [a for a in report.arrays if a.name == "Wh"]
    assert wrong.worst == spoil.place
    assert wrong.relative_error == pytest.approx(factor - 1.0, rel=0.05)
    assert wrong.analytic / wrong.numeric == pytest.approx(factor, rel=1e-5)


def test_swapped_gates_are_caught():
    def spoil(layer, dx):
        i, f, g, o = np.split(layer.grads["b"].copy(), 4)
        layer.grads["b"][...] = np.concatenate([f, i, g, o])
        return dx

    assert wrong_arrays(gradcheck.check(spoilt(LSTM, spoil)(I, H, seed=0), X)) == {"b"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_gradient_from_the_padding_is_caught(base):
    def spoil(layer, dx):
        dx[1, 2:] = 1e-3
        return dx

    report = gradcheck.check(spoilt(base, spoil)(I, H, seed=0), X, lengths=[4, 2])
    assert wrong_arrays(report) == {"x"}


@pytest.mark.parametrize("name", ["0.Wx", "0.Wh", "0.b", "1.W", "1.b", "x"])
@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_a_layer_of_a_stack_is_caught(name, factor):
    # Each layer spoils its own gradients; the first one's dx is the model's.
    position, _, own = name.partition(".")
    first = multiply(own or "x", factor) if position in "0x" else untouched
    second = multiply(own, factor) if position == "1" else untouched
    model = Sequential(
        [spoilt(LSTM, first)(I, H, seed=0), spoilt(Dense, second)(H, 3, seed=1)]
    )  # fmt: skip
    assert wrong_arrays(gradcheck.check(model, X, labels=[0, 2])) == {name}


@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_ones_own_subclass_of_sequential_is_caught(factor):
    Wrong = spoilt(Sequential, multiply("0.Wh", factor))
    report = gradcheck.check(Wrong([LSTM(I, H, seed=0), Dense(H, 3, seed=1)]), X)
    assert wrong_arrays(report) == {"0.Wh"}


@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_ones_own_subclass_of_bidirectional_is_caught(factor):
    Wrong = spoilt(Bidirectional, multiply("backward.Wh", factor))
    report = gradcheck.check(Wrong(LSTM(I, H, seed=0), seed=1), X)
    assert wrong_arrays(report) == {"backward.Wh"}


@pytest.mark.parametrize("base", [LSTM, RNN])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_number_that_is_not_finite_fails(base, value):
    def spoil(layer, dx):
        layer.grads["Wx"][1, 1] = value
        return dx

    report = gradcheck.check(spoilt(base, spoil)(I, H, seed=0), X)
    assert not report.passed and wrong_arrays(report) == {"Wx"}
    assert "FAILED" in str(report)


def test_a_network_that_computes_nan_fails():
    layer = LSTM(I, H, seed=0)
    layer.params["Wh"][0, 0] = np.nan
    report = gradcheck.check(layer, X)
    assert not report.passed and np.isnan(report.max_relative_error)


def test_samples_find_a_mistake_that_is_everywhere():
    layer = spoilt(LSTM, multiply("Wx", 1.001))(I, H, seed=0)
    assert wrong_arrays(gradcheck.check(layer, X, samples=1)) == {"Wx"}


def test_tolerance_is_the_line_between_right_and_wrong():
    layer = spoilt(LSTM, multiply("Wx", 1.001))(I, H, seed=0)
    assert gradcheck.check(layer, X, tolerance=2e-3).passed
    assert not gradcheck.check(layer, X, tolerance=5e-4).passed


# ---- planted mistakes, 2: one term of backpropagation through time ---------------------------


class ByHand:
    """Backpropagation through time in NumPy, in which single terms can be spoilt.

    ``wrong`` names a term, ``factor`` is what it is multiplied by; ``at`` is the
    time step at which that happens, None for all.
    """

    wrong, factor, at = None, 1.0, None

    def forward(self, x, initial_state=None, **options):
        self.x = np.asarray(x)
        self.initial = initial_state if isinstance(initial_state, tuple) else (initial_state,)
        return super().forward(x, initial_state, **options)

    @property
    def dinitial_state(self):
        return self.dinitial if len(self.dinitial) > 1 else self.dinitial[0]

    def term(self, name, value, t=None):
        spoil = name == self.wrong and (self.at is None or self.at == t)
        return value * self.factor if spoil else value

    def sum_over_time(self, dz, h_before, Wx):
        """dWx, dWh, db and dx of z = x Wx + h_before Wh + b, one step after the other."""
        for grad in self.grads.values():
            grad[...] = 0.0
        dx = np.zeros_like(self.x)
        for t in range(self.x.shape[1]):
            self.grads["Wx"] += self.term("dWx", self.x[:, t].T @ dz[t], t)
            self.grads["Wh"] += self.term("dWh", h_before[t].T @ dz[t], t)
            self.grads["b"] += self.term("db", dz[t].sum(axis=0), t)
            dx[:, t] = self.term("dx", dz[t] @ Wx.T, t)
        return dx

    def back_to_h(self, dz, Wh):
        """dL/dh_before: dz Wh^T, or with Wh taken for its transpose, gate by gate."""
        if self.wrong != "transpose":
            return dz @ Wh.T
        gates = Wh.shape[1] // len(Wh)
        blocks = zip(np.split(dz, gates, axis=1), np.split(Wh, gates, axis=1), strict=True)
        return sum(part @ weights for part, weights in blocks)


class RNNByHand(ByHand, RNN):
    def backward(self, dy, dfinal_state=None, need_dx=True):
        p, T = self.params, self.x.shape[1]
        h = functional.rnn_forward(self.x, p["Wx"], p["Wh"], p["b"], *self.initial)[0]
        h = [self.initial[0], *np.moveaxis(h, 1, 0)]
        dz, dh = [None] * T, dy + dfinal_state
        for t in reversed(range(T)):
            dz[t] = dh * self.term("1 - h^2", 1.0 - h[t + 1] ** 2, t)
            dh = self.term("recursion", self.back_to_h(dz[t], p["Wh"]), t)
        self.dinitial = (self.term("dh0", dh),)
        return self.sum_over_time(dz, h[:-1], p["Wx"])


class LSTMByHand(ByHand, LSTM):
    def backward(self, dy, dfinal_state=None, need_dx=True):
        p, T, term = self.params, self.x.shape[1], self.term
        cache = functional.lstm_forward(self.x, p["Wx"], p["Wh"], p["b"], *self.initial)[2]
        h, c = (
            [first, *np.moveaxis(later, 1, 0)]
            for first, later in zip(self.initial, (cache.h, cache.c), strict=True)
        )
        dh, dc = dy + dfinal_state[0], dfinal_state[1]
        dz = [None] * T
        for t in reversed(range(T)):
            i, f, g, o = (gate[:, t] for gate in (cache.i, cache.f, cache.g, cache.o))
            tanh_c = np.tanh(c[t + 1])
            do = dh * tanh_c
            dc = dc + term("dc from dh", dh * o * (1.0 - tanh_c**2), t)
            di, dg, df = dc * g, dc * i, dc * c[t]
            dz_i = term("dz_i", di * i * (1.0 - i), t)
            dz_f = term("dz_f", df * f * (1.0 - f), t)
            dz_g = term("dz_g", dg * (1.0 - g**2), t)
            dz_o = term("dz_o", do * o * (1.0 - o), t)
            dz[t] = np.hstack([dz_i, dz_f, dz_g, dz_o])
            dh = term("recursion", self.back_to_h(dz[t], p["Wh"]), t)
            dc = term("dc f", dc * f, t)
        self.dinitial = term("dh0", dh), term("dc0", dc)
        dx = self.sum_over_time(dz, h[:-1], p["Wx"])
        if self.wrong == "dx without the forget gate":
            for t in range(T):
                dx[:, t] -= dz[t][:, H : 2 * H] @ p["Wx"][:, H : 2 * H].T
        return dx


BY_HAND = {
    RNNByHand: ("1 - h^2", "recursion", "dh0", "dWx", "dWh", "db", "dx"),
    LSTMByHand: (
        "dc from dh", "dz_i", "dz_f", "dz_g", "dz_o", "recursion", "dc f", "dh0", "dc0",
        "dWx", "dWh", "db", "dx",
    ),
}  # fmt: skip
TERMS = [(base, term) for base, terms in BY_HAND.items() for term in terms]
term_ids = [f"{base.__name__}-{term}" for base, term in TERMS]


def by_hand(base, wrong=None, factor=0.0, at=None):
    layer = base(I, H, seed=0)
    layer.wrong, layer.factor, layer.at = wrong, factor, at
    return layer


@pytest.mark.parametrize("base", BY_HAND)
def test_backpropagation_by_hand_without_a_mistake_passes(base):
    report = gradcheck.check(by_hand(base), X)
    assert report.passed, f"\n{report}"


FACTORS_OF_A_TERM = {"dropped": 0.0, "sign turned": -1.0, "1% off": 1.01, "0.1% off": 1.001}


@pytest.mark.parametrize("factor", FACTORS_OF_A_TERM.values(), ids=FACTORS_OF_A_TERM.keys())
@pytest.mark.parametrize(("base", "term"), TERMS, ids=term_ids)
def test_a_spoilt_term_of_bptt_is_caught(base, term, factor):
    report = gradcheck.check(by_hand(base, term, factor), X)
    assert not report.passed, f"\n{report}"
    assert report.max_relative_error > 1e-5


@pytest.mark.parametrize("at", range(T))
@pytest.mark.parametrize("term", ["dWh", "dWx", "db", "dx", "recursion"])
@pytest.mark.parametrize("base", BY_HAND)
def test_a_skipped_time_step_is_caught(base, term, at):
    report = gradcheck.check(by_hand(base, term, 0.0, at), X)
    expected = {"dWh": {"Wh"}, "dWx": {"Wx"}, "db": {"b"}, "dx": {"x"}}.get(term)
    assert not report.passed
    assert expected is None or wrong_arrays(report) == expected


@pytest.mark.parametrize("base", BY_HAND)
def test_a_transposed_weight_in_the_recursion_is_caught(base):
    report = gradcheck.check(by_hand(base, "transpose"), X)
    assert {"Wx", "Wh", "b", "x", "h0"} <= wrong_arrays(report)


def test_dx_without_one_gate_is_caught():
    report = gradcheck.check(by_hand(LSTMByHand, "dx without the forget gate"), X)
    assert wrong_arrays(report) == {"x"}


@pytest.mark.parametrize("base", BY_HAND)
def test_a_spoilt_term_is_caught_in_a_stack_as_well(base):
    class Zero(base):  # a Sequential hands over no states
        def forward(self, x, **options):
            zeros = [np.zeros((len(x), H)) for _ in self.cell.states]
            return super().forward(x, tuple(zeros) if len(zeros) > 1 else zeros[0], **options)

        def backward(self, dy, **options):
            zeros = [np.zeros_like(dy) for _ in self.cell.states]
            return super().backward(dy, tuple(zeros) if len(zeros) > 1 else zeros[0])

    def report(factor):
        model = Sequential([by_hand(Zero, "recursion", factor), Dense(H, 3, seed=1)])
        return gradcheck.check(model, X, labels=[0, 2])

    assert report(1.0).passed
    assert not report(1.001).passed


# ---- planted mistakes, 3: in the equations of a cell, run by the engine ----------------------

# Cell, what is wrong: one piece of the text of its file, and what stands there instead.
MISTAKES = {
    ("lstm", "dc without the term from dh"): ("dc + dh * o * (1.0 - tanh_c * tanh_c)", "dc"),
    ("lstm", "no gradient of the forget gate"): ("df * f * (1.0 - f)", "zero_like(f)"),
    ("lstm", "no slope of the output gate"): ("do * o * (1.0 - o)", "do"),
    ("lstm", "sign of the candidate's slope"): ("dg * (1.0 - g * g)", "dg * (g * g - 1.0)"),
    ("lstm", "new cell state for the old"): ("df = dc * c_before", "df = dc * c"),
    ("lstm", "cell state cut off"): ("dc_before = dc * f", "dc_before = zero_like(dc)"),
    ("lstm", "output gate 1% off"): ("do = dh * tanh_c", "do = dh * tanh_c * 1.01"),
    ("lstm", "cell state 0.1% off"): ("dc_before = dc * f", "dc_before = dc * f * 1.001"),
    ("rnn", "no slope"): ("dh * (1.0 - h * h)", "dh"),
    ("rnn", "sign of the slope"): ("dh * (1.0 - h * h)", "dh * (h * h - 1.0)"),
    ("rnn", "slope of ReLU"): ("dh * (1.0 - h * h)", "where_positive(h, dh)"),
    ("rnn", "1% off"): ("dh * (1.0 - h * h)", "dh * (1.0 - h * h) * 1.01"),
    ("rnn", "0.1% off in the slope"): ("dh * (1.0 - h * h)", "dh * (1.0 - h * h * 1.001)"),
    ("gru", "no reset gate on the way back"): ("dh_n = dx_n * r", "dh_n = dx_n"),
    ("gru", "update gate 0.1% off"): ("dh_n), (dh * z,)", "dh_n), (dh * z * 1.001,)"),
}
LAYER_OF = {"lstm": LSTM, "rnn": RNN, "gru": GRU}


def with_cell(name, right, wrong):
    """A layer whose cell comes from the file of that name with one piece of text exchanged."""
    text = Path(cells.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    assert text.count(right) == 1, f"cells/{name}.py has changed: {right!r} is not in it once"
    text = text.replace(right, wrong)
    namespace = {}
    exec(compile(text, f"<{name}.py: {wrong}>", "exec"), namespace)
    cell = namespace[name.upper()]
    cell = cell["tanh"] if name == "rnn" else cell
    # Compiled kernels are kept under the cell's name: one name for each text.
    edition = hashlib.sha256(text.encode()).hexdigest()[:16]
    layer = LAYER_OF[name](I, H, seed=0)
    layer.cell = cell._replace(name=f"{cell.name}-{edition}")
    return layer


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [(cell, *texts) for (cell, _), texts in MISTAKES.items()],
    ids=[f"{cell}: {what}" for cell, what in MISTAKES],
)
def test_a_mistake_in_the_equations_of_a_cell_is_caught(name, right, wrong):
    report = gradcheck.check(with_cell(name, right, wrong), X)
    assert {"Wx", "Wh", "x"} <= wrong_arrays(report), f"\n{report}"


@pytest.mark.parametrize("name", LAYER_OF)
def test_an_exchanged_cell_with_the_right_equations_passes(name):
    report = gradcheck.check(with_cell(name, "cells.cell import", "cells.cell import"), X)
    assert report.passed, f"\n{report}"


# ---- kinks ---------------------------------------------------------------------------------


def one_relu(x, slope=1.0):
    """ReLU(x) of one number, its derivative times ``slope``; the check at zero state."""
    base = spoilt(RNN, multiply("x", slope)) if slope != 1.0 else RNN
    layer = base(1, 1, activation="relu", seed=0, dtype="float64")
    layer.params["Wx"][...], layer.params["Wh"][...], layer.params["b"][...] = 1.0, 1.0, 0.0
    return gradcheck.check(layer, [[[x]]], initial_state=np.zeros((1, 1)))


@pytest.mark.parametrize("steps", [0.9, -0.9, 0.5, -0.5, 0.09, -0.09, 0.05, 1.5, -1.5])
def test_a_relu_kink_within_reach_of_a_step_does_not_fail_a_right_gradient(steps):
    report = one_relu(steps * gradcheck.STEP)
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize("steps", [0.9, 0.5, 0.09, 1.5])
@pytest.mark.parametrize("slope", [0.0, -1.0, 0.5, 1.01, 1.001])
def test_a_wrong_gradient_beside_a_kink_still_fails(steps, slope):
    assert wrong_arrays(one_relu(steps * gradcheck.STEP, slope)) == {"x"}


def test_a_kink_reached_by_a_weight_or_a_bias_does_not_fail_a_right_gradient():
    layer = RNN(2, 1, activation="relu", seed=0, dtype="float64")
    layer.params["Wx"][...], layer.params["b"][...] = [[1.0], [1.0]], 0.0
    x = np.array([[[1.0, -1.0 + 6e-6]], [[-2.0, 2.0 - 3e-6]], [[0.7, 0.1]]])
    report = gradcheck.check(layer, x, initial_state=np.zeros((3, 1)))
    assert report.passed, f"\n{report}"


# ---- what it refuses to check --------------------------------------------------------------


@pytest.mark.parametrize("member", ["forward", "backward", "params", "grads"])
def test_an_object_without_one_of_the_four_members_is_named_in_the_error(member):
    members = {name: getattr(HandWritten(I, H), name) for name in dir(HandWritten(I, H))}
    members = {name: members[name] for name in ("forward", "backward", "params", "grads")}
    del members[member]
    Incomplete = type("Incomplete", (), members)
    with pytest.raises(TypeError, match=rf"check: layer is of type Incomplete, without '{member}'"):
        gradcheck.check(Incomplete(), X)


def test_float32_parameters_of_an_own_object_are_refused_by_name():
    own = HandWritten(I, H)
    own.params["V"] = own.params["V"].astype(np.float32)
    with pytest.raises(TypeError, match=r"check: params\['V'\] is float32; .* float64"):
        gradcheck.check(own, X)


def test_parameters_that_are_no_arrays_are_refused_by_name():
    own = HandWritten(I, H)
    own.params["a"] = [0.0] * H
    with pytest.raises(TypeError, match=r"check: params\['a'\] is list; .* float64"):
        gradcheck.check(own, X)


def test_a_parameter_without_a_gradient_is_named_in_the_error():
    own = HandWritten(I, H)
    own.params["extra"] = np.zeros(2)
    with pytest.raises((TypeError, ValueError), match=r"check: .*grad.*extra|check: .*extra.*grad"):
        gradcheck.check(own, X)


@pytest.mark.parametrize(
    ("name", "change", "shape"),
    [
        ("U", lambda g: g.T, (H, I)),
        ("V", lambda g: g.reshape(-1), (H * H,)),
        ("a", lambda g: g[None], (1, H)),
        ("a", lambda g: g.sum(), ()),
    ],
    ids=["transposed", "flat", "an axis more", "a number"],
)
def test_a_gradient_of_a_wrong_shape_is_refused_with_both_shapes(name, change, shape):
    class Wrong(HandWritten):
        def backward(self, dy):
            fresh = HandWritten(I, H)
            fresh.params = self.params
            fresh.forward(self.x)
            dx = fresh.backward(dy)
            self.grads = fresh.grads | {name: change(fresh.grads[name])}
            return dx

    own = Wrong(I, H)
    wanted = own.params[name].shape
    pattern = re.escape(f"check: the gradient of {name} has shape {shape}; wanted {wanted}")
    with pytest.raises(ValueError, match=pattern):
        gradcheck.check(own, X)


def test_an_input_gradient_of_a_wrong_shape_is_refused_with_both_shapes():
    class Wrong(HandWritten):
        def backward(self, dy):
            return super().backward(dy)[:, :-1]

    pattern = re.escape(f"check: the gradient of x has shape {(B, T - 1, I)}; wanted {(B, T, I)}")
    with pytest.raises(ValueError, match=pattern):
        gradcheck.check(Wrong(I, H), X)


def test_lengths_for_an_object_that_takes_none_are_refused():
    with pytest.raises(TypeError, match=r"check: lengths were given, but .*forward takes none"):
        gradcheck.check(HandWritten(I, H), X, lengths=[4, 2])


@pytest.mark.parametrize(
    "layer",
    [HandWritten(I, H), Dense(I, 2, seed=0), Sequential([LSTM(I, H, seed=0)])],
    ids=["own", "dense", "model"],
)
def test_an_initial_state_for_an_object_that_takes_none_is_refused(layer):
    name = type(layer).__name__
    with pytest.raises(TypeError, match=f"layer is of type {name}, which takes no initial_state"):
        gradcheck.check(layer, X, initial_state=np.zeros((B, H)))


@pytest.mark.parametrize(
    "state",
    [np.zeros((B, H)), (np.zeros((B, H)),), (np.zeros((B, H)),) * 3, (np.zeros((B, H + 1)),) * 2],
    ids=["h alone", "one of two", "three of two", "wrong shape"],
)
def test_an_initial_state_that_does_not_fit_an_lstm_is_a_clear_error(state):
    with pytest.raises((TypeError, ValueError), match="initial_state"):
        gradcheck.check(LSTM(I, H, seed=0), X, initial_state=state)


@pytest.mark.parametrize(
    ("options", "error", "pattern"),
    [
        ({"samples": 0}, ValueError, "check: samples is 0"),
        ({"samples": 1.5}, TypeError, r"check: samples is 1\.5"),
        ({"tolerance": 0.0}, ValueError, r"check: tolerance is 0\.0"),
        ({"tolerance": np.nan}, ValueError, "check: tolerance is nan"),
        ({"tolerance": "small"}, TypeError, "check: tolerance is 'small'"),
        ({"lengths": [4]}, ValueError, r"lengths has shape \(1,\)"),
        ({"lengths": [4, 5]}, ValueError, r"lengths .* 1\.\.4"),
        ({"labels": [0, 9]}, ValueError, "labels"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_bad_argument_is_refused_by_name(options, error, pattern):
    with pytest.raises(error, match=pattern):
        gradcheck.check(LSTM(I, H, seed=0), X, **options)


def test_an_input_of_a_wrong_shape_is_the_layers_own_error():
    with pytest.raises(ValueError, match=r"LSTM\.forward: x has 3 features"):
        gradcheck.check(LSTM(I, H, seed=0), normal(B, T, 3))


def test_layers_of_ones_own_derived_from_layer_are_checked_as_copies():
    class Scale(Layer):
        """y = x s, written by somebody who derives from Layer."""

        def __init__(self, features):
            super().__init__("Scale", {"s": (features,)}, "float32")
            self.params["s"][...] = np.arange(1, features + 1)

        def forward(self, x, **options):
            self.x = np.asarray(x, self.dtype)
            return self.x * self.params["s"]

        def backward(self, dy, **options):
            self.grads["s"][...] = (self.x * dy).reshape(-1, dy.shape[-1]).sum(axis=0)
            return dy * self.params["s"]

    layer = Scale(I)
    before = snapshot(layer)
    assert gradcheck.check(layer, X).passed
    assert snapshot(layer) == before
    model = Sequential([LSTM(I, H, seed=0), Scale(H)])
    assert gradcheck.check(model, X, labels=[0, 2]).passed
