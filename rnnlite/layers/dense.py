"""Dense: y = x W + b."""

import functools

import numpy as np

from rnnlite import checking, initializers
from rnnlite.engine import door, threads
from rnnlite.engine import stream as parts
from rnnlite.engine.compiled import PACK_FROM
from rnnlite.engine.memory import aligned_zeros
from rnnlite.engine.weight_gradients import pairs_of, weight_gradients
from rnnlite.kernels.dense import clear_padding, make_dense
from rnnlite.kernels.operands import NUMBERS, operands_of
from rnnlite.kernels.product import packed_size, panel_width
from rnnlite.kernels.target import padded
from rnnlite.layers import activation as activations
from rnnlite.layers.layer import Layer


class _Buffers:
    """Memory of one forward pass over ``rows`` rows."""

    def __init__(self, rows, I, N, dtype, compute_dtype):
        self.compute_dtype = compute_dtype
        self.operands = operands = operands_of(compute_dtype)
        self.kernels = make_dense(operands)
        self.rows, self.ld, self.dy_row = rows, padded(I + 1, dtype), padded(N, dtype)
        self.x1 = aligned_zeros(rows * self.ld, dtype)
        self.dy = aligned_zeros(rows * self.dy_row, dtype)
        words, of = operands.words, operands.dtype(dtype)
        rooms = (rows * operands.room(size) for size in (self.ld, self.dy_row))
        sizes = packed_size(words(I + 1), N, dtype), packed_size(words(N), I, dtype)
        self.packed, self.packed_transpose = (
            aligned_zeros(size + room, of) for size, room in zip(sizes, rooms, strict=True)
        )
        self.zeros = aligned_zeros(max(self.ld, self.dy_row) + panel_width(dtype), dtype)
        self.parts = np.array([[0, I + 1, 0, 0, 0, N, 0]], np.int64)  # all of dW

    @functools.cached_property
    def pairs(self):
        """Where backward rounds x1 and dy, or None."""
        return pairs_of(self.compute_dtype, (self.rows, self.ld), (self.rows, self.dy_row))


class Dense(Layer):
    """Fully connected layer, y = f(x W + b), for each row or for each time step.

    Parameters
    ----------
    in_features, out_features : int
        Columns of x and of y.
    seed : int, optional
        Of the initial weights; b is zero.
    dtype : {"float32", "float64"}
    activation : {"tanh", "relu", "sigmoid", "gelu", "silu", "softplus"}, optional
        f, as in ``Activation``; none: y = x W + b.
    w_init : str
        Initializer of W by name; see ``rnnlite.initializers``.
    compute_dtype : {"bfloat16", "bfloat16_weight_gradients"}, optional
        What x, W, b and dy are rounded to before they are multiplied; as for ``Recurrent``.

    Attributes
    ----------
    params, grads : dict
        ``W`` (in_features, out_features), ``b`` (out_features,).

    Examples
    --------
    >>> import numpy as np
    >>> dense = Dense(3, 2, seed=0)
    >>> dense.params["W"][...], dense.params["b"][...] = 1.0, 0.5
    >>> dense.forward([[1.0, 2.0, 3.0]])
    array([[6.5, 6.5]], dtype=float32)
    """

    _zeroes_padding = _answers_afresh = True

    def __init__(
        self, in_features, out_features, seed=None, dtype="float32", *,
        activation=None, w_init="glorot_uniform", compute_dtype=None,
    ):  # fmt: skip
        self.in_features = checking.whole_number("Dense", "in_features", in_features)
        self.input_features = self.in_features
        self.out_features = checking.whole_number("Dense", "out_features", out_features)
        if activation is not None:
            activations.checked("Dense", "activation", activation)
        self.activation, self.w_init = activation, w_init
        initialize = initializers.get("Dense", w_init, "w_init")
        shapes = {"W": (self.in_features, self.out_features), "b": (self.out_features,)}
        super().__init__(shapes, dtype)
        self.compute_dtype = checking.compute_dtype("Dense", compute_dtype, self.dtype)
        rng = np.random.default_rng(checking.seed("Dense", seed))
        self.params["W"][...] = initialize(rng, *shapes["W"])

    def output_features(self, features):
        """Columns of y."""
        return self.out_features

    def check_input(self, where, x, lengths):
        """x (B, in_features) or (B, T, in_features)."""
        x, I = checking.real_array(where, "x", x), self.in_features
        if x.ndim not in (2, 3) or x.shape[-1] != I or 0 in x.shape:
            wanted = f"(batch, {I}) or (batch, time, {I})"
            raise ValueError(f"{where}: x has shape {x.shape}; wanted {wanted}")
        return checking.contiguous(x, self.dtype), self._checked_lengths(where, x, lengths)

    def stream_parts(self, features):
        """The product, and its activation."""
        sizes = self.in_features, self.out_features, self.compute_dtype
        found = [parts.Dense(lambda: self.flat_params, *sizes)]
        if self.activation is not None:
            found.append(parts.Nonlinear(self.activation, self.out_features))
        return found

    def forward_pass(self, x, saved):
        """z = x W + b, y = f(z)."""
        I, N = self.in_features, self.out_features
        rows, buffers = x.size // I, getattr(saved, "buffers", None)
        if buffers is None or buffers.rows != rows:
            buffers = saved.buffers = _Buffers(rows, I, N, self.dtype, self.compute_dtype)
        rows_of = saved.input_shape[:-1]
        y = saved.result("y", (*rows_of, N), self.dtype)
        door.compare("Dense", self.dtype, ("x", x, (*rows_of, I)))
        if saved.lengths is not None:
            door.within("Dense", "lengths", saved.lengths, rows_of[1] + 1)
        w, operands = self.flat_params, buffers.operands
        # Training packs always: what a large batch needs is compiled with a small one.
        packed = saved.for_backward or rows > PACK_FROM or operands is not NUMBERS
        if packed:
            buffers.kernels.pack_matrix(w, I + 1, N, buffers.packed)
            w = buffers.packed
        threads.parallel_for(
            buffers.kernels.forward, rows, rows * I * N,
            x.reshape(-1), buffers.x1, buffers.ld,
            w, packed, buffers.zeros, y.reshape(-1), I, N,
        )  # fmt: skip
        _clear_padding(saved, rows, buffers.x1, y)
        if self.activation is None:
            return y
        return saved.without_padding(activations.apply(self.activation, y, saved))

    def backward_pass(self, dy, saved):
        """dz = dy f'(z), dW = x^T dz, db = sum dz, dx = dz W^T."""
        I, N, buffers, dx = self.in_features, self.out_features, saved.buffers, None
        door.compare("Dense", self.dtype, ("dy", dy, (*saved.input_shape[:-1], N)))
        if self.activation is not None:
            dz = saved.result("dz", dy.shape, self.dtype)
            dy = np.multiply(saved.without_padding(dy), saved.slope, out=dz)
        if saved.need_dx:
            dx = saved.result("dx", (*dy.shape[:-1], I), self.dtype)
            buffers.kernels.pack_transpose(self.flat_params, I, N, buffers.packed_transpose)
        threads.parallel_for(
            buffers.kernels.backward, buffers.rows, buffers.rows * I * N,
            dy.reshape(-1), buffers.dy, buffers.dy_row, buffers.packed_transpose, buffers.zeros,
            buffers.zeros if dx is None else dx.reshape(-1), saved.need_dx, I, N,
        )  # fmt: skip
        _clear_padding(saved, buffers.rows, buffers.dy, dx)
        weight_gradients(
            buffers.compute_dtype, buffers.x1.reshape(buffers.rows, -1),
            buffers.dy.reshape(buffers.rows, -1), self.flat_grads.reshape(-1, N), buffers.parts, 0,
            buffers.zeros, buffers.rows * I * N, buffers.pairs, (0, N),
        )  # fmt: skip
        return dx


def _clear_padding(saved, rows, *arrays):
    """Zero the padded steps of arrays with a row for each step: NaN times 0 is NaN."""
    if saved.lengths is None:
        return
    for array in arrays:
        if array is not None:
            T, size = saved.input_shape[1], array.size // rows
            clear_padding(array.reshape(-1), saved.lengths, T, size)
