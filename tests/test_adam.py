"""Adam: the algorithm, on layers, on models, and on anything with params and grads."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import (
    assert_all_same_bits,
    assert_close,
    assert_refused,
    every_dtype,
)
from layer_cases import rng

import rnnlite
from rnnlite import SGD, Adam, Dense, Sequential, reference


def plain(dtype=np.float64, shapes=((3, 4), (5,), (1,), (2, 3, 2)), seed=0):
    """A person's own model: nothing but two dicts."""
    generator = rng(seed)
    names = [f"p{k}" for k in range(len(shapes))]
    return SimpleNamespace(
        params={
            n: generator.normal(size=s).astype(dtype) for n, s in zip(names, shapes, strict=True)
        },
        grads={
            n: generator.normal(size=s).astype(dtype) for n, s in zip(names, shapes, strict=True)
        },
    )


def models(dtype):
    yield "plain", plain(dtype)
    yield "lstm", rnnlite.LSTM(3, 4, seed=0, dtype=dtype)
    yield "dense", Dense(3, 4, seed=0, dtype=dtype)
    yield (
        "sequential",
        Sequential([rnnlite.GRU(3, 4, seed=0, dtype=dtype), Dense(4, 2, seed=1, dtype=dtype)]),
    )


every_kind = pytest.mark.parametrize("kind", ["plain", "lstm", "dense", "sequential"])


def model_of(kind, dtype=np.float64):
    return dict(models(dtype))[kind]


def fill_gradients(model, seed, size=1.0):
    generator = rng(seed)
    for array in model.grads.values():
        array[...] = size * generator.normal(size=array.shape)


def reference_steps(model, steps, seed=100, **settings):
    """Parameters after some steps of the reference, in float64, from the same gradients."""
    settings = {"lr": 1e-3} | settings
    twin = SimpleNamespace(
        params={n: p.astype(np.float64) for n, p in model.params.items()},
        grads={n: np.zeros_like(g) for n, g in model.grads.items()},
    )
    m = {name: np.zeros_like(p) for name, p in twin.params.items()}
    v = {name: np.zeros_like(p) for name, p in twin.params.items()}
    for t in range(1, steps + 1):
        fill_gradients(twin, seed + t)
        for name, p in twin.params.items():
            g = twin.grads[name].astype(np.float64)
            reference.adam_step(p, g, m[name], v[name], t, **settings)
    return twin.params


def steps_of(optimizer, model, steps, seed=100):
    for t in range(1, steps + 1):
        fill_gradients(model, seed + t)
        optimizer.step()


# --- the algorithm --------------------------------------------------------------------------

SETTINGS = [
    {},
    {"lr": 0.5},
    {"lr": 1e-2, "beta1": 0.0},
    {"lr": 1e-2, "beta2": 0.0},
    {"lr": 1e-2, "beta1": 0.5, "beta2": 0.9},
    {"lr": 1e-2, "eps": 0.1},
]


@every_kind
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_float64_steps_equal_the_reference(kind, settings):
    model = model_of(kind)
    expected = reference_steps(model, 20, **settings)
    steps_of(Adam(model, **settings), model, 20)
    for name, array in model.params.items():
        assert_close(name, array, expected[name], 1e-13)


@every_kind
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_float32_steps_equal_the_reference(kind, settings):
    model = model_of(kind, np.float32)
    expected = reference_steps(model, 20, **settings)
    steps_of(Adam(model, **settings), model, 20)
    for name, array in model.params.items():
        assert array.dtype == np.float32
        assert_close(name, array, expected[name], 2e-6)


@every_dtype
@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_a_step_is_exact_to_a_few_units_in_the_last_place(dtype, steps):
    """From zero, where the parameters hide no error of the step."""
    model = SimpleNamespace(params={"p": np.zeros(50, dtype)}, grads={"p": np.zeros(50, dtype)})
    generator, total = rng(), np.zeros(50)
    m, v = np.zeros(50), np.zeros(50)
    optimizer = Adam(model, lr=0.25)
    for t in range(1, steps + 1):
        model.grads["p"][...] = 1.0 + generator.random(50)  # of one sign: nothing cancels
        optimizer.step()
        reference.adam_step(total, model.grads["p"].astype(np.float64), m, v, t, lr=0.25)
    relative = np.abs(model.params["p"] / total - 1)
    assert relative.max() < 8 * np.finfo(dtype).eps


@every_dtype
@pytest.mark.parametrize("size", [1e-12, 1e-3, 1.0, 1e12])
@pytest.mark.parametrize("lr", [1e-3, 0.1])
def test_the_first_step_is_lr_whatever_the_size_of_the_gradient(dtype, size, lr):
    model = plain(dtype)
    for name, array in model.params.items():
        array[...] = 0.0
        model.grads[name][...] = size * np.sign(model.grads[name])
    Adam(model, lr=lr, eps=0.0).step()
    for name, array in model.params.items():
        assert_close(name, array / lr, -np.sign(model.grads[name]), 1e-5)


def test_epsilon_stands_outside_the_bias_corrected_root():
    model = SimpleNamespace(params={"p": np.zeros(1)}, grads={"p": np.array([2.0])})
    Adam(model, lr=1.0, eps=0.5).step()
    assert model.params["p"][0] == pytest.approx(-2.0 / (2.0 + 0.5), rel=1e-14)


def test_a_zero_gradient_moves_nothing_at_first_and_momentum_later():
    model = plain()
    optimizer, before = Adam(model), {name: p.copy() for name, p in model.params.items()}
    fill_gradients(model, 1, size=0.0)
    optimizer.step()
    assert_all_same_bits(model.params, before)
    fill_gradients(model, 1)
    optimizer.step()
    between = {name: p.copy() for name, p in model.params.items()}
    fill_gradients(model, 1, size=0.0)
    optimizer.step()
    for name, p in model.params.items():
        assert np.all(p != between[name])


def test_lr_may_change_between_steps():
    model = plain(shapes=((4,),))
    optimizer = Adam(model, lr=0.1)
    p, m, v = model.params["p0"].copy(), np.zeros(4), np.zeros(4)
    for t, lr in enumerate((0.1, 0.1, 0.02, 0.0, 1), start=1):
        optimizer.lr = lr
        fill_gradients(model, t)
        reference.adam_step(p, model.grads["p0"], m, v, t, lr=lr)
        optimizer.step()
        assert optimizer.t == t
        assert_close(f"p at t = {t}", model.params["p0"], p, 1e-13)


@every_kind
def test_lr_zero_changes_nothing(kind):
    model = model_of(kind)
    before = {name: p.copy() for name, p in model.params.items()}
    steps_of(Adam(model, lr=0.0), model, 3)
    assert_all_same_bits(model.params, before)


# --- where the parameters are ---------------------------------------------------------------


@every_kind
@every_dtype
def test_parameters_change_in_place_and_gradients_not_at_all(kind, dtype):
    model = model_of(kind, dtype)
    fill_gradients(model, 1)
    params, grads = dict(model.params), {name: g.copy() for name, g in model.grads.items()}
    before = {name: p.copy() for name, p in params.items()}
    Adam(model).step()
    for name, array in model.params.items():
        assert np.shares_memory(array, params[name])
        assert np.all(array != before[name])
    assert_all_same_bits(model.grads, grads)


def test_a_layer_that_joins_a_model_later_is_still_trained():
    dense, twin = Dense(3, 4, seed=0), Dense(3, 4, seed=0)
    optimizer, alone = Adam(dense), Adam(twin)
    steps_of(optimizer, dense, 2)
    steps_of(alone, twin, 2)
    Sequential([rnnlite.RNN(2, 3), dense])
    steps_of(optimizer, dense, 2)
    steps_of(alone, twin, 2)
    assert_all_same_bits(dense.params, twin.params)


def test_own_models_may_replace_their_gradients():
    """Backward passes written by hand return new arrays, of any layout or real dtype."""
    first, second = plain(), plain()
    one, two = Adam(first), Adam(second)
    for t in range(3):
        fill_gradients(first, t)
        for name, g in first.grads.items():
            second.grads[name] = np.asfortranarray(g) if t else g.tolist()
        one.step()
        two.step()
    assert_all_same_bits(second.params, first.params)


def test_two_optimizers_do_not_share_their_moments():
    first, second, third = plain(), plain(), plain()
    one, two = Adam(first), Adam(second)
    for t in range(3):
        fill_gradients(first, t)
        fill_gradients(second, t + 50)
        one.step()
        two.step()
    optimizer = Adam(third)
    for t in range(3):
        fill_gradients(third, t)
        optimizer.step()
    assert_all_same_bits(first.params, third.params)


def test_a_model_learns():
    """Does the sum of a sequence lie above zero?  All parts together, on a small task."""
    model = Sequential([rnnlite.LSTM(1, 8, seed=0), Dense(8, 2, seed=1)])
    optimizer = Adam(model, lr=0.02)
    x = rng().normal(size=(64, 5, 1)).astype(np.float32)
    labels = (x.sum(axis=(1, 2)) > 0).astype(int)
    losses = []
    for _ in range(60):
        loss, dlogits = rnnlite.softmax_cross_entropy(model.forward(x, training=True), labels)
        model.backward(dlogits, need_dx=False)
        optimizer.step()
        losses.append(loss)
    assert losses[0] > 0.5
    assert losses[-1] < 0.15


# --- bad input ------------------------------------------------------------------------------

LIMITS = {"lr": (-1e-9, 0.0), "beta1": (1.0, 0.999), "beta2": (1.0, 0.0), "eps": (-1e-9, 0.0)}


@pytest.mark.parametrize("name", LIMITS)
def test_bad_settings_are_refused_by_name(name):
    outside, inside = LIMITS[name]
    for value in (outside, -1, np.nan, np.inf):
        fragments = [f"Adam: {name} is {value!r}", "["]
        assert_refused(ValueError, fragments, Adam, plain(), **{name: value})
    for value in ("0.1", None, True, 1j, [0.1]):
        assert_refused(TypeError, [f"Adam: {name} is {value!r}"], Adam, plain(), **{name: value})
    Adam(plain(), **{name: inside})
    Adam(plain(), **{name: np.float32(0.5)})


@pytest.mark.parametrize(
    ("lr", "error"),
    [(-0.1, ValueError), (np.nan, ValueError), ("0.1", TypeError), (None, TypeError)],
)
def test_a_bad_lr_set_later_is_refused_and_changes_nothing(lr, error):
    optimizer = Adam(plain())
    assert_refused(error, ["Adam: lr is", repr(lr)], setattr, optimizer, "lr", lr)
    assert optimizer.lr == 1e-3 and optimizer.t == 0


def namespace(params, grads):
    return SimpleNamespace(params=params, grads=grads)


NOT_MODELS = {
    "None": (None, TypeError, ["model is of type NoneType"]),
    "a list": ([1.0], TypeError, ["model is of type list"]),
    "no grads": (SimpleNamespace(params={"p": np.zeros(2)}), TypeError, ["params", "grads"]),
    "empty": (namespace({}, {}), TypeError, ["params"]),
    "other keys": (
        namespace({"p": np.zeros(2)}, {"q": np.zeros(2)}), ValueError, ["'p'", "'q'", "equal keys"],
    ),
    "other shapes": (
        namespace({"p": np.zeros(2)}, {"p": np.zeros(3)}), ValueError, ["'p'", "(3,)", "(2,)"],
    ),
    "whole numbers": (
        namespace({"p": np.zeros(2, int)}, {"p": np.zeros(2)}), TypeError, ["params['p']", "float"],
    ),
    "float16": (
        namespace({"p": np.zeros(2, np.float16)}, {"p": np.zeros(2)}), TypeError, ["params['p']"],
    ),
    "a list of numbers": (
        namespace({"p": [0.0, 0.0]}, {"p": np.zeros(2)}), TypeError, ["params['p']"],
    ),
    "not contiguous": (
        namespace({"p": np.zeros(4)[::2]}, {"p": np.zeros(2)}), ValueError, ["params['p']"],
    ),
    "read-only": (
        namespace({"p": np.broadcast_to(0.0, (1,))}, {"p": np.zeros(1)}), ValueError,
        ["params['p']", "writeable"],
    ),
    "complex gradient": (
        namespace({"p": np.zeros(2)}, {"p": np.zeros(2, complex)}), TypeError, ["grads['p']"],
    ),
    "text gradient": (
        namespace({"p": np.zeros(2)}, {"p": np.array(["1", "2"])}), TypeError, ["grads['p']"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "error", "fragments"), NOT_MODELS.values(), ids=NOT_MODELS.keys()
)
def test_models_without_usable_parameters_are_refused(model, error, fragments):
    for kind in (Adam, SGD):
        assert_refused(error, [f"{kind.__name__}: ", *fragments], kind, model, 0.1)


def test_parameters_added_or_lost_later_are_refused_by_name():
    model = plain(shapes=((4,), (2,)))
    optimizer = Adam(model)
    model.params["new"], model.grads["new"] = np.zeros(3), np.zeros(3)
    assert_refused((ValueError, TypeError), ["Adam", "new"], optimizer.step)
    del model.params["new"], model.grads["new"], model.params["p1"], model.grads["p1"]
    assert_refused((ValueError, TypeError), ["Adam", "p1"], optimizer.step)
