"""What rows, steps and classes weigh: ``sample_weight`` and ``class_weight`` of ``fit``.

Both become one array, a number for each row or step, which the loss is given as ``weights``: the
weight of a class is that of its rows.
"""

import numpy as np

from rnnlite import checking


def sample_weights(where, value, n, T, lengths):
    """``sample_weight`` as float64 (n,) or (n, T), a copy; None stays None."""
    if value is None:
        return None
    weights = checking.real_array(where, "sample_weight", value).astype(np.float64)
    if weights.shape not in ((n,), (n, T)):
        wanted = f"({n},), one a row, or ({n}, {T}), one a step"
        raise ValueError(f"{where}: sample_weight has shape {weights.shape}; wanted {wanted}")
    if weights.ndim == 2 and lengths is not None:
        weights[np.arange(T) >= lengths[:, None]] = 0.0  # whatever stands in padding
    _check_numbers(where, "sample_weight", weights)
    return weights


def of_classes(where, class_weight, y, output_shape, lengths):
    """What each row or step of y weighs by its class: float64 (n,) or (n, T).

    A soft label has the mean of its classes' weights.
    """
    C, values = output_shape[-1], y[..., 0] if y.shape[-1:] == (1,) == output_shape[-1:] else y
    is_class = values.shape == output_shape[:-1] and (values.dtype.kind in "iu" or C == 1)
    if not is_class and (y.shape != output_shape or C == 1):
        got = f"y holds {y.dtype} of shape {y.shape} where the model computes {output_shape}"
        raise ValueError(f"{where}: class_weight is for labels of classes; {got}")
    weights = _each(where, class_weight, max(C, 2))
    if not is_class:
        if lengths is not None and y.ndim == 3:
            y = np.where(np.arange(y.shape[1])[:, None] < lengths[:, None, None], y, 0)
        result = y @ weights
    elif C == 1:  # 1, 0 or the probability of 1
        result = weights[0] + np.clip(np.nan_to_num(values), 0, 1) * (weights[1] - weights[0])
    else:
        result = weights.take(values, mode="clip")  # in padding any label may stand
    return result


def _each(where, class_weight, C):
    """A weight for each class: float64 (C,)."""
    if isinstance(class_weight, dict):
        weights = np.ones(C)
        for label, value in class_weight.items():
            label = checking.whole_number(where, "a class of class_weight", label, 0, C - 1)
            name = f"class_weight[{label}]"
            weights[label] = checking.real_number(where, name, value, 0.0, 1e30)
    else:
        weights = checking.any_array(where, "class_weight", class_weight)
        if weights.dtype.kind not in "fiu" or weights.ndim == 0:
            wanted = "a dict from class to weight, or an array (classes,)"
            raise TypeError(f"{where}: class_weight is {class_weight!r:.100}; wanted {wanted}")
        if weights.shape != (C,):
            wanted = f"({C},), one a class"
            raise ValueError(f"{where}: class_weight has shape {weights.shape}; wanted {wanted}")
        weights = weights.astype(np.float64)
    _check_numbers(where, "class_weight", weights)
    return weights


def _check_numbers(where, name, weights):
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        found = f"{name} runs from {weights.min():.4g} to {weights.max():.4g}"
        raise ValueError(f"{where}: {found}; each must be finite and not negative")
    if not weights.any():
        raise ValueError(f"{where}: {name} is 0 everywhere; nothing would ever count")
