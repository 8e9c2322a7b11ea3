"""``functional`` with lengths, and with options that are left out."""

import numpy as np
import pytest
from conftest import (
    LSTM,
    RNN_RELU,
    assert_all_same_bits,
    assert_close,
    assert_same_bits,
    every_cell,
    every_dtype,
    everything,
    needs_jit,
    problem,
    ragged,
    upstream,
)


def past(lengths, T):
    """True at padded steps, (B, T)."""
    return np.arange(T) >= np.asarray(lengths)[:, None]


@every_cell
@every_dtype
@pytest.mark.parametrize("junk", [np.nan, np.inf, -1e30])
def test_padding_never_reaches_an_output_or_a_gradient(cell, dtype, junk):
    B, T, lengths = 19, 5, ragged(19, 5)
    arguments = problem(cell, B, T, dtype=dtype, lengths=lengths)
    gradients = upstream(cell, B, T, dtype=dtype)
    expected = everything(cell, arguments, gradients)
    arguments["x"][past(lengths, T)] = junk
    gradients["dh"][past(lengths, T)] = junk
    assert_all_same_bits(everything(cell, arguments, gradients), expected)


@every_cell
def test_padded_steps_are_zero(cell):
    lengths = [2, 4, 1]
    results = everything(cell, problem(cell, lengths=lengths), upstream(cell))
    for name in ("h", "dx", *(f"cache.{name}" for name in cell.shown)):
        assert np.all(results[name][past(lengths, 4)] == 0.0), name
        if cell is not RNN_RELU:
            assert np.all(results[name][~past(lengths, 4)] != 0.0), name


@every_cell
def test_the_state_is_carried_through_padding(cell):
    """The final state of a row is that of the row cut to its length."""
    lengths = [2, 4, 1]
    arguments = problem(cell, lengths=lengths)
    results = everything(cell, arguments, upstream(cell))
    for row, length in enumerate(lengths):
        cut = dict(arguments, x=arguments["x"][row : row + 1, :length], lengths=None)
        cut |= {name: arguments[name][row : row + 1] for name in cell.initial}
        _, state, _ = cell.forward()(**cut)
        for name, final in zip(cell.states, state if cell is LSTM else (state,), strict=True):
            assert_close(f"{name}T", results[f"{name}T"][row], final[0], 1e-14)


@every_cell
def test_gradients_of_final_states_pass_through_padding(cell):
    """Padding adds nothing: the gradients are those of the rows cut to their lengths."""
    lengths = [2, 4, 1]
    arguments, gradients = problem(cell, lengths=lengths), upstream(cell)
    results = everything(cell, arguments, gradients)
    sums = dict.fromkeys(["dWx", "dWh", *(f"d{name}" for name in cell.biases)], 0.0)
    for row, length in enumerate(lengths):
        one = slice(row, row + 1)
        cut = dict(arguments, x=arguments["x"][one, :length], lengths=None)
        cut |= {name: arguments[name][one] for name in cell.initial}
        back = {name: value[one] for name, value in gradients.items()}
        alone = everything(cell, cut, back | {"dh": back["dh"][:, :length]})
        assert_close("dx", results["dx"][one, :length], alone["dx"], 1e-13)
        for name in cell.initial:
            assert_close(f"d{name}", results[f"d{name}"][one], alone[f"d{name}"], 1e-13)
        for name in sums:
            sums[name] = sums[name] + alone[name]
    for name, total in sums.items():
        assert_close(name, results[name], total, 1e-13)


@every_cell
@pytest.mark.parametrize("kind", [list, tuple, np.uint8, np.int32, np.uint64])
def test_lengths_may_be_any_whole_numbers(cell, kind):
    expected = everything(cell, problem(cell, lengths=np.array([4, 1, 3])), upstream(cell))
    lengths = kind([4, 1, 3]) if kind in (list, tuple) else np.array([4, 1, 3], kind)
    results = everything(cell, problem(cell, lengths=lengths), upstream(cell))
    assert_all_same_bits(results, expected)


@every_cell
def test_full_lengths_are_no_lengths(cell):
    full = everything(cell, problem(cell, lengths=[4, 4, 4]), upstream(cell))
    assert_all_same_bits(full, everything(cell, problem(cell), upstream(cell)))


# --- options that may be left out -----------------------------------------------------------


@needs_jit  # the product without h is shorter, and NumPy sums it in another order
@every_cell
def test_no_initial_state_is_a_zero_state(cell):
    zeros = problem(cell) | {name: np.zeros((3, 6)) for name in cell.initial}
    none = everything(cell, problem(cell, initial=False), upstream(cell))
    assert_all_same_bits(none, everything(cell, zeros, upstream(cell)))


@every_cell
def test_no_gradient_is_a_zero_gradient(cell):
    zeros = {name: np.zeros_like(value) for name, value in upstream(cell).items()}
    for left_out in zeros:
        gradients = upstream(cell)
        none = everything(cell, problem(cell), gradients | {left_out: None})
        zero = everything(cell, problem(cell), gradients | {left_out: zeros[left_out]})
        assert_all_same_bits(none, zero)
    for name, array in everything(cell, problem(cell), dict.fromkeys(zeros)).items():
        if name.startswith("d"):
            assert not array.any(), f"`{name}` is not zero"


@every_cell
def test_a_gradient_by_the_last_output_is_one_by_the_final_state(cell):
    last = np.random.default_rng(4).normal(size=(3, 6))
    dh = np.zeros((3, 4, 6))
    dh[:, -1] = last
    _, _, cache = cell.forward()(**problem(cell))
    by_output = cell.backward()(dh, cache)._asdict()
    assert_all_same_bits(by_output, cell.backward()(None, cache, dhT=last)._asdict())


@every_cell
def test_arguments_may_be_given_by_position(cell):
    a = problem(cell, lengths=[4, 1, 2])
    names = ["x", "Wx", "Wh", *cell.biases, *cell.initial, "lengths", *dict(cell.options)]
    by_position = cell.forward()(*(a[name] for name in names))
    by_name = cell.forward()(**a)
    assert_same_bits("h", by_position[0], by_name[0])
    g = upstream(cell)
    back = cell.backward()(g["dh"], by_position[2], *(g[f"d{s}T"] for s in cell.states))
    assert_all_same_bits(back._asdict(), cell.backward()(cache=by_name[2], **g)._asdict())
