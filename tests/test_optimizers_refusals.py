"""What optimizers refuse: wrong settings, unusable models, wrong steps."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from optimizer_cases import Plain, flat_model, plain_model

from rnnlite.optim import SGD, Adam


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "fragments"),
    [
        (Adam, {"weight_decay": -0.1}, ValueError, ["Adam: weight_decay is -0.1", "[0.0,"]),
        (Adam, {"weight_decay": "1"}, TypeError, ["Adam: weight_decay is '1'", "a number"]),
        (Adam, {"amsgrad": 1}, TypeError, ["Adam: amsgrad is 1", "True or False"]),
        (Adam, {"decay_bias": None}, TypeError, ["Adam: decay_bias is None", "True or False"]),
        (Adam, {"beta1": 1.0}, ValueError, ["Adam: beta1 is 1.0", "[0.0, 1.0)"]),
        (Adam, {"lr": math.nan}, ValueError, ["Adam: lr is nan"]),
        (SGD, {"lr": -1}, ValueError, ["SGD: lr is -1", "[0.0, 1000000.0]"]),
        (SGD, {"lr": 1, "momentum": 1.0}, ValueError, ["SGD: momentum is 1.0", "[0.0, 1.0)"]),
        (SGD, {"lr": 1, "nesterov": True}, ValueError, ["SGD: nesterov is True", "momentum was 0"]),
        (SGD, {"lr": 1, "nesterov": 1, "momentum": 0.9}, TypeError, ["SGD: nesterov is 1"]),
        (SGD, {"lr": 1, "weight_decay": math.inf}, ValueError, ["SGD: weight_decay is inf"]),
    ],
)
def test_wrong_settings_are_explained(kind, arguments, error, fragments):
    assert_refused(error, fragments, kind, plain_model(), **arguments)


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_a_wrong_step_is_explained(kind):
    model = plain_model()
    optimizer = kind(model, 0.1)
    fragments = [f"{kind.__name__}: lr is -1.0"]
    assert_refused(ValueError, fragments, setattr, optimizer, "lr", -1.0)
    for shape in ((9,), (3,), (4, 1)):  # of another size, a step would write beyond the moments
        model.params["b"], model.grads["b"] = np.zeros(shape), np.zeros(shape)
        fragments = [
            f"{kind.__name__}.step: params['b'] was float64 (4,)",
            f"is float64 {shape} now",
        ]
        assert_refused(ValueError, fragments, optimizer.step)
    del model.params["b"], model.grads["b"]
    fragments = [f"{kind.__name__}.step: params['b'] was float64 (4,)", "is no array now"]
    assert_refused(ValueError, fragments, optimizer.step)
    assert optimizer.t == 0


# ---- any object with params and grads ------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [Adam, lambda m: Adam(m, amsgrad=True), lambda m: SGD(m, 0.1, 0.9)]
)
@pytest.mark.parametrize("sizes", [(4, 4), (3, 5)], ids=["same", "other"])
def test_moments_are_paired_with_parameters_by_name(kind, sizes):
    """By position, they were each other's, and at other sizes a step wrote beyond them."""
    models = [Plain(a=sizes[:1], b=sizes[1:]) for _ in range(2)]
    optimizers = [kind(model) for model in models]
    rng = np.random.default_rng(0)
    for step in range(4):
        for name in "ab":
            gradient = rng.normal(size=models[0].params[name].shape) + 10 * (name == "a")
            for model in models:
                model.grads[name] = gradient.copy()
        if step % 2:
            models[1].params = dict(reversed(models[1].params.items()))
            models[1].grads = dict(reversed(models[1].grads.items()))
        models[1].params["a"] = models[1].params["a"].copy()  # another array, the same numbers
        for optimizer in optimizers:
            optimizer.step()
    for name in "ab":
        assert np.array_equal(models[1].params[name], models[0].params[name])
    states = [optimizer.state_dict() for optimizer in optimizers]
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("kind", [Adam, SGD])
@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (
            lambda a: {"a": a["b"], "b": a["a"]},
            ["params['a'] was float64 (3,)", "float64 (5,) now"],
        ),
        (lambda a: {k: v.astype("f") for k, v in a.items()}, ["is float32 (3,) now"]),
        (lambda a: a | {"c": np.zeros(2)}, ["params['c'] was no array", "is float64 (2,) now"]),
        (lambda a: {"a": a["a"]}, ["params['b'] was float64 (5,)", "is no array now"]),
        (lambda a: a | {"b": a["b"].reshape(5, 1)}, ["params['b'] was", "float64 (5, 1) now"]),
        (lambda a: a | {"b": a["b"].tolist()}, ["params['b'] was", "list (5,) now"]),
        (lambda a: a | {"b": None}, ["params['b'] was", "NoneType () now"]),
        (lambda a: a | {"b": np.zeros(10)[::2]}, ["params['b'] must be C-contiguous"]),
        (lambda a: a | {"b": np.broadcast_to(0.0, 5)}, ["params['b'] must be C-contiguous"]),
    ],
)
def test_parameters_that_changed_between_two_steps_are_refused(kind, change, fragments):
    model = Plain(a=(3,), b=(5,))
    optimizer = kind(model, 0.1)
    optimizer.step()
    model.params, model.grads = change(model.params), change(model.grads)
    with pytest.raises((ValueError, TypeError)) as raised:
        optimizer.step()
    assert all(fragment in str(raised.value) for fragment in fragments), raised.value
    assert optimizer.t == 1


@pytest.mark.parametrize("make", [plain_model, flat_model])
def test_settings_of_an_optimizer_stay_within_their_limits(make):
    optimizer = Adam(make())
    for name, value in (
        ("t", -1), ("t", 0.5), ("beta1", 1.0), ("eps", "a"), ("decay_bias", 1), ("lr", None),
        ("weight_decay", -1.0), ("beta2", math.nan),
    ):  # fmt: skip
        before = getattr(optimizer, name)
        with pytest.raises((ValueError, TypeError), match=f"^Adam: {name} is "):
            setattr(optimizer, name, value)
        assert getattr(optimizer, name) == before
    for name in ("amsgrad", "model"):
        with pytest.raises(AttributeError):
            setattr(optimizer, name, True)


def test_momentum_cannot_begin_later():
    optimizer = SGD(plain_model(), 0.1)
    for name, value in (("momentum", 0.9), ("nesterov", True)):
        fragments = [f"SGD: {name} is {value}", "momentum was 0 when", "make another"]
        assert_refused(ValueError, fragments, setattr, optimizer, name, value)
    fragments = ["SGD.load_state_dict: momentum is 0.9"]
    state = optimizer.state_dict() | {"lr": 0.5, "momentum": 0.9}
    assert_refused(ValueError, fragments, optimizer.load_state_dict, state)
    assert optimizer.lr == 0.1 and optimizer.momentum == 0.0
