"""Where the random generators of a model stand: a run that goes on draws the next masks."""

import reprlib

from rnnlite.layers.random_layer import RandomLayer


def random_states(model):
    """The state of every random generator in a model: of dropout masks.

    Parameters
    ----------
    model : Layer

    Returns
    -------
    list of dict
        The ``state_dict`` of each layer that has one, first to last,
        forward direction before backward; JSON can hold it.

    Examples
    --------
    >>> from rnnlite.layers import Dense, Dropout, Sequential
    >>> model = Sequential([Dropout(0.5), Dense(3, 2)])
    >>> [list(state) for state in random_states(model)]
    [['generator']]
    """
    return [layer.state_dict() for layer in _random_layers(model)]


def checked_states(model, states):
    """Each layer with random numbers, and its state, which it can load.

    Parameters
    ----------
    model : Layer
    states : list of dict

    Returns
    -------
    list of tuple
        Pairs of a layer and a dict.

    Raises
    ------
    ValueError
        If they are not those of such a model.
    """
    found = list(_random_layers(model))
    if not isinstance(states, list) or len(states) != len(found):
        raise ValueError(
            f"random_states is {reprlib.repr(states)}; wanted a list of {len(found)}, "
            "one for each layer with random numbers"
        )
    for position, (layer, state) in enumerate(zip(found, states, strict=True)):
        trial = object.__new__(type(layer))  # a generator is all that load_state_dict needs
        try:
            trial.load_state_dict(state)
        except (TypeError, ValueError) as error:
            raise ValueError(f"random_states[{position}]: {error}") from None
    return list(zip(found, states, strict=True))


def _random_layers(model):
    if isinstance(model, RandomLayer):
        yield model
    for layer in getattr(model, "layers", ()):
        yield from _random_layers(layer)
