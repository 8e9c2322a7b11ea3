"""Files of arrays: what was written comes back, and what cannot be is not written."""

import hashlib
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from array_files import ARRAYS, BAD_NAMES, HEADER, KINDS, bytes_of
from conftest import assert_refused, assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from rnnlite.saving import container
from rnnlite.saving import header as headers

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.npz"


# ---- what was written comes back -----------------------------------------------------------


def test_header_and_arrays_come_back(path):
    container.write(path, "model", HEADER, ARRAYS)
    kind, header, arrays = container.read(path, KINDS)
    assert kind == "model" and header == HEADER
    assert json.dumps(header) == json.dumps(HEADER), "the order of the keys too"
    assert list(arrays) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert_same_bits(name, arrays[name], array)
        assert arrays[name].flags.owndata and arrays[name].flags.writeable


@pytest.mark.parametrize("dtype", sorted(headers.TYPES))
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3), (1,) * 32])
def test_every_type_and_shape_comes_back(path, dtype, order, shape):
    rng = np.random.default_rng(0)
    plain = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    plain = (plain % 2 if dtype == "bool" else plain).view(dtype).reshape(shape)
    given = plain.astype(np.dtype(dtype).newbyteorder(order))
    container.write(path, "model", {}, {"a": given})
    _, _, arrays = container.read(path, KINDS)
    assert arrays["a"].dtype == dtype and arrays["a"].dtype.isnative
    assert arrays["a"].shape == shape
    assert arrays["a"].tobytes() == plain.tobytes()
    with np.load(path, allow_pickle=False) as file:
        assert file["a"].tobytes() == given.astype(headers.TYPES[dtype]).tobytes()


@pytest.mark.long
@given(
    arrays=st.dictionaries(
        st.text(st.characters(categories=("L", "N")), min_size=1, max_size=5),
        arrays_of.arrays(
            st.sampled_from(["f4", "f8", "i8", "u1", "?"]), arrays_of.array_shapes(min_dims=0)
        ),
        max_size=4,
    ),
    header=st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
    ),
)
@settings(max_examples=60)
def test_anything_comes_back(tmp_path_factory, arrays, header):
    path = tmp_path_factory.mktemp("any") / "file.npz"
    content = bytes_of(path, header, arrays)
    _, found_header, found = container.read(path, KINDS)
    assert found_header == header and set(found) == set(arrays)
    for name, array in arrays.items():
        assert_same_bits(name, found[name], array)
    again = bytes_of(path, found_header, dict(reversed(found.items())))
    assert again == content, "the same arrays and header are the same bytes"
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.comment == content[-len(file.comment) :]


def test_arrays_of_any_layout_come_back(path):
    whole = np.arange(24.0).reshape(4, 6)
    given = {
        "columns": np.asfortranarray(whole), "transposed": whole.T, "strided": whole[::-2, 1::3],
        "readonly": np.frombuffer(whole.tobytes()), "broadcast": np.broadcast_to(1.5, (3, 2)),
        "number": np.float32(2.5), "list": [1, 2],
    }  # fmt: skip
    container.write(path, "model", {}, given)
    _, _, arrays = container.read(path, KINDS)
    for name, array in given.items():
        assert_same_bits(name, arrays[name], np.asarray(array))
        assert arrays[name].flags.c_contiguous


def test_the_bytes_are_these(path):
    """The format itself: a change of it needs another version."""
    container.write(path, "model", {"a": [1.5]}, {"n": np.array([258], np.int16)})
    text = (
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[["n","int16",[1]]],'
        b'"header":{"a":[1.5]}}'
    )
    content = path.read_bytes()
    assert content[30:42] == b"rnnlite.json" and content[62 : 62 + len(text)] == text
    assert hashlib.sha256(content).hexdigest()[:16] == "f7665c852f7b33c0"


def test_neither_time_nor_order_is_in_the_file(tmp_path):
    first = bytes_of(tmp_path / "a")
    os.utime(tmp_path / "a", (1, 1))
    assert bytes_of(tmp_path / "b", arrays=dict(reversed(ARRAYS.items()))) == first


def test_large_arrays_are_neither_copied_nor_held_twice(path):
    array = np.arange(1 << 21, dtype=np.float64)  # 16 MiB
    tracemalloc.start()
    try:
        container.write(path, "model", {}, {"a": array})
        writing = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        _, _, arrays = container.read(path, KINDS)
        reading = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(arrays["a"], array)
    assert writing < 4 << 20
    assert reading < array.nbytes + (4 << 20)


# ---- what cannot be written ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.array([None, {}], object), "object"),
        (np.array(["a"]), "<U1"),
        (np.array([b"a"]), "|S1"),
        (np.array([1j]), "complex128"),
        (np.zeros(2, [("a", "f4")]), "a"),
        (np.array(["2020-01-01"], "M8[D]"), "datetime64"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_only_numbers_are_written(path, array, dtype):
    arrays = {"good": np.zeros(2), "bad": array}
    fragments = ["save: arrays['bad'] holds", dtype, "real numbers"]
    assert_refused(TypeError, fragments, container.write, path, "model", {}, arrays)
    assert not path.exists()


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:9])
def test_names_are_those_of_files(path, name):
    call = (container.write, path, "model", {}, {name: np.zeros(1)})
    assert_refused(ValueError, ["save: arrays has the name", repr(name)], *call)
    assert not path.exists()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": [1, {2}]}, "header['a'][1] is of type set; wanted what JSON holds"),
        ({"a": np.int64(3)}, "header['a'] is of type int64; wanted what JSON holds"),
        ({"a": {1: 2}}, "header['a'] has the key 1; wanted a str"),
        ({"a": b"x"}, "header['a'] is of type bytes"),
        ([], "header is of type list; wanted a dict"),
    ],
    ids=range(5),
)
def test_the_header_is_what_json_holds(path, header, message):
    assert_refused(TypeError, [message], container.write, path, "model", header, {})
    assert not path.exists()


def nested(depth):
    return {"a": 1} if depth == 1 else {"a": nested(depth - 1)}


def test_the_header_has_a_depth_and_a_size_that_can_be_read_again(path, monkeypatch):
    container.write(path, "model", nested(headers.DEEPEST), {})
    assert container.read(path, KINDS)[1] == nested(headers.DEEPEST)
    call = (container.write, path, "model", nested(headers.DEEPEST + 1), {})
    assert_refused(TypeError, ["more than 100 lists"], *call)
    monkeypatch.setattr(headers, "LARGEST", 200)
    call = (container.write, path, "model", {"a": "x" * 200}, {})
    assert_refused(ValueError, ["header takes", "200"], *call)


@pytest.mark.parametrize("kind", [None, "", 3])
def test_the_kind_is_a_text(path, kind):
    assert_refused(TypeError, ["kind is"], container.write, path, kind, {}, {})


def test_an_array_that_changes_while_it_is_written_is_not_written(path, monkeypatch):
    before = bytes_of(path)
    array = np.zeros(1 << 19)
    local = container._local

    def meanwhile(*member):  # after the checksum, before the bytes
        array[-1] += 1
        return local(*member)

    monkeypatch.setattr(container, "_local", meanwhile)
    call = (container.write, path, "model", {}, {"a": array})
    assert_refused(RuntimeError, ["a.npy changed while it was written"], *call)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
