"""RNN, LSTM and GRU: layers that own the parameters of a cell and run it through time."""

import numpy as np

from rnnlite import cells, checking, initializers
from rnnlite.engine import Tape, Weights, engine_of
from rnnlite.layers.layer import Layer


class Recurrent(Layer):
    """What all recurrent layers share; use ``LSTM``, ``RNN`` or ``GRU``."""

    def __init__(self, cell, input_size, hidden_size, return_sequences, seed, dtype):
        where = type(self).__name__
        I = checking.whole_number(where, "input_size", input_size)
        H = checking.whole_number(where, "hidden_size", hidden_size)
        if not isinstance(return_sequences, (bool, np.bool_)):
            raise TypeError(
                f"{where}: return_sequences is {return_sequences!r}; it must be True or False"
            )
        self.input_size, self.hidden_size, self.cell = I, H, cell
        self.return_sequences = bool(return_sequences)
        columns = len(cell.gates) * H
        # In this order [Wx; b] is one matrix, and [bh; Wh]: each is one product.
        shapes = {"Wx": (I, columns), "b": (columns,)}
        if cell.recurrent_bias:
            shapes["bh"] = (columns,)
        shapes["Wh"] = (H, columns)
        shapes |= dict.fromkeys(cell.unit_params, (H,))
        self._forget()
        super().__init__(where, shapes, dtype)
        rng = np.random.default_rng(seed)
        self.params["Wx"][...] = initializers.glorot_uniform(rng, I, columns)
        self.params["Wh"][...] = initializers.orthogonal(rng, H, columns)

    def __repr__(self):
        sequences = ", return_sequences=True" if self.return_sequences else ""
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}{sequences})"

    def _forget(self):
        super()._forget()
        self._tape = None  # buffers of the last forward, reused while the shape stays
        self._output = self._input_gradient = None
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

        H = self.hidden_size
        tape = self._tape
        if tape is None or tape.shape != (B, T, I, H) or tape.keep != keep:
            self._tape = Tape(self.cell, B, T, I, H, self.dtype, bool(keep))
            self._output = self._input_gradient = None
        self._tape.set_lengths(lengths)
        self._tape.set_initial(initial)
        if not training:
            y = np.empty(self._output_shape(), self.dtype)
        else:
            if self._output is None:
                self._output = np.empty(self._output_shape(), self.dtype)
            y = self._output
        self._outputs_are_reused = bool(training)
        engine_of(self.cell).forward(
            self._tape, checking.contiguous(x, self.dtype).reshape(-1),
            self._weights(self.flat_params), y.reshape(-1), self.return_sequences,
        )  # fmt: skip
        self._unused_forward = bool(keep)
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
        if not self._unused_forward:
            self._use_forward()
        tape = self._tape
        B, T, I, H = tape.shape
        if dy is not None:
            meaning = "(batch, time, hidden)" if self.return_sequences else "(batch, hidden)"
            dy = checking.shaped(where, "dy", dy, self._output_shape(), meaning, self.dtype)
        dfinal = self._states(where, "dfinal_state", dfinal_state, B)
        self._use_forward()
        tape.dstate[...] = 0.0
        for s, dstate in enumerate(dfinal):
            if dstate is not None:
                tape.dstate[s, :, :H] = dstate
        every_step = self.return_sequences and dy is not None
        if dy is not None and not every_step:
            tape.dstate[0, :, :H] += dy

        dx = None
        if need_dx:
            if not self._outputs_are_reused:
                dx = np.empty((B, T, I), self.dtype)
            else:
                if self._input_gradient is None:
                    self._input_gradient = np.empty((B, T, I), self.dtype)
                dx = self._input_gradient
        engine_of(self.cell).backward(
            tape, tape.room_for_dgates(), dy.reshape(-1) if every_step else tape.zeros, every_step,
            self._weights(self.flat_params), self._weights(self.flat_grads),
            None if dx is None else dx.reshape(-1),
        )  # fmt: skip
        return dx

    @property
    def final_state(self):
        """State after each row's last valid step of the last forward.

        (B, H), or for an LSTM the tuple (h, c); copies, yours to keep.
        """
        return self._state_views("final_state", self._tape and self._tape.final)

    @property
    def dinitial_state(self):
        """Gradient by the initial state, from the last backward; as ``final_state``."""
        H = self.hidden_size
        return self._state_views(
            "dinitial_state", self._tape and (lambda s: self._tape.dstate[s, :, :H])
        )

    def _state_views(self, name, view):
        if view is None:
            raise RuntimeError(f"{type(self).__name__}.{name}: call forward first")
        states = tuple(view(s).copy() for s in range(len(self.cell.states)))
        return states if len(states) > 1 else states[0]

    def _output_shape(self):
        B, T, _, H = self._tape.shape
        return (B, T, H) if self.return_sequences else (B, H)

    def _weights(self, flat):
        """The parameters or the gradients as the engine takes them: views."""
        cell, I, H = self.cell, self.input_size, self.hidden_size
        split = (I + 1) * len(cell.gates) * H
        end = split + (H + cell.recurrent_bias) * len(cell.gates) * H
        return Weights(flat[:split], flat[split:end], flat[end:])

    def _states(self, where, name, value, B):
        """A state argument as a list of arrays (B, H) or None."""
        count, names = len(self.cell.states), self.cell.states
        if value is None:
            return [None] * count
        if count == 1:
            value = (value,)
        elif not isinstance(value, (tuple, list)) or len(value) != count:
            got = f"{len(value)} of them" if isinstance(value, (tuple, list)) else type(value)
            raise ValueError(f"{where}: {name} must be a tuple ({', '.join(names)}); got {got}")
        shape = (B, self.hidden_size)
        return [
            None
            if state is None
            else checking.shaped(
                where, f"{name} ({part})", state, shape, "(batch, hidden)", self.dtype
            )
            for part, state in zip(names, value, strict=True)
        ]


class LSTM(Recurrent):
    """Long short-term memory layer.

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber &
    Cummins 2000; the equations are in ``rnnlite/cells/lstm.py``.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of x, and units.
    forget_bias : float
        Initial bias of the forget gate (1.0: Jozefowicz et al. 2015).
    return_sequences : bool
        Whether forward returns the hidden state after every step, or the last one.
    seed : int, optional
        Of the initial weights: Wx Glorot uniform, Wh orthogonal.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    params, grads : dict
        ``Wx`` (input, 4*hidden), ``Wh`` (hidden, 4*hidden), ``b`` (4*hidden,);
        columns in the order i, f, g, o.
    final_state, dinitial_state : tuple
        (h, c), each (B, hidden).

    Raises
    ------
    ValueError, TypeError
        For a size below 1, or an argument of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> lstm = LSTM(3, 4, seed=0)
    >>> y = lstm.forward(np.ones((2, 5, 3)))
    >>> dx = lstm.backward(np.ones_like(y))
    >>> y.shape, dx.shape, lstm.grads["Wx"].shape, lstm.final_state[1].shape
    ((2, 4), (2, 5, 3), (3, 16), (2, 4))
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        forget_bias=1.0,
        return_sequences=False,
        seed=None,
        dtype="float32",
    ):
        forget_bias = checking.real_number("LSTM", "forget_bias", forget_bias, -1e6, 1e6)
        super().__init__(cells.LSTM, input_size, hidden_size, return_sequences, seed, dtype)
        H = self.hidden_size
        self.params["b"][H : 2 * H] = forget_bias


class RNN(Recurrent):
    """Vanilla recurrent layer (Elman 1990), h_t = f(x_t Wx + h_{t-1} Wh + b).

    Parameters
    ----------
    input_size, hidden_size : int
        Features of x, and units.
    activation : {"tanh", "relu"}
        The function f.
    return_sequences : bool
        Whether forward returns the hidden state after every step, or the last one.
    seed : int, optional
        Of the initial weights: Wx Glorot uniform, Wh orthogonal.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    params, grads : dict
        ``Wx`` (input, hidden), ``Wh`` (hidden, hidden), ``b`` (hidden,).
    final_state, dinitial_state : numpy.ndarray (B, hidden)

    Raises
    ------
    ValueError, TypeError
        For a size below 1, an unknown activation, or an argument of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> rnn = RNN(3, 4, return_sequences=True, seed=0)
    >>> rnn.forward(np.ones((2, 5, 3)), lengths=[5, 2])[1, 2:].max()
    np.float32(0.0)
    """

    def __init__(
        self,
        input_size,
        hidden_size,
        activation="tanh",
        return_sequences=False,
        seed=None,
        dtype="float32",
    ):
        self.activation = checking.one_of("RNN", "activation", activation, cells.RNN)
        cell = cells.RNN[activation]
        super().__init__(cell, input_size, hidden_size, return_sequences, seed, dtype)


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), reset after the recurrent product.

    The equations are in ``rnnlite/cells/gru.py``.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of x, and units.
    return_sequences : bool
        Whether forward returns the hidden state after every step, or the last one.
    seed : int, optional
        Of the initial weights: Wx Glorot uniform, Wh orthogonal.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    params, grads : dict
        ``Wx`` (input, 3*hidden), ``Wh`` (hidden, 3*hidden), ``b`` and ``bh``
        (3*hidden,); columns in the order r, z, n.
    final_state, dinitial_state : numpy.ndarray (B, hidden)

    Raises
    ------
    ValueError, TypeError
        For a size below 1, or an argument of another kind.

    Examples
    --------
    >>> import numpy as np
    >>> gru = GRU(3, 4, seed=0)
    >>> gru.forward(np.ones((2, 5, 3))).shape, sorted(gru.params)
    ((2, 4), ['Wh', 'Wx', 'b', 'bh'])
    """

    def __init__(self, input_size, hidden_size, return_sequences=False, seed=None, dtype="float32"):
        super().__init__(cells.GRU, input_size, hidden_size, return_sequences, seed, dtype)
