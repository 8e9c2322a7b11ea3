"""Activation, Dense with an activation, LayerNorm: the reference, gradients, PyTorch, files."""

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits, every_dtype, sized
from layer_cases import rng

import rnnlite
from rnnlite import Activation, Dense, LayerNorm, Sequential, gradcheck, reference
from rnnlite.layers.activation import FUNCTIONS

NAMES = tuple(FUNCTIONS)
every_function = pytest.mark.parametrize("name", NAMES)
every_shape = pytest.mark.parametrize("shape", [(3, 4), (1, 1), (2, 5, 7), (70, 33)])


def numbers(shape, dtype, seed=0):
    return rng(seed).normal(0.0, 3.0, shape).astype(dtype)


def tolerance(dtype):
    return 1e-13 if dtype == np.float64 else 1e-5


@every_function
@every_shape
@every_dtype
def test_an_activation_equals_the_reference(name, shape, dtype):
    x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
    layer = Activation(name, dtype=dtype)
    y = layer.forward(x)
    kept = y.copy()
    y[...] = x[...] = np.nan  # what a caller does to his arrays changes no gradient
    dx, x = layer.backward(dy), numbers(shape, dtype)
    assert dx.dtype == kept.dtype == dtype
    assert_close("y", kept, reference.activation_forward(x.astype(float), name), tolerance(dtype))
    wanted = reference.activation_backward(dy.astype(float), x.astype(float), name)
    assert_close("dx", dx, wanted, tolerance(dtype))
    assert_same_bits("inference", layer(x), kept)


@every_function
@every_dtype
def test_an_activation_overflows_nowhere(name, dtype):
    x = np.array([[-np.inf, -1e30, -800.0, -90.0, 0.0, 90.0, 800.0, 1e30]], dtype)[:, 1:]
    layer = Activation(name, dtype=dtype)
    y = layer.forward(x)
    limits = [max(value, 0) if name != "tanh" else np.sign(value) for value in x[0, [0, 1, 5, 6]]]
    if name == "sigmoid":
        limits = np.sign(limits)
    assert np.allclose(y[0, [0, 1, 5, 6]], limits, atol=1e-30)
    assert np.isfinite(y).all() and np.isfinite(layer.backward(np.ones_like(x))).all()
    assert np.isnan(layer(np.full((1, 1), np.nan, dtype))).all()


@every_function
def test_gradients_are_right_alone_and_in_dense_with_and_without_padding(name):
    x = rng(7).normal(size=(3, 4, 5))
    for layer in (Activation(name), Dense(5, 3, activation=name, seed=0)):
        for lengths in (None, [4, 1, 2]):
            report = gradcheck.check(layer, x, lengths=lengths)
            assert report.passed, str(report)


@every_function
def test_a_wrong_slope_is_noticed(name, monkeypatch):
    right, slope = FUNCTIONS[name]

    def wrong(x, y, inner, out):
        slope(x, y, inner, out)
        out *= 1.001

    monkeypatch.setitem(FUNCTIONS, name, (right, wrong))
    x = rng(7).normal(size=(3, 5))
    assert not gradcheck.check(Activation(name), x).passed
    assert not gradcheck.check(Dense(5, 3, activation=name, seed=0), x).passed


@every_function
def test_dense_with_an_activation_is_dense_and_then_the_activation(name):
    x, lengths = numbers((3, 4, 5), np.float32), [4, 1, 2]
    one = Dense(5, 3, activation=name, seed=0)
    two = Sequential([Dense(5, 3, seed=0), Activation(name)])
    for training in (False, True):
        y = one.forward(x, lengths=lengths, training=training)
        assert_same_bits("y", y, two.forward(x, lengths=lengths, training=training))
        assert np.all(y[1, 1:] == 0.0)  # also where the function of 0 is not
        dy = np.cos(y)
        dy[1, 1:] = np.nan
        assert_same_bits("dx", one.backward(dy), two.backward(dy))
        for key, gradient in one.grads.items():
            assert_same_bits(key, gradient, two.grads[f"0.{key}"])


@every_shape
@every_dtype
def test_layer_norm_equals_the_reference(shape, dtype):
    layer = LayerNorm(shape[-1], eps=0.01, dtype=dtype)
    for name, array in layer.params.items():
        array[...] = numbers(array.shape, dtype, len(name))
    x, dy = numbers(shape, dtype), numbers(shape, dtype, 1)
    y, dx = layer.forward(x), layer.backward(dy)
    gain, b = (layer.params[name].astype(float) for name in ("gain", "b"))
    wanted = reference.layer_norm_backward(dy.astype(float), x.astype(float), gain, 0.01)
    for name, array, expected in [
        ("y", y, reference.layer_norm_forward(x.astype(float), gain, b, 0.01)),
        ("dx", dx, wanted.dx),
        ("dgain", layer.grads["gain"], wanted.dgain),
        ("db", layer.grads["b"], wanted.db),
    ]:
        assert array.dtype == dtype
        assert_close(name, array, expected, 1e-11 if dtype == np.float64 else 2e-4)


def test_layer_norm_keeps_its_digits_far_from_zero():
    x = 1e4 + rng().normal(size=(50, 64))
    ours = LayerNorm(64)(x.astype("float32"))
    wanted = LayerNorm(64, dtype="float64")(x.astype("float32"))
    np.testing.assert_allclose(ours, wanted, atol=1e-3)


@pytest.mark.parametrize("lengths", [None, [4, 1, 2]])
def test_gradients_of_layer_norm_are_right(lengths):
    report = gradcheck.check(LayerNorm(5), rng(7).normal(size=(3, 4, 5)), lengths=lengths)
    assert report.passed, str(report)


def test_layer_norm_has_the_same_bits_at_any_number_of_threads(work_for_many):
    shape = (sized(301, 101), 20, 61)
    x, dy = numbers(shape, np.float32), numbers(shape, np.float32, 1)
    results = []
    for threads in (1, 2, 3):
        rnnlite.set_num_threads(threads)
        layer = LayerNorm(61)
        y = layer.forward(x).copy()
        results.append([y, layer.backward(dy).copy(), layer.flat_grads.copy()])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_same_bits("result", a, b)


def test_they_come_back_from_a_file(tmp_path):
    parts = [LayerNorm(4, eps=0.5), Dense(4, 3, activation="gelu", seed=0), Activation("tanh")]
    model = Sequential(parts)
    rnnlite.save(model, tmp_path / "model.npz")
    other = rnnlite.load(tmp_path / "model.npz")
    assert repr(other) == repr(model)
    assert "Dense(4, 3, activation='gelu')" in repr(model)
    x = numbers((3, 4), np.float32)
    assert_same_bits("y", other(x), model(x))


def test_what_they_cannot_be_made_with_is_refused_by_name():
    wanted = "it can be 'tanh', 'relu', 'sigmoid', 'gelu', 'silu' or 'softplus'"
    assert_refused(ValueError, ["Activation: function is 'elu'", wanted], Activation, "elu")
    assert_refused(ValueError, ["Dense: activation is 3", wanted], Dense, 2, 2, activation=3)
    for eps in (0.0, -1.0, 2.0, np.nan):
        assert_refused(ValueError, ["LayerNorm: eps is"], LayerNorm, 3, eps)
    fragments = ["LayerNorm.forward: x has shape (2, 4); wanted (batch, ..., 3)"]
    assert_refused(ValueError, fragments, LayerNorm(3).forward, np.ones((2, 4)))
    fragments = ["layers[1], Dense(4, 2), takes 4 features; layers[0], LayerNorm(3), gives 3"]
    assert_refused(ValueError, fragments, Sequential, [LayerNorm(3), Dense(4, 2)])


@every_function
def test_an_activation_is_pytorch_s(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x, dy = rng().normal(0, 3, (7, 5)), rng(1).normal(size=(7, 5))
    layer = Activation(name, dtype="float64")
    theirs = torch.from_numpy(x).requires_grad_()
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    y = function(theirs)
    y.backward(torch.from_numpy(dy))
    assert_close("y", layer.forward(x), y.detach().numpy(), 1e-10)
    assert_close("dx", layer.backward(dy), theirs.grad.numpy(), 1e-10)


def test_layer_norm_is_pytorch_s():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x, dy = rng().normal(size=(7, 4, 5)), rng(1).normal(size=(7, 4, 5))
    layer = LayerNorm(5, dtype="float64")
    theirs = torch.nn.LayerNorm(5).double()
    for name, parameter in (("gain", theirs.weight), ("b", theirs.bias)):
        layer.params[name] = rng(len(name)).normal(size=5)
        parameter.data.copy_(torch.from_numpy(layer.params[name]))
    their_x = torch.from_numpy(x).requires_grad_()
    y = theirs(their_x)
    y.backward(torch.from_numpy(dy))
    assert_close("y", layer.forward(x), y.detach().numpy(), 1e-10)
    assert_close("dx", layer.backward(dy), their_x.grad.numpy(), 1e-10)
    assert_close("dgain", layer.grads["gain"], theirs.weight.grad.numpy(), 1e-10)
    assert_close("db", layer.grads["b"], theirs.bias.grad.numpy(), 1e-10)
