"""Images that are moved, turned and stretched a little: more to learn from than there is."""

import math

import numpy as np

from rnnlite import checking, threads
from rnnlite.kernels.affine import fetch_pixels

# A pixel takes as long as so many multiplications.
WORK = 60


def random_affine(images, rng, shift=2.0, rotate=0.0, scale=0.0, shear=0.0):
    """Each image under an affine map of its own, drawn at random; what comes in is 0.

    Pixel (u, v) of the result, counted from the middle, is the input's pixel nearest to

        (u', v') = S R (u + s v, v) + t,

    with R a rotation, S a stretching of both axes, s a shear and t a shift.
    The nearest pixel, not a mean of four: as good to learn from, and cheaper.

    Parameters
    ----------
    images : numpy.ndarray (B, rows, columns)
    rng : numpy.random.Generator
    shift : float
        Largest move along each axis, in pixels.
    rotate : float
        Largest angle, in degrees.
    scale : float
        Largest relative change of height and width, below 1.
    shear : float
        Largest slant: columns per row.

    Returns
    -------
    numpy.ndarray (B, rows, columns)
        Of the dtype of ``images``.

    Raises
    ------
    ValueError, TypeError
        For another number of axes, or a number outside its range.

    Examples
    --------
    >>> image = np.zeros((1, 5, 5), np.float32)
    >>> image[0, 2, 2] = 1.0
    >>> moved = random_affine(image, np.random.default_rng(0), shift=1)
    >>> int(moved.sum()), moved.shape
    (1, (1, 5, 5))
    """
    where = "random_affine"
    images = checking.dimensions(where, "images", images, 3, "(images, rows, columns)")
    if images.dtype.itemsize > 8:
        raise TypeError(f"{where}: images holds {images.dtype}; wanted pixels of 8 bytes at most")
    checking.generator(where, rng)
    limits = {"shift": 1e3, "rotate": 180.0, "scale": 0.99, "shear": 10.0}
    largest = {"shift": shift, "rotate": rotate, "scale": scale, "shear": shear}
    for name, value in largest.items():
        checking.real_number(where, name, value, 0.0, limits[name])
    n, rows, columns = images.shape
    angle, high, wide, slant, down, right = rng.uniform(-1, 1, (6, n)) * np.reshape(
        [math.radians(rotate), scale, scale, shear, shift, shift], (6, 1)
    )
    # Wide enough for the corners under every map: no place is negative, and int() cuts down.
    turn = math.sin(min(math.radians(rotate), math.pi / 2))
    a, b = rows / 2 + shear * columns / 2, columns / 2
    margin = 2 + math.ceil(
        max((1 + scale) * (a + turn * b) - rows / 2, (1 + scale) * (turn * a + b) - b) + shift
    )

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
    maps = (
        part.astype(np.float32) for part in (row_from_i, row_from_j, column_from_i, column_from_j)
    )
    pixels = checking.contiguous(images, images.dtype)
    bits = np.dtype(f"i{images.dtype.itemsize}")
    moved = np.empty_like(pixels)
    threads.share(
        fetch_pixels, n, WORK * images.size, pixels.view(bits).reshape(-1), *maps, margin,
        moved.view(bits).reshape(-1), rows, columns,
    )  # fmt: skip
    return moved
