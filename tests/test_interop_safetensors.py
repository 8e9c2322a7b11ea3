"""safetensors: weights by name, files that do not fit, files from anywhere, and no code in them."""

import json
import sys

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits

import rnnlite
from rnnlite import GRU, LSTM, Dense, Sequential, interop
from rnnlite.saving import CorruptFile

safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")


def model_of(seed=0, hidden=4, dtype="float32"):
    layers = [LSTM(3, hidden, seed=seed, dtype=dtype), rnnlite.Dropout(0.5, seed=seed, dtype=dtype),
              Dense(hidden, 2, seed=seed + 1, dtype=dtype)]  # fmt: skip
    return Sequential(layers)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_with_the_same_bits(path, dtype):
    model = model_of(dtype=dtype)
    interop.save_safetensors(model, path)
    first = path.read_bytes()
    loaded = interop.load_safetensors(path)
    assert repr(loaded) == repr(model) and loaded.dtype == dtype
    into = model_of(seed=5, dtype=dtype)
    assert interop.load_safetensors(path, into=into) is into
    for other in (loaded, into):
        assert_same_bits("params", other.flat_params, model.flat_params)
    x = np.ones((2, 5, 3))
    same = [m.forward(x, training=True) for m in (model, loaded)]
    assert_same_bits("of the same masks", *same)
    interop.save_safetensors(model_of(dtype=dtype), path)
    assert path.read_bytes() == first


def test_others_read_the_names_of_params(path):
    model = model_of()
    interop.save_safetensors(model, path)
    arrays = library.load_file(path)
    assert set(arrays) == {"0.Wx", "0.b", "0.Wh", "2.W", "2.b"}
    for name, array in arrays.items():
        assert_same_bits(name, array, model.params[name])


def test_a_file_of_pytorchs_names_goes_through_from_torch(path):
    model = LSTM(3, 4, seed=0)
    library.save_file(interop.to_torch(model), path)
    fragments = ["it does not say what the model is", "bias_hh_l0", "from_torch(arrays)"]
    assert_refused(ValueError, fragments, interop.load_safetensors, path)
    loaded = interop.from_torch(library.load_file(path))
    assert_same_bits("params", loaded.flat_params, model.flat_params)


def test_all_that_does_not_fit_is_in_one_sentence(path):
    arrays = {name: np.array(array) for name, array in model_of().params.items()}
    arrays["head.W"] = arrays.pop("2.W")
    arrays["0.b"] = arrays["0.b"][:-1]
    arrays["2.b"] = arrays["2.b"].astype(np.float64)
    library.save_file(arrays, path)
    into = model_of(seed=9)
    before = into.flat_params.copy()
    fragments = [
        f"load_safetensors: {path}: ", "missing: 2.W", "left over: head.W",
        "0.b has shape (15,), wanted (16,)", "2.b holds F64, wanted float32",
    ]  # fmt: skip
    assert_refused(ValueError, fragments, interop.load_safetensors, path, into=into)
    assert_same_bits("params", into.flat_params, before)


def test_a_file_whose_arrays_do_not_fit_what_it_says_of_itself_is_told_alike(path):
    interop.save_safetensors(model_of(), path)
    with safetensors.safe_open(path, "np") as file:
        arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    arrays["head.W"] = arrays.pop("2.W")
    arrays |= {"0.b": arrays["0.b"][:-1], "2.b": np.zeros(2, np.int64)}
    library.save_file(arrays, path, metadata)
    fragments = [
        f"load_safetensors: {path}: ", "missing: 2.W", "left over: head.W",
        "0.b has shape (15,), wanted (16,)", "2.b holds I64, wanted float32",
    ]  # fmt: skip
    assert_refused(CorruptFile, fragments, interop.load_safetensors, path)


def test_an_integer_array_does_not_fit(path):
    arrays = {name: np.array(array) for name, array in Dense(3, 2, seed=0).params.items()}
    library.save_file(arrays | {"b": np.zeros(2, np.int64)}, path)
    fragments = ["b holds I64, wanted float32"]
    assert_refused(ValueError, fragments, interop.load_safetensors, path, into=Dense(3, 2))


def test_narrower_numbers_are_widened(path):
    dense = Dense(3, 2, seed=0)
    half = {name: array.astype(np.float16) for name, array in dense.params.items()}
    library.save_file(half, path)
    for dtype in ("float32", "float64"):
        into = interop.load_safetensors(path, into=Dense(3, 2, dtype=dtype))
        assert_same_bits("W", into.params["W"], half["W"].astype(dtype))


def test_bfloat16_is_read_without_a_library_for_it(path):
    header = {"W": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]},
              "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}  # fmt: skip
    values = np.array([[1.5], [-0.0078125]], "<f4")
    upper = (values.view("<u4") >> 16).astype("<u2").tobytes()
    path.write_bytes(packed(header, upper + np.ones(1, "<f4").tobytes()))
    into = interop.load_safetensors(path, into=Dense(2, 1))
    assert_same_bits("W", into.params["W"], values.astype(np.float32))


def packed(header, data):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\xff" * 100, packed({}, b"more")])
def test_what_is_no_such_file_is_told(path, content):
    path.write_bytes(content)
    fragments = [str(path), "it is no safetensors file"]
    assert_refused(CorruptFile, fragments, interop.load_safetensors, path)


METADATA = {
    "no json": "{", "another": "[]", "too deep": "[" * 100_000, "empty": "{}",
    "a class": json.dumps({"architecture": {"class": "os.system", "options": {}},
                           "random_states": {}}),
    "too large": json.dumps({"architecture": {"class": "LSTM", "options": {
        **{k: v for k, v in rnnlite.saving.architecture.describe(LSTM(3, 4))["options"].items()},
        "hidden_size": 10**6}}, "random_states": {}}),
}  # fmt: skip


@pytest.mark.parametrize("about", METADATA.values(), ids=METADATA)
def test_metadata_that_describe_no_model_are_refused(path, about):
    library.save_file({"W": np.ones((2, 2), "f")}, path, metadata={"rnnlite": about})
    assert_refused(ValueError, [str(path)], interop.load_safetensors, path)


def test_layers_and_cells_of_ones_own_are_given_as_to_load(path):
    class Mine(rnnlite.Layer):
        def __init__(self, size, dtype="float32"):
            super().__init__({"w": (size,)}, dtype)
            self.size = size

    mine = Mine(3)
    mine.params["w"][...] = 2.0
    interop.save_safetensors(mine, path)
    assert_refused(ValueError, ["class is 'Mine'"], interop.load_safetensors, path)
    assert interop.load_safetensors(path, layers=[Mine]).params["w"].tolist() == [2.0] * 3


def test_what_is_no_model_is_refused(path):
    assert_refused(TypeError, ["model is of type dict"], interop.save_safetensors, {}, path)
    assert not path.exists()
    interop.save_safetensors(GRU(3, 4, seed=0), path)
    assert_refused(TypeError, ["into is of type str"], interop.load_safetensors, path, "a")


def test_without_the_package_the_command_is_told(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    fragments = ["needs the library safetensors: pip install safetensors"]
    assert_refused(ImportError, fragments, interop.save_safetensors, LSTM(3, 4), path)
    assert_refused(ImportError, fragments, interop.load_safetensors, path)
