"""The gradient check refuses mistakes in the equations of a cell, and sees no mistake in a kink."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from gradchecked import H, I, X, check, multiply, spoilt, wrong_arrays

from rnnlite import GRU, LSTM, RNN, cells, gradcheck
from rnnlite.gradcheck import equations

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


@pytest.mark.parametrize("name", LAYER_OF)
def test_an_exchanged_cell_with_the_right_equations_passes(name):
    """Compiled, a mistake's name says more: all numbers are those of that mistake."""
    report = check(with_cell(name, "cells.cell import", "cells.cell import", compiled=False), X)
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
