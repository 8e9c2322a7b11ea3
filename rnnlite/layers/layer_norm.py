"""LayerNorm: each row to mean 0 and variance 1 over its features."""

from rnnlite import checking
from rnnlite.engine import door, threads
from rnnlite.engine import stream as parts
from rnnlite.kernels import layer_norm as kernels
from rnnlite.layers.layer import Layer


class LayerNorm(Layer):
    """Layer normalisation, y = gain (x - mean) / sqrt(variance + eps) + b.

    Mean and variance are those of the features of one row, or of one time step: nothing
    depends on the batch.  Ba, Kiros & Hinton 2016, equation 3 and section 3.1.

    Parameters
    ----------
    features : int
        Size of the last axis of x.
    eps : float
        Keeps the root away from 0, in (0, 1].
    dtype : {"float32", "float64"}

    Attributes
    ----------
    params, grads : dict
        ``gain`` (features,), ones at first, and ``b`` (features,), zeros.

    Examples
    --------
    >>> LayerNorm(2, eps=1e-12)([[1.0, 3.0]])
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, features, eps=1e-5, dtype="float32"):
        self.features = checking.whole_number("LayerNorm", "features", features)
        self.eps = checking.real_number("LayerNorm", "eps", eps, 0.0, 1.0, low_included=False)
        super().__init__({"gain": (self.features,), "b": (self.features,)}, dtype)
        self.params["gain"][...] = 1.0

    @property
    def input_features(self):
        """Size of the last axis of x."""
        return self.features

    def output_features(self, features):
        """As many as come in."""
        return self.features

    def check_input(self, where, x, lengths):
        """x (B, features) or (B, ..., features)."""
        x, lengths = super().check_input(where, x, lengths)
        if x.shape[-1] != self.features:
            raise ValueError(
                f"{where}: x has shape {x.shape}; wanted (batch, ..., {self.features})"
            )
        return x, lengths

    def stream_parts(self, features):
        """The normalisation, with gain and b."""
        return [parts.Norm(lambda: self.flat_params, self.features, self.eps)]

    def forward_pass(self, x, saved):
        """n = (x - mean) / sqrt(variance + eps), y = gain n + b."""
        door.compare("LayerNorm", self.dtype, ("x", x, (*x.shape[:-1], self.features)))
        rows = x.size // self.features
        y = saved.result("y", x.shape, self.dtype)
        saved.n = saved.result("n", (x.size,), self.dtype)
        saved.scale = saved.result("scale", (rows,), self.dtype)
        threads.parallel_for(
            kernels.layer_norm_forward, rows, x.size,
            x.reshape(-1), self.params["gain"], self.params["b"], self.eps, saved.n, saved.scale,
            y.reshape(-1),
        )  # fmt: skip
        return y

    def backward_pass(self, dy, saved):
        """dgain = sum dy n, db = sum dy, dx as in the kernel."""
        door.compare("LayerNorm", self.dtype, ("dy", dy, saved.input_shape))
        dx, rows = saved.result("dx", dy.shape, self.dtype), saved.scale.size
        flat = dy.reshape(-1)
        kernels.layer_norm_gradients(flat, saved.n, self.grads["gain"], self.grads["b"])
        threads.parallel_for(
            kernels.layer_norm_backward, rows, dy.size,
            flat, self.params["gain"], saved.n, saved.scale, dx.reshape(-1),
        )  # fmt: skip
        return dx
