"""Loss functions: each returns the loss and its gradient by the model's output."""

import numpy as np

from rnnlite import checking
from rnnlite.kernels import losses as kernels

EVERYTHING = np.ones(1, np.bool_)  # one block, the whole array, and it counts


def softmax_cross_entropy(
    logits,
    labels,
    out=None,
    *,
    label_smoothing=0.0,
    class_weights=None,
    mask=None,
    lengths=None,
):
    """Mean cross-entropy of the softmax of ``logits``, and its gradient.

        p = exp(logits) / sum(exp(logits)),  loss = -mean(log p[label]),
        dlogits = (p - onehot(label)) / rows

    The largest logit is subtracted first, so no exponential overflows.

    With s = ``label_smoothing`` (Szegedy et al. 2016, section 7) and w =
    ``class_weights`` the loss of a row and the mean over the rows are

        u = w ((1 - s) onehot(label) + s/C),  loss = -sum(u log p),
        mean = sum(loss) / sum(w[label]),  dlogits = (p sum(u) - u) / sum(w[label])

    as in PyTorch.  Labels given as probabilities q weigh sum(w q), so that a
    one-hot label is worth the same as its class (PyTorch divides by the number of rows there).

    Parameters
    ----------
    logits : array_like (B, C) or (B, T, C)
        Scores of C classes, before the softmax.
    labels : array_like of int (B,) or (B, T), or (B, C) or (B, T, C)
        The class of each row, or a probability for each class (one-hot).
    out : numpy.ndarray, optional
        Where dlogits is written: C-contiguous, of the logits' shape and dtype.
    label_smoothing : float
        Part of each label that is spread over all classes, in [0, 1].
    class_weights : array_like (C,), optional
        How much a row of each class counts; not negative.
    mask : array_like of bool (B,) or (B, T), optional
        False for rows or steps that do not count (padding): they add nothing,
        their gradient is zero, and their logits and labels may be anything.
    lengths : array_like of int (B,), optional
        For logits (B, T, C), instead of a mask: steps of each row that count, 1 to T.

    Returns
    -------
    loss : float
        Mean over all rows that count.
    dlogits : numpy.ndarray
        dloss/dlogits, in the shape and dtype of ``logits``.

    Raises
    ------
    ValueError
        For shapes that do not fit, a label outside 0..C-1, a number outside its
        range, or if nothing counts.
    TypeError
        If class labels are not whole numbers, or the mask is not of booleans.

    Examples
    --------
    >>> loss, dlogits = softmax_cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    >>> round(loss, 4)          # log 2
    0.6931
    >>> dlogits
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    >>> softmax_cross_entropy([[0.0, 0.0], [9.0, 9.0]], [0, 1], mask=[True, False])[1]
    array([[-0.5,  0.5],
           [ 0. ,  0. ]])
    """
    where = "softmax_cross_entropy"
    logits = checking.real_array(where, "logits", logits)
    if logits.ndim not in (2, 3) or 0 in logits.shape:
        raise ValueError(
            f"{where}: logits has shape {logits.shape}; wanted (batch, classes) or "
            "(batch, time, classes), none of them 0"
        )
    logits = checking.contiguous(logits, checking.common_float(logits))
    C, rows = logits.shape[-1], logits.size // logits.shape[-1]
    out = _gradient_array(where, out, logits, "logits")
    counted = _counted(where, "logits", logits, logits.shape[:-1], mask, lengths)
    labels = checking.real_array(where, "labels", labels)
    if labels.shape == logits.shape[:-1]:
        plain, weighted, labels = _classes(where, labels, C, counted)
    elif labels.shape == logits.shape:
        plain, weighted, labels = _distributions(where, labels, logits.dtype, counted)
    else:
        raise ValueError(
            f"{where}: labels has shape {labels.shape}; wanted {logits.shape[:-1]} (classes) or "
            f"{logits.shape} (one-hot) for logits of shape {logits.shape}"
        )
    _check_apart(where, out, labels, "labels")
    if label_smoothing == 0.0 and class_weights is None and counted is None:
        total = plain(logits.ravel(), labels, out.ravel(), rows, C)
        return float(total) / rows, out

    smoothing = checking.real_number(where, "label_smoothing", label_smoothing, 0.0, 1.0)
    weights = np.ones(C) if class_weights is None else _class_weights(where, class_weights, C)
    if counted is None:
        counted = np.ones(rows, np.bool_)
    counted = np.repeat(counted.ravel(), rows // counted.size)
    loss, weight = weighted(
        logits.ravel(), labels, weights, smoothing, counted, out.ravel(), rows, C
    )
    if weight == 0.0:
        raise ValueError(
            f"{where}: class_weights is 0 for every label that counts; there is no mean"
        )
    return float(loss), out


def mean_squared_error(y, target, out=None, *, mask=None, lengths=None):
    """Mean of the squared differences, and its gradient.

        loss = mean((y - target)^2),  dy = 2 (y - target) / n

    Parameters
    ----------
    y : array_like, of any shape
        What the model computed, as (B, F) or (B, T, F).
    target : array_like, in the shape of y
        What it should be.
    out : numpy.ndarray, optional
        Where dy is written: C-contiguous, of y's shape and dtype.
    mask : array_like of bool, in the shape of y's first axes, optional
        (B,), (B, T) or up to all of y's shape.  What is False does not count:
        it adds nothing, its gradient is zero, and y and target may be anything there.
    lengths : array_like of int (B,), optional
        For y (B, T, F), instead of a mask: steps of each row that count, 1 to T.

    Returns
    -------
    loss : float
        Mean over the n numbers that count.
    dy : numpy.ndarray
        dloss/dy, in the shape and dtype of ``y``.

    Raises
    ------
    ValueError
        For shapes that do not fit, or if nothing counts.
    TypeError
        If the mask is not of booleans.

    Examples
    --------
    >>> mean_squared_error([[1.0, 2.0]], [[1.0, 5.0]])
    (4.5, array([[ 0., -3.]]))
    """
    return _elementwise(
        "mean_squared_error", kernels.squared_error, "y", y, "target", target, out, mask, lengths
    )


def binary_cross_entropy(logits, targets, out=None, *, mask=None, lengths=None):
    """Mean cross-entropy of independent yes-or-no questions, and its gradient.

        p = σ(logits),  loss = -mean(t log p + (1 - t) log(1 - p)),
        dlogits = (p - t) / n

    Computed from the logits: no rounding turns p into 0 or 1, whose logarithm is infinite.

    Parameters
    ----------
    logits : array_like, of any shape
        Scores before the sigmoid, as (B, F) or (B, T, F).
    targets : array_like, in the shape of logits
        t, 0 or 1, or a probability.
    out : numpy.ndarray, optional
        Where dlogits is written: C-contiguous, of the logits' shape and dtype.
    mask : array_like of bool, in the shape of the logits' first axes, optional
        (B,), (B, T) or up to all of the logits' shape.  What is False does not count:
        it adds nothing, its gradient is zero, and it may be anything.
    lengths : array_like of int (B,), optional
        For logits (B, T, F), instead of a mask: steps of each row that count, 1 to T.

    Returns
    -------
    loss : float
        Mean over the n numbers that count.
    dlogits : numpy.ndarray
        dloss/dlogits, in the shape and dtype of ``logits``.

    Raises
    ------
    ValueError
        For shapes that do not fit, a target outside [0, 1], or if nothing counts.
    TypeError
        If the mask is not of booleans.

    Examples
    --------
    >>> loss, dlogits = binary_cross_entropy([[0.0, 0.0]], [[1, 0]])
    >>> round(loss, 4), dlogits          # log 2
    (0.6931, array([[-0.25,  0.25]]))
    """
    return _elementwise(
        "binary_cross_entropy", kernels.logistic_cross_entropy,
        "logits", logits, "targets", targets, out, mask, lengths, between_0_and_1=True,
    )  # fmt: skip


def _elementwise(
    where, kernel, name, y, target_name, target, out, mask, lengths, between_0_and_1=False
):
    """A loss that is a mean over numbers: check, then one kernel call."""
    y = checking.real_array(where, name, y)
    if y.ndim == 0 or y.size == 0:
        raise ValueError(f"{where}: {name} has shape {y.shape}; it must hold at least one row")
    y = checking.contiguous(y, checking.common_float(y))
    # No broadcasting: (B,) against (B, 1) would quietly compare everything with everything.
    target = checking.shaped(where, target_name, target, y.shape, f"as {name}", y.dtype)
    out = _gradient_array(where, out, y, name)
    _check_apart(where, out, target, target_name)
    counted = _counted(where, name, y, y.shape, mask, lengths)
    if between_0_and_1:
        which = True if counted is None else _over(counted, y.ndim)
        low = target.min(initial=1.0, where=which)
        high = target.max(initial=0.0, where=which)
        if not (low >= 0.0 and high <= 1.0):
            raise ValueError(
                f"{where}: {target_name} runs from {low:.4g} to {high:.4g}; each must lie in [0, 1]"
            )
    counted = EVERYTHING if counted is None else checking.contiguous(counted, np.bool_).ravel()
    loss = kernel(y.ravel(), target.ravel(), counted, y.size // counted.size, out.ravel())
    return float(loss), out


def _gradient_array(where, out, y, name):
    """``out`` if it can take the gradient by ``y``, or a new array."""
    if out is None:
        return np.empty_like(y)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{where}: out is a {type(out).__name__}; it must be a NumPy array")
    if out.shape != y.shape or out.dtype != y.dtype or not out.flags.c_contiguous:
        raise ValueError(
            f"{where}: out is {out.dtype} of shape {out.shape}; wanted C-contiguous "
            f"{y.dtype} of shape {y.shape}"
        )
    if not out.flags.writeable:
        raise ValueError(f"{where}: out is read-only; it must be writeable")
    _check_apart(where, out, y, name)
    return out


def _check_apart(where, out, array, name):
    """The gradient is not written over what it is computed from."""
    if np.may_share_memory(out, array):
        raise ValueError(f"{where}: out shares memory with {name}; it must be an array of its own")


def _counted(where, name, y, shape, mask, lengths):
    """What counts, as booleans over the first axes of ``shape``; None if all of it does."""
    if mask is None and lengths is None:
        return None
    if mask is not None and lengths is not None:
        raise ValueError(f"{where}: mask and lengths both say which steps count; give one of them")
    if lengths is not None:
        if y.ndim != 3:
            raise ValueError(
                f"{where}: lengths is for {name} of 3 axes with time in the middle; "
                f"{name} has shape {y.shape}"
            )
        B, T = y.shape[:2]
        return np.arange(T) < checking.row_lengths(where, lengths, B, T)[:, None]
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"{where}: mask holds {mask.dtype}; it must hold True and False")
    if mask.ndim == 0 or mask.shape != shape[: mask.ndim]:
        wanted = " or ".join(str(shape[:n]) for n in range(1, len(shape) + 1))
        raise ValueError(
            f"{where}: mask has shape {mask.shape}; wanted {wanted} for {name} of shape {y.shape}"
        )
    if not mask.any():
        raise ValueError(f"{where}: mask is False everywhere; there is nothing to take the mean of")
    return mask


def _over(counted, ndim):
    """``counted`` with axes of size 1 at the end, to go with an array of ``ndim`` axes."""
    return counted.reshape(counted.shape + (1,) * (ndim - counted.ndim))


def _classes(where, labels, C, counted):
    """Both kernels for class labels, and the labels as they take them."""
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{where}: labels holds {labels.dtype}; class labels must be whole numbers")
    checked = labels if counted is None else labels[counted]
    low, high = checked.min(), checked.max()
    if low < 0 or high >= C:
        raise ValueError(
            f"{where}: labels runs from {low} to {high}; with {C} logits "
            f"each must lie in 0..{C - 1}"
        )
    labels = checking.contiguous(labels, np.int64).ravel()
    return kernels.cross_entropy_of_classes, kernels.weighted_cross_entropy_of_classes, labels


def _distributions(where, labels, dtype, counted):
    """Both kernels for labels that are probabilities, and the labels as they take them."""
    targets = checking.contiguous(labels, dtype)
    if counted is None:
        sums, low = targets.sum(axis=-1), targets.min()
    else:
        which = _over(counted, targets.ndim)
        sums = targets.sum(axis=-1, where=which)[counted]
        low = targets.min(initial=0.0, where=which)
    if low < 0 or not np.allclose(sums, 1.0, atol=1e-4):
        raise ValueError(
            f"{where}: labels of shape {labels.shape} are probabilities, one a class; they "
            f"must not be negative and each row must sum to 1 (found {sums.min():.4g} to "
            f"{sums.max():.4g})"
        )
    plain = kernels.cross_entropy_of_distributions
    return plain, kernels.weighted_cross_entropy_of_distributions, targets.ravel()


def _class_weights(where, class_weights, C):
    weights = checking.shaped(where, "class_weights", class_weights, (C,), "(classes,)", np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError(
            f"{where}: class_weights runs from {weights.min():.4g} to {weights.max():.4g}; "
            "each must be finite and not negative"
        )
    return weights
