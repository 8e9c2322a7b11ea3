"""The recurrent networks as plain functions: arrays in, arrays out, nothing hidden.

Each ``..._forward`` returns the hidden states, the final state and a cache;
the matching ``..._backward`` takes the cache and returns every gradient.
``rnnlite.reference`` has the same functions in plain NumPy, to read.

All arrays are batch-first.  B rows, T time steps, I input features, H hidden
units.  Results are float64 if any argument is, else float32.
"""

from typing import NamedTuple

import numpy as np

from rnnlite import cells, checking
from rnnlite.engine import Tape, Weights, engine_of
from rnnlite.losses import softmax_cross_entropy
from rnnlite.memory import aligned_zeros

__all__ = [
    "GRUGradients",
    "LSTMGradients",
    "LSTMState",
    "PeepholeLSTMGradients",
    "RNNGradients",
    "RecurrentCache",
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "rnn_backward",
    "rnn_forward",
    "softmax_cross_entropy",
]


class LSTMState(NamedTuple):
    """The two states of an LSTM: ``h`` and ``c``, each (B, H).

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 3, 1)), np.ones((1, 4)), np.zeros(4)
    >>> h, state, cache = lstm_forward(x, W, W, b)
    >>> state.c.shape
    (2, 1)
    """

    h: np.ndarray
    c: np.ndarray


class LSTMGradients(NamedTuple):
    """Gradients of an LSTM, each in the shape of what it is the gradient of.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 3, 1)), np.ones((1, 4)), np.zeros(4)
    >>> lstm_backward(None, lstm_forward(x, W, W, b)[2])._fields
    ('dx', 'dWx', 'dWh', 'db', 'dh0', 'dc0')
    """

    dx: np.ndarray
    dWx: np.ndarray
    dWh: np.ndarray
    db: np.ndarray
    dh0: np.ndarray
    dc0: np.ndarray


class PeepholeLSTMGradients(NamedTuple):
    """Gradients of an LSTM with peepholes, each in the shape of what it is the gradient of.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 3, 1)), np.ones((1, 4)), np.zeros(4)
    >>> lstm_backward(None, lstm_forward(x, W, W, b, peephole=np.zeros(3))[2]).dpeephole.shape
    (3,)
    """

    dx: np.ndarray
    dWx: np.ndarray
    dWh: np.ndarray
    db: np.ndarray
    dh0: np.ndarray
    dc0: np.ndarray
    dpeephole: np.ndarray


class RNNGradients(NamedTuple):
    """Gradients of a vanilla RNN, each in the shape of what it is the gradient of.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 3, 1)), np.ones((1, 1)), np.zeros(1)
    >>> rnn_backward(None, rnn_forward(x, W, W, b)[2])._fields
    ('dx', 'dWx', 'dWh', 'db', 'dh0')
    """

    dx: np.ndarray
    dWx: np.ndarray
    dWh: np.ndarray
    db: np.ndarray
    dh0: np.ndarray


class GRUGradients(NamedTuple):
    """Gradients of a GRU, each in the shape of what it is the gradient of.

    Examples
    --------
    >>> import numpy as np
    >>> x, W, b = np.ones((2, 3, 1)), np.ones((1, 3)), np.zeros(3)
    >>> gru_backward(None, gru_forward(x, W, W, b, b)[2])._fields
    ('dx', 'dWx', 'dWh', 'db', 'dbh', 'dh0')
    """

    dx: np.ndarray
    dWx: np.ndarray
    dWh: np.ndarray
    db: np.ndarray
    dbh: np.ndarray
    dh0: np.ndarray


class RecurrentCache:
    """What happened inside a forward pass, at every step.

    The gates and states are attributes, each a fresh array (B, T, H), zero at
    padded steps: ``i f g o c h`` for an LSTM, ``h`` for an RNN,
    ``r z n h_n h`` for a GRU (``h_n`` is the candidate's recurrent half).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, Wx, Wh = rng.random((2, 5, 3)), rng.random((3, 4)), rng.random((4, 4))
    >>> h, hT, cache = rnn_forward(x, Wx, Wh, np.zeros(4))
    >>> cache
    <RecurrentCache of a rnn-tanh: B=2 T=5 I=3 H=4 float64; h>
    >>> bool(np.all(cache.h == h))
    True
    """

    def __init__(self, tape, weights):
        self._tape, self._weights = tape, weights

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        cell = self._tape.cell
        if name in cell.states:
            return self._tape.state(cell.states.index(name))
        if name in cell.kept:
            return self._tape.kept(name)
        raise AttributeError(
            f"the cache of a {cell.name} has no {name!r}; it has {', '.join(self._names())}"
        )

    def _names(self):
        cell = self._tape.cell
        return [*(name for name in cell.kept if name not in cell.states), *cell.states]

    def __dir__(self):
        return [*super().__dir__(), *self._names()]

    def __repr__(self):
        (B, T, I, H), cell = self._tape.shape, self._tape.cell
        return (
            f"<RecurrentCache of a {cell.name}: B={B} T={T} I={I} H={H} "
            f"{self._tape.dtype}; {' '.join(self._names())}>"
        )


def _forward(where, cell, x, Wx, Wh, b, bh, initial, lengths, peephole=None):
    """Check the arguments, run the engine, return h, the final states and the cache."""
    given = {"x": x, "Wx": Wx, "Wh": Wh, "b": b}
    if cell.recurrent_bias:
        given["bh"] = bh
    if peephole is not None:
        given["peephole"] = peephole
    initial = dict(zip((f"{name}0" for name in cell.states), initial, strict=True))
    given |= {name: value for name, value in initial.items() if value is not None}
    arrays = {name: checking.real_array(where, name, value) for name, value in given.items()}
    dtype = checking.common_float(*arrays.values())

    x = checking.dimensions(where, "x", x, 3, "(batch, time, input)")
    (B, T, I), G = x.shape, len(cell.gates)
    H = checking.dimensions(where, "Wh", Wh, 2, f"(hidden, {G}*hidden)").shape[0]
    columns = "hidden" if G == 1 else f"{G}*hidden"
    parts = {
        "Wh": ((H, G * H), f"(hidden, {columns})"),
        "Wx": ((I, G * H), f"(input, {columns}) with input = {I} of x and hidden = {H} of Wh"),
        "b": ((G * H,), f"({columns},) with hidden = {H} of Wh"),
        "bh": ((G * H,), f"({columns},) with hidden = {H} of Wh"),
        "peephole": ((3 * H,), f"(3*hidden,) with hidden = {H} of Wh"),
    }
    parts = {
        name: checking.shaped(where, name, arrays[name], shape, meaning, dtype)
        for name, (shape, meaning) in parts.items()
        if name in arrays
    }
    states = [
        None
        if value is None
        else checking.shaped(where, name, value, (B, H), "(batch, hidden)", dtype)
        for name, value in initial.items()
    ]

    tape = Tape(cell, B, T, I, H, dtype)
    tape.set_lengths(checking.row_lengths(where, lengths, B, T))
    tape.set_initial(states)
    wx, wh = (
        _stacked([parts[name] for name in names if name in parts], dtype)
        for names in (("Wx", "b"), ("bh", "Wh"))
    )
    h = np.empty((B, T, H), dtype)
    flat_x = checking.contiguous(x, dtype).ravel()
    p = parts.get("peephole", np.zeros(len(cell.unit_params) * H, dtype))
    weights = Weights(wx, wh, p)
    engine_of(cell).forward(tape, flat_x, weights, h.ravel(), True)
    final = [tape.final(s).copy() for s in range(len(cell.states))]
    return h, final, RecurrentCache(tape, weights)


def _stacked(arrays, dtype):
    """All numbers one after the other, with room for a whole register behind them."""
    result = aligned_zeros(sum(array.size for array in arrays), dtype)
    return np.concatenate([array.ravel() for array in arrays], out=result)


def _backward(where, family, dh, cache, dfinal):
    """Check the arguments, run the engine, return the gradients by name."""
    if not isinstance(cache, RecurrentCache) or cache._tape.cell.name.split("-")[0] != family:
        raise TypeError(f"{where}: cache is {cache!r}; wanted the cache of the matching forward")
    tape = cache._tape
    cell, (B, T, I, H), dtype, G = tape.cell, tape.shape, tape.dtype, len(tape.cell.gates)
    if dh is None:
        dh = np.zeros(0, dtype)
    else:
        dh = checking.shaped(where, "dh", dh, (B, T, H), "(batch, time, hidden)", dtype)
    tape.dstate[...] = 0.0
    for s, (state, value) in enumerate(zip(cell.states, dfinal, strict=True)):
        if value is not None:
            name = f"d{state}T"
            tape.dstate[s, :, :H] = checking.shaped(
                where, name, value, (B, H), "(batch, hidden)", dtype
            )
    bias_rows = int(cell.recurrent_bias)
    dx = np.empty((B, T, I), dtype)
    dwx, dwh = np.empty((I + 1, G * H), dtype), np.empty((bias_rows + H, G * H), dtype)
    dp = np.empty(cache._weights.p.size, dtype)
    # The cache stays as it is: gradients of the gates get a buffer of their own.
    dgates = aligned_zeros(tape.gates.shape, dtype)
    engine_of(cell).backward(
        tape, dgates, dh.ravel(), dh.size > 0, cache._weights,
        Weights(dwx.ravel(), dwh.ravel(), dp), dx.ravel(),
    )  # fmt: skip
    found = {"dx": dx, "dWx": dwx[:I], "db": dwx[I], "dWh": dwh[bias_rows:]}
    if bias_rows:
        found["dbh"] = dwh[0]
    if dp.size:
        found["dpeephole"] = dp
    for s, state in enumerate(cell.states):
        found[f"d{state}0"] = tape.dstate[s, :, :H].copy()
    return found


def lstm_forward(x, Wx, Wh, b, h0=None, c0=None, lengths=None, *, peephole=None, clip=None):
    """Run an LSTM over a batch of sequences.

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber &
    Cummins 2000; the equations are in ``rnnlite/cells/lstm.py``.

    Parameters
    ----------
    x : array_like (B, T, I)
        Input sequences.
    Wx, Wh, b : array_like (I, 4H), (H, 4H), (4H,)
        Weights and bias; columns in the order i, f, g, o.
    h0, c0 : array_like (B, H), optional
        Initial states; zero if not given.
    lengths : array_like of int (B,), optional
        Valid steps of each row, 1 to T.  Past them outputs are zero, the
        states stay as they were, and the padding of x is not read.
    peephole : array_like (3H,), optional
        Weights from the cell state to the gates i, f, o, in this order
        (Gers & Schmidhuber 2000; ``rnnlite/cells/peephole_lstm.py``).
    clip : float, optional
        Bound every input of a sigmoid or tanh to [-clip, clip], as ONNX does.

    Returns
    -------
    h : numpy.ndarray (B, T, H)
        Hidden state after every step.
    state : LSTMState
        ``(hT, cT)``, each (B, H): after each row's last valid step.
    cache : RecurrentCache
        For ``lstm_backward``; also ``i f g o c h`` of every step.

    Raises
    ------
    ValueError, TypeError
        For a wrong shape, or an array that does not hold real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.random((2, 5, 3))
    >>> Wx, Wh, b = rng.random((3, 16)), rng.random((4, 16)), np.zeros(16)
    >>> h, (hT, cT), cache = lstm_forward(x, Wx, Wh, b, lengths=[5, 2])
    >>> h.shape, bool(np.all(hT[1] == h[1, 1])), float(h[1, 2:].max())
    ((2, 5, 4), True, 0.0)
    """
    cell = cells.LSTM
    if clip is not None:
        clip = checking.real_number("lstm_forward", "clip", clip, 0.0, 1e6, low_included=False)
        cell = cells.clipped_lstm(clip) if peephole is None else cells.peephole_lstm(clip)
    elif peephole is not None:
        cell = cells.peephole_lstm()
    h, final, cache = _forward(
        "lstm_forward", cell, x, Wx, Wh, b, None, (h0, c0), lengths, peephole
    )
    return h, LSTMState(*final), cache


def lstm_backward(dh, cache, dhT=None, dcT=None):
    """Backpropagate through time through an LSTM.

    Parameters
    ----------
    dh : array_like (B, T, H) or None
        Gradient of the loss by every hidden state; ignored at padded steps.
    cache : RecurrentCache
        From ``lstm_forward``; it is not changed.
    dhT, dcT : array_like (B, H), optional
        Gradient by the final states, on top of ``dh``.

    Returns
    -------
    LSTMGradients or PeepholeLSTMGradients
        ``dx dWx dWh db dh0 dc0``, and ``dpeephole`` (3H,) if there were peepholes.

    Raises
    ------
    ValueError, TypeError
        For a wrong shape or a cache of another function.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, Wx, Wh = rng.random((2, 5, 3)), rng.random((3, 16)), rng.random((4, 16))
    >>> h, state, cache = lstm_forward(x, Wx, Wh, np.zeros(16))
    >>> g = lstm_backward(np.ones_like(h), cache)
    >>> g.dx.shape, g.dWx.shape, g.dc0.shape
    ((2, 5, 3), (3, 16), (2, 4))
    """
    found = _backward("lstm_backward", "lstm", dh, cache, (dhT, dcT))
    return PeepholeLSTMGradients(**found) if "dpeephole" in found else LSTMGradients(**found)


def rnn_forward(x, Wx, Wh, b, h0=None, lengths=None, activation="tanh"):
    """Run a vanilla RNN (Elman 1990), h_t = f(x_t Wx + h_{t-1} Wh + b), over a batch.

    Parameters
    ----------
    x : array_like (B, T, I)
        Input sequences.
    Wx, Wh, b : array_like (I, H), (H, H), (H,)
        Weights and bias.
    h0 : array_like (B, H), optional
        Initial state; zero if not given.
    lengths : array_like of int (B,), optional
        Valid steps of each row, as in ``lstm_forward``.
    activation : {"tanh", "relu"}
        The function f.

    Returns
    -------
    h : numpy.ndarray (B, T, H)
        Hidden state after every step.
    hT : numpy.ndarray (B, H)
        After each row's last valid step.
    cache : RecurrentCache
        For ``rnn_backward``; also ``h`` of every step.

    Raises
    ------
    ValueError, TypeError
        For a wrong shape, an unknown activation, or an array without real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> h, hT, cache = rnn_forward(np.ones((1, 2, 1)), [[1.0]], [[0.5]], [0.0])
    >>> h.ravel().round(4), hT.round(4)      # tanh(1), tanh(1 + 0.5 tanh(1))
    (array([0.7616, 0.8811]), array([[0.8811]]))
    """
    checking.one_of("rnn_forward", "activation", activation, cells.RNN)
    h, (hT,), cache = _forward(
        "rnn_forward", cells.RNN[activation], x, Wx, Wh, b, None, (h0,), lengths
    )
    return h, hT, cache


def rnn_backward(dh, cache, dhT=None):
    """Backpropagate through time through a vanilla RNN.

    Parameters
    ----------
    dh : array_like (B, T, H) or None
        Gradient of the loss by every hidden state; ignored at padded steps.
    cache : RecurrentCache
        From ``rnn_forward``; it is not changed.
    dhT : array_like (B, H), optional
        Gradient by the final state, on top of ``dh``.

    Returns
    -------
    RNNGradients
        ``dx dWx dWh db dh0``.

    Raises
    ------
    ValueError, TypeError
        For a wrong shape or a cache of another function.

    Examples
    --------
    >>> import numpy as np
    >>> h, hT, cache = rnn_forward(np.ones((1, 2, 1)), [[1.0]], [[0.5]], [0.0])
    >>> g = rnn_backward(None, cache, dhT=[[1.0]])
    >>> g.dx.ravel().round(4)       # the first is smaller by Wh tanh'
    array([0.047 , 0.2236])
    """
    return RNNGradients(**_backward("rnn_backward", "rnn", dh, cache, (dhT,)))


def gru_forward(x, Wx, Wh, b, bh, h0=None, lengths=None, *, reset_after=True):
    """Run a gated recurrent unit (Cho et al. 2014) over a batch of sequences.

    The equations are in ``rnnlite/cells/gru.py``.

    Parameters
    ----------
    x : array_like (B, T, I)
        Input sequences.
    Wx, Wh : array_like (I, 3H), (H, 3H)
        Weights; columns in the order r, z, n.
    b, bh : array_like (3H,)
        Bias of the input side and of the recurrent side.
    h0 : array_like (B, H), optional
        Initial state; zero if not given.
    lengths : array_like of int (B,), optional
        Valid steps of each row, as in ``lstm_forward``.
    reset_after : bool
        Whether the reset gate acts after the recurrent product, as in cuDNN
        and PyTorch, or on h before it, as in the paper.

    Returns
    -------
    h : numpy.ndarray (B, T, H)
        Hidden state after every step.
    hT : numpy.ndarray (B, H)
        After each row's last valid step.
    cache : RecurrentCache
        For ``gru_backward``; also ``r z n h`` of every step.

    Raises
    ------
    ValueError, TypeError
        For a wrong shape, or an array that does not hold real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, Wx, Wh = rng.random((2, 5, 3)), rng.random((3, 12)), rng.random((4, 12))
    >>> h, hT, cache = gru_forward(x, Wx, Wh, np.zeros(12), np.zeros(12))
    >>> h.shape, cache.z.shape
    ((2, 5, 4), (2, 5, 4))
    """
    checking.true_or_false("gru_forward", "reset_after", reset_after)
    cell = cells.GRU if reset_after else cells.GRU_2014
    h, (hT,), cache = _forward("gru_forward", cell, x, Wx, Wh, b, bh, (h0,), lengths)
    return h, hT, cache


def gru_backward(dh, cache, dhT=None):
    """Backpropagate through time through a gated recurrent unit.

    Parameters
    ----------
    dh : array_like (B, T, H) or None
        Gradient of the loss by every hidden state; ignored at padded steps.
    cache : RecurrentCache
        From ``gru_forward``; it is not changed.
    dhT : array_like (B, H), optional
        Gradient by the final state, on top of ``dh``.

    Returns
    -------
    GRUGradients
        ``dx dWx dWh db dbh dh0``.

    Raises
    ------
    ValueError, TypeError
        For a wrong shape or a cache of another function.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, Wx, Wh = rng.random((2, 5, 3)), rng.random((3, 12)), rng.random((4, 12))
    >>> h, hT, cache = gru_forward(x, Wx, Wh, np.zeros(12), np.zeros(12))
    >>> gru_backward(np.ones_like(h), cache).dbh.shape
    (12,)
    """
    return GRUGradients(**_backward("gru_backward", "gru", dh, cache, (dhT,)))
