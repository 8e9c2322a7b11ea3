"""What a forward pass leaves behind: for backward, and to look at."""


class RecurrentCache:
    """What happened inside a forward pass, at every step.

    The gates and states are attributes, each a fresh array (B, T, H), zero at padded steps:
    ``i f g o c h`` for an LSTM, ``h`` for an RNN, ``r z n h_n h`` for a GRU (``h_n`` is the
    candidate's recurrent half).  Of a layer or a model, with all their options, ``rnnlite.trace``
    shows them, and every derivative too.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite.functional import rnn_forward
    >>> h, hT, cache = rnn_forward(np.ones((2, 5, 3)), np.ones((3, 4)), np.eye(4), np.zeros(4))
    >>> cache
    <RecurrentCache of a rnn-tanh: B=2 T=5 I=3 H=4 float64; h>
    """

    def __init__(self, workspace, weights):
        self._workspace, self._weights = workspace, weights

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        cell = self._workspace.cell
        if name in cell.states:
            return self._workspace.state(cell.states.index(name))
        if name in cell.saved:
            return self._workspace.saved(name)
        found = ", ".join(self._names())
        raise AttributeError(f"the cache of a {cell.name} has no {name!r}; it has {found}")

    def _names(self):
        cell = self._workspace.cell
        return [*(name for name in cell.saved if name not in cell.states), *cell.states]

    def __dir__(self):
        return [*super().__dir__(), *self._names()]

    def __repr__(self):
        (B, T, I, H), cell = self._workspace.shape, self._workspace.cell
        return (
            f"<RecurrentCache of a {cell.name}: B={B} T={T} I={I} H={H} "
            f"{self._workspace.dtype}; {' '.join(self._names())}>"
        )
