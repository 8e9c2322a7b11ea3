"""The gradient check refuses every planted mistake.

Mistakes are planted in three places: in the result of a layer's ``backward``;
in backpropagation through time written out in NumPy, where each term has a
name and can be spoiled by itself; and in the equations of real cells, which
the compiled engine then runs.  A kink is none.
"""

import functools
import hashlib
from pathlib import Path

import numpy as np
import pytest
from gradchecked import H, I, T, X, spoilt, wrong_arrays

from rnnlite import GRU, LSTM, RNN, Dense, Sequential, cells, functional, gradcheck
from rnnlite.gradcheck import equations
from rnnlite.layers import Bidirectional, Embedding

# What the mistakes are called is asked in test_gradcheck_named.py; without it a check is quick.
check = functools.partial(gradcheck.check, name_mistakes=False)


# ---- planted mistakes, 1: the result of backward is spoilt -----------------------------------


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


@pytest.mark.quick(every=3)
@every_factor
@pytest.mark.parametrize(("base", "name"), ARRAYS, ids=array_ids)
def test_a_spoilt_gradient_is_caught_and_named(base, name, factor):
    layer = spoilt(base, multiply(name, factor))(I, H, seed=0)
    report = check(layer, X)
    assert not report.passed and wrong_arrays(report) == {name}


@pytest.mark.parametrize(("base", "name"), ARRAYS, ids=array_ids)
def test_the_spoiling_itself_is_not_what_fails(base, name):
    assert check(spoilt(base, multiply(name, 1.0))(I, H, seed=0), X).passed


@every_factor
@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_spoilt_gradient_of_the_initial_hidden_state_is_caught(base, factor):
    def of_state(state):
        return (factor * state[0], *state[1:]) if isinstance(state, tuple) else factor * state

    report = check(spoilt(base, untouched, of_state)(I, H, seed=0), X)
    assert not report.passed and wrong_arrays(report) == {"h0"}


@every_factor
def test_a_spoilt_gradient_of_the_initial_cell_state_is_caught(factor):
    layer = spoilt(LSTM, untouched, lambda state: (state[0], factor * state[1]))(I, H, seed=0)
    report = check(layer, X)
    assert not report.passed and wrong_arrays(report) == {"c0"}


@every_factor
def test_a_spoilt_gradient_of_an_embedding_is_caught(factor):
    layer = spoilt(Embedding, multiply("W", factor))(5, 2, seed=0)
    report = check(layer, np.array([[1, 4, 1], [0, 2, 2]]))
    assert not report.passed and wrong_arrays(report) == {"W"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
@pytest.mark.parametrize("t", range(T))
def test_one_skipped_step_of_dx_is_caught(base, t):
    def spoil(layer, dx):
        dx[:, t] = 0.0
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"x"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_transposed_weight_gradient_is_caught(base):
    def spoil(layer, dx):
        for gate in np.split(layer.grads["Wh"], len(layer.cell.gates), axis=1):
            gate[...] = gate.T.copy()
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
    assert wrong_arrays(report) == {"Wh"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
@pytest.mark.parametrize("factor", [1.01, 1.001])
def test_one_number_a_little_off_is_caught_where_it_is(base, factor):
    def spoil(layer, dx):
        largest = np.unravel_index(np.abs(layer.grads["Wh"]).argmax(), layer.grads["Wh"].shape)
        layer.grads["Wh"][largest] *= factor
        spoil.place = tuple(map(int, largest))
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
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

    assert wrong_arrays(check(spoilt(LSTM, spoil)(I, H, seed=0), X)) == {"b"}


@pytest.mark.parametrize("base", [LSTM, RNN, GRU])
def test_a_gradient_from_the_padding_is_caught(base):
    def spoil(layer, dx):
        dx[1, 2:] = 1e-3
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X, lengths=[4, 2])
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
    assert wrong_arrays(check(model, X, labels=[0, 2])) == {name}


@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_ones_own_subclass_of_sequential_is_caught(factor):
    Wrong = spoilt(Sequential, multiply("0.Wh", factor))
    report = check(Wrong([LSTM(I, H, seed=0), Dense(H, 3, seed=1)]), X)
    assert wrong_arrays(report) == {"0.Wh"}


@pytest.mark.parametrize("factor", [0.0, 1.001], ids=["missing", "0.1% off"])
def test_a_mistake_in_ones_own_subclass_of_bidirectional_is_caught(factor):
    Wrong = spoilt(Bidirectional, multiply("backward.Wh", factor))
    report = check(Wrong(LSTM(I, H, seed=0), seed=1), X)
    assert wrong_arrays(report) == {"backward.Wh"}


@pytest.mark.parametrize("base", [LSTM, RNN])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_one_number_that_is_not_finite_fails(base, value):
    def spoil(layer, dx):
        layer.grads["Wx"][1, 1] = value
        return dx

    report = check(spoilt(base, spoil)(I, H, seed=0), X)
    assert not report.passed and wrong_arrays(report) == {"Wx"}
    assert "FAILED" in str(report)


def test_a_network_that_computes_nan_fails():
    layer = LSTM(I, H, seed=0)
    layer.params["Wh"][0, 0] = np.nan
    report = check(layer, X)
    assert not report.passed and np.isnan(report.max_relative_error)


def test_samples_find_a_mistake_that_is_everywhere():
    layer = spoilt(LSTM, multiply("Wx", 1.001))(I, H, seed=0)
    assert wrong_arrays(check(layer, X, samples=1)) == {"Wx"}


def test_tolerance_is_the_line_between_right_and_wrong():
    layer = spoilt(LSTM, multiply("Wx", 1.001))(I, H, seed=0)
    assert check(layer, X, tolerance=2e-3).passed
    assert not check(layer, X, tolerance=5e-4).passed


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
    report = check(by_hand(base), X)
    assert report.passed, f"\n{report}"


FACTORS_OF_A_TERM = {"dropped": 0.0, "sign turned": -1.0, "1% off": 1.01, "0.1% off": 1.001}


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("factor", FACTORS_OF_A_TERM.values(), ids=FACTORS_OF_A_TERM.keys())
@pytest.mark.parametrize(("base", "term"), TERMS, ids=term_ids)
def test_a_spoilt_term_of_bptt_is_caught(base, term, factor):
    report = check(by_hand(base, term, factor), X)
    assert not report.passed, f"\n{report}"
    assert report.max_relative_error > 1e-5


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("at", range(T))
@pytest.mark.parametrize("term", ["dWh", "dWx", "db", "dx", "recursion"])
@pytest.mark.parametrize("base", BY_HAND)
def test_a_skipped_time_step_is_caught(base, term, at):
    report = check(by_hand(base, term, 0.0, at), X)
    expected = {"dWh": {"Wh"}, "dWx": {"Wx"}, "db": {"b"}, "dx": {"x"}}.get(term)
    assert not report.passed
    assert expected is None or wrong_arrays(report) == expected


@pytest.mark.parametrize("base", BY_HAND)
def test_a_transposed_weight_in_the_recursion_is_caught(base):
    report = check(by_hand(base, "transpose"), X)
    assert {"Wx", "Wh", "b", "x", "h0"} <= wrong_arrays(report)


def test_dx_without_one_gate_is_caught():
    report = check(by_hand(LSTMByHand, "dx without the forget gate"), X)
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
        return check(model, X, labels=[0, 2])

    assert report(1.0).passed
    assert not report(1.001).passed


# ---- planted mistakes, 3: in the equations of a cell, run by the engine ----------------------

# Cell, what is wrong: one piece of the text of its file, what stands there instead, and what the
# report calls it; None for what is in no catalogue.
MISTAKES = {
    ("lstm", "dc without the term from dh"): (
        "dc + dh * o * (1.0 - tanh_c * tanh_c)", "dc", "lstm-dc-without-dh"
    ),
    ("lstm", "no gradient of the forget gate"): ("df * f * (1.0 - f)", "zero_like(f)", None),
    ("lstm", "no slope of the output gate"): ("do * o * (1.0 - o)", "do", "lstm-no-slope-o"),
    ("lstm", "sign of the candidate's slope"): ("dg * (1.0 - g * g)", "dg * (g * g - 1.0)", None),
    ("lstm", "new cell state for the old"): (
        "df = dc * c_before", "df = dc * c", "lstm-df-with-c-after"
    ),
    ("lstm", "cell state cut off"): (
        "dc_before = dc * f", "dc_before = zero_like(dc)", "lstm-dc-cut"
    ),
    ("lstm", "output gate 1% off"): ("do = dh * tanh_c", "do = dh * tanh_c * 1.01", None),
    ("lstm", "cell state 0.1% off"): ("dc_before = dc * f", "dc_before = dc * f * 1.001", None),
    ("rnn", "no slope"): ("dh * (1.0 - h * h)", "dh", "rnn-no-slope"),
    ("rnn", "sign of the slope"): ("dh * (1.0 - h * h)", "dh * (h * h - 1.0)", "rnn-slope-sign"),
    ("rnn", "slope of ReLU"): ("dh * (1.0 - h * h)", "where_positive(h, dh)", None),
    ("rnn", "1% off"): ("dh * (1.0 - h * h)", "dh * (1.0 - h * h) * 1.01", None),
    ("rnn", "0.1% off in the slope"): ("dh * (1.0 - h * h)", "dh * (1.0 - h * h * 1.001)", None),
    ("gru", "no reset gate on the way back"): (
        "dh_n = dx_n * r", "dh_n = dx_n", "gru-dh_n-without-r"
    ),
    ("gru", "update gate 0.1% off"): ("dh_n), (dh * z,)", "dh_n), (dh * z * 1.001,)", None),
}  # fmt: skip
LAYER_OF = {"lstm": LSTM, "rnn": RNN, "gru": GRU}


def with_cell(name, right, wrong, compiled):
    """A layer whose cell comes from the file of that name with one piece of text exchanged."""
    text = Path(cells.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    assert text.count(right) == 1, f"cells/{name}.py has changed: {right!r} is not in it once"
    text = text.replace(right, wrong)
    namespace = {}
    exec(compile(text, f"<{name}.py: {wrong}>", "exec"), namespace)
    cell = namespace[name.upper()]
    cell = cell["tanh"] if name == "rnn" else cell
    # Compiled kernels are saved under the cell's name: one name for each text.
    edition = hashlib.sha256(text.encode()).hexdigest()[:16]
    layer = LAYER_OF[name](I, H, seed=0)
    vars(layer)["cell"] = cell._replace(name=f"{cell.name}-{edition}", compiled=compiled)
    return layer


def every_mistake():
    """The first of each cell in the plain engine is quick; compiled, others are by hand."""
    seen = set()
    for (cell, what), texts in MISTAKES.items():
        again = cell in seen
        marks = [pytest.mark.long, *([pytest.mark.by_hand] if again else ())]
        seen.add(cell)
        yield pytest.param(
            cell, *texts, False, id=f"{cell}: {what}-plain", marks=marks[:1] if again else ()
        )
        yield pytest.param(cell, *texts, True, id=f"{cell}: {what}-compiled", marks=marks)


@pytest.mark.parametrize(("name", "right", "wrong", "called", "compiled"), list(every_mistake()))
def test_a_mistake_in_the_equations_of_a_cell_is_caught_and_named(
    name, right, wrong, called, compiled
):
    report = gradcheck.check(with_cell(name, right, wrong, compiled), X, samples=6)
    assert {"Wx", "Wh", "x"} <= wrong_arrays(report), f"\n{report}"
    assert [mistake.name for mistake in report.mistakes][:1] == ([called] if called else [])


@pytest.mark.parametrize(
    ("name", "compiled"),
    [*((name, False) for name in LAYER_OF), pytest.param("rnn", True, marks=pytest.mark.long)],
)
def test_an_exchanged_cell_with_the_right_equations_passes(name, compiled):
    report = check(with_cell(name, "cells.cell import", "cells.cell import", compiled), X)
    assert report.passed, f"\n{report}"


def test_an_error_of_the_tolerance_passes_and_a_larger_one_does_not(monkeypatch):
    errors, check_array = [], equations.check_array

    def recording(*arguments):
        report, places = check_array(*arguments)
        errors.append(report.relative_error)
        return report, places

    def a_little_wrong(dstate, saved, state, new_state):
        dz, dbefore = cells.LSTM.step_backward(dstate, saved, state, new_state)
        return (dz[0] * 1.001, *dz[1:]), dbefore

    monkeypatch.setattr(equations, "check_array", recording)
    cell = cells.LSTM._replace(step_backward=a_little_wrong)
    gradcheck.check_equations(cell)
    largest = max(errors)
    assert gradcheck.check_equations(cell, tolerance=largest) == []
    (note,) = gradcheck.check_equations(cell, tolerance=np.nextafter(largest, 0))
    assert note.startswith("step_backward: dz[0] (i) is wrong")


# ---- kinks ---------------------------------------------------------------------------------


def one_relu(x, slope=1.0):
    """ReLU(x) of one number, its derivative times ``slope``; the check at zero state."""
    base = spoilt(RNN, multiply("x", slope)) if slope != 1.0 else RNN
    layer = base(1, 1, activation="relu", seed=0, dtype="float64")
    layer.params["Wx"][...], layer.params["Wh"][...], layer.params["b"][...] = 1.0, 1.0, 0.0
    return check(layer, [[[x]]], initial_state=np.zeros((1, 1)))


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
    report = check(layer, x, initial_state=np.zeros((3, 1)))
    assert report.passed, f"\n{report}"
