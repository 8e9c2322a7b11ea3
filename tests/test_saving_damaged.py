"""Files that are damaged, or are something else, are refused, unread and unrun."""

import io
import os
import pickle
import re

import numpy as np
import pytest
from array_files import ARRAYS, HEADER, KINDS, bytes_of, forged, refused, signed
from conftest import assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnlite
from rnnlite.saving import CorruptFile, container, previous_path
from rnnlite.saving.container import DIGEST

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.npz"


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
