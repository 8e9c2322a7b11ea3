"""The long recipes on MNIST: each runs on the bundled images, and does what it says."""

import re

import numpy as np
import pytest
from conftest import needs_jit
from programs import load_example

import rnnlite
from rnnlite import datasets

# ---- mnist_record --------------------------------------------------------------------------


@needs_jit
@pytest.mark.long
def test_the_record_recipe_learns_and_keeps_its_model(run_example, tmp_path):
    printed = run_example(
        "mnist_record", "--bundled", "--epochs", 4, "--save", tmp_path / "model.npz"
    )
    (accuracy,) = re.findall(r"accuracy on all 1,000 test images: ([\d.]+) ", printed)
    assert float(accuracy) > 0.8
    model = rnnlite.load(tmp_path / "model.npz")
    assert rnnlite.evaluate(model, *datasets.mnist_5k().test).accuracy == float(accuracy)


@pytest.fixture
def hard_images():
    """1,000 images, to be told by their labels, for 250 steps."""
    images = np.zeros((1000, 28, 28), np.float32)
    return load_example("mnist_record").HardImages(images, np.arange(1000), steps=250, seed=0)


def rows_of(batches, epoch):
    """All images of an epoch, told by their labels."""
    return np.concatenate([labels for _, labels in batches(epoch)])


def test_the_first_epoch_has_all_images_and_the_next_few_easy_ones(hard_images):
    first = rows_of(hard_images, 0)
    assert len(first) == len(set(first)) == 1000 // 128 * 128
    easy = np.arange(1000) < 700
    hard_images.losses[:] = np.where(easy, 0.01, 5.0)
    counts = np.zeros(1000)
    for epoch in range(1, 21):
        rows = rows_of(hard_images, epoch)
        assert len(rows) == len(set(rows))
        counts[rows] += 1
    # All of the hard ones and three of ten of the others, but for what fills no batch.
    assert 0.7 * 20 < counts[~easy].mean() <= 20
    assert 0.2 < counts[easy].mean() / counts[~easy].mean() < 0.4
    assert np.all(counts > 0), "each time others are left out"


def test_the_last_steps_have_all_images(hard_images):
    hard_images.losses[:] = np.arange(1000) >= 700
    assert len(rows_of(hard_images, 1)) < 640
    while hard_images.left > 0:
        rows_of(hard_images, 2)
    assert len(rows_of(hard_images, 3)) == 896


def test_the_loss_of_each_image_is_remembered(hard_images):
    _, labels = next(hard_images(0))
    logits = np.random.default_rng(0).normal(size=(128, 1000))
    logits[5, labels[5]] = 1000.0  # a probability of 1, and one of 0
    logits[6, labels[5]] = 1000.0
    mean, dlogits = hard_images.loss(logits, labels)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    wanted = np.minimum(-log_p[np.arange(128), labels], -np.log(1e-9))
    np.testing.assert_allclose(hard_images.losses[labels], wanted, rtol=1e-6, atol=1e-9)
    assert np.isinf(np.delete(hard_images.losses, labels)).all()
    ours = rnnlite.softmax_cross_entropy(logits, labels)
    assert mean == ours[0] and np.array_equal(dlogits, ours[1])


# ---- mnist_pixels --------------------------------------------------------------------------


@needs_jit
@pytest.mark.long
def test_pixel_by_pixel_goes_on_from_its_checkpoint(run_example, tmp_path):
    few = ("--bundled", "--images", 128, "--checkpoint")
    at_once = run_example("mnist_pixels", *few, tmp_path / "a.npz", "--epochs", 2)
    again = run_example("mnist_pixels", *few, tmp_path / "a.npz", "--epochs", 2)
    accuracy = r"accuracy on all .*"
    assert re.findall(accuracy, again) == re.findall(accuracy, at_once) != []
