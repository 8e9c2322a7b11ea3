"""GRU: the recurrent layer of the gated recurrent unit."""

from rnnlite import cells, checking
from rnnlite.layers.recurrent import Recurrent


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014); the equations are in ``rnnlite/cells/gru.py``.

    To see every gate and every gradient inside: ``rnnlite.trace``, pictures in ``rnnlite.inside``.

    Parameters
    ----------
    input_size, hidden_size, return_sequences, seed, dtype, **options : as for ``Recurrent``
    reset_after : bool
        Whether the reset gate acts after the recurrent product, as in cuDNN and PyTorch, or on
        h before it, as in the paper.

    Attributes
    ----------
    params, grads : dict
        ``Wx`` (input, 3*hidden), ``Wh`` (hidden, 3*hidden), ``b`` and ``bh`` (3*hidden,);
        columns in the order r, z, n.  ``functional.gru_forward`` takes them, and
        ``reset_after=layer.reset_after`` as well.
    final_state, dinitial_state : numpy.ndarray (B, hidden)

    Examples
    --------
    >>> import numpy as np
    >>> gru = GRU(3, 4, seed=0)
    >>> gru.forward(np.ones((2, 5, 3))).shape, sorted(gru.params)
    ((2, 4), ['Wh', 'Wx', 'b', 'bh'])
    """

    def __init__(
        self, input_size, hidden_size, return_sequences=False, seed=None, dtype="float32", *,
        reset_after=True, **options,
    ):  # fmt: skip
        self.reset_after = checking.true_or_false("GRU", "reset_after", reset_after)
        cell = cells.GRU if reset_after else cells.GRU_2014
        super().__init__(cell, input_size, hidden_size, return_sequences, seed, dtype, **options)
