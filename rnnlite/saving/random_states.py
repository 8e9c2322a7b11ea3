"""Where the random generators of a model stand: a run that goes on draws the next masks.

    [{"generator": {"bit_generator": "PCG64", ...}, "crc": 3735928559}, ...]

A weight that was changed shows in what the model answers.  A state that was changed shows nowhere,
and one is as good as another: so each has a checksum of its own, for whoever edits a header and
makes the file's SHA-256 anew.  Files of before have none, and are read.
"""

import json
import reprlib
import zlib

from rnnlite.layers.random_layer import RandomLayer


def random_states(model):
    """The ``state_dict`` of every layer that draws dropout masks, in the order of ``walk``."""
    states = [layer.state_dict() for layer in _random_layers(model)]
    return [state | {"crc": _crc(state)} for state in states]


def checked_states(model, states):
    """Pairs of such a layer and its state, which it can load; ValueError if there are others."""
    found = _random_layers(model)
    if not isinstance(states, list) or len(states) != len(found):
        wanted = f"a list of {len(found)}, one for each layer with random numbers"
        raise ValueError(f"random_states is {reprlib.repr(states):.200}; wanted {wanted}")
    pairs = []
    for position, (layer, sealed) in enumerate(zip(found, states, strict=True)):
        is_dict = isinstance(sealed, dict)
        state = {k: v for k, v in sealed.items() if k != "crc"} if is_dict else sealed
        trial = object.__new__(type(layer))  # a generator is all that load_state_dict needs
        try:
            trial.load_state_dict(state)
        except (TypeError, ValueError) as error:
            raise ValueError(f"random_states[{position}]: {error}") from None
        if sealed.get("crc", _crc(state)) != _crc(state):
            problem = f"crc is {reprlib.repr(sealed['crc'])}; its state has {_crc(state)}"
            raise ValueError(f"random_states[{position}] was changed: {problem}")
        pairs.append((layer, state))
    return pairs


def _crc(state):
    return zlib.crc32(json.dumps(state, sort_keys=True).encode())


def _random_layers(model):
    return [layer for _, layer in model.walk() if isinstance(layer, RandomLayer)]
