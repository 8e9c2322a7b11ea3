"""A model as data that a page can run: its layers in order, and its weights as text."""

import base64

import numpy as np

from rnnlite import cells
from rnnlite.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Recurrent,
)
from rnnlite.saving import architecture


class CannotRun(Exception):
    """A layer that the page has no code for; the message says which."""


def packed(array):
    """An array as data of JSON: its shape, and its numbers as float32 in base64."""
    array = np.asarray(array)
    numbers = np.ascontiguousarray(array, "<f4").tobytes()
    return {"shape": list(array.shape), "data": base64.b64encode(numbers).decode("ascii")}


def leaves(model):
    """Pairs of key and layer in the order in which they compute; containers are walked through."""
    keys = {id(layer): key for key, layer in model.walk()}

    def within(layer):
        if layer.only_passes_on and not architecture.is_own(type(layer)):
            return [pair for part in layer.layers for pair in within(part)]
        return [(keys[id(layer)], layer)]

    return within(model)


def weights(model):
    """The parameters of every layer by key and name, packed."""
    return {
        key: {name: packed(array) for name, array in layer.params.items()}
        for key, layer in model.walk()
        if not layer.layers and layer.params
    }


def network(model):
    """The layers as the page runs them, one dict each; ``CannotRun`` where it cannot."""
    described = []
    for key, layer in leaves(model):
        if type(layer) not in KINDS:
            raise CannotRun(f"{layer!r} is a layer that is none of rnnlite's")
        described.append({"key": key, "title": repr(layer), **KINDS[type(layer)](key, layer)})
    return described


def _recurrent(key, layer):
    found = {
        "kind": "recurrent", "hidden": layer.hidden_size, "every": layer.return_sequences,
        "backwards": layer.go_backwards,
    }  # fmt: skip
    if type(layer) is LSTM:
        return found | {"cell": "LSTM", "clip": layer.clip}
    for cell, options in CELLS:
        if layer.cell == cell:  # a copy has an equal one
            return found | options
    raise CannotRun(f"{layer!r} has a cell that is none of rnnlite's")


def _both(key, layer):
    parts = [
        {"key": f"{key}.{name}".lstrip("."), "title": repr(part), **_recurrent(key, part)}
        for name, part in zip(("forward", "backward"), layer.layers, strict=True)
    ]
    return {"kind": "both", "merge": layer.merge, "parts": parts}


CELLS = [
    (cells.LSTM, {"cell": "LSTM", "clip": None}),
    (cells.GRU, {"cell": "GRU", "resetAfter": True}),
    (cells.GRU_2014, {"cell": "GRU", "resetAfter": False}),
    (cells.RNN["tanh"], {"cell": "RNN", "activation": "tanh"}),
    (cells.RNN["relu"], {"cell": "RNN", "activation": "relu"}),
]
# By class itself, not by isinstance: a class of one's own may compute something else.
KINDS = {
    **dict.fromkeys((LSTM, GRU, RNN, Recurrent), _recurrent),
    Bidirectional: _both,
    Dense: lambda key, layer: {"kind": "dense", "function": layer.activation},
    Embedding: lambda key, layer: {"kind": "embedding", "dim": layer.dim},
    LayerNorm: lambda key, layer: {"kind": "layerNorm", "eps": layer.eps},
    Activation: lambda key, layer: {"kind": "activation", "function": layer.function},
    Flatten: lambda key, layer: {"kind": "flatten"},
    Dropout: lambda key, layer: {"kind": "passes_on"},
}
