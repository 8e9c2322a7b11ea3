"""Clipping of gradients by their norm: that of PyTorch, in float64, whoever sums."""

import math

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits, every_dtype, needs_jit, sized
from optimizer_cases import Plain, every_model, plain_model

from rnnlite.kernels.sgd import sums_of_squares
from rnnlite.optim import clipping
from rnnlite.optim.clipping import clip_gradients


def with_gradients(make, scale=1.0):
    model = make()
    rng = np.random.default_rng(3)
    for g in model.grads.values():
        g[...] = scale * rng.normal(size=g.shape)
    return model


@every_model
@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e3])
def test_clipping_is_that_of_pytorch(make, max_norm):
    torch = pytest.importorskip("torch", reason="compares with PyTorch's clip_grad_norm_")
    model = with_gradients(make)
    tensors = {name: torch.zeros(g.shape, dtype=torch.float64) for name, g in model.grads.items()}
    for name, tensor in tensors.items():
        tensor.grad = torch.tensor(model.grads[name])
    theirs = torch.nn.utils.clip_grad_norm_(list(tensors.values()), max_norm).item()
    assert_close("norm", clip_gradients(model, max_norm), theirs, 1e-14)
    # PyTorch divides by norm + 1e-6.
    correction = (theirs + 1e-6) / theirs if theirs > max_norm else 1.0
    for name, tensor in tensors.items():
        assert_close(name, model.grads[name], tensor.grad.numpy() * correction, 1e-12)


@every_model
def test_clipping_keeps_the_direction_and_cuts_the_norm(make):
    model, original = with_gradients(make), with_gradients(make).grads
    norm = clip_gradients(model, 0.5)
    assert isinstance(norm, float)
    assert_close("norm", norm, math.sqrt(sum((g**2).sum() for g in original.values())), 1e-14)
    for name, g in model.grads.items():
        assert_close(name, g, original[name] * 0.5 / norm, 1e-14)
    assert_close("norm", clip_gradients(model, 0.5), 0.5, 1e-14)


@every_model
def test_a_short_gradient_keeps_its_bits(make):
    model, original = with_gradients(make), with_gradients(make).grads
    norm = clip_gradients(model, 1e6)
    assert clip_gradients(model, norm) == norm  # equal is not larger
    for name, g in model.grads.items():
        assert_same_bits(name, g, original[name])


@every_model
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_not_finite_is_returned_and_changes_nothing(make, bad):
    model, original = with_gradients(make), with_gradients(make)
    for m in (model, original):
        next(iter(m.grads.values())).flat[1] = bad
    norm = clip_gradients(model, 1.0)
    assert np.isnan(norm) if np.isnan(bad) else norm == np.inf
    for name, g in model.grads.items():
        assert_same_bits(name, g, original.grads[name])


def test_the_norm_is_summed_in_float64():
    model = Plain(W=(sized(100_000, 5_000),))
    model.grads["W"] = np.full(model.grads["W"].shape, 0.1, np.float32)
    expected = float(np.float32(0.1)) * math.sqrt(model.grads["W"].size)
    assert abs(clip_gradients(model, 1e6) / expected - 1) < 1e-13
    model.grads["W"][...] = 1e30  # its square is no float32
    assert abs(clip_gradients(model, 1.0) / math.sqrt(model.grads["W"].size) / 1e30 - 1) < 1e-7
    assert abs(clip_gradients(model, 2.0) - 1.0) < 1e-6


def test_any_size_and_any_memory_order_is_clipped():
    for n in (1, clipping.BLOCK - 1, clipping.BLOCK, clipping.BLOCK + 1, 2 * clipping.BLOCK + 7):
        model = Plain(W=(n,))
        model.grads["W"][...] = 2.0
        assert_close("norm", clip_gradients(model, 1.0), 2.0 * math.sqrt(n), 1e-14)
        assert_close("norm", np.linalg.norm(model.grads["W"]), 1.0, 1e-14)
    model = Plain(W=(3, 4))
    model.grads["W"] = np.arange(12.0).reshape(4, 3).T
    norm = clip_gradients(model, 1.0)
    assert_close("grads", model.grads["W"], np.arange(12.0).reshape(4, 3).T / norm, 1e-15)


@needs_jit
@every_dtype
def test_the_sums_of_squares_do_not_depend_on_who_sums(dtype):
    g = np.random.default_rng(0).normal(size=10 * 64 + 5).astype(dtype)
    whole, parts = np.zeros(11), np.zeros(11)
    sums_of_squares(0, 11, g, 64, whole)
    for k in range(11):
        sums_of_squares(k, k + 1, g, 64, parts)
    assert_same_bits("sums", parts, whole)


def test_wrong_arguments_of_clipping_are_explained():
    where = "clip_gradients: "
    for bad in (0.0, -1.0, math.inf, math.nan):
        assert_refused(
            ValueError, [where, "max_norm is", "(0.0, inf)"], clip_gradients, plain_model(), bad
        )
    assert_refused(TypeError, [where, "max_norm is '1'"], clip_gradients, plain_model(), "1")
    assert_refused(TypeError, [where, "model is of type int", "grads"], clip_gradients, 3, 1.0)
    model = plain_model()
    model.grads["W"] = np.zeros(3, int)
    assert_refused(TypeError, [where, "grads['W'] must be a float32"], clip_gradients, model, 1.0)
    model.grads["W"] = np.zeros(3)
    model.grads["W"].flags.writeable = False
    assert_refused(ValueError, [where, "grads['W'] must be writeable"], clip_gradients, model, 1.0)
