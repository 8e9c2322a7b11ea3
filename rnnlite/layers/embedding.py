"""Embedding: y = W[x], a row of numbers for each index."""

import functools

import numpy as np

from rnnlite import checking, initializers
from rnnlite.engine import door, threads
from rnnlite.engine import stream as parts
from rnnlite.kernels import embedding as kernels
from rnnlite.layers.layer import Layer

# Small against the steps that Adam takes: after a hundred steps a row is what it has learned.
# Normal(0, 1) would be mostly its start for thousands.
INITIAL_STD = 0.05
# Copying or adding a number takes the time of this many multiplications in a product.
WORK = 10


class Embedding(Layer):
    """A table of rows, looked up by index: y = W[x].

    It is ``Dense`` without bias on one-hot vectors (Bengio, Ducharme, Vincent & Jauvin 2003, the
    matrix C), without the vectors.  Its gradient, dW[r] = sum of dy[k] over all k with x[k] = r,
    is zero in rows that are not in x.  ``backward`` neither reads nor writes those: its time does
    not depend on the size of the table.

    Parameters
    ----------
    num_embeddings : int
        Rows of the table: indices run from 0 to num_embeddings - 1.
    dim : int
        Columns of the table, features of y.
    seed : int, optional
        Of the initial table.
    dtype : {"float32", "float64"}
    w_init : str, optional
        Initializer of W by name (see ``rnnlite.initializers``); normal with mean 0 and
        standard deviation 0.05 if not given.
    padding_idx : int, optional
        An index whose row is a constant, zeros at first: ``backward`` gives it no gradient, as in
        PyTorch.  (A gradient check moves all rows: give it an x without this index.)

    Attributes
    ----------
    params, grads : dict
        ``W`` (num_embeddings, dim).  Scale the gradient as you like, but call ``zero_grads``
        after you wrote into rows that are not ``touched``.
    touched : numpy.ndarray (n,)
        The rows that do have a gradient.

    Examples
    --------
    >>> import numpy as np
    >>> embedding = Embedding(5, 2, seed=0)
    >>> embedding.params["W"][...] = np.arange(10).reshape(5, 2)
    >>> y = embedding.forward([[3, 0, 3]])
    >>> y
    array([[[6., 7.], [0., 1.], [6., 7.]]], dtype=float32)
    >>> embedding.backward(np.ones_like(y))
    >>> embedding.touched, embedding.grads["W"][3]
    (array([0, 3]), array([2., 2.], dtype=float32))
    """

    takes_indices = True
    _zeroes_padding = True
    _time_from = 2

    def __init__(
        self, num_embeddings, dim, seed=None, dtype="float32", *, w_init=None, padding_idx=None
    ):
        self.num_embeddings = checking.whole_number("Embedding", "num_embeddings", num_embeddings)
        self.dim = checking.whole_number("Embedding", "dim", dim)
        self.w_init, self.padding_idx = w_init, padding_idx
        if padding_idx is not None:
            self.padding_idx = checking.whole_number(
                "Embedding", "padding_idx", padding_idx, 0, self.num_embeddings - 1
            )
        initialize = functools.partial(initializers.normal, std=INITIAL_STD)
        if w_init is not None:
            initialize = initializers.get("Embedding", w_init, "w_init")
        super().__init__({"W": (self.num_embeddings, self.dim)}, dtype)
        rng = np.random.default_rng(checking.seed("Embedding", seed))
        self.params["W"][...] = initialize(rng, *self.params["W"].shape)
        if padding_idx is not None:
            self.params["W"][self.padding_idx] = 0.0

    def output_features(self, features):
        """Columns of the table."""
        return self.dim

    def check_input(self, where, x, lengths):
        """x as whole numbers (B,) or (B, T), rows of the table."""
        x = checking.any_array(where, "x", x)
        if x.dtype.kind not in "iu":
            raise TypeError(f"{where}: x holds {x.dtype}; it must hold whole numbers, table rows")
        if x.ndim not in (1, 2) or 0 in x.shape:
            raise ValueError(f"{where}: x has shape {x.shape}; wanted (batch,) or (batch, time)")
        return x, self._checked_lengths(where, x, lengths)

    def check_indices(self, where, x, lengths):
        """As in each step."""
        x, lengths = self.check_input(where, x, lengths)
        self._take(where, x, lengths, np.empty(x.size, np.int64))

    def _take(self, where, x, lengths, rows):
        """Copy x into ``rows``, -1 in the padding, which may hold anything; check the copy."""
        rows.reshape(x.shape)[...] = x
        if lengths is None:
            numbers = rows.view(np.uint64) if x.dtype.kind == "u" else rows  # to the message
            door.within(where, "x", numbers, self.num_embeddings)
            return
        door.within(where, "lengths", lengths, x.shape[1] + 1)
        kernels.mark_padding(rows, lengths, x.shape[1])
        rows += 1  # padding is 0 now; nothing is allocated
        fits = rows.view(np.uint64).max() <= self.num_embeddings
        rows -= 1
        if not fits:
            valid = rows.reshape(x.shape)[np.arange(x.shape[1]) < lengths[:, None]]
            door.within(where, "x", valid, self.num_embeddings)

    def stream_parts(self, features):
        """The table."""
        return [parts.Embedding(lambda: self.flat_params, self.num_embeddings, self.dim)]

    def forward_pass(self, x, saved):
        """y = W[x], zero past the lengths."""
        rows = getattr(saved, "rows", None)
        if rows is None or rows.size != x.size:
            rows = saved.rows = np.empty(x.size, np.int64)
        where = type(self).__name__ + ".forward" * saved.for_backward
        self._take(where, x, saved.lengths, rows)
        y = saved.result("y", (*x.shape, self.dim), self.dtype)
        threads.parallel_for(
            kernels.look_up, x.size, WORK * y.size, rows, self.flat_params, y.reshape(-1), self.dim
        )
        return y

    def backward_pass(self, dy, saved):
        """dW[r] = sum of dy where x is r; an index has no gradient."""
        door.compare("Embedding", self.dtype, ("dy", dy, (*saved.input_shape, self.dim)))
        if self.padding_idx is not None:
            saved.rows[saved.rows == self.padding_idx] = -1
        if self._known_in is not self._parameters.flat_gradients:
            self.zero_grads()
        self._known_in = None  # should something end the kernel half-way
        threads.parallel_for(
            kernels.add_up, kernels.PARTS, WORK * dy.size,
            self._written, saved.rows, dy.reshape(-1), self.flat_grads, self.dim,
        )  # fmt: skip
        self._written, saved.rows = saved.rows, self._written
        self._touched, self._known_in = None, self._parameters.flat_gradients

    def zero_grads(self):
        """Zero the gradient: needed only once you wrote into rows that are not ``touched``."""
        self.flat_grads[...] = 0.0
        self._written = np.empty(0, np.int64)
        self._touched, self._known_in = None, self._parameters.flat_gradients

    @property
    def touched(self):
        """Rows that the last backward gave a gradient, int64 (n,), sorted; all others are zero."""
        if self._touched is None:
            rows = np.unique(self._written)
            self._touched = rows[np.searchsorted(rows, 0) :]  # without the -1 of padding
        return self._touched.copy()

    def _forget(self):
        super()._forget()
        self._written = np.empty(0, np.int64)  # the rows of the last backward, as they came
        self._touched = None  # the same, sorted, once somebody asks
        self._known_in = None  # the gradients in which all other rows are known to be zero
