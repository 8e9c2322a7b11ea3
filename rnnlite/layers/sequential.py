"""Sequential: layers one after the other, as one model."""

import contextlib

from rnnlite import checking
from rnnlite.layers.layer import Layer


class Sequential(Layer):
    """Layers that pass their outputs on, first to last.

    Parameters
    ----------
    layers : list of Layer
        At least one, all of one dtype, none of them in another model.

    Attributes
    ----------
    params, grads : dict
        The layers' own, under ``"0.Wx"``, ``"0.Wh"``, ..., by position.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite.layers import LSTM, Dense
    >>> model = Sequential([LSTM(28, 32, seed=0), Dense(32, 10, seed=1)])
    >>> logits = model.forward(np.zeros((4, 28, 28)))
    >>> dx = model.backward(np.ones_like(logits))
    >>> logits.shape, list(model.grads)
    ((4, 10), ['0.Wx', '0.b', '0.Wh', '1.W', '1.b'])
    """

    only_passes_on = _zeroes_padding = _answers_afresh = True
    _told = None  # whom backward tells which gradients are known

    def __init__(self, layers):
        layers = checking.sequence("Sequential", "layers", layers, "a list of layers")
        if not layers:
            raise ValueError("Sequential: layers is empty; it needs at least one layer")
        super().__init__((), None, {str(n): layer for n, layer in enumerate(layers)})
        self.takes_indices = layers[0].takes_indices
        self.input_features = layers[0].input_features

    def _check_layers(self, where):
        dtype, features, before = super()._check_layers(where), None, None
        for name, layer in self._layers.items():
            wanted = layer.input_features
            if None not in (features, wanted) and features != wanted:
                takes = f"layers[{name}], {layer!r}, takes {wanted} features"
                gives = f"layers[{int(name) - 1}], {before!r}, gives {features}"
                raise ValueError(f"{where}: {takes}; {gives}")
            features, before = layer.output_features(features), layer
        return dtype

    def output_features(self, features):
        """Features that the last layer gives."""
        for layer in self.layers:
            features = layer.output_features(features)
        return features

    def __repr__(self):
        return f"Sequential([{', '.join(map(repr, self.layers))}])"

    def check_input(self, where, x, lengths):
        """The layers check what they are given."""
        return x, lengths

    def check_indices(self, where, x, lengths):
        """The first layer takes them, if one does."""
        self.layers[0].check_indices(where, x, lengths)

    def stream_parts(self, features):
        """Those of its layers, one after the other."""
        return self.layers

    def forward_pass(self, x, saved):
        """Pass x through all layers; lengths go with it as long as there is a time axis."""
        lengths = saved.lengths
        for name, layer in self._layers.items():
            try:
                x = saved.run(layer, x, lengths)
            except (ValueError, TypeError) as error:
                raise self._located(error, int(name), x) from error
            if x.ndim < 3:
                lengths = None
        return x

    def backward_pass(self, dy, saved):
        """Pass dy back through all layers."""
        for name, layer in reversed(self._layers.items()):
            dy = layer.backward(dy, need_dx=saved.need_dx or name != "0")
            if self._told is not None:
                self._told(self._starts[int(name)])
        return dy

    @property
    def _starts(self):
        if type(self).backward_pass is not Sequential.backward_pass:  # which may change them later
            return ()
        return [place.start for place in self._parameters.part_places.values()]

    @contextlib.contextmanager
    def _telling(self, known):
        """A block in which backward calls ``known(first)`` when a layer has gone back.

        All gradients from entry ``first`` of ``flat_grads`` on are known then.
        """
        self._told = known
        try:
            yield
        finally:
            self._told = None

    def _located(self, error, position, x):
        """The error of a layer inside, saying which layer it was."""
        layer = self.layers[position]
        before = self.layers[position - 1] if position else None
        name, text = type(layer).__name__, str(error)
        text = text.removeprefix(f"{name}.forward: ").removeprefix(f"{name}: ")
        last_only = getattr(before, "return_sequences", None) is False
        if last_only and hasattr(layer, "return_sequences") and x.ndim == 2:
            text += f"; layer {position - 1} returns its last step only: return_sequences=True?"
        return type(error)(f"Sequential.forward: layer {position}, {name}: {text}")
