"""Dropout: what it computes, how often, how much, and when."""

import numpy as np
import pytest
from conftest import assert_same_bits, every_dtype, sized
from dropped import B, F, T, masks, stack
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import rng

from rnnlite import Adam, Sequential, gradcheck, softmax_cross_entropy
from rnnlite.layers.dropout import Dropout


class Frozen:
    """A layer in training with one mask: its generator is set back before every forward."""

    def __init__(self, layer):
        self.layer, self.params, self.grads = layer, layer.params, layer.grads
        self.state = layer.state_dict()

    def forward(self, x):
        self.layer.load_state_dict(self.state)
        return self.layer.forward(x, training=True)

    def backward(self, dy):
        return self.layer.backward(dy)


# --- what it is -----------------------------------------------------------------------------


@every_dtype
def test_it_has_no_parameters(dtype):
    layer = Dropout(0.5, dtype=dtype)
    assert layer.params == layer.grads == {}
    assert layer.num_params() == layer.flat_params.size == layer.flat_grads.size == 0
    assert layer.flat_params.dtype == layer.dtype == dtype
    assert Dropout(0.5).dtype == np.float32


def test_repr_says_what_it_is():
    assert repr(Dropout(0.25)) == "Dropout(0.25)"
    assert repr(Dropout(np.float64(0.5), per_sequence=True)) == "Dropout(0.5, per_sequence=True)"


# --- what it computes -----------------------------------------------------------------------


@pytest.mark.quick(every=3)
@every_dtype
@pytest.mark.parametrize("per_sequence", [False, True])
@settings(max_examples=sized(60, 20))
@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    rate=st.floats(0.0, 0.99),
    seed=st.integers(0, 1000),
)
def test_forward_and_backward_multiply_by_one_mask(dtype, per_sequence, shape, rate, seed):
    layer = Dropout(rate, seed=seed, per_sequence=per_sequence, dtype=dtype)
    x = rng(seed).normal(size=shape).astype(dtype)
    dy = rng(seed + 1).normal(size=shape).astype(dtype)
    scale = dtype(1 / (1 - rate))
    for _ in range(2):
        y, dx = layer.forward(x, training=True), layer.backward(dy)
        assert y.shape == dx.shape == x.shape and y.dtype == dx.dtype == dtype
        kept = y != 0
        assert_same_bits("y", y, np.where(kept, x * scale, dtype(0)))
        assert_same_bits("dx", dx, np.where(kept, dy * scale, dtype(0)))
        if per_sequence and len(shape) > 2:
            assert (kept == kept[:, :1]).all()


@pytest.mark.parametrize("rate", [0.0, 0.5])
@pytest.mark.parametrize("per_sequence", [False, True])
def test_outside_training_it_is_the_identity(rate, per_sequence):
    layer = Dropout(rate, seed=0, per_sequence=per_sequence)
    x, dy = rng(0).normal(size=(B, T, F)), rng(1).normal(size=(B, T, F))
    before = layer.state_dict()
    for training in (False, True) if rate == 0 else (False,):
        assert_same_bits("y", layer.forward(x, training=training), x.astype(np.float32))
        assert_same_bits("dx", layer.backward(dy), dy.astype(np.float32))
    assert layer.state_dict() == before


def test_backward_belongs_to_the_last_forward():
    layer, x = Dropout(0.5, seed=0), np.ones((B, F))
    layer.forward(x, training=True)
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(x), x)
    layer.forward(x)
    y = layer.forward(x, training=True)
    np.testing.assert_array_equal(layer.backward(x), y)


@every_dtype
def test_a_nan_is_not_hidden(dtype):
    layer = Dropout(0.5, seed=0, dtype=dtype)
    assert np.isnan(layer.forward(np.full((B, F), np.nan), training=True)).all()


@pytest.mark.parametrize("per_sequence", [False, True])
@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3), (2, 3, 2, 2)])
def test_the_gradient_check_passes(per_sequence, shape):
    layer = Dropout(0.4, seed=0, per_sequence=per_sequence, dtype="float64")
    report = gradcheck.check(Frozen(layer), rng().normal(size=shape))
    assert report.passed, f"\n{report}"
    assert [array.name for array in report.arrays] == ["x"]
    assert gradcheck.check(layer, rng().normal(size=shape)).passed  # as an identity


def test_the_gradient_check_of_a_model_in_training_passes():
    model = stack("float64", rate=0.3)

    class FrozenModel(Frozen):
        def __init__(self):
            self.layer, self.params, self.grads = model, model.params, model.grads
            self.dropouts = [layer for layer in model.layers if isinstance(layer, Dropout)]
            self.states = [layer.state_dict() for layer in self.dropouts]

        def forward(self, x, lengths=None):
            for layer, state in zip(self.dropouts, self.states, strict=True):
                layer.load_state_dict(state)
            return self.layer.forward(x, lengths=lengths, training=True)

    report = gradcheck.check(FrozenModel(), rng().normal(size=(2, T, F)), lengths=[4, 2])
    assert report.passed, f"\n{report}"
    assert [array.name for array in report.arrays] == [
        *("1.Wx", "1.b", "1.Wh", "3.Wx", "3.b", "3.bh", "3.Wh", "5.W", "5.b", "x")
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_fits_anywhere_in_a_model(dtype):
    model, x = stack(dtype), rng().normal(size=(B, T, F))
    optimizer = Adam(model)
    for _ in range(3):
        logits = model.forward(x, training=True)
        _, dlogits = softmax_cross_entropy(logits, [0, 1, 1])
        dx = model.backward(dlogits)
        optimizer.step()
    assert dx.shape == x.shape and np.isfinite(dx).all()
    without = Sequential([layer.copy() for layer in model.layers if layer.params])
    assert_same_bits("y", model.forward(x), without.forward(x))
    assert (
        model.num_params()
        == without.num_params()
        == model.layers[-2].num_params()
        + sum(model.layers[position].num_params() for position in (1, 3))
    )
    Sequential([Dropout(0.5, dtype=dtype)]).forward(x)  # a model without any parameter


# --- chance ---------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("rate", [0.001, 0.1, 0.25, 0.5, 0.9, 0.99])
def test_the_rate_is_kept(rate, dtype):
    (mask,) = masks(Dropout(rate, seed=11, dtype=dtype), (500, 400))
    deviation = np.sqrt(rate * (1 - rate) / mask.size)
    assert abs((mask == 0).mean() - rate) < 4 * deviation
    assert abs(mask.mean(dtype=np.float64) - 1) < 4 * deviation / (1 - rate)
    np.testing.assert_array_equal(np.unique(mask), [0, dtype(1 / (1 - rate))])


def test_a_rate_that_is_not_kept_would_be_seen():
    (mask,) = masks(Dropout(0.26, seed=11), (500, 400))
    assert abs((mask == 0).mean() - 0.25) > 4 * np.sqrt(0.25 * 0.75 / mask.size)


def test_every_place_and_every_step_has_a_chance_of_its_own():
    drawn = np.stack(masks(Dropout(0.5, seed=3), (40, 60), sized(400, 100))) - 1.0  # +-1
    n = len(drawn)
    assert np.abs(drawn.mean(axis=0)).max() < 5 / np.sqrt(n)
    for axis in range(3):  # neighbours in time, batch and features have nothing in common
        pairs = np.take(drawn, range(1, drawn.shape[axis]), axis)
        pairs = pairs * np.take(drawn, range(drawn.shape[axis] - 1), axis)
        assert abs(pairs.mean()) < 5 / np.sqrt(pairs.size)


def test_per_sequence_rows_and_features_have_masks_of_their_own():
    (mask,) = masks(Dropout(0.5, seed=3, per_sequence=True), (200, 7, 50))
    assert (mask == mask[:, :1]).all()
    one = mask[:, 0] - 1.0
    assert abs(one.mean()) < 5 / np.sqrt(one.size)
    assert abs((one[1:] * one[:-1]).mean()) < 5 / np.sqrt(one.size)
    assert abs((one[:, 1:] * one[:, :-1]).mean()) < 5 / np.sqrt(one.size)


def test_without_time_per_sequence_changes_nothing():
    plain, shared = Dropout(0.5, seed=3), Dropout(0.5, seed=3, per_sequence=True)
    assert_same_bits("mask", masks(shared, (9, 8))[0], masks(plain, (9, 8))[0])


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_extreme_rates_give_finite_numbers(rate):
    (mask,) = masks(Dropout(rate, seed=0), (30, 30))
    assert np.isfinite(mask).all() and mask.mean() == (1 if rate < 0.5 else 0)


# --- planted mistakes -----------------------------------------------------------------------


def unmasked(layer, dy):
    return dy


def unscaled(layer, dy):
    return dy * (layer._saved.mask != 0)


def another_mask(layer, dy):
    layer._draw_mask(layer._saved)
    return dy * layer._saved.mask


def scaled_twice(layer, dy):
    return dy * layer._saved.mask * layer._saved.mask


MISTAKES = (None, unmasked, unscaled, another_mask, scaled_twice)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: getattr(mistake, "__name__", ""))
@pytest.mark.parametrize("per_sequence", [False, True])
def test_planted_mistakes_are_caught(mistake, per_sequence):
    class Planted(Dropout):
        def backward(self, dy, need_dx=True):
            dx = super().backward(dy, need_dx)
            return dx if mistake is None else mistake(self, dy)

    layer = Planted(0.4, seed=0, per_sequence=per_sequence, dtype="float64")
    report = gradcheck.check(Frozen(layer), rng().normal(size=(2, T, F)))
    assert report.passed == (mistake is None), f"\n{report}"
