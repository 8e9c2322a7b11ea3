"""Lengths and padding, states, caches and dtypes of the reference's cells."""

import numpy as np
import pytest
from reference_cells import backward, every_reference_cell, padding, problem, run, upstream


@every_reference_cell
def test_a_padded_row_behaves_as_if_it_were_alone(cell):
    lengths = [2, 4, 1]
    arguments = problem(cell, lengths=lengths)
    h, states, cache = run(cell, arguments)
    dh, *dfinal = upstream(cell).values()
    together = backward(cell, dh, cache, *dfinal)
    weights = {name: 0.0 for name in ("Wx", "Wh", *cell.biases, *cell.extra)}
    for row, length in enumerate(lengths):
        alone = arguments | {"x": arguments["x"][row : row + 1, :length], "lengths": None}
        for name in cell.initial:
            alone[name] = arguments[name][row : row + 1]
        h_row, states_row, cache_row = run(cell, alone)
        np.testing.assert_allclose(h[row, :length], h_row[0], rtol=1e-13)
        for state, state_row in zip(states, states_row, strict=True):
            np.testing.assert_allclose(state[row], state_row[0], rtol=1e-13)
        gradients = backward(
            cell, dh[row : row + 1, :length], cache_row, *(d[row : row + 1] for d in dfinal)
        )
        np.testing.assert_allclose(together.dx[row, :length], gradients.dx[0], rtol=1e-12)
        for name in cell.initial:
            expected = getattr(gradients, f"d{name}")[0]
            np.testing.assert_allclose(getattr(together, f"d{name}")[row], expected, rtol=1e-12)
        for name in weights:
            weights[name] = weights[name] + getattr(gradients, f"d{name}")
    for name, expected in weights.items():
        np.testing.assert_allclose(getattr(together, f"d{name}"), expected, rtol=1e-12)


@every_reference_cell
@pytest.mark.parametrize("rubbish", [np.nan, np.inf, 1e300])
def test_padding_never_reaches_a_result(cell, rubbish):
    lengths = [2, 4, 1]
    padded = padding(lengths)
    clean = problem(cell, lengths=lengths)
    dirty = clean | {"x": clean["x"].copy()}
    dirty["x"][padded] = rubbish
    results = []
    for arguments, fill in ((clean, 0.0), (dirty, rubbish)):
        h, states, cache = run(cell, arguments)
        dh, *dfinal = upstream(cell).values()
        dh[padded] = fill
        gradients = backward(cell, dh, cache, *dfinal)
        shown = [getattr(cache, name) for name in cell.shown]
        for array in (h, gradients.dx, *shown):
            assert not array[padded].any()
        results.append([h, *states, *shown, *gradients])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@every_reference_cell
def test_full_lengths_change_nothing(cell):
    without = run(cell, problem(cell))
    given = run(cell, problem(cell, lengths=np.array([4, 4, 4], dtype=np.uint8)))
    np.testing.assert_array_equal(without[0], given[0])
    np.testing.assert_array_equal(without[1], given[1])


@every_reference_cell
def test_a_sequence_cut_in_two_gives_the_same_outputs_and_gradients(cell):
    whole = problem(cell, T=5)
    h, _, cache = run(cell, whole)
    dh, *dfinal = upstream(cell, T=5).values()
    expected = backward(cell, dh, cache, *dfinal)

    first = whole | {"x": whole["x"][:, :2]}
    h_1, states_1, cache_1 = run(cell, first)
    second = whole | {"x": whole["x"][:, 2:]} | dict(zip(cell.initial, states_1, strict=True))
    h_2, _, cache_2 = run(cell, second)
    np.testing.assert_allclose(np.concatenate([h_1, h_2], axis=1), h, rtol=1e-13)

    late = backward(cell, dh[:, 2:], cache_2, *dfinal)
    early = backward(cell, dh[:, :2], cache_1, *(getattr(late, f"d{s}") for s in cell.initial))
    np.testing.assert_allclose(np.concatenate([early.dx, late.dx], axis=1), expected.dx, rtol=1e-12)
    np.testing.assert_allclose(early.dWh + late.dWh, expected.dWh, rtol=1e-12)
    np.testing.assert_allclose(early.dh0, expected.dh0, rtol=1e-12)


@every_reference_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_dtype_of_the_inputs(cell, dtype):
    h, states, cache = run(cell, problem(cell, dtype=dtype, lengths=[4, 1, 2]))
    gradients = backward(cell, h, cache)
    for array in (h, *states, *(getattr(cache, name) for name in cell.shown), *gradients):
        assert array.dtype == dtype


@every_reference_cell
def test_one_float64_array_makes_float64_and_integers_decide_nothing(cell):
    arguments = problem(cell, dtype=np.float32)
    for name in cell.arrays:
        wide = arguments | {name: arguments[name].astype(np.float64)}
        assert run(cell, wide)[0].dtype == np.float64
    whole = arguments | {"x": np.ones((3, 4, 2), dtype=np.int64)}
    assert run(cell, whole)[0].dtype == np.float32


@every_reference_cell
def test_gradients_are_named_and_shaped_as_their_arrays(cell):
    arguments = problem(cell)
    h, _, cache = run(cell, arguments)
    gradients = backward(cell, np.ones_like(h), cache)
    assert gradients._fields == tuple(f"d{name}" for name in cell.arrays)
    for name in cell.arrays:
        assert getattr(gradients, f"d{name}").shape == arguments[name].shape
    for name in cell.shown:
        assert getattr(cache, name).shape == h.shape


@every_reference_cell
def test_the_cache_is_out_of_reach_of_later_writes(cell):
    arguments = problem(cell)
    kept = {name: arguments[name].copy() for name in cell.arrays}
    h, states, cache = run(cell, arguments)
    dh, *dfinal = upstream(cell).values()
    expected = backward(cell, dh, cache, *dfinal)
    for name in cell.arrays:
        np.testing.assert_array_equal(arguments[name], kept[name])  # read, never written
        arguments[name][...] = np.nan
    for array in (h, *states):
        array[...] = np.nan
    again = backward(cell, dh, cache, *dfinal)
    for a, b in zip(again, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@every_reference_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_inputs_saturate_without_a_warning(cell, dtype):
    arguments = problem(cell, dtype=dtype)
    arguments["x"] *= 1e6
    h, _, cache = run(cell, arguments)
    gradients = backward(cell, np.ones_like(h), cache)
    assert all(np.isfinite(a).all() for a in (h, *gradients))
