"""A layer of one's own is a layer; a group holds what a loop of one's own runs."""

import copy

import numpy as np
import pytest
from conftest import assert_all_same_bits, assert_refused, assert_same_bits
from layer_cases import B, H, I, T, rng

import rnnlite
from rnnlite import LSTM, Adam, Dense, Group, Sequential, gradcheck
from rnnlite.layers import Layer
from rnnlite.saving.models import from_bytes, to_bytes


class Softsign(Layer):
    """y = x / (1 + |x|): nothing to learn."""

    def __init__(self, dtype="float32"):
        super().__init__((), dtype)

    def forward_pass(self, x, saved):
        saved.scale = 1 / (1 + np.abs(x))
        return x * saved.scale

    def backward_pass(self, dy, saved):
        return dy * saved.scale**2


class Affine(Layer):
    """y = a x + b: never zero where x is, so that padding has to be cleared."""

    def __init__(self, features, start=1.0, dtype="float32"):
        super().__init__({"a": (features,), "b": (features,)}, dtype)
        self.features, self.start = features, start
        self.params["a"][...] = self.params["b"][...] = start

    def forward_pass(self, x, saved):
        saved.x = x
        return x * self.params["a"] + self.params["b"]

    def backward_pass(self, dy, saved):
        self.grads["a"][...] = (dy * saved.x).reshape(-1, self.features).sum(axis=0)
        self.grads["b"][...] = dy.reshape(-1, self.features).sum(axis=0)
        return dy * self.params["a"]


class Residual(Layer):
    """y = x + inner(x): a layer inside."""

    def __init__(self, inner):
        super().__init__((), inner.dtype, {"inner": inner})

    @property
    def inner(self):
        return self.layers[0]

    def forward_pass(self, x, saved):
        return x + saved.run(self.inner, x, saved.lengths)

    def backward_pass(self, dy, saved):
        return dy + self.inner.backward(dy)


def model():
    inner = LSTM(H, H, return_sequences=True, seed=1)
    return Sequential([LSTM(I, H, return_sequences=True, seed=0), Affine(H), Softsign(),
                       Residual(inner), Dense(H, 2, seed=2)])  # fmt: skip


X, LENGTHS = rng().normal(size=(B, T, I)), np.array([4, 1, 2])


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
def test_a_layer_of_ones_own_passes_the_gradient_check(lengths):
    labels = rng(1).integers(0, 2, (B, T))
    assert gradcheck.check(model(), X, labels=labels, samples=20).passed
    report = gradcheck.check(Affine(I), X, lengths=lengths)
    assert report.passed and {a.name for a in report.arrays} == {"a", "b", "x"}
    assert gradcheck.check(Residual(Affine(I)), X, lengths=lengths).passed

    class Wrong(Softsign):
        def backward_pass(self, dy, saved):
            return dy * saved.scale

    assert not gradcheck.check(Wrong(), X).passed


@pytest.mark.parametrize("junk", [np.nan, 5.0])
def test_padding_never_reaches_a_layer_of_ones_own(junk):
    layer, past = Affine(I), np.arange(T) >= LENGTHS[:, None]
    x, dy = X.copy(), np.ones_like(X)
    x[past] = dy[past] = junk
    y = layer.forward(x, lengths=LENGTHS)
    dx = layer.backward(dy)
    assert not y[past].any() and not dx[past].any() and not layer(x, LENGTHS)[past].any()
    assert layer.grads["b"][0] == LENGTHS.sum() and np.isfinite(layer.flat_grads).all()
    assert np.all(x[past] == junk) or np.isnan(junk)  # the caller's array is as it was


def test_it_trains_copies_and_tells_what_it_is():
    net, y = model(), rng(1).integers(0, 2, (B, T))
    assert list(net.params)[3:5] == ["1.a", "1.b"] and "3.inner.Wx" in net.params
    history = rnnlite.fit(net, X.astype("f"), y, lengths=LENGTHS, epochs=40, seed=0,
                          optimizer=Adam(net, lr=0.02))  # fmt: skip
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    twin = net.copy("float64")
    assert_same_bits("y", twin(X).astype("f"), net.copy("float64")(X).astype("f"))
    twin.params["3.inner.b"][...] = 7.0
    assert not np.any(net.params["3.inner.b"] == 7.0)
    assert repr(Affine(3, start=2.0)) == "Affine(3, start=2.0)"
    assert repr(net).endswith(
        "Softsign(), Residual(LSTM(6, 6, return_sequences=True)), Dense(6, 2)])"
    )
    assert [key for key, _ in net.walk()] == ["", "0", "1", "2", "3", "3.inner", "4"]
    assert [type(layer).__name__ for layer in net.layers[3].layers] == ["LSTM"]


def test_what_is_missing_is_said():
    class Silent(Layer):
        def __init__(self, size, dtype="float32"):
            super().__init__({"w": (size,)}, dtype)

    layer = Silent(3)
    assert_refused(NotImplementedError, ["Silent has no forward_pass(x, saved)"], layer, X)
    assert_refused(AttributeError, ["Silent: the constructor's argument 'size'"], layer.options)
    held = LSTM(2, 2)
    Residual(held)
    assert_refused(ValueError, ["layers[inner]", "in a model already"], Residual, held)
    assert_refused(TypeError, ["Residual: layers[x]"], Layer.__init__, object.__new__(Residual),
                   (), "float32", {"x": 3})  # fmt: skip


# ---- what a person may do between two calls ------------------------------------------------


def test_assigned_parameters_are_copied_into_place():
    net = Sequential([Dense(2, 2, seed=0)])
    W, b = np.eye(2), np.ones(2)
    net.params["0.W"] = W
    net.layers[0].params.update(b=b)
    W[...] = b[...] = 9.0  # the model has copies
    assert_same_bits("y", net([[1.0, 2.0]]), np.array([[2.0, 3.0]], "f"))
    net.params |= {"0.b": [0, 0]}
    net.grads["0.W"] = W
    assert net.flat_grads[:4].tolist() == [9.0] * 4 and net([[1, 2]]).tolist() == [[1.0, 2.0]]
    net.params["0.W"] += 1.0
    assert net([[1.0, 2.0]]).tolist() == [[4.0, 5.0]]
    net.flat_params = np.zeros(6)
    assert not net.params["0.W"].any() and not net([[1.0, 2.0]]).any()
    before = net.flat_params.copy()
    for error, fragments, change in [
        (ValueError, ["params['0.W'] has shape (2, 3); wanted (2, 2)"],
         lambda: net.params.update({"0.b": [1, 1], "0.W": np.ones((2, 3))})),
        (ValueError, ["grads['0.b'] has shape ()"], lambda: net.grads.__setitem__("0.b", 1.0)),
        (KeyError, ["params['W'] does not exist; there are 0.W, 0.b"],
         lambda: net.params.__setitem__("W", W)),
        (TypeError, ["names cannot be added or removed"], lambda: net.params.pop("0.W")),
        (TypeError, ["names cannot be added or removed"], net.params.clear),
        (TypeError, ["real numbers"], lambda: net.params.__setitem__("0.b", ["a", "b"])),
        (ValueError, ["flat_params has shape (5,); wanted (6,)"],
         lambda: setattr(net, "flat_params", np.zeros(5))),
    ]:  # fmt: skip
        assert_refused(error, fragments, change)
    assert_same_bits("params", net.flat_params, before)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_of_two_forward_passes_the_last_one_counts_and_of_says_which_was_meant(training, wrapped):
    """Another thread's forward never counts (test_layers_threads.py)."""
    layer = LSTM(I, H, seed=0)
    layer = Sequential([layer]) if wrapped else layer
    twin = layer.copy()
    first, dy = layer.forward(X, training=training), np.ones((B, H))
    last = layer.forward(X + 1, training=training)
    fragments = ["backward: of is not what the last forward returned"]
    assert_refused(RuntimeError, fragments, lambda: layer.backward(dy, of=first))
    twin.forward(X + 1)
    assert_same_bits("dx", layer.backward(dy, of=last), twin.backward(dy))
    layer.forward(X), twin.forward(X + 1), layer.forward(X + 1)
    assert_same_bits("dx", layer.backward(dy), twin.backward(dy))
    layer.forward(X)
    fragments = ["dy has shape (2, 6); wanted (3, 6)"]
    assert_refused(ValueError, fragments, layer.backward, dy[:2])


def test_an_answer_is_copied_only_where_it_may_be_the_input():
    answers = []

    class Told(Softsign):
        def forward_pass(self, x, saved):
            answers.append(super().forward_pass(x, saved))
            return answers[-1]

    assert Told()(X) is answers[-1]
    passed_on = X.astype(np.float32)
    assert not np.may_share_memory(rnnlite.Dropout(0.5)(passed_on), passed_on)


def test_a_forward_that_raises_leaves_no_backward_behind():
    layer = Sequential([Affine(I), Dense(I, 2)])
    y = layer.forward(X)
    assert_refused(ValueError, ["layer 0"], layer.forward, X, lengths=[9, 9, 9])
    assert_refused(RuntimeError, ["no forward pass"], layer.backward, y)


def test_copies_honour_what_is_shared():
    net = model()
    holder = {"first": net.layers[0], "net": net, "again": net, "optimizer": Adam(net)}
    twin = copy.deepcopy(holder)
    assert twin["again"] is twin["net"] is not net and twin["first"] is twin["net"].layers[0]
    assert twin["optimizer"].model is twin["net"]
    twin["first"].params["b"][...] = 5.0
    assert np.all(twin["net"].params["0.b"] == 5.0) and not np.any(net.params["0.b"] == 5.0)


# ---- groups --------------------------------------------------------------------------------


def test_a_group_is_one_model_for_optimizer_norm_and_copies():
    group = Group(encoder=LSTM(I, H, seed=0), decoder=Sequential([Dense(H, 2, seed=1)]))
    assert list(group.params) == ["encoder.Wx", "encoder.b", "encoder.Wh",
                                  "decoder.0.W", "decoder.0.b"]  # fmt: skip
    assert repr(group) == "Group(encoder=LSTM(5, 6), decoder=Sequential([Dense(6, 2)]))"
    before = group.flat_params.copy()
    optimizer = Adam(group)
    y = group.decoder.forward(group.encoder.forward(X))
    group.encoder.backward(group.decoder.backward(np.ones_like(y)), need_dx=False)
    squares = sum(np.sum(g.astype("d") ** 2) for g in group.grads.values())
    assert rnnlite.clip_gradients(group, 1e-3) == pytest.approx(np.sqrt(squares), rel=1e-6)
    optimizer.step()
    assert np.all(before[: 4 * H] != group.flat_params[: 4 * H])
    twin = group.copy()
    assert_all_same_bits(dict(twin.params), dict(group.params))
    assert twin.encoder is not group.encoder and [k for k, _ in twin.walk()][1] == "encoder"


@pytest.mark.parametrize(
    ("parts", "error", "fragments"),
    [
        ({}, ValueError, ["Group: there are no parts"]),
        ({"a": 3}, TypeError, ["Group: a is of type int"]),
        ({"params": Dense(2, 2)}, ValueError, ["cannot have the name 'params'"]),
        ({"a": Dense(2, 2), "b": Dense(2, 2, dtype="float64")}, ValueError, ["one dtype"]),
    ],
)
def test_bad_parts_of_a_group_are_refused(parts, error, fragments):
    assert_refused(error, fragments, lambda: Group(**parts))


def test_a_group_has_no_forward_but_a_class_of_ones_own_may_define_it():
    group = Group(one=Dense(I, H), two=Dense(H, 2))
    assert_refused(TypeError, ["no forward of its own: call its parts, one, two"], group, X)
    assert_refused(AttributeError, ["Group has no part 'three'"], lambda: group.three)

    class Chain(Group):
        def forward_pass(self, x, saved):
            return saved.run(self.two, saved.run(self.one, x))

        def backward_pass(self, dy, saved):
            return self.one.backward(self.two.backward(dy))

    chain = Chain(one=Dense(I, H, seed=0), two=Dense(H, 2, seed=1))
    assert gradcheck.check(chain, X[:, 0], labels=[0, 1, 1]).passed
    assert chain(X).shape == (B, T, 2)
    twin = from_bytes(to_bytes(chain), layers=[Chain])  # its parts are in the file, as a group's
    assert list(twin.parts) == ["one", "two"]
    assert_same_bits("y", twin(X), chain(X))
