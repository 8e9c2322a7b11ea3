"""``functional`` is held to ``reference``, name by name, and to what its docstrings promise."""

import numpy as np
import pytest
from conftest import (
    CELLS,
    CLIP,
    GRU,
    LSTM,
    RNN_RELU,
    RNN_TANH,
    assert_all_close,
    assert_all_same_bits,
    assert_close,
    assert_refused,
    assert_same_bits,
    every_array,
    every_cell,
    every_dtype,
    everything,
    needs_jit,
    problem,
    shapes,
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


def ragged(B, T, seed=0):
    """Lengths from 0 to T; both ends occur if there are two rows."""
    lengths = np.random.default_rng(seed).integers(0, T + 1, B)
    lengths[:2] = (T, 0)[:B]
    return lengths


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


# --- what comes back ------------------------------------------------------------------------


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


# --- lengths --------------------------------------------------------------------------------


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
