"""Peepholes, clip and the GRU of 2014: the reference's, and that ``functional`` agrees."""

import numpy as np
import pytest
from conftest import CLIP, KEYWORD_CELLS, assert_all_close, everything, for_each
from reference_cells import (
    REFERENCE_CELLS,
    backward,
    distance_from_clip,
    every_clipped_cell,
    problem,
    run,
    upstream,
)

from rnnlite import functional, reference

# --- peepholes and clip ----------------------------------------------------------------------


def test_peepholes_of_zero_and_a_wide_clip_change_nothing():
    cell = REFERENCE_CELLS["lstm"]
    arguments = problem(cell, lengths=[2, 4, 1])
    plain = everything(cell, arguments, upstream(cell), reference)
    for keywords in ({"peephole": np.zeros(9)}, {"clip": 50}, {"peephole": [0] * 9, "clip": 1e6}):
        others = everything(cell, arguments | keywords, upstream(cell), reference)
        assert ("dpeephole" in others) == ("peephole" in keywords)
        for name, array in plain.items():
            np.testing.assert_array_equal(others[name], array, err_msg=name)


@every_clipped_cell
@pytest.mark.parametrize("module", [reference, functional], ids=["reference", "functional"])
def test_far_beyond_the_clip_gates_are_constant_and_without_gradient(cell, module):
    arguments = problem(cell)
    arguments["b"] = 100 * np.sign(arguments["b"])
    results = everything(cell, arguments, upstream(cell), module)
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
    options = {"c0": [[0.1]], "clip": CLIP, "peephole": np.zeros(3)}  # a kernel less to compile
    _, _, cache = module.lstm_forward(x, zero, zero, b, **options)
    assert not module.lstm_backward([[[1.0]]], cache).db.any()
    _, _, cache = module.lstm_forward(x, zero, zero, b * 0.999, **options)
    assert module.lstm_backward([[[1.0]]], cache).db.all()


# --- the compiled functions ------------------------------------------------------------------


# The kernels of a cell and dtype take seconds to compile; these two are compiled for others, too.
COMPILED = [("lstm-peephole-clip", np.float64), ("gru-2014", np.float64)]


@pytest.mark.parametrize(
    ("cell", "dtype"),
    [
        pytest.param(
            cell, dtype, id=f"{cell.name}-{np.dtype(dtype)}",
            marks=() if (cell.name, dtype) in COMPILED else pytest.mark.long,
        )
        for cell in KEYWORD_CELLS for dtype in (np.float32, np.float64)
    ],
)  # fmt: skip
@pytest.mark.parametrize("H", [1, 5, 33])
@pytest.mark.parametrize("lengths", [None, (4, 1, 2, 3, 1)], ids=["full, h0 zero", "ragged"])
def test_functional_gives_the_same_numbers(cell, dtype, H, lengths):
    arguments = problem(
        cell, B=5, I=3, H=H, lengths=lengths, initial=lengths is not None, dtype=dtype, seed=4
    )
    wide = {  # the truth is computed from exactly the numbers that were given
        name: value.astype(np.float64) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    if "clip" in arguments:  # rounding moves no number across the kink
        assert np.abs(distance_from_clip(run(cell, wide)[2])).min() > 1e-5
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    gradients = upstream(cell, B=5, H=H)
    truth = everything(cell, wide, gradients, reference)
    results = everything(cell, arguments, gradients, functional)
    assert_all_close(results, truth, tolerance, dtype)


@for_each([cell for cell in KEYWORD_CELLS if cell.name in dict(COMPILED)])
def test_results_have_the_types_of_functional(cell):
    arguments = problem(cell)
    gradients = backward(cell, None, cell.forward(reference)(**arguments)[2])
    fast = getattr(functional, f"{cell.function}_forward")(**arguments)[2]
    expected = getattr(functional, f"{cell.function}_backward")(None, fast)
    assert type(gradients).__name__ == type(expected).__name__
    assert gradients._fields == expected._fields
