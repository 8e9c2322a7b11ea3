"""What a run of a layer owns: what forward saves for backward, and arrays to be used again."""

import threading

import numpy as np


class Saved:
    """What one run of a layer saves for its backward pass, and arrays that the next run may use.

    ``forward_pass`` sets any attribute it likes, and ``backward_pass`` finds it.

    Parameters
    ----------
    for_backward : bool
        False in inference: nothing needs to be saved.

    Attributes
    ----------
    for_backward : bool
    training : bool
        Whether dropout is drawn and results use the memory of the last ones again.
    lengths : numpy.ndarray of int64 (B,) or None
        Valid steps of each row, checked.
    need_dx : bool
        Whether ``backward_pass`` is to compute the gradient by x.
    output_shape : tuple of int
        Of forward's result, and so of dy.
    """

    def __init__(self, for_backward):
        self.for_backward = for_backward
        self.training = self.need_dx = False
        self.lengths = self.input_shape = self.output_shape = None
        self._results = {}

    def result(self, name, shape, dtype):
        """An array to return: a fresh one, or, while training, that of the last run."""
        if not self.training:
            return np.empty(shape, dtype)
        array = self._results.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._results[name] = np.empty(shape, dtype)
        return array

    def run(self, layer, x, lengths=None, **states):
        """What a layer inside this one answers: ``backward_pass`` may call its ``backward``."""
        if self.for_backward:
            return layer.forward(x, lengths=lengths, training=self.training, **states)
        return layer.infer(x, lengths=lengths, **states)

    def without_padding(self, array):
        """A copy of x or an output (B, T, ...) with zeros past each row's length, if any are given."""
        has_time = array.shape[:2] == self.input_shape[:2] and array.ndim > 2
        if self.lengths is None or not (has_time or array.shape == self.input_shape):
            return array
        array = array.copy()
        array[np.arange(array.shape[1]) >= self.lengths[:, None]] = 0.0
        return array


class Pool:
    """Memory of inference runs that are over, for those to come; any number of threads."""

    MOST = 16  # idle ones; beyond that the oldest is given up

    def __init__(self):
        self._idle, self._lock = [], threading.Lock()

    def take(self, shape):
        """A ``Saved`` that nobody else uses: the last one for inputs of this shape if there is one."""
        with self._lock:
            for n in range(len(self._idle) - 1, -1, -1):
                if self._idle[n].input_shape == shape:
                    return self._idle.pop(n)
            return self._idle.pop(0) if len(self._idle) == self.MOST else Saved(False)

    def give_back(self, saved):
        """Let others have it."""
        with self._lock:
            if len(self._idle) == self.MOST:
                self._idle.pop(0)
            self._idle.append(saved)
