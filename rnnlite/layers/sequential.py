"""Sequential: layers one after the other, as one model."""

from rnnlite import checking
from rnnlite.engine.memory import CACHE_LINE, aligned_zeros
from rnnlite.layers.layer import Layer


class Sequential(Layer):
    """Layers that pass their outputs on, first to last.

    Parameters
    ----------
    layers : list of Layer
        At least one, all of one dtype, none of them in another model.

    Attributes
    ----------
    layers : list of Layer
    params, grads : dict
        The layers' own, under ``"0.Wx"``, ``"0.Wh"``, ..., by position.
    flat_params, flat_grads : numpy.ndarray (n,)
        All parameters and all gradients of the model, one array each (with a
        few zeros between layers, which keep each layer's memory aligned).

    Raises
    ------
    ValueError, TypeError
        For an empty list, different dtypes, a layer used twice, or something
        that is not a layer.

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

    _options = ("layers",)

    def __init__(self, layers):
        self.layers = checking.sequence("Sequential", "layers", layers, "a list of layers")
        if not self.layers:
            raise ValueError("Sequential: layers is empty; it needs at least one layer")
        decides = 0  # which layer's dtype the model has: the first with parameters
        for position, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise TypeError(
                    f"Sequential: layers[{position}] is of type {type(layer).__name__}; "
                    "wanted a layer"
                )
            if not self.layers[decides].params:
                decides = position
            if layer.params and layer.dtype != self.layers[decides].dtype:
                raise ValueError(
                    f"Sequential: layers[{position}] computes in {layer.dtype}, "
                    f"layers[{decides}] in {self.layers[decides].dtype}; wanted one dtype"
                )
            if layer._in_a_model or any(layer is other for other in self.layers[:position]):
                raise ValueError(
                    f"Sequential: layers[{position}], {layer!r}, is in a model already, and its "
                    "parameters with it; give this model layer.copy()"
                )
        self.dtype = self.layers[decides].dtype
        self.params, self.grads = {}, {}
        self.flat_params = self.flat_grads = None
        size = self._places()[-1][1]
        self._bind(aligned_zeros(size, self.dtype), aligned_zeros(size, self.dtype))
        for layer in self.layers:
            layer._in_a_model = True
        self._forget()

    def __repr__(self):
        return f"Sequential([{', '.join(map(repr, self.layers))}])"

    def _places(self):
        """Start and end of each layer's parameters in the flat arrays."""
        lanes, places, start = CACHE_LINE // self.dtype.itemsize, [], 0
        for layer in self.layers:
            places.append((start, start + layer.flat_params.size))
            start += -(-layer.flat_params.size // lanes) * lanes
        return places

    def _bind(self, flat_params, flat_grads):
        if flat_params.dtype != self.dtype:  # a model of nothing but parameterless layers
            self.dtype = flat_params.dtype
        self.flat_params, self.flat_grads = flat_params, flat_grads
        for position, (layer, (start, end)) in enumerate(
            zip(self.layers, self._places(), strict=True)
        ):
            layer._bind(flat_params[start:end], flat_grads[start:end])
            for name, array in layer.params.items():
                self.params[f"{position}.{name}"] = array
                self.grads[f"{position}.{name}"] = layer.grads[name]

    def copy(self, dtype=None):
        """An independent model with the same parameters; see ``Layer.copy``."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._in_a_model = False
        Sequential.__init__(twin, [layer.copy(dtype) for layer in self.layers])
        return twin

    def forward(self, x, lengths=None, training=False, keep=True):
        """Pass x through all layers.

        Parameters
        ----------
        x : array_like
            What the first layer takes.
        lengths : array_like of int (B,), optional
            Valid steps of each row; every layer that still has a time axis gets them.
        training : bool
            True in a training loop: returned arrays are memory of the layers.
        keep : bool
            False for inference: faster, less memory, and no ``backward``.

        Returns
        -------
        numpy.ndarray
            What the last layer returns.

        Raises
        ------
        ValueError, TypeError
            From the layer that cannot take what it was given.
        """
        for layer in self.layers:
            x = layer.forward(x, lengths=lengths, training=training, keep=keep)
            if x.ndim < 3:
                lengths = None
        self._unused_forward = bool(keep)
        return x

    def backward(self, dy, need_dx=True):
        """Pass dy back through all layers; fills ``grads``.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result
            Gradient of the loss by the output.
        need_dx : bool
            False in training: the gradient by x itself is not computed.

        Returns
        -------
        numpy.ndarray, in the shape of x, or None
            Gradient by x, if needed.

        Raises
        ------
        RuntimeError
            Without a forward before it; each forward allows one backward.
        """
        self._need_forward()
        for position in range(len(self.layers) - 1, -1, -1):
            dy = self.layers[position].backward(dy, need_dx=need_dx or position > 0)
            self._unused_forward = False  # from here on; a dy that does not fit can be corrected
        return dy
