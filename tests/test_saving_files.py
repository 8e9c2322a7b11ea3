"""Files of arrays: what was written comes back, and anything else is refused, unread and unrun."""

import hashlib
import io
import json
import os
import pickle
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
from array_files import ARRAYS, BAD_NAMES, HEADER, KINDS, bytes_of, forged, refused, signed
from conftest import assert_refused, assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import rnnlite
from rnnlite.saving import CorruptFile, container, previous_path
from rnnlite.saving import header as headers
from rnnlite.saving.container import DIGEST

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


# ---- damage --------------------------------------------------------------------------------


def test_every_byte_counts(path):
    """Any byte of a model's file changed in any of four ways: refused."""
    rnnlite.save(rnnlite.Dropout(0.5, seed=0), path)  # the state of its generator, too
    content = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for position, byte in enumerate(content):
            for change in (0x01, 0x20, 0x80, 0xFF):
                file.seek(position)
                file.write(bytes([byte ^ change]))
                with pytest.raises(CorruptFile):
                    rnnlite.load(path)
            file.seek(position)
            file.write(bytes([byte]))
    rnnlite.load(path)


def refused_in_memory(content):
    with pytest.raises(CorruptFile):
        container.parse(io.BytesIO(content), KINDS)


def test_every_byte_counts_even_if_the_digest_is_made_anew(path):
    """Nothing but the digest of another content would be accepted: there is no byte to hide in."""
    body = bytes_of(path, {"a": 1}, {"a": np.arange(3, dtype=np.uint8)})[:-DIGEST]
    for position in range(len(body)):
        damaged = bytearray(body)
        damaged[position] ^= 0x01
        refused_in_memory(signed(bytes(damaged)))


def test_a_file_cut_short_anywhere_is_refused(path):
    content = bytes_of(path)
    for length in reversed(range(len(content))):
        os.truncate(path, length)
        fragment = "it is empty" if length == 0 else "damaged or cut short"
        assert_refused(CorruptFile, [str(path), fragment], container.read, path, KINDS)
        if length != len(content) - DIGEST:
            refused_in_memory(signed(content[:length]))


@pytest.mark.parametrize("extra", [b"\0", b"0", b"\n", b"PK\5\6" + bytes(18), b"x" * 5000])
def test_a_file_with_more_at_an_end_is_refused(path, extra):
    content = bytes_of(path)
    refused(path, content + extra, ["damaged"])
    refused(path, extra + content)
    refused(path, signed(content[:-DIGEST] + extra), ["its header lists arrays that need"])
    refused(path, signed(content + extra), ["its header lists arrays that need"])
    refused(path, content + content)


def test_damage_is_told_from_a_file_of_another_version(path):
    content = bytes_of(path).replace(b'"version":1', b'"version":2')
    refused(path, content, ["damaged"])


def test_the_older_file_is_named(path):
    content = bytes_of(path)
    container.write(path, "model", HEADER, ARRAYS, keep_previous=True)
    refused(path, content[:-5], [f"; the file before it is {previous_path(path)}"])
    container.read(previous_path(path), KINDS)


@given(data=st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"PK\3\4" + tail))
@settings(max_examples=100)
def test_noise_is_refused(tmp_path_factory, data):
    refused(tmp_path_factory.getbasetemp() / "noise", data)


@pytest.mark.parametrize("reads", range(6))
def test_a_file_that_shrinks_while_it_is_read_is_refused(path, reads):
    class Shrinking(io.BytesIO):
        """Loses its end before one of the reads."""

        left = reads

        def shrink(self):
            self.left -= 1
            if self.left < 0:
                self.truncate(len(content) - 20)

        def read(self, count):
            self.shrink()
            return super().read(count)

        def readinto(self, memory):
            self.shrink()
            return super().readinto(memory)

    content = bytes_of(path)
    with pytest.raises(CorruptFile, match="damaged or cut short"):
        container.parse(Shrinking(content), KINDS)
    container.parse(io.BytesIO(content), KINDS)


# ---- other files ---------------------------------------------------------------------------


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return open, (self.marker, "x")


def test_a_pickle_in_disguise_is_not_run(path, tmp_path):
    marker = tmp_path / "marker"
    objects = np.array([Payload(marker)], object)
    raw = [pickle.dumps(Payload(marker), protocol) for protocol in range(6)]
    for content in raw:  # it does what it should not
        pickle.loads(content).close()
        marker.unlink()
    for content in raw[2:]:
        refused(path, content, ["a pickle"])
    for content in raw[:2]:
        refused(path, content, ["rnnlite did not write it"])
    npz, npy = io.BytesIO(), io.BytesIO()
    np.savez(npz, **{"params/W": objects})
    np.save(npy, objects)
    refused(path, npz.getvalue(), ["though it is a zip"])
    refused(path, npy.getvalue(), ["rnnlite did not write it"])
    # The same in a file that is one of rnnlite in all else, and says it is of numbers, or is not.
    member = npy.getvalue()
    for kind, shape in (("float64", [1]), ("uint8", [len(member) - 128]), ("object", [1])):
        refused(path, forged([["a", kind, shape]], [("a.npy", [member])]))
    assert not marker.exists()
    assert set(tmp_path.iterdir()) == {path}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_from_elsewhere_is_refused(path, save):
    save(path, a=np.zeros(3))
    refused(path, path.read_bytes(), ["rnnlite did not write it, though it is a zip"])


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "it is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "it begins 894844460d0a1a0a"),
        (b"<html>", "it begins 3c68746d6c3e"),
        (b"x", "it begins 78"),
        (b"PK\5\6" + bytes(18), "a zip"),
    ],
    ids=["empty", "hdf5", "html", "one byte", "empty zip"],
)
def test_another_file_is_refused(path, content, fragment):
    refused(path, content, [fragment])


def test_a_folder_is_refused(tmp_path):
    assert_refused(CorruptFile, [str(tmp_path), "a folder"], container.read, tmp_path, KINDS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(path):
    os.mkfifo(path)
    assert_refused(CorruptFile, [str(path), "pipe"], container.read, path, KINDS)


def test_a_device_without_end_is_refused():
    if not os.path.exists("/dev/zero"):  # noqa: PTH110
        pytest.skip("this system has no /dev/zero")
    assert_refused(CorruptFile, ["/dev/zero", "a device"], container.read, "/dev/zero", KINDS)


def test_a_missing_file_and_a_forbidden_one_stay_what_they_are(path):
    with pytest.raises(FileNotFoundError, match=re.escape(path.name)):
        container.read(path, KINDS)


def test_another_kind_is_refused(path):
    container.write(path, "checkpoint", {}, {})
    refused(path, path.read_bytes(), ["its kind is 'checkpoint'; wanted 'model'"])
    assert container.read(path, "checkpoint")[0] == "checkpoint"
    assert container.read(path, ("model", "checkpoint"))[0] == "checkpoint"
    with pytest.raises(CorruptFile, match="'check'"):
        container.read(path, "check")
