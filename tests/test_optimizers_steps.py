"""Steps of every optimizer, held to slow twins written from the equations and to PyTorch."""

import itertools

import numpy as np
import pytest
from conftest import assert_close, assert_same_bits, every_dtype, needs_jit
from optimizer_cases import (
    OPTIMIZERS,
    Plain,
    every_model,
    every_optimizer,
    flat_model,
    gradients_of,
    plain_model,
    run,
    start,
)

import rnnlite
from rnnlite.kernels.adam import adam, amsgrad
from rnnlite.kernels.sgd import sgd, sgd_momentum
from rnnlite.layers import Dense, Sequential
from rnnlite.optim import SGD, Adam
from rnnlite.optim.clipping import clip_gradients


def is_bias(name):
    return name.split(".")[-1] in ("b", "bh")


def decay_of(name, weight_decay=0.0, decay_bias=True, **_):
    return weight_decay if decay_bias or not is_bias(name) else 0.0


def adam_twin(name, p, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8, amsgrad=False, **decay):
    """Parameters after each step."""
    m, v, highest, trail = 0.0, 0.0, 0.0, []
    for t, gradient in enumerate(gradients, 1):
        g = gradient(name, p)
        p = p - lr * decay_of(name, **decay) * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        highest = np.maximum(highest, v)
        root = np.sqrt((highest if amsgrad else v) / (1 - beta2**t))
        p = p - lr * (m / (1 - beta1**t)) / (root + eps)
        trail.append(p)
    return trail


def sgd_twin(name, p, gradients, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    """Parameters after each step."""
    m, trail = 0.0, []
    for gradient in gradients:
        d = gradient(name, p) + weight_decay * p
        m = momentum * m + d
        p = p - lr * (d + momentum * m if nesterov else m)
        trail.append(p)
    return trail


TWIN = {Adam: adam_twin, SGD: sgd_twin}


def check_against_twin(kind, twin, arguments, make):
    model = make()
    start(model)
    before = {name: p.copy() for name, p in model.params.items()}
    trail = run(kind(model, **arguments), model, gradients_of())
    for name, steps in trail.items():
        expected = twin(name, before[name], gradients_of(), **arguments)
        assert_close(name, np.array(steps), np.array(expected), 1e-12)


@every_optimizer
@every_model
def test_twenty_steps_are_the_equations(name, make):
    kind, arguments, _, _ = OPTIMIZERS[name]
    check_against_twin(kind, TWIN[kind], arguments, make)


@every_optimizer
@every_model
def test_twenty_steps_are_those_of_pytorch(name, make):
    torch = pytest.importorskip("torch", reason="compares with torch.optim")
    kind, arguments, their_name, their_arguments = OPTIMIZERS[name]
    model = make()
    start(model)
    tensors = {key: torch.tensor(p) for key, p in model.params.items()}
    groups = [{"params": [t for key, t in tensors.items() if not is_bias(key)]}]
    groups.append({"params": [t for key, t in tensors.items() if is_bias(key)]})
    if not arguments.get("decay_bias", True):
        groups[1]["weight_decay"] = 0.0
    theirs = getattr(torch.optim, their_name)(groups, **their_arguments)
    trail = run(kind(model, **arguments), model, gradients_of())
    for step, gradient in enumerate(gradients_of()):
        for key, tensor in tensors.items():
            tensor.grad = torch.tensor(gradient(key, tensor.numpy()))
        theirs.step()
        for key, tensor in tensors.items():
            assert_close(f"{key} after step {step}", trail[key][step], tensor.numpy(), 1e-12)


@every_optimizer
def test_float32_stays_float32_and_close(name):
    kind, arguments, _, _ = OPTIMIZERS[name]
    models = [Dense(3, 4, seed=0, dtype=dtype) for dtype in ("float32", "float64")]
    models[1].flat_params[...] = models[0].flat_params
    for model in models:
        run(kind(model, **arguments), model, gradients_of(5))
    assert models[0].flat_params.dtype == np.float32
    assert_close("params", models[0].flat_params, models[1].flat_params, 1e-5)


@every_optimizer
def test_numbers_between_layers_stay_zero(name):
    kind, arguments, _, _ = OPTIMIZERS[name]
    model = flat_model()
    start(model)
    run(kind(model, **arguments), model, gradients_of(3))
    used = sum(p.size for p in model.params.values())
    assert model.flat_params.size > used
    assert np.count_nonzero(model.flat_params) == used


def test_weight_decay_alone_shrinks_weights_and_leaves_biases_if_asked_to():
    for options in ({"decay_bias": False}, {"decay_bias": True}, {}):
        model = flat_model()
        start(model)
        before = {name: p.copy() for name, p in model.params.items()}
        Adam(model, lr=0.1, weight_decay=0.5, **options).step()  # gradients are zero
        for name, p in model.params.items():
            factor = 1.0 if is_bias(name) and not options.get("decay_bias", True) else 0.95
            assert_same_bits(name, p, before[name] * factor)


def test_amsgrad_remembers_the_largest_gradient_and_adam_forgets_it():
    steps = {}
    for amsgrad_wanted in (False, True):
        model = Plain(W=(1,))
        optimizer = Adam(model, lr=0.01, beta1=0.0, beta2=0.5, amsgrad=amsgrad_wanted)
        for gradient in (100.0, *[1.0] * 30):
            model.grads["W"][...] = gradient
            before = model.params["W"].copy()
            optimizer.step()
        steps[amsgrad_wanted] = (before - model.params["W"]).item()
    assert steps[False] > 0.0099
    assert steps[True] < 0.0002


def test_a_nan_gradient_is_seen_in_the_parameters():
    for kind, arguments, _, _ in OPTIMIZERS.values():
        model = plain_model()
        start(model)
        model.grads["W"][1, 2] = np.nan
        kind(model, **arguments).step()
        assert np.argwhere(np.isnan(model.params["W"])).tolist() == [[1, 2]]
        assert sum(int(np.isnan(p).sum()) for p in model.params.values()) == 1


@pytest.mark.parametrize("arguments", [{}, {"amsgrad": True}])
@every_dtype
def test_one_minus_beta_keeps_its_digits(arguments, dtype):
    """Each step of a steady gradient is lr, to the last digits of the dtype."""
    model = Plain(W=(5,))
    for arrays in (model.params, model.grads):
        arrays["W"] = np.zeros(5, dtype)
    model.grads["W"][...] = 3.0
    optimizer = Adam(model, lr=1.0, eps=0.0, **arguments)
    for t in range(1, 11):
        optimizer.step()
        # 1 - 0.999^t itself has an error of 1e-14, whoever computes it.
        error = np.abs(model.params["W"] / -t - 1.0).max()
        assert error < max(8 * np.finfo(dtype).eps, 1e-14)


def test_an_optimizer_follows_a_layer_into_a_model():
    layer = Dense(2, 3, dtype="float64")
    optimizer = Adam(layer, lr=0.1, weight_decay=0.5, decay_bias=False)
    model = Sequential([Dense(4, 2, dtype="float64"), layer])
    start(model)
    before = {name: p.copy() for name, p in model.params.items()}
    optimizer.step()
    assert_same_bits("0.W", model.params["0.W"], before["0.W"])
    assert_same_bits("1.W", model.params["1.W"], before["1.W"] * 0.95)
    assert_same_bits("1.b", model.params["1.b"], before["1.b"])


# --- any number of threads -------------------------------------------------------------------

KERNELS = {
    "adam": (adam, 2, (1e-3, 0.9, 0.1, 0.999, 1e-3, 1.7, 1e-8)),
    "amsgrad": (amsgrad, 3, (1e-3, 0.9, 0.1, 0.999, 1e-3, 1.7, 1e-8)),
    "sgd": (sgd, 0, (0.01, 0.1)),
    "momentum": (sgd_momentum, 1, (0.01, 0.1, 0.9, 1.0, 0.0)),
    "nesterov": (sgd_momentum, 1, (0.01, 0.1, 0.9, 0.9, 1.0)),
}


@needs_jit
@pytest.mark.parametrize("name", KERNELS)
@every_dtype
def test_the_same_bits_however_the_array_is_cut(name, dtype):
    kernel, moments, numbers = KERNELS[name]
    n = 1003
    rng = np.random.default_rng(0)
    values = np.abs(rng.normal(size=(2 + moments, n))).astype(dtype)
    numbers = [dtype(number) for number in numbers]

    def after(cuts):
        arrays = list(values.copy())
        for _ in range(3):
            for first, last in itertools.pairwise(cuts):
                kernel(first, last, *arrays, *numbers)
        return np.array(arrays)

    whole = after([0, n])
    for seed in range(10):
        cuts = np.random.default_rng(seed).integers(0, n, 2 + 4 * seed).tolist()
        assert_same_bits(name, after(sorted({0, *cuts, n})), whole)
    assert_same_bits(name, after(list(range(n + 1))), whole)


@pytest.mark.quick(every=3)
@needs_jit
@every_optimizer
def test_the_same_bits_at_any_number_of_threads(name):
    kind, arguments, _, _ = OPTIMIZERS[name]
    results = []
    for threads in (1, 2, 3, 5):
        rnnlite.set_num_threads(threads)
        model = Dense(1300, 1000, seed=0)  # enough for three threads
        model.flat_grads[...] = model.flat_params[::-1] * 100.0
        optimizer = kind(model, **arguments)
        norm = clip_gradients(model, 1.0)
        optimizer.step()
        optimizer.step()
        results.append((norm, model.flat_params.tobytes(), model.flat_grads.tobytes()))
    assert len(set(results)) == 1


# --- the checks above can fail ---------------------------------------------------------------


def test_a_planted_mistake_is_refused():
    def epsilon_inside_the_root(name, p, gradients, lr, eps=1e-8, **_):
        return adam_twin(name, p, gradients, lr, eps=eps * 1.01)

    def no_correction(name, p, gradients, lr, **_):
        return adam_twin(name, p, gradients, lr * 1.001)

    def coupled_decay(name, p, gradients, lr, weight_decay):
        coupled = [lambda n, p, g=g: g(n, p) + weight_decay * p for g in gradients]
        return adam_twin(name, p, coupled, lr)

    def decay_of_weights(name, p, gradients, lr, weight_decay):
        return adam_twin(name, p, gradients, lr, weight_decay=weight_decay, decay_bias=False)

    def forgetful_amsgrad(name, p, gradients, lr, beta2, amsgrad):
        return adam_twin(name, p, gradients, lr, beta2=beta2)

    def plain_momentum(name, p, gradients, lr, momentum, nesterov):
        return sgd_twin(name, p, gradients, lr, momentum)

    def dampened_momentum(name, p, gradients, lr, momentum):
        return sgd_twin(name, p, gradients, lr * (1 - momentum), momentum)

    for name, wrong in (
        ("adam-other-betas", epsilon_inside_the_root),
        ("adam", no_correction),
        ("adamw", coupled_decay),
        ("adamw", decay_of_weights),
        ("amsgrad", forgetful_amsgrad),
        ("nesterov", plain_momentum),
        ("momentum", dampened_momentum),
    ):
        kind, arguments, _, _ = OPTIMIZERS[name]
        with pytest.raises(AssertionError, match="differs first"):
            check_against_twin(kind, wrong, arguments, flat_model)
