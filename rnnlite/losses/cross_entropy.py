"""Cross-entropy of one class among several."""

import numpy as np

from rnnlite import checking
from rnnlite.kernels import losses as kernels
from rnnlite.losses import arguments


def softmax_cross_entropy(
    logits, labels, out=None, *, label_smoothing=0.0, class_weights=None, mask=None, lengths=None,
    weights=None, return_weights=False,
):  # fmt: skip
    """Mean cross-entropy of the softmax of ``logits``, and its gradient.

        p = exp(logits) / sum(exp(logits)),  loss = -mean(log p[label]),
        dlogits = (p - onehot(label)) / rows

    With s = ``label_smoothing`` (Szegedy et al. 2016, section 7) and w = ``class_weights`` the
    loss of a row and the mean over the rows are, as in PyTorch,

        u = w ((1 - s) onehot(label) + s/C),  loss = -sum(u log p),
        mean = sum(loss) / sum(w[label]),  dlogits = (p sum(u) - u) / sum(w[label])

    Labels given as probabilities q weigh sum(w q), so that a one-hot label is worth the same as
    its class (PyTorch divides by the number of rows there).  Where nothing counts, the loss and
    the gradient are zero.

    Parameters
    ----------
    logits : array_like (B, C) or (B, T, C)
        Scores of C classes, before the softmax.
    labels : array_like of int (B,) or (B, T), or (B, C) or (B, T, C)
        The class of each row, or a probability for each class (one-hot).
    out : numpy.ndarray, optional
        For dlogits: C-contiguous, of the logits' shape and dtype.
    label_smoothing : float
        Part of each label that is spread over all classes, in [0, 1].
    class_weights : array_like (C,), optional
        How much a row of each class counts; not negative.
    mask : array_like of bool (B,) or (B, T), optional
        False for rows or steps that do not count (padding): they add nothing, their gradient is
        zero, and their logits and labels may be anything.
    lengths : array_like of int (B,), optional
        For logits (B, T, C), instead of a mask: steps of each row that count, 0 to T.
    weights : array_like (B,) or (B, T), optional
        How much each row or step counts, not negative; 0 as False in a mask.
    return_weights : bool
        Whether to return what each row or step weighs in the mean.

    Returns
    -------
    loss : float
    dlogits : numpy.ndarray
        Dloss/dlogits, in the shape and dtype of ``logits``.
    weights : numpy.ndarray of bool or float64 (B,) or (B, T), with ``return_weights``
        0 for what does not count.  Means over several batches are to be weighed by its sums.

    Examples
    --------
    >>> loss, dlogits = softmax_cross_entropy([[0.0, 0.0], [9.0, 9.0]], [0, 1], mask=[True, False])
    >>> round(loss, 4), dlogits          # log 2
    (0.6931, array([[-0.5,  0.5],
           [ 0. ,  0. ]]))
    """
    where = "softmax_cross_entropy"
    logits = checking.real_array(where, "logits", logits)
    if logits.ndim not in (2, 3) or 0 in logits.shape:
        wanted = "(batch, classes) or (batch, time, classes), none of them 0"
        raise ValueError(f"{where}: logits has shape {logits.shape}; wanted {wanted}")
    logits = checking.contiguous(logits, checking.common_float(logits))
    C, rows = logits.shape[-1], logits.size // logits.shape[-1]
    counted = arguments.counted(where, "logits", logits, logits.shape[:-1], mask, lengths, weights)
    counts = None if counted is None else counted != 0
    labels = checking.labels(where, "labels", labels)
    if labels.shape == logits.shape[:-1]:
        labels = _classes(where, labels, C, counts)
        plain = kernels.cross_entropy_of_classes
        weighted = kernels.weighted_cross_entropy_of_classes
    elif labels.shape == logits.shape:
        labels = _distributions(where, labels, logits.dtype, counts)
        plain = kernels.cross_entropy_of_distributions
        weighted = kernels.weighted_cross_entropy_of_distributions
    else:
        wanted = f"{logits.shape[:-1]} (classes) or that of logits, {logits.shape} (one-hot)"
        raise ValueError(f"{where}: labels has shape {labels.shape}; wanted {wanted}")
    out = arguments.gradient_array(where, out, logits, {"logits": logits, "labels": labels})
    smoothing = checking.real_number(where, "label_smoothing", label_smoothing, 0.0, 1.0)
    every, shape, logits = class_weights is None, logits.shape[:-1], logits.ravel()
    if smoothing == 0.0 and every and counted is None:
        loss = plain(logits, labels, out.ravel(), rows, C) / rows
        return arguments.result(loss, out, np.ones(shape, np.bool_), return_weights)

    of_classes = np.ones(C) if every else _class_weights(where, class_weights, C)
    counted = np.ones(1, np.bool_) if counted is None else counted.ravel()
    counted = np.repeat(counted, rows // counted.size)
    loss, weight = weighted(logits, labels, of_classes, smoothing, counted, out.ravel(), rows, C)
    if return_weights and not every:
        is_class = labels.dtype.kind == "i"
        each = of_classes[labels] if is_class else labels.reshape(-1, C) @ of_classes
        counted = np.where(counted, counted * each, 0.0)  # padding may hold NaN
    loss = None if weight == 0.0 else loss
    return arguments.result(loss, out, counted.reshape(shape), return_weights)


def _classes(where, labels, C, counted):
    """Class labels as the kernels take them, which index with them: a copy, and in range."""
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{where}: labels holds {labels.dtype}; class labels must be whole numbers")
    labels = labels.copy()  # the caller's may change between check and use
    checked = labels if counted is None else labels[counted]
    if checked.size and (checked.min() < 0 or checked.max() >= C):
        wanted = f"with {C} logits each must lie in 0..{C - 1}"
        found = f"labels runs from {checked.min()} to {checked.max()}"
        raise ValueError(f"{where}: {found}; {wanted}")
    if counted is not None:
        labels[~counted] = 0  # whatever stood in padding
    return labels.astype(np.int64, copy=False).ravel()


def _distributions(where, labels, dtype, counted):
    """Labels that are probabilities as the kernels take them."""
    targets = checking.contiguous(labels, dtype)
    if counted is None:
        sums, low = targets.sum(axis=-1), targets.min()
    else:
        which = arguments.over(counted, targets.ndim)
        sums = targets.sum(axis=-1, where=which)[counted]
        low = targets.min(initial=0.0, where=which)
    if low < 0 or not np.allclose(sums, 1.0, atol=1e-4):
        found = f"labels of shape {labels.shape} are probabilities, one a class"
        wanted = "they must not be negative and each row must sum to 1"
        sums = f"(found {sums.min():.4g} to {sums.max():.4g})"
        raise ValueError(f"{where}: {found}; {wanted} {sums}")
    return targets.ravel()


def _class_weights(where, class_weights, C):
    weights = checking.shaped(where, "class_weights", class_weights, (C,), "(classes,)", np.float64)
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        found = f"class_weights runs from {weights.min():.4g} to {weights.max():.4g}"
        raise ValueError(f"{where}: {found}; each must be finite and not negative")
    if not weights.any():
        raise ValueError(f"{where}: class_weights is 0 for every class; nothing would ever count")
    return weights
