"""An ONNX graph as it grows: nodes one after the other, weights and numbers beside them.

Every value has a name of its own, also across the body of a ``Scan`` and the graph around it, so
that a body may use what stands outside.  All numbers are kept in the outermost graph.
"""

import numpy as np


class Graph:
    """Nodes of a graph, or of the body of a ``Scan`` inside it.

    ``key`` begins the names of what is added: the key of the layer that is being written.
    """

    def __init__(self, onnx, dtype, opset, taken=()):
        self.onnx, self.dtype, self.opset, self.key = onnx, np.dtype(dtype), opset, ""
        self.nodes, self.arrays, self.of_model = [], {}, []
        self._taken, self._numbers = set(taken), {}

    def body(self):
        """A graph inside this one: it shares names and numbers, and has nodes of its own."""
        inner = object.__new__(Graph)
        inner.__dict__.update(self.__dict__)
        inner.nodes = []
        return inner

    def fresh(self, text):
        """A name that no other value has: ``"0.LSTM"``, the next time ``"0.LSTM_2"``."""
        base = name = f"{self.key or 'model'}.{text}"
        count = 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name

    def add(self, operator, *inputs, results=None, **attributes):
        """Add a node; the name of its result, or a list of ``results`` names.

        Inputs are names, numbers or arrays; None is an input that is left out.  A text in
        ``results`` is what the name says, "" a result that nobody wants.
        """
        names = ["" if value is None else self.constant(value) for value in inputs]
        while names and not names[-1]:
            names.pop()
        outputs = [self.fresh(operator)] if results is None else []
        for text in results or ():
            outputs.append(self.fresh(text) if text else "")
        self.nodes.append(
            self.onnx.helper.make_node(
                operator, names, outputs, name=self.fresh(f"node.{operator}"), **attributes
            )
        )
        return outputs[0] if results is None else outputs

    def name_result(self, value, name):
        """Give a value the name of an output of the graph; its node, too, which tract goes by."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name], name=name))

    def constant(self, value):
        """The name of a number or an array, once each; a name stays as it is.

        A float, or an array of them, gets the dtype of the graph; whole numbers are int64.
        """
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        if array.dtype.kind == "f" and not isinstance(value, np.ndarray):
            array = array.astype(self.dtype)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._numbers:
            outside, self.key = self.key, "constant"
            self._numbers[key] = self._array(f"{array.dtype.kind}{array.ndim}", array)
            self.key = outside
        return self._numbers[key]

    def weights(self, name, array):
        """Add an array of a model's parameters under a name that says what it is."""
        self.of_model.append(self._array(name, array))
        return self.of_model[-1]

    def _array(self, name, array):
        name = self.fresh(name)
        self.arrays[name] = np.array(array, order="C")
        return name

    def number_type(self):
        """ONNX's name of the dtype."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(self.dtype)

    def initializers(self):
        """All weights and numbers as ONNX holds them."""
        return [
            self.onnx.numpy_helper.from_array(array, name) for name, array in self.arrays.items()
        ]

    # ---- operators that differ among opsets ----------------------------------------------------

    def reduce(self, operator, value, axis, keepdims=1):
        """ReduceMean, ReduceSum, ReduceMax or ReduceMin along one axis."""
        axes_are_input = 13 if operator == "ReduceSum" else 18
        if self.opset >= axes_are_input:
            return self.add(operator, value, np.array([axis]), keepdims=keepdims)
        return self.add(operator, value, axes=[axis], keepdims=keepdims)

    def split(self, value, count, size, what="part"):
        """``count`` parts of ``size`` along the last axis."""
        if count == 1:
            return [value]
        sizes = np.full(count, size, np.int64)
        return self.add("Split", value, sizes, results=[what] * count, axis=-1)
