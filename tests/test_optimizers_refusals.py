"""What optimizers refuse: wrong settings, unusable models, wrong steps."""

import math

import numpy as np
import pytest
from conftest import assert_refused
from optimizer_cases import plain_model

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
        (SGD, {"lr": 1, "nesterov": True}, ValueError, ["SGD: nesterov is True", "momentum is 0"]),
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
    optimizer.lr = -1.0
    assert_refused(ValueError, [f"{kind.__name__}.step: lr is -1.0"], optimizer.step)
    optimizer.lr = 0.1
    for shape in ((9,), (3,), (4, 1)):  # of another size, a step would write beyond the moments
        model.params["b"], model.grads["b"] = np.zeros(shape), np.zeros(shape)
        fragments = [f"{kind.__name__}.step: params['b'] was (4,)", f"is {shape} now", "make a new"]
        assert_refused(ValueError, fragments, optimizer.step)
    del model.params["b"], model.grads["b"]
    fragments = [f"{kind.__name__}.step: params['b'] was (4,)", "is no array now"]
    assert_refused(ValueError, fragments, optimizer.step)
    assert optimizer.t == 0
