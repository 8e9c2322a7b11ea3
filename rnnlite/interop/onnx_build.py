"""A model as the graph of an ONNX file: its inputs and outputs, and what is between."""

import itertools
from typing import NamedTuple

import numpy as np

from rnnlite.interop.onnx_graph import Graph
from rnnlite.interop.onnx_layers import Flow, write_layer
from rnnlite.interop.onnx_lengths import Lengths
from rnnlite.layers import Embedding, Flatten

BATCH, TIME = "batch", "time"


class Options(NamedTuple):
    """What ``export_onnx`` was asked for, and what a file says of that."""

    lengths: bool
    states: bool
    softmax: bool
    opset: int
    names: dict
    time: bool
    form: str


class Export:
    """One export: the graph, its inputs and outputs under the names that were chosen."""

    def __init__(self, onnx, model, options):
        self.onnx, self.model, self.options = onnx, model, options
        self.form, self.states, self.names = options.form, options.states, options.names
        self.graph, self.used = Graph(onnx, model.dtype, options.opset, self.names.values()), []
        self.inputs, self.outputs, self._zeros, self._mirror = [], [], {}, None
        indices = model.takes_indices
        shape = [BATCH] + [steps_of(model) or TIME] * options.time
        if not indices:
            shape.append(features_of(model) or "features")
        kind = onnx.TensorProto.INT64 if indices else self.graph.number_type()
        self.x = Flow(self._io(self.inputs, "x", kind, shape), len(shape))
        self.lengths = None
        if options.lengths and options.time:
            name = self._io(self.inputs, "lengths", onnx.TensorProto.INT64, [BATCH])
            self.lengths = Lengths(self.graph, name, self.x.name)

    def write(self):
        """Nodes of the whole model; the graph as a message."""
        flow = write_layer(self, "", self.model, self.x)
        if self.options.softmax:
            y = self.graph.add("Softmax", flow.name, axis=-1)
            flow = flow._replace(name=y, zero_behind=False)
        y = self.without_padding(flow)
        N = self.model.output_features(features_of(self.model))
        shape = [BATCH, *[TIME] * (flow.rank - 2), N or "features"]
        first = len(self.outputs)
        name = self._io(self.outputs, "y", self.graph.number_type(), shape)
        self.outputs.insert(0, self.outputs.pop(first))  # before the states
        self.graph.name_result(y, name)
        self._check_names()
        return self.onnx.helper.make_graph(
            self.graph.nodes, "rnnlite", self.inputs, self.outputs, self.graph.initializers()
        )

    def without_padding(self, flow):
        """The name of what flows, with zeros past the lengths."""
        if self.lengths is None or flow.rank < 3 or flow.zero_behind:
            return flow.name
        return self.graph.add("Where", self.lengths.valid_features, flow.name, 0.0)

    def zeros(self, H):
        """States (B, H) that are zero."""
        if H not in self._zeros:
            graph, own = self.graph, self.graph.key
            graph.key = "zeros"
            shape = graph.add("Shape", self.x.name)
            batch = graph.add("Slice", shape, *(np.array([n]) for n in (0, 1, 0)))
            shape = graph.add("Concat", batch, np.array([H]), axis=0)
            self._zeros[H] = graph.add("Expand", 0.0, shape)
            graph.key = own
        return self._zeros[H]

    def reversed(self, value):
        """A value (B, T, N) with the valid steps of each row from the last to the first."""
        if self.lengths is not None:
            return self.graph.add("GatherND", value, self.lengths.mirror, batch_dims=1)
        if self._mirror is None:
            graph, own, one = self.graph, self.graph.key, np.array(1)
            graph.key = "mirror"
            T = graph.add("Gather", graph.add("Shape", self.x.name), one)
            steps = graph.add("Range", np.array(0), T, one)
            self._mirror = graph.add("Sub", graph.add("Sub", T, one), steps)
            graph.key = own
        return self.graph.add("Gather", value, self._mirror, axis=1)

    def state_input(self, key, name, layer):
        """The input for an initial state, or None if states are left out."""
        if not self.states:
            return None
        name = f"{key}.{name}0" if key else f"{name}0"
        return self._io(self.inputs, name, self.graph.number_type(), [BATCH, layer.hidden_size])

    def state_output(self, key, name, layer, value):
        """The output for a final state."""
        name, shape = f"{key}.{name}T" if key else f"{name}T", [BATCH, layer.hidden_size]
        name = self._io(self.outputs, name, self.graph.number_type(), shape)
        self.graph.name_result(value, name)

    def _io(self, where, name, kind, shape):
        self.used.append(name)
        name = self.names.get(name, name)
        where.append(self.onnx.helper.make_tensor_value_info(name, kind, shape))
        self.graph._taken.add(name)
        return name

    def _check_names(self):
        if unknown := [name for name in self.names if name not in self.used]:
            known = ", ".join(self.used)
            raise ValueError(f"export_onnx: names has {unknown[0]!r}; this graph has {known}")
        given = [self.names.get(name, name) for name in self.used]
        if twice := [name for name in given if given.count(name) > 1]:
            raise ValueError(f"export_onnx: names makes two of the name {twice[0]!r}")


def features_of(model):
    """Features of x: those of the first layer that wants a number of them."""
    for layer in _in_a_row(model):
        if type(layer) in (Embedding, Flatten):
            return None
        if layer.input_features is not None:
            return layer.input_features
    return None


def steps_of(model):
    """Steps of x, where a layer after a Flatten has weights for each of them; else None."""
    features, row = features_of(model), [*_in_a_row(model)]
    for layer, following in itertools.pairwise(row):
        if type(layer) is Flatten and features and following.input_features:
            return following.input_features // features
        features = layer.output_features(features)
    return None


def _in_a_row(layer):
    """The layers that a model runs one after the other."""
    if not layer.only_passes_on:
        yield layer
    for inner in layer.layers if layer.only_passes_on else ():
        yield from _in_a_row(inner)
