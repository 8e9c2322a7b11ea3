"""A forward that raises leaves nothing behind, and uses what it checked."""

import warnings

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from layer_cases import B, H, I, T, rng
from layer_kinds import every_kind

import rnnlite
from rnnlite import LSTM, Bidirectional, Dense, Embedding, Sequential
from rnnlite.engine import door
from rnnlite.layers import Layer

X = rng().normal(size=(B, T, I)).astype("f")


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


@pytest.mark.parametrize("cls", [LSTM, Dense])
def test_what_a_class_derived_from_ours_returns_is_checked(cls):
    def forward_pass(self, x, saved, **states):
        return cls.forward_pass(self, x, saved, **states)[:1]

    layer, again = own(cls, forward_pass=forward_pass)(I, H), own(cls)(I, H)
    assert_refused(TypeError, ["Mine.forward_pass: returned float32 of shape (1, "], layer, X)
    assert len(again(X)) == len(X)  # it returns what ours does


def test_a_result_that_x_is_a_view_of_is_copied():
    layer = own(Layer, forward_pass=lambda self, x, saved: whole)()
    whole = np.ones((B, T, I), "f")
    y = layer(whole[:, 1:])
    assert_same_bits("y", y, whole)
    assert not np.shares_memory(y, whole)


def test_a_layer_may_run_twice_in_one_pass():
    class Twice(Layer):
        def __init__(self, inner):
            super().__init__(layers={"inner": inner})
            self.inner = inner

        def forward_pass(self, x, saved):
            return saved.run(self.inner, saved.run(self.inner, x)[:, 1:].copy())

    inner = LSTM(I, I, seed=0, return_sequences=True)
    twin = inner.copy()
    model = Twice(inner)
    for _ in range(2):
        assert_same_bits("y", model(X), twin(twin(X)[:, 1:].copy()))


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
