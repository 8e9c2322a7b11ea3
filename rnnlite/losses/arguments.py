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


def counted(where, name, y, shape, mask, lengths):
    """What counts, as booleans over the first axes of ``shape``; None if all of it does."""
    if mask is None and lengths is None:
        return None
    if mask is not None and lengths is not None:
        raise ValueError(f"{where}: mask and lengths both say which steps count; give one of them")
    if lengths is not None:
        if y.ndim != 3:
            meaning = f"lengths is for {name} of 3 axes with time in the middle"
            raise ValueError(f"{where}: {meaning}; {name} has shape {y.shape}")
        return np.arange(y.shape[1]) < checking.row_lengths(where, lengths, *y.shape[:2])[:, None]
    mask = checking.any_array(where, "mask", mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"{where}: mask holds {mask.dtype}; it must hold True and False")
    if mask.ndim == 0 or mask.shape != shape[: mask.ndim]:
        wanted = " or ".join(str(shape[:n]) for n in range(1, len(shape) + 1))
        wanted += f" for {name} of shape {y.shape}"
        raise ValueError(f"{where}: mask has shape {mask.shape}; wanted {wanted}")
    if not mask.any():
        raise ValueError(f"{where}: mask is False everywhere; there is nothing to take the mean of")
    return mask


def over(counted, ndim):
    """``counted`` with axes of size 1 at the end, to go with an array of ``ndim`` axes."""
    return counted.reshape(counted.shape + (1,) * (ndim - counted.ndim))
