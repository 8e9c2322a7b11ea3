"""Forged files of arrays: right in all but one thing, with a digest that fits; and bombs."""

import io
import json
import sys
import tracemalloc
import zipfile
import zlib
from typing import NamedTuple

import numpy as np
import pytest
from array_files import BAD_NAMES, KEYS, KINDS, forged, refused, signed
from conftest import assert_refused

import rnnlite
from rnnlite.saving import CorruptFile, container
from rnnlite.saving import header as headers
from rnnlite.saving.container import npy_header

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.npz"


def member(name="a", dtype="<f8", shape=(2,), data=bytes(16)):
    return f"{name}.npy", [npy_header(np.dtype(dtype), shape), data]


def test_a_forged_file_without_a_fault_is_read(path):
    path.write_bytes(forged([["a", "float64", [2]]], [member()]))
    assert container.read(path, KINDS)[2]["a"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("version", [0, 2, 10**9, "1", 1.0, True, None, [1], "x" * 10**4])
def test_another_version_is_named(path, version):
    content = forged([], [], edit=lambda found: found | {"version": version})
    wanted = ["version", repr(version)[:10], "this rnnlite reads version 1"]
    refused(path, content, [*wanted, *(["a newer"] if version in (2, 10**9) else [])])


def test_a_newer_version_is_named_whatever_else_is_new(path):
    text = b'{"version": 2, "format": "rnnlite", "more": []}'
    refused(path, forged([], [], text), ["has version 2 of the format", "a newer rnnlite"])


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        ("{}".encode("utf-16"), "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "too deep"),
        (b"1" * 5000, "not JSON"),
        (b"[]", "its format is 'rnnlite'"),
        (b"{}", "its format is 'rnnlite'"),
        (b'{"format":"numpy"}', "its format is 'rnnlite'"),
    ],
    ids=["empty", "open", "binary", "utf-16", "deep", "huge number", "list", "no format", "other"],
)
def test_a_header_that_is_not_one_is_refused(path, text, fragment):
    refused(path, forged([], [], text), [fragment])


@pytest.mark.parametrize(
    "text",
    [
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[], "header":{}}',
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[],"header":{}} ',
        b'{"format":"rnnlite","version":1,"kind":"data","kind":"model","arrays":[],"header":{}}',
        b'{"version":1,"format":"rnnlite","kind":"model","arrays":[],"header":{}}',
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[]}',
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[],"header":{},"more":1}',
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[],"header":[]}',
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":{},"header":{}}',
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[],"header":{"a":1e999}}',
        b'{"format":"rnnlite","version":1,"kind":"model","arrays":[],"header":{"a":'
        + b"[" * 150 + b"]" * 150 + b"}}",
    ],
    ids=["space", "end", "twice", "order", "lacks", "more", "list", "dict", "infinite", "deep"],
)  # fmt: skip
def test_a_header_in_another_form_is_refused(path, text):
    refused(path, forged([], [], text), ["not as rnnlite writes it"])


@pytest.mark.parametrize("kind", [None, 3, [], ["model"], "Model", ""])
def test_a_kind_that_is_none_is_refused(path, kind):
    refused(path, forged([], [], edit=lambda found: found | {"kind": kind}), ["its kind is"])


@pytest.mark.parametrize(
    "entry",
    [
        None, "a", [], ["a"], ["a", "float64"], ["a", "float64", [2], 1], {"a": 1},
        *([name, "float64", [2]] for name in BAD_NAMES if name != "\ud800"),
        *(["a", kind, [2]] for kind in (
            None, "object", "O", "<f8", "f8", "str", "complex128", "void", ["float64"], "Float64",
        )),
        *(["a", "float64", shape] for shape in (
            None, 2, "2", [-2], [2.0], [True], ["2"], [[2]], [2, -1], [1] * 33, [1 << 60],
            [0, 1 << 60, 1 << 60], [1 << 4000],
        )),
    ],
    ids=lambda entry: str(entry)[:40],
)  # fmt: skip
def test_a_listed_array_that_is_none_is_refused(path, entry):
    name = entry[0] if isinstance(entry, list) and entry and isinstance(entry[0], str) else "a"
    refused(path, forged([entry], [member(name)]), ["its header is not as rnnlite writes it"])


@pytest.mark.parametrize("names", [("a", "a"), ("b", "a"), ("a", "b", "a")])
def test_arrays_listed_twice_or_in_another_order_are_refused(path, names):
    listed = [[name, "float64", [2]] for name in names]
    refused(path, forged(listed, map(member, names)), ["its header is not as rnnlite writes it"])


A = [["a", "float64", [2]]]


@pytest.mark.parametrize(
    ("listed", "members"),
    [
        ([], [member()]),
        (A, []),
        (A, [member(), member("b")]),
        (A, [member(), member()]),
        (A, [member("b"), member()]),
        (A, [member("b")]),
        (A, [member("../a")]),
        (A, [member(data=bytes(15))]),
        (A, [member(data=bytes(17))]),
        (A, [member(shape=(2, 1))]),
        (A, [member(shape=(1 << 60,))]),
        (A, [member(dtype="<f4")]),
        (A, [member(dtype=">f8")]),
        (A, [("a.npy", [bytes(64), bytes(16)])]),
        (A, [("a.npy", [npy_header(np.dtype("<f8"), (2,)).replace(b"False", b"True "),
                        bytes(16)])]),
        (A, [("a.npy", [npy_header(np.dtype("<f8"), (2,)).replace(b"<f8", b"|O8"),
                        bytes(16)])]),
        (A, [("a.npy", [npy_header(np.dtype("<f8"), (2,)).replace(b"Y\1\0", b"Y\2\0"),
                        bytes(16)])]),
    ],
    ids=range(17),
)  # fmt: skip
def test_members_other_than_those_listed_are_refused(path, listed, members):
    refused(path, forged(listed, members))


class Member(NamedTuple):
    """What the zip says of a file in it."""

    name: str
    size: int
    crc: int
    offset: int = 0


def beginning(member):
    return container._local(*member[:3])


def ending(members, offset):
    entries = b"".join(container._entry(*member) for member in members)
    return entries + container._ending(len(members), len(entries), offset)


def rebuilt(edit_beginning=beginning, edit_ending=lambda m: m, between=b""):
    """The file of array "a" with other zip structures around the same contents."""
    text = json.dumps(dict(zip(KEYS, ("rnnlite", 1, "model", A, {}), strict=True)),
                      separators=(",", ":")).encode()  # fmt: skip
    contents = [(container.HEADER, text), ("a.npy", b"".join(member()[1]))]
    body, members = b"", []
    for name, content in contents:
        found = Member(name, len(content), zlib.crc32(content), len(body))
        body += (edit_beginning if name == "a.npy" else beginning)(found) + content
        members.append(found)
    return signed(body + between + ending(edit_ending(members), len(body + between)))


@pytest.mark.parametrize(
    "content",
    [
        rebuilt(lambda m: beginning(m._replace(crc=m.crc ^ 1))),
        rebuilt(lambda m: beginning(m._replace(size=1 << 40))),
        rebuilt(lambda m: beginning(m._replace(name="b.npy"))),
        rebuilt(lambda m: beginning(m).replace(b"\0\x08\0\0", b"\0\x08\x08\0", 1)),
        rebuilt(edit_ending=lambda m: m[:1]),
        rebuilt(edit_ending=lambda m: m[::-1]),
        rebuilt(edit_ending=lambda m: [m[0], m[1]._replace(name="../a.npy")]),
        rebuilt(edit_ending=lambda m: [m[0], m[1]._replace(crc=0)]),
        rebuilt(edit_ending=lambda m: [m[0], m[1]._replace(size=1 << 40)]),
        rebuilt(edit_ending=lambda m: [m[0], m[1]._replace(offset=0)]),
        rebuilt(edit_ending=lambda m: [*m, m[1]]),
        rebuilt(between=b"hidden"),
    ],
    ids=[
        "crc", "size", "name", "compressed", "lacks", "order", "path", "directory crc",
        "directory size", "offset", "twice", "between",
    ],
)  # fmt: skip
def test_a_zip_that_says_one_thing_twice_and_differently_is_refused(path, content):
    refused(path, content)


def test_the_unedited_zip_is_read(path):
    path.write_bytes(rebuilt())
    assert container.read(path, KINDS)[2]["a"].shape == (2,)


# ---- bombs ---------------------------------------------------------------------------------


def bombs():
    """Small files that say they are huge."""
    giga = [["a", "float64", [1 << 30]]]
    yield "the header", forged(giga, [member()])
    yield "all headers", forged(giga, [member(shape=(1 << 30,))])
    yield "the zip too", rebuilt(lambda m: beginning(m._replace(size=1 << 33)))
    text = Member(container.HEADER, headers.LARGEST, 0)
    yield "the size of the header", signed(beginning(text) + b"{}")
    text = text._replace(size=1 << 62)
    yield "an impossible header", signed(beginning(text) + b"{}")
    yield "many arrays", forged([["a", "float64", [1 << 20]]] * 1000, [])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("rnnlite.json", json.dumps({"format": "rnnlite"}))
        file.writestr("a.npy", npy_header(np.dtype("u1"), (1 << 25,)) + bytes(1 << 25))
    yield "compressed", packed.getvalue()
    yield "compressed, signed", signed(packed.getvalue())


@pytest.mark.parametrize("content", [pytest.param(c, id=name) for name, c in bombs()])
def test_a_small_file_takes_little_memory(path, content):
    assert len(content) < 100_000
    tracemalloc.start()
    try:
        refused(path, content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def peak_of(path, content, fragments):
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert_refused(CorruptFile, fragments, container.read, path, KINDS)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_header_is_bounded_before_it_is_read(path):
    text = b'["' + b"x" * headers.LARGEST + b'"]'
    content = forged([], [], text)
    fragments = [f"its header takes {len(text):,} bytes; wanted at most {headers.LARGEST:,}"]
    assert peak_of(path, content, fragments) < 3 * container.PIECE < headers.LARGEST


@pytest.mark.parametrize("part", [b"[]", b"{}", b"0.5", b'{"a":1}', b'"\\u0100"', b"[[[]]]"])
def test_the_most_that_a_header_can_hold_takes_little_memory(path, monkeypatch, part):
    monkeypatch.setattr(headers, "LARGEST", 1 << 16)
    parts = b",".join([part] * ((headers.LARGEST - 10) // (len(part) + 1)))
    before, after = b'{"format":"rnnlite","version":1,"kind":"a","arrays":[', b"]}"
    for text in (b"[" + parts + b"]", before + parts + after):
        assert peak_of(path, forged([], [], text), ["its "]) < 64 * headers.LARGEST


def calls_of(function, *arguments):
    """How many functions were called: a measure of time that is the same on every machine."""
    count = 0

    def called(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return count


MANY = {
    "layers": lambda n: rnnlite.Sequential([rnnlite.Flatten() for _ in range(n)]),
    "weights": lambda n: rnnlite.Sequential([rnnlite.Dense(1, 1, seed=0) for _ in range(n)]),
    "states": lambda n: rnnlite.Sequential([rnnlite.Dropout(0.5, seed=0) for _ in range(n)]),
    "parts": lambda n: rnnlite.Group(**{f"a{k}": rnnlite.Flatten() for k in range(n)}),
    "groups": lambda n: rnnlite.Sequential(
        [rnnlite.Sequential([rnnlite.Dense(1, 1, seed=0)]) for _ in range(n)]
    ),
}


@pytest.mark.parametrize("make", MANY.values(), ids=MANY)
def test_time_grows_as_the_number_of_layers(path, make):
    counts = []
    for number in (30, 60, 120):
        model = make(number)
        counts.append([calls_of(rnnlite.save, model, path)])
        counts[-1] += [calls_of(rnnlite.load, path), calls_of(rnnlite.load, path, model)]
    for first, second, third in zip(*counts, strict=True):
        assert third - second < 2.2 * (second - first)
