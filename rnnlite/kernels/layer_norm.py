"""Layer normalisation: rows to mean 0 and variance 1, then a gain and a bias for each column.

Loops that sum write nothing (see ``losses.py``), and each row is computed by one thread.
"""

import math

import numpy as np

from rnnlite.kernels.jit import kernel
from rnnlite.kernels.parallel import parallel


@parallel
def layer_norm_forward(first, last, x, gain, bias, eps, n, scale, y):
    """y = n gain + bias with n = (x - mean) scale; x, n, y (rows, F), scale (rows,)."""
    F = gain.size
    for r in range(first, last):
        row, normal, out = x[r * F : (r + 1) * F], n[r * F : (r + 1) * F], y[r * F : (r + 1) * F]
        total = np.float64(0.0)
        for j in range(F):
            total += row[j]
        mean = x.dtype.type(total / F)
        for j in range(F):
            normal[j] = row[j] - mean
        total = np.float64(0.0)
        for j in range(F):
            total += normal[j] * normal[j]
        scale[r] = 1.0 / math.sqrt(total / F + eps)
        for j in range(F):
            normal[j] *= scale[r]
        for j in range(F):
            out[j] = normal[j] * gain[j] + bias[j]


@parallel
def layer_norm_backward(first, last, dy, gain, n, scale, dx):
    """dx = scale (dn - mean(dn) - n mean(dn n)) with dn = dy gain; dy, n, dx (rows, F)."""
    F = gain.size
    for r in range(first, last):
        d, normal, out = dy[r * F : (r + 1) * F], n[r * F : (r + 1) * F], dx[r * F : (r + 1) * F]
        for j in range(F):
            out[j] = d[j] * gain[j]
        mean, product = np.float64(0.0), np.float64(0.0)
        for j in range(F):
            mean += out[j]
            product += out[j] * normal[j]
        mean, product = dx.dtype.type(mean / F), dx.dtype.type(product / F)
        for j in range(F):
            out[j] = scale[r] * (out[j] - mean - normal[j] * product)


@kernel
def layer_norm_gradients(dy, n, dgain, dbias):
    """dgain = sum of dy n, dbias = sum of dy over the rows of dy, n (rows, F)."""
    F = dgain.size
    dgain[:] = 0.0
    dbias[:] = 0.0
    for r in range(n.size // F):
        d, normal = dy[r * F : (r + 1) * F], n[r * F : (r + 1) * F]
        for j in range(F):
            dgain[j] += d[j] * normal[j]
        for j in range(F):
            dbias[j] += d[j]
