"""Idx files: damaged ones are refused by name."""

import gzip
import io
import tracemalloc

import numpy as np
import pytest
from small_mnist import FILE, GOOD, IMAGES, LABELS, SMALL, array, md5

from rnnlite import datasets
from rnnlite.datasets import idx

HEADER, DATA = GOOD[:16], GOOD[16:]


def read(content, name, known=FILE):
    return idx.read(io.BytesIO(content), name, known)


@pytest.mark.parametrize("shape", [(0,), (7,), (0, 28, 28), (3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_what_was_encoded_is_read(shape, name):
    wanted = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    content = idx.encode(wanted)
    known = idx.IdxFile("file", shape, md5(content))
    found = read(gzip.compress(content) if name.endswith(".gz") else content, name, known)
    assert found.dtype == np.uint8 and found.shape == shape and np.array_equal(found, wanted)
    assert np.array_equal(read(idx.encode(wanted.T), "T", known._replace(
        shape=shape[::-1], md5=md5(idx.encode(wanted.T)))), wanted.T)  # fmt: skip


def test_the_header_is_as_published():
    # http://yann.lecun.com/exdb/mnist: magic number 2051, then 60000, 28, 28
    assert idx.header((60_000, 28, 28)) == bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    assert np.array_equal(read(GOOD, "file"), array(SMALL, IMAGES))


PLAIN_DAMAGE = {
    "empty": (b"", "begins with nothing; expected 00000803"),
    "three bytes": (GOOD[:3], "begins 000008; expected 00000803"),
    "labels": (SMALL[LABELS][0], r"begins 00000801\w+; expected 00000803"),
    "floats": (b"\0\0\x0d" + GOOD[3:], r"begins 00000d03\w+; expected 00000803"),
    "a web page": (b"<!DOCTYPE html>", r"begins 3c21444f\w+; expected 00000803"),
    "half a header": (GOOD[:10], r"begins \w{20}; expected \w{32}, the head of an idx file"),
    "header only": (HEADER, f"0 bytes of data; expected {len(DATA)}"),
    "half": (GOOD[: 16 + len(DATA) // 2], f"{len(DATA) // 2} bytes of data; expected"),
    "truncated": (GOOD[:-1], f"{len(DATA) - 1} bytes of data; expected {len(DATA)}"),
    "trailing byte": (GOOD + b"\0", f"more than {len(DATA)} bytes of data; expected {len(DATA)}"),
    "other count": (idx.header((39, 28, 28)) + DATA[784:], r"begins .* of shape \(40, 28, 28\)"),
    "other sides": (idx.header((40, 56, 14)) + DATA, r"begins .* of shape \(40, 28, 28\)"),
    "huge": (idx.header((2**32 - 1,) * 3) + b"few", r"begins 00000803ffffffff"),
    "one bit wrong": (GOOD[:-1] + bytes((GOOD[-1] ^ 1,)), f"MD5 \\w{{32}}; expected {FILE.md5}"),
}


@pytest.mark.parametrize("name", ["a folder/file", "a folder/file.gz"])
@pytest.mark.parametrize("damage", PLAIN_DAMAGE)
def test_damaged_idx_file_is_refused_by_name(damage, name):
    content, message = PLAIN_DAMAGE[damage]
    with pytest.raises(datasets.CorruptData, match=f"^{name}: {message}"):
        read(gzip.compress(content) if name.endswith(".gz") else content, name)


PACKED = gzip.compress(GOOD, mtime=0)

PACKED_DAMAGE = {
    "empty": (b"", "begins with nothing"),
    "plain idx": (GOOD, "damaged gzip data .*Not a gzipped file"),
    "a web page": (b"<html>", "damaged gzip data .*Not a gzipped file"),
    "one byte": (PACKED[:1], "damaged gzip data"),
    "header only": (PACKED[:10], "damaged gzip data .*ended before"),
    "truncated": (PACKED[: len(PACKED) // 2], "damaged gzip data .*ended before"),
    "end mark missing": (PACKED[:-1], "damaged gzip data .*ended before"),
    "checksum missing": (PACKED[:-8], "damaged gzip data .*ended before"),
    "checksum wrong": (PACKED[:-5] + b"\0" + PACKED[-4:], "damaged gzip data .*CRC"),
    "length wrong": (PACKED[:-4] + b"\0\0\0\0", "damaged gzip data .*length"),
    "garbage inside": (PACKED[:2000] + bytes(50) + PACKED[2050:], "damaged gzip data|MD5"),
    "garbage behind": (PACKED + b"garbage", "damaged gzip data"),
    "a second member": (PACKED + PACKED, f"more than {len(DATA)} bytes"),
}


@pytest.mark.parametrize("damage", PACKED_DAMAGE)
def test_damaged_gzip_file_is_refused_by_name(damage):
    content, message = PACKED_DAMAGE[damage]
    with pytest.raises(datasets.CorruptData, match=f"^file.gz: {message}"):
        read(content, "file.gz")


def test_no_truncation_gets_through():
    for name, content in ("file.gz", PACKED), ("file", GOOD):
        for size in range(0, len(content), 997):
            with pytest.raises(datasets.CorruptData):
                read(content[:size], name)


def test_decompression_stops_where_the_data_should(peak_memory):
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=packed, compresslevel=1) as file:
        file.write(HEADER)
        for _ in range(32):
            file.write(bytes(1 << 20))  # 32 MB of zeros where 31 kB should be
    tracemalloc.reset_peak()
    with pytest.raises(datasets.CorruptData, match="more than 31360 bytes"):
        read(packed.getvalue(), "bomb.gz")
    assert peak_memory() < 2_000_000


@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_file_that_is_far_too_large_is_not_read(tmp_path, peak_memory, name):
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(HEADER)
        file.truncate(50_000_000)
    with path.open("rb") as stream, pytest.raises(datasets.CorruptData):
        idx.read(stream, path, FILE)
    assert peak_memory() < 1_000_000


@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_the_data_are_held_once(peak_memory, name):
    wanted = np.random.default_rng(0).integers(0, 9, (5, 1 << 20), dtype=np.uint8)
    content = idx.encode(wanted)
    known = idx.IdxFile("file", wanted.shape, md5(content))
    stream = io.BytesIO(gzip.compress(content, 1) if name.endswith(".gz") else content)
    del content
    before = peak_memory()
    tracemalloc.reset_peak()
    held = tracemalloc.get_traced_memory()[0]
    found = idx.read(stream, name, known)
    assert peak_memory() - held < 1.1 * wanted.nbytes < before
    assert np.array_equal(found, wanted) and not found.flags.writeable


@pytest.mark.parametrize("shape", [(0, 2**32 - 1, 2**32 - 1), (2**32,), (-1,), (1,) * 65])
def test_a_shape_that_no_array_has_is_refused_by_name(shape):
    known = idx.IdxFile("file", shape, "")
    with pytest.raises(datasets.CorruptData, match=r"^a folder/file: no array can have shape"):
        read(b"", "a folder/file", known)
