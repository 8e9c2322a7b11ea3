"""Gradients of the reference equal central differences; mistakes planted in them are noticed."""

import numpy as np
import pytest
from reference_cells import (
    REFERENCE_CELLS,
    backward,
    central_differences,
    distance_from_clip,
    every_clipped_cell,
    every_reference_cell,
    padding,
    plant,
    problem,
    run,
    upstream,
)


def worst_error(cell, lengths=None, initial=True, use_dh=True, use_final=True):
    """Largest error of any gradient, relative to the largest element of its array."""
    arguments = problem(cell, lengths=lengths, initial=initial)
    arguments["x"][padding(lengths)] = np.nan
    _, _, cache = run(cell, arguments)
    dh, *dfinal = upstream(cell).values()
    if "clip" in arguments:  # no difference may be taken across the kink
        assert np.abs(distance_from_clip(cache)).min() > 1e-4

    def loss():
        h, states, _ = run(cell, arguments)
        total = np.sum(h * dh) if use_dh else 0.0
        return total + sum(np.sum(s * d) for s, d in zip(states, dfinal, strict=True) if use_final)

    given = dh.copy()
    given[padding(lengths)] = np.nan
    gradients = backward(cell, given if use_dh else None, cache, *(dfinal if use_final else ()))
    errors = []
    for name in cell.arrays:
        if arguments[name] is None:
            continue
        expected = central_differences(loss, arguments[name])
        error = np.abs(getattr(gradients, f"d{name}") - expected).max()
        errors.append(error / max(np.abs(expected).max(), 1e-3))
    return np.max(errors)  # NaN if one is NaN


NOTICED = 1e-6  # the check's tolerance: far above its own error, far below a 0.1% mistake


@pytest.mark.quick(every=3)
@every_reference_cell
@pytest.mark.parametrize(
    ("lengths", "initial", "use_dh", "use_final"),
    [
        (None, False, True, False),
        ((4, 1, 2), True, True, True),
        ((4, 1, 2), True, False, True),
    ],
    ids=["full, h0 zero, every output", "ragged, h0 given, both", "final state only"],
)
def test_every_gradient_equals_central_differences(cell, lengths, initial, use_dh, use_final):
    error = worst_error(cell, lengths=lengths, initial=initial, use_dh=use_dh, use_final=use_final)
    assert error < NOTICED


@every_clipped_cell
@pytest.mark.parametrize("lengths", [None, (4, 1, 2)], ids=["full", "ragged"])
def test_the_checks_see_inputs_within_the_clip_and_beyond_it(cell, lengths):
    _, _, cache = run(cell, problem(cell, lengths=lengths))
    for name, distance in zip("ifgoc", np.split(distance_from_clip(cache), 5, axis=1), strict=True):
        assert (distance > 0).any(), name
        assert (distance < 0).any(), name


WRONG_BACKWARD = [
    ("lstm", "dc * f, dc)", "dc, dc)", "the cell state's gradient passes the forget gate"),
    ("lstm", "dc = dc + dh * o", "dc = dh * o", "the cell state's gradient from later is lost"),
    ("lstm", "dz_i = di", "dz_i = -di", "a sign"),
    ("lstm", "dz_g = dg", "dz_g = 1.001 * dg", "0.1% in the candidate"),
    ("lstm", "dz_f = df", "dz_f = 0.999 * df", "0.1% in the forget gate"),
    ("lstm", "dz_o = do", "dz_o = 1.001 * do", "0.1% in the output gate"),
    ("lstm", "df = dc * c[:, t]", "df = dc * c[:, t + 1]", "the cell state one step late"),
    (
        "lstm",
        "rounded(dz[:, t]) @ Wh.T, dh)",
        "dz[:, t] @ Wh.T, 0)",
        "padding stops the gradient of h",
    ),
    ("lstm", "dc * f, dc)", "dc * f, 0)", "padding stops the gradient of c"),
    ("lstm", "h[:, :-1]", "h[:, 1:]", "dWh from the new state"),
    ("rnn-tanh", "1 - h_t**2", "1 - h_t", "the wrong derivative"),
    ("rnn-tanh", "1 - h_t**2", "1.001 - h_t**2", "0.1% in the derivative"),
    ("rnn-relu", "h_t > 0", "h_t >= 0", "a ReLU that always lets gradients through"),
    ("rnn-tanh", "rounded(dz[:, t]) @ Wh.T, dh)", "dz[:, t] @ Wh, dh)", "Wh not transposed"),
    ("gru", "dh * z + rounded", "rounded", "the direct path through the update gate"),
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
    ("gru-2014", "cache.r * h_before", "h_before", "dWh_n from the state without its reset"),
    ("gru-2014", "dh_before, dh)", "dh_before, 0)", "padding stops the gradient of h"),
]


@pytest.mark.quick(every=4)
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [mistake[:3] for mistake in WRONG_BACKWARD],
    ids=[f"{name}: {what}" for name, _, _, what in WRONG_BACKWARD],
)
def test_the_gradient_check_refuses_a_planted_mistake(monkeypatch, name, old, new):
    plant(monkeypatch, REFERENCE_CELLS[name], "backward", old, new)
    assert worst_error(REFERENCE_CELLS[name], lengths=(4, 3, 2)) > 10 * NOTICED
