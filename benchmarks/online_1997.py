"""Learning as the appendix of Hochreiter & Schmidhuber 1997 has it: forward in time, step by step.

For every weight into a cell or an input gate there is one number, the derivative of the cell's
state by that weight.  A step brings it up to date; where there is a target, all weights change at
once.  No error goes back to an earlier step (the truncated gradient): what a weight does by way of
y of the step before is left out.
"""

import math

import numba
import numpy as np


@numba.njit
def sigmoid(z):
    """From 0 to 1."""
    return 0.5 * (math.tanh(0.5 * z) + 1.0)


@numba.njit
def step(u, W, blocks, size, wide, a, s, h, y):
    """One step from what comes in, u: sigmoids a of all units, states s, h and y of the cells."""
    cells = blocks * size
    for unit in range(len(a)):
        net = 0.0
        for k in range(len(W)):
            net += u[k] * W[k, unit]
        a[unit] = sigmoid(net)
    for v in range(cells):
        s[v] += a[cells + v // size] * (4.0 * a[v] - 2.0)
        h[v] = wide * math.tanh(0.5 * s[v])  # 2 sigmoid(s) - 1, if wide is 1
        y[v] = a[cells + blocks + v // size] * h[v]


@numba.njit
def learn_online(
    x, targets, length, W, V, c, blocks, size, wide, lr, gates_only, linear, tolerance, offset, said
):
    """One sequence; W, V and c change at each step that has a target.

    x (T, inputs), of which ``length`` steps count; targets (k, outputs) of the last k of them.
    W (inputs + units + 1, units): into cells, input gates, output gates, from the input, from their
    own activations y and from 1.  V (cells, outputs), c (outputs,).  h goes from -wide to wide.
    Outputs are sigmoids, or ``linear``; one that is less than ``tolerance`` off counts as right,
    and ``offset`` is added to the sigmoid's slope.  ``said`` (k, outputs) gets them before each
    change.
    """
    inputs, cells, units = x.shape[1], blocks * size, blocks * (size + 2)
    outputs, first = targets.shape[1], length - len(targets)
    s, ds_cell, ds_gate = np.zeros(cells), np.zeros((len(W), cells)), np.zeros((len(W), cells))
    u, a = np.zeros(len(W)), np.zeros(units)  # what comes in; sigmoid of all net inputs
    u[-1] = 1.0
    h, y, delta = np.zeros(cells), np.zeros(cells), np.zeros(outputs)
    for t in range(length):
        u[:inputs] = x[t]
        step(u, W, blocks, size, wide, a, s, h, y)
        for v in range(cells):
            i, g = a[cells + v // size], 4.0 * a[v] - 2.0
            by_cell, by_gate = i * 4.0 * a[v] * (1.0 - a[v]), g * i * (1.0 - i)
            for k in range(len(W)):
                ds_cell[k, v] += by_cell * u[k]
                ds_gate[k, v] += by_gate * u[k]
        if t >= first:
            for q in range(outputs):
                net = c[q]
                for v in range(cells):
                    net += y[v] * V[v, q]
                out = net if linear else sigmoid(net)
                slope = 1.0 if linear else out * (1.0 - out) + offset
                said[t - first, q] = out
                off = targets[t - first, q] - out
                delta[q] = lr * off * slope if abs(off) >= tolerance else 0.0
            for v in range(cells):
                error = 0.0
                for q in range(outputs):
                    error += V[v, q] * delta[q]
                    V[v, q] += y[v] * delta[q]
                in_gate, out_gate = cells + v // size, cells + blocks + v // size
                o = a[out_gate]
                by_s = error * o * 0.5 * (wide - h[v] * h[v] / wide)
                by_o = error * h[v] * o * (1.0 - o)
                for k in range(len(W)):
                    if not gates_only or k < len(W) - 1:
                        W[k, v] += by_s * ds_cell[k, v]
                    W[k, in_gate] += by_s * ds_gate[k, v]
                    W[k, out_gate] += by_o * u[k]
            if not gates_only:
                for q in range(outputs):
                    c[q] += delta[q]
        u[inputs : inputs + cells] = y
        u[inputs + cells : inputs + units] = a[cells:]


@numba.njit
def first_wrong(x, legal, lengths, start, W, V, c, blocks, size, wide):
    """The first string from row ``start`` on that is not predicted right, or -1 if all are.

    As ``datasets.reber_correct`` judges, but no further than the first mistake: who begins with the
    string that was wrong last time can ask after every sequence.  x (n, T, inputs), legal
    (n, T, outputs), lengths (n,); W, V, c and wide as in ``learn_online``.
    """
    n, inputs, cells, units = len(x), x.shape[2], blocks * size, blocks * (size + 2)
    a, h, y = np.zeros(units), np.zeros(cells), np.zeros(cells)
    for asked in range(n):
        row = (start + asked) % n
        s, u = np.zeros(cells), np.zeros(len(W))
        u[-1] = 1.0
        for t in range(lengths[row]):
            u[:inputs] = x[row, t]
            step(u, W, blocks, size, wide, a, s, h, y)
            right, wrong = np.inf, -np.inf
            for q in range(len(c)):
                net = c[q]
                for v in range(cells):
                    net += y[v] * V[v, q]
                if legal[row, t, q]:
                    right = min(right, net)
                else:
                    wrong = max(wrong, net)
            if not right > wrong:
                return row
            u[inputs : inputs + cells] = y
            u[inputs + cells : inputs + units] = a[cells:]
    return -1
