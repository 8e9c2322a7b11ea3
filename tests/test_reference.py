"""The plain NumPy twin is itself held to numbers worked out by hand, to loops over single
numbers, to central differences and to PyTorch; mistakes planted in it must be noticed.

``test_functional.py`` holds the compiled functions to it; their keywords (peepholes, clip, the
GRU of 2014) are compared here."""

import inspect
import math
import sys
from typing import NamedTuple

import numpy as np
import pytest
from conftest import assert_all_close, every_dtype

from rnnlite import functional, reference

LN3 = math.log(3.0)  # sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, sigmoid(0) = 1/2
ATANH_HALF = math.atanh(0.5)


CLIP = 0.6  # in the random problems here it binds about a third of the inputs


class Cell(NamedTuple):
    name: str
    gates: int
    shown: str  # attributes of the cache
    biases: tuple = ("b",)
    states: tuple = ("h0",)
    extra: tuple = ()
    options: tuple = ()
    file: str = ""  # where its equations stand, if not in the file of that name

    @property
    def forward(self):
        return getattr(reference, f"{self.name}_forward")

    @property
    def backward(self):
        return getattr(reference, f"{self.name}_backward")

    @property
    def arrays(self):
        return ("x", "Wx", "Wh", *self.biases, *self.states, *self.extra)


CELLS = {
    "lstm": Cell("lstm", 4, "ifgoch", states=("h0", "c0")),
    "rnn-tanh": Cell("rnn", 1, "h", options=(("activation", "tanh"),)),
    "rnn-relu": Cell("rnn", 1, "h", options=(("activation", "relu"),)),
    "gru": Cell("gru", 3, "rznh", biases=("b", "bh")),
}
PLAIN_CELLS = dict(CELLS)
PEEPHOLES = CELLS["lstm"]._replace(extra=("peephole",), file="peephole_lstm")
CLIPPED = {"options": (("clip", CLIP),), "file": "peephole_lstm"}
KEYWORD_CELLS = {
    "lstm-peephole": PEEPHOLES,
    "lstm-clip": CELLS["lstm"]._replace(**CLIPPED),
    "lstm-peephole-clip": PEEPHOLES._replace(**CLIPPED),
    "gru-2014": CELLS["gru"]._replace(options=(("reset_after", False),), file="gru_2014"),
}
CELLS |= KEYWORD_CELLS


def for_each(cells):
    return pytest.mark.parametrize("cell", cells.values(), ids=cells.keys())


every_cell = for_each(CELLS)
every_clipped_cell = for_each({name: cell for name, cell in CELLS.items() if "clip" in name})


def problem(cell, B=3, T=4, I=2, H=3, lengths=None, initial=True, dtype=np.float64, seed=0):
    """Random arguments for a cell's forward function."""
    rng = np.random.default_rng(seed)
    K = cell.gates * H
    shapes = {"x": (B, T, I), "Wx": (I, K), "Wh": (H, K), "b": (K,), "bh": (K,)}
    shapes["peephole"] = (3 * H,)
    arguments = {
        name: rng.normal(0.0, 0.7, shapes.get(name, (B, H))).astype(dtype) for name in cell.arrays
    }
    if not initial:
        for name in cell.states:
            arguments[name] = None
    return arguments | dict(cell.options) | {"lengths": lengths}


def run(forward, arguments):
    """Outputs h, the final states as a tuple, and the cache."""
    h, state, cache = forward(**arguments)
    return h, state if isinstance(state, tuple) else (state,), cache


def upstream(h, states, seed=1):
    """Random gradients for the outputs and for each final state."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=h.shape), [rng.normal(size=s.shape) for s in states]


def padding(lengths, B=3, T=4):
    """True where a step lies past its row's length."""
    return np.arange(T) >= np.array([T] * B if lengths is None else lengths)[:, None]


def distance_from_clip(cache):
    """How far each input of an activation is from the bounds: above 0 within, below beyond.

    Columns i, f, g, o and c; inputs of padded steps are left out.
    """
    inputs = np.dstack([cache.z, cache.states[1][:, 1:]])[cache.inputs[-1][:, :, 0]]
    return cache.clip - np.abs(inputs)


# --- the gradient check -------------------------------------------------------------------


def central_differences(loss, array, step=1e-5):
    """Gradient of ``loss()`` by every element of ``array``, which is changed and restored."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + step
        above = loss()
        array[index] = value - step
        below = loss()
        array[index] = value
        gradient[index] = (above - below) / (2 * step)
    return gradient


def worst_error(cell, lengths=None, initial=True, use_dh=True, use_final=True):
    """Largest error of any gradient, relative to the largest element of its array."""
    arguments = problem(cell, lengths=lengths, initial=initial)
    arguments["x"][padding(lengths)] = np.nan
    h, states, cache = run(cell.forward, arguments)
    dh, dfinal = upstream(h, states)
    if "clip" in arguments:  # no difference may be taken across the kink
        assert np.abs(distance_from_clip(cache)).min() > 1e-4

    def loss():
        h, states, _ = run(cell.forward, arguments)
        total = np.sum(h * dh) if use_dh else 0.0
        return total + sum(np.sum(s * d) for s, d in zip(states, dfinal, strict=True) if use_final)

    given = dh.copy()
    given[padding(lengths)] = np.nan
    gradients = cell.backward(given if use_dh else None, cache, *(dfinal if use_final else ()))
    errors = []
    for name in cell.arrays:
        if arguments[name] is None:
            continue
        expected = central_differences(loss, arguments[name])
        error = np.abs(getattr(gradients, f"d{name}") - expected).max()
        errors.append(error / max(np.abs(expected).max(), 1e-3))
    return np.max(errors)  # NaN if one is NaN


NOTICED = 1e-6  # the check's tolerance: far above its own error, far below a 0.1% mistake


@every_cell
@pytest.mark.parametrize("lengths", [None, (4, 1, 2)], ids=["full", "ragged"])
@pytest.mark.parametrize("initial", [True, False], ids=["h0 given", "h0 zero"])
@pytest.mark.parametrize(
    ("use_dh", "use_final"),
    [(True, False), (False, True), (True, True)],
    ids=["every output", "final state only", "both"],
)
def test_every_gradient_equals_central_differences(cell, lengths, initial, use_dh, use_final):
    error = worst_error(cell, lengths=lengths, initial=initial, use_dh=use_dh, use_final=use_final)
    assert error < NOTICED


@every_clipped_cell
@pytest.mark.parametrize("lengths", [None, (4, 1, 2)], ids=["full", "ragged"])
def test_the_checks_see_inputs_within_the_clip_and_beyond_it(cell, lengths):
    _, _, cache = run(cell.forward, problem(cell, lengths=lengths))
    for name, distance in zip("ifgoc", np.split(distance_from_clip(cache), 5, axis=1), strict=True):
        assert (distance > 0).any(), name
        assert (distance < 0).any(), name


def plant(monkeypatch, cell, direction, old, new):
    """Replace one piece of the source of the cell's equations."""
    file = cell.file or cell.name
    name = f"{file}_{direction}"
    home = sys.modules[f"rnnlite.reference.{file}"]
    source = inspect.getsource(getattr(home, name))
    assert source.count(old) == 1, f"{name} holds {old!r} {source.count(old)} times"
    namespace = dict(vars(home))
    exec(compile(source.replace(old, new), f"<{name} with a mistake>", "exec"), namespace)
    for place, module in list(sys.modules.items()):
        if place.startswith("rnnlite.reference") and hasattr(module, name):
            monkeypatch.setattr(module, name, namespace[name])


WRONG_BACKWARD = [
    ("lstm", "dc * f, dc)", "dc, dc)", "the cell state's gradient passes the forget gate"),
    ("lstm", "dc = dc + dh * o", "dc = dh * o", "the cell state's gradient from later is lost"),
    ("lstm", "dz_i = di", "dz_i = -di", "a sign"),
    ("lstm", "dz_g = dg", "dz_g = 1.001 * dg", "0.1% in the candidate"),
    ("lstm", "dz_f = df", "dz_f = 0.999 * df", "0.1% in the forget gate"),
    ("lstm", "dz_o = do", "dz_o = 1.001 * do", "0.1% in the output gate"),
    ("lstm", "df = dc * c[:, t]", "df = dc * c[:, t + 1]", "the cell state one step late"),
    ("lstm", "dz[:, t] @ Wh.T, dh)", "dz[:, t] @ Wh.T, 0)", "padding stops the gradient of h"),
    ("lstm", "dc * f, dc)", "dc * f, 0)", "padding stops the gradient of c"),
    ("lstm", "h[:, :-1]", "h[:, 1:]", "dWh from the new state"),
    ("rnn-tanh", "1 - h_t**2", "1 - h_t", "the wrong derivative"),
    ("rnn-tanh", "1 - h_t**2", "1.001 - h_t**2", "0.1% in the derivative"),
    ("rnn-relu", "h_t > 0", "h_t >= 0", "a ReLU that always lets gradients through"),
    ("rnn-tanh", "dz[:, t] @ Wh.T, dh)", "dz[:, t] @ Wh, dh)", "Wh not transposed"),
    ("gru", "dh * z + da_h", "da_h", "the direct path through the update gate"),
    ("gru", "dr = dx_n * h_n", "dr = dx_n * n", "the reset gate"),
    ("gru", "dh_n = dx_n * r", "dh_n = dx_n", "the recurrent half without its reset"),
    ("gru", "da_z = dz", "da_z = 1.001 * dz", "0.1% in the update gate"),
    ("gru", "da_r = dr", "da_r = 0.999 * dr", "0.1% in the reset gate"),
    ("lstm-peephole", "dc + dz_o * p_o", "dc", "the output gate's peephole is forgotten"),
    ("lstm-peephole", "+ dz_i * p_i", "+ dz_i * p_f", "the peephole of another gate"),
    ("lstm-peephole", "+ dz_f * p_f", "+ 0.999 * dz_f * p_f", "0.1% in the forget gate's peephole"),
    ("lstm-peephole", "dz_o * c[:, 1:]", "dz_o * c[:, :-1]", "the output gate saw the old state"),
    ("lstm-peephole", "dz_i * c[:, :-1]", "dz_i * c[:, 1:]", "the input gate saw the new state"),
    ("lstm-peephole", "dz_f * c[:, :-1],", "1.001 * dz_f * c[:, :-1],", "0.1% in dpeephole"),
    ("lstm-peephole", "dc_before, dc)", "dc_before, 0)", "padding stops the gradient of c"),
    ("lstm-clip", "(1 - i) * in_i", "(1 - i)", "a slope beyond the clip, input gate"),
    ("lstm-clip", "(1 - f) * in_f", "(1 - f)", "a slope beyond the clip, forget gate"),
    ("lstm-clip", "(1 - g**2) * in_g", "(1 - g**2)", "a slope beyond the clip, candidate"),
    ("lstm-clip", "(1 - o) * in_o", "(1 - o)", "a slope beyond the clip, output gate"),
    ("lstm-clip", "(1 - tanh_c**2) * in_c", "(1 - tanh_c**2)", "a slope beyond the clip, c"),
    ("lstm-clip", "np.tanh(bounded(c[:, t + 1], clip))", "np.tanh(c[:, t + 1])", "c not clipped"),
    ("gru-2014", "drh * r +", "drh +", "the reset gate on the way back"),
    ("gru-2014", "+ drh * r", "+ 1.001 * drh * r", "0.1% through the reset gate"),
    ("gru-2014", "dr = drh", "dr = 0.999 * drh", "0.1% in the reset gate"),
    ("gru-2014", "cache.r * h[:, :-1]", "h[:, :-1]", "dWh_n from the state without its reset"),
    ("gru-2014", "dh_before, dh)", "dh_before, 0)", "padding stops the gradient of h"),
]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [mistake[:3] for mistake in WRONG_BACKWARD],
    ids=[f"{name}: {what}" for name, _, _, what in WRONG_BACKWARD],
)
def test_the_gradient_check_refuses_a_planted_mistake(monkeypatch, name, old, new):
    plant(monkeypatch, CELLS[name], "backward", old, new)
    assert worst_error(CELLS[name], lengths=(4, 3, 2)) > 10 * NOTICED


# --- numbers worked out by hand -----------------------------------------------------------


def test_one_lstm_step_by_hand():
    b = [0.0, LN3, ATANH_HALF, -LN3]  # i = 1/2, f = 3/4, g = 1/2, o = 1/4
    h, (hT, cT), cache = reference.lstm_forward(
        [[[5.0]]], np.zeros((1, 4)), np.zeros((1, 4)), b, h0=[[7.0]], c0=[[2.0]]
    )
    shown = [getattr(cache, name).item() for name in "ifgo"]
    np.testing.assert_allclose(shown, [0.5, 0.75, 0.5, 0.25], rtol=1e-15)
    c = 1.75  # 3/4 * 2 + 1/2 * 1/2
    assert cT.item() == cache.c.item() == pytest.approx(c, rel=1e-15)
    assert h.item() == hT.item() == cache.h.item() == pytest.approx(math.tanh(c) / 4, rel=1e-15)

    gradients = reference.lstm_backward([[[1.0]]], cache)
    dc = 0.25 * (1 - math.tanh(c) ** 2)  # dh * o * (1 - tanh^2 c)
    dz = [
        dc * 0.5 * 0.25,  # dc * g * i (1 - i)
        dc * 2.0 * 0.1875,  # dc * c0 * f (1 - f)
        dc * 0.5 * 0.75,  # dc * i * (1 - g^2)
        math.tanh(c) * 0.1875,  # dh * tanh c * o (1 - o)
    ]
    np.testing.assert_allclose(gradients.db, dz, rtol=1e-14)
    np.testing.assert_allclose(gradients.dWx[0], np.multiply(dz, 5.0), rtol=1e-14)
    np.testing.assert_allclose(gradients.dWh[0], np.multiply(dz, 7.0), rtol=1e-14)
    assert gradients.dc0.item() == pytest.approx(0.75 * dc, rel=1e-14)
    assert gradients.dh0.item() == gradients.dx.item() == 0.0  # both weights are zero


def test_one_lstm_step_with_peepholes_by_hand():
    p = [1.0, (LN3 - 4.0) / 2, 2.0]  # i and f see c0 = 2, o sees c_1 = 1.875
    b = [LN3 - 2.0, 4.0, ATANH_HALF, -LN3 - 3.75]  # so i = f = 3/4, g = 1/2, o = 1/4
    h, (hT, cT), cache = reference.lstm_forward(
        [[[5.0]]], np.zeros((1, 4)), np.zeros((1, 4)), b, c0=[[2.0]], peephole=p
    )
    shown = [getattr(cache, name).item() for name in "ifgo"]
    np.testing.assert_allclose(shown, [0.75, 0.75, 0.5, 0.25], rtol=1e-14)
    c = 1.875  # 3/4 * 2 + 3/4 * 1/2
    assert cT.item() == cache.c.item() == pytest.approx(c, rel=1e-14)
    assert h.item() == hT.item() == pytest.approx(math.tanh(c) / 4, rel=1e-14)

    gradients = reference.lstm_backward([[[1.0]]], cache)
    dz_o = math.tanh(c) * 0.1875  # dh * tanh c * o (1 - o)
    dc = 0.25 * (1 - math.tanh(c) ** 2) + 2.0 * dz_o  # dh * o * (1 - tanh^2 c) + p_o dz_o
    dz_i = dc * 0.5 * 0.1875  # dc * g * i (1 - i)
    dz_f = dc * 2.0 * 0.1875  # dc * c0 * f (1 - f)
    dz_g = dc * 0.75 * 0.75  # dc * i * (1 - g^2)
    np.testing.assert_allclose(gradients.db, [dz_i, dz_f, dz_g, dz_o], rtol=1e-13)
    np.testing.assert_allclose(gradients.dpeephole, [2 * dz_i, 2 * dz_f, c * dz_o], rtol=1e-13)
    assert gradients.dc0.item() == pytest.approx(0.75 * dc + dz_i + p[1] * dz_f, rel=1e-13)


def test_one_clipped_lstm_step_by_hand():
    b = [5.0, -9.0, ATANH_HALF, 0.0]  # clip = ln 3: i = 3/4, f = 1/4; within it g = o = 1/2
    h, (_, cT), cache = reference.lstm_forward(
        [[[5.0]]], np.zeros((1, 4)), np.zeros((1, 4)), b, c0=[[8.0]], clip=LN3
    )
    shown = [getattr(cache, name).item() for name in "ifgo"]
    np.testing.assert_allclose(shown, [0.75, 0.25, 0.5, 0.5], rtol=1e-14)
    assert cT.item() == pytest.approx(2.375, rel=1e-14)  # 2 + 3/8: the state itself is free
    assert h.item() == pytest.approx(0.4, rel=1e-14)  # tanh(ln 3) = 4/5

    gradients = reference.lstm_backward([[[1.0]]], cache, dcT=[[1.0]])
    assert type(gradients) is reference.LSTMGradients
    dz = [0.0, 0.0, 0.5625, 0.2]  # beyond, beyond, dc * i * (1 - g^2), 4/5 * o (1 - o)
    np.testing.assert_allclose(gradients.db, dz, rtol=1e-14)
    assert gradients.dc0.item() == pytest.approx(0.25, rel=1e-14)  # none through tanh[c]


def test_two_tanh_rnn_steps_by_hand():
    x = [[[ATANH_HALF], [math.atanh(-0.25) - 0.5]]]  # h_1 = 1/2, then z_2 = atanh(-1/4)
    h, hT, cache = reference.rnn_forward(x, [[1.0]], [[1.0]], [0.0])
    np.testing.assert_allclose(h[0, :, 0], [0.5, -0.25], rtol=1e-14)
    assert hT.item() == h[0, 1, 0]
    gradients = reference.rnn_backward(None, cache, dhT=[[1.0]])
    dz_2 = 0.9375  # 1 - 1/16
    dz_1 = 0.703125  # dz_2 * Wh * (1 - 1/4)
    np.testing.assert_allclose(gradients.dx[0, :, 0], [dz_1, dz_2], rtol=1e-14)
    np.testing.assert_allclose(gradients.dWh, [[0.46875]], rtol=1e-14)  # h_1 * dz_2
    np.testing.assert_allclose(gradients.db, [1.640625], rtol=1e-14)
    np.testing.assert_allclose(gradients.dh0, [[dz_1]], rtol=1e-14)


def test_two_relu_rnn_steps_by_hand():
    h, _, cache = reference.rnn_forward(
        [[[1.0], [3.0], [-9.0]]], [[2.0]], [[0.5]], [1.0], activation="relu"
    )
    np.testing.assert_array_equal(h[0, :, 0], [3.0, 8.5, 0.0])  # 2 + 1; 6 + 1.5 + 1; below 0
    gradients = reference.rnn_backward([[[0.0], [1.0], [1.0]]], cache)
    np.testing.assert_array_equal(gradients.dx[0, :, 0], [1.0, 2.0, 0.0])  # Wx * (0.5, 1, 0)


def test_one_gru_step_by_hand():
    # h_n = h0 * 1 + 2 = 4; r h_n = 2; a reset before the product would give 1 + 2 = 3.
    h, hT, cache = reference.gru_forward(
        [[[0.0]]],
        np.zeros((1, 3)),
        [[0.0, 0.0, 1.0]],
        b=[0.0, LN3 - 1.0, ATANH_HALF - 2.0],
        bh=[0.0, 1.0, 2.0],
        h0=[[2.0]],
    )
    shown = [getattr(cache, name).item() for name in "rzn"]
    np.testing.assert_allclose(shown, [0.5, 0.75, 0.5], rtol=1e-14)
    assert h.item() == hT.item() == pytest.approx(1.625, rel=1e-14)  # 1/4 * 1/2 + 3/4 * 2
    gradients = reference.gru_backward([[[1.0]]], cache)
    dx_n = 0.1875  # (1 - z) * (1 - n^2)
    da_r = 0.1875  # dx_n * h_n * r (1 - r)
    da_z = 0.28125  # (h0 - n) * z (1 - z)
    np.testing.assert_allclose(gradients.db, [da_r, da_z, dx_n], rtol=1e-13)
    np.testing.assert_allclose(gradients.dbh, [da_r, da_z, dx_n / 2], rtol=1e-13)  # r dx_n
    np.testing.assert_allclose(gradients.dh0, [[0.84375]], rtol=1e-13)  # z + r dx_n * Wh_n


def test_one_step_of_the_gru_of_2014_by_hand():
    # r h0 = 1, so h_n = 1 * 1 + 2 = 3; a reset after the product would give 1/2 * 4 = 2.
    h, hT, cache = reference.gru_forward(
        [[[0.0]]],
        np.zeros((1, 3)),
        [[0.0, 0.0, 1.0]],
        b=[0.0, LN3 - 1.0, ATANH_HALF - 3.0],
        bh=[0.0, 1.0, 2.0],
        h0=[[2.0]],
        reset_after=False,
    )
    shown = [getattr(cache, name).item() for name in "rzn"]
    np.testing.assert_allclose(shown, [0.5, 0.75, 0.5], rtol=1e-14)
    assert h.item() == hT.item() == pytest.approx(1.625, rel=1e-14)  # 1/4 * 1/2 + 3/4 * 2
    gradients = reference.gru_backward([[[1.0]]], cache)
    da_n = 0.1875  # (1 - z) * (1 - n^2)
    da_r = 0.09375  # da_n * Wh_n * h0 * r (1 - r)
    da_z = 0.28125  # (h0 - n) * z (1 - z)
    np.testing.assert_allclose(gradients.db, [da_r, da_z, da_n], rtol=1e-13)
    np.testing.assert_allclose(gradients.dbh, [da_r, da_z, da_n], rtol=1e-13)
    np.testing.assert_allclose(gradients.dWh[0], [2 * da_r, 2 * da_z, da_n], rtol=1e-13)  # r h0 = 1
    np.testing.assert_allclose(gradients.dh0, [[0.84375]], rtol=1e-13)  # z + da_n * Wh_n * r


def test_sigmoid_is_accurate_and_silent_everywhere():
    a = np.array([-1e300, -1000.0, -40.0, -LN3, 0.0, LN3, 40.0, 1e300])
    expected = [0.0, 0.0, 1 / (1 + math.exp(40.0)), 0.25, 0.5, 0.75, 1.0, 1.0]
    np.testing.assert_allclose(reference.sigmoid(a), expected, rtol=1e-15)
    assert np.isnan(reference.sigmoid(np.array([np.nan]))).all()


# --- loops over single numbers, sharing no code with the library --------------------------


def one_number(a):
    return 1.0 / (1.0 + math.exp(-a))


def weighted(row, matrix, column):
    return sum(row[k] * matrix[k][column] for k in range(len(row)))


def lstm_by_numbers(x, Wx, Wh, b, h0, c0, peephole=None, clip=math.inf):
    H, outputs, states = len(Wh), [], []
    p = peephole or [0.0] * (3 * H)

    def held(a):
        return min(max(a, -clip), clip)

    for row in range(len(x)):
        h, c, sequence = list(h0[row]), list(c0[row]), []
        for x_t in x[row]:
            z = [weighted(x_t, Wx, k) + weighted(h, Wh, k) + b[k] for k in range(4 * H)]
            for unit in range(H):
                i = one_number(held(z[unit] + p[unit] * c[unit]))
                f = one_number(held(z[H + unit] + p[H + unit] * c[unit]))
                g = math.tanh(held(z[2 * H + unit]))
                c[unit] = f * c[unit] + i * g
                o = one_number(held(z[3 * H + unit] + p[2 * H + unit] * c[unit]))
                h[unit] = o * math.tanh(held(c[unit]))
            sequence.append(list(h))
        outputs.append(sequence)
        states.append(c)
    return outputs, states


def gru_by_numbers(x, Wx, Wh, b, bh, h0, reset_after=True):
    H, outputs = len(Wh), []
    for row in range(len(x)):
        h, sequence = list(h0[row]), []
        for x_t in x[row]:
            from_x = [weighted(x_t, Wx, k) + b[k] for k in range(3 * H)]
            from_h = [weighted(h, Wh, k) + bh[k] for k in range(3 * H)]
            r = [one_number(from_x[unit] + from_h[unit]) for unit in range(H)]
            reset = [r[unit] * h[unit] for unit in range(H)]
            for unit in range(H):
                z = one_number(from_x[H + unit] + from_h[H + unit])
                candidate = 2 * H + unit
                if reset_after:
                    h_n = r[unit] * from_h[candidate]
                else:
                    h_n = weighted(reset, Wh, candidate) + bh[candidate]
                n = math.tanh(from_x[candidate] + h_n)
                h[unit] = (1 - z) * n + z * h[unit]
            sequence.append(list(h))
        outputs.append(sequence)
    return outputs


def rnn_by_numbers(x, Wx, Wh, b, h0, activation):
    outputs = []
    for row in range(len(x)):
        h, sequence = list(h0[row]), []
        for x_t in x[row]:
            z = [weighted(x_t, Wx, k) + weighted(h, Wh, k) + b[k] for k in range(len(Wh))]
            h = [math.tanh(a) if activation == "tanh" else max(a, 0.0) for a in z]
            sequence.append(list(h))
        outputs.append(sequence)
    return outputs


def difference_from_numbers(cell):
    arguments = problem(cell, B=2, T=3, I=2, H=2, seed=3)
    h, states, _ = run(cell.forward, arguments)
    lists = {name: getattr(a, "tolist", lambda a=a: a)() for name, a in arguments.items()}
    del lists["lengths"]
    if cell.name == "lstm":
        expected, c = lstm_by_numbers(**lists)
        return max(np.abs(h - expected).max(), np.abs(states[1] - c).max())
    by_numbers = {"gru": gru_by_numbers, "rnn": rnn_by_numbers}[cell.name]
    return np.abs(h - by_numbers(**lists)).max()


@every_cell
def test_forward_equals_a_loop_over_single_numbers(cell):
    assert difference_from_numbers(cell) < 1e-14


WRONG_FORWARD = [
    ("lstm", "z_i, z_f, z_g, z_o =", "z_f, z_i, z_g, z_o =", "gates in another order"),
    ("lstm", "* np.tanh(c_new)", "* c_new", "the cell state shown as it is"),
    ("lstm", "h[:, t] @ Wh + b", "h[:, 0] @ Wh + b", "the initial state at every step"),
    ("lstm", "f[:, t] * c[:, t] +", "c[:, t] +", "no forget gate"),
    ("rnn-tanh", "@ Wh + b", "@ Wh", "no bias"),
    ("rnn-relu", "np.maximum(z, 0)", "np.abs(z)", "another activation"),
    ("gru", "(1 - z[:, t]) * n[:, t] + z[:, t] * h[:, t]",
     "z[:, t] * n[:, t] + (1 - z[:, t]) * h[:, t]", "the update gate the other way round"),
    ("gru", "x_r, x_z, x_n = np", "x_z, x_r, x_n = np", "gates in another order"),
    ("gru", "@ Wh + bh", "@ Wh", "no recurrent bias"),
    ("lstm-peephole", "p_i, p_f, p_o)", "p_i, p_o, p_f)", "peepholes in ONNX's order"),
    ("lstm-peephole", "p_o * c_new", "p_o * c[:, t]", "the output gate sees the old state"),
    ("lstm-peephole", "p_f * c[:, t]", "p_f * h[:, t]", "the forget gate sees h"),
    ("lstm-clip", "np.tanh(bounded(c_new, clip))", "np.tanh(c_new)", "the cell state not clipped"),
    ("lstm-clip", "bounded(z_g, clip)", "z_g", "the candidate not clipped"),
    ("lstm-clip", "c_new = f", "c_new = 0.5 * f", "another cell state"),
    ("gru-2014", "(r[:, t] * h[:, t]) @ Wh_n + bh_n", "r[:, t] * (h[:, t] @ Wh_n + bh_n)",
     "the reset after the product"),
    ("gru-2014", "@ Wh_n + bh_n", "@ Wh_n", "no recurrent bias of the candidate"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [mistake[:3] for mistake in WRONG_FORWARD],
    ids=[f"{name}: {what}" for name, _, _, what in WRONG_FORWARD],
)
def test_the_loop_over_numbers_refuses_a_wrong_forward(monkeypatch, name, old, new):
    """No gradient check can: the derivative of a wrong function may well be right."""
    plant(monkeypatch, CELLS[name], "forward", old, new)
    assert difference_from_numbers(CELLS[name]) > 1e-3


# --- peepholes and clip -------------------------------------------------------------------


def all_results(cell, arguments, module=reference):
    """Everything that forward and backward give, by name."""
    forward, backward = (
        getattr(module, f"{cell.name}_{direction}") for direction in ("forward", "backward")
    )
    h, states, cache = run(forward, arguments)
    dh, dfinal = upstream(h, states)
    results = {"h": h} | {f"{s} final": a for s, a in zip(cell.states, states, strict=True)}
    results |= {f"cache.{name}": getattr(cache, name) for name in cell.shown}
    return results | backward(dh, cache, *dfinal)._asdict()


def test_peepholes_of_zero_and_a_wide_clip_change_nothing():
    cell = CELLS["lstm"]
    arguments = problem(cell, lengths=[2, 4, 1])
    plain = all_results(cell, arguments)
    for keywords in ({"peephole": np.zeros(9)}, {"clip": 50}, {"peephole": [0] * 9, "clip": 1e6}):
        others = all_results(cell, arguments | keywords)
        assert ("dpeephole" in others) == ("peephole" in keywords)
        for name, array in plain.items():
            np.testing.assert_array_equal(others[name], array, err_msg=name)


@every_clipped_cell
@pytest.mark.parametrize("module", [reference, functional], ids=["reference", "functional"])
def test_far_beyond_the_clip_gates_are_constant_and_without_gradient(cell, module):
    arguments = problem(cell)
    arguments["b"] = 100 * np.sign(arguments["b"])
    results = all_results(cell, arguments, module)
    bounds = {
        "i": reference.sigmoid(CLIP * np.sign(arguments["b"][:3])),
        "f": reference.sigmoid(CLIP * np.sign(arguments["b"][3:6])),
        "g": np.tanh(CLIP * np.sign(arguments["b"][6:9])),
        "o": reference.sigmoid(CLIP * np.sign(arguments["b"][9:])),
    }
    for name, bound in bounds.items():
        expected = np.broadcast_to(bound, (3, 4, 3))
        np.testing.assert_allclose(results[f"cache.{name}"], expected, rtol=1e-13, err_msg=name)
    for name in {"dx", "dWx", "dWh", "db", "dh0", "dpeephole"} & set(results):
        assert not results[name].any(), name
    # What is left flows through the cell state: dc0 = f^4 dcT, and less or more through tanh[c].
    assert results["dc0"].all()


@pytest.mark.parametrize("module", [reference, functional], ids=["reference", "functional"])
@pytest.mark.parametrize("sign", [1, -1])
def test_at_the_very_bound_there_is_no_slope(module, sign):
    b = np.array([sign * CLIP] * 4)
    x, zero = np.ones((1, 1, 1)), np.zeros((1, 4))
    _, _, cache = module.lstm_forward(x, zero, zero, b, c0=[[0.1]], clip=CLIP)
    assert not module.lstm_backward([[[1.0]]], cache).db.any()
    _, _, cache = module.lstm_forward(x, zero, zero, b * 0.999, c0=[[0.1]], clip=CLIP)
    assert module.lstm_backward([[[1.0]]], cache).db.all()


# --- the compiled functions ---------------------------------------------------------------


@for_each(KEYWORD_CELLS)
@every_dtype
@pytest.mark.parametrize("lengths", [None, (4, 1, 2, 3, 1)], ids=["full", "ragged"])
@pytest.mark.parametrize("H", [1, 3, 5, 16, 33])
@pytest.mark.parametrize("initial", [True, False], ids=["h0 given", "h0 zero"])
def test_functional_gives_the_same_numbers(cell, dtype, lengths, H, initial):
    arguments = problem(cell, B=5, I=3, H=H, lengths=lengths, initial=initial, dtype=dtype, seed=4)
    wide = {  # the truth is computed from exactly the numbers that were given
        name: value.astype(np.float64) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    if "clip" in arguments:  # rounding moves no number across the kink
        assert np.abs(distance_from_clip(run(cell.forward, wide)[2])).min() > 1e-5
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    truth = all_results(cell, wide)
    assert_all_close(all_results(cell, arguments, functional), truth, tolerance, dtype)


@for_each(KEYWORD_CELLS)
def test_results_have_the_types_of_functional(cell):
    arguments = problem(cell)
    gradients = cell.backward(None, cell.forward(**arguments)[2])
    fast = getattr(functional, f"{cell.name}_forward")(**arguments)[2]
    expected = getattr(functional, f"{cell.name}_backward")(None, fast)
    assert type(gradients).__name__ == type(expected).__name__
    assert gradients._fields == expected._fields


REFUSED = [
    ("lstm", {"clip": 0.0}, ValueError, r"clip is 0\.0"),
    ("lstm", {"clip": -1}, ValueError, r"clip is -1"),
    ("lstm", {"clip": math.inf}, ValueError, r"clip is inf"),
    ("lstm", {"clip": math.nan}, ValueError, r"clip is nan"),
    ("lstm", {"clip": "1"}, TypeError, r"clip is '1'"),
    ("lstm", {"clip": True}, TypeError, r"clip is True"),
    ("lstm", {"clip": [1.0]}, TypeError, r"clip is \[1\.0\]"),
    ("lstm", {"peephole": np.zeros(12)}, ValueError, r"peephole has shape \(12,\); wanted \(9,\)"),
    ("lstm", {"peephole": np.zeros((3, 3))}, ValueError, r"peephole has shape \(3, 3\)"),
    ("lstm", {"peephole": ["p"] * 9}, TypeError, r"peephole h"),
    ("gru", {"reset_after": None}, TypeError, r"reset_after is None"),
    ("gru", {"reset_after": 0}, TypeError, r"reset_after is 0"),
]


@pytest.mark.parametrize("module", [reference, functional], ids=["reference", "functional"])
@pytest.mark.parametrize(("name", "keywords", "error", "message"), REFUSED)
def test_keywords_are_refused_by_name(module, name, keywords, error, message):
    cell = CELLS[name]
    with pytest.raises(error, match=f"^{name}_forward: {message}"):
        getattr(module, f"{name}_forward")(**problem(cell) | keywords)


# --- lengths, states, cache, dtype --------------------------------------------------------


@every_cell
def test_a_padded_row_behaves_as_if_it_were_alone(cell):
    lengths = [2, 4, 1]
    arguments = problem(cell, lengths=lengths)
    h, states, cache = run(cell.forward, arguments)
    dh, dfinal = upstream(h, states)
    together = cell.backward(dh, cache, *dfinal)
    weights = {name: 0.0 for name in ("Wx", "Wh", *cell.biases, *cell.extra)}
    for row, length in enumerate(lengths):
        alone = arguments | {"x": arguments["x"][row : row + 1, :length], "lengths": None}
        for name in cell.states:
            alone[name] = arguments[name][row : row + 1]
        h_row, states_row, cache_row = run(cell.forward, alone)
        np.testing.assert_allclose(h[row, :length], h_row[0], rtol=1e-13)
        for state, state_row in zip(states, states_row, strict=True):
            np.testing.assert_allclose(state[row], state_row[0], rtol=1e-13)
        gradients = cell.backward(
            dh[row : row + 1, :length], cache_row, *(d[row : row + 1] for d in dfinal)
        )
        np.testing.assert_allclose(together.dx[row, :length], gradients.dx[0], rtol=1e-12)
        for name in cell.states:
            expected = getattr(gradients, f"d{name}")[0]
            np.testing.assert_allclose(getattr(together, f"d{name}")[row], expected, rtol=1e-12)
        for name in weights:
            weights[name] = weights[name] + getattr(gradients, f"d{name}")
    for name, expected in weights.items():
        np.testing.assert_allclose(getattr(together, f"d{name}"), expected, rtol=1e-12)


@every_cell
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, 1e300])
def test_padding_never_reaches_a_result(cell, rubbish):
    lengths = [2, 4, 1]
    padded = padding(lengths)
    clean = problem(cell, lengths=lengths)
    dirty = clean | {"x": clean["x"].copy()}
    dirty["x"][padded] = rubbish
    results = []
    for arguments, fill in ((clean, 0.0), (dirty, rubbish)):
        h, states, cache = run(cell.forward, arguments)
        dh, dfinal = upstream(h, states)
        dh[padded] = fill
        gradients = cell.backward(dh, cache, *dfinal)
        shown = [getattr(cache, name) for name in cell.shown]
        for array in (h, gradients.dx, *shown):
            assert not array[padded].any()
        results.append([h, *states, *shown, *gradients])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@every_cell
def test_full_lengths_change_nothing(cell):
    without = run(cell.forward, problem(cell))
    given = run(cell.forward, problem(cell, lengths=np.array([4, 4, 4], dtype=np.uint8)))
    np.testing.assert_array_equal(without[0], given[0])
    np.testing.assert_array_equal(without[1], given[1])


@every_cell
def test_a_sequence_cut_in_two_gives_the_same_outputs_and_gradients(cell):
    whole = problem(cell, T=5)
    h, states, cache = run(cell.forward, whole)
    dh, dfinal = upstream(h, states)
    expected = cell.backward(dh, cache, *dfinal)

    first = whole | {"x": whole["x"][:, :2]}
    h_1, states_1, cache_1 = run(cell.forward, first)
    second = whole | {"x": whole["x"][:, 2:]} | dict(zip(cell.states, states_1, strict=True))
    h_2, _, cache_2 = run(cell.forward, second)
    np.testing.assert_allclose(np.concatenate([h_1, h_2], axis=1), h, rtol=1e-13)

    late = cell.backward(dh[:, 2:], cache_2, *dfinal)
    early = cell.backward(dh[:, :2], cache_1, *(getattr(late, f"d{s}") for s in cell.states))
    np.testing.assert_allclose(np.concatenate([early.dx, late.dx], axis=1), expected.dx, rtol=1e-12)
    np.testing.assert_allclose(early.dWh + late.dWh, expected.dWh, rtol=1e-12)
    np.testing.assert_allclose(early.dh0, expected.dh0, rtol=1e-12)


@every_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_dtype_of_the_inputs(cell, dtype):
    h, states, cache = run(cell.forward, problem(cell, dtype=dtype, lengths=[4, 1, 2]))
    gradients = cell.backward(h, cache)
    for array in (h, *states, *(getattr(cache, name) for name in cell.shown), *gradients):
        assert array.dtype == dtype


@every_cell
def test_one_float64_array_makes_float64_and_integers_decide_nothing(cell):
    arguments = problem(cell, dtype=np.float32)
    for name in cell.arrays:
        wide = arguments | {name: arguments[name].astype(np.float64)}
        assert run(cell.forward, wide)[0].dtype == np.float64
    whole = arguments | {"x": np.ones((3, 4, 2), dtype=np.int64)}
    assert run(cell.forward, whole)[0].dtype == np.float32


@every_cell
def test_gradients_are_named_and_shaped_as_their_arrays(cell):
    arguments = problem(cell)
    h, _, cache = run(cell.forward, arguments)
    gradients = cell.backward(np.ones_like(h), cache)
    assert gradients._fields == tuple(f"d{name}" for name in cell.arrays)
    for name in cell.arrays:
        assert getattr(gradients, f"d{name}").shape == arguments[name].shape
    for name in cell.shown:
        assert getattr(cache, name).shape == h.shape


@every_cell
def test_the_cache_is_out_of_reach_of_later_writes(cell):
    arguments = problem(cell)
    kept = {name: arguments[name].copy() for name in cell.arrays}
    h, states, cache = run(cell.forward, arguments)
    dh, dfinal = upstream(h, states)
    expected = cell.backward(dh, cache, *dfinal)
    for name in cell.arrays:
        np.testing.assert_array_equal(arguments[name], kept[name])  # read, never written
        arguments[name][...] = np.nan
    for array in (h, *states):
        array[...] = np.nan
    again = cell.backward(dh, cache, *dfinal)
    for a, b in zip(again, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@every_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_inputs_saturate_without_a_warning(cell, dtype):
    arguments = problem(cell, dtype=dtype)
    arguments["x"] *= 1e6
    h, _, cache = run(cell.forward, arguments)
    gradients = cell.backward(np.ones_like(h), cache)
    assert all(np.isfinite(a).all() for a in (h, *gradients))


# --- dense, loss --------------------------------------------------------------------------


def test_dense_by_hand():
    y = reference.dense_forward([[1, 2]], [[1.0, 10.0], [0.5, 5.0]], [100.0, 0.0])
    np.testing.assert_array_equal(y, [[102.0, 20.0]])
    dx, dW, db = reference.dense_backward([[1.0, 3.0]], [[1, 2]], [[1.0, 10.0], [0.5, 5.0]])
    np.testing.assert_array_equal(dx, [[31.0, 15.5]])
    np.testing.assert_array_equal(dW, [[1.0, 3.0], [2.0, 6.0]])
    np.testing.assert_array_equal(db, [1.0, 3.0])


@pytest.mark.parametrize("leading", [(), (4,), (2, 3)])
def test_dense_gradients_equal_central_differences(leading):
    rng = np.random.default_rng(5)
    x, W, b, dy = (rng.normal(size=s) for s in ((*leading, 3), (3, 2), (2,), (*leading, 2)))
    gradients = reference.dense_backward(dy, x, W)
    for array, gradient in zip((x, W, b), gradients, strict=True):
        expected = central_differences(lambda: np.sum(reference.dense_forward(x, W, b) * dy), array)
        np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-9)


def test_cross_entropy_by_hand():
    logits = np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]])  # p = (1, 2, 5)/8 and (1, 1, 2)/4
    loss, dlogits = reference.softmax_cross_entropy(logits, [2, 0])
    assert type(loss) is float
    assert loss == pytest.approx((math.log(8 / 5) + math.log(4)) / 2, rel=1e-15)
    expected = [[1 / 16, 2 / 16, -3 / 16], [-3 / 8, 1 / 8, 2 / 8]]  # (p - onehot) / 2
    np.testing.assert_allclose(dlogits, expected, rtol=1e-14)


def test_cross_entropy_takes_one_hot_rows_and_sequences():
    rng = np.random.default_rng(6)
    logits, labels = rng.normal(size=(2, 3, 4)), rng.integers(0, 4, size=(2, 3))
    loss, dlogits = reference.softmax_cross_entropy(logits, labels)
    for rows, targets in (
        (logits, np.eye(4)[labels]),
        (logits.reshape(6, 4), labels.ravel()),
        (logits.reshape(6, 4), np.eye(4, dtype=bool)[labels.ravel()]),
    ):
        other_loss, other_dlogits = reference.softmax_cross_entropy(rows, targets)
        assert other_loss == pytest.approx(loss, rel=1e-15)
        np.testing.assert_allclose(other_dlogits.reshape(dlogits.shape), dlogits, rtol=1e-14)


def test_cross_entropy_gradient_equals_central_differences():
    rng = np.random.default_rng(7)
    logits, labels = rng.normal(size=(3, 4)), np.array([0, 3, 3])
    _, dlogits = reference.softmax_cross_entropy(logits, labels)
    expected = central_differences(
        lambda: reference.softmax_cross_entropy(logits, labels)[0], logits
    )
    np.testing.assert_allclose(dlogits, expected, rtol=1e-8, atol=1e-10)


def test_cross_entropy_stays_finite_for_huge_logits():
    loss, dlogits = reference.softmax_cross_entropy([[1e4, -1e4], [1e30, 0.0]], [1, 0])
    assert loss == 1e4
    np.testing.assert_array_equal(dlogits, [[0.5, -0.5], [0.0, 0.0]])
    loss, _ = reference.softmax_cross_entropy([[0.0, -np.inf]], [0])  # an excluded class
    assert loss == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dlogits_have_the_dtype_of_the_logits_whatever_the_labels(dtype):
    logits = np.ones((2, 3), dtype=dtype)
    for labels in (np.array([0, 1]), np.eye(3)[:2]):
        assert reference.softmax_cross_entropy(logits, labels)[1].dtype == dtype


# --- Adam ---------------------------------------------------------------------------------


def test_the_first_two_adam_steps_by_hand():
    p, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    assert reference.adam_step(p, np.array([2.0]), m, v, 1, lr=0.1, beta1=0.5, beta2=0.75) is None
    assert (m.item(), v.item()) == (1.0, 1.0)  # 0.5 * 2, 0.25 * 4; m_hat = 2, v_hat = 4
    assert p.item() == pytest.approx(1.0 - 0.1 * 2 / (2 + 1e-8), rel=1e-15)
    before = p.item()
    reference.adam_step(p, np.array([-4.0]), m, v, 2, lr=0.1, beta1=0.5, beta2=0.75)
    assert (m.item(), v.item()) == (-1.5, 4.75)  # 0.5 - 2, 0.75 + 4
    m_hat, v_hat = -1.5 / 0.75, 4.75 / 0.4375  # 1 - 0.5^2, 1 - 0.75^2
    assert p.item() == pytest.approx(before - 0.1 * m_hat / (math.sqrt(v_hat) + 1e-8), rel=1e-15)


def test_adam_epsilon_stands_outside_the_corrected_root():
    p, m, v = np.zeros(1), np.zeros(1), np.zeros(1)
    reference.adam_step(p, np.array([1e-8]), m, v, 1, lr=1.0)
    # g / (|g| + eps) = 1/2; under the root it were 1e-4, beside the uncorrected one 0.3
    assert p.item() == pytest.approx(-0.5, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_writes_in_place_and_keeps_the_dtype(dtype):
    rng = np.random.default_rng(8)
    p, g = rng.normal(size=(2, 3)).astype(dtype), rng.normal(size=(2, 3)).astype(dtype)
    m, v, start, gradient = np.zeros_like(p), np.zeros_like(p), p.copy(), g.copy()
    reference.adam_step(p, g, m, v, 1)
    assert p.dtype == m.dtype == v.dtype == dtype
    np.testing.assert_allclose(p, start - 1e-3 * np.sign(g), rtol=1e-5)
    np.testing.assert_array_equal(g, gradient)


# --- what is refused ----------------------------------------------------------------------


@every_cell
@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("x", (3, 4), r"\(batch, time, 2\)"),
        ("x", (3, 4, 5), r"\(batch, time, 2\)"),
        ("x", (3, 0, 2), r"\(batch, time, 2\)"),
        ("Wx", (2, 7), r"\(input, \d+\)"),
        ("Wh", (3, 7), r"\(3, \d+\)"),
        ("Wh", (3,), r"\(hidden, \d\*hidden\)"),
        ("b", (7,), r"\(\d+,\)"),
        ("h0", (2, 3), r"\(3, 3\)"),
        ("lengths", (2,), r"\(3,\)"),
    ],
)
def test_forward_names_the_argument_its_shape_and_the_shape_wanted(cell, name, shape, wanted):
    arguments = problem(cell) | {name: np.ones(shape, dtype=np.int64)}
    got = str(shape).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(
        ValueError, match=f"^{cell.name}_forward: {name} has shape {got}; wanted {wanted}$"
    ):
        cell.forward(**arguments)


@every_cell
def test_forward_refuses_what_is_no_number_and_lengths_out_of_range(cell):
    forward, arguments = cell.forward, problem(cell)
    with pytest.raises(TypeError, match=r"Wx has dtype object; wanted real numbers"):
        forward(**arguments | {"Wx": None})
    with pytest.raises(TypeError, match=r"x has dtype complex128; wanted real numbers"):
        forward(**arguments | {"x": arguments["x"] * 1j})
    with pytest.raises(TypeError, match=r"lengths has dtype float64; wanted integers"):
        forward(**arguments | {"lengths": [4.0, 2.0, 1.0]})
    for lengths in ([4, 0, 1], [5, 1, 1]):
        with pytest.raises(ValueError, match=r"lengths is \[.*\]; wanted each in 1\.\.4"):
            forward(**arguments | {"lengths": lengths})


@every_cell
def test_backward_refuses_wrong_shapes_and_other_caches(cell):
    _, _, cache = run(cell.forward, problem(cell))
    where = f"{cell.name}_backward"
    with pytest.raises(ValueError, match=rf"^{where}: dh has shape \(3, 3\); wanted \(3, 4, 3\)$"):
        cell.backward(np.zeros((3, 3)), cache)
    with pytest.raises(ValueError, match=rf"^{where}: dhT has shape \(3,\); wanted \(3, 3\)$"):
        cell.backward(None, cache, dhT=np.zeros(3))
    other = CELLS["gru" if cell.name == "lstm" else "lstm"]
    for wrong in (run(other.forward, problem(other))[2], None):
        with pytest.raises(TypeError, match=rf"^{where}: cache .* {cell.name}_forward$"):
            cell.backward(None, wrong)


def test_rnn_refuses_an_unknown_activation():
    arguments = problem(CELLS["rnn-tanh"]) | {"activation": "sigmoid"}
    with pytest.raises(ValueError, match=r"activation is 'sigmoid'; wanted \"tanh\" or \"relu\""):
        reference.rnn_forward(**arguments)


def test_dense_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"dense_forward: x has shape \(2, 4\); wanted \(2, 3\)"):
        reference.dense_forward(np.ones((2, 4)), np.ones((3, 5)), np.ones(5))
    with pytest.raises(ValueError, match=r"dense_forward: b has shape \(4,\); wanted \(5,\)"):
        reference.dense_forward(np.ones((2, 3)), np.ones((3, 5)), np.ones(4))
    with pytest.raises(ValueError, match=r"dense_backward: dy has shape \(5,\); wanted \(2, 5\)"):
        reference.dense_backward(np.ones(5), np.ones((2, 3)), np.ones((3, 5)))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 2], ValueError, r"labels has shape \(3,\); wanted \(2,\)"),
        ([0, 3], ValueError, r"labels has values outside 0\.\.2"),
        ([-1, 0], ValueError, r"labels has values outside 0\.\.2"),
        ([0.0, 1.0], TypeError, r"labels has dtype float64; wanted integers"),
        (np.ones((2, 2)), ValueError, r"labels has shape \(2, 2\); wanted \(2, 3\)"),
        (np.ones((2, 3)), ValueError, r"rows that are not one-hot"),
        ([[2, -1, 0], [0, 0, 1]], ValueError, r"rows that are not one-hot"),
    ],
)
def test_cross_entropy_refuses_bad_labels(labels, error, message):
    with pytest.raises(error, match=f"softmax_cross_entropy: .*{message}"):
        reference.softmax_cross_entropy(np.zeros((2, 3)), labels)


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (2, 0), (1, 2, 3, 4)])
def test_cross_entropy_refuses_bad_logits(shape):
    with pytest.raises(ValueError, match=r"softmax_cross_entropy: logits has shape .*; wanted"):
        reference.softmax_cross_entropy(np.zeros(shape), [0])


def test_adam_refuses_what_it_cannot_update():
    p = np.ones(2)
    with pytest.raises(ValueError, match=r"adam_step: g has shape \(3,\); wanted \(2,\)"):
        reference.adam_step(p, np.ones(3), np.zeros(2), np.zeros(2), 1)
    with pytest.raises(ValueError, match=r"adam_step: t is 0; wanted .* from 1"):
        reference.adam_step(p, np.ones(2), np.zeros(2), np.zeros(2), 0)
    with pytest.raises(TypeError, match=r"adam_step: m is of type list; wanted an array"):
        reference.adam_step(p, np.ones(2), [0.0, 0.0], np.zeros(2), 1)
    np.testing.assert_array_equal(p, 1.0)


# --- PyTorch ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="the comparison with PyTorch needs PyTorch")


def torch_twin(torch, cell, arguments):
    """PyTorch's module with the same weights: its matrices are transposed, its biases are two."""
    I, H = len(arguments["Wx"]), len(arguments["Wh"])
    kind = {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN, "gru": torch.nn.GRU}[cell.name]
    activation = arguments.get("activation")
    options = {"nonlinearity": activation} if activation else {}
    module = kind(I, H, batch_first=True, dtype=torch.float64, **options)
    recurrent_bias = arguments.get("bh", np.zeros_like(arguments["b"]))
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(arguments["Wx"].T.copy()))
        module.weight_hh_l0.copy_(torch.from_numpy(arguments["Wh"].T.copy()))
        module.bias_ih_l0.copy_(torch.from_numpy(arguments["b"]))
        module.bias_hh_l0.copy_(torch.from_numpy(recurrent_bias))
    return module


@for_each(PLAIN_CELLS)
@pytest.mark.parametrize("lengths", [None, (2, 5, 1, 4)], ids=["full", "packed"])
def test_everything_equals_pytorch(torch, cell, lengths):
    arguments = problem(cell, B=4, T=5, I=3, H=6, lengths=lengths, seed=9)
    h, states, cache = run(cell.forward, arguments)
    dh, dfinal = upstream(h, states)
    gradients = cell.backward(dh, cache, *dfinal)

    module = torch_twin(torch, cell, arguments)
    x = torch.tensor(arguments["x"], requires_grad=True)
    initial = [torch.tensor(arguments[s], requires_grad=True) for s in cell.states]
    packed = x
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
    first = tuple(s[None] for s in initial)
    output, final = module(packed, first if cell.name == "lstm" else first[0])
    if lengths is not None:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True, total_length=5)
    final = final if cell.name == "lstm" else (final,)
    loss = (output * torch.from_numpy(dh)).sum()
    for state, gradient in zip(final, dfinal, strict=True):
        loss = loss + (state[0] * torch.from_numpy(gradient)).sum()
    loss.backward()

    theirs = {
        "h": output,
        **{f"{s} final": state[0] for s, state in zip(cell.states, final, strict=True)},
        "dx": x.grad,
        "dWx": module.weight_ih_l0.grad.T,
        "dWh": module.weight_hh_l0.grad.T,
        "db": module.bias_ih_l0.grad,
        "dbh": module.bias_hh_l0.grad,
        **{f"d{name}": s.grad for name, s in zip(cell.states, initial, strict=True)},
    }
    ours = {"h": h, **{f"{s} final": a for s, a in zip(cell.states, states, strict=True)}}
    ours |= gradients._asdict()
    for name, array in ours.items():
        np.testing.assert_allclose(
            array, theirs[name].detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=name
        )


def test_cross_entropy_equals_pytorch(torch):
    rng = np.random.default_rng(10)
    logits, labels = rng.normal(0, 5, size=(6, 4)), rng.integers(0, 4, size=6)
    loss, dlogits = reference.softmax_cross_entropy(logits, labels)
    theirs = torch.tensor(logits, requires_grad=True)
    their_loss = torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels))
    their_loss.backward()
    assert loss == pytest.approx(their_loss.item(), rel=1e-12)
    np.testing.assert_allclose(dlogits, theirs.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_twenty_adam_steps_equal_pytorch(torch):
    rng = np.random.default_rng(11)
    p, m, v = rng.normal(size=(3, 2)), np.zeros((3, 2)), np.zeros((3, 2))
    theirs = torch.nn.Parameter(torch.from_numpy(p.copy()))
    options = {"lr": 0.05, "eps": 1e-3}  # an epsilon large enough to be seen
    optimizer = torch.optim.Adam([theirs], betas=(0.8, 0.95), **options)
    for t in range(1, 21):
        g = rng.normal(size=(3, 2))
        reference.adam_step(p, g, m, v, t, beta1=0.8, beta2=0.95, **options)
        theirs.grad = torch.from_numpy(g)
        optimizer.step()
        np.testing.assert_allclose(p, theirs.detach().numpy(), rtol=1e-12, err_msg=f"step {t}")
