"""Cross-entropy of the softmax, p = exp a / Σ exp a: the loss of a classifier."""

import numpy as np

from rnnlite.reference.arrays import float_type, shaped


def softmax_cross_entropy(logits, labels):
    """Mean cross-entropy of softmax(logits), and its gradient.

    Parameters
    ----------
    logits : (B, C) or (B, T, C)
    labels : integers (B,) or (B, T) in 0..C-1; or one-hot rows, in the shape of logits

    Returns
    -------
    loss : float, the mean over all rows
    dlogits : dL/dlogits, in the shape and dtype of logits

    >>> loss, dlogits = softmax_cross_entropy([[0.0, 0.0]], [1])
    >>> print(round(loss, 4), dlogits)  # log 2
    0.6931 [[ 0.5 -0.5]]
    """
    logits, q = _rows_and_targets("softmax_cross_entropy", logits, labels)
    rows = q[..., 0].size
    shifted = logits - logits.max(axis=-1, keepdims=True)  # softmax(a) = softmax(a - max a)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # p = exp a / Σ exp a
    loss = -np.sum(q * np.where(q > 0, log_p, 0)) / rows  # L = -mean Σ q log p
    dlogits = (np.exp(log_p) - q) / rows  # dL/da = (p - q) / rows
    return float(loss), dlogits


def _rows_and_targets(function, logits, labels):
    """Logits, and the labels as one-hot rows in their shape."""
    words = ("batch", "classes") if np.ndim(logits) == 2 else ("batch", "time", "classes")
    logits = shaped(function, "logits", logits, words, float_type(logits))
    labels, C = np.asarray(labels), logits.shape[-1]
    if labels.ndim == logits.ndim:
        q = shaped(function, "labels", labels, logits.shape, logits.dtype)
        if q.min() < 0 or not np.allclose(q.sum(axis=-1), 1, atol=1e-4):
            raise ValueError(f"{function}: labels {q.shape} has rows that are not one-hot")
        return logits, q
    labels = shaped(function, "labels", labels, logits.shape[:-1], labels.dtype)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{function}: labels has dtype {labels.dtype}; wanted integers or one-hot")
    if labels.min() < 0 or labels.max() >= C:
        raise ValueError(f"{function}: labels has values outside 0..{C - 1}, the {C} classes")
    return logits, np.eye(C, dtype=logits.dtype)[labels]
