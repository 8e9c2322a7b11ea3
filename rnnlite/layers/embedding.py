"""Embedding: y = W[x], a row of numbers for each index."""

import functools

import numpy as np

from rnnlite import checking, initializers
from rnnlite.engine import threads
from rnnlite.kernels import embedding as kernels
from rnnlite.layers.layer import Layer

# Small against the steps that Adam takes: after a hundred steps a row is what
# it has learned.  Normal(0, 1) would be mostly its start for thousands.
INITIAL_STD = 0.05

# Copying or adding a number takes the time of this many multiplications in a product.
WORK = 10


class Embedding(Layer):
    """A table of rows, looked up by index: y = W[x].

    It is ``Dense`` without bias on one-hot vectors (Bengio, Ducharme, Vincent &
    Jauvin 2003, the matrix C), without the vectors.  Row r of the gradient is
    the sum of dy over all positions where x is r,

        dW[r] = sum of dy[k] over all k with x[k] = r,

    so that rows which are not in x have none.  ``backward`` neither reads nor
    writes those: its time does not depend on the size of the table.

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

    Attributes
    ----------
    params, grads : dict
        ``W`` (num_embeddings, dim).  ``backward`` keeps zero the rows that
        occur in no batch.  Scale the gradient as you like, but call
        ``zero_grads`` after you wrote something else into such rows.
    touched : numpy.ndarray (n,)
        The rows that do have a gradient.

    Raises
    ------
    ValueError, TypeError
        For a size below 1, an unknown initializer, or an argument of another kind.

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

    _options = ("num_embeddings", "dim", "dtype", "w_init")

    def __init__(self, num_embeddings, dim, seed=None, dtype="float32", *, w_init=None):
        self.num_embeddings = checking.whole_number("Embedding", "num_embeddings", num_embeddings)
        self.dim = checking.whole_number("Embedding", "dim", dim)
        self.w_init = w_init
        initialize = functools.partial(initializers.normal, std=INITIAL_STD)
        if w_init is not None:
            initialize = initializers.get("Embedding", w_init, "w_init")
        shape = self.num_embeddings, self.dim
        super().__init__("Embedding", {"W": shape}, dtype)
        rng = np.random.default_rng(checking.seed("Embedding", seed))
        self.params["W"][...] = initialize(rng, *shape)

    def __repr__(self):
        return f"Embedding({self.num_embeddings}, {self.dim})"

    def _bind(self, flat_params, flat_grads):
        super()._bind(flat_params, flat_grads)
        self._grads_are_known = False

    def _forget(self):
        super()._forget()
        self._rows = self._shape = None
        self._written = np.empty(0, np.int64)  # the rows of the last backward, as they came
        self._touched = None  # the same, sorted, once somebody asks
        self._grads_are_known = False  # whether all other rows of the gradient are zero

    def forward(self, x, lengths=None, training=False, keep=True):
        """Look up the row of each index.

        Parameters
        ----------
        x : array_like of int (B,) or (B, T)
            Indices, 0 to num_embeddings - 1.
        lengths : array_like of int (B,), optional
            Valid steps of each row, 1 to T.  Past them outputs are zero; the
            indices there may be any valid ones.
        training : bool
            True in a training loop: the returned array is then memory of the
            layer, written again by the next forward, and nothing is allocated.
        keep : bool
            False for inference: ``backward`` is not possible.

        Returns
        -------
        numpy.ndarray (B, dim) or (B, T, dim)

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, an array that does not hold whole numbers, or an
            index outside the table.
        """
        x = self._indices("Embedding.forward", x)
        if lengths is not None:
            if x.ndim < 2:
                raise ValueError(
                    f"Embedding.forward: lengths were given, but x has shape {x.shape}; "
                    "wanted (batch, time)"
                )
            lengths = checking.row_lengths("Embedding.forward", lengths, *x.shape)
        if self._rows is None or self._rows.size != x.size:
            self._rows = np.empty(x.size, np.int64)
        self._rows.reshape(x.shape)[...] = x
        if lengths is not None:
            kernels.mark_padding(self._rows, lengths, x.shape[1])
        self._shape = (*x.shape, self.dim)
        y = self._result("y", self._shape, training)
        threads.parallel_for(
            kernels.look_up, x.size, WORK * y.size,
            self._rows, self.flat_params, y.reshape(-1), self.dim,
        )  # fmt: skip
        self._unused_forward = bool(keep)
        return y

    def backward(self, dy, need_dx=True):
        """Add up dy for each row of the table; fills ``grads``.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result
            Gradient of the loss by the output; ignored at padded steps.
        need_dx : ignored
            An index has no gradient.

        Returns
        -------
        None

        Raises
        ------
        RuntimeError
            Without a forward before it; each forward allows one backward.
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        dy = self._incoming(dy, self._shape)
        self._unused_forward = False
        if not self._grads_are_known:
            self.zero_grads()
        self._grads_are_known = False  # should something end the kernel half-way
        threads.parallel_for(
            kernels.add_up, kernels.PARTS, WORK * dy.size,
            self._written, self._rows, dy.reshape(-1), self.flat_grads, self.dim,
        )  # fmt: skip
        self._written, self._rows = self._rows, self._written
        self._touched, self._grads_are_known = None, True

    def zero_grads(self):
        """Set the whole gradient to zero.

        Needed only after something other than ``backward`` wrote into rows
        that are not ``touched``: those stay as they are otherwise.
        """
        self.flat_grads[...] = 0.0
        self._written = np.empty(0, np.int64)
        self._touched, self._grads_are_known = None, True

    @property
    def touched(self):
        """The rows that the last backward gave a gradient, sorted, each once.

        (n,) int64; none before the first backward.  All other rows of
        ``grads["W"]`` are zero.
        """
        if self._touched is None:
            rows = np.unique(self._written)
            self._touched = rows[np.searchsorted(rows, 0) :]  # without the -1 of padding
        return self._touched

    def _indices(self, where, x):
        """``x`` as an array of valid indices with one axis or two."""
        x = checking.any_array(where, "x", x)
        if x.dtype.kind not in "iu":
            raise TypeError(
                f"{where}: x holds {x.dtype}; it must hold whole numbers, rows of the table"
            )
        if x.ndim not in (1, 2) or 0 in x.shape:
            raise ValueError(f"{where}: x has shape {x.shape}; wanted (batch,) or (batch, time)")
        low, high = x.min(), x.max()
        if low < 0 or high >= self.num_embeddings:
            raise ValueError(
                f"{where}: x runs from {low} to {high}; each index must lie in "
                f"0..{self.num_embeddings - 1}, the rows of the table"
            )
        return x
