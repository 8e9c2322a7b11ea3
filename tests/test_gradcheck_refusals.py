"""What the gradient check does not take, and how it says so."""

import re

import numpy as np
import pytest
from gradchecked import B, H, HandWritten, I, T, X, normal, snapshot

from rnnlite import LSTM, Dense, Sequential, gradcheck
from rnnlite.layers import Layer

# ---- what it refuses to check --------------------------------------------------------------


@pytest.mark.parametrize("member", ["forward", "backward", "params", "grads"])
def test_an_object_without_one_of_the_four_members_is_named_in_the_error(member):
    members = {name: getattr(HandWritten(I, H), name) for name in dir(HandWritten(I, H))}
    members = {name: members[name] for name in ("forward", "backward", "params", "grads")}
    del members[member]
    Incomplete = type("Incomplete", (), members)
    with pytest.raises(TypeError, match=rf"check: layer is of type Incomplete, without '{member}'"):
        gradcheck.check(Incomplete(), X)


def test_float32_parameters_of_an_own_object_are_refused_by_name():
    own = HandWritten(I, H)
    own.params["V"] = own.params["V"].astype(np.float32)
    with pytest.raises(TypeError, match=r"check: params\['V'\] is float32; .* float64"):
        gradcheck.check(own, X)


def test_parameters_that_are_no_arrays_are_refused_by_name():
    own = HandWritten(I, H)
    own.params["a"] = [0.0] * H
    with pytest.raises(TypeError, match=r"check: params\['a'\] is list; .* float64"):
        gradcheck.check(own, X)


def test_a_parameter_without_a_gradient_is_named_in_the_error():
    own = HandWritten(I, H)
    own.params["extra"] = np.zeros(2)
    with pytest.raises((TypeError, ValueError), match=r"check: .*grad.*extra|check: .*extra.*grad"):
        gradcheck.check(own, X)


@pytest.mark.parametrize(
    ("name", "change", "shape"),
    [
        ("U", lambda g: g.T, (H, I)),
        ("V", lambda g: g.reshape(-1), (H * H,)),
        ("a", lambda g: g[None], (1, H)),
        ("a", lambda g: g.sum(), ()),
    ],
    ids=["transposed", "flat", "an axis more", "a number"],
)
def test_a_gradient_of_a_wrong_shape_is_refused_with_both_shapes(name, change, shape):
    class Wrong(HandWritten):
        def backward(self, dy):
            fresh = HandWritten(I, H)
            fresh.params = self.params
            fresh.forward(self.x)
            dx = fresh.backward(dy)
            self.grads = fresh.grads | {name: change(fresh.grads[name])}
            return dx

    own = Wrong(I, H)
    wanted = own.params[name].shape
    pattern = re.escape(f"check: the gradient of {name} has shape {shape}; wanted {wanted}")
    with pytest.raises(ValueError, match=pattern):
        gradcheck.check(own, X)


def test_an_input_gradient_of_a_wrong_shape_is_refused_with_both_shapes():
    class Wrong(HandWritten):
        def backward(self, dy):
            return super().backward(dy)[:, :-1]

    pattern = re.escape(f"check: the gradient of x has shape {(B, T - 1, I)}; wanted {(B, T, I)}")
    with pytest.raises(ValueError, match=pattern):
        gradcheck.check(Wrong(I, H), X)


def test_lengths_for_an_object_that_takes_none_are_refused():
    with pytest.raises(TypeError, match=r"check: lengths were given, but .*forward takes none"):
        gradcheck.check(HandWritten(I, H), X, lengths=[4, 2])


@pytest.mark.parametrize(
    "layer",
    [HandWritten(I, H), Dense(I, 2, seed=0), Sequential([LSTM(I, H, seed=0)])],
    ids=["own", "dense", "model"],
)
def test_an_initial_state_for_an_object_that_takes_none_is_refused(layer):
    name = type(layer).__name__
    with pytest.raises(TypeError, match=f"layer is of type {name}, which takes no initial_state"):
        gradcheck.check(layer, X, initial_state=np.zeros((B, H)))


@pytest.mark.parametrize(
    "state",
    [np.zeros((B, H)), (np.zeros((B, H)),), (np.zeros((B, H)),) * 3, (np.zeros((B, H + 1)),) * 2],
    ids=["h alone", "one of two", "three of two", "wrong shape"],
)
def test_an_initial_state_that_does_not_fit_an_lstm_is_a_clear_error(state):
    with pytest.raises((TypeError, ValueError), match="initial_state"):
        gradcheck.check(LSTM(I, H, seed=0), X, initial_state=state)


@pytest.mark.parametrize(
    ("options", "error", "pattern"),
    [
        ({"samples": 0}, ValueError, "check: samples is 0"),
        ({"samples": 1.5}, TypeError, r"check: samples is 1\.5"),
        ({"tolerance": 0.0}, ValueError, r"check: tolerance is 0\.0"),
        ({"tolerance": np.nan}, ValueError, "check: tolerance is nan"),
        ({"tolerance": "small"}, TypeError, "check: tolerance is 'small'"),
        ({"lengths": [4]}, ValueError, r"lengths has shape \(1,\)"),
        ({"lengths": [4, 5]}, ValueError, r"lengths .* 0\.\.4"),
        ({"labels": [0, 9]}, ValueError, "labels"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_bad_argument_is_refused_by_name(options, error, pattern):
    with pytest.raises(error, match=pattern):
        gradcheck.check(LSTM(I, H, seed=0), X, **options)


def test_an_input_of_a_wrong_shape_is_the_layers_own_error():
    with pytest.raises(ValueError, match="LSTM: x has 3 features"):
        gradcheck.check(LSTM(I, H, seed=0), normal(B, T, 3))


def test_layers_of_ones_own_derived_from_layer_are_checked_as_copies():
    class Scale(Layer):
        """y = x s, written by somebody who derives from Layer."""

        def __init__(self, features, dtype="float32"):
            super().__init__({"s": (features,)}, dtype)
            self.features = features
            self.params["s"] = np.arange(1, features + 1)

        def forward_pass(self, x, saved):
            saved.x = x
            return x * self.params["s"]

        def backward_pass(self, dy, saved):
            self.grads["s"] = (saved.x * dy).reshape(-1, dy.shape[-1]).sum(axis=0)
            return dy * self.params["s"]

    layer = Scale(I)
    before = snapshot(layer)
    assert gradcheck.check(layer, X).passed
    assert snapshot(layer) == before
    model = Sequential([LSTM(I, H, seed=0), Scale(H)])
    assert gradcheck.check(model, X, labels=[0, 2]).passed
