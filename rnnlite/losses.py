"""Loss functions: each returns the loss and its gradient by the model's output."""

import numpy as np

from rnnlite import checking
from rnnlite.kernels import cross_entropy as kernels


def softmax_cross_entropy(logits, labels, out=None):
    """Mean cross-entropy of the softmax of ``logits``, and its gradient.

        p = exp(logits) / sum(exp(logits)),  loss = -mean(log p[label]),
        dlogits = (p - onehot(label)) / rows

    The largest logit is subtracted first, so no exponential overflows.

    Parameters
    ----------
    logits : array_like (B, C) or (B, T, C)
        Scores of C classes, before the softmax.
    labels : array_like of int (B,) or (B, T), or (B, C) or (B, T, C)
        The class of each row, or a probability for each class (one-hot).
    out : numpy.ndarray, optional
        Where dlogits is written: C-contiguous, of the logits' shape and dtype.

    Returns
    -------
    loss : float
        Mean over all rows.
    dlogits : numpy.ndarray
        dloss/dlogits, in the shape and dtype of ``logits``.

    Raises
    ------
    ValueError
        For shapes that do not fit, or a label outside 0..C-1.
    TypeError
        If class labels are not whole numbers.

    Examples
    --------
    >>> loss, dlogits = softmax_cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    >>> round(loss, 4)          # log 2
    0.6931
    >>> dlogits
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
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
    if out is None:
        out = np.empty_like(logits)
    elif out.shape != logits.shape or out.dtype != logits.dtype or not out.flags.c_contiguous:
        raise ValueError(
            f"{where}: out is {out.dtype} of shape {out.shape}; wanted C-contiguous "
            f"{logits.dtype} of shape {logits.shape}"
        )
    labels = checking.real_array(where, "labels", labels)
    if labels.shape == logits.shape[:-1]:
        if labels.dtype.kind not in "iu":
            raise TypeError(
                f"{where}: labels holds {labels.dtype}; class labels must be whole numbers"
            )
        if labels.min() < 0 or labels.max() >= C:
            raise ValueError(
                f"{where}: labels runs from {labels.min()} to {labels.max()}; with {C} logits "
                f"each must lie in 0..{C - 1}"
            )
        classes = checking.contiguous(labels, np.int64).ravel()
        total = kernels.cross_entropy_of_classes(logits.ravel(), classes, out.ravel(), rows, C)
    elif labels.shape == logits.shape:
        targets = checking.contiguous(labels, logits.dtype)
        sums = targets.sum(axis=-1)
        if targets.min() < 0 or not np.allclose(sums, 1.0, atol=1e-4):
            raise ValueError(
                f"{where}: labels of shape {labels.shape} are probabilities, one a class; they "
                f"must not be negative and each row must sum to 1 (found {sums.min():.4g} to "
                f"{sums.max():.4g})"
            )
        total = kernels.cross_entropy_of_distributions(
            logits.ravel(), targets.ravel(), out.ravel(), rows, C
        )
    else:
        raise ValueError(
            f"{where}: labels has shape {labels.shape}; wanted {logits.shape[:-1]} (classes) or "
            f"{logits.shape} (one-hot) for logits of shape {logits.shape}"
        )
    return float(total) / rows, out
