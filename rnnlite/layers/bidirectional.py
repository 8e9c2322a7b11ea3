"""Bidirectional: a recurrent layer and its mirror image."""

import numpy as np

from rnnlite import checking
from rnnlite.layers.layer import Layer
from rnnlite.layers.recurrent import Recurrent


class Bidirectional(Layer):
    """Read sequences in both directions (Schuster & Paliwal 1997).

    A second layer like the given one reads each row from its last valid step to its first; the
    outputs of both stand at the time of their input.  To see inside both: ``rnnlite.trace``.

    Parameters
    ----------
    layer : Recurrent
        The forward direction; the backward one has its options and new weights.
    merge : {"concat", "sum"}
        Outputs side by side, (..., 2*hidden), or added, (..., hidden).
    seed : int, optional
        Of the backward layer's weights; by default it follows from the layer's.

    Attributes
    ----------
    params, grads : dict
        ``"forward.Wx"``, ..., then ``"backward.Wx"``, ...
    final_state, dinitial_state : tuple
        That of the forward layer, then of the backward layer.

    Examples
    --------
    >>> from rnnlite.layers import LSTM
    >>> both = Bidirectional(LSTM(3, 4, return_sequences=True, seed=0), seed=1)
    >>> both(np.ones((2, 5, 3)), lengths=[5, 2]).shape
    (2, 5, 8)
    """

    _zeroes_padding = _answers_afresh = True

    def __init__(self, layer, merge="concat", seed=None):
        if not isinstance(layer, Recurrent):
            raise TypeError(f"Bidirectional: layer is {layer!r}; wanted a recurrent layer")
        if layer.go_backwards:
            raise ValueError("Bidirectional: layer goes backwards; wanted one that goes forwards")
        self.merge = checking.one_of("Bidirectional", "merge", merge, ("concat", "sum"))
        mirror = layer.copy()
        vars(mirror)["go_backwards"] = True  # past "read-only", before anyone has seen it
        seed = checking.seed("Bidirectional", seed)
        if seed is None:  # drawn from the copy, so that the layer's next mask stays what it was
            seed = int(mirror._rng.integers(2**63))
        mirror.draw_weights(np.random.default_rng(seed))
        parts = {"forward": layer, "backward": mirror}
        # Without gaps, as in files that were written before: sums over all gradients are cut there.
        super().__init__((), None, parts, aligned=False)
        self.input_features = layer.input_features

    @property
    def layer(self):
        """The forward direction, as the constructor took it."""
        return self._layers["forward"]

    @property
    def return_sequences(self):
        """Whether both directions return every step."""
        return self.layer.return_sequences

    def output_features(self, features):
        """Units of both directions, or of one if they are added."""
        return self.layer.hidden_size * (1 if self.merge == "sum" else 2)

    def check_input(self, where, x, lengths):
        """As the forward direction takes it."""
        return self.layer.check_input(where, x, lengths)

    def __call__(self, x, initial_state=None, lengths=None, return_state=False):
        """Inference, as in ``Recurrent.__call__``; states are a pair, one for each direction."""
        states = _pair("Bidirectional", "initial_state", initial_state)
        (there, final), (back, mirrored_final) = (
            layer(x, initial_state=state, lengths=lengths, return_state=True)
            for layer, state in zip(self.layers, states, strict=True)
        )
        y = self._merged(there, back, None)
        return (y, (final, mirrored_final)) if return_state else y

    def forward(self, x, initial_state=None, lengths=None, training=False):
        """Run both directions, as in ``Recurrent.forward``; ``initial_state`` is a pair.

        Returns (B, T, N) with ``return_sequences``, else (B, N); N is 2*hidden for "concat",
        hidden for "sum".  The last state of the backward layer is the one after the first input.
        """
        return self._forward(x, lengths, training, initial_state=initial_state)

    def backward(self, dy, dfinal_state=None, need_dx=True, of=None):
        """Go back through both directions, as in ``Recurrent.backward``; a pair of states."""
        dfinal = _pair("Bidirectional.backward", "dfinal_state", dfinal_state)
        return self._backward(dy, need_dx, of, dfinal=dfinal)

    def stream_parts(self, features):
        """None: its backward direction begins with the last step."""
        raise TypeError("reads from the end, and a stream has none")

    def forward_pass(self, x, saved, initial_state=None):
        """Both directions, then their outputs together."""
        states = _pair("Bidirectional.forward", "initial_state", initial_state)
        there, back = (
            saved.run(layer, x, saved.lengths, initial_state=state)
            for layer, state in zip(self.layers, states, strict=True)
        )
        shape = (*there.shape[:-1], self.output_features(None))
        return self._merged(there, back, saved.result("y", shape, self.dtype))

    def backward_pass(self, dy, saved, dfinal):
        """Each direction's share of dy, and the sum of both dx."""
        H = self.layer.hidden_size
        same = dy is None or self.merge == "sum"
        parts = (dy, dy) if same else (dy[..., :H], dy[..., H:])
        dx, mirrored = (
            layer.backward(part, dfinal_state=dstate, need_dx=saved.need_dx)
            for layer, part, dstate in zip(self.layers, parts, dfinal, strict=True)
        )
        if saved.need_dx:
            dx += mirrored
        return dx

    def _merged(self, there, back, out):
        if self.merge == "sum":
            return np.add(there, back, out=out)
        return np.concatenate([there, back], axis=-1, out=out)

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
