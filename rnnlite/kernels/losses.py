"""Losses of every row with their derivatives.

Sums are float64 whatever the arrays hold.  They start as ``np.float64(0.0)``: with the JIT off,
NumPy adds float32 to a plain 0.0 in float32.  A loop that sums writes nothing: LLVM makes two
versions of one that reads one array and writes another, and takes the scalar one if they lie side
by side in memory, which sums in another order.

Logits minus the largest of their row are written to memory before they are used: LLVM made
(log s + highest) - row[j] of log s - (row[j] - highest), where a large highest swallows log s.
"""

import math

import numpy as np

from rnnlite.kernels.jit import inner, kernel


@inner
def shifted(logits, dlogits, r, C):
    """Row ``r`` of dlogits; writes there logits - highest, so that no exponential overflows."""
    row, out = logits[r * C : (r + 1) * C], dlogits[r * C : (r + 1) * C]
    highest = row[0]
    for j in range(row.size):
        if row[j] > highest:  # false for NaN, which comes into the sum of the exponentials
            highest = row[j]
    for j in range(row.size):
        out[j] = row[j] - highest
    return out


@inner
def exponentials(out):
    """Replace the shifted logits by their exponentials; return their sum s: p = out / s."""
    s = np.float64(0.0)
    for j in range(out.size):
        out[j] = math.exp(out[j])
    for j in range(out.size):
        s += out[j]
    return s


@kernel
def cross_entropy_of_classes(logits, classes, dlogits, rows, C):
    """Sum over the rows of -log p[class]; writes dlogits = (p - onehot) / rows."""
    total = np.float64(0.0)
    for r in range(rows):
        out = shifted(logits, dlogits, r, C)
        own = out[classes[r]]
        s = exponentials(out)
        total += math.log(s) - own
        scale = 1.0 / (s * rows)
        for j in range(C):
            out[j] *= scale
        out[classes[r]] -= 1.0 / rows
    return total


@kernel
def cross_entropy_of_distributions(logits, targets, dlogits, rows, C):
    """Sum over the rows of -sum_j target_j log p_j; writes dlogits = (p - target) / rows."""
    total = np.float64(0.0)
    for r in range(rows):
        out, target = shifted(logits, dlogits, r, C), targets[r * C : (r + 1) * C]
        weight, own = np.float64(0.0), np.float64(0.0)
        for j in range(C):
            if target[j] != 0.0:  # 0 times an excluded class's -inf is nothing
                weight += target[j]
                own += target[j] * out[j]
        s = exponentials(out)
        total += weight * math.log(s) - own
        scale = 1.0 / (s * rows)
        for j in range(C):
            out[j] = out[j] * scale - target[j] / rows
    return total


@kernel
def weighted_cross_entropy_of_classes(
    logits, classes, weights, smoothing, counted, dlogits, rows, C
):
    """Mean of -sum_j u_j log p_j over the rows that count; also the weight of their labels.

    u_j = counted weights_j ((1 - smoothing) onehot_j + smoothing / C), and the mean divides by the
    sum of counted weights[class].  Writes dlogits = (p sum(u) - u) / that sum, zero in rows of
    counted 0: their logits and classes are not read.
    """
    weight = np.float64(0.0)
    for r in range(rows):
        if counted[r]:
            weight += counted[r] * weights[classes[r]]
    if weight == 0.0:
        return 0.0, weight
    weight_of_all = np.float64(0.0)
    for j in range(C):
        weight_of_all += weights[j]
    total = np.float64(0.0)
    for r in range(rows):
        if not counted[r]:
            dlogits[r * C : (r + 1) * C] = 0.0
            continue
        label, share = classes[r], counted[r] * smoothing / C
        u_label = counted[r] * (1.0 - smoothing) * weights[label]
        sum_u = u_label + share * weight_of_all
        out = shifted(logits, dlogits, r, C)
        u_times_out = u_label * out[label] if u_label != 0.0 else np.float64(0.0)
        for j in range(C):
            if share * weights[j] != 0.0:
                u_times_out += share * weights[j] * out[j]
        s = exponentials(out)
        total += sum_u * math.log(s) - u_times_out
        scale = sum_u / (s * weight)
        for j in range(C):
            out[j] = out[j] * scale - share * weights[j] / weight
        out[label] -= u_label / weight
    return total / weight, weight


@kernel
def weighted_cross_entropy_of_distributions(
    logits, targets, weights, smoothing, counted, dlogits, rows, C
):
    """The same of targets (rows, C); the mean divides by the sum of weights_j target_j."""
    weight = np.float64(0.0)
    for r in range(rows):
        if counted[r]:
            target = targets[r * C : (r + 1) * C]
            for j in range(C):
                weight += counted[r] * weights[j] * target[j]
    if weight == 0.0:
        return 0.0, weight
    share = smoothing / C
    total = np.float64(0.0)
    for r in range(rows):
        if not counted[r]:
            dlogits[r * C : (r + 1) * C] = 0.0
            continue
        out, target = shifted(logits, dlogits, r, C), targets[r * C : (r + 1) * C]
        sum_u, u_times_out = np.float64(0.0), np.float64(0.0)
        for j in range(C):
            u = counted[r] * weights[j] * ((1.0 - smoothing) * target[j] + share)
            if u != 0.0:
                sum_u += u
                u_times_out += u * out[j]
        s = exponentials(out)
        total += sum_u * math.log(s) - u_times_out
        scale = sum_u / (s * weight)
        for j in range(C):
            u = counted[r] * weights[j] * ((1.0 - smoothing) * target[j] + share)
            out[j] = out[j] * scale - u / weight
    return total / weight, weight


@kernel
def squared_error(y, target, counted, block, dy):
    """Mean of (y - target)^2 over the blocks that count; writes dy = 2 (y - target) / n.

    y, target and dy are cut into ``block`` numbers for each element of ``counted``, which says how
    much they count, n being the sum; blocks of 0 are not read, and dy is zero there.
    """
    n = np.float64(0.0)
    for k in range(counted.size):
        n += block * counted[k]
    total = np.float64(0.0)
    for k in range(counted.size):
        value, wanted = y[k * block : (k + 1) * block], target[k * block : (k + 1) * block]
        out = dy[k * block : (k + 1) * block]
        if counted[k]:
            part, scale = np.float64(0.0), dy.dtype.type(2.0 * counted[k] / n)
            for j in range(block):
                part += (value[j] - wanted[j]) ** 2
            total += counted[k] * part
            for j in range(block):
                out[j] = scale * (value[j] - wanted[j])
        else:
            out[:] = 0.0
    return total / n


@kernel
def logistic_cross_entropy(x, target, counted, block, dx):
    """Mean of -t log σ(x) - (1 - t) log(1 - σ(x)); writes dx = (σ(x) - t) / n.

    Computed as |x| w + log(1 + e^-|x|), w being 1 - t for x > 0 and t for others: nothing
    overflows, and a small loss keeps its digits.  Blocks as in ``squared_error``.
    """
    n = np.float64(0.0)
    for k in range(counted.size):
        n += block * counted[k]
    total = np.float64(0.0)
    for k in range(counted.size):
        logit, wanted = x[k * block : (k + 1) * block], target[k * block : (k + 1) * block]
        out = dx[k * block : (k + 1) * block]
        if counted[k]:
            for j in range(block):
                out[j] = math.exp(-abs(logit[j]))
            part, scale = np.float64(0.0), counted[k] / n
            for j in range(block):
                w = 1.0 - wanted[j] if logit[j] > 0.0 else wanted[j]
                part += abs(logit[j]) * w + math.log1p(out[j])
            total += counted[k] * part
            for j in range(block):
                above = 1.0 if logit[j] > 0.0 else out[j]
                out[j] = scale * (above / (1.0 + out[j]) - wanted[j])
        else:
            out[:] = 0.0
    return total / n
