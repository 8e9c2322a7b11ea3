"""Fashion-MNIST: the loader of MNIST with other files, which bear the same names."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import load
from small_mnist import CLOTHES, SMALL, array, put

from rnnlite import datasets
from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import images

SCRIPT = Path(__file__).parents[1] / "scripts" / "check_fashion_mnist.py"
SYSTEM = images.CLOTHES.system
TEST_LABELS = "t10k-labels-idx1-ubyte"


@pytest.fixture
def place(small, monkeypatch):
    """Both sets made small; no place of this machine is known."""
    files = tuple(file for _, file in CLOTHES.values())
    system = (str(small / "system"),)
    source = images.CLOTHES._replace(files=files, mirrors=(), system=system)
    monkeypatch.setattr(images, "CLOTHES", source)
    return small


def is_clothes(data):
    return np.array_equal(data.test.labels, array(CLOTHES, TEST_LABELS))


def is_digits(data):
    return np.array_equal(data.test.labels, array(SMALL, TEST_LABELS))


# ---- where the files are looked for ----------------------------------------------------------


def test_it_has_the_form_of_mnist(place):
    data = datasets.fashion_mnist(put(place / "here", made=CLOTHES), validation=4)
    assert isinstance(data, datasets.MNIST) and is_clothes(data)
    assert [len(part.labels) for part in data] == [36, 4, 20]
    for part in data:
        assert part.images.dtype == np.float32 and part.labels.dtype == np.int64
        assert part.images.shape[1:] == (28, 28) and part.images.max() <= 1.0
    hot = datasets.fashion_mnist(place / "here", validation=4, one_hot=True)
    np.testing.assert_array_equal(hot.train.labels.argmax(axis=1), data.train.labels)


def test_one_folder_of_data_holds_both_sets(place, monkeypatch):
    put(place / "data")
    put(place / "data" / "fashion-mnist", made=CLOTHES)
    monkeypatch.setenv("RNNLITE_DATA", str(place / "data"))
    assert is_digits(datasets.mnist(validation=0))
    assert is_clothes(datasets.fashion_mnist(validation=0))


def test_so_does_the_cache(place):
    put(cache_folder() / "mnist")
    put(cache_folder() / "fashion-mnist", made=CLOTHES)
    assert is_digits(datasets.mnist(validation=0))
    assert is_clothes(datasets.fashion_mnist(validation=0))


def test_files_of_the_system_are_found_and_come_after_those_named(place, monkeypatch):
    put(place / "system", made=CLOTHES)
    assert is_clothes(datasets.fashion_mnist(validation=0, download=False))
    put(cache_folder() / "fashion-mnist")  # wrong, but never looked at
    assert is_clothes(datasets.fashion_mnist(validation=0))
    put(place / "data" / "fashion-mnist")
    monkeypatch.setenv("RNNLITE_DATA", str(place / "data"))
    with pytest.raises(datasets.CorruptData, match=r"; it is a file of MNIST$"):
        datasets.fashion_mnist(validation=0)


def test_debian_puts_them_where_we_look():
    # dpkg -c dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb
    assert SYSTEM == ("/usr/share/datasets/fashion-mnist",)


def test_download_false_names_every_place(place, monkeypatch):
    monkeypatch.setattr(images, "_download", None)  # would fail if called
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.fashion_mnist(download=False, validation=0)
    message = str(caught.value)
    for part in (
        "fashion_mnist: train-images-idx3-ubyte, ", "RNNLITE_DATA (not set)",
        str(place / "system"), str(cache_folder() / "fashion-mnist"),
        "call fashion_mnist(download=True)",
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

    def download(source, files, folder, by_hand):
        asked.append((source, files))
        put(folder, made=CLOTHES)

    monkeypatch.setattr(images, "_download", download)
    assert is_clothes(datasets.fashion_mnist(validation=0))
    assert asked == [(images.CLOTHES, list(images.CLOTHES.files))]
    assert not (cache_folder() / "mnist").exists()


def test_a_failed_download_says_where_to_put_the_files(place):
    pytest.importorskip("pooch", reason="downloads need pooch")
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.fashion_mnist(validation=0)  # no mirrors
    assert str(caught.value).startswith("Fashion-MNIST could not be downloaded")
    folder = cache_folder() / "fashion-mnist"
    assert str(caught.value).endswith(f"put its files in the folder {folder}")


# ---- which files they are --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "contents", "words"),
    [
        (datasets.mnist, CLOTHES, "; it is a file of Fashion-MNIST"),
        (datasets.fashion_mnist, SMALL, "; it is a file of MNIST"),
    ],
)
def test_the_files_of_the_other_set_are_refused_as_such(place, load, contents, words):
    folder = put(place / "here", made=contents)
    with pytest.raises(datasets.CorruptData) as caught:
        load(folder, validation=0)
    assert str(caught.value).startswith(f"{folder}") and str(caught.value).endswith(words)


def test_damaged_files_are_nobodys(place):
    content, file = CLOTHES[TEST_LABELS]
    damaged = CLOTHES | {TEST_LABELS: (content[:-1] + b"\x0b", file)}
    with pytest.raises(datasets.CorruptData, match=r"MD5 \w{32}; expected \w{32}$"):
        datasets.fashion_mnist(put(place / "here", made=damaged), validation=0)
    with pytest.raises(datasets.CorruptData, match=r"delete it to have it downloaded again$"):
        put(cache_folder() / "fashion-mnist", made=damaged)
        datasets.fashion_mnist(validation=0)


def test_the_two_sets_differ_in_nothing_but_their_sums():
    sums = []
    for digits, clothes in zip(images.DIGITS.files, images.CLOTHES.files, strict=True):
        assert digits[:2] == clothes[:2]
        sums += [*digits[2:], *clothes[2:]]
    assert len(set(sums)) == 16


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


# ---- the real thing, where it is ---------------------------------------------------------------


def real_folder():
    """Where this machine has the real files, or None."""
    named = os.environ.get("RNNLITE_DATA")
    places = [Path(named) / "fashion-mnist"] if named else []
    for folder in [*places, *map(Path, SYSTEM)]:
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
