"""Whatever losses, optimizers, schedules and initializers are given: a named error, or right."""

import inspect

import numpy as np
import pytest
from conftest import assert_close, every_dtype
from fuzz import array_like, choices, dtypes, examples, flags, mostly, odd, refused, sizes, tried
from hypothesis import given
from hypothesis import strategies as st

import rnnlite
from rnnlite import SGD, Adam, Dense, reference, schedules

pytestmark = pytest.mark.long  # what they found once is a test of its own elsewhere

B, T, C = 3, 4, 5
LOSSES = (
    rnnlite.softmax_cross_entropy, rnnlite.mean_squared_error, rnnlite.binary_cross_entropy,
)  # fmt: skip


# ---- losses --------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@every_dtype
@examples(120, 15)
@given(data=st.data())
def test_a_loss_refuses_or_is_right(loss, dtype, data):
    shape = data.draw(st.sampled_from([(B, C), (B, T, C)]))
    y = array_like(data.draw(choices), shape, (np.dtype(dtype).char,))
    if loss is LOSSES[0] and data.draw(st.booleans()):
        target = array_like(data.draw(choices), shape[:-1], below=C)
    else:
        target = array_like(data.draw(choices), shape, below=2)
    options = {
        "mask": odd,
        "lengths": choices.map(lambda choice: array_like(choice, (B,), below=T + 1)),
        "out": mostly(st.just(np.empty(shape, dtype))),
    }
    if loss is LOSSES[0]:
        options["label_smoothing"] = mostly(st.floats(0, 1))
        options["class_weights"] = choices.map(lambda choice: array_like(choice, (C,)))
    chosen = data.draw(st.sets(st.sampled_from(sorted(options)), max_size=2))
    keywords = {name: data.draw(options[name]) for name in chosen}
    result = tried(loss, y, target, **keywords)
    if refused(result):
        return
    value, dy = result
    assert type(value) is float and dy.shape == np.shape(y) and dy.dtype in (np.float32, np.float64)
    if keywords or not np.isfinite(y := np.asarray(y, "f8")).all() or np.abs(y).max() > 1e3:
        return
    if loss is LOSSES[0]:
        wanted, dwanted = reference.softmax_cross_entropy(y, target)
    elif loss is LOSSES[1]:
        error = y - np.asarray(target, "f8")
        wanted, dwanted = np.mean(np.minimum(np.abs(error), 1e150) ** 2), 2 * error / error.size
    else:
        t = np.asarray(target, "f8")
        wanted = np.mean(np.logaddexp(0, y) - t * y)
        dwanted = (1 / (1 + np.exp(-y)) - t) / y.size
    if wanted < 1e30:
        assert_close("loss", value, wanted, 1e-5)
        assert_close("dy", dy, dwanted, 1e-5)


# ---- optimizers and gradients --------------------------------------------------------------

rates = mostly(st.floats(0, 1))


class Mine:
    """A model of somebody's own."""

    def __init__(self, params, grads):
        self.params, self.grads = params, grads


def own_model(a, b):
    return Mine({"W": array_like(a, (2, 3))}, {"W": array_like(b, (2, 3))})


@examples(150, 40)
@given(st.data())
def test_an_optimizer_refuses_or_steps(data):
    kind = data.draw(st.sampled_from([SGD, Adam]))
    options = {"weight_decay": rates, "lr": rates}
    if kind is SGD:
        options |= {"momentum": mostly(st.floats(0, 0.9)), "nesterov": flags}
    else:
        options |= dict.fromkeys(("beta1", "beta2"), mostly(st.floats(0, 0.99)))
        options |= {"eps": mostly(st.just(1e-8)), "amsgrad": flags, "decay_bias": flags}
    chosen = data.draw(st.sets(st.sampled_from(sorted(options)), max_size=2)) | {"lr"}
    make = st.builds(own_model, choices, choices)
    model = data.draw(mostly(st.one_of(make, st.builds(Dense, st.just(2), st.just(3)))))
    optimizer = tried(kind, model, **{name: data.draw(options[name]) for name in chosen})
    if refused(optimizer):
        return
    assert refused(done := tried(optimizer.step)) or done is None
    before = optimizer.state_dict()
    state = dict(before)
    state[data.draw(st.sampled_from([*state, "x", 3, None]))] = data.draw(odd)
    if refused(tried(optimizer.load_state_dict, data.draw(mostly(st.just(state))))):
        after = optimizer.state_dict()
        assert all(np.array_equal(after[key], before[key], equal_nan=True) for key in before)
    assert refused(done := tried(setattr, optimizer, "lr", data.draw(odd))) or done is None
    assert refused(done := tried(optimizer.step)) or done is None


@examples(80, 40)
@given(choices, mostly(st.floats(0.01, 10)))
def test_clipping_refuses_or_clips(a, limit):
    model = own_model(0, a)
    before = np.array(np.asarray(model.grads["W"], object), copy=True)
    norm = tried(rnnlite.clip_gradients, model, limit)
    if refused(norm):
        return
    assert type(norm) is float
    after = model.grads["W"].astype("f8")
    if np.isfinite(norm):
        assert np.sqrt(np.sum(after**2)) <= max(0.0, min(norm, limit)) * (1 + 1e-5)
        assert_close("norm", norm, np.sqrt(np.sum(before.astype("f8") ** 2)), 1e-6)
    assert refused(tried(rnnlite.gradient_norm, limit))


# ---- schedules, initializers, threads ------------------------------------------------------

SCHEDULES = (
    schedules.constant, schedules.step_decay, schedules.cosine, schedules.one_cycle,
    schedules.warm_up,
)  # fmt: skip
steps = mostly(st.sampled_from([0, 1, 2, 7, 100, 2**62]))


@pytest.mark.parametrize("kind", SCHEDULES, ids=lambda kind: kind.__name__)
@examples(100, 60)
@given(data=st.data())
def test_a_schedule_refuses_or_has_a_step_size(kind, data):
    what = {"schedule": mostly(st.just(schedules.constant(0.1))), "steps": steps, "every": steps}
    arguments = [data.draw(what.get(name, rates)) for name in inspect.signature(kind).parameters]
    schedule = tried(kind, *arguments)
    for step in (
        [] if refused(schedule) or arguments[0] is int else data.draw(st.lists(steps, max_size=3))
    ):
        if kind is schedules.warm_up and arguments[0] is len:
            continue
        lr = tried(schedule, step)
        assert refused(lr) or (type(lr) is float and 0 <= lr <= schedules.HIGHEST)


@pytest.mark.parametrize("name", sorted(rnnlite.initializers.BY_NAME))
@examples(40)
@given(mostly(st.just(np.random.default_rng(0))), sizes, sizes, odd)
def test_an_initializer_refuses_or_fills(name, generator, rows, columns, other):
    function = rnnlite.initializers.BY_NAME[name]
    others = {"identity": "hidden", "uniform_pytorch": "hidden", "normal": "std"}
    for keywords in ({}, {others[name]: other} if name in others else {}):
        w = tried(function, generator, rows, columns, **keywords)
        assert refused(w) or (w.shape == (rows, columns) and w.dtype == np.float64)
    assert refused(tried(rnnlite.initializers.get, "LSTM", other))


@examples(60)
@given(odd.filter(lambda n: not isinstance(n, (np.ndarray, np.bool_, type))))
def test_the_number_of_threads_is_set_or_not(n):
    before = rnnlite.get_num_threads()
    was_refused = refused(tried(rnnlite.set_num_threads, n))
    assert rnnlite.get_num_threads() == (before if was_refused else n)


@examples(60)
@given(st.data())
def test_copies_are_of_a_known_dtype(data):
    dtype = data.draw(dtypes)
    layer = tried(Dense(2, 3).copy, dtype)
    assert refused(layer) or layer.dtype == np.dtype(dtype or "float32")
