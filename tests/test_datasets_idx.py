"""Idx files: damaged ones are refused by name, written ones are read back."""

import gzip
import io
import tracemalloc

import numpy as np
import pytest
from small_mnist import FILE, GOOD, IMAGES, LABELS, SMALL

from rnnlite import datasets
from rnnlite.datasets import idx

# ---- damaged files --------------------------------------------------------------------------

HEADER, DATA = GOOD[:16], GOOD[16:]


def header(*sizes, magic=None):
    magic = bytes((0, 0, 8, len(sizes))) if magic is None else magic
    return magic + np.array(sizes, ">u4").tobytes()


PLAIN_DAMAGE = {
    "empty": (b"", "empty file; expected an idx file"),
    "three bytes": (GOOD[:3], "magic number 000008; expected 00000803"),
    "labels' magic": (SMALL[LABELS][0], r"magic number 00000801; expected 00000803"),
    "floats": (b"\0\0\x0d" + GOOD[3:], "magic number 00000d03; expected 00000803"),
    "a web page": (b"<!DOCTYPE html>", "magic number 3c21444f; expected 00000803"),
    "half a header": (GOOD[:10], "ends within its header; expected the sizes of 3 dimensions"),
    "header only": (HEADER, f"ends after 0 bytes of data; expected {len(DATA)}"),
    "half": (GOOD[: 16 + len(DATA) // 2], f"ends after {len(DATA) // 2} bytes of data; expected"),
    "truncated": (GOOD[:-1], f"ends after {len(DATA) - 1} bytes of data; expected {len(DATA)}"),
    "trailing byte": (GOOD + b"\0", f"more bytes follow its data; expected {len(DATA)} bytes"),
    "other count": (
        header(39, 28, 28) + DATA[784:],
        r"declares shape \(39, 28, 28\); expected \(40, 28, 28\)",
    ),
    "other sides": (header(40, 56, 14) + DATA, r"declares shape \(40, 56, 14\); expected"),
    "one bit wrong": (
        GOOD[:-1] + bytes((GOOD[-1] ^ 1,)),
        f"MD5 [0-9a-f]{{32}}; expected {FILE.md5}",
    ),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("damage", PLAIN_DAMAGE)
def test_damaged_idx_file_is_refused_by_name(tmp_path, damage, packed):
    content, message = PLAIN_DAMAGE[damage]
    path = tmp_path / (IMAGES + (".gz" if packed else ""))
    if damage == "three bytes" and packed:
        message = "magic number 000008|the gzip data ends early"
    path.write_bytes(gzip.compress(content) if packed and content else content)
    with pytest.raises(datasets.CorruptData, match=message) as caught:
        idx.read(path, FILE.shape, FILE.md5)
    assert str(caught.value).startswith(f"{path}: ")


PACKED = gzip.compress(GOOD, mtime=0)

PACKED_DAMAGE = {
    "empty": (b"", "empty file"),
    "plain idx": (GOOD, "not a gzip file: it begins 00000803; expected 1f8b"),
    "a web page": (b"<html>", "not a gzip file: it begins 3c68746d; expected 1f8b"),
    "one byte": (PACKED[:1], "not a gzip file: it begins 1f; expected 1f8b"),
    "header only": (PACKED[:10], "the gzip data ends early"),
    "truncated": (PACKED[: len(PACKED) // 2], "the gzip data ends early"),
    "end mark missing": (PACKED[:-1], "the gzip data ends early"),
    "checksum missing": (PACKED[:-8], "the gzip data ends early"),
    "checksum wrong": (PACKED[:-5] + b"\0" + PACKED[-4:], "damaged gzip data .*data check"),
    "length wrong": (PACKED[:-4] + b"\0\0\0\0", "damaged gzip data .*length check"),
    "garbage inside": (PACKED[:2000] + bytes(50) + PACKED[2050:], "damaged gzip data|MD5"),
    "garbage behind": (PACKED + b"garbage", "more bytes follow"),
    "a second member": (PACKED + PACKED, "more bytes follow"),
}


@pytest.mark.parametrize("damage", PACKED_DAMAGE)
def test_damaged_gzip_file_is_refused_by_name(tmp_path, damage):
    content, message = PACKED_DAMAGE[damage]
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(content)
    with pytest.raises(datasets.CorruptData, match=message) as caught:
        idx.read(path, FILE.shape, FILE.md5)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("step", [997])
def test_no_truncation_gets_through(step):
    for size in range(0, len(PACKED), step):
        with pytest.raises(datasets.CorruptData):
            idx.decode(PACKED[:size], "file.gz")
    for size in range(0, len(GOOD), step):
        with pytest.raises(datasets.CorruptData):
            idx.decode(GOOD[:size], "file")


def test_decompression_stops_where_the_data_should(peak_memory):
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=packed) as file:
        file.write(HEADER)
        for _ in range(64):
            file.write(bytes(1 << 20))  # 64 MB of zeros where 31 kB should be
    bomb = packed.getvalue()
    tracemalloc.reset_peak()
    with pytest.raises(datasets.CorruptData, match="more bytes follow"):
        idx.decode(bomb, "bomb.gz", FILE.shape)
    assert peak_memory() < 2_000_000


@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_declared_size_is_not_believed(peak_memory, name):
    content = header(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF) + b"few"
    content = gzip.compress(content) if name.endswith(".gz") else content
    message = r"a file of \d+ bytes cannot hold them|ends after 3 bytes of data"
    with pytest.raises(datasets.CorruptData, match=message):
        idx.decode(content, name)
    assert peak_memory() < 1_000_000


@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_bytes_behind_an_empty_array_are_refused(name):
    content = header(0) + bytes(5)
    content = gzip.compress(content) if name.endswith(".gz") else content
    with pytest.raises(datasets.CorruptData, match="more bytes follow its data"):
        idx.decode(content, name)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_file_that_is_far_too_large_is_not_read(tmp_path, peak_memory, suffix):
    path = tmp_path / f"{IMAGES}{suffix}"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(datasets.CorruptData, match=r"50000000 bytes; expected \d+ at most"):
        idx.read(path, FILE.shape)
    assert peak_memory() < 1_000_000


@pytest.mark.parametrize("dimensions", [0, 33, 255])
def test_impossible_number_of_dimensions_is_refused(dimensions):
    content = bytes((0, 0, 8, dimensions)) + bytes(1100)
    with pytest.raises(datasets.CorruptData, match="not an idx file of unsigned bytes"):
        idx.decode(content, "file")


# ---- writing idx files ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0,), (7,), (0, 28, 28), (3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_written_arrays_are_read_back(tmp_path, shape, suffix):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / f"array{suffix}"
    idx.write(path, array)
    back = idx.read(path)
    assert back.dtype == np.uint8 and back.shape == shape
    np.testing.assert_array_equal(back, array)


def test_any_memory_order_is_written_row_by_row(tmp_path):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4).T
    idx.write(tmp_path / "array", array)
    np.testing.assert_array_equal(idx.read(tmp_path / "array"), array)


def test_compressed_file_holds_no_date_and_no_name(tmp_path):
    idx.write(tmp_path / "a.gz", np.arange(9, dtype=np.uint8))
    content = (tmp_path / "a.gz").read_bytes()
    assert content[3] == 0 and content[4:8] == bytes(4)


def test_only_unsigned_bytes_are_written():
    with pytest.raises(TypeError, match="array has dtype float64; wanted uint8"):
        idx.encode(np.zeros(3))
    with pytest.raises(ValueError, match=r"array has shape \(\); wanted 1 to 32 dimensions"):
        idx.encode(np.uint8(3))
