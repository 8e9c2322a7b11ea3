"""Layer normalisation: rows to mean 0 and variance 1, then a gain and a bias for each column.

Loops that sum write nothing (see ``losses.py``), and each row is computed by one thread.
"""

import math

import numpy as np

from rnnlite.kernels.jit import exact_inner, kernel
from rnnlite.kernels.parallel import parallel


@exact_inner
def normalise(x, gain, b, eps, n, y):
    """y = n gain + b with n = (x - mean) scale, all (F,), and y may be n; returns scale.

    For the layer and for streams, whose bits must be the same.  So the order of the sums is written
    out: left to LLVM it was another one in a stream, where F is known when it is compiled, and
    differed in the last bit of one step in ten.  (This takes 1.1 ns a number, and that 0.65.)
    """
    F = x.size
    mean = x.dtype.type(_sum(x) / F)
    for j in range(F):
        n[j] = x[j] - mean
    scale = x.dtype.type(1.0 / math.sqrt(_sum_of_squares(n) / F + eps))
    for j in range(F):
        n[j] *= scale
    for j in range(F):
        y[j] = n[j] * gain[j] + b[j]
    return scale


@exact_inner
def _sum(x):
    """Four sums side by side, then their sum."""
    a = b = c = d = np.float64(0.0)
    whole = x.size // 4 * 4
    for j in range(0, whole, 4):
        a += x[j]
        b += x[j + 1]
        c += x[j + 2]
        d += x[j + 3]
    for j in range(whole, x.size):
        a += x[j]
    return (a + b) + (c + d)


@exact_inner
def _sum_of_squares(x):
    a = b = c = d = np.float64(0.0)
    whole = x.size // 4 * 4
    for j in range(0, whole, 4):
        a += np.float64(x[j]) * x[j]
        b += np.float64(x[j + 1]) * x[j + 1]
        c += np.float64(x[j + 2]) * x[j + 2]
        d += np.float64(x[j + 3]) * x[j + 3]
    for j in range(whole, x.size):
        a += np.float64(x[j]) * x[j]
    return (a + b) + (c + d)


@parallel
def layer_norm_forward(first, last, x, gain, bias, eps, n, scale, y):
    """y = n gain + bias with n = (x - mean) scale; x, n, y (rows, F), scale (rows,)."""
    F = gain.size
    for r in range(first, last):
        row, normal, out = x[r * F : (r + 1) * F], n[r * F : (r + 1) * F], y[r * F : (r + 1) * F]
        scale[r] = normalise(row, gain, bias, eps, normal, out)


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
