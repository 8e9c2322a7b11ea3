"""Bidirectional: a recurrent layer and its mirror image."""

import numpy as np

from rnnlite import checking
from rnnlite.engine.memory import aligned_zeros
from rnnlite.layers.layer import Layer
from rnnlite.layers.recurrent import Recurrent


class Bidirectional(Layer):
    """Read sequences in both directions (Schuster & Paliwal 1997).

    A second layer like the given one reads each row from its last valid step
    to its first; the outputs of both stand at the time of their input.

    Parameters
    ----------
    layer : Recurrent
        The forward direction; the backward one has its options and new weights.
    merge : {"concat", "sum"}
        Outputs side by side, (..., 2*hidden), or added, (..., hidden).
    seed : int, optional
        Of the backward layer's weights; if not given it follows from the layer's own.

    Attributes
    ----------
    params, grads : dict
        ``"forward.Wx"``, ..., then ``"backward.Wx"``, ...
    final_state, dinitial_state : tuple
        That of the forward layer, then that of the backward layer.

    Raises
    ------
    ValueError, TypeError
        For something that is not a recurrent layer, is in a model already, or
        goes backwards itself.

    Examples
    --------
    >>> from rnnlite.layers import LSTM
    >>> both = Bidirectional(LSTM(3, 4, return_sequences=True, seed=0), seed=1)
    >>> both.forward(np.ones((2, 5, 3)), lengths=[5, 2]).shape
    (2, 5, 8)
    """

    _options = ("layer", "merge")

    def __init__(self, layer, merge="concat", seed=None):
        if not isinstance(layer, Recurrent):
            raise TypeError(f"Bidirectional: layer is {layer!r}; wanted a recurrent layer")
        if layer._in_a_model:
            raise ValueError(
                f"Bidirectional: layer, {layer!r}, is in a model already, and its parameters "
                "with it; give layer.copy()"
            )
        if layer.go_backwards:
            raise ValueError("Bidirectional: layer goes backwards; wanted one that goes forwards")
        self.merge = checking.one_of("Bidirectional", "merge", merge, ("concat", "sum"))
        self.forward_layer, self.backward_layer = layer, layer.copy()
        self.backward_layer.go_backwards = True
        seed = checking.seed("Bidirectional", seed)
        if seed is None:  # drawn from the copy, so that the layer's next mask stays what it was
            seed = int(self.backward_layer._rng.integers(2**63))
        self.backward_layer.draw_weights(np.random.default_rng(seed))
        self._own()

    def _own(self):
        self.layers = [self.forward_layer, self.backward_layer]
        self.dtype = self.forward_layer.dtype
        self.return_sequences = self.forward_layer.return_sequences
        self.params, self.grads = {}, {}
        self.flat_params = self.flat_grads = None
        size = sum(layer.flat_params.size for layer in self.layers)
        self._bind(aligned_zeros(size, self.dtype), aligned_zeros(size, self.dtype))
        for layer in self.layers:
            layer._in_a_model = True
        self._forget()

    def _names(self):
        return "forward", "backward"

    def __repr__(self):
        return f"Bidirectional({self.forward_layer!r}, merge={self.merge!r})"

    def _bind(self, flat_params, flat_grads):
        self.flat_params, self.flat_grads = flat_params, flat_grads
        start = 0
        for prefix, layer in zip(("forward", "backward"), self.layers, strict=True):
            end = start + layer.flat_params.size
            layer._bind(flat_params[start:end], flat_grads[start:end])
            for name, array in layer.params.items():
                self.params[f"{prefix}.{name}"] = array
                self.grads[f"{prefix}.{name}"] = layer.grads[name]
            start = end

    def _forget(self):
        super()._forget()
        for layer in self.layers:
            layer._forget()

    def copy(self, dtype=None):
        """An independent layer with the same parameters; see ``Layer.copy``."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._in_a_model = False
        twin.forward_layer, twin.backward_layer = (layer.copy(dtype) for layer in self.layers)
        twin._own()
        return twin

    def forward(self, x, initial_state=None, lengths=None, training=False, keep=True):
        """Run both directions over a batch of sequences.

        Parameters
        ----------
        x, lengths, training, keep
            As in ``Recurrent.forward``.
        initial_state : tuple, optional
            One state for each direction, as ``final_state``.

        Returns
        -------
        numpy.ndarray
            (B, T, N) with ``return_sequences``, else (B, N); N is 2*hidden for
            "concat", hidden for "sum".  The last state of the backward layer
            is the one after the first input.

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        states = _pair("Bidirectional.forward", "initial_state", initial_state)
        outputs = [
            layer.forward(x, initial_state=state, lengths=lengths, training=training, keep=keep)
            for layer, state in zip(self.layers, states, strict=True)
        ]
        self._unused_forward = bool(keep)
        if self.merge == "sum":
            shape = outputs[0].shape
        else:
            shape = (*outputs[0].shape[:-1], 2 * outputs[0].shape[-1])
        y = self._result("y", shape, training)
        if self.merge == "sum":
            return np.add(*outputs, out=y)
        return np.concatenate(outputs, axis=-1, out=y)

    def backward(self, dy, dfinal_state=None, need_dx=True):
        """Backpropagate through both directions; fills ``grads`` and ``dinitial_state``.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result, or None
            Gradient of the loss by the output.
        dfinal_state : tuple, optional
            Gradient by ``final_state``, one for each direction.
        need_dx : bool
            False for a first layer: its input gradient is not computed.

        Returns
        -------
        numpy.ndarray (B, T, input_size) or None
            Gradient by x, if needed.

        Raises
        ------
        RuntimeError
            Without a forward before it; each forward allows one backward.
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        dfinal = _pair("Bidirectional.backward", "dfinal_state", dfinal_state)
        self._need_forward()
        if dy is None:
            parts = (None, None)
        else:
            shape = list(self.forward_layer._output_shape())
            H = shape[-1]
            shape[-1] *= 1 if self.merge == "sum" else 2
            dy = self._incoming(dy, shape)
            parts = (dy, dy) if self.merge == "sum" else (dy[..., :H], dy[..., H:])
        self._unused_forward = False
        dx, dx_mirrored = (
            layer.backward(part, dfinal_state=dstate, need_dx=need_dx)
            for layer, part, dstate in zip(self.layers, parts, dfinal, strict=True)
        )
        if need_dx:
            dx += dx_mirrored
        return dx

    @property
    def layer(self):
        """The forward direction, as the constructor took it."""
        return self.forward_layer

    @property
    def final_state(self):
        """Final states of both directions: (forward's, backward's)."""
        return tuple(layer.final_state for layer in self.layers)

    @property
    def dinitial_state(self):
        """Gradients by the initial states of both directions, from the last backward."""
        return tuple(layer.dinitial_state for layer in self.layers)


def _pair(where, name, value):
    if value is None:
        return None, None
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{where}: {name} must be a pair, one for each direction; got {value!r}")
    return value
