"""A failed gradient check names the mistake: every one of the catalogue, in every cell it is of."""

import itertools

import numpy as np
import pytest
from gradchecked import B, H, HandWritten, I, X

from rnnlite import (
    GRU,
    LSTM,
    RNN,
    Dense,
    Recurrent,
    Sequential,
    cells,
    custom_cell,
    functional,
    gradcheck,
    mistakes,
)
from rnnlite.gradcheck.layouts import FAMILIES
from rnnlite.gradcheck.naming import named
from rnnlite.gradcheck.runs import Run
from rnnlite.layers import Activation, Bidirectional, Embedding
from rnnlite.mistakes.planting import called
from rnnlite.mistakes.switched import switched

# ---- every mistake, in every cell it is of, under names, shapes and a gate order of one's own ---

ORDERS = {4: [2, 0, 3, 1], 3: [1, 2, 0], 1: [0]}


def columns(array, order):
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[n] for n in order], axis=-1)


def run_of(name, made, own=True):
    """A run of a cell in which some mistakes are made.

    Weights of one's own are transposed, named as somebody likes, and their gates in another order;
    others, and peepholes, are those of a library's cell.
    """
    file, cell, relu = CELLS[name]
    cell = None if own and name != "peephole_lstm" else cell
    sizes = {"B": 2, "T": 3} | SIZES.get(name, {})
    x, *given, lengths = mistakes.cases(f"{file}_forward", seed=3, **sizes)[0]
    n, weights = FAMILIES[file][1], FAMILIES[file][2]
    state, arrays = given[:n], given[n:]
    functions = switched(file, made)
    options = {"relu": relu} if file == "rnn" else {}
    y, *saved = functions[f"{file}_forward"](x, *state, *arrays, lengths, **options)
    final = tuple(a[:, -1] for a in saved[:n])
    rng = np.random.default_rng(4)
    dy, *dstate = (rng.standard_normal(a.shape) for a in (y, *state))
    matrices = [a for a, name in zip(arrays, weights, strict=True) if name[0] != "b"]
    dx, *d = functions[f"{file}_backward"](dy, *dstate, x, *saved, *matrices, lengths, **options)
    order = ORDERS[len(FAMILIES[file][0])]

    def theirs(name, array):
        if name == "p":
            return dict(zip(("p_i", "p_f", "p_o"), np.split(array, 3), strict=True))
        return {name: array} if cell else {f"their {name}": columns(array, order).T}

    params, found = {}, {"x": dx}
    for name, array, gradient in zip(weights, arrays, d, strict=False):
        params |= theirs(name, array)
        found |= theirs(name, gradient)
    found |= dict(zip(("h0", "c0"), d[len(weights) :], strict=False))
    layer = cell and Recurrent(cell, x.shape[2], y.shape[2])
    return Run(layer, params, x, lengths, tuple(state), y, dy, tuple(dstate), found, final)


CELLS = {
    "rnn": ("rnn", RNN(1, 1).cell, False),
    "relu": ("rnn", RNN(1, 1, activation="relu").cell, True),
    "lstm": ("lstm", LSTM(1, 1).cell, False),
    "peephole_lstm": ("peephole_lstm", LSTM(1, 1, peephole=True).cell, False),
    "gru": ("gru", GRU(1, 1).cell, False),
    "gru_2014": ("gru_2014", GRU(1, 1, reset_after=False).cell, False),
}
SIZES = {"relu": {"B": 4, "T": 4, "H": 5}}  # half of its units are silent
# Cells with four gates have some fifty mistakes each: seconds, and so in .ci/run.
every_cell = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long) if "lstm" in n else n for n in CELLS]
)


def made_in(name):
    """All mistakes that the code of a cell can have."""
    file = CELLS[name][0]
    other = {"rnn": "relu_step", "relu": "rnn_step"}.get(name, "-")
    subjects = {*called(f"{file}_forward"), *called(f"{file}_backward")}
    return mistakes.of(*(s for s in subjects if not s.startswith(other)))


def is_backward(mistake):
    return mistake.subject.endswith("_backward")


# Under a gate order of one's own, this is a forward that is right, and a backward that mixes it up.
SAME_AS = {"lstm-gate-order": "lstm-gates-stacked-f-i"}


@every_cell
def test_right_gradients_have_no_mistake(name):
    assert named(run_of(name, ())) == []


@pytest.mark.quick(every=3)
@every_cell
def test_every_mistake_draws_its_own_sentence_and_no_other(name):
    for mistake in made_in(name):
        found = named(run_of(name, (mistake,), own=is_backward(mistake)))
        wanted = SAME_AS.get(mistake.name, mistake.name)
        assert [[m.name for m in together] for together in found] == [[wanted]]


@pytest.mark.quick(every=3)
@every_cell
def test_two_mistakes_at_once_are_found(name):
    backward = [mistake for mistake in made_in(name) if is_backward(mistake)]
    pairs = [p for p in itertools.combinations(backward, 2) if p[0].right != p[1].right]
    rng = np.random.default_rng(5)
    for n in rng.choice(len(pairs), 6, replace=False):
        found = named(run_of(name, pairs[n]))
        hidden = [(m,) for m in pairs[n]]  # one of them may undo all that the other does
        assert pairs[n] in found or any(m in found for m in hidden), [m.name for m in pairs[n]]


@pytest.mark.quick(every=3)
@every_cell
def test_what_is_not_in_the_catalogue_has_no_name(name):
    run = run_of(name, ())
    for array in run.found:
        for factor in (1.001, -1.0):
            assert named(run._replace(found=run.found | {array: factor * run.found[array]})) == []


# ---- what a report says --------------------------------------------------------------------


def told(report):
    return [mistake.name for mistake in report.mistakes]


def test_the_report_says_what_it_is_as_if_and_why_and_where_to_read_on():
    def forgets(dstate, saved, state, new_state):
        (*dz, _), dbefore = cells.LSTM.step_backward(dstate, saved, state, new_state)
        (dh, _), (_, c) = dstate, new_state
        return (*dz, dh * np.tanh(c)), dbefore

    cell = cells.LSTM._replace(step_backward=forgets, compiled=False, name="forgets")
    report = gradcheck.check(Recurrent(cell, I, H, seed=0), X)
    assert told(report) == ["lstm-no-slope-o"]
    assert str(report).splitlines()[-2:] == [
        "as if the derivative of the output gate's sigmoid had been left out: "
        "dz_o = do * o * (1 - o)",
        "  σ' = σ (1 - σ) belongs to every gate: without it the gate is taken for linear. "
        "(Gers, Schmidhuber & Cummins 2000, Learning to forget; rnnlite/reference/lstm.py)",
    ]
    assert gradcheck.check_equations(cell)[-2:] == list(report.notes[-2:])


@pytest.mark.long
def test_a_cell_of_ones_own_is_known_by_its_numbers_whatever_its_gates_are_called():
    def step(z, state):
        show, write, keep, new = z
        o, i, f = (1 / (1 + np.exp(-a)) for a in (show, write, keep))
        g = np.tanh(new)
        c = f * state[1] + i * g
        return (o * np.tanh(c), c), (o, i, f, g)

    def step_backward(dstate, saved, state, new_state):
        (dh, dc), (o, i, f, g), c = dstate, saved, new_state[1]
        t = np.tanh(c)
        dc = dc + dh * o * (1 - t * t)
        do, di, df, dg = dh * t, dc * g, dc * c, dc * i  # c after the step, not before it
        slopes = (do * o * (1 - o), di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g))
        return slopes, (0 * dh, dc * f)

    gates = ["show", "write", "keep", "new"]
    cell = custom_cell(
        "mine", step, step_backward, gates=gates, saved=gates, states=["h", "c"], compiled=False
    )
    for lengths in (None, [4, 2]):
        report = gradcheck.check(Recurrent(cell, I, H, seed=0), X, lengths=lengths)
        assert told(report) == ["lstm-df-with-c-after"]
    report = gradcheck.check(Recurrent(cell, I, H, seed=0, go_backwards=True), X, lengths=[4, 2])
    assert told(report) == ["lstm-df-with-c-after"]
    model = Sequential([Bidirectional(Recurrent(cell, I, H, seed=0)), Dense(2 * H, 3, seed=1)])
    report = gradcheck.check(model, X, labels=[0, 2])
    assert told(report) == ["lstm-df-with-c-after"]
    said = [note.split(":")[0] for note in report.notes if "as if" in note]
    assert said == ["0.forward", "0.backward"]


class Gates:
    """A GRU as it stands in many a course: a matrix for [h; x] and a bias column for each gate."""

    def __init__(self, I, H, forgets):
        names = [f"W{gate}" for gate in "zrn"] + [f"b{gate}" for gate in "zrn"]
        rng = np.random.default_rng(0)
        shapes = [(H, H + I)] * 3 + [(H, 1)] * 3
        self.params = {n: rng.normal(size=s) for n, s in zip(names, shapes, strict=True)}
        self.grads, self.forgets = {}, forgets

    def forward(self, x):
        p, h = self.params, np.zeros((len(self.params["bz"]), len(x)))
        self.x, self.steps, outputs = x, [], []
        for t in range(x.shape[1]):
            both = np.vstack([h, x[:, t].T])
            z = 1 / (1 + np.exp(-(p["Wz"] @ both + p["bz"])))
            r = 1 / (1 + np.exp(-(p["Wr"] @ both + p["br"])))
            reset = np.vstack([r * h, x[:, t].T])
            n = np.tanh(p["Wn"] @ reset + p["bn"])
            self.steps.append((h, both, reset, z, r, n))
            h = (1 - z) * n + z * h
            outputs.append(h.T)
        return np.stack(outputs, axis=1)

    def backward(self, dy):
        p, dx, dh = self.params, np.zeros(self.x.shape), 0
        self.grads = {name: np.zeros(array.shape) for name, array in p.items()}
        for t, (h, both, reset, z, r, n) in reversed(list(enumerate(self.steps))):
            dh, H = dh + dy[:, t].T, len(h)
            dn = dh * (1 - z) * (1 - n**2)
            dreset = p["Wn"].T @ dn
            dz = dh * (h - n) * z * (1 - z)
            dr = dreset[:H] * h * r * (1 - r)
            dboth = p["Wz"].T @ dz + p["Wr"].T @ dr
            for gate, d, inputs in (("z", dz, both), ("r", dr, both), ("n", dn, reset)):
                self.grads[f"W{gate}"] += d @ inputs.T
                self.grads[f"b{gate}"] += d.sum(axis=1, keepdims=True)
            dx[:, t] = (dreset + dboth)[H:].T
            dh = dh * z + dreset[:H] * (1 if self.forgets else r) + dboth[:H]
        return dx


@pytest.mark.parametrize(
    ("inputs", "units"), [pytest.param(I, H, marks=pytest.mark.long), (1, H), (I, 1)]
)
def test_a_matrix_for_each_gate_and_columns_for_rows_are_known_by_their_numbers(inputs, units):
    assert gradcheck.check(Gates(inputs, units, forgets=False), X[..., :inputs]).passed
    report = gradcheck.check(Gates(inputs, units, forgets=True), X[..., :inputs])
    assert told(report) == ["gru-2014-dh-without-r"]


def test_three_numbers_that_are_no_gates_are_left_unnamed():
    class Parabola:
        def __init__(self):
            self.params = {name: np.array([[1.0]]) for name in "abc"}
            self.grads = {}

        def forward(self, x):
            a, b, c = self.params.values()
            self.x = x
            return a * x**2 + b * x + c

        def backward(self, dy):
            powers = self.x**2, self.x, 2.0  # the last should be 1
            self.grads = {
                n: np.sum(dy * p).reshape(1, 1) for n, p in zip("abc", powers, strict=True)
            }

    report = gradcheck.check(Parabola(), X)
    assert not report.passed and report.mistakes == ()


class Handwriting(HandWritten):
    """Three mistakes in one: each touches another array."""

    def backward(self, dy):
        p, g, dx = self.params, self.grads, np.zeros(self.x.shape)
        for grad in g.values():
            grad[...] = 0.0
        dh = dy
        for t in reversed(range(self.x.shape[1])):
            dz = dh * (1.0 - self.h[t + 1] ** 2)
            g["U"] += self.x[:, t].T @ dz / (len(dz) if "U" in self.wrong else 1)
            g["V"] += self.h[t + 1 if "V" in self.wrong else t].T @ dz
            g["a"] = dz.sum(axis=0) + (0 if "a" in self.wrong else g["a"])
            dx[:, t] = dz @ p["U"].T
            dh = dz @ p["V"].T
        return dx


@pytest.mark.parametrize("wrong", ["U", "V", "a", "Va", "UV"])
def test_mistakes_in_a_network_of_ones_own_are_named_one_or_two_at_once(wrong):
    own = Handwriting(I, H)
    own.wrong = wrong
    names = {"U": "step-dWx-averaged", "V": "bptt-dWh-with-h-after-rnn", "a": "bptt-db-overwritten"}
    assert sorted(told(gradcheck.check(own, X))) == sorted(names[letter] for letter in wrong)


def test_three_mistakes_at_once_have_no_name():
    own = Handwriting(I, H)
    own.wrong = "UVa"
    report = gradcheck.check(own, X)
    assert not report.passed and report.mistakes == () and "as if" not in str(report)


def test_a_wrong_forward_is_named_with_the_gradients_that_do_not_fit_it():
    class NoTanh(HandWritten):  # h = z forward, but backward goes through tanh
        def forward(self, x):
            p = self.params
            self.x, self.h = x, [np.zeros((len(x), len(p["a"])))]
            for t in range(x.shape[1]):
                self.h.append(np.tanh(x[:, t] @ p["U"] + p["a"]))
            return self.h[-1]

    report = gradcheck.check(NoTanh(I, H), X)
    assert told(report) == ["step-no-recurrence"]


def test_the_mistakes_of_two_layers_are_each_named_at_their_layer():
    class AveragedDense(Dense):
        def backward_pass(self, dy, saved):
            dx = super().backward_pass(dy, saved)
            self.grads["b"] /= len(dy)
            return dx

    class OnceMore(Embedding):
        def backward_pass(self, dy, saved):
            super().backward_pass(dy, saved)
            self.grads["W"] /= dy.shape[0] * dy.shape[1]

    model = Sequential(
        [OnceMore(5, 2, seed=0), RNN(2, H, seed=1), AveragedDense(H, 3, activation="tanh", seed=2)]
    )
    report = gradcheck.check(model, np.array([[1, 4, 1], [0, 2, 2]]), labels=[2, 0])
    said = [note for note in report.notes if "as if" in note]
    assert [note.partition(":")[0] for note in said] == ["0", "2"]
    assert told(report) == ["embedding-averaged", "dense-db-averaged"]


def test_a_loss_of_ones_own_is_named_too():
    def summed(y, labels):
        loss, dy = functional.softmax_cross_entropy(y, labels)
        return loss, dy * len(y)

    model = Sequential([LSTM(I, H, seed=0), Dense(H, 4, seed=1)])
    report = gradcheck.check(model, X, labels=[1, 3], loss=summed)
    assert told(report) == ["loss-gradient-not-averaged"]
    assert any(note.startswith("loss: as if the gradient had not been") for note in report.notes)


def test_comparing_costs_nothing_if_the_check_passes(monkeypatch):
    def never(*arguments):
        raise AssertionError("compared")

    monkeypatch.setattr("rnnlite.gradcheck.layer.recorded", never)
    assert gradcheck.check(RNN(I, H, seed=0), X).passed


# ---- what is no mistake --------------------------------------------------------------------


def test_a_kink_is_named_as_what_it_is():
    report = gradcheck.check(Activation("relu"), np.array([[0.0, 1.0, -2.0]]))
    assert not report.passed and report.mistakes == ()
    (note,) = report.notes
    assert note.startswith("x: at (0, 0) the loss has a kink, as ReLU has at zero: its slope is")
    layer = RNN(I, H, activation="relu", seed=0)  # b is zero: without an input, so is z
    report = gradcheck.check(layer, np.zeros((B, 2, I)), initial_state=np.zeros((B, H)))
    assert report.mistakes == () and "kink" in str(report)


def test_a_wrong_gradient_away_from_a_kink_is_not_called_one():
    class Half(Activation):
        def backward_pass(self, dy, saved):
            return 0.5 * super().backward_pass(dy, saved)

    report = gradcheck.check(Half("relu"), np.array([[0.5, 1.0, -2.0]]))
    assert not report.passed and report.notes == ()


def test_float32_is_named_as_what_it_is():
    class Single(HandWritten):
        def forward(self, x):
            return super().forward(x).astype(np.float32).astype(np.float64)

    report = gradcheck.check(Single(I, H), X)
    assert not report.passed and report.mistakes == ()
    assert report.notes[-1].startswith("forward computes in float32, as the digits of its output")


def test_a_gradient_in_float32_is_named_as_what_it_is():
    class Single(HandWritten):
        def backward(self, dy):
            dx = super().backward(dy)
            self.grads["V"][...] = self.grads["V"].astype(np.float32)
            return dx

    report = gradcheck.check(Single(I, H), X, tolerance=1e-9)
    assert "V: the gradient is of float32 numbers, right to seven digits at best" in str(report)
    assert gradcheck.check(Single(I, H), X).passed
