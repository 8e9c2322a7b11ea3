"""Recurrent: a layer that owns the parameters of a cell and runs it through time."""

import numpy as np

from rnnlite import cells, checking, engine, initializers
from rnnlite.engine import stream as parts
from rnnlite.layers import states
from rnnlite.layers.random_layer import RandomLayer


class Recurrent(RandomLayer):
    """A recurrent layer of any cell; ``LSTM``, ``RNN`` and ``GRU`` are this with their own.

    To see every gate and every gradient inside: ``rnnlite.trace``, pictures in ``rnnlite.inside``.

    Parameters
    ----------
    cell : Cell
        The equations; ``rnnlite.custom_cell`` makes one from functions of yours.
    input_size, hidden_size : int
        Features of x, and units.
    return_sequences : bool
        Whether forward returns h after every step, or the last one.
    seed : int, optional
        Of the initial weights and the dropout masks.
    dtype : {"float32", "float64"}
    go_backwards : bool
        Read each row from its last valid step to its first.  Outputs stay at the time of their
        input; the last one is then at time 0.
    recurrent_dropout : float
        Share of h that is dropped on its way into the recurrent product while training, the
        same units at every step (Gal & Ghahramani 2016).
    wx_init, wh_init : str
        Initializers of Wx and Wh by name; see ``rnnlite.initializers``.
    compute_dtype : {"bfloat16", "bfloat16_weight_gradients"}, optional
        What x, h, the weights and biases, and dz are rounded to before they are multiplied, in all
        products or in those of the weight gradients alone; the products are summed in float32, and
        everything else stays float32.  Made for processors with an instruction for it
        (``rnnlite.multiplies_bfloat16``), slower than float32 on others; ``docs/bfloat16.md`` says
        when not to use it.
    **unknown
        None: an argument that does not exist is refused by its name.

    Examples
    --------
    >>> from rnnlite import cells
    >>> layer = Recurrent(cells.GRU_2014, 3, 4, go_backwards=True, seed=0, dtype="float64")
    >>> layer(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    _zeroes_padding = _answers_afresh = True

    def __init__(
        self, cell, input_size, hidden_size, return_sequences=False, seed=None, dtype="float32", *,
        go_backwards=False, recurrent_dropout=0.0, wx_init="glorot_uniform", wh_init="orthogonal",
        compute_dtype=None, **unknown,
    ):  # fmt: skip
        where = type(self).__name__
        checking.no_others(where, unknown, (*self._options, "seed"))
        if not isinstance(cell, cells.Cell):
            raise TypeError(f"{where}: cell is {cell!r}; wanted a Cell, as custom_cell makes them")
        I = checking.whole_number(where, "input_size", input_size)
        H = checking.whole_number(where, "hidden_size", hidden_size)
        self.input_size = self.input_features = I
        self.hidden_size, self.cell = H, cell
        self.return_sequences = checking.true_or_false(where, "return_sequences", return_sequences)
        self.go_backwards = checking.true_or_false(where, "go_backwards", go_backwards)
        self.recurrent_dropout = checking.real_number(
            where, "recurrent_dropout", recurrent_dropout, 0.0, 1.0, high_included=False
        )
        columns = len(cell.gates) * H
        # In this order [Wx; b] is one matrix, and [bh; Wh]: each is one product.
        bh = {"bh": (columns,)} if cell.recurrent_bias else {}
        shapes = {"Wx": (I, columns), "b": (columns,), **bh, "Wh": (H, columns)}
        super().__init__(shapes | dict.fromkeys(cell.unit_params, (H,)), dtype)
        self.compute_dtype = checking.compute_dtype(where, compute_dtype, self.dtype)
        self.wx_init, self.wh_init = wx_init, wh_init
        self.draw_weights(np.random.default_rng(checking.seed(where, seed)))
        for name, value in zip(cell.unit_params, cell.unit_values, strict=True):
            self.params[name][...] = value

    def draw_weights(self, rng):
        """New values of Wx and Wh and a new stream of masks, by a generator; see ``Recurrent``."""
        where, H = type(self).__name__, self.hidden_size
        for name, initial in (("Wx", self.wx_init), ("Wh", self.wh_init)):
            array = self.params[name]
            initialize = initializers.get(where, initial, f"{name.lower()}_init")
            array[...] = initialize(rng, *array.shape, H)
        self.draw_masks_from(int(rng.integers(2**63)))

    def output_features(self, features):
        """Units."""
        return self.hidden_size

    def check_input(self, where, x, lengths):
        """x (B, T, input_size)."""
        x = checking.dimensions(where, "x", x, 3, "(batch, time, input)")
        if x.shape[2] != self.input_size:
            came = f"{x.shape[2]} features (shape {x.shape})"
            raise ValueError(f"{where}: x has {came}; this layer was built for {self.input_size}")
        return checking.contiguous(x, self.dtype), self._checked_lengths(where, x, lengths)

    def __call__(self, x, initial_state=None, lengths=None, return_state=False):
        """Inference, as in ``Layer.__call__``; ``initial_state`` as in ``Recurrent.forward``.

        With ``return_state`` returns (y, state): the state after each row's last valid step.
        """
        y, state = self._infer("", x, initial_state, lengths, return_state)
        return (y, state) if return_state else y

    def _infer(self, method, x, initial_state, lengths, return_state):
        saved = self._pool.take(getattr(x, "shape", None))
        try:
            y = self._run(method, saved, x, lengths, False, {"initial_state": initial_state})
            return y, self._final_state(saved, len(y)) if return_state else None
        finally:
            self._pool.give_back(saved)

    def step(self, x_t, state=None):
        """Compute a single time step, for streams and for generation; any number of threads.

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
        """
        where, I = f"{type(self).__name__}.step", self.input_size
        x_t = checking.real_array(where, "x_t", x_t)
        if x_t.ndim != 2 or x_t.shape[1] != I:
            raise ValueError(f"{where}: x_t has shape {x_t.shape}; wanted (batch, {I})")
        y, state = self._infer(".step", x_t[:, None], state, None, True)
        return y.reshape(len(x_t), self.hidden_size), state

    def forward(self, x, initial_state=None, lengths=None, training=False):
        """Run the layer over x (B, T, input_size), as in ``Layer.forward``.

        ``initial_state`` is zero if not given, else an array (B, H), or a tuple (h, c) of them
        for an LSTM.  Returns (B, T, H) with ``return_sequences``, else (B, H): the hidden state
        after each row's last valid step.
        """
        return self._forward(x, lengths, training, initial_state=initial_state)

    def backward(self, dy, dfinal_state=None, need_dx=True, of=None):
        """Backpropagate through time, as in ``Layer.backward``, and to ``dinitial_state``.

        ``dfinal_state``, (B, H) or a tuple (dh, dc) of them for an LSTM, is the gradient of the
        loss by ``final_state``, on top of ``dy``, which may be None.
        """
        if self._turns.may_go_back:  # before the pass is used up, so that it can be corrected
            B = self._saved.input_shape[0]
            dfinal_state = self._states("backward", "dfinal_state", dfinal_state, B)
        return self._backward(dy, need_dx, of, dfinal=dfinal_state)

    def stream_parts(self, features):
        """A step of the cell."""
        if self.go_backwards:
            raise TypeError("reads from the end (go_backwards), and a stream has none")
        if not self.cell.compiled:
            raise TypeError("has a cell with compiled=False, and a stream is compiled")
        sizes = self.input_size, self.hidden_size, self.dtype, self.compute_dtype
        return [parts.Cell(lambda: self.flat_params, self.cell, *sizes)]

    def forward_pass(self, x, saved, initial_state=None):
        """Run the cell through time."""
        (B, T, _), H = x.shape, self.hidden_size
        shape = (B, T, H) if self.return_sequences else (B, H)
        saved.went_back = False
        y, saved.workspace = engine.forward(
            self.cell, x, self.flat_params, H, getattr(saved, "workspace", None),
            initial=self._states("forward", "initial_state", initial_state, B),
            lengths=saved.lengths, y=saved.result("y", shape, self.dtype),
            return_sequences=self.return_sequences,
            reverse=self.go_backwards, for_backward=saved.for_backward,
            dropout=self.recurrent_dropout if saved.training else 0.0, rng=self.generator,
            compute_dtype=self.compute_dtype,
        )  # fmt: skip
        return y

    def backward_pass(self, dy, saved, dfinal):
        """Run the cell back through time."""
        dx = saved.result("dx", saved.input_shape, self.dtype) if saved.need_dx else None
        engine.backward(
            saved.workspace, dy, self.flat_params, self.flat_grads, dfinal=dfinal, dx=dx
        )
        saved.went_back = True
        return dx

    @property
    def final_state(self):
        """State after each row's last valid step in ``forward``: copies, (B, H) or (h, c)."""
        if self._turns.result is None:
            raise RuntimeError(f"{type(self).__name__}.final_state: call forward first")
        return self._final_state(self._saved)

    @property
    def dinitial_state(self):
        """Gradient by the initial state, from the last backward; as ``final_state``."""
        if not getattr(self._saved, "went_back", False):
            raise RuntimeError(f"{type(self).__name__}.dinitial_state: call backward first")
        return states.join(self._saved.workspace.dinitial_states())

    def _final_state(self, saved, rows=None):
        return states.join([state[:rows] for state in saved.workspace.final_states()])

    def _states(self, method, name, value, B):
        """A state argument as a list of arrays (B, H) or None; None if it was not given."""
        if value is None:
            return None
        where, shape = f"{type(self).__name__}.{method}", (B, self.hidden_size)
        return states.checked(where, name, value, self.cell.states, shape, self.dtype)
