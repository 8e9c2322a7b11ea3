"""Models to stream, and what they must answer after each step."""

import numpy as np

from rnnlite import LSTM, Dense, Sequential
from rnnlite.kernels.jit import JIT_DISABLED


def same(found, wanted):
    """Bit for bit; without the JIT NumPy adds up in an order of its own."""
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    if JIT_DISABLED:
        return np.allclose(found, wanted, rtol=1e-4, atol=1e-6)
    return found.tobytes() == wanted.tobytes()


def small():
    """The model of most tests here: 20 units are two registers and a half, or one and a quarter."""
    return Sequential([LSTM(3, 20, seed=0), Dense(20, 2, seed=1)])


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def answers(model, x):
    """What the model answers after each step: (B, T, N)."""
    each = [model.forward(x[:, : t + 1]) for t in range(x.shape[1])]
    return np.stack([y[:, -1] if y.ndim == 3 else y for y in each], axis=1)


def row_step(z, state):
    h = np.tanh(z[0] + state[0].mean())
    return (h,), (h,)


def row_step_backward(dstate, saved, state, new_state):
    dz = dstate[0] * (1 - saved[0] ** 2)
    return (dz,), (np.full_like(dz, dz.mean()),)
