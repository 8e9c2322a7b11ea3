"""What a run of a layer owns: what forward saves for backward, and arrays to be used again."""

import numpy as np


class Saved:
    """What one run of a layer saves for its backward pass, and arrays that the next run may use.

    ``forward_pass`` sets any attribute it likes, and ``backward_pass`` finds it.  It may read
    ``for_backward``, False in inference, where nothing needs to be saved; ``training``, whether
    dropout is drawn and results use the memory of the last ones again; and the checked
    ``lengths``, int64 (B,) or None.  ``backward_pass`` may read ``need_dx``, whether to compute
    the gradient by x; ``input_shape``; and ``output_shape``, which is dy's.
    """

    def __init__(self, for_backward):
        self.for_backward = for_backward
        self.training = self.need_dx = False
        self.lengths = self.input_shape = self.output_shape = None
        self._results, self._inside = {}, {}

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
        saved = self._inside.pop(layer._pool, None) or Saved(False)
        try:
            return layer._run("", saved, x, lengths, False, states)
        finally:
            self._inside[layer._pool] = saved

    def apart(self, y):
        """y, or a copy of it if it is memory that this run has saved, which the caller may change.

        Nor may the next run write into it; while training that is how it should be.
        """
        if not self.training:
            for array in vars(self).values():
                if isinstance(array, np.ndarray) and np.may_share_memory(y, array):
                    return y.copy()
        return y

    def without_padding(self, array):
        """x or an output (B, T, ...), copied with zeros past each row's length if there are any."""
        has_time = array.shape[:2] == self.input_shape[:2] and array.ndim > 2
        if self.lengths is None or not (has_time or array.shape == self.input_shape):
            return array
        array = array.copy()
        array[np.arange(array.shape[1]) >= self.lengths[:, None]] = 0.0
        return array


class Pool:
    """Memory of inference runs that are over, for those to come; any number of threads.

    Eight threads that send inputs of eight shapes soon find what they need: nothing is allocated.
    """

    MOST = 32  # idle ones; beyond that the one that waited longest is given up

    def __init__(self):
        self._idle = []

    def take(self, shape):
        """A ``Saved`` that nobody uses: the last one of this shape, or of as many rows, or new."""
        others = []
        try:
            while (found := self._idle.pop()).input_shape != shape:  # one step: it is ours alone
                others.append(found)
        except IndexError:
            found = next((saved for saved in others if _same_rows(saved.input_shape, shape)), None)
            if found is None:
                found = Saved(False)
            else:
                others.remove(found)
        self._idle.extend(reversed(others))
        return found

    def give_back(self, saved):
        """Let others have it."""
        self._idle.append(saved)
        if len(self._idle) > self.MOST:
            del self._idle[: -self.MOST]


def _same_rows(shape, other):
    return shape and other and shape[0] == other[0]
