"""What all losses take: an array for the gradient, and what counts."""

import numpy as np

from rnnlite import checking


def gradient_array(where, out, y, inputs):
    """``out`` if it can take the gradient by y and is none of the inputs, or a new array."""
    if out is None:
        return np.empty_like(y)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{where}: out is of type {type(out).__name__}; it must be a NumPy array")
    if out.shape != y.shape or out.dtype != y.dtype or not out.flags.c_contiguous:
        wanted = f"C-contiguous {y.dtype} of shape {y.shape}"
        raise ValueError(f"{where}: out is {out.dtype} of shape {out.shape}; wanted {wanted}")
    if not out.flags.writeable:
        raise ValueError(f"{where}: out is read-only; it must be writeable")
    for name, array in inputs.items():
        if np.may_share_memory(out, array):
            raise ValueError(f"{where}: out shares memory with {name}; wanted an array of its own")
    return out


def counted(where, name, y, shape, mask, lengths, weights=None):
    """What counts, over the first axes of ``shape``: True or a weight; None if all of it does."""
    counts = _which(where, name, y, shape, mask, lengths)
    if weights is None:
        return counts
    weights = checking.real_array(where, "weights", weights)
    _check_shape(where, "weights", weights, name, y, shape)
    counts = np.ones((), np.bool_) if counts is None else counts
    ndim = max(weights.ndim, counts.ndim)
    weights = np.where(over(counts, ndim), over(weights, ndim), 0.0)  # padding may hold anything
    if not (np.isfinite(weights) & (weights >= 0.0)).all():
        found = f"weights runs from {weights.min():.4g} to {weights.max():.4g}"
        raise ValueError(f"{where}: {found}; each must be finite and not negative")
    return weights


def _which(where, name, y, shape, mask, lengths):
    """What counts by mask or lengths, as booleans, or None."""
    if mask is None and lengths is None:
        return None
    if mask is not None and lengths is not None:
        raise ValueError(f"{where}: mask and lengths both say which steps count; give one of them")
    if lengths is not None:
        if y.ndim != 3:
            meaning = f"lengths is for {name} of 3 axes with time in the middle"
            raise ValueError(f"{where}: {meaning}; {name} has shape {y.shape}")
        return np.arange(y.shape[1]) < checking.row_lengths(where, lengths, *y.shape[:2])[:, None]
    mask = checking.any_array(where, "mask", mask).copy()  # what is checked is what is used
    if mask.dtype != np.bool_:
        raise TypeError(f"{where}: mask holds {mask.dtype}; it must hold True and False")
    _check_shape(where, "mask", mask, name, y, shape)
    return mask


def _check_shape(where, what, array, name, y, shape):
    """That an array has the first axes of ``shape``."""
    if array.ndim == 0 or array.shape != shape[: array.ndim]:
        wanted = " or ".join(str(shape[:n]) for n in range(1, len(shape) + 1))
        wanted += f" for {name} of shape {y.shape}"
        raise ValueError(f"{where}: {what} has shape {array.shape}; wanted {wanted}")


def result(loss, gradient, weights, return_weights):
    """What a loss returns; where nothing counts, the mean of nothing and its gradient are 0."""
    if loss is None:
        loss, gradient[...] = 0.0, 0.0
    return (float(loss), gradient, weights) if return_weights else (float(loss), gradient)


def over(counted, ndim):
    """``counted`` with axes of size 1 at the end, to go with an array of ``ndim`` axes."""
    return counted.reshape(counted.shape + (1,) * (ndim - counted.ndim))
