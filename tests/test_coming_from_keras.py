"""Every row of Keras' tables in docs/coming_from.md, executed in both libraries."""

import inspect
import os

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits
from page_rows import Rows, code_in

import rnnlite
from rnnlite import LSTM, Embedding, LayerNorm, Sequential, interop

torch = pytest.importorskip("torch", reason="these tests run Keras on PyTorch")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="these tests compare with Keras")
if keras.backend.backend() != "torch":
    pytest.skip("KERAS_BACKEND is another than torch", allow_module_level=True)
layers = keras.layers
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

B, T, I, H = 2, 5, 3, 4
LENGTHS = [5, 2]
MASK = np.arange(T) < np.array(LENGTHS)[:, None]
row = Rows("Keras")


@row.every_row()
def test_every_row_is_true(first, others):
    keras.utils.set_random_seed(0)
    row.run(first, others)


def test_no_check_is_left_over():
    assert not row.left_over()


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


X = data(B, T, I)


def there(text, shape=(B, T, I)):
    """The layer that a line of Keras makes, built."""
    layer = eval(text, dict(vars(layers)))
    layer.build(shape)
    return layer


def here(text):
    """What a line of rnnlite makes."""
    return eval(text, dict(vars(rnnlite)))


def numbers(tensor):
    return tensor.detach().numpy()


def of_keras(layer, x=X, **options):
    return numbers(layer(torch.from_numpy(x), **options))


# ---- what is called what -------------------------------------------------------------------------


@row("`LSTM(4)`, built when it is called")
def built_when_called(first, ours):
    layer = eval(*code_in(first), dict(vars(layers)))
    assert not layer.built
    expected = of_keras(layer)
    model = interop.from_keras(layer)
    assert repr(model) == repr(here(*code_in(ours)))
    assert_close("y", model(X), expected, 1e-6)


@row("`SimpleRNN(4)`", "`GRU(4)`, `GRU(4, reset_after=False)`",
     '`Bidirectional(LSTM(4), merge_mode="concat")`', "`SpatialDropout1D(0.2)`",
     '`Dense(2, activation="tanh")`', "`TimeDistributed(Dense(2))`",
     "`LayerNormalization()`")  # fmt: skip
def one_layer(first, ours):
    shape = (B, T, I if any(kind in first for kind in ("RNN", "GRU", "LSTM")) else 4)
    made = [there(text, shape) for text in code_in(first)]
    wanted = [here(text) for text in code_in(ours)[: len(made)]]
    for layer, ours in zip(made, wanted, strict=True):
        assert repr(interop.from_keras(layer)) == repr(ours)


@row("`return_sequences=True`")
def sequences(first, ours):
    layer = there(f"LSTM(4, {code_in(first)[0]})")
    model = LSTM(I, H, **eval(f"dict({code_in(first)[0]})"))
    assert ours == "the same" and repr(interop.from_keras(layer)) == repr(model)
    assert of_keras(layer).shape == model(X).shape == (B, T, H)


@row("`return_state=True` of the layer")
def state(first, ours):
    layer = there(f"LSTM(4, {code_in(first)[0]})")
    y, (h, c) = eval(code_in(ours)[0], {"lstm": interop.from_keras(layer), "x": X})
    for got, wanted in zip((y, h, c), layer(torch.from_numpy(X)), strict=True):
        assert_close("state", got, numbers(wanted), 1e-6)


@row("`stateful=True`")
def stateful(first, ours):
    layer = layers.LSTM(H, return_sequences=True, stateful=True)
    expected = np.concatenate([of_keras(layer, piece) for piece in (X[:, :2], X[:, 2:])], axis=1)
    assert_refused(ValueError, ["stateful=True"], interop.from_keras, layer)
    layer.stateful = False
    model = interop.from_keras(layer)
    y, state = model(X[:, :2], return_state=True)
    y = np.concatenate([y, model(X[:, 2:], initial_state=state)], axis=1)
    assert_close("y", y, expected, 1e-6)
    y, state = model.step(X[:, 0])
    assert_close("y", model.step(X[:, 1], state)[0], expected[:, 1], 1e-6)


@row("`go_backwards=True`")
def backwards(first, ours):
    layer = there("LSTM(4, go_backwards=True)")
    model = interop.from_keras(layer)
    assert repr(model) == repr(LSTM(I, H, go_backwards=True))
    assert_close("y", model(X), of_keras(layer), 1e-6)
    layer.return_sequences = True
    model = LSTM(I, H, go_backwards=True, return_sequences=True)
    layer.set_weights(interop.to_keras(model, like=layer))
    assert_close("y", model(X)[:, ::-1], of_keras(layer), 1e-6)  # each at the time of its input


@row("`dropout=0.2`", "`recurrent_dropout=0.2`")
def dropouts(first, ours):
    (option,) = code_in(first)
    model = interop.from_keras(there(f"LSTM(4, {option})"))
    wanted = LSTM(I, H, recurrent_dropout=0.2)
    if option.startswith("dropout"):
        wanted = Sequential([here(*code_in(ours)), LSTM(I, H)])
    assert repr(model) == repr(wanted)


@row('`Dense(2, activation="softmax")` at the end')
def softmax(first, ours):
    layer = there(*code_in(first), (B, 4))
    model = interop.from_keras(layer, logits=True)
    assert repr(model) == repr(here(code_in(ours)[0]))
    x = data(B, 4)
    assert_close("y", rnnlite.predict_proba(model, x), of_keras(layer, x), 1e-6)


@row("`Embedding(9, 3, mask_zero=True)`", "`Masking(0.0)`")
def masks(first, ours):
    layer, lstm = there(*code_in(first)), layers.LSTM(H)
    if "Masking" in first:
        x = X * MASK[:, :, None]
        model, lengths = [], interop.lengths_from_mask((x != 0).any(axis=-1))
    else:
        x = np.random.default_rng(0).integers(1, 9, (B, T)) * MASK
        model, lengths = [interop.from_keras(layer)], interop.lengths_from_mask(x != 0)
        assert repr(model[0]) == repr(here(code_in(ours)[0]))
    expected = numbers(lstm(layer(torch.from_numpy(x))))
    model = Sequential([*model, interop.from_keras(lstm)])
    assert lengths.tolist() == LENGTHS and "`lengths`" in ours
    assert_close("y", model(x, lengths=lengths), expected, 1e-6)
    assert np.abs(model(x) - expected).max() > 1e-4


@row("`model.fit(x, y)`, `evaluate`, `predict`")
def training(first, ours):
    net = keras.Sequential([keras.Input((T, I)), layers.LSTM(H), layers.Dense(2, "softmax")])
    model, y = interop.from_keras(net, logits=True), np.array([0, 1])
    options = {"epochs": 1, "batch_size": B, "shuffle": False}
    net.compile(keras.optimizers.Adam(0.01, epsilon=1e-8), "sparse_categorical_crossentropy")
    net.fit(X, y, verbose=0, **options)
    adam = rnnlite.Adam(model, lr=0.01)
    rnnlite.fit(model, X, y, optimizer=adam, progress=False, **options)
    assert_close("y", rnnlite.predict_proba(model, X), net.predict(X, verbose=0), 1e-5)
    loss = net.evaluate(X, y, verbose=0)
    assert rnnlite.evaluate(model, X, y).loss == pytest.approx(loss, rel=1e-4)


@row("`get_weights()`, `set_weights()`")
def weights(first, ours):
    layer = there("GRU(4)")
    model = interop.from_keras(layer)
    for got, wanted in zip(interop.to_keras(model), layer.get_weights(), strict=True):
        assert_same_bits("weights", got, wanted)
    layer.set_weights(interop.to_keras(model))


# ---- arrays --------------------------------------------------------------------------------------


@row("x to gates", "h to gates", "biases of LSTM and SimpleRNN")
def same_arrays(first, theirs, ours):
    for layer in (there("LSTM(4)"), there("SimpleRNN(4)")):
        mine = interop.from_keras(layer).params[code_in(ours)[0]]
        assert_same_bits(first, mine, numbers(getattr(layer.cell, code_in(theirs)[0]).value))


@row("LSTM's gates", "GRU's gates")
def gates(first, theirs, ours):
    layer = there("LSTM(4)" if "LSTM" in first else "GRU(4)")
    layer.set_weights([w + 0.1 * data(*w.shape) for w in layer.get_weights()])
    trace = rnnlite.trace(interop.from_keras(layer), X[:, :1])
    (trace,) = (trace[name] for name in trace.names)
    kernel, _, bias = layer.get_weights()
    names = theirs.replace("*", "").partition(":")[0].split(", ")
    b, bh = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))  # h is zero at first
    parts = [np.split(a, len(names), axis=-1) for a in (X[:, 0] @ kernel + b, bh)]
    called = {"c": "g"} if "LSTM" in first else {"h": "n"}
    for name, z, own in zip(names, *parts, strict=True):
        if name == "h":
            value = np.tanh(z + trace.r[:, 0] * own)
        else:
            value = np.tanh(z + own) if name == "c" else 1 / (1 + np.exp(-z - own))
        assert_close(name, getattr(trace, called.get(name, name))[:, 0], value, 1e-5)
    mine = ours.replace("*", "").partition(":")[0].split(", ")
    assert set(mine) == {called.get(name, name) for name in names}


@row("biases of the GRU")
def two_biases(first, theirs, ours):
    after, before = there("GRU(4)"), there("GRU(4, reset_after=False)")
    assert after.get_weights()[2].shape == (2, 3 * H)
    assert before.get_weights()[2].shape == (3 * H,)
    assert interop.from_keras(after).params.keys() >= set(code_in(ours))


@row("`LayerNormalization`")
def norm(first, theirs, ours):
    layer = there("LayerNormalization()")
    layer.set_weights([data(I, seed=n) for n in range(2)])
    for one, two in zip(code_in(theirs), code_in(ours), strict=True):
        array = numbers(getattr(layer, one).value)
        assert_same_bits(one, interop.from_keras(layer).params[two], array)


# ---- what differs --------------------------------------------------------------------------------


@row("initial weights", "the forget gate's bias at first")
def initial(first, theirs, ours):
    layer = there("LSTM(30)", (B, T, 20))
    params = LSTM(20, 30, seed=0).params
    for Wx, Wh, b in (layer.get_weights(), (params["Wx"], params["Wh"], params["b"])):
        bound = np.sqrt(6 / (20 + 120))
        assert 0.9 * bound < np.abs(Wx).max() <= bound
        np.testing.assert_allclose(Wh @ Wh.T, np.eye(30), atol=1e-5)
        assert (b.reshape(4, 30).T == [0, 1, 0, 0]).all()
    for function in (layers.LSTM, LSTM):
        wanted = {"unit_forget_bias", "forget_bias"}
        assert wanted & set(inspect.signature(function).parameters)


@row("initial table of an Embedding")
def table(first, theirs, ours):
    W = there("Embedding(400, 30)").get_weights()[0]
    assert 0.0499 < np.abs(W).max() <= 0.05
    W = Embedding(400, 30, seed=0).params["W"]
    assert W.std() == pytest.approx(0.05, rel=0.05) and np.abs(W).max() > 0.15


@row("past a row's end")
def past_the_end(first, theirs, ours):
    layer = there("GRU(4, return_sequences=True)")
    y = of_keras(layer, mask=torch.from_numpy(MASK))
    assert_close("y", y[1, 2:], np.broadcast_to(y[1, 1], (3, H)), 1e-7)
    mine = interop.from_keras(layer)(X, lengths=LENGTHS)
    assert not mine[1, 2:].any()
    assert_close("y", mine[MASK], y[MASK], 1e-6)


@row("`recurrent_activation`")
def gate_function(first, theirs, ours):
    assert there("LSTM(4)").get_config()["recurrent_activation"] == "sigmoid"
    layer = there('LSTM(4, recurrent_activation="hard_sigmoid")')
    assert_refused(ValueError, ["'hard_sigmoid'", "custom_cell"], interop.from_keras, layer)


@row("`epsilon` of layer normalisation")
def epsilon_of_norm(first, theirs, ours):
    assert there("LayerNormalization()").epsilon == float(theirs)
    assert LayerNorm(3).eps == torch.nn.LayerNorm(3).eps == float(ours.partition(",")[0])


@row("`epsilon` of Adam")
def epsilon_of_adam(first, theirs, ours):
    assert keras.optimizers.Adam().epsilon == float(theirs)
    mine, of_torch = (
        inspect.signature(cls).parameters["eps"].default for cls in (rnnlite.Adam, torch.optim.Adam)
    )
    assert mine == of_torch == float(ours.partition(",")[0])


@row('dtype "float64"')
def float64(first, theirs, ours):
    layer = layers.Dense(2, dtype="float64")
    x = np.random.default_rng(0).normal(size=(B, 50))
    difference = np.abs(of_keras(layer, x) - x @ numbers(layer.kernel.value)).max()
    assert 1e-9 < difference < 1e-5
    model = interop.from_keras(layer)
    assert model.dtype == np.float64
    assert_close("y", model(x), x @ numbers(layer.kernel.value), 1e-14)


@row("a model ends in")
def logits(first, theirs, ours):
    loss = keras.losses.SparseCategoricalCrossentropy
    assert "from_logits" in inspect.signature(loss).parameters
    values, y = data(4, 3), np.array([0, 2, 1, 1])
    wanted = float(loss(from_logits=True)(torch.from_numpy(y), torch.from_numpy(values)))
    assert rnnlite.softmax_cross_entropy(values, y)[0] == pytest.approx(wanted, rel=1e-6)
