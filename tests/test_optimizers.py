"""AdamW, AMSGrad, gradient descent, their state in a checkpoint, and gradient clipping.

Held to slow twins written from the equations, and to ``torch.optim``.
"""

import io
import itertools
import math

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits, every_dtype, needs_jit, sized

import rnnlite
from rnnlite import clipping
from rnnlite.clipping import clip_gradients
from rnnlite.kernels.adam import adam, amsgrad
from rnnlite.kernels.sgd import sgd, sgd_momentum, sums_of_squares
from rnnlite.layers import GRU, Dense, Sequential
from rnnlite.optim import SGD, Adam
from rnnlite.optim.adam import _ranges

STEPS = 20


class Plain:
    """A model of one's own: two dicts."""

    def __init__(self, **shapes):
        self.params = {name: np.zeros(shape) for name, shape in shapes.items()}
        self.grads = {name: np.zeros(shape) for name, shape in shapes.items()}


def flat_model():
    """Biases between weights, and unused numbers between the layers."""
    return Sequential([GRU(3, 2, dtype="float64"), Dense(2, 5, dtype="float64")])


def plain_model():
    return Plain(W=(3, 4), b=(4,), emb=(7,))


every_model = pytest.mark.parametrize("make", [flat_model, plain_model])

# name: (class, its arguments, PyTorch's class, its arguments)
OPTIMIZERS = {
    "adam": (Adam, {"lr": 0.01}, "Adam", {"lr": 0.01}),
    "adam-other-betas": (
        Adam,
        {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3},
        "Adam",
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3},
    ),
    "adamw": (Adam, {"lr": 0.01, "weight_decay": 0.3}, "AdamW", {"lr": 0.01, "weight_decay": 0.3}),
    "adamw-weights-alone": (
        Adam,
        {"lr": 0.01, "weight_decay": 0.3, "decay_bias": False},
        "AdamW",
        {"lr": 0.01, "weight_decay": 0.3},
    ),
    "amsgrad": (
        Adam,
        {"lr": 0.01, "beta2": 0.6, "amsgrad": True},
        "Adam",
        {"lr": 0.01, "betas": (0.9, 0.6), "amsgrad": True},
    ),
    "amsgrad-decay": (
        Adam,
        {"lr": 0.01, "beta2": 0.6, "amsgrad": True, "weight_decay": 0.2},
        "AdamW",
        {"lr": 0.01, "betas": (0.9, 0.6), "amsgrad": True, "weight_decay": 0.2},
    ),
    "sgd": (SGD, {"lr": 0.1}, "SGD", {"lr": 0.1}),
    "sgd-decay": (SGD, {"lr": 0.1, "weight_decay": 0.2}, "SGD", {"lr": 0.1, "weight_decay": 0.2}),
    "momentum": (SGD, {"lr": 0.1, "momentum": 0.9}, "SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (
        SGD,
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
    ),
    "nesterov-decay": (
        SGD,
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    ),
}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


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


def gradients_of(steps=STEPS):
    """A gradient for each step: it depends on the parameters, and grows and shrinks."""

    def gradient_at(step):
        def gradient(name, p):
            rng = np.random.default_rng([step, len(name), p.size])
            return (p + rng.normal(size=p.shape)) * (3.0 if step % 7 == 2 else 0.3)

        return gradient

    return [gradient_at(step) for step in range(steps)]


def start(model, seed=0):
    """Fill the parameters; in the flat model, leave the unused numbers at zero."""
    rng = np.random.default_rng(seed)
    for p in model.params.values():
        p[...] = rng.normal(size=p.shape)


def run(optimizer, model, gradients):
    """Parameters by name after each step."""
    trail = {name: [] for name in model.params}
    for gradient in gradients:
        for name, p in model.params.items():
            model.grads[name][...] = gradient(name, p)
        optimizer.step()
        for name, p in model.params.items():
            trail[name].append(p.copy())
    return trail


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


def test_the_parts_that_decay_are_few():
    optimizer = Adam(flat_model(), weight_decay=0.1, decay_bias=False)
    # Wx (3, 6); Wh (2, 6) behind b and bh; W (2, 5) where the next cache line begins
    assert optimizer._weights == [(0, 0, 18), (0, 30, 42), (0, 48, 58)]
    assert Adam(plain_model(), weight_decay=0.1)._weights == [(0, 0, 12), (2, 0, 7)]
    places = {
        "0.W": (0, 0, 4),
        "0.U": (0, 4, 6),
        "0.b": (0, 6, 7),
        "1.W": (0, 7, 9),
        "2.V": (1, 9, 11),
    }
    places = {name: (*place, ()) for name, place in places.items()}
    assert _ranges(places, ("b",)) == [(0, 0, 6), (0, 7, 9), (1, 9, 11)]


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


# --- any number of threads ------------------------------------------------------------------

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


# --- checkpoints ----------------------------------------------------------------------------


@every_optimizer
@every_model
@pytest.mark.parametrize("file", [False, True])
def test_a_resumed_run_has_the_same_bits(name, make, file):
    kind, arguments, _, _ = OPTIMIZERS[name]
    model = make()
    start(model)
    optimizer = kind(model, **arguments)
    run(optimizer, model, gradients_of()[:7])
    optimizer.lr = 0.003
    state = optimizer.state_dict()
    params = {key: p.copy() for key, p in model.params.items()}
    expected = run(optimizer, model, gradients_of()[7:])

    if file:
        buffer = io.BytesIO()
        np.savez(buffer, **state)
        buffer.seek(0)
        with np.load(buffer) as saved:
            state = dict(saved)
    other = make()
    resumed = kind(other, **arguments)
    resumed.load_state_dict(state)
    for key, p in other.params.items():
        p[...] = params[key]
    assert (resumed.t, resumed.lr) == (7, 0.003)
    trail = run(resumed, other, gradients_of()[7:])
    for key, steps in trail.items():
        assert_same_bits(key, np.array(steps), np.array(expected[key]))


def test_a_state_is_a_copy_of_numbers_and_arrays():
    model = flat_model()
    optimizer = Adam(model, weight_decay=0.1, amsgrad=True)
    model.flat_grads[...] = 1.0
    optimizer.step()
    state = optimizer.state_dict()
    names = [f"{moment}.{name}" for moment in ("m", "v", "highest") for name in model.params]
    settings = ["t", "lr", "beta1", "beta2", "eps", "weight_decay", "decay_bias"]
    assert sorted(state) == sorted(settings + names)
    for name in names:
        assert state[name].shape == model.params[name.partition(".")[2]].shape
        assert state[name].dtype == np.float64
    before = state["m.1.W"].copy()
    optimizer.step()
    assert_same_bits("m.1.W", state["m.1.W"], before)
    other = Adam(flat_model(), amsgrad=True)
    other.load_state_dict(state)
    state["m.1.W"][...] = 7.0
    assert_same_bits("m.1.W", other.state_dict()["m.1.W"], before)
    assert other.weight_decay == 0.1
    assert sorted(SGD(model, 0.1).state_dict()) == sorted(
        ["t", "lr", "momentum", "nesterov", "weight_decay"]
    )


@pytest.mark.parametrize(
    ("change", "error", "fragments"),
    [
        ({"m.W": np.zeros((4, 3))}, ValueError, ["m.W has shape (4, 3)", "(3, 4)"]),
        ({"v.b": np.zeros(())}, ValueError, ["v.b has shape ()", "(4,)"]),
        ({"v.b": ["a"] * 4}, TypeError, ["v.b holds", "real numbers"]),
        ({"t": -1}, ValueError, ["t is -1", "at least 0"]),
        ({"t": 1.5}, TypeError, ["t is 1.5", "whole number"]),
        ({"t": np.zeros(2, int)}, TypeError, ["t is array", "whole number"]),
        ({"lr": -1.0}, ValueError, ["lr is -1.0"]),
        ({"beta1": 1.0}, ValueError, ["beta1 is 1.0", "[0.0, 1.0)"]),
        ({"decay_bias": 2}, TypeError, ["decay_bias is 2", "True or False"]),
        ({"highest.W": np.zeros((3, 4))}, ValueError, ["has unknown ['highest.W']"]),
        ({"m.W": None}, ValueError, ["lacks ['m.W']"]),
    ],
)
def test_a_wrong_state_is_explained_and_changes_nothing(change, error, fragments):
    model = plain_model()
    optimizer = Adam(model)
    model.grads["W"][...] = 1.0
    optimizer.step()
    before = optimizer.state_dict()
    wrong = {key: np.ones_like(value) for key, value in before.items()}
    wrong |= {"t": 5, "decay_bias": True, "lr": 0.5, "beta1": 0.5, "beta2": 0.5} | change
    wrong = {key: value for key, value in wrong.items() if value is not None}
    assert_refused(error, ["Adam.load_state_dict: ", *fragments], optimizer.load_state_dict, wrong)
    after = optimizer.state_dict()
    for key, value in before.items():
        assert_same_bits(key, after[key], value)
    assert_refused(TypeError, ["state is of type list", "a dict"], optimizer.load_state_dict, [])


def test_a_state_of_another_optimizer_is_refused():
    model = plain_model()
    states = {
        "adam": Adam(model),
        "amsgrad": Adam(model, amsgrad=True),
        "sgd": SGD(model, 0.1),
        "momentum": SGD(model, 0.1, 0.9),
    }
    for name, optimizer in states.items():
        for other_name, other in states.items():
            if name != other_name:
                fragments = ["state lacks", "has unknown", "wanted what state_dict returns"]
                assert_refused(ValueError, fragments, optimizer.load_state_dict, other.state_dict())


# --- bad arguments --------------------------------------------------------------------------


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
def test_an_unusable_model_is_explained(kind):
    name, lr = kind.__name__, 0.1
    assert_refused(TypeError, [f"{name}: model is of type int", "params and grads"], kind, 3, lr)
    model = plain_model()
    del model.grads["b"]
    assert_refused(ValueError, [f"{name}: params has", "equal keys"], kind, model, lr)
    model.grads["b"] = np.zeros(5)
    assert_refused(
        ValueError, [f"{name}: grads['b'] has shape (5,)", "wanted (4,)"], kind, model, lr
    )
    model.grads["b"] = np.zeros(4, complex)
    assert_refused(TypeError, [f"{name}: grads['b'] holds complex128"], kind, model, lr)
    model.grads["b"] = np.zeros(4)
    model.params["b"] = np.zeros(4, int)
    assert_refused(TypeError, [f"{name}: params['b'] must be a float32"], kind, model, lr)
    model.params["b"] = np.zeros(8)[::2]
    assert_refused(ValueError, [f"{name}: params['b'] must be C-contiguous"], kind, model, lr)
    layer = Dense(2, 3)
    layer.params["W"] = np.zeros((2, 3), np.float32)
    assert_refused(ValueError, [f"{name}: params['W'] is no longer part"], kind, layer, lr)


@pytest.mark.parametrize("kind", [Adam, SGD])
def test_a_wrong_step_is_explained(kind):
    model = plain_model()
    optimizer = kind(model, 0.1)
    optimizer.lr = -1.0
    assert_refused(ValueError, [f"{kind.__name__}.step: lr is -1.0"], optimizer.step)
    optimizer.lr = 0.1
    model.params["b"], model.grads["b"] = np.zeros(9), np.zeros(9)
    fragments = [f"{kind.__name__}.step: params['b'] was (4,)", "is (9,) now", "a new optimizer"]
    assert_refused(ValueError, fragments, optimizer.step)
    del model.params["b"], model.grads["b"]
    fragments = [f"{kind.__name__}.step: params['b'] was (4,)", "is no array now"]
    assert_refused(ValueError, fragments, optimizer.step)
    assert optimizer.t == 0


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


# --- clipping -------------------------------------------------------------------------------


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


# --- the checks above can fail --------------------------------------------------------------


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
