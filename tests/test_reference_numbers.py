"""The reference equals numbers worked out by hand and loops over single numbers."""

import math

import numpy as np
import pytest
from reference_cells import (
    ATANH_HALF,
    LN3,
    REFERENCE_CELLS,
    every_reference_cell,
    plant,
    problem,
    run,
)

from rnnlite import reference

# --- numbers worked out by hand --------------------------------------------------------------


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


# --- loops over single numbers, sharing no code with the library -----------------------------


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
    h, states, _ = run(cell, arguments)
    lists = {name: getattr(a, "tolist", lambda a=a: a)() for name, a in arguments.items()}
    del lists["lengths"]
    if cell.function == "lstm":
        expected, c = lstm_by_numbers(**lists)
        return max(np.abs(h - expected).max(), np.abs(states[1] - c).max())
    by_numbers = {"gru": gru_by_numbers, "rnn": rnn_by_numbers}[cell.function]
    return np.abs(h - by_numbers(**lists)).max()


@every_reference_cell
def test_forward_equals_a_loop_over_single_numbers(cell):
    assert difference_from_numbers(cell) < 1e-14


WRONG_FORWARD = [
    ("lstm", "z_i, z_f, z_g, z_o =", "z_f, z_i, z_g, z_o =", "gates in another order"),
    ("lstm", "* np.tanh(c_new)", "* c_new", "the cell state shown as it is"),
    ("lstm", "rounded(h[:, t]) @ Wh", "h[:, 0] @ Wh", "the initial state at every step"),
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
    ("gru-2014", "rounded(r[:, t] * h[:, t]) @ Wh_n + bh_n", "r[:, t] * (h[:, t] @ Wh_n + bh_n)",
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
    plant(monkeypatch, REFERENCE_CELLS[name], "forward", old, new)
    assert difference_from_numbers(REFERENCE_CELLS[name]) > 1e-3
