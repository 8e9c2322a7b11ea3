"""A ReLU network that adds binary numbers."""

import numpy as np


def adder():
    """Weights of a ReLU network that adds two binary numbers."""
    H = 3
    Wx, Wh = np.ones((2, H)), np.zeros((H, H))
    Wh[1], Wh[2] = 1, -1  # the carry, max(n - 1, 0) - max(n - 2, 0), goes into n
    b = np.array([0.0, -1.0, -2.0])  # max(n, 0), max(n - 1, 0), max(n - 2, 0)
    W, bias = np.array([[1.0], [-2.0], [2.0]]), np.array([-0.5])  # 0, 1, 0, 1 for n = 0 ... 3
    return {"Wx": Wx, "Wh": Wh, "b": b, "W": W, "bias": bias}
