"""Models in files: what comes back is the model, and only models of the library are saved."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_models import (
    LEAKY,
    assert_same_model,
    assert_same_outputs,
    model_of_version_1,
    round_trip,
    stirred,
)

import rnnlite
from rnnlite import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Recurrent,
    Sequential,
)
from rnnlite import cells as library
from rnnlite.saving import CorruptFile, container, models
from rnnlite.saving.architecture import describe, difference

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")

# ---- round trips ----------------------------------------------------------------------------

# name: a layer for x (B, T, 3), with all that is not the default.
RECURRENT = {
    "lstm": lambda **k: LSTM(3, 5, **k),
    "lstm-forget-bias": lambda **k: LSTM(3, 5, forget_bias=-0.25, **k),
    "lstm-peephole": lambda **k: LSTM(3, 5, peephole=True, **k),
    "lstm-clip": lambda **k: LSTM(3, 5, clip=0.6, **k),
    "lstm-peephole-clip": lambda **k: LSTM(3, 5, peephole=True, clip=0.6, **k),
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


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    "make",
    [  # what no other test has compiled takes seconds
        pytest.param(make, marks=pytest.mark.long if name in ("lstm-peephole", "lstm-clip") else ())
        for name, make in RECURRENT.items()
    ],
    ids=RECURRENT,
)
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
    [
        Dense(3, 2),
        Embedding(4, 3),
        Dropout(0.25),
        Flatten(),
        Sequential([Dropout(0.5), Dropout(0.1)]),
    ],
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


# ---- models of all kinds --------------------------------------------------------------------

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
def stacks(draw, dtype, depth=2, width=3):
    layers = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 5 if depth else 4))
        if kind == 0:
            layers.append(Dense(width, draw(sizes), dtype=dtype))
        elif kind == 1:
            layers.append(Embedding(draw(sizes), draw(sizes), dtype=dtype))
        elif kind == 2:
            layers.append(Dropout(draw(shares), per_sequence=draw(st.booleans()), dtype=dtype))
        elif kind == 3:
            layers.append(draw(recurrent_layers(dtype, width, draw(st.booleans()))))
        elif kind == 4:
            layer = draw(recurrent_layers(dtype, width, False))
            layers.append(Bidirectional(layer, merge=draw(st.sampled_from(["concat", "sum"]))))
        else:
            layers.append(draw(stacks(dtype, depth - 1, width)))
        width = layers[-1].output_features(width)
    return Sequential(layers)


@pytest.mark.long
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


NO_MODELS = {"text": "model", "none": None, "optimizer": rnnlite.Adam(Dense(2, 2)), "class": LSTM}


@pytest.mark.parametrize("model", NO_MODELS.values(), ids=NO_MODELS)
def test_only_models_are_saved(tmp_path, model):
    assert_refused(TypeError, ["is not a layer"], rnnlite.save, model, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


# ---- the file -------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        rnnlite.load(tmp_path / "nothing.npz")


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "data.npz"
    container.write(path, "data", {}, {})
    assert_refused(CorruptFile, [str(path), "'data'", "'model'"], rnnlite.load, path)


def test_a_file_of_an_earlier_version_is_the_same_model():
    path, model = Path(__file__).parent / "model_version_1.npz", model_of_version_1()
    loaded = rnnlite.load(path, cells=[LEAKY])
    assert_same_model(loaded, model)
    into = model_of_version_1()
    into.flat_params[...] = 0.0
    assert_same_model(rnnlite.load(path, into=into), model)
    assert_refused(ValueError, ["layer 2: cell is 'leaky'", "has none"], rnnlite.load, path)


def test_bytes_in_memory_are_those_of_a_file(tmp_path):
    model = model_of_version_1()
    rnnlite.save(model, tmp_path / "model.npz")
    content = models.to_bytes(model)
    assert content == (tmp_path / "model.npz").read_bytes()
    assert_same_model(models.from_bytes(content, cells=[LEAKY]), model)
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 1
    assert_refused(CorruptFile, ["damaged"], models.from_bytes, bytes(damaged), cells=[LEAKY])
    assert models.own_parts(model) == ((LEAKY,), ())
    assert models.own_parts(Sequential([LSTM(2, 3, clip=0.5), Dense(3, 1)])) == ((), ())


@pytest.mark.parametrize("path", [None, 3, b"model.npz", ["model.npz"]])
def test_a_path_is_a_text(path):
    assert_refused(TypeError, ["path is "], rnnlite.load, path)
    assert_refused(TypeError, ["path is "], rnnlite.save, Dense(2, 2), path)


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_is_a_name(path):
    assert_refused(ValueError, ["path is "], rnnlite.load, path)
    assert_refused(ValueError, ["path is "], rnnlite.save, Dense(2, 2), path)
