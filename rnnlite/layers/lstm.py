"""LSTM: the recurrent layer of the long short-term memory cell."""

from rnnlite import cells, checking
from rnnlite.layers.recurrent import Recurrent


class LSTM(Recurrent):
    """Long short-term memory layer; the equations are in ``rnnlite/cells/lstm.py``.

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000.
    To see every gate and every gradient inside: ``rnnlite.trace``, pictures in ``rnnlite.inside``.

    Parameters
    ----------
    input_size, hidden_size, return_sequences, seed, dtype, **options : as for ``Recurrent``
    forget_bias : float
        Initial bias of the forget gate (1.0: Jozefowicz et al. 2015).
    peephole : bool
        Whether the gates see the cell state (Gers & Schmidhuber 2000), through the parameters
        ``p_i p_f p_o``, zero at first.
    clip : float, optional
        Bounds every input of a sigmoid or tanh to [-clip, clip], as in ONNX.

    Attributes
    ----------
    params, grads : dict
        ``Wx`` (input, 4*hidden), ``Wh`` (hidden, 4*hidden), ``b`` (4*hidden,); columns in the
        order i, f, g, o.  With peepholes ``p_i p_f p_o`` (hidden,).  ``functional.lstm_forward``
        takes them, and options such as ``clip=layer.clip`` have to be given to it as well.
    final_state, dinitial_state : tuple (h, c), each (B, hidden)

    Examples
    --------
    >>> import numpy as np
    >>> lstm = LSTM(3, 4, seed=0)
    >>> y = lstm.forward(np.ones((2, 5, 3)))
    >>> lstm.backward(np.ones_like(y)).shape, lstm.grads["Wx"].shape
    ((2, 5, 3), (3, 16))

    A stream, one step at a time:

    >>> state = None
    >>> for x_t in np.ones((5, 1, 3)):
    ...     h, state = lstm.step(x_t, state)
    >>> bool(np.allclose(h, y[:1]))
    True
    """

    def __init__(
        self, input_size, hidden_size, forget_bias=1.0, return_sequences=False, seed=None,
        dtype="float32", *, peephole=False, clip=None, **options,
    ):  # fmt: skip
        self.forget_bias = checking.real_number("LSTM", "forget_bias", forget_bias, -1e6, 1e6)
        self.peephole = checking.true_or_false("LSTM", "peephole", peephole)
        self.clip = clip
        if clip is not None:
            self.clip = checking.real_number("LSTM", "clip", clip, 0.0, 1e6, low_included=False)
            cell = (cells.peephole_lstm if peephole else cells.clipped_lstm)(self.clip)
        else:
            cell = cells.peephole_lstm() if peephole else cells.LSTM
        super().__init__(cell, input_size, hidden_size, return_sequences, seed, dtype, **options)
        self.params["b"][self.hidden_size : 2 * self.hidden_size] = self.forget_bias
