"""Optimizers: they turn gradients into better parameters, in place."""

import numpy as np

from rnnlite import checking, threads
from rnnlite.kernels.adam import adam
from rnnlite.memory import aligned_zeros


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1), epsilon outside the bias-corrected square root.

        m = beta1 m + (1 - beta1) g            mean of the gradient
        v = beta2 v + (1 - beta2) g^2          mean of its square
        p = p - lr m/(1 - beta1^t) / (sqrt(v/(1 - beta2^t)) + eps)

    Parameters
    ----------
    model : Layer, or any object with dicts ``params`` and ``grads`` of equal keys
        Arrays of one dtype, C-contiguous, changed in place by ``step``.
    lr : float
        Step size; an attribute that may be set between steps.
    beta1, beta2 : float
        Memory of the two means, in [0, 1).
    eps : float
        Keeps the division finite.

    Attributes
    ----------
    t : int
        Steps taken.

    Raises
    ------
    ValueError, TypeError
        For a number outside its range, or a model without usable parameters.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1, seed=0)
    >>> before = dense.params["W"].copy()
    >>> optimizer = Adam(dense, lr=0.1)
    >>> dense.grads["W"][...] = 5.0
    >>> optimizer.step()
    >>> (before - dense.params["W"]).round(4)    # the first step is lr, whatever the gradient
    array([[0.1]], dtype=float32)
    """

    def __init__(self, model, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = checking.real_number("Adam", "lr", lr, 0.0, 1e6)
        self.beta1 = checking.real_number("Adam", "beta1", beta1, 0.0, 1.0, high_included=False)
        self.beta2 = checking.real_number("Adam", "beta2", beta2, 0.0, 1.0, high_included=False)
        self.eps = checking.real_number("Adam", "eps", eps, 0.0, 1.0)
        self.t = 0
        self._model = model
        sizes = [(p.size, p.dtype) for p, _ in self._arrays()]
        self._m = [aligned_zeros(size, dtype) for size, dtype in sizes]
        self._v = [aligned_zeros(size, dtype) for size, dtype in sizes]

    def _arrays(self):
        """Pairs of flat parameter and gradient arrays: one pair for a model of the library."""
        model = self._model
        if hasattr(model, "flat_params") and hasattr(model, "flat_grads"):
            return [(model.flat_params, model.flat_grads)]
        params, grads = getattr(model, "params", None), getattr(model, "grads", None)
        if not isinstance(params, dict) or not isinstance(grads, dict) or not params:
            raise TypeError(
                f"Adam: model is a {type(model).__name__}; wanted a layer, or an object with "
                "the dicts params and grads"
            )
        if set(params) != set(grads):
            raise ValueError(
                f"Adam: params has {sorted(params)}, grads has {sorted(grads)}; wanted equal keys"
            )
        pairs = []
        for name, p in params.items():
            g = np.asarray(grads[name])
            if not isinstance(p, np.ndarray) or p.dtype not in (np.float32, np.float64):
                raise TypeError(f"Adam: params[{name!r}] must be a float32 or float64 array")
            if not p.flags.c_contiguous or not p.flags.writeable:
                raise ValueError(f"Adam: params[{name!r}] must be C-contiguous and writeable")
            if g.shape != p.shape:
                raise ValueError(
                    f"Adam: grads[{name!r}] has shape {g.shape}; wanted {p.shape}, as the parameter"
                )
            pairs.append((p.reshape(-1), checking.contiguous(g, p.dtype).reshape(-1)))
        return pairs

    def step(self):
        """Update the parameters by their gradients, once.

        Raises
        ------
        ValueError
            If ``lr`` was set to something that is not a number of at least 0.
        """
        lr = checking.real_number("Adam.step", "lr", self.lr, 0.0, 1e6)
        self.t += 1
        rate = lr / (1.0 - self.beta1**self.t)
        correction2 = 1.0 / (1.0 - self.beta2**self.t)
        for (p, g), m, v in zip(self._arrays(), self._m, self._v, strict=True):
            number = p.dtype.type
            threads.share(
                adam, p.size, p.size,
                p, g, m, v, number(rate), number(self.beta1), number(self.beta2),
                number(correction2), number(self.eps),
            )  # fmt: skip
