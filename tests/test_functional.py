"""``functional`` is held to ``reference``, name by name, and to the same bits for any cut."""

import numpy as np
import pytest
from conftest import (
    CELLS,
    CLIP,
    LSTM,
    RNN_RELU,
    assert_all_close,
    assert_all_same_bits,
    assert_close,
    assert_refused,
    assert_same_bits,
    every_cell,
    every_dtype,
    everything,
    needs_jit,
    problem,
    ragged,
    sized,
    upstream,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rnnlite
from rnnlite import reference

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}
SIZES = (1, 2, 3, 7, 16, 17, 33, 131)
# Where registers and tiles begin and end, for any processor.
EDGES = (1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 131)


def is_float_array(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def in_float64(arguments):
    """The same numbers in float64: the truth is computed from exactly what was given."""
    return {
        name: value.astype(np.float64) if is_float_array(value) else value
        for name, value in arguments.items()
    }


def smallest_relu_margin(arguments):
    """How near any projection of a ReLU network comes to the kink at zero."""
    h, _, _ = reference.rnn_forward(**in_float64(arguments))
    before = np.concatenate([arguments["h0"][:, None], h[:, :-1]], axis=1)
    z = arguments["x"] @ arguments["Wx"] + before @ arguments["Wh"] + arguments["b"]
    return np.abs(z).min()


def check_against_reference(cell, arguments, gradients, dtype):
    """All results of ``functional`` equal those of ``reference`` in float64."""
    truth = everything(cell, in_float64(arguments), in_float64(gradients), reference)
    assert_all_close(everything(cell, arguments, gradients), truth, TOLERANCE[dtype], dtype)


# --- the same numbers as the reference ------------------------------------------------------


@st.composite
def problems(draw):
    """A cell, its arguments and the gradients that come back, of any odd sizes."""
    cell = draw(st.sampled_from(CELLS))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    B, I, H = (draw(st.sampled_from(sized(SIZES, SIZES[:7]))) for _ in range(3))
    T = draw(st.integers(1, sized(7, 4)))
    seed = draw(st.integers(0, 2**32 - 1))
    lengths = ragged(B, T, seed) if draw(st.booleans()) else None
    arguments = problem(cell, B, T, I, H, dtype, seed, lengths)
    gradients = upstream(cell, B, T, H, dtype, seed + 1)
    if cell is RNN_RELU and dtype == np.float32:  # rounding may turn a unit on or off there
        assume(smallest_relu_margin(arguments) > 1e-5)
    for optional in cell.initial:
        if draw(st.booleans()):
            arguments[optional] = None
    for optional in gradients:
        if draw(st.booleans()):
            gradients[optional] = None
    return cell, arguments, gradients, dtype


@settings(max_examples=sized(400, 200))
@given(problems())
def test_every_result_equals_the_reference(drawn):
    check_against_reference(*drawn)


@pytest.mark.quick(every=3)
@every_cell
@every_dtype
@pytest.mark.parametrize("size", EDGES)
def test_sizes_at_the_edges_of_registers_equal_the_reference(cell, dtype, size):
    others = {"B": 3, "I": 5, "H": 6}
    for name in others:
        B, I, H = (others | {name: sized(size, min(size, 33))}).values()
        for T in (1, 4):  # few rows and steps are computed with weights that are not packed
            arguments = problem(cell, B, T, I, H, dtype, seed=size, lengths=ragged(B, T))
            check_against_reference(cell, arguments, upstream(cell, B, T, H, dtype), dtype)


@every_cell
def test_a_long_sequence_equals_the_reference(cell):
    T = sized(300, 40)
    arguments = problem(cell, 2, T, 3, 4, lengths=[T, T // 2])
    check_against_reference(cell, arguments, upstream(cell, 2, T, 4), np.float64)


@every_cell
@every_dtype
def test_saturated_gates_equal_the_reference(cell, dtype):
    arguments = problem(cell, dtype=dtype)
    arguments["x"] *= 30
    gradients = upstream(cell, dtype=dtype)
    truth = everything(cell, in_float64(arguments), in_float64(gradients), reference)
    for name, array in everything(cell, arguments, gradients).items():
        assert_close(name, array, truth[name], 100 * TOLERANCE[dtype])


@every_cell
@pytest.mark.parametrize("H", [5, 16])
def test_an_infinite_input_gives_what_the_reference_gives(cell, H):
    arguments = problem(cell, H=H)
    arguments["x"][1, 2, 3] = np.inf
    gradients = upstream(cell, H=H)
    with np.errstate(invalid="ignore"):  # inf * 0 in the weight gradients
        truth = everything(cell, arguments, gradients, reference)
        results = everything(cell, arguments, gradients)
    for name in (*results, "dx", "dh0"):
        if np.isfinite(truth[name]).all():
            assert_close(name, results[name], truth[name], 1e-12)


# Clipped cells without peepholes, and cells with peepholes that are not clipped, are others to
# the compiler: it takes seconds for each.
@pytest.mark.parametrize("clip", [None, pytest.param(CLIP, marks=pytest.mark.long)])
def test_an_infinite_cell_state_gives_what_the_reference_gives(clip):
    """h = o tanh(c) stays finite.  The forget gate's gradient does not: it is a multiple of c."""
    cell = LSTM._replace(options=(("clip", clip),))
    arguments = problem(cell)
    arguments["c0"][1] = [np.inf, -np.inf, 0.0, np.inf, 1.0, 2.0]
    gradients = upstream(cell)
    with np.errstate(invalid="ignore"):
        truth = everything(cell, arguments, gradients, reference)
        results = everything(cell, arguments, gradients)
    assert np.isfinite(truth["h"]).all()
    assert (np.abs(results["h"]) <= (1.0 if clip is None else np.tanh(clip))).all()
    assert_same_bits("cT", np.isinf(results["cT"]), np.isinf(arguments["c0"]))
    for name, array in results.items():
        finite = np.isfinite(truth[name])
        assert finite.mean() > 0.5 or name in ("dWx", "dWh", "db"), name
        assert_close(name, array[finite], truth[name][finite], 1e-12)


@pytest.mark.parametrize(
    ("clip", "peephole"),
    [
        pytest.param(None, None, id="plain"),
        pytest.param(CLIP, None, id="clip", marks=pytest.mark.long),
        pytest.param(None, np.full(18, 0.1), id="peephole", marks=pytest.mark.long),
        pytest.param(CLIP, np.full(18, 0.1), id="both"),
    ],
)
def test_a_nan_cell_state_is_seen_in_h_and_in_the_gradient_of_every_gate(clip, peephole):
    """What bounds a number lets NaN through, forward and back."""
    cell = LSTM._replace(options=(("clip", clip), ("peephole", peephole)))
    arguments = problem(cell, T=1)  # before h brings it into every gate
    arguments["c0"][1, 2] = np.nan
    results = everything(cell, arguments, upstream(cell, T=1))
    assert np.isnan(results["h"][1, :, 2]).all()
    assert np.isnan(results["db"].reshape(4, 6)[:, 2]).all()


def test_a_difference_is_reported_by_name_and_place():
    right = np.arange(6.0).reshape(2, 3)
    wrong = right.copy()
    wrong[1, 1:] += 1e-3
    fragments = ["`dWh` differs first at (1, 1)", "2 of 6"]
    assert_refused(AssertionError, fragments, assert_close, "dWh", wrong, right, 1e-6)
    assert_refused(AssertionError, fragments, assert_same_bits, "dWh", wrong, right)
    wrong[...] = np.nan
    assert_refused(AssertionError, ["(0, 0)"], assert_close, "dWh", wrong, right, 1e-6)


# --- rows, threads, bits --------------------------------------------------------------------

BY_ROW = ("h", "hT", "cT", "dx", "dh0", "dc0")


@needs_jit
@every_cell
@every_dtype
def test_a_row_has_the_same_bits_alone_and_in_a_batch(cell, dtype):
    B, T, I, H = 43, 4, 5, 19
    arguments = problem(cell, B, T, I, H, dtype, lengths=ragged(B, T))
    gradients = upstream(cell, B, T, H, dtype)
    together = everything(cell, arguments, gradients)
    for rows in (slice(0, 1), slice(7, 8), slice(3, 14), slice(42, 43), slice(None, None, -1)):
        some = arguments | {name: arguments[name][rows] for name in ("x", "lengths", *cell.initial)}
        alone = everything(cell, some, {n: value[rows] for n, value in gradients.items()})
        for name, array in alone.items():
            if name in BY_ROW or name.startswith("cache."):
                assert_same_bits(name, array, together[name][rows])


@needs_jit
@every_cell
@every_dtype
@pytest.mark.parametrize("B", [64, 37])
def test_any_number_of_threads_gives_the_same_bits(cell, dtype, B, work_for_many):
    T, I, H = 9, 20, 43
    assert cell.work(B, T, I, H) > 2 * work_for_many  # three threads have work
    arguments = problem(cell, B, T, I, H, dtype, lengths=ragged(B, T))
    gradients = upstream(cell, B, T, H, dtype)
    results = []
    for n in (1, 2, 3):
        rnnlite.set_num_threads(n)
        results.append(everything(cell, arguments, gradients))
    assert_all_same_bits(results[1], results[0])
    assert_all_same_bits(results[2], results[0])


@every_cell
def test_nan_at_a_valid_step_is_seen_from_there_on_in_its_row_only(cell):
    arguments = problem(cell)
    clean = cell.forward()(**arguments)[0]
    arguments["x"][1, 2, 0] = np.nan
    h, state, _ = cell.forward()(**arguments)
    assert np.isnan(h[1, 2:]).all()
    assert np.isnan((state[0] if cell is LSTM else state)[1]).all()
    h[1, 2:] = clean[1, 2:]
    assert_same_bits("h elsewhere", h, clean)


@every_cell
def test_nan_in_an_incoming_gradient_reaches_the_weight_gradients(cell):
    gradients = upstream(cell)
    gradients["dh"][0, 1, 2] = np.nan
    arguments = problem(cell) | {"b": np.full(cell.gates * 6, 5.0)}  # no ReLU is off
    assert np.isnan(everything(cell, arguments, gradients)["dWx"]).any()
