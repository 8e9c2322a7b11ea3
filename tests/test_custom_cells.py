"""Cells that are not in the library: right, the same compiled and plain, and told when wrong."""

import os
import subprocess
import sys

import numpy as np
import pytest
from custom_cases import FOLDER, LENGTHS, cell_of, layer_of, long, sequences

import rnnlite
from rnnlite import cells, gradcheck

NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
SMALLEST = "minimal_gated_unit"


def test_there_are_at_least_the_five_promised_cells():
    assert len(NAMES) >= 5


# Compiled, the smallest in .ci/run, and the others by hand.
@pytest.mark.parametrize(
    ("name", "compiled"),
    [
        *((name, False) for name in NAMES if name == SMALLEST),
        *(pytest.param(name, False, marks=pytest.mark.long) for name in NAMES if name != SMALLEST),
        pytest.param(SMALLEST, True, marks=pytest.mark.long),
        *(
            pytest.param(name, True, marks=(pytest.mark.long, pytest.mark.by_hand))
            for name in NAMES if name != SMALLEST
        ),
    ],
)  # fmt: skip
def test_every_example_cell_passes_the_gradient_check(name, compiled):
    layer = layer_of(cell_of(name), compiled, return_sequences=True)
    report = gradcheck.check(layer, sequences(), lengths=LENGTHS)
    assert report.passed, str(report)
    assert not gradcheck.check_equations(cell_of(name))


@pytest.mark.parametrize("options", [{}, {"go_backwards": True}, {"recurrent_dropout": 0.4}])
@pytest.mark.parametrize(
    "name",
    [*(long(n) for n in NAMES), "LSTM", "GRU", "GRU_2014", "tanh", "relu"],
)
def test_compiled_and_plain_engine_agree(name, options):
    cell = cell_of(name) if name in NAMES else cells.RNN.get(name) or getattr(cells, name)
    x, results = sequences(), []
    for compiled in (True, False):
        layer = layer_of(cell, compiled, return_sequences=True, **options)
        y = layer.forward(x, lengths=LENGTHS, training=True).copy()
        dx = layer.backward(np.cos(y)).copy()
        inference = layer(x, lengths=LENGTHS)
        results.append([y, dx, inference, *layer.grads.values()])
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.long
def test_a_custom_peephole_lstm_is_the_library_s_own():
    custom = layer_of(cell_of("peephole_lstm"))
    own = rnnlite.LSTM(3, 5, peephole=True, dtype="float64")
    own.flat_params[:] = custom.flat_params
    np.testing.assert_array_equal(custom.forward(sequences()), own.forward(sequences()))


@pytest.mark.long
def test_a_custom_irnn_is_the_library_s_relu_rnn():
    custom = layer_of(cell_of("irnn"))
    own = rnnlite.RNN(3, 5, activation="relu", dtype="float64")
    own.flat_params[:] = custom.flat_params
    np.testing.assert_array_equal(custom.forward(sequences()), own.forward(sequences()))


@pytest.mark.long
def test_the_minimal_gated_unit_computes_its_equations():
    layer, x = layer_of(cell_of("minimal_gated_unit")), sequences()
    Wx, Wh, b = (layer.params[name].reshape(-1, 2, 5) for name in ("Wx", "Wh", "b"))
    h = np.zeros((4, 5))
    for t in range(6):
        f = 1 / (1 + np.exp(-(x[:, t] @ Wx[:, 0] + h @ Wh[:, 0] + b[0, 0])))
        n = np.tanh(x[:, t] @ Wx[:, 1] + (f * h) @ Wh[:, 1] + b[0, 1])
        h = (1 - f) * h + f * n
    np.testing.assert_allclose(layer.forward(x), h, rtol=1e-12)


def test_the_layer_normalised_lstm_computes_its_equations():
    layer, x = layer_of(cell_of("layer_norm_lstm"), compiled=False), sequences()
    h, c = np.zeros((4, 5)), np.zeros((4, 5))
    for t in range(6):
        z = x[:, t] @ layer.params["Wx"] + h @ layer.params["Wh"] + layer.params["b"]
        i, f, g, o = np.split(z, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        centred = c - c.mean(axis=1, keepdims=True)
        n = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        h = o * np.tanh(layer.params["gain"] * n + layer.params["shift"])
    np.testing.assert_allclose(layer.forward(x), h, rtol=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_every_example_program_runs_and_passes(name):
    """Compiled, the smallest: as a program, each has kernels of its own, which take seconds."""
    plain = {} if name == SMALLEST else {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")],
        capture_output=True, text=True, check=False, env=os.environ | plain,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "gradient check passed" in done.stdout


# --- a wrong derivative is found, and named -----------------------------------------------


def spoiled(change):
    def step_backward(dstate, saved, state, new_state):
        (dz_i, dz_f, dz_g, dz_o), (dh, dc) = cells.LSTM.step_backward(
            dstate, saved, state, new_state
        )
        return change(dz_i, dz_f, dz_g, dz_o, dh, dc)

    return step_backward


WRONG = {
    "dz[0] (i)": lambda i, f, g, o, dh, dc: ((-i, f, g, o), (dh, dc)),
    "dz[1] (f)": lambda i, f, g, o, dh, dc: ((i, f * 1.001, g, o), (dh, dc)),
    "dz[2] (g)": lambda i, f, g, o, dh, dc: ((i, f, g * 0.99, o), (dh, dc)),
    "dz[3] (o)": lambda i, f, g, o, dh, dc: ((i, f, g, o * 0.0), (dh, dc)),
    "dbefore[0] (dh)": lambda i, f, g, o, dh, dc: ((i, f, g, o), (dh + dc, dc)),
    "dbefore[1] (dc)": lambda i, f, g, o, dh, dc: ((i, f, g, o), (dh, dc * 1.001)),
}


@pytest.mark.parametrize("place", [long(p) if n else p for n, p in enumerate(WRONG)])
def test_the_check_names_the_wrong_result_of_an_equation(place):
    wrong = rnnlite.custom_cell(
        "wrong", cells.LSTM.step, spoiled(WRONG[place]),
        gates=cells.LSTM.gates, saved=cells.LSTM.saved, states=["h", "c"], compiled=False,
    )  # fmt: skip
    layer = rnnlite.Recurrent(wrong, 3, 4, seed=0)
    report = gradcheck.check(layer, sequences(), name_mistakes=False)
    assert not report.passed
    (note,) = [note for note in report.notes if note.startswith("step_backward")]
    assert place in note
    assert note in str(report)


@pytest.mark.long
@pytest.mark.parametrize(("go_backwards", "step"), [(False, 4), (True, 1)])
def test_the_check_names_the_first_wrong_time_step(go_backwards, step):
    """A mistake in dc reaches x only one step further on the way back."""
    wrong = rnnlite.custom_cell(
        "wrong", cells.LSTM.step, spoiled(WRONG["dbefore[1] (dc)"]),
        gates=cells.LSTM.gates, saved=cells.LSTM.saved, states=["h", "c"], compiled=False,
    )  # fmt: skip
    layer = rnnlite.Recurrent(wrong, 3, 4, seed=0, go_backwards=go_backwards)
    report = gradcheck.check(layer, sequences(), name_mistakes=False)
    assert f"wrong first at time step {step} (of 0..5" in "".join(report.notes)


@pytest.mark.long
def test_the_check_names_the_wrong_equation_of_a_cell_within_a_model():
    wrong = rnnlite.custom_cell(
        "wrong", cells.LSTM.step, spoiled(WRONG["dbefore[1] (dc)"]),
        gates=cells.LSTM.gates, saved=cells.LSTM.saved, states=["h", "c"], compiled=False,
    )  # fmt: skip
    layers = [rnnlite.Recurrent(wrong, 3, 4, seed=0, go_backwards=True), rnnlite.Dense(4, 2)]
    step_note, equation = gradcheck.check(rnnlite.Sequential(layers), sequences()).notes
    assert "wrong first at time step 1 (of 0..5" in step_note
    assert "dbefore[1] (dc) is wrong" in equation
    both = rnnlite.Bidirectional(rnnlite.Recurrent(wrong, 3, 4, seed=0), seed=1)
    step_note, equation = gradcheck.check(both, sequences()).notes
    assert step_note == "x: the gradient is wrong at 6 of 6 time steps"  # from both ends
    assert "dbefore[1] (dc) is wrong" in equation


def test_a_right_cell_has_no_notes():
    report = gradcheck.check(rnnlite.LSTM(3, 4, seed=0), sequences())
    assert report.notes == ()
