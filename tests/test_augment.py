"""random_affine: what it does to images."""

import numpy as np
import pytest
from layer_cases import rng

import rnnlite
from rnnlite.datasets import random_affine


def images(n=6, rows=9, columns=11, seed=0):
    return np.random.default_rng(seed).random((n, rows, columns)).astype(np.float32)


def test_without_a_change_images_are_as_they_were():
    x = images()
    moved = random_affine(x, rng(), shift=0)
    assert np.array_equal(moved, x)
    assert moved.dtype == np.float32


def test_a_shift_moves_whole_images_and_zeros_come_in():
    x = images(200) + 1
    moved = random_affine(x, rng(), shift=2)
    found = set()
    for before, after in zip(x, moved, strict=True):
        padded = np.pad(before, 2)
        ways = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(after, padded[i : i + 9, j : j + 11])
        ]
        assert len(ways) == 1
        found.add(ways[0])
    assert len(found) == 25, "every move occurs"


def slow(image, angle, high, wide, slant, down, right, waves):
    """The equation of the docstring, a pixel at a time."""
    rows, columns = image.shape
    p = np.arange(len(waves[0]))
    result = np.zeros_like(image)
    for i in range(rows):
        for j in range(columns):
            u, v = i - (rows - 1) / 2, j - (columns - 1) / 2
            a, b = u + slant * v, v
            a, b = np.cos(angle) * a - np.sin(angle) * b, np.sin(angle) * a + np.cos(angle) * b
            a, b = (1 + high) * a + down, (1 + wide) * b + right
            c = np.cos(p * np.pi * (i + 0.5) / rows), np.cos(p * np.pi * (j + 0.5) / columns)
            a, b = a + c[0] @ waves[0] @ c[1], b + c[0] @ waves[1] @ c[1]
            k, m = round(a + (rows - 1) / 2), round(b + (columns - 1) / 2)
            if 0 <= k < rows and 0 <= m < columns:
                result[i, j] = image[k, m]
    return result


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "limits", [(1.5, 20, 0.3, 0.4, 0), (0, 180, 0, 0, 0), (5, 90, 0.9, 2, 1), (0, 0, 0, 0, 3)]
)
def test_every_pixel_comes_from_where_the_equation_says(seed, limits):
    x = images(seed=seed)
    shift, rotate, scale, shear, bend = limits
    moved = random_affine(x, rng(seed), shift, rotate, scale, shear, bend)
    random = rng(seed)
    draws = random.uniform(-1, 1, (6, len(x)))
    draws *= np.reshape([np.radians(rotate), scale, scale, shear, shift, shift], (6, 1))
    height = np.array([[1 / (4 + p * p + q * q) for q in range(6)] for p in range(6)])
    height[0, 0] = 0
    share = np.array([[(0.5 if p else 1) * (0.5 if q else 1) for q in range(6)] for p in range(6)])
    height *= bend / np.sqrt(np.sum(height**2 * share))
    waves = height * random.uniform(-(3**0.5), 3**0.5, (len(x), 2, 6, 6))
    wanted = np.stack([slow(*each) for each in zip(x, *draws, waves, strict=True)])
    assert np.mean(moved != wanted) < 0.01, "but for a pixel half way between two"


def test_a_bend_moves_pixels_as_far_as_it_says():
    """Pixels that know where they are, over images that are bent."""
    rows, columns = np.mgrid[1:65, 1:65].astype(np.float64)
    for place in (rows, columns):
        bent = random_affine(np.repeat(place[None], 500, 0), rng(), shift=0, bend=1.5)
        moves = (bent - place)[bent > 0]
        assert abs(moves.mean()) < 0.1
        assert 1.35 < moves.std() < 1.65
        steps = np.diff(bent - place, axis=1)[:, 16:-16, 16:-16]
        assert np.abs(steps).max() <= 2, "neighbours stay neighbours"


@pytest.mark.quick(every=2)
@pytest.mark.parametrize(
    "dtype",
    [">f4", "uint8", *(pytest.param(d, marks=pytest.mark.long)  # a kernel each
                       for d in ("float16", "float64", "bool", "int16"))],
)  # fmt: skip
def test_pixels_of_every_kind_are_moved_as_they_are(dtype):
    x = (images(seed=2) * 200).astype(dtype)
    x.flags.writeable = False
    moved = random_affine(x, rng(), 1.5, 20, 0.3, 0.4, 0.5)
    assert moved.dtype == x.dtype
    as_floats = random_affine(x.astype(np.float32), rng(), 1.5, 20, 0.3, 0.4, 0.5)
    assert np.array_equal(moved.astype(np.float32), as_floats)


def test_the_same_images_at_any_number_of_threads():
    x, before = images(500, 28, 28), rnnlite.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            rnnlite.set_num_threads(count)
            results.append(random_affine(x, rng(), 2, 12, 0.1, 0.1, 0.5))
    finally:
        rnnlite.set_num_threads(before)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"images": images()[0]}, "wanted 3 axes"),
        pytest.param(
            {"images": images().astype(np.longdouble)},
            "images holds .*; wanted pixels of 8 bytes",
            marks=pytest.mark.skipif(
                np.dtype(np.longdouble).itemsize == 8, reason="no extended precision here"
            ),
        ),
        ({"shift": -1}, "shift is -1"),
        ({"rotate": 181}, "rotate is 181"),
        ({"scale": 1.0}, "scale is 1.0"),
        ({"shear": "much"}, "shear is 'much'"),
        ({"bend": np.nan}, "bend is nan"),
    ],
)
def test_bad_arguments_are_named(arguments, says):
    with pytest.raises((ValueError, TypeError), match=says):
        random_affine(**{"images": images(), "rng": rng()} | arguments)
