"""Each layer of the library as nodes of an ONNX graph.

A layer is known by its class: one that was derived from it may compute something else.
"""

import math
from typing import NamedTuple

import numpy as np

from rnnlite import layers
from rnnlite.interop.onnx_recurrent import write_recurrent


class Flow(NamedTuple):
    """What goes from one layer to the next."""

    name: str  # of the value
    rank: int  # 3: (B, T, N).  2: (B, N), or indices (B, T).  1: indices (B,)
    zero_behind: bool = True  # whether what is past the lengths stays as the layer before left it


def write_layer(context, key, layer, flow):
    """Nodes of a layer, or of all layers inside; what flows out of it."""
    writer = WRITERS.get(type(layer))
    if writer is None:
        raise TypeError(f"export_onnx: {_place(key, layer)}: {_why_not(layer)}")
    if flow.rank not in RANKS.get(type(layer), (2, 3)):
        wanted = "(batch, time, features)" if 3 in RANKS[type(layer)] else "indices"
        came = "rows (batch, features)" if flow.rank < 3 else "(batch, time, features)"
        raise ValueError(f"export_onnx: {_place(key, layer)} gets {came}; wanted {wanted}")
    outside, context.graph.key = context.graph.key, key
    try:
        return writer(context, key, layer, flow)
    finally:
        context.graph.key = outside


def _place(key, layer):
    return f"layer {key}, {layer!r}" if key else f"{layer!r}"


def _why_not(layer):
    usual = "no node stands for a layer of your own; export the layers around it"
    return WHY_NOT.get(type(layer), usual)


def _sequential(context, key, layer, flow):
    for name, inner in zip(layer._layers, layer.layers, strict=True):
        flow = write_layer(context, f"{key}.{name}" if key else name, inner, flow)
    return flow


def _recurrent(context, key, layer, flow):
    return _directions(context, [key], [layer], flow, None)


def _bidirectional(context, key, layer, flow):
    keys = [f"{key}.{name}" if key else name for name in ("forward", "backward")]
    for inner_key, inner in zip(keys, layer.layers, strict=True):
        if type(inner) not in RECURRENT:
            raise TypeError(f"export_onnx: {_place(inner_key, inner)}: {_why_not(inner)}")
    return _directions(context, keys, layer.layers, flow, layer.merge)


def _directions(context, keys, inner, flow, merge):
    states = [
        [context.state_input(key, name, layer) for name in layer.cell.states]
        for key, layer in zip(keys, inner, strict=True)
    ]
    sequences = inner[0].return_sequences
    y, last = write_recurrent(context, keys, inner, flow.name, states, sequences, merge)
    for key, layer, finals in zip(keys, inner, last, strict=True) if context.states else ():
        for name, value in zip(layer.cell.states, finals, strict=True):
            context.state_output(key, name, layer, value)
    return Flow(y, 3 if sequences else 2, False)


def _dense(context, key, layer, flow):
    graph, (W, b) = context.graph, (layer.params[name] for name in ("W", "b"))
    product = graph.add("MatMul", flow.name, graph.weights("W", W))
    y = graph.add("Add", product, graph.weights("b", b))
    if layer.activation is not None:
        y = FUNCTIONS[layer.activation](graph, y)
    return Flow(y, flow.rank, False)


def _activation(context, key, layer, flow):
    return Flow(FUNCTIONS[layer.function](context.graph, flow.name), flow.rank, False)


def _embedding(context, key, layer, flow):
    graph, x, rank = context.graph, flow.name, flow.rank
    if rank == 2 and context.lengths:  # what stands in the padding may be no row of the table
        x = graph.add("Where", context.lengths.valid, x, np.array(0))
    y = graph.add("Gather", graph.weights("W", layer.params["W"]), x, axis=0)
    return Flow(y, rank + 1, False)


def _layer_norm(context, key, layer, flow):
    graph, x = context.graph, flow.name
    gain, b = (graph.weights(name, layer.params[name]) for name in ("gain", "b"))
    if graph.opset >= 17:
        y = graph.add("LayerNormalization", x, gain, b, axis=-1, epsilon=layer.eps)
        return Flow(y, flow.rank, False)
    centred = graph.add("Sub", x, graph.reduce("ReduceMean", x, -1))
    variance = graph.reduce("ReduceMean", graph.add("Mul", centred, centred), -1)
    deviation = graph.add("Sqrt", graph.add("Add", variance, layer.eps))
    n = graph.add("Div", centred, deviation)
    return Flow(graph.add("Add", graph.add("Mul", n, gain), b), flow.rank, False)


def _dropout(context, key, layer, flow):
    return flow


def _flatten(context, key, layer, flow):
    if flow.rank == 2:
        return flow
    x = context.without_padding(flow._replace(zero_behind=False))
    return Flow(context.graph.add("Reshape", x, np.array([0, -1])), 2)


# ONNX Runtime has Erf and Softplus in float32 only, tract Sigmoid.


def _sigmoid(graph, x):  # σ(x) = (1 + tanh(x/2)) / 2
    if graph.dtype == np.float32:
        return graph.add("Sigmoid", x)
    t = graph.add("Tanh", graph.add("Mul", x, 0.5))
    return graph.add("Mul", graph.add("Add", t, 1.0), 0.5)


def _gelu(graph, x):  # x Φ(x) = x (1 + erf(x / sqrt(2))) / 2
    inner = graph.add("Mul", x, math.sqrt(0.5))
    if graph.dtype == np.float64:
        inner = graph.add("Erf", graph.add("Cast", inner, to=graph.onnx.TensorProto.FLOAT))
        inner = graph.add("Cast", inner, to=graph.onnx.TensorProto.DOUBLE)
    else:
        inner = graph.add("Erf", inner)
    return graph.add("Mul", graph.add("Mul", x, 0.5), graph.add("Add", inner, 1.0))


def _softplus(graph, x):  # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
    if graph.dtype == np.float32:
        return graph.add("Softplus", x)
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    return graph.add("Add", graph.add("Relu", x), graph.add("Log", graph.add("Add", small, 1.0)))


FUNCTIONS = {
    "tanh": lambda graph, x: graph.add("Tanh", x),
    "relu": lambda graph, x: graph.add("Relu", x),
    "sigmoid": _sigmoid,
    "gelu": _gelu,
    "silu": lambda graph, x: graph.add("Mul", x, _sigmoid(graph, x)),
    "softplus": _softplus,
}
WHY_NOT = {
    layers.Group: "a loop of your own runs it, which no file holds; export each of its parts",
}
RECURRENT = (layers.Recurrent, layers.LSTM, layers.GRU, layers.RNN)
WRITERS = {
    layers.Sequential: _sequential, layers.Bidirectional: _bidirectional,
    **dict.fromkeys(RECURRENT, _recurrent),
    layers.Dense: _dense, layers.Activation: _activation, layers.Embedding: _embedding,
    layers.LayerNorm: _layer_norm, layers.Dropout: _dropout, layers.Flatten: _flatten,
}  # fmt: skip
RANKS = dict.fromkeys((*RECURRENT, layers.Bidirectional), (3,)) | {
    layers.Embedding: (1, 2), layers.Sequential: (1, 2, 3), layers.Dropout: (1, 2, 3),
}  # fmt: skip
