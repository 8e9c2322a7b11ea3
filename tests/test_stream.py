"""A stream: single steps of a whole model, with the bits of ``forward``, and what it promises."""

import tracemalloc

import numpy as np
import pytest
from conftest import needs_jit
from streamed import answers, numbers, row_step, row_step_backward, same, small

import rnnlite
from rnnlite import (
    GRU,
    LSTM,
    Activation,
    Dense,
    Dropout,
    Embedding,
    LayerNorm,
    Recurrent,
    Sequential,
    cells,
)


def check(model, x):
    """Steps, and a run, against forward."""
    stream, wanted = model.stream(batch=len(x)), answers(model, x)
    for t in range(x.shape[1]):
        assert same(stream(x[:, t]), wanted[:, t]), t
    stream.reset()
    assert same(stream.run(x[:, :2]), wanted[:, :2])
    assert same(stream.run(x[:, 2:]), wanted[:, 2:])  # from where it is
    return stream


# ---- the bits of forward -----------------------------------------------------------------------


def test_a_step_has_the_bits_of_forward():
    check(small(), numbers((1, 5, 3)))


@pytest.mark.long
def test_every_kind_of_layer_streams():
    inside = Sequential([Dense(13, 19, activation="gelu", seed=2), Activation("silu")])
    model = Sequential(
        [
            Embedding(11, 5, seed=0),
            Dropout(0.5),
            GRU(5, 13, return_sequences=True, seed=1),
            LayerNorm(13),
            inside,
            LSTM(19, 9, seed=3),
            Dense(9, 3, activation="softplus", seed=4),
            Dense(3, 40, activation="tanh", seed=5),
            Activation("sigmoid"),
            Dense(40, 5, activation="relu", seed=6),
        ]
    )
    model.params["3.gain"] = numbers(13)
    stream = check(model, np.random.default_rng(0).integers(0, 11, (1, 20)))
    assert list(stream.state) == ["2", "5"] and stream.state["5"][0].shape == (1, 9)


def stack(seed):
    """Some layers, of sizes around whole registers."""
    rng = np.random.default_rng(seed)

    def size():
        return int(rng.choice([1, 3, 8, 9, 13, 16, 19, 24, 33]))

    def function():
        return str(rng.choice(["tanh", "relu", "sigmoid", "gelu", "silu", "softplus"]))

    features = [size()]
    makers = [
        lambda I, O: LSTM(I, O, return_sequences=True, peephole=bool(rng.integers(2))),
        lambda I, O: GRU(I, O, return_sequences=True, reset_after=bool(rng.integers(2))),
        lambda I, O: rnnlite.RNN(I, O, return_sequences=True),
        lambda I, O: Dense(I, O, activation=function()),
        lambda I, O: Sequential([LayerNorm(I), Dense(I, O)]),
        lambda I, O: Sequential([Activation(function()), Dense(I, O)]),
    ]
    layers = []
    for _ in range(rng.integers(2, 5)):
        features.append(size())
        layers.append(rng.choice(makers)(*features[-2:]))
    model = Sequential(layers)
    for array in model.params.values():
        array[...] = rng.normal(size=array.shape) * 0.5
    return model, features[0]


# A recurrent layer for one row, for a few and for many; what else there may be, by hand.
STACKS = [
    pytest.param(seed, marks=() if seed in (0, 2, 3) else pytest.mark.by_hand) for seed in range(14)
]


@needs_jit
@pytest.mark.long
@pytest.mark.parametrize("seed", STACKS)
def test_any_stack_has_the_bits_of_forward(seed):
    model, features = stack(seed)
    batch = 1 + seed % 4  # 4 rows are multiplied together
    x = numbers((batch, 100, features))
    assert same(model.stream(batch).run(x), model.forward(x)), model


@pytest.mark.long
@pytest.mark.parametrize("batch", [2, 5])  # rows one by one, and together
@pytest.mark.parametrize(
    "make",
    [
        lambda: LSTM(7, 33, seed=0, peephole=True, clip=2.0),
        lambda: GRU(7, 33, seed=0, dtype="float64"),
        lambda: Recurrent(cells.GRU_2014, 7, 33, seed=0),
        lambda: rnnlite.RNN(7, 33, seed=0, activation="relu"),
        lambda: Recurrent(
            rnnlite.custom_cell(
                "rows", row_step, row_step_backward, gates=["n"], saved=["h"], whole_rows=True
            ),
            7, 33, seed=0,
        ),
    ],
    ids=["peepholes", "gru_float64", "gru_2014", "rnn", "whole_rows"],
)  # fmt: skip
def test_every_cell_streams_for_any_batch(make, batch):
    layer = make()
    check(layer, numbers((batch, 12, 7)).astype(layer.dtype))


@pytest.mark.long
@pytest.mark.parametrize("batch", [1, 5])  # rows one by one, and together
@pytest.mark.parametrize(
    "make",
    [
        lambda: LSTM(5, 20, seed=0, peephole=True),
        lambda: GRU(5, 19, seed=0, return_sequences=True),
        lambda: Recurrent(cells.GRU_2014, 5, 20, seed=0),
        lambda: Sequential([Embedding(3, 5, seed=0), Dense(5, 33, activation="tanh", seed=1)]),
    ],
    ids=["lstm", "gru", "gru_2014", "embedding"],
)
def test_rounded_products_have_the_bits_of_forward(make, batch):
    """Behind it a layer that rounds nothing: each layer has its own option."""
    inside = make()
    x, columns = numbers((batch, 5, 5)), getattr(inside, "hidden_size", 33)
    if isinstance(inside, Sequential):
        x = np.random.default_rng(0).integers(0, 3, (batch, 5))
    model = Sequential([inside.copy(compute_dtype="bfloat16"), Dense(columns, 3, seed=2)])
    stream, exact = check(model, x), model.copy(compute_dtype="float32")
    assert not same(exact.forward(x), model.forward(x))
    model.flat_params *= 0.7
    stream.refresh()
    stream.reset()
    assert same(stream.run(x), answers(model, x))


@pytest.mark.long
def test_nan_and_infinity_pass_through_rounded_products():
    model, x = small().copy(compute_dtype="bfloat16"), numbers((3, 4, 3))
    x[0, 1, 2], x[1, 1, 2] = np.nan, np.inf
    stream = model.stream(batch=3)
    found, wanted = stream.run(x), answers(model, x)
    assert same(np.isnan(found), np.isnan(wanted)) and np.isnan(found[0, 1:]).all()
    assert same(found[2], wanted[2]) and np.isfinite(found[2]).all()
    model.params["1.W"][0, 1] = np.inf
    stream.refresh()
    y = stream(x[:, 0])[2]
    assert np.isinf(y[1]) and np.isfinite(y[0])


@pytest.mark.long
def test_no_recurrent_layer_is_needed():
    check(Sequential([Activation("relu"), Dense(3, 2, seed=0)]), numbers((1, 3, 3)))


def test_nan_passes_through():
    stream, x = small().stream(), numbers((1, 3))
    x[0, 1] = np.nan
    assert np.isnan(stream(x)).all()
    stream.reset()
    assert np.isfinite(stream(numbers((1, 3)))).all()


# ---- weights, states, results ------------------------------------------------------------------


def test_weights_are_taken_when_a_stream_is_made_and_by_refresh():
    model, x = small(), numbers((1, 4, 3))
    stream, before = model.stream(), answers(model, x)
    for name in model.params:
        model.params[name] += 0.1
    assert same(stream.run(x), before)
    stream.refresh()
    stream.reset()
    assert same(stream.run(x), answers(model, x)) and not same(stream.run(x), before)
    Sequential([model])  # moves the parameters into its own memory
    model.flat_params *= 0.5
    stream.refresh()
    stream.reset()
    assert same(stream.run(x), answers(model, x))


def test_refresh_leaves_the_states():
    stream = small().stream()
    stream(numbers((1, 3)))
    h, c = stream.state["0"]
    stream.refresh()
    assert same(stream.state["0"][0], h) and same(stream.state["0"][1], c) and h.any()


def test_states_are_copies_that_can_be_put_back():
    model, x = small(), numbers((1, 6, 3))
    stream, wanted = model.stream(), answers(model, x)
    stream.run(x[:, :3])
    model.forward(x[:, :3])
    state = stream.state
    for found, final in zip(state["0"], model.layers[0].final_state, strict=True):
        assert same(found, final)
    stream.run(x[:, 3:])
    stream.state = state
    assert same(stream.run(x[:, 3:]), wanted[:, 3:])
    stream.state = None
    assert not stream.state["0"][0].any() and same(stream.run(x), wanted)


@pytest.mark.long
def test_the_state_of_a_layer_alone_is_its_final_state():
    layer = GRU(3, 4, seed=0)
    stream = layer.stream()
    stream.state = np.ones((1, 4))
    assert stream.state.shape == (1, 4) and stream.state.dtype == np.float32


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"1": None}, r"state has the keys \['1'\]; wanted a dict with the keys \['0'\], or None"),
        (np.zeros((1, 20)), "state is of type ndarray; wanted a dict with the keys"),
        ({"0": np.zeros((1, 20))}, r"must be a tuple \(h, c\)"),
        ({"0": (np.zeros((2, 20)), None)}, r"has shape \(2, 20\); wanted \(1, 20\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state, told):
    stream = small().stream()
    stream(numbers((1, 3)))
    before = stream.state["0"]
    with pytest.raises(ValueError, match=told):
        stream.state = state
    assert same(stream.state["0"][0], before[0])


def test_a_result_that_is_held_is_never_written_again():
    model, x = small(), numbers((1, 6, 3))
    stream, wanted = model.stream(), answers(model, x)
    results = [stream(x[:, t]) for t in range(6)]
    assert same(np.stack(results, axis=1), wanted)
    stream.reset()
    views = [stream(x[:, t])[0] for t in range(6)]  # a view holds its array
    assert same(np.stack(views), wanted[0])


@needs_jit
def test_a_loop_allocates_nothing():
    stream, x = small().stream(), numbers((1, 3))
    for _ in range(3):
        y = stream(x)
    places = set()
    tracemalloc.start()
    try:
        for _ in range(100):
            y = stream(x)
            places.add(y.ctypes.data)
        for _ in range(2):  # what the tracing itself needs is there after the first time
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for _ in range(100):
                y = stream(x)
            peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert len(places) == 2 and peak < 200, (len(places), peak)  # a flag, a shape
