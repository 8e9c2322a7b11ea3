"""An LSTM of one unit that holds one bit."""

import numpy as np


def latch():
    """Weights of an LSTM of one unit that holds one bit."""
    Wx, Wh, b = np.zeros((2, 4)), np.zeros((1, 4)), np.zeros(4)
    i, f, g, o = range(4)
    Wx[1, i], b[i] = 20, -10  # open where write is 1
    Wx[1, f], b[f] = -20, 10  # the opposite
    Wx[0, g] = 10  # tanh(10 value) is the value
    b[o] = 10
    return {"Wx": Wx, "Wh": Wh, "b": b}
