"""Recurrent: a layer that owns the parameters of a cell and runs it through time."""

import numpy as np

from rnnlite import cells, checking, initializers
from rnnlite.engine import Weights, Workspace, engine_of
from rnnlite.layers import states
from rnnlite.layers.random_layer import RandomLayer


class Recurrent(RandomLayer):
    """A recurrent layer of any cell; ``LSTM``, ``RNN`` and ``GRU`` are this with their own.

    Parameters
    ----------
    cell : Cell
        The equations; ``rnnlite.custom_cell`` makes one from functions of yours.
    input_size, hidden_size : int
        Features of x, and units.
    return_sequences : bool
        Whether forward returns the hidden state after every step, or the last one.
    seed : int, optional
        Of the initial weights and the dropout masks.
    dtype : {"float32", "float64"}
    go_backwards : bool
        Read each row from its last valid step to its first.  Outputs stay at
        the time of their input; the last one is then at time 0.
    recurrent_dropout : float
        Share of h that is dropped on its way into the recurrent product while
        training, the same units at every step (Gal & Ghahramani 2016).
    wx_init, wh_init : str
        Initializers of Wx and Wh by name; see ``rnnlite.initializers``.

    Raises
    ------
    ValueError, TypeError
        For a size below 1, or an argument of another kind.

    Examples
    --------
    >>> from rnnlite import cells
    >>> layer = Recurrent(cells.GRU_2014, 3, 4, seed=0, go_backwards=True)
    >>> layer
    Recurrent(3, 4, go_backwards=True)
    >>> layer.forward(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    _options = (
        "cell", "input_size", "hidden_size", "return_sequences", "dtype",
        "go_backwards", "recurrent_dropout", "wx_init", "wh_init",
    )  # fmt: skip

    def __init__(
        self,
        cell,
        input_size,
        hidden_size,
        return_sequences=False,
        seed=None,
        dtype="float32",
        *,
        go_backwards=False,
        recurrent_dropout=0.0,
        wx_init="glorot_uniform",
        wh_init="orthogonal",
        **unknown,
    ):
        where = type(self).__name__
        checking.no_others(where, unknown, (*self._options, "seed"))
        if not isinstance(cell, cells.Cell):
            raise TypeError(f"{where}: cell is {cell!r}; wanted a Cell, as custom_cell makes them")
        I = checking.whole_number(where, "input_size", input_size)
        H = checking.whole_number(where, "hidden_size", hidden_size)
        self.input_size, self.hidden_size, self.cell = I, H, cell
        self.return_sequences = checking.true_or_false(where, "return_sequences", return_sequences)
        self.go_backwards = checking.true_or_false(where, "go_backwards", go_backwards)
        self.recurrent_dropout = checking.real_number(
            where, "recurrent_dropout", recurrent_dropout, 0.0, 1.0, high_included=False
        )
        columns = len(cell.gates) * H
        # In this order [Wx; b] is one matrix, and [bh; Wh]: each is one product.
        shapes = {"Wx": (I, columns), "b": (columns,)}
        if cell.recurrent_bias:
            shapes["bh"] = (columns,)
        shapes["Wh"] = (H, columns)
        shapes |= dict.fromkeys(cell.unit_params, (H,))
        super().__init__(where, shapes, dtype)
        self.wx_init, self.wh_init = wx_init, wh_init
        self.draw_weights(np.random.default_rng(checking.seed(where, seed)))
        for name, value in zip(cell.unit_params, cell.unit_values, strict=True):
            self.params[name][...] = value

    def draw_weights(self, rng):
        """Draw new values of Wx and Wh, and a new stream of dropout masks.

        Parameters
        ----------
        rng : numpy.random.Generator
        """
        where, H = type(self).__name__, self.hidden_size
        for name, initial in (("Wx", self.wx_init), ("Wh", self.wh_init)):
            array = self.params[name]
            initialize = initializers.get(where, initial, f"{name.lower()}_init")
            array[...] = initialize(rng, *array.shape, H)
        self.draw_masks_from(int(rng.integers(2**63)))

    def __repr__(self):
        names = ("return_sequences", "go_backwards", "recurrent_dropout")
        options = "".join(f", {n}={getattr(self, n)}" for n in names if getattr(self, n))
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}{options})"

    def _forget(self):
        super()._forget()
        self._workspace = None  # buffers of the last forward, reused while the shape stays
        self._step_workspace = None
        self._went_back = False
        self._outputs_are_reused = False

    def forward(self, x, initial_state=None, lengths=None, training=False, keep=True):
        """Run the layer over a batch of sequences.

        Parameters
        ----------
        x : array_like (B, T, input_size)
            Input sequences; converted to the layer's dtype.
        initial_state : array (B, H), or a tuple (h, c) of them for an LSTM, optional
            Zero if not given.
        lengths : array_like of int (B,), optional
            Valid steps of each row, 1 to T.  Past them outputs are zero, the
            state stays as it was, and the padding of x is not read.
        training : bool
            True in a training loop: the returned array is then memory of the
            layer, written again by the next forward, and nothing is allocated.
        keep : bool
            False for inference: nothing is kept for ``backward``, which is
            faster and takes memory for one step instead of T.

        Returns
        -------
        numpy.ndarray
            (B, T, H) with ``return_sequences``, else (B, H): the hidden state
            after each row's last valid step.

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        where = f"{type(self).__name__}.forward"
        x = checking.dimensions(where, "x", x, 3, "(batch, time, input)")
        B, T, I = x.shape
        if self.input_size != I:
            raise ValueError(
                f"{where}: x has {I} features (shape {x.shape}); "
                f"this layer was built for {self.input_size}"
            )
        lengths = checking.row_lengths(where, lengths, B, T)
        initial = self._states(where, "initial_state", initial_state, B)

        H, workspace = self.hidden_size, self._workspace
        if workspace is None or workspace.shape != (B, T, I, H) or workspace.keep != keep:
            self._workspace = Workspace(self.cell, B, T, I, H, self.dtype, bool(keep))
        self._workspace.set_lengths(lengths)
        self._workspace.set_initial(initial)
        self._workspace.drop(self.recurrent_dropout if training else 0.0, self._rng)
        y = self._result("y", self._output_shape(), training)
        self._outputs_are_reused = bool(training)
        engine_of(self.cell).forward(
            self._workspace, checking.contiguous(x, self.dtype).reshape(-1),
            self._weights(self.flat_params), y.reshape(-1), self.return_sequences,
            self.go_backwards,
        )  # fmt: skip
        self._unused_forward, self._went_back = bool(keep), False
        return y

    def backward(self, dy, dfinal_state=None, need_dx=True):
        """Backpropagate through time; fills ``grads`` and ``dinitial_state``.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result, or None
            Gradient of the loss by the output; ignored at padded steps.
        dfinal_state : array (B, H), or a tuple (dh, dc) of them for an LSTM, optional
            Gradient of the loss by ``final_state``, on top of ``dy``.
        need_dx : bool
            False for a first layer: its input gradient is not computed.

        Returns
        -------
        numpy.ndarray (B, T, input_size) or None
            Gradient by x, if needed.  After ``forward(training=True)`` it is
            memory of the layer, written again by the next backward.

        Raises
        ------
        RuntimeError
            Without a forward before it; each forward allows one backward.
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        where = f"{type(self).__name__}.backward"
        self._need_forward()
        workspace, (B, T, I, H) = self._workspace, self._workspace.shape
        if dy is not None:
            meaning = "(batch, time, hidden)" if self.return_sequences else "(batch, hidden)"
            dy = self._incoming(dy, self._output_shape(), meaning)
        dfinal = self._states(where, "dfinal_state", dfinal_state, B)
        self._unused_forward = False
        workspace.dstate[...] = 0.0
        for s, dstate in enumerate(dfinal):
            if dstate is not None:
                workspace.dstate[s, :, :H] = dstate
        every_step = self.return_sequences and dy is not None
        if dy is not None and not every_step:
            workspace.dstate[0, :, :H] += dy
        dx = self._result("dx", (B, T, I), self._outputs_are_reused) if need_dx else None
        engine_of(self.cell).backward(
            workspace, workspace.room_for_dgates(), dy.reshape(-1) if every_step else workspace.zeros, every_step,
            self._weights(self.flat_params), self._weights(self.flat_grads),
            None if dx is None else dx.reshape(-1), self.go_backwards,
        )  # fmt: skip
        self._went_back = True
        return dx

    def step(self, x_t, state=None):
        """Compute a single time step, for streams and for generation.

        Parameters
        ----------
        x_t : array_like (B, input_size)
            The input of this step.
        state : as ``final_state``, optional
            The state after the step before; zero if not given.

        Returns
        -------
        h : numpy.ndarray (B, H)
            The new hidden state.
        state : as ``final_state``
            To hand to the next call.

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        where = f"{type(self).__name__}.step"
        x_t = checking.real_array(where, "x_t", x_t)
        I, H = self.input_size, self.hidden_size
        if x_t.ndim != 2 or x_t.shape[1] != I or x_t.shape[0] == 0:
            raise ValueError(f"{where}: x_t has shape {x_t.shape}; wanted (batch, {I})")
        B = x_t.shape[0]
        workspace = self._step_workspace
        if workspace is None or workspace.shape[0] != B:
            workspace = self._step_workspace = Workspace(
                self.cell, B, 1, I, H, self.dtype, keep=False
            )
        workspace.set_initial(self._states(where, "state", state, B))
        h = np.empty((B, H), self.dtype)
        engine_of(self.cell).forward(
            workspace, checking.contiguous(x_t, self.dtype).reshape(-1),
            self._weights(self.flat_params), h.reshape(-1), False,
        )  # fmt: skip
        others = (workspace.final(s).copy() for s in range(1, len(self.cell.states)))
        return h, states.join([h, *others])

    @property
    def final_state(self):
        """State after each row's last valid step of the last forward.

        (B, H), or for an LSTM the tuple (h, c); copies, yours to keep.
        """
        return self._state_views("final_state", self._workspace and self._workspace.final)

    @property
    def dinitial_state(self):
        """Gradient by the initial state, from the last backward; as ``final_state``."""
        H = self.hidden_size
        view = (lambda s: self._workspace.dstate[s, :, :H]) if self._went_back else None
        return self._state_views("dinitial_state", view, "backward")

    def _state_views(self, name, view, needed="forward"):
        if view is None:
            raise RuntimeError(f"{type(self).__name__}.{name}: call {needed} first")
        return states.join([view(s).copy() for s in range(len(self.cell.states))])

    def _output_shape(self):
        B, T, _, H = self._workspace.shape
        return (B, T, H) if self.return_sequences else (B, H)

    def _weights(self, flat):
        """The parameters or the gradients as the engine takes them: views."""
        cell, I, H = self.cell, self.input_size, self.hidden_size
        split = (I + 1) * len(cell.gates) * H
        end = split + (H + cell.recurrent_bias) * len(cell.gates) * H
        return Weights(flat[:split], flat[split:end], flat[end:])

    def _states(self, where, name, value, B):
        """A state argument as a list of arrays (B, H) or None."""
        shape = (B, self.hidden_size)
        return states.checked(where, name, value, self.cell.states, shape, self.dtype)
