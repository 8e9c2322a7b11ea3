"""The layers: parameters, forward and backward, memory, and Sequential."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest
from conftest import (
    CELLS,
    GRU,
    LSTM,
    RNN_RELU,
    RNN_TANH,
    assert_all_same_bits,
    assert_allocates_little,
    assert_close,
    assert_refused,
    assert_same_bits,
    every_cell,
    every_dtype,
    everything,
    needs_jit,
    problem,
    set_params,
    shapes,
    sized,
    upstream,
)

import rnnlite
from rnnlite import Adam, Dense, Sequential, reference, softmax_cross_entropy

B, T, I, H = 3, 4, 5, 6  # the sizes of ``problem``


def rng(seed=0):
    return np.random.default_rng(seed)


def prepared(cell, return_sequences=True, dtype=np.float64, lengths=None, seed=0):
    """A layer and the arguments of a forward function with its parameters."""
    layer = cell.make(I, H, return_sequences=return_sequences, dtype=dtype)
    arguments = problem(cell, dtype=dtype, lengths=lengths, seed=seed)
    set_params(layer, arguments)
    return layer, arguments


def state_argument(cell, arrays):
    """States as a layer takes them: a tuple for an LSTM, else one array."""
    arrays = tuple(arrays)
    return arrays if cell is LSTM else arrays[0]


def state_arrays(cell, state):
    return state if cell is LSTM else (state,)


# --- parameters -----------------------------------------------------------------------------


@every_cell
@every_dtype
def test_parameters_and_gradients_have_the_names_and_shapes_of_the_contract(cell, dtype):
    layer = cell.make(I, H, dtype=dtype)
    wanted = {name: shapes(cell, B, T, I, H)[name] for name in cell.params}
    for arrays in (layer.params, layer.grads):
        assert {name: array.shape for name, array in arrays.items()} == wanted
        assert {array.dtype for array in arrays.values()} == {np.dtype(dtype)}
    assert list(layer.params) == list(layer.grads)
    assert not any(array.any() for array in layer.grads.values())
    assert layer.num_params() == sum(int(np.prod(shape)) for shape in wanted.values())
    assert layer.dtype == dtype


@every_cell
def test_layers_are_float32_unless_asked(cell):
    assert cell.make(I, H).params["Wx"].dtype == np.float32
    assert Dense(I, H).params["W"].dtype == np.float32


@every_cell
def test_initial_input_weights_are_glorot_uniform(cell):
    weights = cell.make(90, 20, seed=1).params["Wx"]
    limit = np.sqrt(6 / (90 + cell.gates * 20))
    assert 0.99 * limit < np.abs(weights).max() <= limit
    assert abs(weights.mean()) < 0.03 * limit
    assert weights.std() == pytest.approx(limit / np.sqrt(3), rel=0.03)


@every_cell
@every_dtype
@pytest.mark.parametrize("hidden", [1, 7, 20])
def test_initial_recurrent_weights_have_orthonormal_rows(cell, dtype, hidden):
    Wh = cell.make(I, hidden, seed=1, dtype=dtype).params["Wh"].astype(np.float64)
    assert_close("Wh Wh^T", Wh @ Wh.T, np.eye(hidden), 10 * np.finfo(dtype).eps)


@every_cell
def test_initial_biases_are_zero_but_for_the_forget_gate(cell):
    for name in cell.biases:
        bias = cell.make(I, H, seed=0).params[name].copy()
        if cell is LSTM:
            np.testing.assert_array_equal(bias[H : 2 * H], 1.0)
            bias[H : 2 * H] = 0.0
        assert not bias.any()


@pytest.mark.parametrize("value", [0, 0.0, -2.5, np.float32(3)])
def test_forget_bias_is_what_was_asked(value):
    b = rnnlite.LSTM(I, H, forget_bias=value).params["b"]
    np.testing.assert_array_equal(b[H : 2 * H], np.float32(value))
    assert not np.delete(b, np.arange(H, 2 * H)).any()


def test_initial_dense_weights_are_glorot_uniform_and_the_bias_zero():
    dense = Dense(60, 70, seed=1)
    limit = np.sqrt(6 / 130)
    assert dense.params["W"].shape == dense.grads["W"].shape == (60, 70)
    assert dense.params["b"].shape == dense.grads["b"].shape == (70,)
    assert 0.99 * limit < np.abs(dense.params["W"]).max() <= limit
    assert not dense.params["b"].any()


MAKERS = {cell.name: cell.make for cell in CELLS} | {"dense": Dense}
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


@every_maker
def test_one_seed_gives_the_same_bits_and_another_seed_others(make):
    first, second = make(I, H, seed=7), make(I, H, seed=7)
    assert_all_same_bits(first.params, second.params)
    for other in (make(I, H, seed=8), make(I, H)):
        assert not np.array_equal(first.flat_params, other.flat_params)
    assert not np.array_equal(make(I, H).flat_params, make(I, H).flat_params)


@every_maker
def test_float64_weights_are_the_float32_weights_with_more_digits(make):
    exact = make(I, H, seed=7, dtype="float64").flat_params
    assert_same_bits("params", make(I, H, seed=7).flat_params, exact.astype(np.float32))


@every_maker
def test_making_a_layer_leaves_numpys_global_generator_alone(make):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    make(I, H, seed=7)
    make(I, H)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@every_maker
def test_parameters_are_views_of_the_flat_arrays(make):
    layer = make(I, H)
    assert layer.flat_params.size == layer.num_params() == layer.flat_grads.size
    layer.flat_params[...] = np.arange(layer.num_params())
    layer.flat_grads[...] = np.arange(layer.num_params())
    for views in (layer.params, layer.grads):
        values = np.sort(np.concatenate([array.ravel() for array in views.values()]))
        np.testing.assert_array_equal(values, np.arange(layer.num_params()))


# --- a layer computes what its function computes --------------------------------------------


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
    kept = state_arrays(cell, layer.final_state)
    values = [state.copy() for state in kept]
    for state in state_arrays(cell, layer.final_state):
        state[...] = np.nan
    layer.backward(None, layer.final_state)
    gradient = state_arrays(cell, layer.dinitial_state)
    gradient_values = [state.copy() for state in gradient]
    layer.forward(arguments["x"] + 1)
    layer.backward(None, layer.final_state)
    for state, value in zip((*kept, *gradient), (*values, *gradient_values), strict=True):
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


# --- forward and backward in turns ----------------------------------------------------------


def models():
    """Every kind of layer and a model, with an input for it."""
    x = rng().normal(size=(B, T, I))
    for cell in CELLS:
        yield pytest.param(lambda cell=cell: cell.make(I, H, seed=0), x, id=cell.name)
    yield pytest.param(lambda: Dense(I, H, seed=0), x, id="dense")
    yield pytest.param(
        lambda: Sequential([rnnlite.LSTM(I, H, seed=0), Dense(H, 2, seed=1)]), x, id="sequential"
    )


every_model = pytest.mark.parametrize(("make", "x"), list(models()))


@every_model
def test_backward_overwrites_the_gradients(make, x):
    model = make()
    results = []
    for _ in range(2):
        model.flat_grads[...] = 99.0
        y = model.forward(x)
        model.backward(np.ones_like(y))
        results.append(copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_a_second_backward_is_an_error(make, x, training):
    model = make()
    dy = np.ones_like(model.forward(x, training=training))
    model.backward(dy)
    name = type(model).__name__
    fragments = [f"{name}.backward", "forward"]
    assert_refused(RuntimeError, fragments, model.backward, dy)
    model.forward(x, training=training)
    model.backward(dy)  # after another forward it is right again


@every_model
def test_backward_before_forward_is_an_error(make, x):
    model = make()
    fragments = [f"{type(model).__name__}.backward", "forward"]
    assert_refused(RuntimeError, fragments, model.backward, np.ones((B, H)))


@every_model
def test_a_refused_gradient_can_be_corrected(make, x):
    model, twin = make(), make()
    y = model.forward(x)
    assert_refused(ValueError, ["backward: dy has shape"], model.backward, np.ones((B, 1, 1, 9)))
    dx = model.backward(np.ones_like(y))
    twin.forward(x)
    assert_same_bits("dx", dx, twin.backward(np.ones_like(y)))


@every_cell
def test_states_before_forward_are_an_error(cell):
    layer = cell.make(I, H)
    name = type(layer).__name__
    with pytest.raises(RuntimeError, match=f"{name}.final_state"):
        _ = layer.final_state
    with pytest.raises(RuntimeError, match=f"{name}.dinitial_state"):
        _ = layer.dinitial_state


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_gradients_do_not_depend_on_whether_dx_is_wanted(make, x, training):
    model = make()
    y = model.forward(x, training=training)
    dx = model.backward(np.ones_like(y))
    assert dx.shape == x.shape
    expected = copy.deepcopy(model.grads)
    model.flat_grads[...] = 99.0
    model.forward(x, training=training)
    assert model.backward(np.ones_like(y), need_dx=False) is None
    assert_all_same_bits(model.grads, expected)


# --- memory ---------------------------------------------------------------------------------


@every_model
def test_training_gives_the_same_numbers(make, x):
    results = []
    for training in (False, True):
        model = make()
        y = model.forward(x, training=training).copy()
        dx = model.backward(np.ones_like(y)).copy()
        results.append({"y": y, "dx": dx} | copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])


@every_model
def test_results_outside_training_are_yours_to_keep(make, x):
    model = make()
    first = model.forward(x)
    dx_first = model.backward(np.ones_like(first))
    kept, dx_kept = first.copy(), dx_first.copy()
    for training in (True, False):
        second = model.forward(x + 1, training=training)
        dx_second = model.backward(np.full_like(second, 2.0))
        assert not np.shares_memory(first, second)
        assert not np.shares_memory(dx_first, dx_second)
    assert_same_bits("y", first, kept)
    assert_same_bits("dx", dx_first, dx_kept)


@every_model
def test_results_in_training_use_the_same_memory_again(make, x):
    model = make()
    first = model.forward(x, training=True)
    dx_first = model.backward(np.ones_like(first))
    second = model.forward(x + 1, training=True)
    dx_second = model.backward(np.ones_like(first))
    assert np.shares_memory(first, second)
    assert np.shares_memory(dx_first, dx_second)


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_a_change_of_the_batch_changes_no_result(make, x, training):
    model = make()
    for rows, steps in ((B, T), (1, T), (17, T), (2, 1), (17, T), (B, T)):
        batch = rng(rows).normal(size=(rows, steps, I))
        fresh = make()
        y, expected = model.forward(batch, training=training), fresh.forward(batch)
        assert_same_bits("y", y, expected)
        dy = rng(3).normal(size=y.shape)
        assert_same_bits("dx", model.backward(dy), fresh.backward(dy))
        assert_all_same_bits(model.grads, fresh.grads)


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_without_keeping_anything_the_numbers_are_the_same(make, x, training):
    model, twin = make(), make()
    for steps in (T, T - 1, 1, T):
        for lengths in (None, np.minimum([1, 4, 2], steps)):
            y = model.forward(x[:, :steps], lengths=lengths, training=training, keep=False)
            assert_same_bits("y", y, twin.forward(x[:, :steps], lengths=lengths))
            wanted = [f"{type(model).__name__}.backward"]
            assert_refused(RuntimeError, wanted, model.backward, np.ones_like(y))
    model.forward(x, training=training)
    twin.forward(x)
    dy = np.ones_like(twin.forward(x))
    assert_same_bits("dx", model.backward(dy), twin.backward(dy))


@every_cell
@pytest.mark.parametrize("return_sequences", [True, False])
def test_without_keeping_anything_the_final_state_is_the_same(cell, return_sequences):
    layer, a = prepared(cell, return_sequences)
    initial = state_argument(cell, (a[name] for name in cell.initial))
    for steps in (T, T - 1, 1):
        for lengths in (None, np.minimum([1, 4, 2], steps)):
            y = layer.forward(a["x"][:, :steps], initial, lengths)
            expected = state_arrays(cell, layer.final_state)
            inferred = layer.forward(a["x"][:, :steps], initial, lengths, keep=False)
            assert_same_bits("y", inferred, y)
            for name, state, wanted in zip(
                cell.states, state_arrays(cell, layer.final_state), expected, strict=True
            ):
                assert_same_bits(f"{name}T", state, wanted)


@needs_jit
@every_cell
def test_without_keeping_anything_memory_does_not_grow_with_time(cell):
    def peak(steps):
        layer, x = cell.make(8, 40), np.zeros((32, steps, 8), np.float32)
        tracemalloc.start()
        try:
            layer.forward(x, keep=False)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # loads the kernels
    many, few = (min(peak(steps) for _ in range(3)) for steps in (200, 10))  # other threads apart
    assert many < 1.1 * few


@needs_jit
@every_cell
@pytest.mark.parametrize(("lengths", "n"), [(False, 1), (True, 2)], ids=["full", "ragged"])
def test_a_training_step_allocates_nothing(cell, lengths, n):
    """Views, tuples and messages to threads aside: a few KB, where the smallest array has 40."""
    rnnlite.set_num_threads(n)
    rows, steps, hidden, classes = 256, 4, 48, 40
    model = Sequential(
        [
            cell.make(20, hidden, return_sequences=True),
            cell.make(hidden, hidden),
            Dense(hidden, classes),
        ]
    )
    optimizer = Adam(model)
    x = rng().normal(size=(rows, steps, 20)).astype(np.float32)
    labels = rng().integers(0, classes, rows)
    lengths = rng().integers(1, steps + 1, rows) if lengths else None
    dlogits = np.empty((rows, classes), np.float32)

    def step():
        logits = model.forward(x, lengths=lengths, training=True)
        softmax_cross_entropy(logits, labels, out=dlogits)
        model.backward(dlogits, need_dx=False)
        optimizer.step()

    assert_allocates_little(step, 16_000)


# --- copies ---------------------------------------------------------------------------------


@every_model
def test_a_copy_is_equal_and_independent(make, x):
    model = make()
    y = model.forward(x)
    twin = model.copy()
    assert type(twin) is type(model)
    assert list(twin.params) == list(model.params)
    assert_same_bits("y", twin.forward(x), y)
    for array in twin.params.values():
        array[...] = 0.0
    twin.backward(np.ones_like(y))
    assert_same_bits("y", model.forward(x), y)
    for name, array in twin.params.items():
        assert not np.shares_memory(array, model.params[name])
        assert not np.shares_memory(twin.grads[name], model.grads[name])
    assert not np.shares_memory(twin.flat_params, model.flat_params)


@every_model
def test_a_copy_has_no_forward_pass(make, x):
    model = make()
    y = model.forward(x)
    assert_refused(RuntimeError, ["backward"], model.copy().backward, np.ones_like(y))
    model.backward(np.ones_like(y))  # the original still has it


@every_model
def test_a_copy_in_another_dtype_has_the_rounded_parameters(make, x):
    model = make()
    wide = model.copy("float64")
    assert wide.dtype == np.float64
    for name, array in wide.params.items():
        assert_same_bits(name, array, model.params[name].astype(np.float64))
    assert wide.forward(x).dtype == np.float64
    assert_all_same_bits(wide.copy(np.float32).params, model.params)
    assert_refused(ValueError, ["copy: dtype", "'float16'"], model.copy, "float16")


@every_model
@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["copy.copy", "copy.deepcopy", "pickle"],
)
def test_python_copies_keep_params_and_memory_together(make, x, duplicate):
    """Or refuse: a duplicate whose params are no longer its weights trains nothing."""
    model = make()
    try:
        twin = duplicate(model)
    except TypeError:
        return
    before = twin.forward(x)
    for array in twin.params.values():
        array[...] = 0.0
    assert not np.array_equal(twin.forward(x), before)
    assert not twin.flat_params.any()


# --- Sequential -----------------------------------------------------------------------------


def stack(dtype="float32"):
    return Sequential(
        [
            rnnlite.LSTM(I, 7, return_sequences=True, seed=0, dtype=dtype),
            rnnlite.GRU(7, H, return_sequences=True, seed=1, dtype=dtype),
            rnnlite.RNN(H, 3, seed=2, dtype=dtype),
            Dense(3, 2, seed=3, dtype=dtype),
        ]
    )


def test_keys_of_a_model_are_position_and_name():
    model = stack()
    assert set(model.params) == {
        *("0.Wx", "0.Wh", "0.b"),
        *("1.Wx", "1.Wh", "1.b", "1.bh"),
        *("2.Wx", "2.Wh", "2.b"),
        *("3.W", "3.b"),
    }
    assert list(model.grads) == list(model.params)
    for key, array in model.params.items():
        position, name = key.split(".")
        assert np.shares_memory(array, model.layers[int(position)].params[name])
        assert np.shares_memory(model.grads[key], model.layers[int(position)].grads[name])


def test_the_flat_arrays_of_a_model_hold_every_parameter_once():
    model = stack()
    for flat, views in ((model.flat_params, model.params), (model.flat_grads, model.grads)):
        flat[...] = 0.0
        for array in views.values():
            assert np.shares_memory(array, flat)
            array += 1.0  # a parameter that stood in two places would be 2
        assert set(np.unique(flat)) <= {0.0, 1.0}
        assert flat.sum() == model.num_params() == sum(array.size for array in views.values())
    model.flat_params[...] = 3.0
    assert all(np.all(array == 3.0) for array in model.params.values())


def test_a_model_is_aligned_layer_by_layer():
    for layer in stack().layers:
        assert layer.flat_params.ctypes.data % 64 == 0
        assert layer.flat_grads.ctypes.data % 64 == 0


def test_layers_keep_their_values_when_they_join_a_model():
    layers = [rnnlite.LSTM(I, H, seed=0), Dense(H, 2, seed=1)]
    before = [layer.flat_params.copy() for layer in layers]
    layers[1].flat_grads[...] = 5.0
    model = Sequential(layers)
    for layer, value in zip(layers, before, strict=True):
        assert_same_bits("params", layer.flat_params, value)
    np.testing.assert_array_equal(model.grads["1.b"], 5.0)
    layers[0].params["b"][...] = 4.0  # the layer is part of the model from now on
    np.testing.assert_array_equal(model.params["0.b"], 4.0)


@pytest.mark.parametrize("lengths", [None, [4, 1, 2]], ids=["full", "ragged"])
def test_a_model_is_its_layers_one_after_the_other(lengths):
    model = stack("float64")
    layers = [layer.copy() for layer in model.layers]
    x = rng().normal(size=(B, T, I))
    y = x
    for layer in layers[:3]:
        y = layer.forward(y, lengths=lengths)
    y = layers[3].forward(y)
    assert_same_bits("y", model.forward(x, lengths=lengths), y)
    dy = d = rng(1).normal(size=y.shape)
    for layer in reversed(layers):
        d = layer.backward(d)
    assert_same_bits("dx", model.backward(dy), d)
    for position, layer in enumerate(layers):
        for name, array in layer.grads.items():
            assert_same_bits(f"{position}.{name}", model.grads[f"{position}.{name}"], array)


def test_padding_never_reaches_anything_in_a_stack():
    model, lengths = stack(), np.array([4, 1, 2])
    past = np.arange(T) >= lengths[:, None]
    x, results = rng().normal(size=(B, T, I)), []
    for junk in (0.0, np.nan):
        x[past] = junk
        y = model.forward(x, lengths=lengths)
        dx = model.backward(np.ones_like(y))
        results.append({"y": y, "dx": dx} | copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])
    assert np.isfinite(model.flat_grads).all()


def test_padding_never_reaches_a_dense_layer_at_any_place_of_a_stack():
    """NaN times a gradient of 0 is NaN: a weight gradient must not read padding at all."""
    model = Sequential(
        [
            Dense(I, 3, seed=0),
            rnnlite.GRU(3, H, return_sequences=True, seed=1),
            Dense(H, 2, seed=2),
        ]
    )
    lengths = np.array([4, 1, 2])
    past = np.arange(T) >= lengths[:, None]
    x, dy, results = rng().normal(size=(B, T, I)), rng().normal(size=(B, T, 2)), []
    for junk in (0.0, np.nan):
        x[past] = dy[past] = junk
        y = model.forward(x, lengths=lengths)
        assert not y[past].any()
        dx = model.backward(dy)
        assert not dx[past].any()
        results.append({"y": y, "dx": dx} | copy.deepcopy(model.grads))
    assert_all_same_bits(results[1], results[0])
    assert np.isfinite(model.flat_grads).all()
    full = model.forward(np.nan_to_num(x))
    assert full[past].all()  # lengths of one batch are forgotten in the next
    model.backward(np.ones_like(full))
    assert model.grads["2.b"][0] == B * T


def test_lengths_of_a_dense_layer_are_checked():
    dense = Dense(I, 2)
    fragments = ["Dense.forward: lengths were given", "(3, 5)", "(batch, time, 5)"]
    assert_refused(ValueError, fragments, dense.forward, np.ones((B, I)), lengths=[1, 1, 1])
    fragments = ["Dense.forward: lengths runs from 1 to 5"]
    assert_refused(ValueError, fragments, dense.forward, np.ones((B, T, I)), lengths=[1, 5, 1])


def test_a_model_may_hold_a_model():
    inner = Sequential([rnnlite.RNN(I, H, return_sequences=True, seed=0)])
    model = Sequential([inner, Dense(H, 2, seed=1)])
    flat = Sequential([inner.layers[0].copy(), Dense(H, 2, seed=1)])
    x = rng().normal(size=(B, T, I))
    y = model.forward(x)
    assert_same_bits("y", y, flat.forward(x))
    assert_same_bits("dx", model.backward(y), flat.backward(y))
    assert "0.0.Wx" in model.params
    model.flat_params[...] = 0.0
    assert not inner.params["0.Wx"].any()


def test_a_layer_cannot_be_in_two_models():
    lstm, dense = rnnlite.LSTM(I, H), Dense(H, 2)
    Sequential([lstm, dense])
    fragments = ["Sequential: layers[1]", "LSTM(5, 6)", "copy()"]
    assert_refused(ValueError, fragments, Sequential, [Dense(3, 5), lstm])
    Sequential([Dense(3, 5), lstm.copy()])
    once = Dense(3, 3)
    assert_refused(ValueError, ["layers[1]", "copy()"], Sequential, [once, once])
    Sequential([once])  # the refused call took nothing


BAD_LAYERS = {
    "empty": ([], ValueError, ["Sequential: layers is empty"]),
    "no layer": ([Dense(2, 2), "LSTM"], TypeError, ["layers[1] is of type str"]),
    "a class": ([Dense], TypeError, ["layers[0] is of type type"]),
    "two dtypes": (
        [Dense(2, 2), Dense(2, 2, dtype="float64")], ValueError,
        ["layers[1] computes in float64", "float32"],
    ),
    "None": (None, TypeError, ["Sequential: layers"]),
    "one layer": (Dense(2, 2), TypeError, ["Sequential: layers"]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "error", "fragments"), BAD_LAYERS.values(), ids=BAD_LAYERS.keys()
)
def test_bad_layers_of_a_model_are_refused(layers, error, fragments):
    assert_refused(error, fragments, Sequential, layers)


def test_an_error_inside_a_model_names_the_layer():
    model = Sequential([rnnlite.LSTM(I, H), Dense(H, 2)])
    assert_refused(ValueError, ["LSTM.forward", "9", "5"], model.forward, np.ones((B, T, 9)))
    wrong = Sequential([rnnlite.LSTM(I, H), Dense(H + 1, 2)])
    assert_refused(
        ValueError, ["Dense.forward", str((B, H)), str(H + 1)], wrong.forward, np.ones((B, T, I))
    )


# --- Dense ----------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("shape", [(3, 4), (1, 1), (2, 5, 7), (33, 131), (9, 2, 17)])
@pytest.mark.parametrize("features", [1, 10, 33])
def test_dense_equals_the_reference(dtype, shape, features):
    dense = Dense(shape[-1], features, seed=0, dtype=dtype)
    dense.params["b"][...] = rng(1).normal(size=features)
    W, b = (dense.params[name].astype(np.float64) for name in ("W", "b"))
    x = rng(2).normal(size=shape).astype(dtype)
    dy = rng(3).normal(size=(*shape[:-1], features)).astype(dtype)
    y = dense.forward(x)
    dx = dense.backward(dy)
    tolerance = 1e-13 if dtype == np.float64 else 1e-5
    wanted = reference.dense_backward(dy, x, W)
    for name, array, expected in [
        ("y", y, reference.dense_forward(x, W, b)),
        ("dx", dx, wanted.dx),
        ("dW", dense.grads["W"], wanted.dW),
        ("db", dense.grads["b"], wanted.db),
    ]:
        assert array.dtype == dtype
        assert_close(name, array, expected, tolerance)


@needs_jit
@every_maker
@every_dtype
def test_layers_give_the_same_bits_at_any_number_of_threads(make, dtype, work_for_many):
    features, width, rows, steps = 20, 30, 151, 9
    assert rows * steps * features * width > 2 * work_for_many
    x = rng().normal(size=(rows, steps, features)).astype(dtype)
    results = []
    for n in (1, 2, 3):
        rnnlite.set_num_threads(n)
        layer = make(features, width, seed=0, dtype=dtype)
        y = layer.forward(x)
        dx = layer.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        results.append({"y": y, "dx": dx} | layer.grads)
    assert_all_same_bits(results[1], results[0])
    assert_all_same_bits(results[2], results[0])


# --- bad input ------------------------------------------------------------------------------


@every_maker
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, ValueError), (-3, ValueError), (2.0, TypeError), ("8", TypeError), (None, TypeError),
     (True, TypeError), ([4], TypeError)],
)  # fmt: skip
def test_sizes_must_be_whole_numbers_above_zero(make, value, error):
    name = type(make(1, 1)).__name__
    for arguments in ((value, 4), (4, value)):
        assert_refused(error, [f"{name}: ", f" is {value!r}"], make, *arguments)
    assert make(np.int64(2), np.uint8(3)).num_params() > 0


@every_maker
@pytest.mark.parametrize("dtype", ["float16", "int32", "complex64", "nonsense", 3, np.longdouble])
def test_other_dtypes_are_refused(make, dtype):
    if np.dtype(np.longdouble) == np.float64 and dtype is np.longdouble:
        pytest.skip("long double is float64 on this platform")
    name = type(make(1, 1)).__name__
    fragments = [f"{name}: dtype is ", "'float32' or 'float64'"]
    assert_refused((ValueError, TypeError), fragments, make, 2, 3, dtype=dtype)


@every_maker
@pytest.mark.parametrize("seed", ["a", -1, 1.5])
def test_a_bad_seed_is_refused_by_name(make, seed):
    name = type(make(1, 1)).__name__
    fragments = [f"{name}: seed", repr(seed)]
    assert_refused((ValueError, TypeError), fragments, make, 2, 3, seed=seed)


def test_other_bad_arguments_of_layers_are_refused_by_name():
    for value in ("yes", 1, None):
        for cell in CELLS:
            name = cell.layer.__name__
            fragments = [f"{name}: return_sequences is {value!r}"]
            assert_refused(TypeError, fragments, cell.make, 2, 3, return_sequences=value)
    for value in ("sigmoid", None, np.tanh):
        fragments = ["RNN: activation is ", "'tanh' or 'relu'"]
        assert_refused(ValueError, fragments, rnnlite.RNN, 2, 3, activation=value)
    for value, error in (("1", TypeError), (None, TypeError), (np.nan, ValueError),
                         (np.inf, ValueError)):  # fmt: skip
        assert_refused(error, ["LSTM: forget_bias is "], rnnlite.LSTM, 2, 3, forget_bias=value)


@every_cell
def test_a_wrong_number_of_features_is_told_with_both_numbers(cell):
    layer = cell.make(28, H)
    name = cell.layer.__name__
    fragments = [f"{name}.forward: x has 27 features (shape (3, 4, 27))", "built for 28"]
    assert_refused(ValueError, fragments, layer.forward, np.ones((3, 4, 27)))


@every_cell
@pytest.mark.parametrize("shape", [(), (5,), (4, 5), (1, 3, 4, 5), (0, 4, 5), (3, 0, 5), (3, 4, 0)])
def test_a_wrong_shape_of_x_is_refused(cell, shape):
    fragments = [f"{cell.layer.__name__}.forward: x has ", str(shape)]
    assert_refused(ValueError, fragments, cell.make(I, H).forward, np.ones(shape))


@pytest.mark.parametrize("shape", [(), (5,), (4, 6), (4, 3, 6), (1, 3, 4, 5), (0, 5), (3, 0, 5)])
def test_dense_refuses_a_wrong_shape_of_x(shape):
    fragments = [f"Dense.forward: x has shape {shape}; wanted (batch, 5) or (batch, time, 5)"]
    assert_refused(ValueError, fragments, Dense(5, 2).forward, np.ones(shape))


@every_maker
@pytest.mark.parametrize("x", [np.ones((3, 4, 5), complex), np.full((3, 4, 5), "1"), None, {}])
def test_x_without_real_numbers_is_refused(make, x):
    layer = make(5, 2)
    fragments = [f"{type(layer).__name__}.forward: x ", "real numbers"]
    assert_refused(TypeError, fragments, layer.forward, x)


@every_cell
def test_bad_lengths_of_a_layer_are_refused(cell):
    layer, arguments = prepared(cell)
    for lengths, error in (
        ([0, 1, 1], ValueError), ([5, 1, 1], ValueError), ([1, 1], ValueError),
        ([1.0, 2.0, 3.0], TypeError), (["1", "2", "3"], TypeError), (3, ValueError),
    ):  # fmt: skip
        fragments = [f"{cell.layer.__name__}.forward: lengths "]
        assert_refused(error, fragments, layer.forward, arguments["x"], lengths=lengths)


@every_cell
def test_a_bad_state_is_refused_with_the_wanted_shape(cell):
    layer, arguments = prepared(cell)
    name = cell.layer.__name__
    wrong = state_argument(cell, (np.ones((B + 1, H)) for _ in cell.states))
    fragments = [f"{name}.forward: initial_state", str((B + 1, H)), str((B, H))]
    assert_refused(ValueError, fragments, layer.forward, arguments["x"], initial_state=wrong)
    y = layer.forward(arguments["x"])
    fragments = [f"{name}.backward: dfinal_state", str((B + 1, H)), str((B, H))]
    assert_refused(ValueError, fragments, layer.backward, y, dfinal_state=wrong)
    text = state_argument(cell, (np.full((B, H), "a") for _ in cell.states))
    fragments = [f"{name}.backward: dfinal_state", "real numbers"]
    assert_refused(TypeError, fragments, layer.backward, y, dfinal_state=text)


@pytest.mark.parametrize("state", [np.ones((B, H)), (np.ones((B, H)),), [None] * 3, 5, "hc"])
def test_an_lstm_state_must_be_a_pair(state):
    layer, arguments = prepared(LSTM)
    fragments = ["LSTM.forward: initial_state must be a tuple (h, c)"]
    assert_refused((ValueError, TypeError), fragments, layer.forward, arguments["x"], state)


@pytest.mark.parametrize("cell", [RNN_TANH, RNN_RELU, GRU], ids=lambda cell: cell.name)
def test_a_pair_is_no_state_of_a_cell_with_one(cell):
    layer, arguments = prepared(cell)
    pair = (np.ones((B, H)), np.ones((B, H)))
    fragments = [f"{cell.layer.__name__}.forward: initial_state", "(2, 3, 6)", "(3, 6)"]
    assert_refused(ValueError, fragments, layer.forward, arguments["x"], pair)


@every_model
def test_a_wrong_gradient_is_refused_with_both_shapes(make, x):
    model = make()
    y = model.forward(x)
    wrong = np.ones((*y.shape[:-1], y.shape[-1] + 1))
    fragments = [".backward: dy has shape", str(wrong.shape), str(y.shape)]
    assert_refused(ValueError, fragments, model.backward, wrong)
    model.forward(x)
    fragments = [".backward: dy ", "real numbers"]
    assert_refused(TypeError, fragments, model.backward, np.ones(y.shape, complex))


@every_model
def test_repr_says_what_it_is(make, x):
    model = make()
    assert repr(model).startswith(type(model).__name__ + "(")
