"""Layers of one's own in files: named by their class, which loading is given."""

import json
import pickle

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from saved_models import LEAKY, assert_same_model, round_trip, stirred

import rnnlite
from rnnlite import LSTM, Dense, Dropout, Group, Recurrent, Sequential
from rnnlite import cells as library
from rnnlite.kernels.fingerprint import identity
from rnnlite.layers import Layer
from rnnlite.saving import models
from rnnlite.saving.architecture import build, describe, difference

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


class Scale(Layer):
    """y = gain * x."""

    def __init__(
        self, features, start=1.0, names=(), flag=None, precision=None, dtype="float32", seed=None
    ):
        super().__init__({"gain": (features,)}, dtype)
        self.features, self.start, self.names = features, start, list(names)
        self.flag, self.precision = flag, precision and np.dtype(precision)
        self.params["gain"][...] = start

    def forward_pass(self, x, saved):
        saved.x = x
        return x * self.params["gain"]

    def backward_pass(self, dy, saved):
        self.grads["gain"][...] = (dy * saved.x).reshape(-1, self.features).sum(axis=0)
        return dy * self.params["gain"]


class Parts(Sequential):
    """Layers by name, and a cell and a layer that are options of their own."""

    def __init__(self, parts, last, kind=library.GRU):
        self.parts, self.last, self.kind = parts, last, kind
        super().__init__([*parts.values(), last])


class Mine(LSTM):
    pass


def a_model():
    names = ("a", ["b", 2, None, True])
    parts = {"class": Scale(3, 0.5, names), "cell": Recurrent(LEAKY, 3, 4)}
    model = Sequential(
        [
            Parts(parts, Scale(4, flag=False, precision=np.dtype("f2")), LEAKY),
            Mine(4, 2),
            Dropout(0.5),
        ]
    )
    return stirred(model)


OWN = {"cells": [LEAKY], "layers": [Parts, Scale, Mine]}


def test_layers_of_one_s_own_come_back(tmp_path):
    model = a_model()
    loaded = round_trip(model, tmp_path, **OWN)
    assert_same_model(loaded, model)
    parts, mine, _ = loaded.layers
    assert type(mine) is Mine and list(parts.parts) == ["class", "cell"] and parts.kind is LEAKY
    first = parts.parts["class"]
    assert (first.features, first.start, first.names) == (3, 0.5, ["a", ["b", 2, None, True]])
    assert describe(Scale(3, np.float32(0.5))) == describe(Scale(3, 0.5))
    assert parts.last.flag is False and parts.last.precision == np.float16
    other = a_model()
    other.flat_params[...] = 0.0
    assert_same_model(round_trip(model, tmp_path, into=other), model)


def test_bytes_and_what_they_need(tmp_path):
    model = a_model()
    cells, layers = models.own_parts(model)
    assert cells == (LEAKY,) and set(layers) == {Parts, Scale, Mine}
    assert_same_model(models.from_bytes(models.to_bytes(model), cells, layers), model)


def test_one_class_needs_no_list(tmp_path):
    model = Scale(3, dtype="float64")
    assert_same_model(round_trip(model, tmp_path, layers=Scale), model)
    assert_same_model(round_trip(model, tmp_path, layers=iter([Scale, LSTM])), model)


def test_a_class_that_is_not_given_is_named(tmp_path):
    path = tmp_path / "model.npz"
    rnnlite.save(Sequential([Dense(2, 3), Scale(3)]), path)
    says = [str(path), "layer 1: class is 'Scale'", "load(path, layers=[...]), which has "]
    assert_refused(ValueError, [*says, "has none"], rnnlite.load, path)
    assert_refused(ValueError, [*says, "has Mine"], rnnlite.load, path, layers=[Mine])
    for wrong in (["Scale"], [Scale(3)], [int]):
        fragments = ["load: layers has", "wanted classes of layers"]
        assert_refused(TypeError, fragments, rnnlite.load, path, layers=wrong)
    twin = type("Scale", (Scale,), {})
    fragments = ["two classes of the name Scale"]
    assert_refused(ValueError, fragments, rnnlite.load, path, layers=[twin, Scale])
    assert type(rnnlite.load(path, layers=[Scale, Scale]).layers[1]) is Scale


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (type("Dense", (Scale,), {})(3), "class Dense of test_saving_own_layers has the name of"),
        (Scale(3, flag=np.zeros(3)), "Scale: flag is array([0., 0., 0.]); a file holds"),
        (Scale(3, names=[1, len]), "Scale: names is <built-in function len>; a file holds"),
        (Scale(3, flag={"a": 1}), "Scale: flag is {'a': 1}; a file holds"),
        (
            Scale(3, flag={"a": Scale(3), "b": 1}),
            "Scale: flag is {'a': Scale(3, names=[]), 'b': 1}",
        ),
        (Scale(3, flag=1j), "Scale: flag is 1j; a file holds"),
    ],
    ids=["name", "array", "function", "dict", "mixed", "complex"],
)
def test_what_could_not_be_made_again_is_not_saved(tmp_path, layer, says):
    for model in (layer, Sequential([layer])):
        assert_refused(TypeError, [says], rnnlite.save, model, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_its_constructor_says_where():
    class Fussy(Scale):
        def __init__(self, features, **options):
            if features != 3:
                raise KeyError("three")
            super().__init__(features, **options)

    description = describe(Sequential([Fussy(3)]))
    description["options"]["layers"][0]["options"]["features"] = 4
    assert_refused(ValueError, ["layer 0: ", "three"], build, description, own_layers=[Fussy])


def test_a_dict_without_anything_comes_back():
    assert build(describe(Scale(3, flag={})), (), [Scale]).flag == {}


@pytest.mark.parametrize("value", [{"a": 1}, {"a": [1]}, {"class": "Scale"}, {"a": {"b": None}}])
def test_a_dict_that_holds_no_layers_is_refused(value):
    """No file of ``save`` has one: a constructor that checks nothing would keep it."""
    description = describe(Scale(3))
    description["options"]["flag"] = value
    assert_refused(
        ValueError, ["flag is {", "a dict holds layers"], build, description, (), [Scale]
    )


def test_a_file_asks_for_no_more_memory_than_it_holds():
    description = json.loads(json.dumps(describe(Parts({"a": Scale(3), "b": Scale(4)}, Scale(5)))))
    assert build(description, own_layers=[Parts, Scale], largest=12 + 64).layers
    description["options"]["parts"]["b"]["options"]["features"] = 1 << 40
    fragments = ["b: Scale: has 1,099,511,627,776 numbers; there are "]
    call = (build, description)
    assert_refused(ValueError, fragments, *call, own_layers=[Parts, Scale], largest=76)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (Parts({"a": Scale(3), "b": Mine(3, 4)}, Scale(4)), None),
        (Parts({"a": Scale(3), "b": Mine(3, 5)}, Scale(4)), "b: hidden_size is 4 in the file, 5 "),
        (Parts({"a": Scale(3), "c": Mine(3, 4)}, Scale(4)), "parts is {"),
        (Parts({"b": Mine(3, 4), "a": Scale(3)}, Scale(4)), "parts is {"),
        (Parts({"a": Scale(3), "b": LSTM(3, 4)}, Scale(4)), "b: class is Mine in the file, LSTM"),
        (Parts({"a": Scale(3), "b": Mine(3, 4)}, Scale(4, names=["x"])), "last: names is [] in "),
        (Parts({"a": Scale(3), "b": Mine(3, 4)}, Scale(4), LEAKY), "cell is 'gru' in the file, "),
    ],
    ids=["same", "inside", "name", "order", "class", "option", "cell"],
)
def test_the_first_difference_is_a_sentence(other, sentence):
    model = Parts({"a": Scale(3), "b": Mine(3, 4)}, Scale(4))
    found = difference(describe(model), describe(other))
    assert found is sentence if sentence is None else found.startswith(sentence), found


def test_a_run_goes_on_from_a_checkpoint(tmp_path):
    def train(path, epochs, **options):
        rng, model = np.random.default_rng(0), Sequential([Scale(3), Mine(3, 2, seed=0)])
        x, y = rng.normal(size=(8, 5, 3)).astype("f4"), rng.integers(0, 2, 8)
        rnnlite.fit(model, x, y, epochs=epochs, batch_size=4, checkpoint=path, **options)
        return model

    whole, path = train(tmp_path / "whole.npz", 2), tmp_path / "run.npz"
    train(path, 1)
    resumed = train(path, 2, resume=True)
    assert_same_bits("weights", resumed.flat_params, whole.flat_params)
    assert_same_model(rnnlite.load(path, layers=[Scale, Mine]), whole)


class Block(Layer):
    """Layers inside that are no options: its constructor makes them."""

    def __init__(self, size, dtype="float32"):
        super().__init__((), dtype, {"a": Dense(size, size), "b": Scale(size)})
        self.size = size


def test_a_group_and_layers_that_a_constructor_makes(tmp_path):
    model = stirred(
        Group(encoder=Sequential([Block(3), LSTM(3, 4)]), decoder=Recurrent(LEAKY, 4, 2))
    )
    loaded = round_trip(model, tmp_path, cells=[LEAKY], layers=[Block])
    assert_same_model(loaded, model)
    assert models.own_parts(model) == ((LEAKY,), (Block, Scale))
    twin = pickle.loads(pickle.dumps(model))
    assert_same_model(twin, model)
    assert identity(twin.decoder.cell) == identity(LEAKY)
