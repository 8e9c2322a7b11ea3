"""Cells that are not in the library: right, the same compiled and plain, and told when wrong."""

import gc
import importlib
import subprocess
import sys
import types
import weakref
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_jit
from numba.core.dispatcher import Dispatcher

import rnnlite
from rnnlite import cells, gradcheck
from rnnlite.cells.functions import tanh, zero_like
from rnnlite.engine import compiled as engine
from rnnlite.kernels import jit, load_store
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.freeze import frozen
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.layout import layout_of
from rnnlite.kernels.target import lanes_of

FOLDER = Path(__file__).parent.parent / "examples" / "custom_cells"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
SMALLEST = "minimal_gated_unit"
LENGTHS = [6, 3, 1, 4]


def cell_of(name):
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name).CELL
    finally:
        sys.path.remove(str(FOLDER))


def sequences():
    return np.random.default_rng(0).normal(size=(4, 6, 3))


def layer_of(cell, compiled=True, **options):
    layer = rnnlite.Recurrent(
        cell._replace(compiled=compiled), 3, 5, seed=0, dtype="float64", **options
    )
    for number, array in enumerate(layer.params.values()):  # also where zero is the start
        array += 0.2 * np.random.default_rng(number).normal(size=array.shape)
    return layer


def long(case):
    """For .ci/run alone: its kernels take many seconds to compile."""
    return pytest.param(case, marks=pytest.mark.long)


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
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")], capture_output=True, text=True, check=False
    )
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


# --- what custom_cell accepts ------------------------------------------------------------


def step(z, state):
    h = tanh(z[0])
    return (h,), (h,)


def step_backward(dstate, saved, state, new_state):
    return (dstate[0] * (1.0 - saved[0] * saved[0]),), (zero_like(dstate[0]),)


GOOD = {"gates": ["h"], "saved": ["h"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": np.tanh}, "step is"),
        ({"step_backward": None}, "step_backward is None"),
        ({"name": ""}, "name is ''"),
        ({"gates": "ifgo"}, "gates is 'ifgo'"),
        ({"gates": []}, "gates is"),
        ({"gates": ["h", "h"]}, "none twice"),
        ({"states": ["c"]}, "the first must be 'h'"),
        ({"saved": [1]}, "saved is"),
        ({"intermediate": step}, "intermediate_backward belong together"),
        ({"projections": [("a", "h")]}, "projections names 'a'"),
        ({"projections": [(None, None)]}, "uses neither"),
        ({"projections": [("h", "h", "intermediate")]}, "with intermediate="),
        ({"projections": [("h", None)]}, "on the h side"),
        ({"unit_params": {"gain": "1"}}, "unit_params"),
        ({"whole_rows": 1}, "whole_rows is 1"),
        ({"compiled": "yes"}, "compiled is 'yes'"),
    ],
)
def test_arguments_that_do_not_fit_are_named(change, message):
    arguments = {"name": "mine", "step": step, "step_backward": step_backward, **GOOD, **change}
    with pytest.raises((TypeError, ValueError), match="custom_cell") as caught:
        rnnlite.custom_cell(**arguments)
    assert message in str(caught.value)


def returning(new_state=None, saved=None, dz=None, dbefore=None):
    """The two functions above, with a part of what they return replaced by something of z or dz."""

    def odd_step(z, state):
        results = step(z, state)
        return tuple(f(z[0]) if f else r for f, r in zip((new_state, saved), results, strict=True))

    def odd_step_backward(dstate, saved, state, new_state):
        results = step_backward(dstate, saved, state, new_state)
        values = zip((dz, dbefore), results, strict=True)
        return tuple(f(dstate[0]) if f else r for f, r in values)

    return odd_step, odd_step_backward


FORMS = {
    "no tuple": (returning(saved=lambda z: z), "step: saved is an array of shape"),
    "too many": (returning(saved=lambda z: (z, z)), "step: saved is a tuple of 2; wanted a tuple"),
    "too few": (returning(dz=lambda d: ()), "step_backward: dz is a tuple of 0"),
    "a number": (returning(dbefore=lambda d: (0.0,)), "step_backward: dbefore[0] (h) is 0.0;"),
    "a sum": (returning(dz=lambda d: (d.sum(axis=0),)), "step_backward: dz[0] (h) has shape ("),
    "text": (returning(new_state=lambda z: (np.full(z.shape, "1"),)), "step: new_state[0] (h) h"),
    "nothing": ((lambda z, state: None, step_backward), "step: the result is None; wanted"),
    "one": ((step, lambda *given: (given[0],)), "step_backward: the result is a tuple of 1"),
}


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_what_an_equation_returns_is_looked_at(form, compiled):
    """A kernel would not compile, or would write past its memory; NumPy would take B for a name."""
    functions, message = FORMS[form]
    with pytest.raises((TypeError, ValueError)) as caught:
        cell = rnnlite.custom_cell("mine", *functions, **GOOD, compiled=compiled)
        gradcheck.check(rnnlite.Recurrent(cell, 3, 4, seed=0), sequences())
    assert str(caught.value).startswith(f"mine: {message}")


def test_a_message_names_each_value_of_z_by_its_gate():
    def two_steps(z, state):
        h = tanh(z[0] * z[1])
        return (h,), (h,)

    halves = {"gates": ["n"], "saved": ["h"], "projections": [("n", None), (None, "n")]}
    with pytest.raises(TypeError, match=r"dz is a tuple of 1; wanted a tuple of 2: n, n"):
        rnnlite.custom_cell("mine", two_steps, step_backward, **halves)


def test_a_row_that_is_too_long_never_reaches_a_kernel():
    functions = returning(saved=lambda z: (np.concatenate((z, z)),))
    with pytest.raises(ValueError, match=r"saved\[0\] \(h\) has shape \(6,\); wanted \(3,\)"):
        rnnlite.custom_cell("mine", *functions, **GOOD, whole_rows=True)


def test_plain_equations_may_return_lists_and_look_along_axis_1():
    """A derivative that is wrong is named all the same."""

    def centred_step(z, state):
        h = np.tanh(z[0] - z[0].mean(axis=1, keepdims=True))
        return [h], [h]

    def centred_step_backward(dstate, saved, state, new_state):
        d = dstate[0] * (1.0 - saved[0] ** 2)
        return [d], [np.zeros_like(d)]  # without - mean(d)

    cell = rnnlite.custom_cell(
        "centred", centred_step, centred_step_backward, **GOOD, compiled=False
    )
    report = gradcheck.check(rnnlite.Recurrent(cell, 3, 4, seed=0), sequences())
    assert "step_backward: dz[0] (h) is wrong" in report.notes[-1]


@pytest.mark.long  # its forward compiles first
@pytest.mark.skipif(JIT_DISABLED, reason="plain Python takes any equation")
def test_equations_that_do_not_compile_are_told_what_they_may_use():
    def squared(dstate, saved, state, new_state):
        return (dstate[0] * (1.0 - saved[0] ** 2),), (zero_like(dstate[0]),)

    cell = rnnlite.custom_cell("mine", step, squared, **GOOD)
    layer = rnnlite.Recurrent(cell, 3, 4, seed=0, dtype="float64")
    layer.forward(sequences())
    with pytest.raises(TypeError, match=r"mine: its equations do not compile.* x \* x, not x"):
        layer.backward(np.ones((4, 4)))


def test_recurrent_wants_a_cell():
    with pytest.raises(TypeError, match="Recurrent: cell is"):
        rnnlite.Recurrent("lstm", 3, 4)


def make_decaying(rate):
    def decaying_step(z, state):
        h = rate * state[0] + tanh(z[0])
        return (h,), (h,)

    return decaying_step


@pytest.mark.long
def test_cells_that_differ_only_in_a_constant_are_told_apart():
    x, outputs = sequences(), []
    for rate in (0.5, 0.25):
        cell = rnnlite.custom_cell("decaying", make_decaying(rate), step_backward, **GOOD)
        outputs.append(rnnlite.Recurrent(cell, 3, 4, seed=0, dtype="float64").forward(x))
    assert not np.allclose(*outputs)


def test_a_name_is_what_was_given_and_kernels_are_told_apart_by_equations():
    first, second = (rnnlite.custom_cell("mine", step, step_backward, **GOOD) for _ in range(2))
    other = rnnlite.custom_cell("mine", make_decaying(0.5), step_backward, **GOOD)
    assert first.name == second.name == other.name == "mine"
    assert identity(first) == identity(second) != identity(other)


@pytest.mark.long
def test_equations_may_use_functions_of_numpy_in_whole_rows():
    def centred_step(z, state):
        h = np.tanh(z[0] - np.mean(z[0]))
        return (h,), (h,)

    def centred_step_backward(dstate, saved, state, new_state):
        d = dstate[0] * (1.0 - saved[0] * saved[0])
        return (d - np.mean(d),), (np.zeros_like(d),)

    cell = rnnlite.custom_cell(
        "centred", centred_step, centred_step_backward, **GOOD, whole_rows=True
    )
    assert gradcheck.check(rnnlite.Recurrent(cell, 3, 7, seed=0), sequences()).passed


# --- projections in any order ---------------------------------------------------------------

# From x alone, from h alone, from both, from x and the intermediate, from that alone.
MIXED = [("k", None), (None, "k"), ("m", "m"), ("n", "l", "intermediate"), ("l", None),
         (None, "n", "intermediate")]  # fmt: skip


def mixed_cell(order, bias, compiled=True, **options):
    """One cell, whatever the order of its projections: z[order.index(n)] is MIXED[n]."""
    place = tuple(order.index(n) for n in range(len(MIXED)))
    p0, p1, p2, p3, p4, p5 = place
    at = tuple(float(n == p2) for n in range(len(MIXED)))

    def intermediate(z, state):
        return tanh(z[p2]) * state[0]

    def step(z, state):
        m, a, b = tanh(z[p2]), tanh(z[p3]), tanh(z[p5])
        h = tanh(z[p0] * z[p1] + m + a * b + z[p4])
        return (h,), (h, m, a, b, z[p0], z[p1])

    def step_backward(dstate, saved, state, new_state):
        h, m, a, b, k_x, k_h = saved
        d = dstate[0] * (1.0 - h * h)
        dz = (d * k_h, d * k_x, d * (1.0 - m * m), d * b * (1.0 - a * a), d,
              d * a * (1.0 - b * b))  # fmt: skip
        i0, i1, i2, i3, i4, i5 = order
        return (dz[i0], dz[i1], dz[i2], dz[i3], dz[i4], dz[i5]), (zero_like(d),)

    def intermediate_backward(da, dz, dbefore, saved, state):
        m = saved[1]
        more = da * state[0] * (1.0 - m * m)
        return (dz[0] + more * at[0], dz[1] + more * at[1], dz[2] + more * at[2],
                dz[3] + more * at[3], dz[4] + more * at[4], dz[5] + more * at[5],
        ), (dbefore[0] + da * m,)  # fmt: skip

    return rnnlite.custom_cell(
        "mixed", step, step_backward, gates=["k", "l", "m", "n"],
        saved=["h", "m", "a", "b", "k_x", "k_h"], projections=[MIXED[n] for n in order],
        intermediate=intermediate, intermediate_backward=intermediate_backward,
        recurrent_bias=bias, compiled=compiled, **options,
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 2, 0, 3, 1, 4)])
def test_a_cell_may_list_its_projections_in_any_order(order, bias):
    """The engine sorts them; z comes in the cell's order, and so does dz."""
    x, results = sequences(), []
    for compiled in (True, False):
        layer = layer_of(mixed_cell(order, bias, compiled), compiled, return_sequences=True)
        report = gradcheck.check(layer, x, lengths=LENGTHS)
        assert report.passed, str(report)
        y = layer.forward(x, lengths=LENGTHS)
        step = layer.step(x[:, 0])[0]  # few rows: weights as they are
        results.append([y, step, layer.backward(np.cos(y)), *layer.grads.values()])
    for ours, plain in zip(*results, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("compiled", [False, True if JIT_DISABLED else long(True)])
def test_the_equations_of_the_intermediate_see_the_parameters_of_the_units(compiled):
    """Forward and back; to a parameter of the intermediate alone there is no gradient."""

    def intermediate(z, state, p):
        return p[0] * state[0]

    def gained_step(z, state, p):
        h = tanh(p[1] * z[0])
        return (h,), (h, z[0])

    def gained_step_backward(dstate, saved, state, new_state, p):
        d = dstate[0] * (1.0 - saved[0] * saved[0])
        return (d * p[1],), (zero_like(d),), (zero_like(d), d * saved[1])

    def intermediate_backward(da, dz, dbefore, saved, state, p):
        return dz, (dbefore[0] + da * p[0],)

    cell = rnnlite.custom_cell(
        "gained", gained_step, gained_step_backward, gates=["h"], saved=["h", "z"],
        projections=[("h", "h", "intermediate")], unit_params={"before": 0.7, "gain": 1.3},
        intermediate=intermediate, intermediate_backward=intermediate_backward,
    )  # fmt: skip
    layer, x = layer_of(cell, compiled, return_sequences=True), sequences()
    gradients = {"x": layer.backward(np.cos(layer.forward(x, lengths=LENGTHS)))}
    gradients |= {name: layer.grads[name].copy() for name in ("Wx", "b", "Wh", "gain")}
    assert not layer.grads["before"].any()
    for name, gradient in gradients.items():
        array = x if name == "x" else layer.params[name]
        step = 1e-6 * np.random.default_rng(1).normal(size=array.shape)
        losses = []
        for sign in (1, -1):
            array += sign * step
            losses.append(np.sin(layer(x, lengths=LENGTHS)).sum())
            array -= sign * step
        np.testing.assert_allclose(np.sum(gradient * step) * 2, losses[0] - losses[1], rtol=1e-6)


def test_names_from_before_the_first_release_are_understood():
    example = cell_of("minimal_gated_unit")
    old = rnnlite.custom_cell(
        "minimal gated unit", example.step, example.step_backward, gates=["f", "n"],
        kept=["f", "n"], blocks=[("f", "f"), ("n", "n", "reset")],
        reset=example.intermediate, reset_backward=example.intermediate_backward,
    )  # fmt: skip
    assert old == example


# --- values are those of the moment the cell was made --------------------------------------

settings = types.ModuleType("settings")


def leak_with(rates):
    """A leaky unit whose numbers stand in a module, in its array, in an array of a helper."""
    settings.rate, settings.rates = 0.5, rates

    def gain(value):
        return value * rates[1]

    def leaky_step(z, state):
        h = settings.rate * state[0] + gain(tanh(z[0])) + settings.rates[2] * state[0]
        return (h,), (h,)

    def leaky_step_backward(dstate, saved, state, new_state):
        g = (new_state[0] - (settings.rate + rates[2]) * state[0]) / rates[1]
        dz = gain(dstate[0]) * (1.0 - g * g)
        return (dz,), (dstate[0] * (settings.rate + settings.rates[2]),)

    return leaky_step, leaky_step_backward


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=pytest.mark.long), False])
def test_what_changes_after_a_cell_was_made_changes_neither_it_nor_its_gradient(compiled):
    x, rates = sequences(), np.array([0.0, 0.8, 0.1])
    cell = rnnlite.custom_cell("leaky", *leak_with(rates), **GOOD, compiled=compiled)
    key = identity(cell)
    layer = rnnlite.Recurrent(cell, 3, 4, seed=0, dtype="float64", return_sequences=True)
    y = layer.forward(x).copy()
    settings.rate, settings.rates = 0.25, rates  # between forward and backward, where it is
    rates[:] = 0.3  # compiled for the first time
    dx = layer.backward(np.cos(y))
    step = 1e-6 * np.random.default_rng(1).normal(size=x.shape)
    change = np.sin(layer.forward(x + step)).sum() - np.sin(layer.forward(x - step)).sum()
    np.testing.assert_allclose(np.sum(dx * step) * 2, change, rtol=1e-6)
    np.testing.assert_array_equal(layer.forward(x), y)
    assert gradcheck.check(layer, x).passed and identity(cell) == key
    other = rnnlite.custom_cell("leaky", *leak_with(rates), **GOOD, compiled=compiled)
    assert identity(other) != key  # made with what is there now


def test_a_frozen_array_cannot_be_written_and_is_not_the_user_s():
    array = np.ones(3)

    def writing_step(z, state):
        array[0] = 2.0
        return (z[0],), (z[0],)

    with pytest.raises(ValueError, match=r"mine: step raises .*read-only"):
        rnnlite.custom_cell("mine", writing_step, step_backward, **GOOD)
    array[0] = 3.0  # still the user's own


def test_a_frozen_function_is_the_same_function():
    """With its helpers, that may call one another, Numba's, and its own name and text."""
    import numba

    rate = 0.5

    @numba.njit
    def compiled(h):
        return rate * h

    def even(n, h):
        return h if n == 0 else odd(n - 1, h)

    def odd(n, h):
        return 0.0 * h if n == 0 else even(n - 1, h)

    def recursive_step(z, state):
        """My step."""
        h = even(4, compiled(state[0])) + tanh(z[0])
        return (h,), (h,)

    cell = rnnlite.custom_cell("mine", recursive_step, step_backward, **GOOD, compiled=False)
    rate = 100.0
    z = state = (np.ones((2, 3)),)
    np.testing.assert_allclose(cell.step(z, state)[0][0], 0.5 + np.tanh(1.0))
    assert cell.step is not recursive_step and cell.step.__doc__ == "My step."
    assert cell.step.__qualname__ == recursive_step.__qualname__
    again = rnnlite.custom_cell("mine", cell.step, cell.step_backward, **GOOD, compiled=False)
    assert again == cell


@needs_jit
def test_a_frozen_function_of_numba_s_keeps_its_options():
    import numba

    rounded = numba.njit(fastmath={"nnan"}, error_model="numpy")(lambda h: 0.5 * h)

    def step(z, state):
        return (rounded(z[0]),), (z[0],)

    (twin,) = frozen([step])
    (inside,) = (cell.cell_contents for cell in twin.__closure__)
    assert inside is not rounded and inside.targetoptions == rounded.targetoptions


# --- rows of the right length, whatever a kernel is given -----------------------------------


def cell_of_rows(new_state=None, dp=None):
    """Whole rows, and what replaces a row from 16 units on: no try-out sees it."""

    def step(z, state, p):
        h = np.tanh(z[0]) * p[0]
        if h.size >= 16:
            h = new_state(h)
        return (h,), (np.tanh(z[0]),)

    def step_backward(dstate, saved, state, new_state, p):
        d = dstate[0] * p[0] * (1.0 - saved[0] * saved[0])
        gain = dstate[0] * saved[0]
        if gain.size >= 16:
            gain = dp(gain)
        return (d,), (np.zeros_like(d),), (gain,)

    new_state, dp = (function or (lambda row: row) for function in (new_state, dp))
    return rnnlite.custom_cell(
        "rows", step, step_backward, **GOOD, unit_params={"gain": 1.0}, whole_rows=True
    )


ROWS = {
    "short": {"new_state": lambda row: row[:3].copy()},
    "long": {"new_state": lambda row: np.concatenate((row, row))},
    "dp": {"dp": lambda row: np.zeros(400_000)},
}


@pytest.mark.parametrize("size", [3, 5, 400_000])
@pytest.mark.parametrize("method", ["store_unit", "add"])
def test_a_kernel_writes_no_row_of_another_length(method, size):
    write, array = getattr(load_store.ROWS, method), np.zeros(9)

    @jit.kernel(identity=method)
    def write_row(array, row):
        write(array, 2, row, 4)

    write_row(array, np.ones(4))
    with pytest.raises(ValueError, match=load_store.WRONG_LENGTH):
        write_row(array, np.ones(size))
    np.testing.assert_array_equal(array, [0, 0, 1, 1, 1, 1, 0, 0, 0])


@pytest.mark.long
@pytest.mark.parametrize("which", ROWS)
def test_a_row_of_another_length_is_an_error_and_not_an_access_to_other_memory(which):
    layer = rnnlite.Recurrent(cell_of_rows(**ROWS[which]), 3, 64, seed=0, dtype="float64")
    with pytest.raises(ValueError, match=r"^rows: "):
        layer.backward(layer.forward(sequences()))


def test_the_try_out_takes_several_sizes():
    with pytest.raises(ValueError, match=r"mine: step: new_state\[0\] \(h\) has shape \(3,\)"):
        rnnlite.custom_cell(
            "mine", *returning(new_state=lambda z: (z[:3],)), **GOOD, whole_rows=True
        )


def test_what_an_equation_raises_when_it_is_tried_out_is_told():
    def mistaken(z, state):
        return (tanh(z[1]),), (z[0],)  # there is but one

    with pytest.raises(ValueError, match=r"mine: step raises IndexError.*compiled=False") as caught:
        rnnlite.custom_cell("mine", mistaken, step_backward, **GOOD)
    assert isinstance(caught.value.__cause__, IndexError)


def test_the_try_out_lets_numbers_overflow():
    def steep(z, state):
        return (z[0] * 1e300 * 1e300,), (z[0],)

    with np.errstate(all="raise"):
        rnnlite.custom_cell("steep", steep, lambda d, s, h, new: ((d[0],), (d[0],)), **GOOD)


def test_a_cell_may_be_meant_for_one_size():
    scale = np.linspace(0.5, 1.5, 7)

    def scaled_step(z, state):
        h = np.tanh(z[0]) * scale
        return (h,), (h / scale,)

    def scaled_step_backward(dstate, saved, state, new_state):
        d = dstate[0] * scale * (1.0 - saved[0] * saved[0])
        return (d,), (np.zeros_like(d),)

    functions = scaled_step, scaled_step_backward
    cell = rnnlite.custom_cell("mine", *functions, **GOOD, whole_rows=True)
    plain = cell._replace(compiled=False)
    assert gradcheck.check(rnnlite.Recurrent(plain, 3, 7, seed=0), sequences()).passed


@needs_jit
def test_print_in_a_compiled_cell_is_one_sentence():
    def printing_step(z, state):
        print(z[0])
        return step(z, state)

    cell = rnnlite.custom_cell("mine", printing_step, step_backward, **GOOD)
    with pytest.raises(TypeError, match=r"^mine: .*compiled=False runs any NumPy, and print.*$"):
        rnnlite.Recurrent(cell, 3, 4, seed=0).forward(sequences())


@pytest.mark.parametrize("H", [4, 19])
def test_without_the_jit_an_equation_sees_its_units_and_no_others(H):
    if not JIT_DISABLED:
        pytest.skip("asked of NUMBA_DISABLE_JIT=1 alone")
    sizes = (min(H, lanes_of(np.dtype(float))), H % lanes_of(np.dtype(float)))

    def looking(z, state):
        if z[0].size not in sizes or state[0].size != z[0].size:
            raise AssertionError(f"{z[0].size} numbers")
        return step(z, state)

    cell = cells.RNN["tanh"]._replace(step=looking)
    layer = rnnlite.Recurrent(cell, 3, H, seed=0, dtype="float64")
    layer.forward(sequences()[:1])


# --- kernels of cells that are gone ---------------------------------------------------------


def dispatchers():
    gc.collect()
    return sum(issubclass(type(one), Dispatcher) for one in gc.get_objects())


@needs_jit
@pytest.mark.long
def test_engines_of_cells_that_are_gone_are_freed():
    """Not compiled here: what is made for each is 70 of Numba's functions."""
    engine._recent.clear()
    before, made = dispatchers(), []
    for n in range(30):
        cell = rnnlite.custom_cell("mine", make_decaying(n / 100), step_backward, **GOOD)
        made.append(weakref.ref(engine.engine_of(cell)))
    del cell
    of_one = (dispatchers() - before) / engine._recent.maxlen
    assert sum(one() is not None for one in made) == engine._recent.maxlen
    engine._recent.clear()
    assert dispatchers() - before < of_one / 10
    assert not any(one() for one in made)


@pytest.mark.long
@needs_jit
def test_a_cell_made_and_dropped_again_and_again_is_compiled_once():
    def once():
        cell = rnnlite.custom_cell("mine", step, step_backward, **GOOD)
        return engine.engine_of(cell)

    first = once()
    count = dispatchers()
    functions = weakref.ref(rnnlite.custom_cell("mine", step, step_backward, **GOOD).step)
    for _ in range(20):
        assert once() is first
    assert dispatchers() <= count and functions() is None


@pytest.mark.long
@needs_jit
def test_kernels_that_were_compiled_are_freed_with_their_cell():
    engine._recent.clear()
    while_there, after = [], []
    for n in range(4):
        cell = rnnlite.custom_cell("mine", make_decaying(n / 7), step_backward, **GOOD)
        layer = rnnlite.Recurrent(cell, 3, 4, seed=0)
        layer.backward(layer.forward(sequences()))
        while_there.append(dispatchers())
        del cell, layer
        engine._recent.clear()
        dispatchers()  # collects: some are held by others that are gone
        after.append(dispatchers())
    made = while_there[3] - after[2]
    assert made > 0 and after[3] - after[1] < 2 * made  # two cells later


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (5, 2, 0, 3, 1, 4)])
def test_for_few_rows_every_part_of_the_weights_is_multiplied_once(order, bias):
    """The table of products with W as it is, worked through in NumPy; its last is that of a."""
    I, H, rng = 3, 2, np.random.default_rng(0)
    cell = mixed_cell(order, bias)
    layout = layout_of(cell, I, H, np.dtype(float))
    W = rng.normal(size=(layout.h_row + H, layout.columns))
    x, h, a = rng.normal(size=I), rng.normal(size=H), rng.normal(size=H)
    xh = np.full(layout.xh_row, np.nan)
    xh[layout.x_at : layout.h_at] = [*x, *np.ones(1 + bias)]
    xh[layout.h_at : layout.h_at + H], xh[layout.a_at : layout.a_at + H] = h, a
    z = np.full(len(layout.blocks) * H, np.nan)
    for turn in (0, 1):
        for column, K, _, start, row, _, at, N, begins, waits in layout.direct_products:
            if waits == turn:
                weights = W.ravel()[start + row * np.arange(K)[:, None] + np.arange(N)]
                z[at : at + N] = (0.0 if begins else z[at : at + N]) + xh[
                    column : column + K
                ] @ weights
    of_gate = W.reshape(len(W), -1, H).transpose(1, 0, 2)
    for block, found in zip(layout.blocks, z.reshape(-1, H), strict=True):
        wanted = np.zeros(H)
        if block.x >= 0:
            wanted += x @ of_gate[block.x][:I] + of_gate[block.x][I]
        for gate, state in ((block.h, h), (block.a, a)):
            if gate >= 0:
                wanted += state @ of_gate[gate][layout.h_row :]
                wanted += of_gate[gate][I + 1 : layout.h_row].sum(axis=0)  # bh, if there is one
        np.testing.assert_allclose(found, wanted)
