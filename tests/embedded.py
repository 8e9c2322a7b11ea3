"""Indices, the gradient of a table in plain NumPy, and a layer of indices to check."""

import numpy as np

N, D, B, T = 7, 5, 3, 4
X = np.array([[6, 0, 6, 2], [2, 2, 2, 2], [0, 6, 5, 1]])


def valid(x, lengths):
    """Where the steps of x are not padding, (B, T) or (B,)."""
    if lengths is None:
        return np.ones(x.shape, bool)
    return np.arange(x.shape[1]) < np.asarray(lengths)[:, None]


def plain_gradient(x, dy, num_embeddings, lengths=None):
    """dW in plain NumPy, terms in ascending order of position."""
    dW = np.zeros((num_embeddings, dy.shape[-1]), dy.dtype)
    here = valid(x, lengths)
    np.add.at(dW, x[here], dy[here])
    return dW


class Indexed:
    """A layer or model as the gradient check takes anybody's own: indices stay whole numbers."""

    def __init__(self, layer):
        self.layer, self.params, self.grads = layer, layer.params, layer.grads

    def forward(self, x, lengths=None):
        return self.layer.forward(x, lengths=lengths)

    def backward(self, dy):
        return self.layer.backward(dy)
