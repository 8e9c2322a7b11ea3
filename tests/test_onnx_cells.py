"""Cells of one's own in ONNX: their equations as nodes in a ``Scan``, or a sentence."""

import numpy as np
import pytest
from conftest import assert_refused
from layer_cases import rng
from onnx_runtimes import every_runtime
from programs import load_example

import rnnlite
from rnnlite import Recurrent, Sequential, interop
from rnnlite.cells.functions import clip, exp, relu, sigmoid, tanh, where_positive, within

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

B, T, I, H = 5, 7, 3, 4
LENGTHS = np.array([7, 0, 3, 1, 5])
EXAMPLES = ["coupled_lstm", "irnn", "layer_norm_lstm", "minimal_gated_unit", "peephole_lstm"]


def not_needed(*arguments):
    raise NotImplementedError("only forward is looked at here")


def cell_of(step, gates=("f", "n"), states=("h",), **options):
    """A cell whose step is looked at alone; plain NumPy, so that nothing is compiled."""
    return rnnlite.custom_cell(
        "mine", step, not_needed, gates=gates, saved=["h"], states=states, compiled=False, **options
    )


def stack(cell, dtype="float32"):
    """Forward over all steps, then backward to the first."""
    inside = [
        Recurrent(cell, I, H, return_sequences=True, seed=0, dtype=dtype),
        Recurrent(cell, H, H, go_backwards=True, seed=1, dtype=dtype),
    ]
    model = Sequential(inside)
    model.flat_params = rng(1).normal(0.0, 0.6, model.flat_params.shape)
    return model


def assert_same(run, model, path, dtype="float32"):
    interop.export_onnx(model, path)
    onnx.checker.check_model(path, full_check=True)
    x = rng(2).normal(size=(B, T, I)).astype(dtype)
    wanted = model(x, lengths=LENGTHS)
    x[np.arange(T) >= LENGTHS[:, None]] = np.nan
    got = run(path, {"x": x, "lengths": LENGTHS})["y"]
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


@pytest.mark.long
@every_runtime
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_cells_of_the_examples_answer_as_the_model(tmp_path, run, name):
    cell = load_example(f"custom_cells/{name}").CELL._replace(compiled=False)
    assert_same(run, stack(cell), tmp_path / "m.onnx")


def every_function(z, state):
    """All functions that equations may use."""
    f, n = sigmoid(z[0]), tanh(z[1])
    a = clip(z[0], -0.5, 0.5) + relu(-n) - where_positive(z[1], f) / (1.0 + exp(-abs(f)))
    h = 0.3 * a + within(n, -0.6, 0.6, f * state[0]) + n**2 * 0.1
    return (h,), (h,)


@every_runtime
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_function_of_equations_has_its_node(tmp_path, run, dtype):
    assert_same(run, stack(cell_of(every_function), dtype), tmp_path / "m.onnx", dtype)


MIX = rng(5).normal(size=(H, H)) * 0.3
GAIN = np.array([0.5, 1.0, 2.0, 0.1])


def of_numpy(z, state):
    """What NumPy has for the units of a row."""
    n = np.sqrt(np.square(z[0]) + 1.0) - z[1].mean(axis=-1, keepdims=True)
    centred = n - np.mean(n, axis=1, keepdims=True)
    mixed = np.maximum(centred, np.zeros_like(n)) @ MIX * GAIN
    h = np.where((z[0] > 0) & ~(z[1] >= 1.0), np.tanh(mixed), 0.5 * state[0])
    m = state[1] * 0.9 + np.sign(z[1]) * 0.1
    return (h + 0.1 * m + (z[1] != 0.0), m), (h,)


@every_runtime
def test_functions_of_numpy_are_recorded_too(tmp_path, run):
    assert_same(run, stack(cell_of(of_numpy, states=("h", "m"))), tmp_path / "m.onnx")


def a_branch(z, state):
    h = tanh(z[0]) if z[0] > 0 else z[1]
    return (h,), (h,)


def over_the_batch(z, state):
    h = z[0] - np.mean(z[1])
    return (h,), (h,)


def sorts(z, state):
    h = np.sort(z[0]) + z[1]
    return (h,), (h,)


def outside(z, state):
    h = np.asarray(np.array(z[0]) + z[1])
    return (h,), (h,)


def one_by_one(z, state):
    h = np.stack([a * 2.0 for a in z[0]]) + z[1]
    return (h,), (h,)


def a_constant(z, state):
    h = np.ones((B, H))
    return (h,), (h,)


def for_one_batch(z, state):
    h = z[0] * np.ones((B, H)) + z[1]
    return (h,), (h,)


REFUSED = {
    "a branch": (a_branch, "whether a value is true"),
    "a mean over the batch": (over_the_batch, "numpy.mean goes over more than that"),
    "sorting": (sorts, "numpy.sort, used as it is here, has no counterpart"),
    "an array of a value": (outside, "makes an array of a value"),
    "a loop over a value": (one_by_one, "number by number"),
    "a result that nothing made": (a_constant, "step returns array"),
    "an array for one batch size": (for_one_batch, "shape (5, 4) beside values of any batch"),
}


@pytest.mark.parametrize(("step", "said"), REFUSED.values(), ids=REFUSED)
def test_equations_that_onnx_has_not_are_refused_by_name(tmp_path, step, said):
    model, path = Sequential([Recurrent(cell_of(step), I, H, seed=0)]), tmp_path / "m.onnx"
    said = ["export_onnx: layer 0: the cell 'mine' cannot be written as ONNX: step", said]
    assert_refused(ValueError, said, interop.export_onnx, model, path)
    assert not path.exists()
