"""MNIST: its loader's arguments, where the files are looked for, the real set where it is."""

import os
import pickle

import numpy as np
import pytest
from small_mnist import IMAGES, LABELS, NAMES, SMALL, array, put

from rnnlite import datasets
from rnnlite.cache_folder import cache_folder
from rnnlite.datasets import images

# ---- arguments ------------------------------------------------------------------------------

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


# ---- where the four files are looked for ----------------------------------------------------


@pytest.mark.parametrize("as_gz", [True, False])
def test_files_are_read_from_the_folder(small, as_gz):
    folder = put(small / "data", as_gz=as_gz)
    data = datasets.mnist(str(folder) if as_gz else folder, validation=5)
    labels = array(SMALL, LABELS)
    assert [len(part.labels) for part in data] == [35, 5, 20]
    for part in data:
        assert part.images.dtype == np.float32 and part.labels.dtype == np.int64
    # validation: the first images; the order is the original one
    np.testing.assert_array_equal(data.validation.labels, labels[:5])
    np.testing.assert_array_equal(data.train.labels, labels[5:])
    expected = array(SMALL, IMAGES).astype(np.float64) / 255
    np.testing.assert_allclose(data.validation.images, expected[:5], rtol=1e-7)
    np.testing.assert_allclose(data.train.images, expected[5:], rtol=1e-7)
    np.testing.assert_array_equal(data.test.labels, array(SMALL, NAMES[3]))


def test_plain_and_packed_files_may_stand_side_by_side(small):
    put(small / "data", NAMES[:2])
    put(small / "data", NAMES[2:], as_gz=False)
    assert len(datasets.mnist(small / "data", validation=0).train.labels) == 40


def test_one_hot_labels_of_the_whole_set(small):
    data = datasets.mnist(put(small / "data"), one_hot=True, validation=4)
    assert data.train.labels.shape == (36, 10) and data.train.labels.dtype == np.float32
    assert data.validation.labels.shape == (4, 10) and data.test.labels.shape == (20, 10)


def test_missing_files_in_the_folder_are_named(small, monkeypatch):
    put(small / "elsewhere")
    monkeypatch.setenv("RNNLITE_DATA", str(small / "elsewhere"))  # must not be looked at
    put(small / "data", NAMES[:3])
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.mnist(small / "data", validation=0)
    message = str(caught.value)
    assert f"folder {small / 'data'} lacks {NAMES[3]};" in message
    assert "all four files" in message and "\n" not in message
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
    put(small / "data", as_gz=False)
    content = bytearray(SMALL[LABELS][0])
    content[-1] ^= 1
    (small / "data" / LABELS).write_bytes(content)
    with pytest.raises(datasets.CorruptData, match=r"MD5 \w{32}; expected \w{32}$") as caught:
        datasets.mnist(small / "data", validation=0)
    assert str(caught.value).startswith(str(small / "data" / LABELS))


def test_download_false_says_where_it_looked_and_what_to_do(small, monkeypatch):
    monkeypatch.setattr(images, "_download", None)  # would fail if called
    with pytest.raises(datasets.DataNotFound) as caught:
        datasets.mnist(validation=0, download=False)
    message = str(caught.value)
    assert str(cache_folder() / "mnist") in message and "RNNLITE_DATA (not set)" in message
    assert "download=True" in message and "\n" not in message
    monkeypatch.setenv("RNNLITE_DATA", str(small / "data"))
    with pytest.raises(datasets.DataNotFound, match=r"data \(RNNLITE_DATA\)") as caught:
        datasets.mnist(validation=0, download=False)
    assert str(caught.value).endswith(f"put the files in the folder {small / 'data'}")


def test_errors_have_the_promised_base_classes():
    assert issubclass(datasets.DataNotFound, FileNotFoundError)
    assert issubclass(datasets.CorruptData, ValueError)
    for kind in datasets.DataNotFound, datasets.CorruptData:
        assert str(pickle.loads(pickle.dumps(kind("why")))) == "why"


# ---- the real thing, where it is ------------------------------------------------------------


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
