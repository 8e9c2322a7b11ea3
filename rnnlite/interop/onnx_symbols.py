"""Values that record what is done with them, as nodes of an ONNX graph.

A cell's equations use ``+ - * /`` and functions of NumPy, which ask their arguments first
(``__array_ufunc__`` of NEP 13, ``__array_function__`` of NEP 18): run with a ``Symbol`` in place of
an array they compute nothing, and leave a node for each operation.
"""

import numpy as np

UFUNCS = {
    np.add: "Add", np.subtract: "Sub", np.multiply: "Mul", np.true_divide: "Div",
    np.negative: "Neg", np.absolute: "Abs", np.exp: "Exp", np.log: "Log", np.sqrt: "Sqrt",
    np.tanh: "Tanh", np.sin: "Sin", np.cos: "Cos", np.sign: "Sign", np.floor: "Floor",
    np.power: "Pow", np.maximum: "Max", np.minimum: "Min", np.reciprocal: "Reciprocal",
}  # fmt: skip
COMPARISONS = {
    np.greater: "Greater", np.greater_equal: "GreaterOrEqual", np.less: "Less",
    np.less_equal: "LessOrEqual", np.equal: "Equal",
}  # fmt: skip
LOGIC = {
    np.bitwise_or: "Or", np.logical_or: "Or", np.bitwise_and: "And", np.logical_and: "And",
    np.invert: "Not", np.logical_not: "Not",
}  # fmt: skip
REDUCTIONS = {
    np.mean: "ReduceMean", np.sum: "ReduceSum", np.max: "ReduceMax", np.min: "ReduceMin",
}  # fmt: skip
# A bound that bounds nothing, as of a peephole LSTM without clip.
WITHOUT_EFFECT = {np.maximum: -np.inf, np.minimum: np.inf}


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A value (B, H) of a graph; ``one_row``: the equations see it as (H,)."""

    def __init__(self, graph, name, one_row=False, is_truth=False):
        self.graph, self.name, self.one_row, self.is_truth = graph, name, one_row, is_truth

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        """Record a function of NumPy, or an operator."""
        if method != "__call__" or options:
            extra = f".{method}" if method != "__call__" else f"(..., {min(options, default='')}=)"
            raise _no_counterpart(f"numpy.{ufunc.__name__}{extra}")
        if ufunc is np.square:
            return self._numbers("Mul", inputs[0], inputs[0])
        if ufunc is np.positive:
            return inputs[0]
        if ufunc is np.not_equal:
            return ~np.equal(*inputs)
        if ufunc is np.matmul:
            return self._product(*inputs)
        for value, other in (inputs, inputs[::-1]) if ufunc in WITHOUT_EFFECT else ():
            if np.isscalar(other) and other == WITHOUT_EFFECT[ufunc]:
                return value
        if ufunc in UFUNCS:
            return self._numbers(UFUNCS[ufunc], *inputs)
        if ufunc in COMPARISONS:
            return self._record(COMPARISONS[ufunc], map(self._number, inputs), True)
        if ufunc in LOGIC and all(getattr(value, "is_truth", False) for value in inputs):
            return self._record(LOGIC[ufunc], [value.name for value in inputs], True)
        raise _no_counterpart(f"numpy.{ufunc.__name__}")

    def __array_function__(self, function, types, arguments, options):
        """Record one of the other functions of NumPy."""
        if function in REDUCTIONS:
            return self._reduced(function, *arguments, **options)
        if function is np.clip and len(arguments) == 3 and not options:
            value, low, high = arguments
            return np.minimum(np.maximum(value, low), high)
        if function is np.where and len(arguments) == 3:
            condition, *values = arguments
            if getattr(condition, "is_truth", False):
                names = [condition.name, *map(self._number, values)]
                return self._record("Where", names)
        if function in (np.zeros_like, np.ones_like) and len(arguments) == 1 and not options:
            number = self.graph.dtype.type(function is np.ones_like)
            shape = self.graph.add("Shape", arguments[0].name)
            return self._record("Expand", [self._number(number), shape])
        raise _no_counterpart(f"numpy.{function.__name__}, used as it is here,")

    def __bool__(self):
        raise TypeError("it asks whether a value is true (if, and, or, while): use numpy.where")

    def __iter__(self):
        raise TypeError("it takes a value apart, number by number")

    def __array__(self, *arguments, **options):
        raise _no_counterpart("a function that makes an array of a value")

    def __float__(self):
        raise TypeError("it makes a Python number of a value")

    def mean(self, *arguments, **options):
        """As ``numpy.mean``."""
        return np.mean(self, *arguments, **options)

    def sum(self, *arguments, **options):
        """As ``numpy.sum``."""
        return np.sum(self, *arguments, **options)

    def _reduced(self, function, value, axis=None, keepdims=False):
        """Over all units of a row, which keeps its axis: as NumPy's (H,) to a number."""
        over_units = axis in (None, 0, -1) if self.one_row else axis in (1, -1) and keepdims
        if not over_units:
            wanted = "axis=-1, keepdims=True, the units of a row"
            raise TypeError(f"numpy.{function.__name__} goes over more than that; wanted {wanted}")
        return self._like(self.graph.reduce(REDUCTIONS[function], self._number(value), -1))

    def _product(self, left, right):
        if not (isinstance(left, Symbol) and isinstance(right, np.ndarray) and right.ndim == 2):
            raise _no_counterpart("a product (@) but that of a value and a constant matrix")
        return self._record("MatMul", [left.name, self._constant(right)])

    def _numbers(self, operator, *values):
        return self._record(operator, map(self._number, values))

    def _number(self, value):
        """The name of a symbol or of a constant, as numbers of the graph's dtype."""
        if isinstance(value, Symbol):
            if not value.is_truth:
                return value.name
            return self.graph.add("Cast", value.name, to=self.graph.number_type())
        if np.ndim(value) > 1:
            shape = np.shape(value)
            raise TypeError(f"it uses an array of shape {shape} beside values of any batch size")
        return self._constant(value)

    def _constant(self, value):
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"it uses {value!r:.80}, which is no number")
        return self.graph.constant(array.astype(self.graph.dtype))

    def _record(self, operator, names, is_truth=False):
        return self._like(self.graph.add(operator, *names), is_truth)

    def _like(self, name, is_truth=False):
        return Symbol(self.graph, name, self.one_row, is_truth)


def _no_counterpart(what):
    return TypeError(f"{what} has no counterpart here")
