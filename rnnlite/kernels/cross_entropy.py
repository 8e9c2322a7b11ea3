"""Softmax and cross-entropy of every row, with its derivative, in one pass."""

import math

from rnnlite.kernels.jit import kernel


@kernel
def cross_entropy_of_classes(logits, classes, dlogits, rows, C):
    """Sum over the rows of -log p[class]; writes dlogits = (p - onehot) / rows."""
    total = 0.0
    for r in range(rows):
        row, out = logits[r * C : (r + 1) * C], dlogits[r * C : (r + 1) * C]
        highest = row[0]
        for j in range(C):
            # "not <=" instead of ">": NaN becomes the highest, and then the loss.
            if not row[j] <= highest:
                highest = row[j]
        s = 0.0
        for j in range(C):
            out[j] = math.exp(row[j] - highest)
            s += out[j]
        total += math.log(s) - (row[classes[r]] - highest)
        scale = 1.0 / (s * rows)
        for j in range(C):
            out[j] *= scale
        out[classes[r]] -= 1.0 / rows
    return total


@kernel
def cross_entropy_of_distributions(logits, targets, dlogits, rows, C):
    """Sum over the rows of -sum_j target_j log p_j; writes dlogits = (p - target) / rows."""
    total = 0.0
    for r in range(rows):
        row, out = logits[r * C : (r + 1) * C], dlogits[r * C : (r + 1) * C]
        target = targets[r * C : (r + 1) * C]
        highest = row[0]
        for j in range(C):
            if not row[j] <= highest:
                highest = row[j]
        s = 0.0
        for j in range(C):
            out[j] = math.exp(row[j] - highest)
            s += out[j]
        log_s = math.log(s)
        scale = 1.0 / (s * rows)
        for j in range(C):
            if target[j] != 0.0:
                total += target[j] * (log_s - (row[j] - highest))
            out[j] = out[j] * scale - target[j] / rows
    return total
