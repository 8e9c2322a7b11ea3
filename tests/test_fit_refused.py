"""fit: what it refuses, and what it warns of."""

import numpy as np
import pytest
from fitted import B, F, T, data, network

import rnnlite
from rnnlite import Adam, fit


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"y": None}, TypeError, "x is an array and y is missing"),
        ({"y": np.zeros(5, int)}, ValueError, r"y has shape \(5,\) and x has 47 rows"),
        ({"y": np.full(47, 2)}, ValueError, "labels from 2 to 2; the model has 2 outputs"),
        ({"y": np.full(47, -1)}, ValueError, r"each must lie in 0\.\.1"),
        ({"y": np.zeros((47, 3))}, ValueError, r"wanted whole numbers of shape \(47,\)"),
        ({"y": np.zeros(47)}, ValueError, "y holds float64"),
        ({"x": np.zeros((47, T, 4), "float32")}, ValueError, "x has 4 features|built for 3"),
        ({"x": np.zeros(47)}, ValueError, r"x has shape \(47,\)"),
        ({"lengths": np.full(47, T + 1)}, ValueError, "lengths runs from 6 to 6"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"epochs": 1, "steps": 1}, ValueError, "give one of them"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"seed": "now"}, TypeError, "seed is 'now'"),
        ({"loss": "hinge"}, ValueError, "loss is 'hinge'; it can be"),
        ({"loss": 3}, TypeError, "loss is 3"),
        ({"schedule": 0.1}, TypeError, "schedule is 0.1"),
        ({"clip_norm": 0}, ValueError, "clip_norm is 0"),
        ({"average": 1.0}, ValueError, "average is 1.0"),
        ({"validation": 3}, TypeError, "validation is of type int"),
        ({"validation": (np.zeros((2, T, F), "float32"), [0, 7])}, ValueError, "validation: y has"),
        ({"early_stopping": 1}, ValueError, "give validation"),
        ({"early_stopping": 0}, ValueError, "early_stopping is 0"),
        ({"callbacks": [3]}, TypeError, r"callbacks\[0\] is 3"),
        ({"resume": True}, ValueError, "resume is given without checkpoint"),
        ({"optimizer": "adam"}, TypeError, "optimizer is 'adam'"),
        ({"model": "lstm"}, TypeError, "model is of type str"),
        ({"record_every": -1}, ValueError, "record_every is -1"),
    ],
)
def test_bad_arguments_are_named(arguments, error, says):
    x, y = data()
    arguments = {"model": network(), "x": x, "y": y} | arguments
    with pytest.raises(error, match=says):
        fit(**arguments)


def test_the_optimizer_must_be_the_models():
    x, y = data()
    with pytest.raises(ValueError, match="optimizer belongs to another model"):
        fit(network(), x, y, optimizer=Adam(network()))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"early_stopping": 3}, "early_stopping watches 'val_loss'; give validation"),
        (
            {"early_stopping": rnnlite.EarlyStopping(1, "los")},
            "'los'; the history has epoch, step, loss",
        ),
        (
            {"validation": (np.zeros((2, T, 4), "f4"), [0, 1])},
            "fit: validation: Sequential.forward: layer 0, RNN: x has 4",
        ),
        (
            {"validation": (np.zeros((2, T, F), "f4"), np.zeros((2, 3)))},
            r"fit: validation: softmax_cross_entropy: labels has shape",
        ),
        (
            {"validation": (np.zeros((2, T, F), "f4"), [0, 7]), "loss": "softmax_cross_entropy"},
            "fit: validation: y has labels from 0 to 7",
        ),
        (
            {
                "validation": (np.zeros((2, T, F), "f4"), np.zeros((2, 3))),
                "loss": "mean_squared_error", "y": np.zeros((47, 2)),
            },
            "fit: validation: mean_squared_error: ",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_found_before_the_first_step(arguments, says):
    x, y = data()
    model, steps = network(), []
    with pytest.raises(ValueError, match=says):
        fit(model, **{"x": x, "y": y} | arguments, augment=lambda x, rng: steps.append(1) or x)
    assert steps == []


@pytest.mark.parametrize(
    ("source", "long", "says"),
    [
        ((b for b in []), {"epochs": 2}, "x is an iterator, which runs once"),
        ([], {}, "there is no batch in epoch 1"),
        ([3], {}, "batch 0 is int"),
        ([(np.zeros((2, T, F)), [0])], {}, "of equally many rows"),
        (lambda epoch: None, {}, r"x\(0\) returned None"),
    ],
)
def test_bad_batches_are_named(source, long, says):
    with pytest.raises((ValueError, TypeError), match=says):
        fit(network(), source, **long)


def test_pixels_that_are_not_scaled_are_noticed():
    x = np.full((B, T, F), 255, np.uint8)
    with pytest.warns(rnnlite.DataWarning, match="uint8 from 255 to 255 and is not scaled") as seen:
        fit(network(), x, np.zeros(B, int))
    assert seen[0].filename == __file__


def test_warnings_name_the_line_of_the_caller():
    x, y = data()
    pixels = np.full((B, T, F), 255, np.uint8)
    for call in (
        lambda: rnnlite.predict(network(), pixels),
        lambda: rnnlite.evaluate(network(), pixels, np.zeros(B, int)),
        lambda: fit(network(), x, y, validation=(pixels, np.zeros(B, int))),
    ):
        with pytest.warns(rnnlite.DataWarning, match="is not scaled") as seen:
            call()
        assert seen[0].filename == __file__


def test_pixels_that_augment_scales_are_not_noticed():
    x = np.full((B, T, F), 255, np.uint8)
    fit(network(), x, np.zeros(B, int), augment=lambda x, rng: x.astype(np.float32) / 255)
    with pytest.warns(rnnlite.DataWarning, match="uint8 from 255 to 255 and is not scaled"):
        fit(network(), x, np.zeros(B, int), augment=lambda x, rng: x)


def test_double_precision_that_must_be_rounded_is_noticed():
    x, y = data()
    with pytest.warns(rnnlite.DataWarning, match="x is float64 and the model computes in float32"):
        fit(network(), x.astype(np.float64), y)
    fit(network(dtype="float64"), x.astype(np.float64), y)
