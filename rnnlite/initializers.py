"""Initial values of weights, drawn from a seeded generator.

All are called like ``glorot_uniform(rng, rows, columns)``: inputs and outputs of the weight
matrix.  A recurrent matrix (H, gates * H) holds one H x H block for each gate.  Layers take
their names:

    LSTM(28, 128, wx_init="glorot_uniform", wh_init="orthogonal")
"""

import functools

import numpy as np

from rnnlite import checking

BY_NAME = {}


def _initializer(function):
    """Put the function, with its arguments checked first, in ``BY_NAME``."""
    where = function.__name__

    @functools.wraps(function)
    def checked(rng, rows, columns, *others, **options):
        rows = checking.whole_number(where, "rows", rows)
        columns = checking.whole_number(where, "columns", columns)
        checking.number_of_numbers(where, rows * columns)
        return function(checking.generator(where, rng), rows, columns, *others, **options)

    BY_NAME[where] = checked
    return checked


@_initializer
def glorot_uniform(rng, rows, columns):
    """Uniform in +-sqrt(6 / (rows + columns)) (Glorot & Bengio 2010, equation 16).

    Parameters
    ----------
    rng : numpy.random.Generator
    rows, columns : int
        Inputs and outputs of the weight matrix.

    Returns
    -------
    numpy.ndarray (rows, columns) float64

    Examples
    --------
    >>> w = glorot_uniform(np.random.default_rng(0), 100, 50)
    >>> w.shape, bool(np.abs(w).max() <= 0.2)
    ((100, 50), True)
    """
    limit = np.sqrt(6.0 / (rows + columns))
    return rng.uniform(-limit, limit, (rows, columns))


@_initializer
def glorot_normal(rng, rows, columns):
    """Normal of variance 2 / (rows + columns) (Glorot & Bengio 2010, equation 12).

    The rest is as in ``glorot_uniform``.

    Examples
    --------
    >>> print(glorot_normal(np.random.default_rng(0), 100, 100).std().round(2))
    0.1
    """
    return rng.normal(0.0, np.sqrt(2.0 / (rows + columns)), (rows, columns))


@_initializer
def he_uniform(rng, rows, columns):
    """Uniform in +-sqrt(6 / rows), of the variance of ``he_normal``; as in ``glorot_uniform``.

    Examples
    --------
    >>> bool(np.abs(he_uniform(np.random.default_rng(0), 600, 50)).max() <= 0.1)
    True
    """
    limit = np.sqrt(6.0 / rows)
    return rng.uniform(-limit, limit, (rows, columns))


@_initializer
def he_normal(rng, rows, columns):
    """Normal of variance 2 / rows (He et al. 2015, equation 10) for relu; as in ``glorot_uniform``.

    Examples
    --------
    >>> print(he_normal(np.random.default_rng(0), 200, 50).std().round(2))
    0.1
    """
    return rng.normal(0.0, np.sqrt(2.0 / rows), (rows, columns))


@_initializer
def orthogonal(rng, rows, columns):
    """Random matrix with orthonormal rows, or columns if there are fewer (Saxe et al. 2014).

    The rest is as in ``glorot_uniform``.

    Examples
    --------
    >>> w = orthogonal(np.random.default_rng(0), 3, 12)
    >>> bool(np.allclose(w @ w.T, np.eye(3)))
    True
    """
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # or these signs would favour some rotations
    return q if rows >= columns else q.T


@_initializer
def identity(rng, rows, columns, hidden=None):
    """The identity matrix, once for each gate: a state that stays (Le, Jaitly & Hinton 2015).

    ``hidden``: columns of one gate, as many as there are rows; by default all columns.  The rest is
    as in ``glorot_uniform``; nothing is drawn from rng.

    Examples
    --------
    >>> identity(np.random.default_rng(0), 2, 4, hidden=2)
    array([[1., 0., 1., 0.],
           [0., 1., 0., 1.]])
    """
    block = checking.whole_number("identity", "hidden", columns if hidden is None else hidden)
    if rows != block or columns % block:
        wanted = "a square" if hidden is None else f"square blocks of {hidden} rows and columns"
        raise ValueError(f"identity: the weight is ({rows}, {columns}); wanted {wanted}")
    return np.tile(np.eye(rows), (1, columns // rows))


@_initializer
def normal(rng, rows, columns, std=0.01):
    """Normal with mean 0 and standard deviation ``std``; the rest is as in ``glorot_uniform``.

    Examples
    --------
    >>> print(normal(np.random.default_rng(0), 100, 100).std().round(2))
    0.01
    """
    std = checking.real_number("normal", "std", std, 0.0, 1e30)
    return rng.normal(0.0, std, (rows, columns))


@_initializer
def uniform_pytorch(rng, rows, columns, hidden=None):
    """Uniform in +-1/sqrt(hidden), as PyTorch fills every weight of a recurrent layer.

    ``hidden``: units of the layer; by default ``rows``, as of PyTorch's ``Linear``.  The rest is
    as in ``glorot_uniform``.

    Examples
    --------
    >>> bool(np.abs(uniform_pytorch(np.random.default_rng(0), 28, 400, hidden=100)).max() <= 0.1)
    True
    """
    hidden = rows if hidden is None else hidden
    limit = 1.0 / np.sqrt(checking.whole_number("uniform_pytorch", "hidden", hidden))
    return rng.uniform(-limit, limit, (rows, columns))


@_initializer
def zeros(rng, rows, columns):
    """All zero; the rest is as in ``glorot_uniform``.

    Examples
    --------
    >>> zeros(np.random.default_rng(0), 1, 2)
    array([[0., 0.]])
    """
    return np.zeros((rows, columns))


KNOW_GATES = (identity, uniform_pytorch)  # these look at ``hidden``


def get(where, name, argument="initializer"):
    """The initializer of that name, one of ``BY_NAME``, with one signature for all.

    Parameters
    ----------
    where, name, argument : str
        Who asks, for what, and what the name was given as, for messages.

    Returns
    -------
    callable
        As ``glorot_uniform(rng, rows, columns, hidden=None)``.

    Examples
    --------
    >>> get("LSTM", "orthogonal")(np.random.default_rng(0), 4, 16, 4).shape
    (4, 16)
    """
    function = BY_NAME[checking.one_of(where, argument, name, BY_NAME)]

    def initialize(rng, rows, columns, hidden=None):
        sizes = (rows, columns, hidden) if function in KNOW_GATES else (rows, columns)
        try:
            return function(rng, *sizes)
        except ValueError as error:
            raise ValueError(f"{where}: {argument}: {error}") from None

    return initialize
