"""What ``functional`` does not take, and how it says so."""

import numpy as np
import pytest
from conftest import (
    CELLS,
    RNN_TANH,
    assert_all_same_bits,
    assert_refused,
    every_array,
    every_cell,
    everything,
    problem,
    shapes,
    upstream,
)

from rnnlite import functional, reference

# --- bad input ------------------------------------------------------------------------------


def wrong_shapes(shape):
    """The shape with one axis too long, too short, missing, or added."""
    for axis, size in enumerate(shape):
        yield (*shape[:axis], size + 1, *shape[axis + 1 :])
        yield (*shape[:axis], size - 1, *shape[axis + 1 :])
        yield (*shape[:axis], *shape[axis + 1 :])
    yield (*shape, 1)


# A size of its own for every letter: no wrong one fits by chance.
DIMENSIONS = {"B": 2, "T": 4, "I": 3, "H": 5}


@every_array
def test_a_wrong_shape_is_refused_with_both_shapes(cell, name):
    wanted = shapes(cell, **DIMENSIONS)
    for shape in wrong_shapes(wanted[name]):
        if name == "x" and len(shape) == 3:
            continue  # right by itself: see the next test
        arguments = problem(cell, **DIMENSIONS) | {name: np.ones(shape)}
        fragments = [f"{cell.function}_forward: {name} has shape {shape}; wanted "]
        if name not in ("x", "Wh"):  # these two decide what is wanted of the others
            fragments += [f"wanted {wanted[name]}"]
        assert_refused(ValueError, fragments, cell.forward(), **arguments)


@every_cell
def test_arrays_that_do_not_fit_x_are_refused_with_the_shape_that_would(cell):
    arguments = problem(cell, **DIMENSIONS) | {"x": np.ones((2, 4, 7))}
    K = cell.gates * 5
    fragments = [f"{cell.function}_forward: Wx has shape {(3, K)}; wanted {(7, K)}", "7 of x"]
    assert_refused(ValueError, fragments, cell.forward(), **arguments)
    arguments = problem(cell, **DIMENSIONS) | {"x": np.ones((9, 4, 3))}
    fragments = [f"{cell.function}_forward: h0 has shape (2, 5); wanted (9, 5)"]
    assert_refused(ValueError, fragments, cell.forward(), **arguments)


@every_array
def test_an_empty_array_is_refused(cell, name):
    wanted = shapes(cell, **DIMENSIONS)[name]
    for axis in range(len(wanted)):
        shape = (*wanted[:axis], 0, *wanted[axis + 1 :])
        arguments = problem(cell, **DIMENSIONS) | {name: np.ones(shape)}
        fragments = [f"{cell.function}_forward", f"{name} has shape {shape}"]
        assert_refused(ValueError, fragments, cell.forward(), **arguments)


NOT_NUMBERS = {
    "complex": lambda shape: np.ones(shape, complex),
    "object": lambda shape: np.full(shape, None),
    "text": lambda shape: np.full(shape, "1.0"),
    "dates": lambda shape: np.zeros(shape, "datetime64[s]"),
    "dict": lambda shape: {"a": 1.0},
}
every_kind_of_nonsense = pytest.mark.parametrize(
    "nonsense", NOT_NUMBERS.values(), ids=NOT_NUMBERS.keys()
)


@every_array
@every_kind_of_nonsense
def test_an_array_without_real_numbers_is_refused(cell, name, nonsense):
    wanted = shapes(cell, **DIMENSIONS)[name]
    arguments = problem(cell, **DIMENSIONS) | {name: nonsense(wanted)}
    fragments = [f"{cell.function}_forward: {name} ", "real numbers"]
    assert_refused(TypeError, fragments, cell.forward(), **arguments)


@every_array
def test_nested_lists_of_unequal_lengths_are_refused_by_name(cell, name):
    arguments = problem(cell, **DIMENSIONS) | {name: [[1.0, 2.0], [3.0]]}
    fragments = [f"{cell.function}_forward", name]
    assert_refused((ValueError, TypeError), fragments, cell.forward(), **arguments)


@pytest.mark.skipif(
    np.dtype(np.longdouble) == np.float64, reason="long double is float64 on this platform"
)
@every_array
def test_extended_precision_is_computed_in_float64_or_refused(cell, name):
    arguments = problem(cell, **DIMENSIONS)
    arguments[name] = arguments[name].astype(np.longdouble)
    try:
        h, _, _ = cell.forward()(**arguments)
    except TypeError as error:
        assert f"{cell.function}_forward: {name}" in str(error)
    else:
        assert h.dtype == np.float64


@every_cell
@pytest.mark.parametrize("name", ["x", "Wx", "Wh", "b"])
def test_a_missing_array_is_refused(cell, name):
    arguments = problem(cell, **DIMENSIONS) | {name: None}
    fragments = [f"{cell.function}_forward: {name} "]
    assert_refused(TypeError, fragments, cell.forward(), **arguments)


BAD_LENGTHS = {
    "negative": ([-1, 4], ValueError, ["-1 to 4", "0..4"]),
    "beyond T": ([4, 5], ValueError, ["4 to 5", "0..4"]),
    "huge": (np.array([2**63 + 1, 4], np.uint64), ValueError, ["0..4"]),
    "too few": ([4], ValueError, ["(1,)", "(2,)"]),
    "too many": ([4, 4, 4], ValueError, ["(3,)", "(2,)"]),
    "a matrix": ([[4], [4]], ValueError, ["(2, 1)", "(2,)"]),
    "one number": (4, ValueError, ["()", "(2,)"]),
    "empty": (np.zeros(0, int), ValueError, ["(0,)", "(2,)"]),
    "floats": ([4.0, 3.0], TypeError, ["float64", "whole numbers"]),
    "booleans": ([True, True], TypeError, ["bool", "whole numbers"]),
    "text": (["4", "4"], TypeError, ["whole numbers"]),
    "objects": ([4, None], TypeError, ["object", "whole numbers"]),
}


@every_cell
@pytest.mark.parametrize(
    ("lengths", "error", "fragments"), BAD_LENGTHS.values(), ids=BAD_LENGTHS.keys()
)
def test_bad_lengths_are_refused(cell, lengths, error, fragments):
    arguments = problem(cell, **DIMENSIONS, lengths=lengths)
    fragments = [f"{cell.function}_forward: lengths ", *fragments]
    assert_refused(error, fragments, cell.forward(), **arguments)


INCOMING = [(cell, name) for cell in CELLS for name in upstream(cell)]
every_gradient = pytest.mark.parametrize(
    ("cell", "name"), INCOMING, ids=[f"{cell.name} {name}" for cell, name in INCOMING]
)


@every_gradient
def test_a_wrong_shape_of_a_gradient_is_refused_with_both_shapes(cell, name):
    B, T, H = DIMENSIONS["B"], DIMENSIONS["T"], DIMENSIONS["H"]
    _, _, cache = cell.forward()(**problem(cell, **DIMENSIONS))
    gradients = upstream(cell, B, T, H)
    right = gradients[name].shape
    for shape in (*wrong_shapes(right), (0, *right[1:])):
        fragments = [f"{cell.function}_backward: {name} has shape {shape}; wanted {right}"]
        bad = gradients | {name: np.ones(shape)}
        assert_refused(ValueError, fragments, cell.backward(), cache=cache, **bad)
    # A refused call did no harm.
    results = cell.backward()(cache=cache, **gradients)._asdict()
    expected = everything(cell, problem(cell, **DIMENSIONS), gradients)
    assert_all_same_bits(results, {name: expected[name] for name in results})


@every_gradient
@every_kind_of_nonsense
def test_a_gradient_without_real_numbers_is_refused(cell, name, nonsense):
    _, _, cache = cell.forward()(**problem(cell))
    gradients = upstream(cell)
    gradients[name] = nonsense(gradients[name].shape)
    fragments = [f"{cell.function}_backward: {name} ", "real numbers"]
    assert_refused(TypeError, fragments, cell.backward(), cache=cache, **gradients)


@every_cell
def test_a_cache_of_another_function_is_refused(cell):
    h, _, own = cell.forward()(**problem(cell))
    others = [c.forward()(**problem(c))[2] for c in CELLS if c.function != cell.function]
    others += [None, h, {"h": h}, cell.forward(reference)(**problem(cell))[2]]
    for other in others:
        fragments = [f"{cell.function}_backward: cache is "]
        assert_refused(TypeError, fragments, cell.backward(), h, other)
    cell.backward()(h, own)


@pytest.mark.parametrize("activation", ["sigmoid", "TANH", "", None, 1, ["tanh"], np.tanh])
def test_an_unknown_activation_is_refused(activation):
    fragments = ["rnn_forward: activation is ", "'tanh' or 'relu'"]
    arguments = problem(RNN_TANH) | {"activation": activation}
    assert_refused((ValueError, TypeError), fragments, functional.rnn_forward, **arguments)
