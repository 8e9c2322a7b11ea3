"""An LSTM of one unit that holds one bit."""

import numpy as np


def latch():
    """Weights of an LSTM of one unit that holds one bit."""
    Wx, Wh, b = np.zeros((2, 4)), np.zeros((1, 4)), np.zeros(4)
    value, write = range(2)  # rows of Wx
    i, f, g, o = range(4)  # columns of Wx, Wh and b
    Wx[write, i], b[i] = 20, -10  # i = sigmoid(20 write - 10): open where write is 1
    Wx[write, f], b[f] = -20, 10  # the opposite
    Wx[value, g] = 10  # tanh(10 value) is the value
    b[o] = 10
    return {"Wx": Wx, "Wh": Wh, "b": b}
