"""A row of no step answers zeros and its initial state; a batch of no row an empty answer."""

import numpy as np
import pytest
from conftest import CELLS, assert_refused, problem
from layer_cases import B, H, I, T, every_model, rng, state_argument, state_arrays

import rnnlite
from rnnlite import Bidirectional, Dense, Embedding, Sequential, functional, gradcheck, reference

LENGTHS = [0, T, 2]
every_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)


@every_cell
@pytest.mark.parametrize("module", [functional, reference])
def test_a_row_of_no_step_answers_zeros_and_its_initial_state(cell, module):
    arguments = problem(cell, lengths=LENGTHS)
    arguments["x"][0] = np.nan
    forward, backward = (
        getattr(module, f"{cell.function}_{way}") for way in ("forward", "backward")
    )
    h, state, cache = forward(**arguments)
    assert np.all(h[0] == 0.0)
    for name, final in zip(cell.states, state_arrays(cell, state), strict=True):
        np.testing.assert_array_equal(final[0], arguments[f"{name}0"][0])
        assert np.any(final[1] != arguments[f"{name}0"][1])
    dfinal = {f"d{name}T": rng(1).normal(size=(B, H)) for name in cell.states}
    gradients = backward(np.full(h.shape, 7.0), cache, **dfinal)
    assert np.all(gradients.dx[0] == 0.0)
    for name in cell.states:  # straight through, as the state
        np.testing.assert_array_equal(getattr(gradients, f"d{name}0")[0], dfinal[f"d{name}T"][0])


@pytest.mark.quick(every=3)
@every_cell
@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"go_backwards": True}])
def test_gradients_with_rows_of_no_step_are_right(cell, compiled, options):
    layer = cell.make(I, H, seed=0, **options)
    if not compiled:
        layer = rnnlite.Recurrent(layer.cell._replace(compiled=False), I, H, seed=0, **options)
    x, state = rng().normal(size=(B, T, I)), [rng(n).normal(size=(B, H)) for n in (1, 2)]
    state = state_argument(cell, state[: len(cell.states)])
    y, final = layer(x, lengths=LENGTHS, initial_state=state, return_state=True)
    assert np.all(y[0] == 0.0)
    for before, after in zip(state_arrays(cell, state), state_arrays(cell, final), strict=True):
        np.testing.assert_allclose(after[0], before[0], rtol=1e-6)
    report = gradcheck.check(layer, x, initial_state=state, lengths=LENGTHS, samples=20)
    assert report.passed, str(report)


def test_a_model_may_have_rows_of_no_step():
    both = Bidirectional(rnnlite.LSTM(I, H, seed=0))
    model = Sequential([both, Dense(2 * H, 2, seed=1)])
    x = rng().normal(size=(B, T, I))
    assert gradcheck.check(model, x, lengths=LENGTHS).passed
    np.testing.assert_array_equal(model(x, lengths=LENGTHS)[0], model.params["1.b"])
    y = np.array([0, 1, 1])
    rnnlite.fit(model, x.astype("float32"), y, lengths=LENGTHS, epochs=2)
    assert np.isfinite(model.flat_params).all()


def test_a_length_below_zero_is_refused():
    layer = rnnlite.LSTM(I, H)
    wanted = ["lengths runs from -1 to 4; each must lie in 0..4"]
    assert_refused(ValueError, wanted, layer, np.ones((B, T, I)), lengths=[-1, T, 2])
    arguments = problem(CELLS[0], lengths=None) | {"lengths": [-1, T, 2]}
    assert_refused(ValueError, ["in 0..4"], reference.lstm_forward, **arguments)


@every_model
def test_an_empty_batch_has_an_empty_answer(make, x):
    model = make()
    y = model(x[:0])
    assert y.shape == (0, *model(x).shape[1:]) and y.dtype == model.dtype
    if x.ndim == 3:
        assert model(x[:0], lengths=np.zeros(0, int)).shape == y.shape
    fragments = [f"x has shape (0, {T}, {I})"]
    assert_refused(ValueError, fragments, model.forward, x[:0])  # nothing to learn from


@every_cell
def test_an_empty_batch_has_empty_states(cell):
    layer = cell.make(I, H)
    y, state = layer(np.ones((0, T, I)), return_state=True)
    assert {a.shape for a in state_arrays(cell, state)} == {(0, H)} == {y.shape}
    y, state = layer.step(np.ones((0, I)), state)
    assert {a.shape for a in state_arrays(cell, state)} == {(0, H)} == {y.shape}


def test_predictions_of_nothing_are_empty():
    model = Sequential([Embedding(5, I, seed=0), rnnlite.GRU(I, H, seed=0), Dense(H, 3, seed=1)])
    nothing = np.zeros((0, T), int)
    assert rnnlite.predict(model, nothing).shape == (0,)
    assert rnnlite.predict_values(model, nothing).shape == (0, 3)
    assert rnnlite.predict_proba(model, nothing, lengths=[]).shape == (0, 3)
    with pytest.raises(ValueError, match=r"x has shape \(0, 0\)"):
        model(np.zeros((0, 0), int))
