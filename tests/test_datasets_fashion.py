"""Fashion-MNIST: the loader of MNIST with other files, which bear the same names."""

import gzip
import hashlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import load

from rnnlite import datasets
from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import download, idx, image_files, known_files

# The package's functions of the same names hide the modules.
mnist_module = importlib.import_module("rnnlite.datasets.mnist")
fashion_module = importlib.import_module("rnnlite.datasets.fashion_mnist")

SCRIPT = Path(__file__).parents[1] / "scripts" / "check_fashion_mnist.py"


def small(known, seed):
    """Idx bytes by name, and what the loader is to expect, for 30 and 10 images."""
    rng = np.random.default_rng(seed)
    contents, files = {}, []
    for file in known:
        shape = (30 if file.name.startswith("train") else 10, *file.shape[1:])
        high = 256 if len(shape) == 3 else 10
        content = idx.encode(rng.integers(0, high, shape, dtype=np.uint8))
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        contents[file.name] = content
        files.append(idx.IdxFile(file.name, shape, md5))
    return contents, tuple(files)


DIGITS, DIGIT_FILES = small(known_files.DIGITS, 0)
CLOTHES, CLOTHES_FILES = small(known_files.CLOTHES, 1)
TEST_LABELS = "t10k-labels-idx1-ubyte"


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Both sets made small; no place of this machine is known."""
    for module, name, files in (
        (mnist_module, "DIGITS", DIGIT_FILES),
        (fashion_module, "CLOTHES", CLOTHES_FILES),
    ):
        monkeypatch.setattr(module, "FILES", files)
        monkeypatch.setattr(module, "MIRRORS", ())
        monkeypatch.setattr(known_files, name, files)
    monkeypatch.setattr(fashion_module, "SYSTEM", (str(tmp_path / "system"),))
    monkeypatch.setenv("RNNLITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RNNLITE_DATA", raising=False)
    return tmp_path


def put(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


def is_clothes(data):
    return np.array_equal(data.test.labels, idx.decode(CLOTHES[TEST_LABELS], "labels"))


def is_digits(data):
    return np.array_equal(data.test.labels, idx.decode(DIGITS[TEST_LABELS], "labels"))


# ---- where the files are looked for ----------------------------------------------------------


def test_it_has_the_form_of_mnist(place):
    data = datasets.fashion_mnist(put(place / "here", CLOTHES), validation=4)
    assert isinstance(data, datasets.MNIST) and is_clothes(data)
    assert [len(part.labels) for part in data] == [26, 4, 10]
    for part in data:
        assert part.images.dtype == np.float32 and part.labels.dtype == np.int64
        assert part.images.shape[1:] == (28, 28) and part.images.max() <= 1.0
    hot = datasets.fashion_mnist(place / "here", validation=4, one_hot=True)
    np.testing.assert_array_equal(hot.train.labels.argmax(axis=1), data.train.labels)


def test_one_folder_of_data_holds_both_sets(place, monkeypatch):
    put(place / "data", DIGITS)
    put(place / "data" / "fashion-mnist", CLOTHES)
    monkeypatch.setenv("RNNLITE_DATA", str(place / "data"))
    assert is_digits(datasets.mnist(validation=0))
    assert is_clothes(datasets.fashion_mnist(validation=0))


def test_so_does_the_cache(place):
    put(cache_folder() / "mnist", DIGITS)
    put(cache_folder() / "fashion-mnist", CLOTHES)
    assert is_digits(datasets.mnist(validation=0))
    assert is_clothes(datasets.fashion_mnist(validation=0))


def test_files_of_the_system_are_found_and_come_after_those_named(place, monkeypatch):
    put(place / "system", CLOTHES)
    assert is_clothes(datasets.fashion_mnist(validation=0, download=False))
    put(cache_folder() / "fashion-mnist", DIGITS)  # wrong, but never looked at
    assert is_clothes(datasets.fashion_mnist(validation=0))
    put(place / "data" / "fashion-mnist", DIGITS)
    monkeypatch.setenv("RNNLITE_DATA", str(place / "data"))
    with pytest.raises(datasets.CorruptData, match="MNIST's, wanted Fashion-MNIST's"):
        datasets.fashion_mnist(validation=0)


def test_debian_puts_them_where_we_look():
    # dpkg -c dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb
    assert fashion_module.SYSTEM == ("/usr/share/datasets/fashion-mnist",)


def test_download_false_names_every_place(place, monkeypatch):
    monkeypatch.setattr(image_files, "fetch", None)  # would fail if called
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.fashion_mnist(download=False, validation=0)
    message = str(caught.value)
    for part in (
        "fashion_mnist: train-images-idx3-ubyte, ", "RNNLITE_DATA (not set)",
        str(place / "system"), str(cache_folder() / "fashion-mnist"),
        "call fashion_mnist(download=True)", "a folder fashion-mnist",
    ):  # fmt: skip
        assert part in message
    assert "\n" not in message
    monkeypatch.setenv("RNNLITE_DATA", str(place))
    expected = f"{place / 'fashion-mnist'} (RNNLITE_DATA)"
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.fashion_mnist(download=False, validation=0)
    assert expected in str(caught.value)


def test_missing_files_are_downloaded_into_a_folder_of_their_own(place, monkeypatch):
    asked = []

    def fetch(title, files, folder, mirrors, by_hand):
        asked.append((title, [file.name for file in files], mirrors, by_hand))
        put(folder, CLOTHES)

    monkeypatch.setattr(image_files, "fetch", fetch)
    monkeypatch.setattr(fashion_module, "MIRRORS", ("http://127.0.0.1/",))
    assert is_clothes(datasets.fashion_mnist(validation=0))
    (title, names, mirrors, by_hand) = asked[0]
    assert title == "Fashion-MNIST" and names == list(CLOTHES) and len(asked) == 1
    assert mirrors == ("http://127.0.0.1/",) and by_hand.startswith("a folder fashion-mnist")
    assert not (cache_folder() / "mnist").exists()


def test_a_failed_download_says_where_to_put_the_files(place, monkeypatch):
    pytest.importorskip("pooch")
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.fashion_mnist(validation=0)  # no mirrors
    assert str(caught.value).startswith("Fashion-MNIST could not be downloaded")
    assert "put its files in a folder fashion-mnist and let RNNLITE_DATA name" in str(caught.value)


def test_waiting_for_the_mirrors_in_all_is_a_few_seconds():
    others = len(fashion_module.MIRRORS) - 1
    assert download.FIRST_ANSWER + others * download.NEXT_ANSWER < 8
    assert all(mirror.endswith("/") for mirror in fashion_module.MIRRORS)


# ---- which files they are --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "contents", "words"),
    [
        (datasets.mnist, CLOTHES, "this file is Fashion-MNIST's, wanted MNIST's"),
        (datasets.fashion_mnist, DIGITS, "this file is MNIST's, wanted Fashion-MNIST's"),
    ],
)
def test_the_files_of_the_other_set_are_refused_as_such(place, load, contents, words):
    folder = put(place / "here", contents)
    with pytest.raises(datasets.CorruptData) as caught:
        load(folder, validation=0)
    assert str(caught.value).startswith(f"{folder}") and str(caught.value).endswith(words)


def test_damaged_files_are_nobodys(place):
    damaged = CLOTHES | {TEST_LABELS: CLOTHES[TEST_LABELS][:-1] + b"\x0b"}
    with pytest.raises(datasets.CorruptData, match=r"MD5 \w{32}; expected \w{32}$"):
        datasets.fashion_mnist(put(place / "here", damaged), validation=0)
    with pytest.raises(datasets.CorruptData, match=r"delete it to have it downloaded again$"):
        put(cache_folder() / "fashion-mnist", damaged)
        datasets.fashion_mnist(validation=0)


def test_the_two_sets_differ_in_nothing_but_their_sums():
    for digits, clothes in zip(known_files.DIGITS, known_files.CLOTHES, strict=True):
        assert digits._replace(md5="") == clothes._replace(md5="")
    sums = [file.md5 for file in (*known_files.DIGITS, *known_files.CLOTHES)]
    assert len(set(sums)) == 8 and all(len(md5) == 32 for md5 in sums)
    assert [known_files.owner(md5) for md5 in sums] == 4 * ["MNIST"] + 4 * ["Fashion-MNIST"]
    assert known_files.owner("0" * 32) is known_files.owner(None) is None


def test_ten_classes_have_names():
    assert len(set(datasets.FASHION_CLASSES)) == 10
    assert datasets.FASHION_CLASSES[0] == "T-shirt/top" and datasets.FASHION_CLASSES[8] == "bag"


# ---- the script that derived the sums ----------------------------------------------------------


def test_script_puts_the_authors_header_back(tmp_path):
    script, path = load(SCRIPT), tmp_path / "some-name"
    with gzip.GzipFile(path, "wb", mtime=1504176606, compresslevel=6) as file:
        file.write(b"content")
    published = path.read_bytes()  # with a name and a time
    assert published[3] == script.HAS_NAME and b"some-name\0" in published
    end = published.index(b"\0", script.HEADER) + 1
    without = published[:3] + bytes(5) + published[8:10] + published[end:]
    assert gzip.decompress(without) == b"content"
    assert script.as_published(without, "some-name", 1504176606) == published
    assert script.as_published(published, "some-name", 1504176606) == published


def test_script_knows_the_published_sums():
    published = {name: md5 for name, (md5, _) in load(SCRIPT).PUBLISHED.items()}
    assert list(published) == [file.name for file in known_files.CLOTHES]
    for name, md5 in published.items():  # as the table of the module cites them
        assert f"{md5}  {name}.gz" in known_files.__doc__


# ---- the real thing, where it is ---------------------------------------------------------------


def real_folder():
    """Where this machine has the real files, or None."""
    named = os.environ.get("RNNLITE_DATA")
    places = [Path(named) / "fashion-mnist"] if named else []
    for folder in [*places, *map(Path, fashion_module.SYSTEM)]:
        if (folder / f"{TEST_LABELS}.gz").exists():
            return folder
    return None


@pytest.fixture(scope="module")
def real():
    folder = real_folder()
    if folder is None:
        pytest.skip("Fashion-MNIST is neither in RNNLITE_DATA nor installed")
    return folder


def test_real_files_have_the_promised_sizes_and_classes(real):
    data = datasets.fashion_mnist(real)
    assert [part.images.shape for part in data] == [(n, 28, 28) for n in (55_000, 5_000, 10_000)]
    assert data.validation.labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert data.test.labels[:5].tolist() == [9, 2, 1, 1, 6]
    np.testing.assert_array_equal(np.bincount(data.test.labels), 1000)


def test_real_files_have_the_published_sums(real):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(real)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
