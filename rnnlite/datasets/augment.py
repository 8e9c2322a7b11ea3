"""Images that are moved, turned and bent a little: more to learn from than there is.

Map and bend are added up before the nearest pixel is taken: one after the other they would
round twice, and take twice the time.
"""

import math

import numpy as np

from rnnlite import checking
from rnnlite.engine import threads
from rnnlite.kernels.affine import fetch_pixels

WORK = 60  # a pixel takes as long as so many multiplications
WAVES = 6  # of a bend: up to 5 half ones across the image, slow ones the larger


def random_affine(images, rng, shift=2.0, rotate=0.0, scale=0.0, shear=0.0, bend=0.0):
    """Each image under an affine map of its own, and bent if asked for; what comes in is 0.

    Pixel (u, v) of the result, counted from the middle, is the input's pixel nearest to

        (u', v') = S R (u + s v, v) + t + e(u, v),

    with R a rotation, S a stretching of both axes, s a shear, t a shift, and e a smooth field of
    displacements (after Simard, Steinkraus & Platt 2003, section 2, who smooth a random field
    instead of adding waves up): with c_p(x) a cosine of p half waves across the image,

        e(u, v) = sum_pq w_pq c_p(u) c_q(v),   p, q = 0, ..., 5,   w_pq ~ 1 / (4 + p^2 + q^2),

    but w_00 = 0: that would be a shift.

    Parameters
    ----------
    images : numpy.ndarray (B, rows, columns)
    rng : numpy.random.Generator
    shift, rotate, scale, shear : float
        Largest move along each axis in pixels, angle in degrees, relative change (below 1) of
        height and width, and slant in columns per row.
    bend : float
        How far e moves a pixel along each axis: the standard deviation, in pixels.

    Returns
    -------
    numpy.ndarray (B, rows, columns)
        Of the dtype of ``images``.

    Examples
    --------
    >>> image = np.zeros((1, 5, 5), np.float32)
    >>> image[0, 2, 2] = 1.0
    >>> int(random_affine(image, np.random.default_rng(0), shift=1).sum())
    1
    """
    where = "random_affine"
    images = checking.dimensions(where, "images", images, 3, "(images, rows, columns)")
    if images.dtype.itemsize > 8:
        raise TypeError(f"{where}: images holds {images.dtype}; wanted pixels of 8 bytes at most")
    checking.generator(where, rng)
    for name, value, limit in (
        ("shift", shift, 1e3), ("rotate", rotate, 180.0), ("scale", scale, 0.99),
        ("shear", shear, 10.0), ("bend", bend, 1e3),
    ):  # fmt: skip
        checking.real_number(where, name, value, 0.0, limit)
    n, rows, columns = images.shape
    angle, high, wide, slant, down, right = rng.uniform(-1, 1, (6, n)) * np.reshape(
        [math.radians(rotate), scale, scale, shear, shift, shift], (6, 1)
    )
    waves, farthest = _waves(rng, n, bend)
    K = waves.shape[-1]
    # Wide enough for the corners under every map: no place is negative, and int() cuts down.
    turn = math.sin(min(math.radians(rotate), math.pi / 2))
    a, b = rows / 2 + shear * columns / 2, columns / 2
    beyond = max((1 + scale) * (a + turn * b) - rows / 2, (1 + scale) * (turn * a + b) - b)
    margin = 2 + math.ceil(beyond + shift + farthest)

    cos, sin = np.cos(angle), np.sin(angle)
    u = np.arange(rows) - (rows - 1) / 2
    v = np.arange(columns) - (columns - 1) / 2
    # (1 + high) (cos (u + slant v) - sin v), and so on; 0.5 turns cutting into rounding.
    row_from_i = ((1 + high) * cos)[:, None] * u
    row_from_j = ((1 + high) * (cos * slant - sin))[:, None] * v
    row_from_j += (down + margin + (rows - 1) / 2 + 0.5)[:, None]
    column_from_i = ((1 + wide) * sin)[:, None] * u
    column_from_j = ((1 + wide) * (sin * slant + cos))[:, None] * v
    column_from_j += (right + margin + (columns - 1) / 2 + 0.5)[:, None]
    parts = (row_from_i, row_from_j, column_from_i, column_from_j)
    maps = [part.astype(np.float32) for part in parts]
    pixels = checking.contiguous(images, images.dtype)
    bits = np.dtype(f"i{images.dtype.itemsize}")
    moved = np.empty_like(pixels)
    threads.parallel_for(
        fetch_pixels, n, WORK * images.size, pixels.view(bits).reshape(-1), *maps,
        waves, _cosines(rows, K), np.ascontiguousarray(_cosines(columns, K).T), margin,
        moved.view(bits).reshape(-1), rows, columns,
    )  # fmt: skip
    return moved


def _waves(rng, n, bend):
    """Heights w (n, 2, WAVES, WAVES) of waves, and how far they move a pixel at most."""
    if bend == 0:
        return np.zeros((n, 2, 0, 0), np.float32), 0.0
    p = np.arange(WAVES)
    height = 1 / (4 + np.add.outer(p * p, p * p))
    height[0, 0] = 0
    # Over the image the mean square of a cosine is 1/2, of the constant 1.
    mean_square = np.where(p > 0, 0.5, 1.0)
    height *= bend / math.sqrt(np.sum(height**2 * np.multiply.outer(mean_square, mean_square)))
    draws = rng.uniform(-math.sqrt(3), math.sqrt(3), (n, 2, WAVES, WAVES))  # of variance 1
    return (draws * height).astype(np.float32), math.sqrt(3) * height.sum()


def _cosines(size, K):
    """c_p(x) in the middle of each pixel, (size, K)."""
    x = (np.arange(size) + 0.5) / size
    return np.cos(np.pi * np.multiply.outer(x, np.arange(K))).astype(np.float32)
