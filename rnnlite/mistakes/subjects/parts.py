"""What stands around a cell: the loss, the layers before and behind it, the optimizer."""

import numpy as np


def softmax_cross_entropy(logits, labels):
    """Mean loss over the rows, and dlogits (B, C); logits (B, C), labels (B,) integers."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    q = np.eye(logits.shape[1])[labels]
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -(q * log_p).sum() / len(logits)
    dlogits = (p - q) / len(logits)
    return loss, dlogits


def dense_forward(x, W, b):
    """y (N, O) = x (N, I) W (I, O) + b (O,)."""
    y = x @ W + b
    return y


def dense_backward(dy, x, W):
    """dx, dW, db of ``dense_forward``."""
    dx = dy @ W.T
    dW = x.T @ dy
    db = dy.sum(axis=0)
    return dx, dW, db


def embedding_forward(indices, W):
    """Rows of W (V, D), one for each of the indices (N,)."""
    y = W[indices]
    return y


def embedding_backward(dy, indices, W):
    """dW (V, D): dy (N, D) goes to the row that was read."""
    dW = np.zeros(W.shape)
    np.add.at(dW, indices, dy)  # a row that was read twice has two gradients
    return dW


def adam_step(p, g, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """The new p, m and v from a gradient g; t is the number of this step, from 1."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    p = p - lr * m_hat / (np.sqrt(v_hat) + eps)
    return p, m, v


def clip_gradients(grads, max_norm):
    """The gradients, a list of arrays, scaled so that their common norm is at most max_norm."""
    norm = np.sqrt(sum(np.sum(g**2) for g in grads))
    scale = max_norm / norm if norm > max_norm else 1.0
    return [g * scale for g in grads]


def dropout_mask(draws, rate):
    """The mask m from draws, even in [0, 1): 0 with probability ``rate``."""
    mask = (draws >= rate) / (1 - rate)
    return mask


def dropout_forward(x, draws, rate, training=True):
    """y = x m, one m for all steps of a row: x (B, T, H), draws (B, T, H).  Only in training."""
    if not training:
        return x
    mask = dropout_mask(draws[:, :1], rate)
    y = x * mask
    return y


def dropout_backward(dy, draws, rate):
    """dx of ``dropout_forward`` in training."""
    mask = dropout_mask(draws[:, :1], rate)
    dx = dy * mask
    return dx


def last_valid(h, lengths):
    """Output at each row's last valid step: h (B, T, H), lengths (B,) above 0."""
    rows = np.arange(len(h))
    y = h[rows, lengths - 1]
    return y


def last_valid_backward(dy, h, lengths):
    """dh (B, T, H) of ``last_valid``."""
    rows = np.arange(len(h))
    dh = np.zeros(h.shape)
    dh[rows, lengths - 1] = dy
    return dh


def masked_mean(losses, lengths):
    """Mean over the valid steps of losses (B, T), and its gradient."""
    valid = np.arange(losses.shape[1]) < lengths[:, None]
    count = valid.sum()
    loss = np.where(valid, losses, 0).sum() / count
    dlosses = valid / count
    return loss, dlosses


def reverse(x, lengths):
    """Each row's valid steps in reverse, padding where it was: x (B, T, I)."""
    y = x.copy()
    for n, length in enumerate(lengths):
        y[n, :length] = x[n, :length][::-1]
    return y
