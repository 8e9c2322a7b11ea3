"""RNN: the recurrent layer of the vanilla cell."""

from rnnlite import cells, checking
from rnnlite.layers.recurrent import Recurrent


class RNN(Recurrent):
    """Vanilla recurrent layer (Elman 1990), h_t = f(x_t Wx + h_{t-1} Wh + b).

    To see every gate and every gradient inside: ``rnnlite.trace``, pictures in ``rnnlite.inside``.

    Parameters
    ----------
    input_size, hidden_size, return_sequences, seed, dtype, **options : as for ``Recurrent``
        ``wh_init="identity"`` with ReLU is the IRNN of Le, Jaitly & Hinton 2015.
    activation : {"tanh", "relu"}
        The function f.

    Attributes
    ----------
    params, grads : dict
        ``Wx`` (input, hidden), ``Wh`` (hidden, hidden), ``b`` (hidden,).
        ``functional.rnn_forward`` takes them, and ``activation=layer.activation`` as well.
    final_state, dinitial_state : numpy.ndarray (B, hidden)

    Examples
    --------
    >>> import numpy as np
    >>> rnn = RNN(3, 4, return_sequences=True, seed=0)
    >>> rnn.forward(np.ones((2, 5, 3)), lengths=[5, 2])[1, 2:].max()
    np.float32(0.0)
    """

    def __init__(
        self, input_size, hidden_size, activation="tanh", return_sequences=False, seed=None,
        dtype="float32", **options,
    ):  # fmt: skip
        self.activation = checking.one_of("RNN", "activation", activation, cells.RNN)
        cell = cells.RNN[activation]
        super().__init__(cell, input_size, hidden_size, return_sequences, seed, dtype, **options)
