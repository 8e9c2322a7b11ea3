"""Adam (Kingma & Ba 2015, algorithm 1)."""

import numpy as np

from rnnlite.reference.arrays import shaped


def adam_step(p, g, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Update parameters ``p`` and moments ``m``, ``v`` in place: Adam, algorithm 1.

    p, g (the gradient), m, v : arrays of one shape; m and v are zero before the first step.
    t : number of this step, counted from 1.
    lr, beta1, beta2, eps : α, β1, β2 and ε of the paper.

    >>> p, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> adam_step(p, np.array([5.0]), m, v, t=1, lr=0.1)  # the first step has length lr
    >>> print(p.round(6))
    [0.9]
    """
    for name, array in {"p": p, "g": g, "m": m, "v": v}.items():
        if not isinstance(array, np.ndarray):
            raise TypeError(f"adam_step: {name} is of type {type(array).__name__}; wanted an array")
        shaped("adam_step", name, array, p.shape, p.dtype)
    if t < 1:
        raise ValueError(f"adam_step: t is {t}; wanted the number of this step, from 1")
    m[...] = beta1 * m + (1 - beta1) * g  # m_t = β1 m_{t-1} + (1 - β1) g
    v[...] = beta2 * v + (1 - beta2) * g**2  # v_t = β2 v_{t-1} + (1 - β2) g²
    m_hat = m / (1 - beta1**t)  # both start at zero: undo that bias
    v_hat = v / (1 - beta2**t)
    p -= lr * m_hat / (np.sqrt(v_hat) + eps)  # θ_t = θ_{t-1} - α m̂ / (√v̂ + ε)
