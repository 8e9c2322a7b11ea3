"""Layers that draw random masks while training: one seeded stream each."""

import json

import numpy as np

from rnnlite.layers.layer import Layer


class RandomLayer(Layer):
    """Base of the layers with a random generator of their own."""

    def draw_masks_from(self, seed):
        """Begin a new stream of masks."""
        self._rng = np.random.Generator(np.random.PCG64(seed))

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
