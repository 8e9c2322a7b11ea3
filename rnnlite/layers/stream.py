"""Stream: one step of a model after the other, each a single call of one kernel."""

from sys import getrefcount

import numpy as np

from rnnlite import checking
from rnnlite.engine import door
from rnnlite.engine.stream import Input, Memory
from rnnlite.layers import states

# Who knows whether it looks at other steps?
OF_YOUR_OWN = "is a layer of your own, and a stream knows what the library's compute alone"


class Stream:
    """A model that is fed step by step: what ``model.stream(batch)`` returns.

    ``y_t = stream(x_t)`` is what ``model.forward`` answers after that step, bit for bit, whatever
    its ``return_sequences``; ``stream.run(x)`` is the same for many steps.  All is prepared when
    the stream is made: packed weights, states, rows, the compiled kernel.

    - Weights are copies, of the moment when the stream was made or ``refresh`` was called: training
      goes on without disturbing a stream.
    - A result that nobody holds any more, nor a view of it, is written again: a loop allocates
      nothing, and what you keep stays as it is.
    - A stream belongs to one thread at a time.  The GIL is held during a step, and for about a
      millisecond at a time in ``run``.
    - Dropout does nothing, as in all inference.
    - Layers with ``compute_dtype="bfloat16"`` have their weights rounded once, here and by
      ``refresh``; states and results are float32.

    Attributes
    ----------
    batch : int
        Rows of each step.
    state : tuple, numpy.ndarray, or dict of those by the layer's key
        What the recurrent layers carry, copies: of a layer alone as its ``final_state``, of a model
        {"0": (h, c), "2": h}.  May be assigned; None is zeros.

    Examples
    --------
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> model = Sequential([LSTM(3, 4, seed=0), Dense(4, 2, seed=1)])
    >>> stream, x = model.stream(), np.ones((1, 5, 3), "float32")
    >>> for t in range(5):
    ...     y = stream(x[:, t])
    >>> bool(np.abs(y - model(x)).max() < 1e-6), list(stream.state)  # compiled, the same bits
    (True, ['0'])
    """

    def __init__(self, model, batch=1):
        where = self._where = f"{type(model).__name__}.stream"
        self._model, self._batch = model, checking.whole_number(where, "batch", batch)
        leaves = list(_leaves(where, model, ""))
        first = leaves[0][1]
        known = (layer.input_features for _, layer in leaves)
        features = next((number for number in known if number is not None), None)
        self._indices = first.num_embeddings if first.takes_indices else None
        if self._indices is None and features is None:
            raise TypeError(f"{where}: no layer says how many features x_t has")
        found = [] if self._indices else [Input(features)]
        self._cells, last_only = {}, None  # by key: its place among the parts, names of its states
        for key, layer in leaves:
            if hasattr(layer, "cell"):
                if last_only is not None:
                    raise ValueError(
                        f"{where}: layer {key}, {layer!r}, wants every step; layer {last_only} "
                        f"returns its last step only: return_sequences=True?"
                    )
                self._cells[key] = len(found), layer.cell.states
                last_only = None if layer.return_sequences else key
            found += _parts(where, key, layer, found[-1].columns if found else None)
        memory = self._memory = Memory(found, self._batch, model.dtype)
        self._buffer, self._kernel = memory.numbers, memory.kernel
        self._dtype = np.dtype(np.int64) if self._indices else model.dtype
        self._shape = (self._batch,) if self._indices else (self._batch, features)
        self._x = np.zeros(self._shape, self._dtype)
        self._columns = found[-1].columns
        self._results = [self._new_result() for _ in range(2)]
        self._kernel(memory.numbers, self._x, self._results[0], 1, 0, 0)  # compiled here

    def __call__(self, x_t):
        """One step.

        Parameters
        ----------
        x_t : array_like (batch, features)
            For an Embedding whole numbers (batch,).  An array of the model's dtype (int64 for
            indices) that is C-contiguous is read as it is; all else is copied.

        Returns
        -------
        numpy.ndarray (batch, out)
            What the model answers after this step.

        Raises
        ------
        ValueError, TypeError
            If x_t has another shape, or does not hold numbers; the stream is then where it was.
        """
        if not (
            x_t.__class__ is np.ndarray
            and x_t.shape == self._shape
            and x_t.dtype is self._dtype
            and x_t.flags.carray
        ):
            x_t = self._taken(x_t)
        y = self._results[0]
        if getrefcount(y) > _FREE:  # the last result, which a loop still holds
            y = self._results[1]
            if getrefcount(y) > _FREE:
                y = self._results[1] = self._new_result()
        if not self._kernel(self._buffer, x_t, y, 1, 0, 1):
            door.within(self._where, "x_t", x_t, self._indices)
        return y

    def run(self, x):
        """All steps of x, from where the stream is.

        Parameters
        ----------
        x : array_like (batch, T, features)
            For an Embedding (batch, T).

        Returns
        -------
        numpy.ndarray (batch, T, out)
            The answer after each step: yours to keep.

        Raises
        ------
        ValueError, TypeError
            As for a step; no step has then been taken.
        """
        where, B = f"{self._where}.run", self._batch
        shape = (B, "T", *self._shape[1:])
        x = self._numbers(where, "x", x)
        if x.ndim != len(shape) or 0 in x.shape or (B, *x.shape[2:]) != self._shape:
            meaning = "(batch, time)" if self._indices else "(batch, time, features)"
            wanted = f"({', '.join(map(str, shape))}), {meaning}"
            raise ValueError(f"{where}: x has shape {x.shape}; wanted {wanted}")
        x = checking.contiguous(x, self._dtype)
        if self._indices:
            door.within(where, "x", x, self._indices)
        T, steps = x.shape[1], self._memory.steps_at_once
        y = np.empty((B, T, self._columns), self._memory.dtype)
        flat_x = x.reshape(-1) if self._indices else x.reshape(B, -1)
        flat_y = y.reshape(B, -1)
        for first in range(0, T, steps):
            last = min(first + steps, T)
            if not self._kernel(self._buffer, flat_x, flat_y, T, first, last):
                door.within(where, "x", x, self._indices)  # written meanwhile by another thread
        return y

    def reset(self):
        """Go back to the beginning: all states are zero."""
        self.state = None

    def refresh(self):
        """Take the model's weights as they are now; the states stay."""
        self._memory.pack()

    @property
    def batch(self):
        """Rows of each step."""
        return self._batch

    @property
    def state(self):
        """What the recurrent layers carry, copies; see the class."""
        found = {
            key: states.join([state.copy() for state in self._memory.states(number)])
            for key, (number, _) in self._cells.items()
        }
        return found[""] if list(found) == [""] else found

    @state.setter
    def state(self, value):
        where, memory = f"{self._where}.state", self._memory
        if list(self._cells) == [""]:
            value = {"": value}
        elif value is None:
            value = dict.fromkeys(self._cells)
        if not isinstance(value, dict) or set(value) != set(self._cells):
            came = f"is of type {type(value).__name__}"
            if isinstance(value, dict):
                came = f"has the keys {list(value)}"
            wanted = f"a dict with the keys {list(self._cells)}, or None"
            raise ValueError(f"{where}: state {came:.200}; wanted {wanted}")
        arrays = {}
        for key, (number, names) in self._cells.items():
            shape = memory.states(number).shape[1:]
            name = f"state[{key!r}]" if key else "state"
            arrays[number] = states.checked(where, name, value[key], names, shape, memory.dtype)
        for number, parts in arrays.items():
            for target, part in zip(memory.states(number), parts, strict=True):
                target[...] = 0.0 if part is None else part

    def __reduce__(self):
        raise TypeError("Stream: cannot be copied or pickled; make another one, model.stream()")

    def __repr__(self):
        return f"Stream({self._model!r}, batch={self._batch})"

    def _new_result(self):
        return np.empty((self._batch, self._columns), self._memory.dtype)

    def _numbers(self, where, name, value):
        array = checking.real_array(where, name, value)
        if self._indices and array.dtype.kind not in "iu":
            raise TypeError(f"{where}: {name} holds {array.dtype}; it must hold whole numbers")
        return array

    def _taken(self, x_t):
        """x_t as the kernel takes it, in memory of the stream."""
        array = self._numbers(self._where, "x_t", x_t)
        if array.shape != self._shape:
            meaning = "(batch,)" if self._indices else "(batch, features)"
            came = f"x_t has shape {array.shape}"
            raise ValueError(f"{self._where}: {came}; wanted {self._shape}, {meaning}")
        if self._indices and array.dtype.kind == "u":
            door.within(self._where, "x_t", array.astype(np.uint64), self._indices)
        self._x[...] = array
        return self._x


def _references():
    """What ``getrefcount`` says of an object that a list has, and a name in the function."""
    results = [np.empty(0)]
    y = results[0]
    return getrefcount(y)


_FREE = _references()


def _leaves(where, layer, key):
    """Pairs of key and layer of all that compute something by themselves."""
    found = _parts(where, key, layer, 0)
    if not isinstance(found, list) or not found or not hasattr(found[0], "stream_parts"):
        yield key, layer
        return
    for name, inside in zip(layer._layers, found, strict=True):
        yield from _leaves(where, inside, f"{key}.{name}" if key else name)


def _parts(where, key, layer, features):
    """``layer.stream_parts``, if its class does not compute something else than they say."""
    mine = next(base for base in type(layer).__mro__ if "stream_parts" in vars(base))
    try:
        for base in type(layer).__mro__[: type(layer).__mro__.index(mine)]:
            if {"forward_pass", "check_input", "infer", "__call__"} & set(vars(base)):
                raise TypeError(OF_YOUR_OWN)
        return layer.stream_parts(features)
    except TypeError as error:
        which = f"layer {key}, {layer!r}," if key else repr(layer)
        raise TypeError(f"{where}: {which} {error}; model(x) takes any layer") from error
