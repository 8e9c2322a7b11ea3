"""What a file holds beside a model: a person's JSON comes back, an optimizer goes on."""

import numpy as np
import pytest
from conftest import assert_all_same_bits, assert_refused, assert_same_bits

import rnnlite
from rnnlite import SGD, Adam, Dense, Sequential
from rnnlite.saving import CorruptFile, container, models

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

EXTRA = {
    "classes": ["cat", "dög \ud800"], "vocabulary": {"b": 1, "a": 0}, "mean": [0.1, -1e300],
    "flags": [True, False, None], "large": -(2**1000), "nested": [[], {}, [[1]]], "": "",
}  # fmt: skip
OPTIMIZERS = {
    "adam": lambda model: Adam(model, lr=0.1, beta1=0.8, weight_decay=0.01, decay_bias=False),
    "amsgrad": lambda model: Adam(model, amsgrad=True),
    "sgd": lambda model: SGD(model, lr=0.1),
    "momentum": lambda model: SGD(model, lr=0.1, momentum=0.5, nesterov=True),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def model(dtype="float32"):
    return Sequential([Dense(3, 4, seed=0, dtype=dtype), Dense(4, 2, seed=1, dtype=dtype)])


def step(optimizer, seed):
    flat = optimizer.model.flat_grads
    flat[...] = np.random.default_rng(seed).normal(size=flat.shape)
    optimizer.step()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


@pytest.mark.parametrize("extra", [EXTRA, [1, "a"], "text", 0, False, {}], ids=repr)
def test_what_a_person_saves_comes_back(path, extra):
    rnnlite.save(model(), path, extra=extra)
    loaded = rnnlite.load(path, return_all=True)
    assert loaded.extra == extra and type(loaded.extra) is type(extra)
    assert list(loaded.extra) == list(extra) if isinstance(extra, dict) else True
    assert loaded.optimizer is None
    assert_all_same_bits(loaded.model.params, model().params)
    assert_all_same_bits(rnnlite.load(path).params, model().params)


def test_tuples_come_back_as_lists_and_numbers_of_numpy_as_numbers(path):
    rnnlite.save(model(), path, extra={"shape": (1, (2.5,)), "scale": np.float64(0.1)})
    extra = rnnlite.load(path, return_all=True).extra
    assert extra == {"shape": [1, [2.5]], "scale": 0.1} and type(extra["scale"]) is float


def test_a_model_alone_is_the_file_that_it_always_was(path):
    rnnlite.save(model(), path)
    assert path.read_bytes() == models.to_bytes(model())
    assert rnnlite.load(path, return_all=True)[1:] == (None, None)


def test_equal_models_with_equal_company_are_equal_files(path):
    files = set()
    for _ in range(2):
        optimizer = Adam(model())
        step(optimizer, 0)
        rnnlite.save(optimizer.model, path, extra=EXTRA, optimizer=optimizer)
        files.add(path.read_bytes())
    assert len(files) == 1


@every_optimizer
@pytest.mark.parametrize("into", [False, True], ids=["new", "into"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_optimizer_goes_on_as_if_nothing_had_been(path, make, into, dtype):
    optimizer = make(model(dtype))
    step(optimizer, 0)
    rnnlite.save(optimizer.model, path, optimizer=optimizer)
    target = model(dtype) if into else None
    found, extra, again = rnnlite.load(path, target, return_all=True)
    assert extra is None and again.model is found and type(again) is type(optimizer)
    assert found is target or not into
    for one in (optimizer, again):
        step(one, 1)
    assert_same_bits("flat_params", again.model.flat_params, optimizer.model.flat_params)
    assert again.t == 2


def test_a_schedule_may_have_set_the_momentum_to_0(path):
    optimizer = SGD(model(), lr=0.1, momentum=0.9)
    step(optimizer, 0)
    optimizer.momentum = 0.0
    rnnlite.save(optimizer.model, path, optimizer=optimizer)
    again = rnnlite.load(path, return_all=True).optimizer
    assert again.momentum == 0.0 and "m.0.W" in again.state_dict()


@pytest.mark.parametrize(
    ("extra", "error", "words"),
    [
        ({"a": [0, np.zeros(2)]}, TypeError, ["extra['a'][1]", "ndarray", "tolist()"]),
        ({"a": {1: 2}}, TypeError, ["extra['a']", "key 1", "text"]),
        ({"a": {1, 2}}, TypeError, ["extra['a']", "set"]),
        (np.int64(3), TypeError, ["int64", "tolist()"]),
        ([0.0, float("nan")], ValueError, ["extra[1]", "nan"]),
        ({"a": float("inf")}, ValueError, ["inf"]),
        (2**1024, ValueError, ["1,025 bits"]),
        ("a" * (2 << 20), ValueError, ["2,097,154 bytes", "2,097,152"]),
        (print, TypeError, ["builtin"]),
    ],
    ids=lambda value: None if isinstance(value, list) else type(value).__name__,
)
def test_what_json_cannot_hold_is_refused_and_the_file_is_as_it_was(path, extra, error, words):
    path.write_bytes(b"before")
    assert_refused(error, ["save: extra" if "bytes" not in words[0] else "extra", *words],
                   rnnlite.save, model(), path, extra=extra)  # fmt: skip
    assert path.read_bytes() == b"before"


def test_what_is_too_deep_is_refused(path):
    extra = []
    for _ in range(98):
        extra = [extra]
    rnnlite.save(model(), path, extra=extra)
    assert rnnlite.load(path, return_all=True).extra == extra
    assert_refused(ValueError, ["more than 100"], rnnlite.save, model(), path, extra=[extra])


def test_an_optimizer_of_another_model_or_kind_is_refused(path):
    class Mine(Adam):
        pass

    mine = model()
    assert_refused(TypeError, ["optimizer is"], rnnlite.save, mine, path, optimizer=Mine(mine))
    assert_refused(TypeError, ["optimizer is 'Adam'"], rnnlite.save, mine, path, optimizer="Adam")
    words = ["optimizer is of another model"]
    assert_refused(ValueError, words, rnnlite.save, mine, path, optimizer=Adam(model()))


def parts(optimizer):
    """Header and arrays of a file with an optimizer."""
    header, moments = models.beside.optimizer_parts(optimizer.model, optimizer)
    header["model"] = models.model_header(optimizer.model)
    return header, models.model_arrays(optimizer.model) | moments


def changed(part, **values):
    return {k: v for k, v in (part | values).items() if v is not None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: (h | {"note": 1}, a), ["key 'note'"]),
        (lambda h, a: (h, a | {"other/x": np.zeros(1)}), ["array 'other/x'"]),
        (lambda h, a: (changed(h, optimizer=None), a), ["array 'optimizer/m.0.W'"]),
        (lambda h, a: (h | {"extra": [float("nan")]}, a), ["extra[0] is nan"]),
        (lambda h, a: (h | {"optimizer": []}, a), ["optimizer is []"]),
        (lambda h, a: (h | {"optimizer": h["optimizer"] | {"class": "Evil"}}, a), ["'Evil'"]),
        (lambda h, a: (h | {"optimizer": {"class": ["Adam"], "settings": {}}}, a), ["['Adam']"]),
        (lambda h, a: (h, changed(a, **{"optimizer/v.1.b": None})), ["v.1.b"]),
        (lambda h, a: (h, a | {"optimizer/m.0.W": np.zeros((3, 5), "f4")}), ["m.0.W", "(3, 5)"]),
        (lambda h, a: (h, a | {"optimizer/m.0.W": np.zeros((3, 4))}), ["m.0.W", "float64"]),
        (
            lambda h, a: (
                h | {"optimizer": {"class": "Adam", "settings": h["optimizer"]["settings"]
                                   | {"lr": -1.0}}}, a),
            ["lr is -1.0"],
        ),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_file_in_which_anything_is_off_is_refused_and_into_is_as_it_was(path, change, words):
    optimizer = Adam(model())
    step(optimizer, 0)
    container.write(path, "model", *change(*parts(optimizer)))
    into = model()
    for options in ({}, {"into": into}, {"return_all": True}):
        assert_refused(CorruptFile, [str(path), *words], rnnlite.load, path, **options)
    assert_all_same_bits(into.params, model().params)


def test_a_checkpoint_s_model_has_no_company(tmp_path):
    x = np.zeros((4, 3), np.float32)
    file = tmp_path / "run.npz"
    trained = model()
    rnnlite.fit(trained, x, [0, 1, 0, 1], checkpoint=file, progress=False)
    found = rnnlite.load(file, return_all=True)
    assert found[1:] == (None, None)
    assert_all_same_bits(found.model.params, trained.params)
