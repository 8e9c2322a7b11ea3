"""Layers that draw random masks while training: one seeded stream each."""

import json
import math

import numpy as np

from rnnlite.layers.layer import Layer


class RowDraws:
    """Random numbers for some rows of a batch: those that the whole batch would draw for them.

    Each call draws from a stretch of its own of the generator's sequence, 2^64 numbers long, and
    begins there where the rows before ``first`` end.
    """

    def __init__(self, key):
        self._bits = np.random.PCG64(np.random.SeedSequence(key))
        self._generator, self._start = np.random.Generator(self._bits), self._bits.state
        self.begin(0)

    def begin(self, first):
        """The next forward is of the rows from ``first`` on."""
        self._first, self._calls = first, 0

    def random(self, size=None, dtype=np.float64, out=None):
        """Numbers (rows, ...) in [0, 1), as those of ``numpy.random.Generator.random``."""
        shape = size if out is None else out.shape
        before = self._first * math.prod(shape[1:])
        # The generator makes 64 bits at a time: two numbers of float32.
        whole, half = divmod(before, 8 // np.dtype(dtype).itemsize)
        self._bits.state = self._start
        self._bits.advance((self._calls << 64) + whole)
        if half:
            self._generator.random(dtype=dtype)
        self._calls += 1
        return self._generator.random(size, dtype, out)


class RandomLayer(Layer):
    """Base of the layers with a random generator of their own."""

    _by_rows = None  # what draws instead, in a batch that is computed in parts

    def draw_masks_from(self, seed):
        """Begin a new stream of masks."""
        self._rng = np.random.Generator(np.random.PCG64(seed))

    @property
    def generator(self):
        """What masks are drawn by: ``random(shape, dtype, out)``, for the rows of the input."""
        return self._rng if self._by_rows is None else self._by_rows

    def draw_by_rows(self, step):
        """Draw by (the state of the generator, which stays, ``step``, the row); a ``RowDraws``."""
        state = self._rng.bit_generator.state["state"]
        self._by_rows = RowDraws((state["state"], state["inc"], step))
        return self._by_rows

    def draw_on(self):
        """Draw one mask after the other again."""
        self._by_rows = None

    def state_dict(self):
        """All that the next masks depend on, as JSON can hold it; see ``load_state_dict``."""
        return {"generator": self._rng.bit_generator.state}

    def load_state_dict(self, state):
        """Go on from a dict as in ``state_dict``; anything else is refused and changes nothing."""
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise TypeError(f"{where}: state is of type {type(state).__name__}; it must be a dict")
        if set(state) != {"generator"}:
            keys = sorted(state, key=str)
            raise ValueError(f"{where}: state has the keys {keys}; wanted ['generator']")
        generator = np.random.PCG64(0)
        try:
            generator.state = state["generator"]
            held = generator.state
            texts = [json.dumps(each, sort_keys=True) for each in (held, state["generator"])]
            # NumPy takes 0.5 for 0 and True for 1, and increments that no seed gives.
            if texts[0] != texts[1] or held["state"]["inc"] % 2 == 0 or held["has_uint32"] > 1:
                raise ValueError("no generator stands there")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            problem = f"state['generator'] is not what state_dict returns: {error!r}"
            raise ValueError(f"{where}: {problem}") from error
        self._rng = np.random.Generator(generator)
