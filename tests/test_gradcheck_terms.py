"""The gradient check refuses every mistake in one term of backpropagation through time."""

import numpy as np
import pytest
from gradchecked import H, I, T, X, check, wrong_arrays

from rnnlite import LSTM, RNN, Dense, Sequential, functional


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
