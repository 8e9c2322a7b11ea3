"""Whatever a person can change is a boundary: read-only, copied into place, or refused."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from layer_cases import H, I
from layer_kinds import KINDS, every_kind

import rnnlite
from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Group, Sequential, layers
from rnnlite.layers import Dropout, Layer


def test_every_class_of_layers_is_among_the_kinds():
    found = {base for make in KINDS.values() for base in type(make()[0]).__mro__}
    assert {getattr(layers, name) for name in layers.__all__} <= found


# ---- what a layer was built with -----------------------------------------------------------


@every_kind
def test_what_a_layer_was_built_with_cannot_be_changed(kind):
    layer, _ = kind()
    options = {name for cls in type(layer).__mro__ for name in getattr(cls, "_options", ())}
    names = options | {"takes_indices", "input_features", "layers", "forward", "infer", "__class__"}
    for name in sorted(names):
        before = getattr(layer, name)
        for value in (None, 3, before):
            fragments = [f"{type(layer).__name__}: {name} is what", "cannot be changed"]
            assert_refused(AttributeError, fragments, setattr, layer, name, value)
        assert_refused(AttributeError, [f"{name} is what"], delattr, layer, name)
        assert getattr(layer, name) is before or getattr(layer, name) == before
    assert_refused(AttributeError, ["built already"], layer.__init__)
    layer.note = "mine"  # a person's own
    del layer.note


def test_the_sentence_says_what_to_do():
    said = "LSTM: hidden_size is what the layer was built with and cannot be changed; make another"
    layer = LSTM(I, H)
    assert_refused(AttributeError, [said], setattr, layer, "hidden_size", H + 1)
    for layer, name in ((LSTM(I, H), "cell"), (GRU(I, H), "cell"), (RNN(I, H), "go_backwards")):
        assert_refused(AttributeError, ["what the layer was built with"], setattr, layer, name, 1)
    assert_refused(AttributeError, ["part"], setattr, Group(part=Dense(2, 2)), "part", 1)


class Own(Layer):
    """Sets its options in any order, twice, and an attribute that is not an option."""

    debug = False

    def __init__(self, size, rate=0.5, dtype="float32"):
        self.rate = rate
        super().__init__({"w": (size,)}, dtype)
        self.size = None
        self.size, self.rate, self.calls = size, 2 * rate / 2, 0

    def forward_pass(self, x, saved):
        self.calls += 1
        return x * self.rate


class Head(Dense):
    def __init__(self, inputs):
        super().__init__(inputs, 1)
        self.inputs = inputs


class Heir(Head):
    pass


def test_layers_of_a_persons_own_have_it_too():
    layer = Own(3)
    layer(np.ones((2, 3)))
    layer.debug, layer.calls = True, layer.calls + 1
    assert layer.calls == 2
    for layer, names in ((Own(3), "size rate dtype takes_indices"),
                         (Heir(3), "inputs in_features out_features forward_pass")):  # fmt: skip
        twins = [layer, layer.copy(), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
        for twin in twins:
            for name in names.split():
                fragments = [f"{type(layer).__name__}: {name} is what"]
                assert_refused(AttributeError, fragments, setattr, twin, name, 4)


def test_a_loaded_layer_and_a_mirror_are_built(tmp_path):
    model = Sequential([Bidirectional(LSTM(I, H, recurrent_dropout=0.5)), Own(2 * H)])
    rnnlite.save(model, tmp_path / "model")
    for net in (model, rnnlite.load(tmp_path / "model", layers=[Own])):
        mirror = net.layers[0].layers[1]
        assert mirror.go_backwards
        assert_refused(AttributeError, ["LSTM"], setattr, mirror, "recurrent_dropout", 5.0)
        assert_refused(AttributeError, ["Own"], setattr, net.layers[1], "size", 5)


# ---- arrays --------------------------------------------------------------------------------

WRONG = {
    "longer": lambda n: np.zeros(n + 1, "f"),
    "shorter": lambda n: np.zeros(n - 1, "f"),
    "other axes": lambda n: np.zeros((n, 1), "f"),
    "complex": lambda n: np.zeros(n, "D"),
    "text": lambda n: np.array(["a"] * n),
    "objects": lambda n: np.array([None] * n),
    "None": lambda n: None,
    "a text": lambda n: "abc",
    "a layer": lambda n: Dense(2, 2),
    "a list of lists": lambda n: [[1], [1, 2]],
}
RIGHT = {
    "float64": lambda v: v.astype("d"),
    "whole numbers": lambda v: np.arange(v.size),
    "strided": lambda v: np.repeat(v, 2)[::2],
    "backwards": lambda v: v[::-1],
    "not a number": lambda v: np.full(v.size, np.nan, "f"),
    "read-only": lambda v: np.broadcast_to(np.float32(2), v.shape),
    "a list": lambda v: v.tolist(),
    "itself": lambda v: v,
}


@pytest.mark.parametrize("name", ["flat_params", "flat_grads"])
@pytest.mark.parametrize("inside", [False, True])
def test_flat_arrays_are_copied_into_place_or_refused(name, inside):
    layer = LSTM(I, H, seed=0)
    model = Sequential([layer]) if inside else layer
    before = getattr(model, name).copy()
    for make in WRONG.values():
        with pytest.raises((ValueError, TypeError), match=f"^{type(model).__name__}: {name} "):
            setattr(model, name, make(before.size))
        assert_same_bits(name, getattr(model, name), before)
    for make in RIGHT.values():
        value = make(before)
        setattr(model, name, value)
        wanted = np.array(value, "f")
        assert_same_bits(name, getattr(model, name), wanted)
        assert_same_bits(name, getattr(layer, name), wanted)
        x, first = np.ones((1, 1, I)), wanted[: 4 * H]
        if name == "flat_params" and np.isfinite(wanted).all():
            twin = LSTM(I, H)
            twin.flat_params[...] = wanted
            assert_same_bits("y", model(x), twin(x))
        assert_same_bits(
            "Wx", next(iter(getattr(model, name[5:]).values())).ravel()[: 4 * H], first
        )


def misuse(array):
    """All that can be done to an array object itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        array.shape = (1, array.size)
        array.dtype = np.uint8
    array.setflags(write=False)
    with pytest.raises(ValueError):
        array.resize((2, 2))


@every_kind
def test_what_is_done_to_an_array_itself_never_reaches_the_layer(kind):
    layer, x = kind()
    twin = layer.copy()

    def step(net):
        y = net.forward(x, training=True)
        return y, net.backward(np.ones_like(y))

    for y, dx in (step(layer), step(twin)):  # memory of the layer, but arrays of its own
        if net_is_random(layer):
            break
        for array in (y, dx):
            if array is not None and array.base is not None:
                misuse(array)
    for arrays in (layer.params, layer.grads):
        found = [*arrays.values(), *dict(arrays).values(), *(v for _, v in arrays.items())]
        found += [*{**arrays}.values(), *arrays.copy().values(), *(arrays | {}).values()]
        found += [*({} | arrays).values(), *(arrays.get(name) for name in arrays)]
        for array in (*found, layer.flat_params, layer.flat_grads):
            if array.size:
                misuse(array)
        for refused in (arrays.clear, arrays.popitem):
            assert_refused(TypeError, ["cannot be added or removed"], refused)
        for name in arrays:
            assert_refused(TypeError, ["added or removed"], arrays.__delitem__, name)
    for name, array in twin.params.items():
        assert layer.params[name].shape == array.shape and layer.params[name].flags.writeable
    if not net_is_random(layer):
        for one, other in zip(step(layer), step(twin), strict=True):
            assert (one is None) == (other is None)
            assert one is None or np.array_equal(one, other)
    assert np.array_equal(layer.flat_grads, twin.flat_grads)


def net_is_random(layer):
    """Whether two of them draw different masks after unequal numbers of steps."""
    return any(isinstance(inner, Dropout) for _, inner in layer.walk())


def test_params_take_dicts_of_arrays_and_say_so():
    layer = Dense(3, 3, seed=0)
    W, b = layer.params["W"].copy(), layer.params["b"].copy()
    for value in (None, 5, [("W", W)], "W"):
        fragments = ["params is of type", "wanted a dict of arrays by name"]
        assert_refused(TypeError, fragments, setattr, layer, "params", value)
    assert_refused(KeyError, ["params['V'] does not exist; there are W, b"],
                   lambda: layer.params["V"])  # fmt: skip
    layer.params = {"b": b + 1}
    two = Group(one=Dense(2, 2, seed=0), two=Dense(2, 2, seed=1))
    one, other = two.params["one.W"].copy(), two.params["two.W"].copy()
    two.params.update({"one.W": two.params["two.W"], "two.W": two.params["one.W"]})
    assert_same_bits("one.W", two.params["one.W"], other)  # they changed places
    assert_same_bits("two.W", two.params["two.W"], one)
