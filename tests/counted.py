"""Small sequences with labels of every kind, padding, and a network for them.

Padding, masks and weights of 0 take no part in anything; nothing depends on the batch size.
"""

import numpy as np

from rnnlite import RNN, Dense, Sequential, softmax_cross_entropy

N, T, F, C = 30, 4, 3, 3
rng = np.random.default_rng(0)
X = rng.normal(size=(N, T, F)).astype(np.float32)
CLASSES, TAGS = rng.integers(0, C, N), rng.integers(0, C, (N, T))
LENGTHS = rng.integers(0, T + 1, N)
VALID = np.arange(T) < LENGTHS[:, None]
KNOWN = rng.random((N, T)) < 0.6  # steps whose tag a loss of one's own takes


def network(outputs=C, every_step=False):
    return Sequential([RNN(F, 5, seed=0, return_sequences=every_step), Dense(5, outputs, seed=1)])


def share(right, counts=True):
    return np.mean(right[np.broadcast_to(counts, right.shape)])


WEIGHTS = np.array([0.1, 5.0, 2.0])


def known(output, y, *, lengths=None, return_weights=True):
    """A loss that leaves out steps of label -1."""
    return softmax_cross_entropy(
        output, np.maximum(y, 0), mask=y >= 0, return_weights=return_weights
    )
