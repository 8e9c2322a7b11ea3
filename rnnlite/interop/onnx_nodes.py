"""The recurrent operators of ONNX as layers of rnnlite."""

import numpy as np

from rnnlite import layers
from rnnlite.interop.onnx_gates import OPERATORS, to_layer

DIRECTIONS = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}


class RecurrentNode:
    """One node: called, it makes its layer, or the Bidirectional of its two.

    ``merge`` is how its directions come together, which stands behind it in the graph.
    """

    def __init__(self, kind, weights, attributes, return_sequences):
        self.operator, self.weights, self.merge = OPERATORS[kind], weights, "concat"
        options = dict(attributes)
        direction = _text(options.pop("direction", "forward"))
        if direction not in DIRECTIONS:
            raise ValueError(f"direction is {direction!r}; wanted {', '.join(DIRECTIONS)}")
        self.backwards = DIRECTIONS[direction]
        D, G = len(self.backwards), len(self.operator.order)
        R = weights["R"]
        H, I = R.shape[-1], weights["W"].shape[-1]
        shapes = {"W": (D, G * H, I), "R": (D, G * H, H), "B": (D, 2 * G * H), "P": (D, 3 * H)}
        for name, array in weights.items():
            if array.shape != shapes[name]:
                raise ValueError(f"{name} has shape {array.shape}; wanted {shapes[name]}")
            if array.dtype not in (np.float32, np.float64) or array.dtype != R.dtype:
                raise ValueError(f"{name} holds {array.dtype}; wanted float32 or float64, as R")
        if options.pop("hidden_size", H) != H:
            raise ValueError(f"hidden_size is not that of R, {H}")
        options.pop("layout", None)
        self.options = {
            "input_size": I, "hidden_size": H, "dtype": R.dtype.name,
            "return_sequences": return_sequences, **self._of_kind(kind, options),
        }  # fmt: skip
        for name, value in options.items():
            raise ValueError(f"it has the attribute {name} = {value!r:.80}, which no layer has")

    def _of_kind(self, kind, options):
        """The options of the layer; what they are taken from leaves ``options``."""
        D, usual = len(self.backwards), self.operator.activations
        named = [_text(name).title() for name in options.pop("activations", usual * D)]
        each = {tuple(named[d * len(usual) : (d + 1) * len(usual)]) for d in range(D)}
        if len(named) != D * len(usual) or len(each) > 1:
            raise ValueError(f"activations are {', '.join(named)}; wanted the same each direction")
        (activations,) = each
        found = {}
        if kind == "RNN" and activations in (("Tanh",), ("Relu",)):
            found["activation"] = activations[0].lower()
        elif activations != usual:
            wanted = ", ".join(usual) + (" or Relu" if kind == "RNN" else "")
            raise ValueError(f"activations are {', '.join(activations)}; wanted {wanted}")
        if kind == "GRU":
            found["reset_after"] = bool(options.pop("linear_before_reset", 0))
        if kind == "LSTM":
            found["peephole"] = "P" in self.weights
            found["clip"] = options.pop("clip", None)
            if options.pop("input_forget", 0):
                raise ValueError("input_forget couples two gates, which no layer does")
        return found

    def __call__(self):
        """The layer, with its weights."""
        make = getattr(layers, self.operator.name)
        layer = make(**self.options, seed=0, go_backwards=self.backwards == [True])
        if len(self.backwards) == 2:
            layer = layers.Bidirectional(layer, merge=self.merge, seed=0)
        each = layer.layers or [layer]
        for d, one in enumerate(each):
            given = {name: array[d] for name, array in self.weights.items()}
            given.setdefault("B", np.zeros(2 * given["R"].shape[0], given["R"].dtype))
            to_layer(self.operator, given, one)
        return layer


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
