"""Models that cross to and from Keras compute the same: outputs, states, masks, every gradient."""

import json
import os

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits

import rnnlite
from rnnlite import interop
from rnnlite.interop import keras_config, keras_door
from rnnlite.interop.leaves import directions, leaves

torch = pytest.importorskip("torch", reason="these tests run Keras on PyTorch")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="these tests compare with Keras")
if keras.backend.backend() != "torch":
    pytest.skip("KERAS_BACKEND is another than torch", allow_module_level=True)
dtypes = pytest.importorskip("keras.src.backend.common.dtypes", reason="another version of Keras")
layers = keras.layers
# Keras' set_weights, on PyTorch and NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

B, T, I, H = 3, 5, 4, 6
TOLERANCE = 1e-10
LENGTHS = [2, 5, 3]
MASK = np.arange(T) < np.array(LENGTHS)[:, None]
masked_or_not = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "masked"])
KINDS = {
    "lstm": (layers.LSTM, {}),
    "gru": (layers.GRU, {}),
    "gru of 2014": (layers.GRU, {"reset_after": False}),
    "tanh": (layers.SimpleRNN, {}),
    "relu": (layers.SimpleRNN, {"activation": "relu"}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def set_dtype(name):
    """Of all that Keras makes from now on."""
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)


@pytest.fixture(autouse=True)
def _one_thread_one_seed_float64(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    keras.utils.set_random_seed(0)
    set_dtype("float64")
    # On PyTorch Keras multiplies float64 in float32, by a table of its own.
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    yield
    set_dtype("float32")
    torch.set_num_threads(before)


def normal(*shape, seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def layer_of(kind, **options):
    cls, own = KINDS[kind]
    return cls(H, **own, **options)


def stirred(layer, shape=(None, T, I)):
    """Built, every weight away from its initial zero."""
    if not layer.built:
        layer.build(shape)
    weights = layer.get_weights()
    layer.set_weights([w + 0.3 * normal(*w.shape, seed=n) for n, w in enumerate(weights)])
    return layer


def run_keras(layer, x, dy, lengths, **states):
    """All that Keras returns, and the gradients by x and by its weights."""
    theirs = torch.tensor(x, requires_grad=np.asarray(x).dtype.kind == "f")
    mask = {} if lengths is None else {"mask": torch.tensor(MASK)}
    result = layer(theirs, **mask, **states)
    y, *final = result if isinstance(result, (list, tuple)) else [result]
    loss = (y * torch.from_numpy(dy(y.shape))).sum()
    loss.backward()
    return y.detach().numpy(), final, theirs.grad, [w.value.grad for w in layer.weights]


def by_valid_steps(lengths):
    """A gradient of outputs that is zero at padding, where Keras repeats and rnnlite has zeros."""

    def dy(shape):
        value = normal(*shape, seed=2)
        if lengths is not None and len(shape) == 3:
            value[~MASK] = 0.0
        return value

    return dy


def assert_same_network(model, layer, lengths=None, x=None):
    """Outputs at valid steps and all gradients."""
    x = normal(B, T, I) if x is None else x
    dy = by_valid_steps(lengths)
    expected, _, dx, grads = run_keras(layer, x, dy, lengths)
    y = model.forward(x, lengths=lengths)
    valid = MASK if lengths is not None and y.ndim == 3 else slice(None)
    assert_close("y", y[valid], expected[valid], TOLERANCE)
    ours = model.backward(dy(y.shape))
    if dx is not None:
        assert_close("dx", ours, dx.numpy(), TOLERANCE)
    return grads


def assert_gradients(model, layer, grads):
    """Every gradient by a weight of Keras, in the order of its weights."""
    twin = model.copy()
    twin.flat_params = model.flat_grads
    for _, one in leaves("", twin):
        for _, way in directions(one) or ():
            if way.cell == rnnlite.cells.GRU_2014:  # b and bh add up to one, and have its gradient
                way.params["bh"] = np.zeros_like(way.params["bh"])
    description, _ = keras_config.described("", layer)
    entries = [entry for entry in keras_config.entries("", description) if any(entry.parts())]
    ours = [
        way[part]
        for (key, one), entry in zip(leaves("", twin), entries, strict=True)
        for parts, way in zip(entry.parts(), keras_door.by_part(key, one, False), strict=True)
        for part in parts
    ]
    for n, (got, wanted) in enumerate(zip(ours, grads, strict=True)):
        assert_close(f"gradient {n}", got, wanted.numpy(), TOLERANCE)


# ---- from Keras ----------------------------------------------------------------------------------


@every_kind
@masked_or_not
@pytest.mark.parametrize("sequences", [True, False], ids=["sequences", "last"])
@pytest.mark.parametrize("merge", [None, "concat", "sum"], ids=["forward", "concat", "sum"])
def test_a_recurrent_layer_computes_the_same(kind, merge, sequences, lengths):
    layer = layer_of(kind, return_sequences=sequences)
    if merge:
        layer = layers.Bidirectional(layer, merge_mode=merge)
    layer = stirred(layer)
    model = interop.from_keras(layer)
    assert_gradients(model, layer, assert_same_network(model, layer, lengths))


@every_kind
def test_without_bias_it_is_zero(kind):
    layer = stirred(layer_of(kind, use_bias=False, return_sequences=True))
    model = interop.from_keras(layer)
    assert_gradients(model, layer, assert_same_network(model, layer))
    layer.set_weights(interop.to_keras(model, like=layer))
    model.params["b"][...] = 1.0
    fragments = [f"to_keras: layer {layer.name!r}", "of like has no bias"]
    assert_refused(ValueError, fragments, interop.to_keras, model, like=layer)


@every_kind
@masked_or_not
def test_going_backwards_is_the_same(kind, lengths):
    layer = stirred(layer_of(kind, go_backwards=True))
    assert_same_network(interop.from_keras(layer), layer, lengths)


@every_kind
@masked_or_not
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both ways"])
def test_states_are_the_same(kind, lengths, both):
    layer = layer_of(kind, return_sequences=True, return_state=True)
    layer = stirred(layers.Bidirectional(layer) if both else layer)
    model, count = interop.from_keras(layer), 2 if kind == "lstm" else 1
    given = [normal(B, H, seed=n) for n in range(count * (1 + both))]
    initial = [torch.tensor(state, requires_grad=True) for state in given]
    dy = by_valid_steps(lengths)
    _, final, _, _ = run_keras(layer, normal(B, T, I), dy, lengths, initial_state=initial)
    pairs = [tuple(given[n : n + count]) for n in range(0, len(given), count)]
    ours = [pair if count > 1 else pair[0] for pair in pairs]
    y = model.forward(normal(B, T, I), initial_state=ours if both else ours[0], lengths=lengths)
    model.backward(dy(y.shape))
    inner = [one for _, one in directions(model)]
    states = [s for one in inner for s in _states(one.final_state)]
    dinitial = [s for one in inner for s in _states(one.dinitial_state)]
    for got, wanted in zip(states, final, strict=True):
        assert_close("final", got, wanted.detach().numpy(), TOLERANCE)
    for got, wanted in zip(dinitial, initial, strict=True):
        assert_close("dinitial", got, wanted.grad.numpy(), TOLERANCE)


def _states(value):
    return value if isinstance(value, tuple) else (value,)


PLAIN = {
    "dense": lambda: [layers.Dense(3, activation="gelu")],
    "functions": lambda: [
        layers.Dense(5, activation="tanh"), layers.Dense(5, activation="silu"),
        layers.Dense(5, activation="sigmoid"), layers.Dense(3, use_bias=False),
        layers.Activation("softplus"), layers.ReLU(), layers.Activation("linear"),
    ],
    "norm": lambda: [layers.LayerNormalization()],
    "norm without beta": lambda: [layers.LayerNormalization(center=False, epsilon=1e-2)],
    "norm without gamma": lambda: [layers.LayerNormalization(scale=False)],
    "dropouts": lambda: [
        layers.Dropout(0.5), layers.SpatialDropout1D(0.5), layers.Dropout(0.3, (None, 1, None)),
        layers.TimeDistributed(layers.Dense(3)),
    ],
    "flatten": lambda: [layers.Dense(2), layers.Flatten(), layers.Dense(3)],
    "nested": lambda: [keras.Sequential([layers.Dense(2)]), layers.LSTM(3, dropout=0.2)],
    "all": lambda: [
        layers.LSTM(H, return_sequences=True), layers.LayerNormalization(), layers.Dropout(0.5),
        layers.Bidirectional(layers.GRU(3, recurrent_dropout=0.1)), layers.Dense(3),
    ],
}  # fmt: skip


@pytest.mark.parametrize("inside", PLAIN.values(), ids=PLAIN)
def test_sequential_models_compute_the_same(inside):
    module = stirred(keras.Sequential([keras.Input((T, I)), *inside()]))
    model = interop.from_keras(module)
    assert isinstance(model, rnnlite.Sequential)
    assert_gradients(model, module, assert_same_network(model, module))


@pytest.mark.parametrize("mask_zero", [False, True])
def test_an_embedding_with_mask_zero_has_lengths(mask_zero):
    x = np.random.default_rng(0).integers(1, 9, (B, T))
    x[~MASK] = 0
    parts = [layers.Embedding(9, I, mask_zero=mask_zero), layers.LSTM(H), layers.Dense(2)]
    module = stirred(keras.Sequential([keras.Input((T,), dtype="int64"), *parts]))
    model = interop.from_keras(module)
    lengths = interop.lengths_from_mask(x != 0) if mask_zero else None
    if mask_zero:
        np.testing.assert_array_equal(lengths, LENGTHS)
        of_keras = parts[0].compute_mask(torch.tensor(x))
        np.testing.assert_array_equal(interop.lengths_from_mask(of_keras), LENGTHS)
    theirs = module(torch.tensor(x))
    dy = normal(*theirs.shape)
    (theirs * torch.from_numpy(dy)).sum().backward()
    assert_close("y", model.forward(x, lengths=lengths), theirs.detach().numpy(), TOLERANCE)
    model.backward(dy)
    assert_gradients(model, module, [w.value.grad for w in module.weights])


def test_a_masking_layer_has_lengths():
    x = normal(B, T, I)
    x[~MASK] = -7.0
    parts = [layers.Masking(-7.0), layers.Bidirectional(layers.GRU(H)), layers.Dense(2)]
    module = stirred(keras.Sequential([keras.Input((T, I)), *parts]))
    model = interop.from_keras(module)
    lengths = interop.lengths_from_mask((x != -7.0).any(axis=-1))
    expected = module(torch.tensor(x)).detach().numpy()
    assert_close("y", model(x, lengths=lengths), expected, TOLERANCE)
    assert np.abs(model(x) - expected).max() > 1e-3


def test_a_softmax_at_the_end_is_left_out_if_one_says_so():
    for end in ([layers.Dense(3, activation="softmax")], [layers.Dense(3), layers.Softmax()]):
        module = stirred(keras.Sequential([keras.Input((T, I)), layers.LSTM(H), *end]))
        assert_refused(ValueError, ["a softmax: ", "logits=True"], interop.from_keras, module)
        model = interop.from_keras(module, logits=True)
        expected = module(torch.tensor(normal(B, T, I))).detach().numpy()
        got = rnnlite.predict_proba(model, normal(B, T, I))
        assert_close("probabilities", got, expected, TOLERANCE)


def test_dropout_of_the_inputs_stands_before_the_layer():
    layer = stirred(layers.LSTM(H, dropout=0.25, recurrent_dropout=0.5))
    model = interop.from_keras(layer, seed=3)
    assert repr(model) == (
        "Sequential([Dropout(0.25, per_sequence=True), LSTM(4, 6, recurrent_dropout=0.5)])"
    )
    assert_same_network(model, layer)
    x = normal(B, T, I)
    one, two = (interop.from_keras(layer, seed=3).forward(x, training=True) for _ in range(2))
    assert_same_bits("of one seed", one, two)


def test_a_description_and_weights_do_without_the_layer():
    module = stirred(keras.Sequential([keras.Input((T, I)), layers.GRU(H), layers.Dense(2)]))
    model = interop.from_keras(json.loads(module.to_json()), module.get_weights())
    assert_same_network(model, module)


# ---- to Keras ------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both ways"])
def test_keras_takes_the_weights_and_computes_the_same(kind, both):
    kinds = {"lstm": rnnlite.LSTM, "gru": rnnlite.GRU, "gru of 2014": rnnlite.GRU}
    cls, options = kinds.get(kind, rnnlite.RNN), dict(KINDS[kind][1])
    model = cls(I, H, return_sequences=True, seed=0, dtype="float64", **options)
    layer = layer_of(kind, return_sequences=True)
    if both:
        model, layer = rnnlite.Bidirectional(model, seed=1), layers.Bidirectional(layer)
    model.flat_params += 0.2 * normal(model.flat_params.size)
    layer.build((None, T, I))
    layer.set_weights(interop.to_keras(model))
    assert_gradients(model, layer, assert_same_network(model, layer, LENGTHS))


@every_kind
def test_round_trips_have_the_same_bits(kind):
    set_dtype("float32")
    layer = stirred(layers.Bidirectional(layer_of(kind)))
    model = interop.from_keras(layer)
    assert model.dtype == np.float32
    weights = interop.to_keras(model)
    for n, (got, wanted) in enumerate(zip(weights, layer.get_weights(), strict=True)):
        assert_same_bits(f"weight {n}", got, wanted)
    again = interop.from_keras(layer, weights)
    assert again.flat_params.tobytes() == model.flat_params.tobytes()
    for array in weights:
        array[...] = 0.0
    assert model.params["forward.Wx"].any()


def test_half_precision_becomes_float32():
    layer = layers.Dense(3, dtype="bfloat16")
    layer.build((None, I))
    model = interop.from_keras(layer)
    assert model.dtype == np.float32 and model.params["W"].any()
    assert interop.from_keras(layer, dtype="float64").dtype == np.float64


# ---- refusals, by the layer's name ---------------------------------------------------------------
