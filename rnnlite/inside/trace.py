"""trace: every quantity inside a model, at every step, forward and backward.

A copy of the model runs with cells that tell what they compute (``recording.py``), in the plain
engine; the model itself takes no part, and training knows nothing of all this.
"""

import io

import numpy as np

from rnnlite import checking
from rnnlite.inside.recording import recorded, recording, steps
from rnnlite.layers import LSTM, Recurrent
from rnnlite.padding import as_array
from rnnlite.saving.atomic import replace_file
from rnnlite.training.batches import Batch
from rnnlite.training.evaluation import check_model
from rnnlite.training.objective import tried

# What the library's own cells call their parts.
PARTS = {
    "i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate",
    "r": "reset gate", "z": "update gate", "n": "candidate", "h": "hidden state",
    "c": "cell state", "h_n": "the candidate's share of h, before r",
}  # fmt: skip


def trace(
    model, x, labels=None, loss=None, lengths=None, initial_state=None, dy=None, *, training=False
):
    """Run a model and record every quantity inside it, and with a loss every derivative.

    Parameters
    ----------
    model : Layer
        Any layer or model; it is not changed in any way.
    x : array_like (B, T, ...)
        Sequences, or a list of sequences of different length.
    labels : array_like, optional
        As ``y`` of ``fit``: the derivatives of the loss are recorded.
    loss : str or callable, optional
        As in ``fit``; by default what ``fit`` would take for such labels.
    lengths : array_like of int (B,), optional
        Valid steps of each row; all that is recorded is zero past them.
    initial_state : optional
        Of a recurrent layer as in ``Recurrent.forward``; of a model a dict by key, as
        ``{"0": (h, c)}``.
    dy : array_like, in the shape of the output, optional
        In place of labels and a loss: the derivative of whatever is meant, by the output.
    training : bool
        Whether dropout is drawn, as the model's next training step would draw it.

    Returns
    -------
    Trace
        ``trace["0"].f`` is the forget gate of layer 0, (B, T, H); ``trace["0"].dh`` the total
        derivative of the loss by its hidden state after each step.

    Examples
    --------
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> model = Sequential([LSTM(3, 4, seed=0), Dense(4, 2, seed=1)])
    >>> found = trace(model, np.ones((5, 6, 3)), labels=[0, 1, 0, 1, 0])
    >>> found.names, found["0"].f.shape, found["0"].dh.shape
    (['0', '1'], (5, 6, 4), (5, 6, 4))
    """
    where = "trace"
    check_model(where, model)
    training = checking.true_or_false(where, "training", training)
    x, lengths = as_array(where, "x", x, lengths)
    x = checking.any_array(where, "x", x)
    if dy is not None and (labels is not None or loss is not None):
        raise ValueError(f"{where}: dy was given, and labels or a loss too; wanted one of the two")
    if labels is None and loss is not None:
        raise ValueError(f"{where}: loss is given without labels")
    if lengths is not None and x.ndim > 1:
        lengths = checking.row_lengths(where, lengths, *x.shape[:2])
    twin, watched = model.copy(), {}
    given = _states_by_key(where, model, initial_state)
    for key, layer in twin.walk():
        if not layer.only_passes_on:
            watched[key] = _Watch(layer, lengths, given.get(key))
    lone = {} if initial_state is None or given else {"initial_state": initial_state}
    output = twin.forward(x, lengths=lengths, training=training, **lone).copy()
    value = None
    if labels is not None:
        y = checking.real_array(where, "labels", labels)
        if y.ndim == 0 or len(y) != len(x):
            raise ValueError(f"{where}: labels has shape {y.shape}; wanted ({len(x)}, ...)")
        objective = tried(where, loss, output, Batch(x, y, lengths))
        outcome = objective(output, y, lengths)
        value, dy = outcome.loss, outcome.doutput
    if dy is not None:
        twin.backward(dy)
    layers = {key: watch.found() for key, watch in watched.items()}
    return Trace(layers, output, value, lengths)


class Trace:
    """What ``trace`` recorded: ``trace["0"]`` is layer 0, and ``print(trace)`` lists all arrays.

    Attributes
    ----------
    names : list of str
        Keys of the layers, as in ``params``.
    output : numpy.ndarray
        What the model answers.
    loss : float or None
        If labels were given.
    lengths : numpy.ndarray of int64 (B,) or None

    Examples
    --------
    >>> from rnnlite import RNN
    >>> found = trace(RNN(1, 2, seed=0), np.ones((3, 4, 1)))
    >>> found.row(2)[""].h.shape
    (1, 4, 2)
    """

    def __init__(self, layers, output, loss, lengths):
        self._layers, self.output, self.loss, self.lengths = layers, output, loss, lengths

    @property
    def names(self):
        """Keys of the layers."""
        return list(self._layers)

    def __getitem__(self, key):
        if key not in self._layers:
            if key == "0" and self.names == [""]:  # the model is one layer
                return self._layers[""]
            wanted = ", ".join(map(repr, self.names))
            raise KeyError(f"trace: there is no layer {key!r}; there are {wanted}")
        return self._layers[key]

    def __iter__(self):
        return iter(self._layers)

    def __len__(self):
        return len(self._layers)

    def __repr__(self):
        head = f"trace of {len(self.output)} rows"
        if self.loss is not None:
            head += f", loss {self.loss:.6g}"
        parts = [f"[{key!r}]  {layer!r}" for key, layer in self._layers.items()]
        return "\n".join([head, *parts])

    def row(self, n):
        """One row, as a trace of its own; see ``Trace``.

        Parameters
        ----------
        n : int
            Which row of the batch.

        Returns
        -------
        Trace
            Its arrays have a batch axis of 1.
        """
        B = len(self.output)
        n = checking.whole_number("Trace.row", "n", n, 0, B - 1)
        layers = {key: layer.row(n) for key, layer in self._layers.items()}
        lengths = None if self.lengths is None else self.lengths[n : n + 1]
        return Trace(layers, self.output[n : n + 1], self.loss, lengths)

    def save(self, path):
        """Write all arrays into an ``.npz`` file, by names as ``0.h``; see ``numpy.load``.

        Parameters
        ----------
        path : str or os.PathLike
        """
        arrays = {
            f"{key}.{name}".lstrip("."): array
            for key, layer in self._layers.items()
            for name, array in vars(layer).items()
            if not name.startswith("_")
        }
        for name in ("output", "loss", "lengths"):
            if getattr(self, name) is not None:
                arrays[name] = np.asarray(getattr(self, name))
        content = io.BytesIO()
        np.savez(content, **arrays)
        replace_file(checking.file_name("Trace.save", "path", path), content.getvalue())


class LayerTrace:
    """The arrays of one layer; those of a recurrent layer are (B, T, H), at the time of the input.

    ``print`` it to see their names, shapes and meanings.

    Examples
    --------
    >>> from rnnlite import RNN
    >>> trace(RNN(1, 2, seed=0), np.ones((3, 4, 1)))["0"]
    RNN(1, 2)
      x      (3, 4, 1)    input
      y      (3, 2)       output
      z_h    (3, 4, 2)    h before its nonlinearity
      h      (3, 4, 2)    hidden state after each step
    """

    def __init__(self, title, arrays, meanings, states=()):
        self.__dict__.update(arrays)
        self._title, self._meanings, self._states = title, meanings, states

    @property
    def names(self):
        """Names of the arrays."""
        return [name for name in vars(self) if not name.startswith("_")]

    def __repr__(self):
        shapes = {name: str(getattr(self, name).shape) for name in self.names}
        wide = max([6, *map(len, shapes)])
        broad = max([12, *map(len, shapes.values())])
        lines = [
            f"  {name:<{wide}} {shape:<{broad}} {self._meanings[name]}"
            for name, shape in shapes.items()
        ]
        return "\n".join([self._title, *lines])

    def row(self, n):
        """Row ``n`` alone; see ``Trace.row``."""
        arrays = {name: getattr(self, name)[n : n + 1] for name in self.names}
        return LayerTrace(self._title, arrays, self._meanings, self._states)


class _Watch:
    """Looks at the runs of one layer of the copy."""

    def __init__(self, layer, lengths, initial_state):
        self.layer, self.lengths, self.title = layer, lengths, repr(layer)
        self.arrays, self.calls, self.back = {}, None, None
        self.recurrent = isinstance(layer, Recurrent)
        self.cell = layer.cell if self.recurrent else None
        inside = {"forward_pass": layer.forward_pass, "backward_pass": layer.backward_pass}
        if self.recurrent:
            inside["cell"] = recording(layer.cell)
        forward, backward = inside["forward_pass"], inside["backward_pass"]

        def forward_pass(x, saved, **states):
            if initial_state is not None:
                states["initial_state"] = initial_state
            with recorded() as self.calls:
                y = forward(x, saved, **states)
            self.arrays["x"], self.arrays["y"] = self._clean(x), self._clean(y)
            return y

        def backward_pass(dy, saved, **dstates):
            with recorded() as self.back:
                dx = backward(dy, saved, **dstates)
            if dy is not None:
                self.arrays["dy"] = self._clean(dy)
            if dx is not None:
                self.arrays["dx"] = self._clean(dx)
            return dx

        inside |= {"forward_pass": forward_pass, "backward_pass": backward_pass}
        layer.__dict__.update(inside)  # past the guard of what a layer was built with

    def _clean(self, array):
        """A copy, zero past the lengths."""
        array = np.array(array)
        if self.lengths is not None and array.ndim > 1 + (array.dtype.kind == "f"):
            array[np.arange(array.shape[1]) >= self.lengths[:, None]] = 0
        return array

    def found(self):
        """All that was seen, as a ``LayerTrace``."""
        arrays = {name: self.arrays[name] for name in ("x", "y") if name in self.arrays}
        meanings = {"x": "input", "y": "output"}
        if self.recurrent:
            forward, backward = self._of_the_cell()
            arrays |= {name: array for name, (array, _) in forward.items()}
            meanings |= {name: meaning for name, (_, meaning) in forward.items()}
        for name, of in (("dy", "output"), ("dx", "input")):
            if name in self.arrays:
                arrays[name] = self.arrays[name]
                meanings[name] = f"derivative by the {of}"
        if self.recurrent:
            arrays |= {name: array for name, (array, _) in backward.items()}
            meanings |= {name: meaning for name, (_, meaning) in backward.items()}
        states = self.cell.states if self.recurrent else ()
        return LayerTrace(self.title, arrays, meanings, states)

    def _of_the_cell(self):
        """States, what the cell saves, z, and their derivatives: {name: (array, meaning)}."""
        cell, layer = self.cell, self.layer
        B, T = self.arrays["x"].shape[:2]
        lengths = np.full(B, T) if self.lengths is None else self.lengths
        at = _Clock(lengths, T, layer.go_backwards, layer.hidden_size, layer.dtype)
        went = steps(self.calls, "step", T, cell.whole_rows)
        names = z_names(cell)
        z = {n: at.time([arguments[0][k] for arguments, _ in went]) for k, n in enumerate(names)}
        before = at.time([arguments[1] for arguments, _ in went], len(cell.states))
        after = at.time([result[0] for _, result in went], len(cell.states))
        saved = at.time([result[1] for _, result in went], len(cell.saved))
        saved = dict(zip(cell.saved, saved, strict=True))
        known = PARTS if cell.family in ("lstm", "gru", "rnn") else {}
        forward = {n: (a, f"{n[2:]} before its nonlinearity") for n, a in z.items()}
        forward |= {n: (a, known.get(n, "what the cell saves")) for n, a in saved.items()}
        forward |= {
            n: (a, f"{known.get(n, 'state')} after each step")
            for n, a in zip(cell.states, after, strict=True)
        }
        backward = {}
        if self.back:
            came = steps(self.back, "step_backward", T, cell.whole_rows)[::-1]
            dz = [result[0] for _, result in came]
            if cell.intermediate is not None:
                again = steps(self.back, "intermediate_backward", T, cell.whole_rows)[::-1]
                dz = [result[0] for _, result in again]
            dz = dict(zip(names, at.time(dz, len(names)), strict=True))
            dstate = at.time([arguments[0] for arguments, _ in came], len(cell.states))
            dstate = dict(zip(cell.states, dstate, strict=True))
            if isinstance(layer, LSTM):
                c = after[cell.states.index("c")]
                dstate["c"] = _total_of_c(layer, dstate["h"], dstate["c"], saved["o"], c, dz)
            whole = len(cell.states) == 1 or isinstance(layer, LSTM)
            rest = "" if whole else ", but for its way through the step's other states"
            backward = {
                f"d{n}": (a, f"derivative of the loss by {n} after each step, in all{rest}")
                for n, a in dstate.items()
            }
            backward |= {f"d{n}": (a, f"derivative by {n}") for n, a in dz.items()}
        _complete(layer, forward, backward, before)
        return forward, backward


class _Clock:
    """Puts what was computed at step t of the loop to the time of its input."""

    def __init__(self, lengths, T, reverse, H, dtype):
        self.lengths, self.T, self.reverse, self.H, self.dtype = lengths, T, reverse, H, dtype

    def time(self, values, parts=None):
        """(B, T, H) of T arrays (B, H), zero in the padding; a list of them for tuples of parts."""
        if parts is not None:
            return [self.time([value[k] for value in values]) for k in range(parts)]
        array = np.zeros((len(self.lengths), self.T, self.H), self.dtype)
        for t, value in enumerate(values):
            rows = np.flatnonzero(t < self.lengths)
            time = self.lengths[rows] - 1 - t if self.reverse else t
            array[rows, time] = np.asarray(value)[rows]
        return array


def z_names(cell):
    """A name for each value of z: ``z_f``, or ``z_n_x`` and ``z_n_h`` where two make one gate."""
    gates = cell.z_names
    return [
        f"z_{gate}" if gates.count(gate) == 1 else f"z_{gate}_{'x' if x_gate else 'h'}"
        for gate, (x_gate, *_) in zip(gates, cell.projections, strict=True)
    ]


def _total_of_c(layer, dh, dc, o, c, dz):
    """dL/dc_t with the way through h_t = o tanh(c_t), and through a peephole of o."""
    limit = np.inf if layer.clip is None else layer.clip
    slope = np.where(np.abs(c) < limit, 1 - np.tanh(np.clip(c, -limit, limit)) ** 2, 0)
    total = dc + dh * o * slope
    return total + dz["z_o"] * layer.params["p_o"] if layer.peephole else total


def _complete(layer, forward, backward, before):
    """What stands before the nonlinearities of the library's cells, where z is only a part of it.

    A GRU's candidate is tanh(z_n_x + r z_n_h); gates with peepholes see c.
    """
    if "z_n_x" in forward and layer.cell.family == "gru":
        total = forward["z_n_x"][0] + forward["r"][0] * forward["z_n_h"][0]
        forward["z_n"] = (total, "n before its nonlinearity, z_n_x + r z_n_h")
        if backward:
            backward["dz_n"] = (backward["dz_n_x"][0].copy(), "derivative by z_n")
    if isinstance(layer, LSTM) and layer.peephole:
        c_before, c = before[1], forward["c"][0]
        for gate, seen in (("i", c_before), ("f", c_before), ("o", c)):
            array, meaning = forward[f"z_{gate}"]
            forward[f"z_{gate}"] = (array + layer.params[f"p_{gate}"] * seen, meaning)


def _states_by_key(where, model, initial_state):
    """Initial states by the key of their layer; those of a lone layer it takes itself."""
    if initial_state is None or hasattr(type(model), "final_state"):
        return {}
    keys = [key for key, layer in model.walk() if hasattr(type(layer), "final_state")]
    keys = [key for key in keys if key.rpartition(".")[0] not in keys]  # not within Bidirectional
    came = list(initial_state) if isinstance(initial_state, dict) else type(initial_state).__name__
    if not isinstance(came, list) or not set(came) <= set(keys):
        wanted = f"wanted a dict with keys of {keys}"
        raise ValueError(f"{where}: initial_state is for {came}; {wanted}")
    return initial_state
