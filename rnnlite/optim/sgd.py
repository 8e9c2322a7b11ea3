"""Gradient descent, with momentum if wanted."""

from rnnlite.engine import threads
from rnnlite.kernels.sgd import sgd, sgd_momentum
from rnnlite.optim.optimizer import WORK, Optimizer, setting


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted, as PyTorch defines it.

        d = g + weight_decay p
        m = momentum m + d                     (Polyak 1964)
        p = p - lr m
        p = p - lr (d + momentum m)            with ``nesterov`` (Sutskever et al. 2013)

    Parameters
    ----------
    model : Layer, or any object with dicts ``params`` and ``grads`` of equal keys
        Arrays C-contiguous, changed in place by ``step``.
    lr : float
        Step size; an attribute that may be set between steps.
    momentum : float
        How much of the last step goes on, in [0, 1).
    nesterov : bool
        Whether the gradient is added as if the step were taken already; needs momentum.
    weight_decay : float
        Slope of the penalty weight_decay/2 p^2, on all parameters.

    Attributes
    ----------
    t : int
        Steps taken.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1, seed=0)
    >>> before, optimizer = dense.params["W"].copy(), SGD(dense, lr=0.1)
    >>> dense.grads["W"][...] = 5.0
    >>> optimizer.step()
    >>> (before - dense.params["W"]).round(4)
    array([[0.5]], dtype=float32)
    """

    def __init__(self, model, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        moments = ("m",) if setting("SGD", "momentum", momentum) else ()
        self._remembers = bool(moments)
        super().__init__(
            model, moments, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
        )

    def _setting(self, where, name, value):
        value = super()._setting(where, name, value)
        if name in ("momentum", "nesterov") and value and not self._remembers:
            problem = "momentum was 0 when the optimizer was made; make another with momentum"
            raise ValueError(f"{where}: {name} is {value}, and {problem}")
        return value

    def _update(self, arrays):
        along_m, along_g = (self.momentum, 1.0) if self.nesterov else (1.0, 0.0)
        for p, g, *moments in arrays.values():
            number = p.dtype.type
            step = (p, g, *moments, number(self.lr), number(self.weight_decay))
            if moments:
                step = (*step, number(self.momentum), number(along_m), number(along_g))
            threads.parallel_for(sgd_momentum if moments else sgd, p.size, WORK * p.size, *step)
