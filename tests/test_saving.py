"""Models in files: what comes back is the model, and nothing else ever does."""

import inspect
import json
import os

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnlite
from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Dropout, Embedding, Recurrent, Sequential
from rnnlite import cells as library
from rnnlite.cells.functions import tanh
from rnnlite.saving import CorruptFile, container, models
from rnnlite.saving.architecture import CLASSES, build, describe, difference
from rnnlite.saving.random_states import random_states


@pytest.fixture(autouse=True, scope="module")
def _no_waiting_for_the_disk():
    """Whether files survive a crash is asked in test_saving_atomic.py; here it takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def _step(z, state):
    h = 0.9 * state[0] + 0.1 * tanh(z[0])
    return (h,), (h,)


def _step_backward(dstate, kept, state, new_state):
    g = (new_state[0] - 0.9 * state[0]) * 10.0
    return (dstate[0] * 0.1 * (1.0 - g * g),), (dstate[0] * 0.9,)


def leaky(name="leaky", **options):
    return rnnlite.custom_cell(
        name, _step, _step_backward, gates=["h"], kept=["h"], compiled=False, **options
    )


LEAKY = leaky()

# name: a layer for x (B, T, 3), with all that is not the default.
RECURRENT = {
    "lstm": lambda **k: LSTM(3, 5, **k),
    "lstm-forget-bias": lambda **k: LSTM(3, 5, forget_bias=-0.25, **k),
    "lstm-peephole": lambda **k: LSTM(3, 5, peephole=True, **k),
    "lstm-clip": lambda **k: LSTM(3, 5, clip=0.4, **k),
    "lstm-peephole-clip": lambda **k: LSTM(3, 5, peephole=True, clip=0.4, **k),
    "rnn-tanh": lambda **k: RNN(3, 5, **k),
    "rnn-relu": lambda **k: RNN(3, 5, activation="relu", wh_init="identity", **k),
    "gru": lambda **k: GRU(3, 5, wx_init="he_normal", **k),
    "gru-2014": lambda **k: GRU(3, 5, reset_after=False, **k),
    "own-cell": lambda **k: Recurrent(LEAKY, 3, 5, **k),
    "cell-by-name": lambda **k: Recurrent(library.GRU_2014, 3, 5, **k),
}
OPTIONS = {
    "plain": {},
    "sequences": {"return_sequences": True},
    "backwards": {"go_backwards": True},
    "dropout": {"recurrent_dropout": 0.4},
}


def stirred(model, seed=0):
    """The model with other weights than the initial ones, and some masks drawn."""
    rng = np.random.default_rng(seed)
    for array in model.params.values():
        array += rng.normal(0.0, 0.3, array.shape)
    for layer in [model, *getattr(model, "layers", ())]:
        if hasattr(layer, "_rng"):
            layer._rng.random(3, dtype=np.float32)
    return model


def round_trip(model, folder, **options):
    path = folder / "model.npz"
    rnnlite.save(model, path)
    return rnnlite.load(path, **options)


def assert_same_model(loaded, model):
    assert type(loaded) is type(model) and loaded is not model
    assert describe(loaded) == describe(model)
    assert repr(loaded) == repr(model)
    assert loaded.dtype == model.dtype
    assert list(loaded.params) == list(model.params)
    for name, array in model.params.items():
        assert_same_bits(name, loaded.params[name], array)
        assert not np.shares_memory(loaded.params[name], array)
    states = random_states(model)
    assert random_states(loaded) == states


def assert_same_outputs(loaded, model, x):
    for training in (False, True, True):
        expected = model.forward(x, training=training).copy()
        assert_same_bits("output", loaded.forward(x, training=training), expected)


# ---- round trips ---------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("make", RECURRENT.values(), ids=RECURRENT)
def test_a_recurrent_layer_comes_back_with_the_same_outputs(tmp_path, make, options):
    model = stirred(make(seed=1, dtype="float64", **options))
    loaded = round_trip(model, tmp_path, cells=[LEAKY])
    assert_same_model(loaded, model)
    assert_same_outputs(loaded, model, np.random.default_rng(2).normal(size=(2, 4, 3)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_a_model_comes_back_with_the_same_outputs(tmp_path, dtype, merge):
    inner = LSTM(3, 5, recurrent_dropout=0.2, return_sequences=True, dtype=dtype, seed=0)
    width = 10 if merge == "concat" else 5
    layers = [
        Embedding(7, 3, dtype=dtype, seed=1),
        Bidirectional(inner, merge=merge, seed=2),
        Sequential([Dropout(0.3, seed=3, per_sequence=True), Dropout(0.1, seed=4)]),
        LSTM(width, 5, dtype=dtype, seed=5),
        Dense(5, 2, dtype=dtype, seed=6),
    ]
    model = stirred(Sequential(layers))
    loaded = round_trip(model, tmp_path)
    assert_same_model(loaded, model)
    assert loaded.layers[2].dtype == dtype
    x = np.random.default_rng(2).integers(0, 7, (3, 4))
    assert_same_outputs(loaded, model, x)


@pytest.mark.parametrize(
    "model",
    [Dense(3, 2), Embedding(4, 3), Dropout(0.25), Sequential([Dropout(0.5), Dropout(0.1)])],
    ids=repr,
)
def test_any_layer_can_be_saved_alone(tmp_path, model):
    assert_same_model(round_trip(model, tmp_path), model)


def test_every_weight_keeps_its_bits(tmp_path):
    model = Dense(2, 4, dtype="float32")
    model.flat_params.view(np.uint32)[:8] = (
        0x7FC00001, 0xFFC12345, 0x7F800000, 0xFF800000, 0x80000000, 1, 0x7F7FFFFF, 0x7FA00000,
    )  # fmt: skip
    loaded = round_trip(model, tmp_path)
    for name, array in model.params.items():
        assert array.tobytes() == loaded.params[name].tobytes()


@pytest.mark.parametrize("name", ["model", "model.npz", "model.tar.gz", "mödel 1.npz", ".hidden"])
def test_the_path_is_taken_as_it_is(tmp_path, name):
    rnnlite.save(Dense(2, 2), str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    rnnlite.load(tmp_path / name)


def test_numpy_reads_the_weights(tmp_path):
    model = Sequential([GRU(3, 4), Dense(4, 2)])
    rnnlite.save(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert sorted(file.files) == sorted(["rnnlite.json", *models.model_arrays(model)])
        for name, array in models.model_arrays(model).items():
            assert_same_bits(name, file[name], array)
        assert json.loads(file["rnnlite.json"])["header"] == {"model": models.model_header(model)}


def test_saving_changes_nothing_and_gives_the_same_bytes(tmp_path):
    model = stirred(Sequential([LSTM(3, 4), Dropout(0.5)]))
    header, weights = models.model_header(model), model.flat_params.copy()
    for name in ("a", "b"):
        rnnlite.save(model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert models.model_header(model) == header
    assert_same_bits("weights", model.flat_params, weights)


def test_a_checkpoint_is_read_as_a_model(tmp_path):
    model = stirred(Sequential([GRU(3, 4), Dropout(0.5), Dense(4, 2)]))
    header = {"position": 7, "model": models.model_header(model)}
    arrays = models.model_arrays(model) | {"optimizer/m.0.Wx": np.zeros((3, 12))}
    container.write(tmp_path / "run.npz", "checkpoint", header, arrays)
    assert_same_model(rnnlite.load(tmp_path / "run.npz"), model)


# ---- architectures of all kinds ------------------------------------------------------------

sizes = st.integers(1, 4)
shares = st.sampled_from([0.0, 0.5, 1 / 3])
dtypes = st.sampled_from(["float32", "float64"])


@st.composite
def recurrent_layers(draw, dtype, I, go_backwards):
    H = draw(sizes)
    options = {
        "return_sequences": True,
        "dtype": dtype,
        "go_backwards": go_backwards,
        "recurrent_dropout": draw(shares),
        "wx_init": draw(st.sampled_from(["glorot_uniform", "normal", "zeros"])),
        "wh_init": draw(st.sampled_from(["orthogonal", "identity", "uniform_pytorch"])),
    }
    match draw(st.integers(0, 3)):
        case 0:
            options["forget_bias"] = draw(st.floats(-1e6, 1e6))
            options["peephole"] = draw(st.booleans())
            options["clip"] = draw(st.sampled_from([None, 0.4, 1e-300, 3]))
            return LSTM(I, H, **options)
        case 1:
            return RNN(I, H, activation=draw(st.sampled_from(["tanh", "relu"])), **options)
        case 2:
            return GRU(I, H, reset_after=draw(st.booleans()), **options)
    cells = [LEAKY, *library.RNN.values(), library.LSTM, library.GRU, library.GRU_2014]
    cells += [library.peephole_lstm(), library.peephole_lstm(0.4), library.clipped_lstm(0.4)]
    return Recurrent(draw(st.sampled_from(cells)), I, H, **options)


@st.composite
def stacks(draw, dtype, depth=2):
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 5 if depth else 4))
        if kind == 0:
            layers.append(Dense(draw(sizes), draw(sizes), dtype=dtype))
        elif kind == 1:
            layers.append(Embedding(draw(sizes), draw(sizes), dtype=dtype))
        elif kind == 2:
            layers.append(Dropout(draw(shares), per_sequence=draw(st.booleans()), dtype=dtype))
        elif kind == 3:
            layers.append(draw(recurrent_layers(dtype, draw(sizes), draw(st.booleans()))))
        elif kind == 4:
            layer = draw(recurrent_layers(dtype, draw(sizes), False))
            layers.append(Bidirectional(layer, merge=draw(st.sampled_from(["concat", "sum"]))))
        else:
            layers.append(draw(stacks(dtype, depth - 1)))
    return Sequential(layers)


@given(model=dtypes.flatmap(stacks))
@settings(max_examples=60)
def test_any_architecture_comes_back(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("any")
    stirred(model)
    loaded = round_trip(model, folder, cells=[LEAKY])
    assert_same_model(loaded, model)
    assert difference(describe(loaded), describe(model)) is None
    rnnlite.save(loaded, folder / "again.npz")
    assert (folder / "again.npz").read_bytes() == (folder / "model.npz").read_bytes()


def arguments(cls):
    """All arguments of a layer's constructor, those of its bases behind ``**options`` too."""
    found = inspect.signature(cls.__init__).parameters
    names = [name for name, p in found.items() if p.kind is not p.VAR_KEYWORD]
    if len(names) < len(found):
        base = inspect.signature(cls.__mro__[1].__init__).parameters.values()
        names += [p.name for p in base if p.kind is p.KEYWORD_ONLY]
    return set(names) - {"self", "seed"}


def test_every_layer_of_the_library_can_be_described():
    assert set(CLASSES) == set(rnnlite.layers.__all__) - {"Layer"}


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_a_description_holds_every_argument_of_the_constructor(cls):
    assert set(cls._options) == arguments(cls)
    assert len(cls._options) == len(set(cls._options))


SMALL = {
    "LSTM": LSTM(3, 4),
    "RNN": RNN(3, 4),
    "GRU": GRU(3, 4),
    "Recurrent": Recurrent(library.LSTM, 3, 4),
    "Dense": Dense(3, 4),
    "Embedding": Embedding(3, 4),
    "Dropout": Dropout(0.25),
    "Bidirectional": Bidirectional(GRU(3, 4)),
    "Sequential": Sequential([GRU(3, 4)]),
}
# Another value for each option, as a file has it.
OTHER = {
    "activation": "relu",
    "cell": "gru-2014",
    "clip": 0.5,
    "dim": 9,
    "dtype": "float64",
    "forget_bias": 2.5,
    "go_backwards": True,
    "hidden_size": 9,
    "in_features": 9,
    "input_size": 9,
    "layer": describe(GRU(3, 9)),
    "layers": [describe(GRU(3, 9))],
    "merge": "sum",
    "num_embeddings": 9,
    "out_features": 9,
    "peephole": True,
    "per_sequence": True,
    "rate": 0.5,
    "recurrent_dropout": 0.5,
    "reset_after": False,
    "return_sequences": True,
    "w_init": "he_normal",
    "wh_init": "identity",
    "wx_init": "normal",
}
every_option = pytest.mark.parametrize(
    ("name", "option"), [(name, key) for name in CLASSES for key in CLASSES[name]._options]
)


@every_option
def test_every_option_is_built_and_told_apart(name, option):
    description = describe(SMALL[name])
    changed = json.loads(json.dumps(description))
    changed["options"][option] = OTHER[option]
    built = build(changed)
    assert describe(built) == changed != description
    sentence = difference(changed, description)
    part = "hidden_size is 9 in the file, 4 in the model"
    part = {"layer": f"layer: {part}", "layers": f"layer 0: {part}"}.get(option, f"{option} is ")
    assert sentence.startswith(part) and "in the file, " in sentence, sentence
    assert json.loads(json.dumps(changed)) == changed


@every_option
def test_a_missing_option_and_an_option_of_another_kind_are_told(name, option):
    description = describe(SMALL[name])
    options = dict(description["options"])
    del options[option]
    lacking = {"class": name, "options": options}
    assert_refused(ValueError, [name, "lacks", option], build, lacking)
    for value in ({"a": 1}, [1], "no such", -7.5, [[]] * 1000):
        wrong = {"class": name, "options": description["options"] | {option: value}}
        if option == "forget_bias" and value == -7.5:
            continue
        with pytest.raises(ValueError, match=r"\w") as raised:
            build(wrong)
        assert len(str(raised.value)) < 400
        assert difference(wrong, description) if option not in ("layer", "layers") else True


HOSTILE = [
    None, 3, "LSTM", [], {}, {"class": "LSTM"}, {"class": "LSTM", "options": []},
    {"class": "Layer", "options": {}}, {"class": "RandomLayer", "options": {}},
    {"class": "Adam", "options": {}}, {"class": "os.system", "options": {"command": "true"}},
    {"class": "__class__", "options": {}}, {"class": ["LSTM"], "options": {}},
    {"class": "Dropout", "options": {"rate": 0.5, "per_sequence": False, "dtype": "float16"}},
    {"class": "Dropout", "options": {"rate": 10**400, "per_sequence": False, "dtype": "float32"}},
    {"class": "Dropout", "options": {"rate": 0, "per_sequence": False, "dtype": "f4,f4", "x": 1}},
    {"class": "Dropout", "options": {"rate": float("nan"), "per_sequence": 0, "dtype": "float32"}},
    {"class": "Sequential", "options": {"layers": []}},
    {"class": "Sequential", "options": {"layers": describe(Dense(1, 1))}},
    {"class": "Sequential", "options": {"layers": [None]}},
    {"class": "Bidirectional", "options": {"layer": describe(Dense(1, 1)), "merge": "sum"}},
    {"class": "Dense", "options": {"in_features": 1, "out_features": 1, "dtype": "float32",
                                   "seed": 1}},
    {"class": "Dense", "options": {"in_features": 1, "out_features": 1, "dtype": "float32",
                                   "__init__": 1}},
]  # fmt: skip


@pytest.mark.parametrize("description", HOSTILE, ids=lambda value: str(value)[:50])
def test_only_descriptions_of_layers_build_something(description):
    with pytest.raises(ValueError, match=r"\w"):
        build(description)


@pytest.mark.parametrize(
    ("description", "fragments"),
    [
        ({"class": "LSTMM", "options": {}}, ["class is 'LSTMM'", "LSTM, RNN"]),
        ({"class": "Dropout", "options": {"rate": 1}}, ["Dropout lacks", "'per_sequence'"]),
        (
            {"class": "Sequential", "options": {"layers": [{"class": "X", "options": {}}]}},
            ["layer 0: class is 'X'"],
        ),
        (
            {"class": "Sequential", "options": {"layers": [], "more": 1}},
            ["Sequential does not have the option 'more'"],
        ),
    ],
    ids=["class", "lacks", "place", "extra"],
)
def test_the_message_says_what_is_wrong_and_where(description, fragments):
    assert_refused(ValueError, fragments, build, description)


def test_a_nested_layer_s_own_complaint_says_where_it_is():
    model = Sequential([Dropout(0.5), Bidirectional(LSTM(3, 4))])
    description = describe(model)
    description["options"]["layers"][1]["options"]["layer"]["options"]["hidden_size"] = "four"
    fragments = ["layer 1: layer: LSTM: hidden_size is 'four'; it must be a whole number"]
    assert_refused(ValueError, fragments, build, description)


def test_a_model_takes_no_more_memory_than_it_may():
    description = describe(Sequential([Dense(9, 10), LSTM(1, 1)]))
    assert build(description, largest=112).num_params() == 112
    fragments = ["layer 1: LSTM: has 12 numbers; there are 11 for it"]
    assert_refused(ValueError, fragments, build, description, largest=111)
    for name, sizes in (("Embedding", ["num_embeddings", "dim"]), ("GRU", ["hidden_size"])):
        huge = describe(SMALL[name])
        for size in sizes:
            huge["options"][size] = 1 << 40  # their product is 0 in 64 bits
        assert_refused(ValueError, [f"{name}: has ", "there are 100"], build, huge, largest=100)


class Mine(LSTM):
    pass


@pytest.mark.parametrize(
    "model", [Mine(2, 3), Sequential([Mine(2, 3)]), "model", None, rnnlite.Adam(Dense(2, 2)), LSTM]
)
def test_only_models_of_the_library_are_saved(tmp_path, model):
    assert_refused(TypeError, ["is not a layer"], rnnlite.save, model, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


# ---- differences ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (LSTM(3, 4), LSTM(3, 4, seed=9), None),
        (LSTM(3, 64), LSTM(3, 128), "hidden_size is 64 in the file, 128 in the model"),
        (LSTM(3, 4), GRU(3, 4), "class is LSTM in the file, GRU in the model"),
        (
            Sequential([Dense(3, 4), LSTM(4, 4)]),
            Sequential([Dense(3, 4), LSTM(4, 4, dtype="float32", clip=1.5)]),
            "layer 1: clip is None in the file, 1.5 in the model",
        ),
        (
            Sequential([LSTM(3, 4), Dense(4, 2)]),
            Sequential([LSTM(3, 4), Dropout(0.5), Dense(4, 2)]),
            "there are 2 layers in the file, 3 in the model",
        ),
        (
            Sequential([Sequential([Bidirectional(RNN(3, 4))])]),
            Sequential([Sequential([Bidirectional(RNN(3, 4, activation="relu"))])]),
            "layer 0: layer 0: layer: activation is tanh in the file, relu in the model",
        ),
    ],
    ids=range(6),
)
def test_the_first_difference_is_a_sentence(first, second, sentence):
    assert difference(describe(first), describe(second)) == sentence


def test_options_that_only_one_has_are_a_difference():
    description, other = describe(Dense(2, 3)), describe(Dense(2, 3))
    del other["options"]["out_features"]
    assert difference(description, other) == "out_features is only in the file"
    assert difference(other, description) == "out_features is only in the model"


# ---- into ----------------------------------------------------------------------------------


def a_model(**options):
    layers = [LSTM(3, 4, recurrent_dropout=0.5, **options), Dropout(0.5), Dense(4, 2)]
    return stirred(Sequential(layers), seed=3)


def everything(model):
    return [model.flat_params.tobytes(), random_states(model)]


def test_into_an_existing_model(tmp_path):
    model, other = a_model(), a_model()
    params = other.params["0.Wx"]
    assert everything(model) != everything(other)
    assert round_trip(model, tmp_path, into=other) is other
    assert everything(model) == everything(other)
    assert other.params["0.Wx"] is params
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


# ---- cells of one's own --------------------------------------------------------------------


def test_a_cell_of_one_s_own_is_found_by_its_name(tmp_path):
    model = stirred(Sequential([Recurrent(LEAKY, 3, 4)]))
    path = tmp_path / "model.npz"
    rnnlite.save(model, path)
    assert describe(model)["options"]["layers"][0]["options"]["cell"] == LEAKY.name
    for cells in ([LEAKY], (leaky("other"), LEAKY), iter([LEAKY]), LEAKY):
        loaded = rnnlite.load(path, cells=cells)
        assert loaded.layers[0].cell is LEAKY
    other = leaky("other")
    fragments = [str(path), f"layer 0: cell is '{LEAKY.name}'", "cells=", "fingerprint"]
    assert_refused(ValueError, [*fragments, "has none"], rnnlite.load, path)
    assert_refused(ValueError, [*fragments, other.name], rnnlite.load, path, cells=[other])
    assert_refused(TypeError, ["cells", "'leaky'"], rnnlite.load, path, cells=["leaky"])


def test_a_model_with_the_cell_needs_no_list_of_cells(tmp_path):
    model, other = (stirred(Recurrent(LEAKY, 3, 4), seed) for seed in (1, 2))
    round_trip(model, tmp_path, into=other)
    assert everything(model) == everything(other)


@pytest.mark.parametrize("name", ["lstm-clip-", "lstm-clip-1e", "lstm-clip-nan", None, 3, "LSTM"])
def test_a_name_like_that_of_a_library_s_cell_is_none(name):
    description = describe(Recurrent(library.LSTM, 3, 4))
    description["options"]["cell"] = name
    assert_refused(ValueError, ["cell is "], build, description)


def test_parameters_of_cells_may_have_any_name_a_file_can_have(tmp_path):
    def step(z, state, p):
        return (p[0] * z[0],), (z[0],)

    def step_backward(dstate, kept, state, new_state, p):
        return (dstate[0] * p[0],), (0.0 * dstate[0],), (dstate[0] * kept[0],)

    def with_parameter(name):
        return rnnlite.custom_cell(
            "gain", step, step_backward, gates=["h"], kept=["z"], unit_params={name: 2.0},
            compiled=False,
        )  # fmt: skip

    cell = with_parameter("größe 1/γ")
    model = stirred(Recurrent(cell, 3, 4))
    assert_same_model(round_trip(model, tmp_path, cells=[cell]), model)
    path = tmp_path / "other.npz"
    for name in ("../gain", "a:b", "a\\b", "a\nb"):
        refused = Recurrent(with_parameter(name), 3, 4)
        assert_refused(ValueError, ["arrays has the name"], rnnlite.save, refused, path)
    assert not path.exists()


# ---- the file ------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        rnnlite.load(tmp_path / "nothing.npz")


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "data.npz"
    container.write(path, "data", {}, {})
    assert_refused(CorruptFile, [str(path), "'data'", "'model'"], rnnlite.load, path)


@pytest.mark.parametrize("path", [None, 3, b"model.npz", ["model.npz"]])
def test_a_path_is_a_text(path):
    assert_refused(TypeError, ["path is "], rnnlite.load, path)
    assert_refused(TypeError, ["path is "], rnnlite.save, Dense(2, 2), path)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_is_a_name(path):
    assert_refused(ValueError, ["path is "], rnnlite.load, path)
    assert_refused(ValueError, ["path is "], rnnlite.save, Dense(2, 2), path)
