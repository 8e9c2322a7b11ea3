"""Initial values of weights, drawn from a seeded generator."""

import numpy as np


def glorot_uniform(rng, rows, columns):
    """Uniform in +-sqrt(6 / (rows + columns)) (Glorot & Bengio 2010, equation 16).

    Parameters
    ----------
    rng : numpy.random.Generator
    rows, columns : int
        Inputs and outputs of the weight matrix.

    Returns
    -------
    numpy.ndarray (rows, columns)
        float64.

    Examples
    --------
    >>> w = glorot_uniform(np.random.default_rng(0), 100, 50)
    >>> w.shape, bool(np.abs(w).max() <= 0.2)
    ((100, 50), True)
    """
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns))


def orthogonal(rng, rows, columns):
    """Random matrix with orthonormal rows, or columns if there are fewer (Saxe et al. 2014).

    Parameters
    ----------
    rng : numpy.random.Generator
    rows, columns : int

    Returns
    -------
    numpy.ndarray (rows, columns)
        float64.

    Examples
    --------
    >>> w = orthogonal(np.random.default_rng(0), 3, 12)
    >>> bool(np.allclose(w @ w.T, np.eye(3)))
    True
    """
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    # Without this the signs of r's diagonal would favour some rotations.
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T
