"""Files loaded into an existing model: all of it, or nothing where a part does not fit."""

import json

import numpy as np
import pytest
from conftest import assert_refused
from saved_models import assert_same_outputs, everything, round_trip, stirred

import rnnlite
from rnnlite import LSTM, Dense, Dropout, Sequential
from rnnlite.saving import container, models

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def a_model(**options):
    layers = [LSTM(3, 4, recurrent_dropout=0.5, **options), Dropout(0.5), Dense(4, 2)]
    return stirred(Sequential(layers), seed=3)


def test_into_an_existing_model(tmp_path):
    model, other = a_model(), a_model()
    params = other.params["0.Wx"]
    assert everything(model) != everything(other)
    assert round_trip(model, tmp_path, into=other) is other
    assert everything(model) == everything(other)
    assert np.shares_memory(other.params["0.Wx"], params)
    assert_same_outputs(other, model, np.ones((2, 5, 3)))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (a_model(peephole=True), "layer 0: peephole is False in the file, True in the model"),
        (LSTM(3, 4), "class is Sequential in the file, LSTM in the model"),
        (a_model(forget_bias=2), "layer 0: forget_bias is 1.0 in the file, 2.0 in the model"),
    ],
    ids=["option", "class", "initial"],
)
def test_into_another_model_loads_nothing(tmp_path, other, sentence):
    path, before = tmp_path / "model.npz", everything(other)
    rnnlite.save(a_model(), path)
    assert_refused(ValueError, [str(path), sentence], rnnlite.load, path, into=other)
    assert everything(other) == before


@pytest.mark.parametrize("into", ["model", {}, 1, rnnlite.Adam(Dense(2, 2))])
def test_into_must_be_a_model(tmp_path, into):
    rnnlite.save(Dense(2, 2), tmp_path / "model.npz")
    assert_refused(TypeError, ["is not a layer"], rnnlite.load, tmp_path / "model.npz", into=into)


def wrong_parts():
    """Headers and arrays of a_model() with one mistake each, and what is said about it."""
    model = a_model()
    good = {"model": models.model_header(model)}, models.model_arrays(model)

    def case(fragment, edit):
        header, arrays = json.loads(json.dumps(good[0])), dict(good[1])
        header = edit(header, arrays) or header
        return pytest.param(header, arrays, fragment, id=fragment)

    def state(value, position=1):
        return lambda header, _: header["model"]["random_states"].__setitem__(position, value)

    generator = models.model_header(model)["random_states"][0]["generator"]
    yield case("does not describe a model", lambda header, _: {"other": 1})
    yield case("does not describe", lambda header, _: {"model": [1]})
    yield case("not describe", lambda header, _: {"model": header["model"] | {"more": 1}})
    yield case("describe a model", lambda header, _: {"model": {"architecture": {}}})
    yield case(
        "the weight 2.W is only in the model",
        lambda _, a: a.update({"params/2.V": a.pop("params/2.W")}),
    )
    yield case(
        "the weight 3.W is only in the file", lambda _, a: a.update({"params/3.W": a["params/2.W"]})
    )
    yield case(
        "the weight 2.W is float32 (2, 4)",
        lambda _, a: a.update({"params/2.W": a["params/2.W"].T.copy()}),
    )
    yield case("the weight 2.b is float64 (2,)", lambda _, a: a.update({"params/2.b": np.zeros(2)}))
    yield case(
        "the weight 2.b is float32 (2, 1)",
        lambda _, a: a.update({"params/2.b": np.zeros((2, 1), np.float32)}),
    )
    yield case("wanted a list of 2", lambda header, _: header["model"].update(random_states=[]))
    yield case(
        "list of 2", lambda header, _: header["model"].update(random_states={"0": 1, "1": 2})
    )
    yield case("random_states[1]: Dropout.load_state_dict: state is", state(None))
    yield case("random_states[1]: Dropout.load_state_dict: state has", state({}))
    yield case("random_states[0]: LSTM.load_state_dict", state({"generator": 5}, 0))
    for key, value in (
        ("bit_generator", "MT19937"), ("state", {}), ("state", {"state": "1", "inc": 1}),
        ("state", {"state": 1 << 200, "inc": 1}), ("state", None), ("has_uint32", "a"),
        ("uinteger", 1 << 70), ("state", {"state": -1, "inc": 1}), ("uinteger", None),
    ):  # fmt: skip
        broken = {"generator": generator | {key: value}}
        yield case(f"random_states[1]: Dropout{'' if value is None else '.'}", state(broken))
    # What a generator may be, but is not the one that was saved.
    sealed = models.model_header(model)["random_states"][0]
    moved = generator | {"state": generator["state"] | {"state": 1}}
    yield case("random_states[1] was changed: crc is", state(sealed | {"generator": moved}))
    yield case("was changed: crc is 1; its state has", state(sealed | {"crc": 1}))
    yield case("was changed: crc is None", state(sealed | {"crc": None}))


@pytest.mark.parametrize(("header", "arrays", "fragment"), list(wrong_parts()))
def test_what_does_not_fit_loads_nothing(tmp_path, header, arrays, fragment):
    path, other = tmp_path / "model.npz", a_model()
    container.write(path, "model", header, arrays)
    before = everything(other)
    for into in (None, other):
        assert_refused(ValueError, [str(path), fragment], rnnlite.load, path, into=into)
    assert everything(other) == before


def test_a_small_file_cannot_ask_for_a_large_model(tmp_path):
    header = {"model": models.model_header(Sequential([Dense(3, 2)] * 1))}
    options = header["model"]["architecture"]["options"]["layers"][0]["options"]
    options |= {"in_features": 1 << 20, "out_features": 1 << 20}
    arrays = {"params/0.W": np.zeros((3, 2), np.float32), "params/0.b": np.zeros(2, np.float32)}
    container.write(tmp_path / "model.npz", "model", header, arrays)
    fragments = ["model.npz", "layer 0: Dense: has 1,099,", "there are 8"]
    assert_refused(ValueError, fragments, rnnlite.load, tmp_path / "model.npz")
