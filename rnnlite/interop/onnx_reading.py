"""An ONNX graph as layers: walked node by node, with what is known of every value.

A value is a constant (an array), an input of the graph (``Input``), what flows from x to y
(``Flow``: the layers so far and what its axes are), or a last state that nothing follows.
"""

from typing import NamedTuple

import numpy as np

from rnnlite import layers
from rnnlite.interop.onnx_nodes import RecurrentNode


class Input(NamedTuple):
    """An input of the graph that no layer has taken yet."""

    name: str
    kind: str  # "float" or "int"


class Flow(NamedTuple):
    """What flows: what makes the ``layers`` before it, and its axes.

    Axes are letters: B rows, T time, D directions, N features; None while x is what came in.
    """

    layers: tuple
    axes: str | None

    def then(self, layer):
        """What flows behind one more layer."""
        return self._replace(layers=(*self.layers, layer))


class OneDirection(NamedTuple):
    """The last states of one direction of two."""

    of: Flow
    number: int


class State(NamedTuple):
    """A last state beside Y; the model answers it to ``return_state=True``."""

    name: str


class Reading:
    """One graph that is read."""

    def __init__(self, onnx, graph, arrays):
        self.onnx, self.graph, self.arrays, self.values = onnx, graph, arrays, {"": None}
        for entry in graph.input:
            kind = onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type).kind
            self.values[entry.name] = Input(entry.name, "int" if kind in "iu" else "float")
        self.values |= arrays  # weights may stand among the inputs as well
        self.used = {name for node in graph.node for name in node.input}
        self.used |= {entry.name for entry in graph.output}
        self.at_the_end = False  # whether a softmax has been seen

    def model(self):
        """The model; ValueError names the first node that is no part of one."""
        for node in self.graph.node:
            reader = READERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
            where = f"node {node.name or node.output[0]!r}, {node.op_type}"
            if reader is None:
                raise ValueError(f"{where}: no layer of rnnlite does that")
            try:
                attributes = {
                    a.name: self.onnx.helper.get_attribute_value(a) for a in node.attribute
                }
                inputs = [self.values[name] for name in node.input]
                if self.at_the_end and node.op_type != "Identity":
                    raise ValueError("it comes after a Softmax; wanted that at the end")
                results = reader(self, node, inputs, attributes)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
            results = results if isinstance(results, list) else [results]
            self.values |= {
                name: value for name, value in zip(node.output, results, strict=False) if name
            }
        found = [self.values[entry.name] for entry in self.graph.output]
        flows = [value for value in found if isinstance(value, Flow)]
        if len(flows) != 1 or not all(isinstance(value, (Flow, State)) for value in found):
            names = ", ".join(entry.name for entry in self.graph.output)
            raise ValueError(f"its outputs are {names}; wanted one that layers make, and states")
        made = [make() for make in flows[0].layers]
        return made[0] if len(made) == 1 else layers.Sequential(made)

    def flow(self, value):
        """A value as what flows: x itself, at first."""
        if isinstance(value, Input) and value.kind == "float":
            return Flow((), None)
        if not isinstance(value, Flow):
            raise ValueError(f"it takes {_said(value)}; wanted what comes from x")
        return value

    def numbers(self, value, what, axes=None):
        """A value as a constant array."""
        if not isinstance(value, np.ndarray):
            raise ValueError(f"{what} is {_said(value)}; wanted numbers in the file")
        if axes is not None and value.ndim != axes:
            raise ValueError(f"{what} has shape {value.shape}; wanted {axes} axes")
        return value


def _said(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, Input):
        return f"the input {value.name!r}"
    if isinstance(value, State):
        return f"{value.name}, a last state beside Y"
    return "left out" if value is None else "what comes from x"


def _only(attributes, **allowed):
    """Refuse attributes but those allowed, whose value is given; ... for any value."""
    for name, value in attributes.items():
        if name not in allowed or (allowed[name] is not ... and value != allowed[name]):
            raise ValueError(f"it has the attribute {name} = {value!r:.80}, which no layer has")


def _recurrent(reading, node, inputs, attributes):
    flow = reading.flow(inputs[0])
    before = "BTN" if attributes.get("layout") else "TBN"
    if flow.axes not in (None, before):
        raise ValueError(f"X has the axes {flow.axes}; wanted {before} (T time, B rows)")
    lengths = inputs[4] if len(inputs) > 4 else None
    if lengths is not None and not (isinstance(lengths, Input) and lengths.kind == "int"):
        raise ValueError(f"sequence_lens is {_said(lengths)}; wanted an input of the graph")
    for name, state in zip(("initial_h", "initial_c"), inputs[5:7], strict=False):
        is_input = isinstance(state, Input) and state.kind == "float"
        is_zero = isinstance(state, np.ndarray) and not state.any()
        if not (state is None or is_input or is_zero):
            raise ValueError(f"{name} is {_said(state)}; wanted an input of the graph, or zeros")
    weights = {"W": inputs[1], "R": inputs[2]}
    weights |= {name: inputs[k] for name, k in (("B", 3), ("P", 7)) if len(inputs) > k}
    weights = {
        name: reading.numbers(value, name) for name, value in weights.items() if value is not None
    }
    sequences = node.output[0] in reading.used
    made = flow.then(RecurrentNode(node.op_type, weights, attributes, sequences))
    if sequences:
        return [
            made._replace(axes="BTDN" if before == "BTN" else "TDBN"),
            State("Y_h"),
            State("Y_c"),
        ]
    return [None, made._replace(axes="BDN" if before == "BTN" else "DBN"), State("Y_c")]


def _transpose(reading, node, inputs, attributes):
    flow, perm = reading.flow(inputs[0]), list(attributes.get("perm", ()))
    if flow.axes is None:
        if perm not in ([1, 0, 2], [0, 1, 2]):
            raise ValueError(f"it puts the axes of x in the order {perm}; wanted [1, 0, 2]")
        return flow
    if sorted(perm) != list(range(len(flow.axes))):
        raise ValueError(f"perm is {perm}; wanted an order of the axes {flow.axes}")
    return flow._replace(axes="".join(flow.axes[k] for k in perm))


def _squeeze(reading, node, inputs, attributes):
    flow = reading.flow(inputs[0])
    axes = attributes.get("axes") or (inputs[1] if len(inputs) > 1 else None)
    place = _single(axes)
    if place is None or _letter(flow, place) != "D" or len(flow.layers[-1].backwards) > 1:
        raise ValueError(f"it takes the axis {axes} away; wanted that of a single direction")
    return flow._replace(axes=flow.axes.replace("D", ""))


def _reshape(reading, node, inputs, attributes):
    flow, shape = reading.flow(inputs[0]), reading.numbers(inputs[1], "shape", 1).tolist()
    rank = len(flow.axes or "")
    if not (flow.axes or "").endswith("DN") or shape != [0] * (rank - 2) + [-1]:
        raise ValueError(f"its shape is {shape}; wanted the directions side by side, [0, 0, -1]")
    return flow._replace(axes=flow.axes.replace("D", ""))


def _sum(reading, node, inputs, attributes):
    flow = reading.flow(inputs[0])
    axes = attributes.get("axes") or (inputs[1] if len(inputs) > 1 else None)
    place = _single(axes)
    if place is None or _letter(flow, place) != "D" or attributes.get("keepdims", 1):
        raise ValueError(f"it sums over the axis {axes}; wanted that of the directions")
    flow.layers[-1].merge = "sum"
    return flow._replace(axes=flow.axes.replace("D", ""))


def _single(axes):
    """The one number in a list or an array, or None."""
    found = np.asarray([] if axes is None or isinstance(axes, tuple) else axes).reshape(-1)
    return int(found[0]) if found.size == 1 else None


def _letter(flow, place):
    axes = flow.axes or ""
    return axes[place] if -len(axes) <= place < len(axes) else None


class _Dense:
    """x W, and then + b."""

    def __init__(self, W, b=None):
        if W.dtype not in (np.float32, np.float64):
            raise ValueError(f"its weights hold {W.dtype}; wanted float32 or float64")
        self.W, self.b = W, b

    def __call__(self):
        """The layer, with its weights."""
        layer = layers.Dense(*self.W.shape, seed=0, dtype=self.W.dtype.name)
        layer.params["W"] = self.W
        if self.b is not None:
            layer.params["b"] = self.b
        return layer


def _features_last(reading, value):
    flow = reading.flow(value)
    if flow.axes is not None and ("D" in flow.axes or not flow.axes.endswith("N")):
        raise ValueError(f"it works on the last of the axes {flow.axes}; wanted features, N, there")
    return flow


def _matmul(reading, node, inputs, attributes):
    return _features_last(reading, inputs[0]).then(_Dense(reading.numbers(inputs[1], "B", 2)))


def _add(reading, node, inputs, attributes):
    if flow := _both(inputs):
        flow.layers[-1].merge = "sum"
        return flow
    value, b = inputs[::-1] if isinstance(inputs[0], np.ndarray) else inputs
    flow, b = reading.flow(value), reading.numbers(b, "what is added", 1)
    last = flow.layers[-1] if flow.layers else None
    if not isinstance(last, _Dense) or last.b is not None or b.shape != last.W.shape[1:]:
        raise ValueError("what is added is no bias of a MatMul before it")
    return flow._replace(layers=flow.layers[:-1]).then(_Dense(last.W, b))


def _gemm(reading, node, inputs, attributes):
    _only(attributes, transB=..., transA=0, alpha=1.0, beta=1.0)
    W = reading.numbers(inputs[1], "B", 2)
    b = reading.numbers(inputs[2], "C", 1) if len(inputs) > 2 else None
    W = W.T if attributes.get("transB") else W
    if b is not None and b.shape != W.shape[1:]:
        raise ValueError(f"C has shape {b.shape}; wanted {W.shape[1:]}")
    return _features_last(reading, inputs[0]).then(_Dense(W, b))


def _activation(reading, node, inputs, attributes):
    flow, name = reading.flow(inputs[0]), node.op_type.lower()
    _only(attributes)
    dtype = _dtype(reading, node)
    return flow.then(lambda: layers.Activation(name, dtype=dtype))


def _dtype(reading, node):
    """Of a model: that of its weights, float32 without any."""
    kinds = {array.dtype for array in reading.arrays.values() if array.dtype.kind == "f"}
    return "float64" if kinds == {np.dtype(np.float64)} else "float32"


def _layer_norm(reading, node, inputs, attributes):
    _only(attributes, axis=-1, epsilon=..., stash_type=1)
    gain = reading.numbers(inputs[1], "Scale", 1)
    b = reading.numbers(inputs[2], "B", 1) if len(inputs) > 2 else np.zeros_like(gain)

    def make():
        eps = attributes.get("epsilon", 1e-5)
        layer = layers.LayerNorm(len(gain), eps=eps, dtype=gain.dtype.name)
        layer.params["gain"], layer.params["b"] = gain, b
        return layer

    return _features_last(reading, inputs[0]).then(make)


def _both(inputs):
    """What flows if these are the last states of both directions, else None."""
    if [getattr(value, "number", None) for value in inputs] != [0, 1]:
        return None
    (flow, _), (other, _) = inputs
    return flow._replace(axes="BN") if flow is other else None


def _concat(reading, node, inputs, attributes):
    flow = _both(inputs)
    if flow is None or attributes.get("axis") not in (-1, 1):
        raise ValueError("it puts values together that are not those of both directions")
    return flow


def _gather(reading, node, inputs, attributes):
    _only(attributes, axis=0)
    if isinstance(inputs[0], Flow) and inputs[0].axes == "DBN":
        d = reading.numbers(inputs[1], "the direction", 0)
        return OneDirection(inputs[0], int(d))
    table, x = reading.numbers(inputs[0], "the table", 2), inputs[1]
    if not (isinstance(x, Input) and x.kind == "int"):
        raise ValueError(f"the rows are {_said(x)}; wanted an input of the graph")

    def make():
        layer = layers.Embedding(*table.shape, seed=0, dtype=table.dtype.name)
        layer.params["W"] = table
        return layer

    return Flow((make,), None)


def _softmax(reading, node, inputs, attributes):
    _only(attributes, axis=-1)
    reading.at_the_end = True
    return _features_last(reading, inputs[0])


def _as_it_is(reading, node, inputs, attributes):
    return inputs[0]


def _cast(reading, node, inputs, attributes):
    wanted = reading.onnx.TensorProto.INT32, reading.onnx.TensorProto.INT64
    is_index = isinstance(inputs[0], Input) and inputs[0].kind == "int"
    if not is_index or attributes.get("to") not in wanted:
        raise ValueError("it changes the numbers of what flows; wanted lengths or indices")
    return inputs[0]


def _constant(reading, node, inputs, attributes):
    if set(attributes) != {"value"}:
        raise ValueError(f"it has {', '.join(attributes)}; wanted value")
    return reading.onnx.numpy_helper.to_array(attributes["value"])


READERS = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    **dict.fromkeys(("Tanh", "Relu", "Sigmoid", "Softplus"), _activation),
    **dict.fromkeys(("Identity", "Dropout"), _as_it_is),
    "Transpose": _transpose, "Squeeze": _squeeze, "Reshape": _reshape, "ReduceSum": _sum,
    "MatMul": _matmul, "Add": _add, "Gemm": _gemm, "LayerNormalization": _layer_norm,
    "Gather": _gather, "Softmax": _softmax, "Cast": _cast, "Constant": _constant,
    "Concat": _concat,
}  # fmt: skip
