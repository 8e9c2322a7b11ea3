"""Where the random generators of a model stand: a run that goes on draws the next masks."""

import reprlib

from rnnlite.layers.random_layer import RandomLayer


def random_states(model):
    """The ``state_dict`` of every layer that draws dropout masks, in the order of ``walk``."""
    return [layer.state_dict() for layer in _random_layers(model)]


def checked_states(model, states):
    """Pairs of such a layer and its state, which it can load; ValueError if there are others."""
    found = _random_layers(model)
    if not isinstance(states, list) or len(states) != len(found):
        wanted = f"a list of {len(found)}, one for each layer with random numbers"
        raise ValueError(f"random_states is {reprlib.repr(states)}; wanted {wanted}")
    for position, (layer, state) in enumerate(zip(found, states, strict=True)):
        trial = object.__new__(type(layer))  # a generator is all that load_state_dict needs
        try:
            trial.load_state_dict(state)
        except (TypeError, ValueError) as error:
            raise ValueError(f"random_states[{position}]: {error}") from None
    return list(zip(found, states, strict=True))


def _random_layers(model):
    return [layer for _, layer in model.walk() if isinstance(layer, RandomLayer)]
