"""One run of a layer, forward and backward: what it was given and what it answered."""

from typing import NamedTuple

import numpy as np

from rnnlite.layers import Dense, Embedding, Recurrent, states


class Run(NamedTuple):
    """What a layer, or an object of one's own, was given and what it answered."""

    layer: object
    params: dict  # copies
    x: np.ndarray
    lengths: np.ndarray | None
    states: tuple  # initial ones; () if it has none
    y: np.ndarray
    dy: np.ndarray
    dfinal: tuple  # gradients by the final states; () if there are none
    found: dict  # gradients by name: the parameters', "x", "h0", "c0"
    final: tuple = ()  # final states, if they are known


def recorded(subject):
    """A run of every part that could make a mistake of its own, with its key in the model."""
    if not subject.is_layer:
        return [("", _of_own(subject))]
    parts = {
        key: part
        for key, part in subject.layer.walk()
        if isinstance(part, (Recurrent, Dense, Embedding))
    }
    calls = {key: _watched(part) for key, part in parts.items()}
    try:
        subject.gradients()
    finally:
        for part in parts.values():
            del vars(part)["forward"], vars(part)["backward"]
    runs = [(key, _of_part(part, calls[key])) for key, part in parts.items() if "dx" in calls[key]]
    final = subject.final_states()
    return [(key, run._replace(final=final) if key == "" else run) for key, run in runs]


def _watched(part):
    """A dict that the next forward and backward of a layer fill."""
    call, forward, backward = {}, part.forward, part.backward

    def watched_forward(x, *rest, **named):
        call.update(x=np.array(x), initial=named.get("initial_state"), lengths=named.get("lengths"))
        y = forward(x, *rest, **named)
        call["y"] = np.array(y)
        return y

    def watched_backward(dy, *rest, **named):
        call.update(dy=np.array(dy), dfinal=named.get("dfinal_state"))
        dx = backward(dy, *rest, **named)
        call["dx"] = None if dx is None else np.array(dx)
        return dx

    vars(part).update(forward=watched_forward, backward=watched_backward)
    return call


def _copies(arrays):
    return {name: np.array(array) for name, array in arrays.items()}


def _of_part(part, call):
    found, initial, dfinal = _copies(part.grads), (), ()
    if call["dx"] is not None:
        found["x"] = call["dx"]
    if isinstance(part, Recurrent):
        names, zeros = part.cell.states, np.zeros((len(call["x"]), part.hidden_size))
        initial = states.split("check", "initial_state", call["initial"], names)
        if initial[0] is not None:
            dinitial = states.split("check", "dinitial_state", part.dinitial_state, names)
            found |= {f"{n}0": np.array(d) for n, d in zip(names, dinitial, strict=True)}
        initial = tuple(zeros if state is None else np.array(state) for state in initial)
        dfinal = states.split("check", "dfinal_state", call["dfinal"], names)
        dfinal = tuple(zeros if state is None else np.array(state) for state in dfinal)
    lengths = None if call["lengths"] is None else np.asarray(call["lengths"])
    return Run(
        part,
        _copies(part.params),
        call["x"],
        lengths,
        initial,
        call["y"],
        call["dy"],
        dfinal,
        found,
    )


def _of_own(subject):
    y, own = np.array(subject.layer.forward(subject.x, **subject.keywords)), subject.layer
    found = {name: np.array(array) for name, array in subject.gradients().items()}
    lengths = subject.keywords.get("lengths")
    lengths = None if lengths is None else np.asarray(lengths)
    dy = np.array(subject.dy_of(y))
    return Run(own, _copies(own.params), np.array(subject.x), lengths, (), y, dy, (), found)
