"""What one does with a gradient: check it, follow it through time, cut it off."""

import numpy as np

from rnnlite.mistakes.subjects.rnn import rnn_backward


def numeric_gradient(f, x, eps=1e-6):
    """dL/dx of L = f(x), x an array of any shape, by central differences; x stays as it was."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        value = x[place]
        x[place] = value + eps
        above = f(x)
        x[place] = value - eps
        below = f(x)
        x[place] = value  # as it was, for the next one
        gradient[place] = (above - below) / (2 * eps)
    return gradient


def gradient_norms(dhT, h, Wh):
    """|dL/dh_t|, t = 0 ... T, of a tanh RNN: h (B, T + 1, H), dhT (B, H) = dL/dh_T."""
    T = h.shape[1] - 1
    norms = np.zeros(T + 1)
    dh = dhT
    norms[T] = np.linalg.norm(dh)
    for t in reversed(range(T)):
        dz = dh * (1 - h[:, t + 1] ** 2)  # h_{t+1} = tanh(z)
        dh = dz @ Wh.T  # z = ... + h_t Wh
        norms[t] = np.linalg.norm(dh)
    return norms


def truncated_backward(dy, x, h, Wx, Wh, window):
    """dWx, dWh, db of a tanh RNN; no gradient goes from one window of steps to the one before."""
    dWx, dWh, db = np.zeros(Wx.shape), np.zeros(Wh.shape), np.zeros(len(Wh))
    for start in range(0, x.shape[1], window):
        steps = slice(start, start + window)
        states = h[:, start : start + window + 1]  # the state does go on
        dhT = np.zeros(h[:, 0].shape)  # the gradient does not
        _, *d, _ = rnn_backward(dy[:, steps], dhT, x[:, steps], states, Wx, Wh)
        dWx += d[0]
        dWh += d[1]
        db += d[2]
    return dWx, dWh, db
