"""Whatever layers and functions are given: an error that says who and what, or the right answer."""

import functools

import numpy as np
import pytest
from conftest import (
    GRU,
    LSTM,
    RNN_TANH,
    assert_close,
    assert_same_bits,
    every_dtype,
    problem,
    shapes,
)
from fuzz import (
    REAL,
    array_like,
    choices,
    dtypes,
    examples,
    flags,
    mostly,
    odd,
    refused,
    row_lengths,
    seeds,
    sizes,
    tried,
)  # fmt: skip
from hypothesis import given
from hypothesis import strategies as st

import rnnlite
from rnnlite import (
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Recurrent,
    Sequential,
    functional,
    reference,
)
from rnnlite import cells as library

pytestmark = pytest.mark.long  # what they found once is a test of its own elsewhere

every_cell = pytest.mark.parametrize("cell", [LSTM, GRU, RNN_TANH], ids=lambda cell: cell.name)
B, T, I, H = 3, 4, 3, 5
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}


def plain(value, dtype):
    """The same numbers as a fresh C-contiguous array; None stays None."""
    with np.errstate(all="ignore"):
        return None if value is None else np.array(np.asarray(value), dtype, order="C")


def finite(*arrays):
    return all(array is None or np.isfinite(array).all() for array in arrays)


# ---- constructors --------------------------------------------------------------------------

initials = mostly(st.sampled_from(sorted(rnnlite.initializers.BY_NAME)))
recurrent = {
    "return_sequences": flags, "go_backwards": flags, "wx_init": initials, "wh_init": initials,
    "recurrent_dropout": mostly(st.sampled_from([0, 0.5])), "seed": seeds, "dtype": dtypes,
}  # fmt: skip
small = st.sampled_from([
    lambda: rnnlite.RNN(2, 3), lambda: rnnlite.LSTM(2, 3, dtype="float64"), lambda: Dense(3, 2),
]).map(lambda make: make())  # fmt: skip
CONSTRUCTORS = {
    rnnlite.LSTM: ((sizes, sizes), recurrent | {
        "forget_bias": mostly(st.floats(-2, 2)), "peephole": flags,
        "clip": mostly(st.sampled_from([None, 0.6]))}),
    rnnlite.GRU: ((sizes, sizes), recurrent | {"reset_after": flags}),
    rnnlite.RNN: ((sizes, sizes), recurrent | {"activation": mostly(st.just("relu"))}),
    Recurrent: ((mostly(st.just(library.GRU)), sizes, sizes), recurrent),
    Dense: ((sizes, sizes), {"seed": seeds, "dtype": dtypes, "w_init": initials}),
    Embedding: ((sizes, sizes), {"seed": seeds, "dtype": dtypes, "w_init": initials}),
    Flatten: ((), {"dtype": dtypes}),
    Dropout: ((mostly(st.floats(0, 0.9)),),
              {"seed": seeds, "per_sequence": flags, "dtype": dtypes}),
    Bidirectional: ((mostly(small),),
                    {"seed": seeds, "merge": mostly(st.sampled_from(["concat", "sum"]))}),
    Sequential: ((mostly(st.lists(mostly(small), max_size=3)),), {}),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONSTRUCTORS, ids=lambda kind: kind.__name__)
@examples(60, 30)
@given(data=st.data())
def test_a_layer_is_made_or_refused(kind, data):
    positional, options = CONSTRUCTORS[kind]
    arguments = [data.draw(strategy) for strategy in positional]
    chosen = data.draw(st.sets(st.sampled_from(sorted(options)), max_size=3)) if options else ()
    layer = tried(kind, *arguments, **{name: data.draw(options[name]) for name in chosen})
    if refused(layer):
        return
    assert isinstance(layer, kind) and layer.dtype in (np.float32, np.float64)
    assert layer.flat_params.dtype == layer.dtype and np.isfinite(layer.flat_params).all()
    assert all(p.shape == layer.grads[name].shape for name, p in layer.params.items())
    dtype = data.draw(dtypes)
    twin = tried(layer.copy, dtype)
    assert refused(twin) or repr(twin) == repr(layer)


# ---- forward, backward, step ---------------------------------------------------------------


@functools.cache
def layer_of(cell, dtype, return_sequences):
    return cell.make(I, H, return_sequences=return_sequences, dtype=dtype, seed=0)


def state_like(cell, choice, kinds=REAL):
    """Something for a state; None half of the time."""
    if choice % 2:
        return None
    arrays = tuple(array_like(choice // 2 + n, (B, H), kinds) for n, _ in enumerate(cell.states))
    return arrays if len(arrays) > 1 else arrays[0]


def plain_states(cell, state, dtype):
    """A state that a layer took, as a list of plain arrays."""
    if state is None:
        return [None] * len(cell.states)
    return [plain(s, dtype) for s in (state if len(cell.states) > 1 else (state,))]


@every_cell
@every_dtype
@examples(50)
@given(choices, choices, choices, choices, st.booleans(), st.booleans(), st.booleans())
def test_a_recurrent_layer_refuses_or_is_right(cell, dtype, a, b, c, d, sequences, training, need):
    layer = layer_of(cell, dtype, sequences)
    x, state, lengths = array_like(a, (B, T, I)), state_like(cell, b), row_lengths(c, B, T)
    y = tried(layer.forward, x, state, lengths, training=training)
    if refused(y):
        return
    clean, dh, initial = plain(x, dtype), array_like(d, y.shape), plain_states(cell, state, dtype)
    rows, steps, _ = clean.shape
    assert y.shape == ((rows, steps, H) if sequences else (rows, H)) and y.dtype == dtype
    dx = tried(layer.backward, dh, need_dx=bool(need))
    dh = None if refused(dx) else plain(dh, dtype)
    if not finite(clean, dh, *initial):
        return
    arguments = {name: layer.params[name].astype(np.float64) for name in cell.params}
    arguments |= dict(zip(cell.initial, initial, strict=True)) | dict(cell.options)
    h, final, cache = cell.forward(reference)(clean.astype("f8"), lengths=lengths, **arguments)
    last = (final[0] if len(cell.states) > 1 else final).copy()
    without_steps = np.full(rows, steps) == 0 if lengths is None else np.asarray(lengths) == 0
    last[without_steps] = 0.0
    assert_close("y", y, h if sequences else last, TOLERANCE[dtype])
    if not refused(dx):
        if not sequences:
            dh = np.where(without_steps[:, None], 0.0, dh)
        upstream = {"dh": dh} if sequences else {"dh": None, "dhT": dh}
        wanted = cell.backward(reference)(cache=cache, **upstream)
        assert (dx is None) == (not need)
        if need:
            assert dx.dtype == dtype
            assert_close("dx", dx, wanted.dx, 100 * TOLERANCE[dtype])
        for name, grad in layer.grads.items():
            assert_close(name, grad, getattr(wanted, f"d{name}"), 100 * TOLERANCE[dtype])
        assert isinstance(tried(layer.backward, None, also=RuntimeError).error, RuntimeError)


@every_cell
@examples(40)
@given(choices, choices)
def test_a_step_refuses_or_is_right(cell, a, b):
    layer = layer_of(cell, np.float32, False)
    x, state = array_like(a, (B, I)), state_like(cell, b)
    result = tried(layer.step, x, state)
    if refused(result):
        return
    clean, initial = plain(x, np.float32), plain_states(cell, state, np.float32)
    assert result[0].shape == (len(clean), H) and result[0].dtype == np.float32
    if not len(clean):
        return
    initial = None if state is None else tuple(initial) if len(initial) > 1 else initial[0]
    assert_same_bits("h", result[0], tried(layer.forward, clean[:, None], initial))


def dense_twin(layer, x):
    return x.astype("f8") @ layer.params["W"].astype("f8") + layer.params["b"]


POINTWISE = {
    "dense": (lambda dtype: Dense(I, H, seed=0, dtype=dtype), (B, T, I), None, dense_twin),
    "embedding": (lambda dtype: Embedding(7, H, seed=0, dtype=dtype), (B, T), 7,
                  lambda layer, x: layer.params["W"][x]),
    "dropout": (lambda dtype: Dropout(0.5, seed=0, dtype=dtype), (B, T), None,
                lambda layer, x: x),
    "flatten": (lambda dtype: Flatten(dtype), (B, T, I), None, lambda layer, x: x),
}  # fmt: skip


@pytest.mark.parametrize("name", POINTWISE)
@every_dtype
@examples(60)
@given(choices, choices, choices, st.booleans(), st.booleans())
def test_other_layers_refuse_or_are_right(name, dtype, a, b, c, flat, training):
    make, shape, below, twin = POINTWISE[name]
    layer = make(dtype)
    if flat and name != "dropout":
        shape = (B, *shape[2:])
    x, lengths = array_like(a, shape, below=below), row_lengths(c, B, T)
    y = tried(layer.forward, x, lengths=lengths, training=training)
    if refused(y):
        return
    clean = np.array(x) if below else plain(x, dtype)
    if below and lengths is not None:  # whatever stands in the padding
        clean[np.arange(clean.shape[1]) >= np.asarray(lengths)[:, None]] = 0
    with np.errstate(all="ignore"):
        wanted = twin(layer, clean)
    if name == "flatten":
        assert y.shape == (len(wanted), wanted[0].size)
        y = y.reshape(wanted.shape)
    assert y.shape == wanted.shape and y.dtype == dtype
    past = np.zeros(wanted.shape[:-1], bool)
    if lengths is not None and name != "dropout":
        past = np.arange(wanted.shape[1]) >= np.asarray(lengths)[:, None]
        wanted[past] = 0
    if finite(clean) and not (name == "dropout" and training):
        assert_close("y", y, wanted, TOLERANCE[dtype])
    dy = array_like(b, (len(y), y[0].size) if name == "flatten" else y.shape)
    dx = tried(layer.backward, dy)
    if refused(dx):
        return
    assert dx is None if name == "embedding" else (dx.shape, dx.dtype) == (clean.shape, dtype)
    if name == "dense" and finite(clean, plain(dy, dtype)):
        rows, dy = clean[~past].astype("f8"), plain(dy, dtype)[~past].astype("f8")
        assert_close("W", layer.grads["W"], rows.T @ dy, 100 * TOLERANCE[dtype])


@examples(60)
@given(choices, choices, choices, st.sampled_from(["concat", "sum"]))
def test_models_refuse_or_answer_in_shape(a, b, c, merge):
    both = Bidirectional(rnnlite.GRU(H, 4, return_sequences=True, seed=0), merge, seed=1)
    model = Sequential([Embedding(7, H, seed=0), both, Dense(8 if merge == "concat" else 4, 2)])
    x, lengths = array_like(a, (B, T), below=7), row_lengths(c, B, T)
    y = tried(model.forward, x, lengths=lengths)
    if not refused(y):
        assert y.shape == (*np.shape(x), 2) and y.dtype == np.float32
        assert refused(dx := tried(model.backward, array_like(b, y.shape))) or dx is None


# ---- functions -----------------------------------------------------------------------------


@every_cell
@examples(80)
@given(st.data())
def test_a_function_refuses_or_agrees_with_the_reference(cell, data):
    arguments = problem(cell, B, T, I, H, dtype=np.float32)
    wanted = shapes(cell, B, T, I, H)
    for name in data.draw(st.sets(st.sampled_from(sorted(wanted)), max_size=3)):
        arguments[name] = array_like(data.draw(choices), wanted[name])
    arguments["lengths"] = row_lengths(data.draw(choices), B, T)
    result = tried(cell.forward(), **arguments)
    twin = tried(cell.forward(reference), **arguments)
    if refused(result):
        return
    assert not refused(twin), f"the reference refused it: {twin}"
    h, _final, cache = result
    assert h.dtype in (np.float32, np.float64) and h.shape == (*np.shape(arguments["x"])[:2], H)
    given_ = {"dh": array_like(data.draw(choices), h.shape)}
    grads = tried(cell.backward(), cache=cache, **given_)
    numbers = [plain(arguments[name], "f8") for name in wanted]
    if not finite(*numbers) or max(np.abs(n).max() for n in numbers if n is not None) > 100:
        return
    tolerance = TOLERANCE[h.dtype.type]
    assert_close("h", h, twin[0], tolerance)
    if not refused(grads) and finite(plain(given_["dh"], h.dtype)):
        expected = cell.backward(reference)(cache=twin[2], **given_)
        for name, array in grads._asdict().items():
            assert array.dtype == h.dtype
            assert_close(name, array, getattr(expected, name), 300 * tolerance)


@every_cell
@examples(30)
@given(st.data())
def test_options_and_caches_of_functions_are_checked(cell, data):
    arguments = problem(cell, B, T, I, H, dtype=np.float32)
    option = {"lstm": "peephole", "gru": "reset_after"}.get(cell.function, "activation")
    tried(cell.forward(), **arguments | {option: data.draw(odd.filter(lambda v: v is not True))})
    assert refused(tried(cell.backward(), None, data.draw(odd)))
    others = [functional.gru_forward, functional.lstm_forward]
    assert all(refused(tried(other, *[data.draw(odd)] * 5)) for other in others)
