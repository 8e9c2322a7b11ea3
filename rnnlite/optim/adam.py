"""Adam, AdamW and AMSGrad."""

from rnnlite.engine import threads
from rnnlite.kernels.adam import adam, amsgrad
from rnnlite.optim.optimizer import WORK, Optimizer, setting

BIASES = ("b", "bh")


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1), epsilon outside the bias-corrected square root.

        m = beta1 m + (1 - beta1) g            mean of the gradient
        v = beta2 v + (1 - beta2) g^2          mean of its square
        p = p - lr m/(1 - beta1^t) / (sqrt(v/(1 - beta2^t)) + eps)

    With ``weight_decay`` it is AdamW (Loshchilov & Hutter 2019, algorithm 2): before this,
    p = (1 - lr weight_decay) p.  With ``amsgrad`` (Reddi, Kale & Kumar 2018, algorithm 2) the
    largest v there has been stands in the root.

    A gradient of 0 is a gradient: an ``Embedding``'s row that no index of the batch names goes on
    by its m, which fades.

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
    weight_decay : float
        Pull of the weights towards zero.
    amsgrad : bool
        Never let a step size grow again.
    decay_bias : bool
        Whether weight decay is for the biases, ``b`` and ``bh``, too, as in the paper, in
        PyTorch and in ``SGD``.

    Attributes
    ----------
    t : int
        Steps taken.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1, seed=0)
    >>> before, optimizer = dense.params["W"].copy(), Adam(dense, lr=0.1)
    >>> dense.grads["W"][...] = 5.0
    >>> optimizer.step()
    >>> (before - dense.params["W"]).round(4)    # the first step is lr, whatever the gradient
    array([[0.1]], dtype=float32)
    """

    def __init__(
        self, model, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, *, weight_decay=0.0, amsgrad=False,
        decay_bias=True,
    ):  # fmt: skip
        amsgrad = setting("Adam", "amsgrad", amsgrad)
        super().__init__(
            model, ("m", "v", "highest") if amsgrad else ("m", "v"), lr=lr, beta1=beta1,
            beta2=beta2, eps=eps, weight_decay=weight_decay, decay_bias=decay_bias,
        )  # fmt: skip

    @property
    def amsgrad(self):
        """Whether a step size never grows again: what the optimizer was made with."""
        return "highest" in next(iter(self._moments.values()))

    def _update(self, arrays):
        if self.weight_decay:
            for name, (array, place, _) in self._places.items():
                if self.decay_bias or name.rpartition(".")[2] not in BIASES:
                    arrays[array][0][place] *= 1.0 - self.lr * self.weight_decay
        rate = self.lr / (1.0 - self.beta1**self.t)
        correction2 = 1.0 / (1.0 - self.beta2**self.t)
        kernel = amsgrad if self.amsgrad else adam
        for p, g, *moments in arrays.values():
            number = p.dtype.type
            threads.parallel_for(
                kernel, p.size, WORK * p.size,
                p, g, *moments, number(rate), number(self.beta1), number(1.0 - self.beta1),
                number(self.beta2), number(1.0 - self.beta2), number(correction2), number(self.eps),
            )  # fmt: skip
