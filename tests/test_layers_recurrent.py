"""A recurrent layer computes what its function computes: outputs, states, lengths, dtypes."""

import copy

import numpy as np
import pytest
from conftest import (
    LSTM,
    assert_all_same_bits,
    assert_close,
    assert_same_bits,
    every_cell,
    every_dtype,
    everything,
    needs_jit,
    sized,
    upstream,
)
from layer_cases import B, H, I, T, prepared, rng, state_argument, state_arrays

from rnnlite import reference


@every_cell
@every_dtype
@pytest.mark.parametrize("lengths", [None, (4, 1, 2)], ids=["full", "ragged"])
def test_a_layer_gives_the_bits_of_its_function(cell, dtype, lengths):
    layer, arguments = prepared(cell, dtype=dtype, lengths=lengths)
    gradients = upstream(cell, dtype=dtype)
    expected = everything(cell, arguments, gradients)
    initial = state_argument(cell, (arguments[name] for name in cell.initial))
    y = layer.forward(arguments["x"], initial_state=initial, lengths=lengths)
    final = state_argument(cell, (gradients[f"d{state}T"] for state in cell.states))
    dx = layer.backward(gradients["dh"], dfinal_state=final)

    assert_same_bits("y", y, expected["h"])
    assert_same_bits("dx", dx, expected["dx"])
    for name in cell.params:
        assert_same_bits(f"d{name}", layer.grads[name], expected[f"d{name}"])
    for name, state in zip(cell.states, state_arrays(cell, layer.final_state), strict=True):
        assert_same_bits(f"{name}T", state, expected[f"{name}T"])
    for name, state in zip(cell.states, state_arrays(cell, layer.dinitial_state), strict=True):
        assert_same_bits(f"d{name}0", state, expected[f"d{name}0"])


@every_cell
@pytest.mark.parametrize("lengths", [None, (4, 1, 2)], ids=["full", "ragged"])
def test_without_sequences_the_output_is_that_of_each_rows_last_valid_step(cell, lengths):
    every_step, arguments = prepared(cell)
    last_step, _ = prepared(cell, return_sequences=False)
    x, initial = arguments["x"], state_argument(cell, (arguments[n] for n in cell.initial))
    sequence = every_step.forward(x, initial, lengths)
    y = last_step.forward(x, initial, lengths)
    last = (np.arange(B), np.array(lengths or [T] * B) - 1)
    assert y.shape == (B, H)
    assert_same_bits("y", y, sequence[last])
    assert_same_bits("final h", state_arrays(cell, last_step.final_state)[0], y)

    dy = rng(5).normal(size=y.shape)
    spread = np.zeros_like(sequence)
    spread[last] = dy
    assert_close("dx", last_step.backward(dy), every_step.backward(spread), 1e-14)
    for name in cell.params:
        assert_close(f"d{name}", last_step.grads[name], every_step.grads[name], 1e-14)


@every_cell
@pytest.mark.parametrize("return_sequences", [True, False])
def test_the_gradient_of_the_final_state_is_added_to_that_of_the_output(cell, return_sequences):
    layer, arguments = prepared(cell, return_sequences, lengths=(4, 1, 2))
    final = [rng(seed).normal(size=(B, H)) for seed in range(len(cell.states))]
    results = []
    for with_dy, with_final in ((True, True), (True, False), (False, True)):
        y = layer.forward(arguments["x"], lengths=(4, 1, 2))
        dy = rng(9).normal(size=y.shape) if with_dy else None
        dx = layer.backward(dy, state_argument(cell, final) if with_final else None)
        results.append(np.concatenate([dx.ravel(), layer.flat_grads.ravel()]))
    both, output, state = results
    assert_close("both together", both, output + state, 1e-14)


@needs_jit  # NumPy's product of fewer rows, for an h of zero, rounds otherwise
def test_a_part_of_an_lstm_state_may_be_left_out():
    layer, a = prepared(LSTM)
    zero = np.zeros((B, H))
    expected = layer.forward(a["x"], (zero, a["c0"]))
    assert_same_bits("y", layer.forward(a["x"], (None, a["c0"])), expected)
    first = layer.backward(None, (None, a["h0"]))
    layer.forward(a["x"], [zero, a["c0"]])
    assert_same_bits("dx", layer.backward(None, [zero, a["h0"]]), first)


@every_cell
def test_writing_into_params_takes_effect(cell):
    layer, arguments = prepared(cell, return_sequences=False)
    before = layer.forward(arguments["x"])
    for array in layer.params.values():
        array *= 0.5
    halved = {name: arguments[name] * 0.5 for name in cell.params}
    expected = cell.forward(reference)(arguments["x"], **halved, **dict(cell.options))[0][:, -1]
    after = layer.forward(arguments["x"])
    assert not np.allclose(before, after)
    assert_close("y", after, expected, 1e-14)


@every_cell
def test_chunks_that_hand_on_the_state_are_one_long_sequence(cell):
    long = sized(24, 12)
    layer, _ = prepared(cell)
    twin = layer.copy()
    x, dy = rng(1).normal(size=(B, long, I)), rng(2).normal(size=(B, long, H))
    y = layer.forward(x)
    dx = layer.backward(dy)
    cut = long // 3

    first = twin.forward(x[:, :cut])
    second_half = layer.copy()
    second = second_half.forward(x[:, cut:], initial_state=twin.final_state)
    assert_same_bits("y", np.concatenate([first, second], axis=1), y)
    for name, a, b in zip(
        cell.states,
        state_arrays(cell, second_half.final_state),
        state_arrays(cell, layer.final_state),
        strict=True,
    ):
        assert_same_bits(f"{name}T", a, b)

    dx_second = second_half.backward(dy[:, cut:])
    dx_first = twin.backward(dy[:, :cut], dfinal_state=second_half.dinitial_state)
    assert_close("dx", np.concatenate([dx_first, dx_second], axis=1), dx, 1e-13)
    for name in cell.params:
        assert_close(
            f"d{name}", twin.grads[name] + second_half.grads[name], layer.grads[name], 1e-13
        )


@every_cell
def test_states_are_copies(cell):
    layer, arguments = prepared(cell)
    layer.forward(arguments["x"])
    saved = state_arrays(cell, layer.final_state)
    values = [state.copy() for state in saved]
    for state in state_arrays(cell, layer.final_state):
        state[...] = np.nan
    layer.backward(None, layer.final_state)
    gradient = state_arrays(cell, layer.dinitial_state)
    gradient_values = [state.copy() for state in gradient]
    layer.forward(arguments["x"] + 1)
    layer.backward(None, layer.final_state)
    for state, value in zip((*saved, *gradient), (*values, *gradient_values), strict=True):
        assert_same_bits("state", state, value)


@every_cell
def test_padding_never_reaches_a_layers_output_or_gradient(cell):
    lengths = np.array([2, 4, 1])
    past = np.arange(T) >= lengths[:, None]
    for return_sequences in (True, False):
        layer, arguments = prepared(cell, return_sequences)
        x, results = arguments["x"], []
        for junk in (0.0, np.nan):
            x[past] = junk
            y = layer.forward(x, lengths=lengths)
            dy = np.ones_like(y)
            if return_sequences:
                dy[past] = junk
            results.append({"y": y, "dx": layer.backward(dy)} | copy.deepcopy(layer.grads))
        assert_all_same_bits(results[1], results[0])
        assert not results[1]["dx"][past].any()


@every_cell
def test_lengths_of_one_batch_are_forgotten_in_the_next(cell):
    layer, arguments = prepared(cell)
    expected = layer.forward(arguments["x"])
    layer.forward(arguments["x"], lengths=[1, 2, 3])
    assert_same_bits("y", layer.forward(arguments["x"]), expected)


@every_cell
def test_an_initial_state_is_forgotten_in_the_next_batch(cell):
    layer, arguments = prepared(cell)
    expected = layer.forward(arguments["x"])
    initial = state_argument(cell, (arguments[name] for name in cell.initial))
    assert not np.allclose(layer.forward(arguments["x"], initial), expected)
    assert_same_bits("y", layer.forward(arguments["x"]), expected)


@every_cell
def test_float32_layers_take_float64_whole_numbers_and_lists(cell):
    layer = cell.make(I, H, seed=0)
    x = rng().integers(-2, 3, (B, T, I))
    expected = layer.forward(x.astype(np.float32))
    for given in (x, x.astype(np.float64), x.astype(np.float16), x.astype(np.int8), x.tolist()):
        y = layer.forward(given)
        assert y.dtype == np.float32
        assert_same_bits("y", y, expected)
        dx = layer.backward(np.ones((B, H)).tolist())
        assert dx.dtype == np.float32
    assert {array.dtype for array in layer.grads.values()} == {np.dtype(np.float32)}


@every_cell
def test_layers_never_modify_what_they_are_given(cell):
    layer, arguments = prepared(cell)
    x, initial = arguments["x"], state_argument(cell, (arguments[n] for n in cell.initial))
    dy, final = rng().normal(size=(B, T, H)), copy.deepcopy(initial)
    lengths = np.array([4, 1, 3])
    given = [x, dy, lengths, *state_arrays(cell, initial), *state_arrays(cell, final)]
    before = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    for training in (False, True):
        layer.forward(x, initial, lengths, training=training)
        layer.backward(dy, final)
    for array, value in zip(given, before, strict=True):
        assert_same_bits("argument", array, value)
