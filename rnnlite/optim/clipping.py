"""Gradient clipping: one long step through a cliff of the loss undoes a hundred good ones."""

import math

import numpy as np

from rnnlite import checking
from rnnlite.engine import threads
from rnnlite.kernels.sgd import sums_of_squares
from rnnlite.optim.optimizer import is_flat

BLOCK = 4096  # numbers that are summed at a stretch; see ``kernels/sgd.py``
WORK = 10  # multiplications in a product that take as long as summing a square


def clip_gradients(model, max_norm):
    """Scale all gradients of a model so that their common norm is at most ``max_norm``.

        norm = sqrt(sum of g^2 over all gradients),  g = g max_norm / norm  if norm > max_norm

    Pascanu, Mikolov & Bengio 2013, algorithm 1: the direction stays.  Call it between ``backward``
    and ``optimizer.step()``.

    Parameters
    ----------
    model : Layer, or any object with a dict ``grads`` of float32 or float64 arrays
    max_norm : float
        Above 0.

    Returns
    -------
    float
        The norm before, summed in float64, the same at any number of threads.  If it is NaN or
        infinite the gradients are left as they are.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1)
    >>> dense.grads["W"][...], dense.grads["b"][...] = 3.0, 4.0
    >>> clip_gradients(dense, 1.0), dense.grads["W"]
    (5.0, array([[0.6]], dtype=float32))
    """
    where = "clip_gradients"
    max_norm = checking.real_number(
        where, "max_norm", max_norm, 0.0, math.inf, low_included=False, high_included=False
    )
    norm = _norm(where, model)
    if max_norm < norm < math.inf:
        for g in _gradients(where, model):
            g *= max_norm / norm
    return norm


def gradient_norm(model):
    """Common norm of all gradients of a ``model``, as in ``clip_gradients``; changes nothing.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1)
    >>> dense.grads["W"][...], dense.grads["b"][...] = 3.0, 4.0
    >>> gradient_norm(dense)
    5.0
    """
    return _norm("gradient_norm", model)


def _norm(where, model):
    """Sums of g^2 in float64: of each block first, then of the blocks, then of the arrays."""
    total = 0.0
    for g in _gradients(where, model):
        flat = checking.contiguous(g, g.dtype).reshape(-1)
        sums = np.zeros(-(-flat.size // BLOCK))
        threads.parallel_for(sums_of_squares, sums.size, WORK * flat.size, flat, BLOCK, sums)
        total += float(sums.sum())
    return math.sqrt(total)


def _gradients(where, model):
    """All gradient arrays: a single one for a model of the library."""
    if is_flat(model):
        return [model.flat_grads]
    grads = getattr(model, "grads", None)
    if not isinstance(grads, dict) or not grads:
        wanted = "a layer, or an object with the dict grads"
        raise TypeError(f"{where}: model is of type {type(model).__name__}; wanted {wanted}")
    for name, g in grads.items():
        if not isinstance(g, np.ndarray) or g.dtype not in (np.float32, np.float64):
            raise TypeError(f"{where}: grads[{name!r}] must be a float32 or float64 array")
        if not g.flags.writeable:
            raise ValueError(f"{where}: grads[{name!r}] must be writeable")
    return list(grads.values())
