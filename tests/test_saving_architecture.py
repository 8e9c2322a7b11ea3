"""Descriptions of models: every option is told, built and compared; nothing else is built."""

import inspect
import json

import pytest
from conftest import assert_refused

import rnnlite
from rnnlite import (
    GRU,
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Group,
    LayerNorm,
    Recurrent,
    Sequential,
)
from rnnlite import cells as library
from rnnlite.saving.architecture import CLASSES, LATER, build, describe, difference

# ---- descriptions ---------------------------------------------------------------------------


def arguments(cls):
    """All arguments of a layer's constructor, those of its bases behind ``**options`` too."""
    if cls is Group:  # Group(**parts)
        return {"parts"}
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
    "Activation": Activation("tanh"),
    "LayerNorm": LayerNorm(4),
    "Flatten": Flatten(),
    "Group": Group(a=GRU(3, 4)),
    "Bidirectional": Bidirectional(GRU(3, 4)),
    "Sequential": Sequential([GRU(3, 4)]),
}
# Another value for each option, as a file has it.
OTHER = {
    "activation": "relu",
    "cell": {"cell": "gru-2014"},
    "clip": 0.5,
    "compute_dtype": "bfloat16",
    "dim": 9,
    "dtype": "float64",
    "eps": 0.5,
    "features": 9,
    "function": "relu",
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
    "padding_idx": 2,
    "parts": {"a": describe(GRU(3, 9))},
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
    places = {"layer": "layer: ", "layers": "layer 0: ", "parts": "a: "}
    part = places[option] + part if option in places else f"{option} is "
    assert sentence.startswith(part) and "in the file, " in sentence, sentence
    assert json.loads(json.dumps(changed)) == changed


@every_option
def test_a_missing_option_and_an_option_of_another_kind_are_told(name, option):
    description = describe(SMALL[name])
    options = dict(description["options"])
    del options[option]
    lacking = {"class": name, "options": options}
    if option in LATER.get(name, {}):  # files of earlier versions do without
        assert describe(build(lacking)) == description
    else:
        assert_refused(ValueError, [name, "lacks", option], build, lacking)
    for value in ({"a": 1}, [1], "no such", -7.5, [[]] * 1000):
        wrong = {"class": name, "options": description["options"] | {option: value}}
        if option == "forget_bias" and value == -7.5:
            continue
        with pytest.raises(ValueError, match=r"\w") as raised:
            build(wrong)
        assert len(str(raised.value)) < 400
        assert difference(wrong, description)


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
        ({"class": "LSTMM", "options": {}}, ["class is 'LSTMM'", "LSTM, LayerNorm, RNN"]),
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
    description = describe(Sequential([Dense(9, 1), LSTM(1, 1)]))
    assert build(description, largest=22).num_params() == 22
    fragments = ["layer 1: LSTM: has 12 numbers; there are 11 for it"]
    assert_refused(ValueError, fragments, build, description, largest=21)
    for name, sizes in (("Embedding", ["num_embeddings", "dim"]), ("GRU", ["hidden_size"])):
        huge = describe(SMALL[name])
        for size in sizes:
            huge["options"][size] = 1 << 40  # their product is 0 in 64 bits
        assert_refused(ValueError, [f"{name}: has ", "there are 100"], build, huge, largest=100)


# ---- differences ----------------------------------------------------------------------------


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


def test_a_list_of_layers_and_numbers_is_compared_part_by_part():
    def described(features):
        part = {"class": "Part", "options": {"in_features": features}}
        return {"class": "Own", "options": {"parts": [part, 3]}}

    found = difference(described(4), described(5))
    assert found == "layer 0: in_features is 4 in the file, 5 in the model"
    assert difference(described(4), described(4)) is None


@pytest.mark.parametrize(("length", "dots"), [(80, ""), (81, "...")])
def test_what_is_long_is_cut_and_what_fits_is_not(length, dots):
    inside, own = ({"class": name, "options": {}} for name in ("x" * length, "Dense"))
    found = difference(inside, own)
    assert found == f"class is {'x' * 80}{dots} in the file, Dense in the model"
