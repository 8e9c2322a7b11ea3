"""Gradient clipping: one long step through a cliff of the loss undoes a hundred good ones."""

import math

import numpy as np

from rnnlite import checking, threads
from rnnlite.kernels.sgd import sums_of_squares

# Numbers that are summed at a stretch; see ``kernels/sgd.py``.
BLOCK = 4096


def clip_gradients(model, max_norm):
    """Scale all gradients of a model so that their common norm is at most ``max_norm``.

        norm = sqrt(sum of g^2 over all gradients),  g = g max_norm / norm  if norm > max_norm

    Pascanu, Mikolov & Bengio 2013, algorithm 1: the direction stays.  Call it
    between ``backward`` and ``optimizer.step()``.

    Parameters
    ----------
    model : Layer, or any object with a dict ``grads``
        float32 or float64 arrays, changed in place.
    max_norm : float
        Above 0.

    Returns
    -------
    float
        The norm before, summed in float64, the same at any number of threads.
        If it is NaN or infinite the gradients are left as they are.

    Raises
    ------
    ValueError, TypeError
        If ``max_norm`` is not a number above 0, or the model has no usable gradients.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1)
    >>> dense.grads["W"][...], dense.grads["b"][...] = 3.0, 4.0
    >>> clip_gradients(dense, 1.0)
    5.0
    >>> dense.grads["W"], dense.grads["b"]
    (array([[0.6]], dtype=float32), array([0.8], dtype=float32))
    """
    max_norm = checking.real_number(
        "clip_gradients",
        "max_norm",
        max_norm,
        0.0,
        math.inf,
        low_included=False,
        high_included=False,
    )
    grads = _gradients(model)
    norm = math.sqrt(sum(_sum_of_squares(g) for g in grads))
    if max_norm < norm < math.inf:
        for g in grads:
            g *= max_norm / norm
    return norm


def _sum_of_squares(g):
    """Sum of g^2 in float64: of each block first, then of the blocks."""
    flat = checking.contiguous(g, g.dtype).reshape(-1)
    sums = np.zeros(-(-flat.size // BLOCK))
    threads.share(sums_of_squares, sums.size, flat.size, flat, BLOCK, sums)
    return float(sums.sum())


def _gradients(model):
    """All gradient arrays: a single one for a model of the library."""
    if hasattr(model, "flat_grads"):
        return [model.flat_grads]
    grads = getattr(model, "grads", None)
    if not isinstance(grads, dict) or not grads:
        raise TypeError(
            f"clip_gradients: model is a {type(model).__name__}; wanted a layer, or an object "
            "with the dict grads"
        )
    for name, g in grads.items():
        if not isinstance(g, np.ndarray) or g.dtype not in (np.float32, np.float64):
            raise TypeError(f"clip_gradients: grads[{name!r}] must be a float32 or float64 array")
        if not g.flags.writeable:
            raise ValueError(f"clip_gradients: grads[{name!r}] must be writeable")
    return list(grads.values())
