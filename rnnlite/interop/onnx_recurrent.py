"""Recurrent layers in ONNX: its operators LSTM, GRU and RNN, or ``Scan``; three forms.

``"portable"`` is right wherever it was tried: in ONNX Runtime 1.32, OpenVINO 2026.4, tract 0.23.
It does without what one of them leaves out:

- lengths: OpenVINO ignores ``sequence_lens`` where axes are dynamic, tract refuses it.  A row's
  steps do not depend on the padding behind them, so the state after its last step is picked out of
  all states.  The c of an LSTM cannot be: asked for, with lengths, it needs ``Scan``.
- zeros: tract needs initial states where the number of rows is open.
- ``direction``: what reads backwards gets each row reversed; tract's outputs are reversed else.
- ``clip``: ONNX Runtime and OpenVINO leave the input of the last tanh alone; peepholes: OpenVINO
  has none; ReLU: tract takes tanh; float64: ONNX Runtime has the operators in float32 only.  These
  need ``Scan``.

``"operators"`` is what ONNX's documents say, ``"scan"`` is a ``Scan`` for every layer.  Time comes
first in the operators of all forms, since ONNX Runtime does not have ``layout=1``.
"""

import numpy as np

from rnnlite.interop.onnx_gates import operator_of, to_onnx
from rnnlite.interop.onnx_scan import write_scan

FORMS = "portable", "operators", "scan"


def write_recurrent(context, keys, layers, x, states, return_sequences, merge):
    """Nodes of one layer, or of the two of a Bidirectional, over x (B, T, I).

    ``states`` has for each layer the names of its initial states (B, H), None for zero.  Returns
    the name of y and for each layer those of its last states.
    """
    operator, attributes = operator_of(layers[0])
    form = _form(context, operator, attributes, layers[0])
    wants_last = context.states or not return_sequences
    if form is _as_operator:
        all_steps, last = _as_operator(
            context, operator, attributes, layers, x, states, merge, wants_last
        )
    else:
        runs, own = [], context.graph.key
        for key, layer, initial in zip(keys, layers, states, strict=True):
            context.graph.key = key
            if form is write_scan:
                runs.append(write_scan(context, key, layer, x, initial))
            else:
                runs.append(form(context, operator, attributes, layer, x, initial, wants_last))
        context.graph.key = own
        ys, last = zip(*runs, strict=True)
        all_steps = lambda: _merged(context.graph, [y() for y in ys], merge)  # noqa: E731
    if return_sequences:
        return all_steps(), last
    ys = [_of_nonempty(context, h, 0.0) for h, *_ in last]
    return _merged(context.graph, ys, merge), last


def _form(context, operator, attributes, layer):
    """The function that writes a layer."""
    if operator is None or context.form == "scan":
        return write_scan
    if context.form == "operators":
        return _as_operator
    asks_for_c = context.lengths and context.states and operator.states > 1
    differs = "clip" in attributes or "activations" in attributes or "p_i" in layer.params
    if layer.dtype != np.float32 or differs or asks_for_c:
        return write_scan
    return _as_forward_operator


# Each of these returns a function that adds what makes y of all steps, and the last states of
# each layer.


def _as_operator(context, operator, attributes, layers, x, states, merge, wants_last):
    """The operator, with its directions and ``sequence_lens``."""
    graph, lengths = context.graph, context.lengths
    direction = "reverse" if layers[0].go_backwards else "forward"
    if len(layers) == 2:
        direction = "bidirectional"
    X = graph.add("Transpose", x, perm=[1, 0, 2])
    sequence_lens = lengths.sequence_lens if lengths else None
    Y, *finals = _node(
        graph, operator, attributes, layers, X, sequence_lens, states, direction=direction
    )
    last = [
        [
            _of_nonempty(context, _one(graph, final, d, len(layers)), before or 0.0)
            for final, before in zip(finals, initial, strict=True)
        ]
        for d, initial in enumerate(states if wants_last else ())
    ]

    def all_steps():
        if merge == "concat":
            return graph.add(
                "Reshape", graph.add("Transpose", Y, perm=[2, 0, 1, 3]), np.array([0, 0, -1])
            )
        if merge == "sum":
            summed = graph.reduce("ReduceSum", Y, 1, keepdims=0)
        else:
            summed = graph.add("Squeeze", Y, np.array([1]))
        return graph.add("Transpose", summed, perm=[1, 0, 2])

    return all_steps, last


def _as_forward_operator(context, operator, attributes, layer, x, initial, wants_last):
    """The operator, forward, without ``sequence_lens``: rows reversed, last states picked out."""
    graph, lengths = context.graph, context.lengths
    X = graph.add("Transpose", context.reversed(x) if layer.go_backwards else x, perm=[1, 0, 2])
    initial = [state or context.zeros(layer.hidden_size) for state in initial]
    Y, *finals = _node(graph, operator, attributes, [layer], X, None, [initial])
    Y = graph.add("Transpose", graph.add("Squeeze", Y, np.array([1])), perm=[1, 0, 2])
    if not wants_last:
        last = [None] * len(initial)
    elif lengths:
        h = graph.add("GatherND", Y, lengths.last, batch_dims=1)
        last = [_of_nonempty(context, h, initial[0]), *[None] * len(initial[1:])]
    else:
        last = [_one(graph, final, 0, 1) for final in finals]
    return lambda: context.reversed(Y) if layer.go_backwards else Y, last


def _node(graph, operator, attributes, layers, X, sequence_lens, states, direction="forward"):
    """The node itself: Y (T, D, B, H) and the last states (D, B, H)."""
    if direction == "bidirectional" and "activations" in attributes:
        attributes = attributes | {"activations": attributes["activations"] * 2}
    each = [to_onnx(operator, layer) for layer in layers]
    weights = {
        name: graph.weights(name, np.stack([given[name] for given in each])) for name in each[0]
    }
    first = [_stacked(graph, initial) for initial in zip(*states, strict=True)]
    P = [weights["P"]] if "P" in weights else []
    return graph.add(
        operator.name, X, weights["W"], weights["R"], weights["B"], sequence_lens, *first, *P,
        results=["Y", "Y_h", "Y_c"][: 1 + operator.states],
        hidden_size=layers[0].hidden_size, direction=direction, **attributes,
    )  # fmt: skip


def _stacked(graph, initial):
    """Initial states (B, H) of each direction as (D, B, H); None if they are zero."""
    if initial[0] is None:
        return None
    parts = [graph.add("Unsqueeze", state, np.array([0])) for state in initial]
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=0)


def _one(graph, final, d, D):
    """Of (D, B, H) one direction, (B, H)."""
    if D == 1:
        return graph.add("Squeeze", final, np.array([0]))
    return graph.add("Gather", final, np.array(d), axis=0)


def _of_nonempty(context, value, otherwise):
    """A value (B, H); in rows of length 0 another one."""
    if not context.lengths:
        return value
    return context.graph.add("Where", context.lengths.nonempty, value, otherwise)


def _merged(graph, ys, merge):
    """The outputs of one or two directions as one."""
    if len(ys) == 1:
        return ys[0]
    return graph.add("Add", *ys) if merge == "sum" else graph.add("Concat", *ys, axis=-1)
