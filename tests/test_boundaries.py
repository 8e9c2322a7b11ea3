"""Whatever a person can change is a boundary: read-only, copied into place, or refused."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from layer_cases import B, H, I, T, rng
from layer_kinds import KINDS, every_kind

import rnnlite
from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Embedding, Group, Sequential, layers
from rnnlite.engine import door
from rnnlite.layers import Dropout, Layer

X = rng().normal(size=(B, T, I)).astype("f")


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


# ---- a forward that raises -----------------------------------------------------------------


def skip_where_nothing_overflows(layer):
    if layer.takes_indices:
        pytest.skip("indices do not overflow")
    if layer.dtype == np.float64:
        pytest.skip("1e300 is a float64; float32 has this test")


def overflowing(layer, x):
    skip_where_nothing_overflows(layer)
    with np.errstate(over="raise"):
        layer.forward(np.full(np.shape(x), 1e300))


def with_warnings_as_errors(layer, x):
    skip_where_nothing_overflows(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer.forward(np.full(np.shape(x), 1e300))


class Stopping:
    """An input that is stopped, as by Ctrl-C, on its way to an array."""

    def __init__(self, x):
        self.shape = np.shape(x)

    def __array__(self, dtype=None, copy=None):
        raise KeyboardInterrupt


def interrupted(layer, x):
    layer.forward(Stopping(x))


def of_wrong_features(layer, x):
    layer.forward(np.zeros((B, T, 0)))


FAILURES = (overflowing, with_warnings_as_errors, interrupted, of_wrong_features)


@every_kind
@pytest.mark.parametrize("failing", FAILURES, ids=lambda function: function.__name__)
def test_a_forward_that_raises_leaves_no_backward_behind(kind, failing):
    layer, x = kind()
    y = layer.forward(x)
    errors = (FloatingPointError, RuntimeWarning, KeyboardInterrupt, ValueError, TypeError)
    with pytest.raises(errors):
        failing(layer, x)
    for _, inner in layer.walk():
        assert_refused(RuntimeError, ["no forward pass"], inner.backward, np.ones_like(y))
        if isinstance(inner, rnnlite.layers.Recurrent):
            assert_refused(RuntimeError, ["call forward first"], lambda i=inner: i.final_state)
    again = layer.forward(x)
    layer.backward(np.ones_like(again))


@pytest.mark.parametrize("steps", [50, 120])
def test_of_a_forward_half_way_through_a_model_nothing_goes_back(steps):
    x = rng().normal(size=(2, steps, I))

    class Fuse(Layer):
        blown = None

        def forward_pass(self, x, saved):
            if self.blown is not None:
                raise self.blown
            return x

        def backward_pass(self, dy, saved):
            return dy

    fuse = Fuse()
    inner = [LSTM(I, H, return_sequences=True, seed=0), fuse, LSTM(H, H, seed=1)]
    model = Sequential(inner)
    for error in (MemoryError(), KeyboardInterrupt(), RecursionError()):
        fuse.blown = None
        y = model.forward(x)
        fuse.blown = error
        with pytest.raises(type(error)):
            model.forward(x[:, : steps // 2])
        for _, layer in model.walk():
            assert_refused(RuntimeError, ["no forward pass"], layer.backward, np.ones_like(y))


def test_wrong_states_of_a_bidirectional_layer_are_a_forward_that_raises():
    both = Bidirectional(LSTM(I, H))
    y = both.forward(X)
    assert_refused(ValueError, ["Bidirectional.forward: initial_state"], both.forward, X, 3)
    assert_refused(RuntimeError, ["no forward pass"], both.backward, y)


# ---- check, then use -----------------------------------------------------------------------


class Refilled:
    """Stands for an array that another thread refills: each reading gives other numbers."""

    def __init__(self, first, then):
        self.answers, self.shape = [first, then], np.shape(first)

    def __array__(self, dtype=None, copy=None):
        answer = np.asarray(self.answers[0])
        self.answers = self.answers[-1:]
        return answer if dtype is None else answer.astype(dtype)


def test_indices_are_read_once_and_checked_in_the_copy_that_is_used(monkeypatch):
    layer, x = Embedding(7, 3, seed=0), np.array([[1, 2], [3, 4]])
    checked = []

    def refill(where, name, numbers, end):
        right(where, name, numbers, end)
        checked.append(numbers)
        x[...] = 10**9  # between the check and the use

    right = door.within
    monkeypatch.setattr(door, "within", refill)
    before = layer.params["W"].copy()
    assert_same_bits("y", layer.forward(x), before[[[1, 2], [3, 4]]])
    assert checked and not any(np.shares_memory(numbers, x) for numbers in checked)
    layer.backward(np.ones((2, 2, 3)))
    assert layer.touched.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("layer", [LSTM(I, H), Dense(I, H), Embedding(7, 3)], ids=repr)
def test_lengths_are_used_as_they_were_checked(layer):
    x = np.ones((B, T), int) if layer.takes_indices else X
    lengths = np.array([1, 2, 3])
    layer.forward(x, lengths=lengths)
    assert not np.shares_memory(layer._saved.lengths, lengths)
    for wrong in ([T + 1] * B, [-1] * B, [2**62] * B):
        given = Refilled(np.ones(B, int), np.array(wrong))
        y = layer(x, lengths=given)
        assert_same_bits("y", y, layer(x, lengths=np.ones(B, int)))


# ---- the door, and what layers of a person's own may return --------------------------------


def own(cls, **methods):
    return type("Mine", (cls,), methods)


@pytest.mark.parametrize(
    ("cls", "sizes"), [(LSTM, (I, H)), (Dense, (I, H)), (rnnlite.LayerNorm, (I,))]
)
def test_other_shapes_than_the_buffers_were_made_for_are_refused_at_the_door(cls, sizes):
    shapes = {
        "rows": lambda x: x[:1], "features": lambda x: x[..., :-1].copy(),
        "wider": lambda x: np.concatenate([x, x], axis=-1), "steps": lambda x: x[:, :1].copy(),
        "dtype": lambda x: x.astype("d"), "order": lambda x: np.asfortranarray(x),
        "kind": lambda x: x.tolist(),
    }  # fmt: skip
    for change in shapes.values():
        before = own(cls, forward_pass=lambda self, x, saved, change=change, **states:
                     cls.forward_pass(self, change(x), saved, **states))(*sizes)  # fmt: skip
        if change is not shapes["steps"] or cls is Dense:  # the others may run over fewer
            with pytest.raises((ValueError, TypeError, AttributeError)):
                before.forward(X)
        after = own(cls, backward_pass=lambda self, dy, saved, change=change, **states:
                    cls.backward_pass(self, change(dy), saved, **states))(*sizes)  # fmt: skip
        y = after.forward(X)
        if y.ndim == 2 and change is shapes["steps"]:
            continue
        with pytest.raises((ValueError, TypeError)):
            after.backward(np.ones_like(y))


@pytest.mark.parametrize("cls", [LSTM, Dense])
@pytest.mark.parametrize("lengths", [[T + 1] * B, [-1] * B, [2**62] * B, [-(2**62)] * B])
def test_lengths_that_a_check_of_ones_own_let_through_stop_at_the_door(cls, lengths):
    def check_input(self, where, x, lengths):
        return cls.check_input(self, where, x, None)[0], np.array(lengths)

    layer = own(cls, check_input=check_input)(I, H)
    assert_refused(ValueError, ["lengths runs from", f"0..{T}"], layer, X, lengths=lengths)


@pytest.mark.parametrize(
    ("change", "came"),
    [
        (lambda x: x.astype("d"), "float64 of shape (3, 4, 5)"),
        (lambda x: x.astype(complex), "complex128"),
        (lambda x: x[:1], "float32 of shape (1, 4, 5)"),
        (lambda x: np.concatenate([x, x]), "float32 of shape (6, 4, 5)"),
        (lambda x: x.sum(), "of shape ()"),
        (lambda x: x.tolist(), "list of shape"),
        (lambda x: None, "NoneType of shape ()"),
        (lambda x: "text", "str of shape ()"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_what_a_layer_of_ones_own_returns_is_checked(change, came, inside):
    methods = {"forward_pass": lambda self, x, saved: change(x)}
    methods["backward_pass"] = lambda self, dy, saved: dy
    forth = own(Layer, **methods)()
    methods["forward_pass"] = lambda self, x, saved: x
    methods["backward_pass"] = lambda self, dy, saved: change(dy)
    back = own(Layer, **methods)()
    if inside:
        forth, back = Sequential([forth, Dense(I, 2)]), Sequential([Dense(I, I), back])
    for call in (forth, forth.forward, forth.infer):
        assert_refused(TypeError, ["Mine.forward_pass: returned ", came, "wanted"], call, X)
    back.forward(X)
    fragments = ["Mine.backward_pass: returned ", came, "wanted an array, float32 of shape"]
    assert_refused(TypeError, fragments, back.backward, np.ones_like(X))


def test_the_result_of_a_layer_of_ones_own_is_the_callers():
    """It may return what it saved, or memory that it uses again."""

    class Tanh(Layer):
        def forward_pass(self, x, saved):
            saved.y = np.tanh(x)
            return saved.y

        def backward_pass(self, dy, saved):
            return dy * (1 - saved.y**2)

    class Thrifty(Layer):
        def forward_pass(self, x, saved):
            if not hasattr(saved, "memory"):
                saved.memory = np.empty_like(x)
            return np.multiply(x, 2, out=saved.memory)[:, ::-1]

    layer, twin = Tanh(), Tanh()
    layer.forward(X)[...] = 7.0
    twin.forward(X)
    assert_same_bits("dx", layer.backward(np.ones_like(X)), twin.backward(np.ones_like(X)))
    thrifty = Thrifty()
    first = thrifty(X)
    wanted = first.copy()
    thrifty(X + 1)
    assert_same_bits("y", first, wanted)
