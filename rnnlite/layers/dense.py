"""Dense: y = x W + b."""

import numpy as np

from rnnlite import checking, initializers
from rnnlite.engine import threads
from rnnlite.engine.memory import aligned_zeros
from rnnlite.kernels import dense as kernels
from rnnlite.kernels.gradients import weight_gradients
from rnnlite.kernels.product import packed_size, panel_width
from rnnlite.kernels.target import padded
from rnnlite.layers.layer import Layer


class _Buffers:
    """Memory of one forward pass over ``rows`` rows."""

    def __init__(self, rows, I, N, dtype):
        self.rows, self.ld, self.dy_row = rows, padded(I + 1, dtype), padded(N, dtype)
        self.x1 = aligned_zeros(rows * self.ld, dtype)
        self.dy = aligned_zeros(rows * self.dy_row, dtype)
        self.packed = aligned_zeros(packed_size(I + 1, N, dtype), dtype)
        self.packed_transpose = aligned_zeros(packed_size(N, I, dtype), dtype)
        self.zeros = aligned_zeros(max(self.ld, self.dy_row) + panel_width(dtype), dtype)
        self.columns = np.array([[0, 0, N]], np.int64)
        self.no_columns = np.zeros((0, 3), np.int64)


class Dense(Layer):
    """Fully connected layer, y = x W + b, for each row or for each time step.

    Parameters
    ----------
    in_features, out_features : int
        Columns of x and of y.
    seed : int, optional
        Of the initial weights; b is zero.
    dtype : {"float32", "float64"}
    w_init : str
        Initializer of W by name; see ``rnnlite.initializers``.

    Attributes
    ----------
    params, grads : dict
        ``W`` (in_features, out_features), ``b`` (out_features,).

    Raises
    ------
    ValueError, TypeError
        For a size below 1, an unknown initializer, or an argument of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> dense = Dense(3, 2, seed=0)
    >>> dense.params["W"][...], dense.params["b"][...] = 1.0, 0.5
    >>> dense.forward([[1.0, 2.0, 3.0]])
    array([[6.5, 6.5]], dtype=float32)
    """

    _options = ("in_features", "out_features", "dtype", "w_init")

    def __init__(
        self, in_features, out_features, seed=None, dtype="float32", *, w_init="glorot_uniform"
    ):
        self.in_features = checking.whole_number("Dense", "in_features", in_features)
        self.out_features = checking.whole_number("Dense", "out_features", out_features)
        shapes = {"W": (self.in_features, self.out_features), "b": (self.out_features,)}
        self.w_init = w_init
        initialize = initializers.get("Dense", w_init, "w_init")
        super().__init__("Dense", shapes, dtype)
        rng = np.random.default_rng(checking.seed("Dense", seed))
        self.params["W"][...] = initialize(rng, *shapes["W"])

    def __repr__(self):
        return f"Dense({self.in_features}, {self.out_features})"

    def _forget(self):
        super()._forget()
        self._buffers = self._shape = self._lengths = None
        self._outputs_are_reused = False

    def forward(self, x, lengths=None, training=False, keep=True):
        """Compute y = x W + b.

        Parameters
        ----------
        x : array_like (B, in_features) or (B, T, in_features)
            Rows; converted to the layer's dtype.
        lengths : array_like of int (B,), optional
            For x (B, T, in_features): valid steps of each row, 1 to T.  Past them
            outputs are zero, and the padding of x takes no part.
        training : bool
            True in a training loop: the returned array is then memory of the
            layer, written again by the next forward, and nothing is allocated.
        keep : bool
            False for inference: ``backward`` is not possible.

        Returns
        -------
        numpy.ndarray (B, out_features) or (B, T, out_features)

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        x = checking.real_array("Dense.forward", "x", x)
        I, N = self.in_features, self.out_features
        if x.ndim not in (2, 3) or x.shape[-1] != I or 0 in x.shape:
            raise ValueError(
                f"Dense.forward: x has shape {x.shape}; wanted (batch, {I}) or (batch, time, {I})"
            )
        if lengths is not None:
            if x.ndim < 3:
                raise ValueError(
                    f"Dense.forward: lengths were given, but x has shape {x.shape}; "
                    f"wanted (batch, time, {I})"
                )
            lengths = checking.row_lengths("Dense.forward", lengths, *x.shape[:2])
        self._lengths = lengths
        rows = x.size // I
        if self._buffers is None or self._buffers.rows != rows:
            self._buffers = _Buffers(rows, I, N, self.dtype)
        buffers, self._shape = self._buffers, x.shape[:-1]
        y = self._result("y", (*self._shape, N), training)
        self._outputs_are_reused = bool(training)
        kernels.pack_matrix(self.flat_params, I + 1, N, buffers.packed)
        threads.parallel_for(
            kernels.dense_forward, rows, rows * I * N,
            checking.contiguous(x, self.dtype).reshape(-1), buffers.x1, buffers.ld,
            buffers.packed, buffers.zeros, y.reshape(-1), I, N,
        )  # fmt: skip
        self._clear_padding(buffers.x1, y)
        self._unused_forward = bool(keep)
        return y

    def backward(self, dy, need_dx=True):
        """Compute dW = x^T dy, db = sum dy, dx = dy W^T; fills ``grads``.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result
            Gradient of the loss by the output; ignored at padded steps.
        need_dx : bool
            False for a first layer: its input gradient is not computed.

        Returns
        -------
        numpy.ndarray, in the shape of x, or None
            Gradient by x, if needed.  After ``forward(training=True)`` it is
            memory of the layer, written again by the next backward.

        Raises
        ------
        RuntimeError
            Without a forward before it; each forward allows one backward.
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        self._need_forward()
        I, N, buffers = self.in_features, self.out_features, self._buffers
        dy = self._incoming(dy, (*self._shape, N))
        self._unused_forward = False
        if need_dx:
            dx = self._result("dx", (*self._shape, I), self._outputs_are_reused)
            kernels.pack_transpose(self.flat_params, I, N, buffers.packed_transpose)
        else:
            dx = None
        threads.parallel_for(
            kernels.dense_backward, buffers.rows, buffers.rows * I * N,
            dy.reshape(-1), buffers.dy, buffers.dy_row, buffers.packed_transpose, buffers.zeros,
            buffers.zeros if dx is None else dx.reshape(-1), need_dx, I, N,
        )  # fmt: skip
        self._clear_padding(buffers.dy, dx)
        threads.parallel_for(
            weight_gradients, I + 1, buffers.rows * I * N,
            buffers.zeros, buffers.x1, buffers.ld, buffers.dy, buffers.dy_row, buffers.rows,
            0, self.flat_grads, N, buffers.columns, I + 1,
            0, buffers.zeros, 0, buffers.no_columns, 0,
        )  # fmt: skip
        return dx

    def _clear_padding(self, *arrays):
        """Zero the padded steps of arrays with a row for each step: NaN times 0 is NaN."""
        if self._lengths is None:
            return
        T = self._shape[1]
        for array in arrays:
            if array is not None:
                row = array.size // self._buffers.rows
                kernels.clear_padding(array.reshape(-1), self._lengths, T, row)
