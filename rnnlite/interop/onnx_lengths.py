"""The row lengths in a graph, in the forms that layers ask for, each made once."""

import functools

import numpy as np


class Lengths:
    """``lengths`` (B,) of a graph whose input ``x`` is (B, T, ...)."""

    def __init__(self, graph, name, x):
        self.graph, self.name, self.x = graph, name, x

    @functools.cached_property
    def sequence_lens(self):
        """int32 (B,): the same as the recurrent operators take it."""
        return self._add("Cast", self.at_least_one, to=self.graph.onnx.TensorProto.INT32)

    @functools.cached_property
    def at_least_one(self):
        """int64 (B,): lengths for operators that have none of 0; such rows are dropped later."""
        return self._add("Max", self.name, np.array(1))

    @functools.cached_property
    def last(self):
        """int64 (B, 1): the last valid step."""
        last = self._add("Sub", self.at_least_one, np.array(1))
        return self._add("Unsqueeze", last, np.array([1]))

    @functools.cached_property
    def nonempty(self):
        """bool (B, 1): whether the row has a step at all."""
        return self._add("Greater", self._column, np.array(0))

    @functools.cached_property
    def valid(self):
        """bool (B, T): whether a step is one of the row's own."""
        return self._add("Less", self._steps, self._column)

    @functools.cached_property
    def mirror(self):
        """int64 (B, T, 1): where each step is in the row reversed; the padding stays."""
        last = self._add("Sub", self._column, np.array(1))
        mirrored = self._add("Where", self.valid, self._add("Sub", last, self._steps), self._steps)
        return self._add("Unsqueeze", mirrored, np.array([2]))

    @functools.cached_property
    def valid_features(self):
        """bool (B, T, 1): the same, for numbers with features."""
        return self._add("Unsqueeze", self.valid, np.array([2]))

    @functools.cached_property
    def _steps(self):
        T = self._add("Gather", self._add("Shape", self.x), np.array(1))
        steps = self._add("Range", np.array(0), T, np.array(1))
        return self._add("Unsqueeze", steps, np.array([0]))

    @functools.cached_property
    def _column(self):
        return self._add("Unsqueeze", self.name, np.array([1]))

    def _add(self, operator, *inputs, **attributes):
        outside, self.graph.key = self.graph.key, "lengths"
        try:
            return self.graph.add(operator, *inputs, **attributes)
        finally:
            self.graph.key = outside
