"""What ``functional`` returns, of arrays of any layout, and that it changes nothing else."""

import numpy as np
import pytest
from conftest import (
    GRU,
    LSTM,
    RNN_TANH,
    assert_all_same_bits,
    assert_close,
    assert_refused,
    assert_same_bits,
    every_array,
    every_cell,
    every_dtype,
    everything,
    problem,
    shapes,
    upstream,
)


@every_cell
def test_shapes_and_names_of_the_results(cell):
    B, T, I, H = 3, 4, 5, 6
    arguments, wanted = problem(cell, B, T, I, H), shapes(cell, B, T, I, H)
    h, state, cache = cell.forward()(**arguments)
    gradients = cell.backward()(np.ones_like(h), cache)
    assert h.shape == (B, T, H)
    if cell is LSTM:
        hT, cT = state
        assert state.h is hT
        assert state.c is cT
        assert cT.shape == (B, H)
    else:
        hT = state
    assert hT.shape == (B, H)
    for name in cell.shown:
        assert getattr(cache, name).shape == (B, T, H)
        assert name in dir(cache)
    assert gradients._fields == tuple(f"d{name}" for name in wanted)
    for name, shape in wanted.items():
        assert getattr(gradients, f"d{name}").shape == shape


@every_cell
def test_the_cache_holds_the_outputs_and_final_states(cell):
    lengths = [4, 1, 3]
    h, state, cache = cell.forward()(**problem(cell, lengths=lengths))
    last = (range(3), np.array(lengths) - 1)
    states = state if cell is LSTM else (state,)
    assert_same_bits("cache.h", cache.h, h)
    for name, final in zip(cell.states, states, strict=True):
        assert_same_bits(f"{name}T", final, getattr(cache, name)[last])


@every_cell
def test_an_unknown_name_of_the_cache_is_answered_with_the_known_ones(cell):
    _, _, cache = cell.forward()(**problem(cell))
    assert_refused(AttributeError, ["'nothing'", *cell.shown], getattr, cache, "nothing")


@every_cell
def test_the_repr_of_a_cache_says_what_it_holds(cell):
    _, _, cache = cell.forward()(**problem(cell))
    for part in ("B=3", "T=4", "I=5", "H=6", "float64", cell.name, *cell.shown):
        assert part in repr(cache)


@pytest.mark.parametrize(
    "cell", [LSTM, RNN_TANH, GRU], ids=lambda cell: cell.name
)  # a ReLU network of negative sums would be zero
def test_one_step_is_the_equation(cell):
    """The first step, computed here from the definition, without the reference."""
    a = problem(cell, T=1, H=2)
    x, h0 = a["x"][:, 0], a["h0"]
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    from_x, from_h = x @ a["Wx"] + a["b"], h0 @ a["Wh"]
    if cell is LSTM:
        i, f, g, o = np.split(from_x + from_h, 4, axis=1)
        c = sigmoid(f) * a["c0"] + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    elif cell is GRU:
        (x_r, x_z, x_n), (h_r, h_z, h_n) = (
            np.split(part, 3, axis=1) for part in (from_x, from_h + a["bh"])
        )
        z = sigmoid(x_z + h_z)
        h = (1 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * h0
    else:
        h = np.tanh(from_x + from_h)
    assert_close("h", cell.forward()(**a)[0][:, 0], h, 1e-14)


# --- dtypes and layouts of the input --------------------------------------------------------


@every_array
def test_one_float64_argument_makes_everything_float64(cell, name):
    arguments = problem(cell, dtype=np.float32)
    gradients = upstream(cell)  # float64, which alone does not count
    for array in everything(cell, arguments, gradients).values():
        assert array.dtype == np.float32
    arguments[name] = arguments[name].astype(np.float64)
    for array in everything(cell, arguments, gradients).values():
        assert array.dtype == np.float64


@every_cell
@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.int64, np.uint8, np.bool_])
def test_narrow_and_whole_numbers_are_computed_in_float32(cell, dtype):
    arguments = problem(cell)
    for name in shapes(cell, 1, 1, 1, 1):
        scaled = np.abs(arguments[name]) if dtype in (np.uint8, np.bool_) else arguments[name]
        arguments[name] = np.rint(scaled).astype(dtype)
    exact = {
        name: value.astype(np.float32) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    gradients = upstream(cell, dtype=np.float32)
    results = everything(cell, arguments, gradients)
    assert_all_same_bits(results, everything(cell, exact, gradients))
    assert {array.dtype for array in results.values()} == {np.dtype(np.float32)}


@every_cell
def test_lists_are_arrays(cell):
    arguments, gradients = problem(cell, lengths=[4, 2, 1]), upstream(cell)
    lists = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in (arguments | gradients).items()
    }
    asked, given_back = ({name: lists[name] for name in d} for d in (arguments, gradients))
    assert_all_same_bits(
        everything(cell, asked, given_back), everything(cell, arguments, gradients)
    )


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def every_second(array):
    wide = np.repeat(array, 2, axis=-1)
    wide[..., 1::2] += 1
    return wide[..., ::2]


def time_major(array):
    """The same array in memory that runs along its axes in another order."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "negative strides": lambda array: array[::-1].copy()[::-1],
    "every second number": every_second,
    "another order of axes": time_major,
    "read-only": read_only,
    "unaligned": unaligned,
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
}


@every_cell
@every_dtype
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_layout_of_an_array_makes_no_difference(cell, dtype, layout):
    arguments = problem(cell, dtype=dtype, lengths=np.array([4, 1, 3]))
    gradients = upstream(cell, dtype=dtype)
    laid_out, given_back = (
        {n: layout(value) if isinstance(value, np.ndarray) else value for n, value in d.items()}
        for d in (arguments, gradients)
    )
    results = everything(cell, laid_out, given_back)
    assert_all_same_bits(results, everything(cell, arguments, gradients))


@every_cell
def test_broadcast_arrays_are_read_as_they_look(cell):
    arguments = problem(cell)
    arguments["b"] = np.broadcast_to(np.float64(0.25), arguments["b"].shape)
    plain = arguments | {"b": np.full(arguments["b"].shape, 0.25)}
    gradients = upstream(cell) | {"dh": np.broadcast_to(1.0, (3, 4, 6))}
    same = gradients | {"dh": np.ones((3, 4, 6))}
    assert_all_same_bits(everything(cell, arguments, gradients), everything(cell, plain, same))


# --- nothing changes behind anybody's back --------------------------------------------------


@every_cell
@every_dtype
def test_arguments_are_never_modified(cell, dtype):
    given = problem(cell, dtype=dtype, lengths=np.array([4, 1, 3]))
    given |= upstream(cell, dtype=dtype)
    before = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in given.items()}
    gradients = {name: given[name] for name in upstream(cell)}
    everything(cell, {n: v for n, v in given.items() if n not in gradients}, gradients)
    for name, value in before.items():
        if isinstance(value, np.ndarray):
            assert_same_bits(name, given[name], value)


@every_cell
def test_backward_leaves_the_cache_as_it_was_and_can_be_called_again(cell):
    _, _, cache = cell.forward()(**problem(cell, lengths=[4, 1, 3]))
    gradients = upstream(cell)
    before = {name: getattr(cache, name) for name in cell.shown}
    first = cell.backward()(cache=cache, **gradients)._asdict()
    kept = {name: array.copy() for name, array in first.items()}
    cell.backward()(np.full((3, 4, 6), 7.0), cache)  # another one in between
    second = cell.backward()(cache=cache, **gradients)._asdict()
    assert_all_same_bits(second, first)
    assert_all_same_bits(first, kept)
    assert_all_same_bits({name: getattr(cache, name) for name in cell.shown}, before)


@every_cell
def test_writing_into_arguments_and_results_does_not_reach_the_cache(cell):
    arguments, gradients = problem(cell, lengths=np.array([4, 2, 1])), upstream(cell)
    expected = everything(cell, arguments, gradients)
    arguments = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in arguments.items()}
    h, state, cache = cell.forward()(**arguments)
    shown = [getattr(cache, name) for name in cell.shown]
    for array in (*arguments.values(), h, *(state if cell is LSTM else [state]), *shown):
        if isinstance(array, np.ndarray):
            array[...] = 1
    results = cell.backward()(cache=cache, **gradients)._asdict()
    assert_all_same_bits(results, {name: expected[name] for name in results})
    for name in cell.shown:
        assert_same_bits(f"cache.{name}", getattr(cache, name), expected[f"cache.{name}"])


@every_cell
def test_two_caches_do_not_share_memory(cell):
    first, second = problem(cell, seed=0), problem(cell, seed=1)
    gradients = upstream(cell)
    expected = everything(cell, first, gradients)
    _, _, cache = cell.forward()(**first)
    everything(cell, second, gradients)
    results = cell.backward()(cache=cache, **gradients)._asdict()
    assert_all_same_bits(results, {name: expected[name] for name in results})
