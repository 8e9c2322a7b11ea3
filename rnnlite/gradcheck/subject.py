"""What is checked: the arrays that can be moved, the loss, and backward's gradients."""

import inspect

import numpy as np

from rnnlite import checking
from rnnlite.layers import Embedding, Layer, Recurrent, Sequential, states
from rnnlite.losses import softmax_cross_entropy


class Subject:
    """What is checked: the arrays that can be moved, the loss, and backward's gradients."""

    def __init__(self, layer, x, labels, loss, initial_state, lengths, seed):
        for member in ("forward", "backward", "params", "grads"):
            if not hasattr(layer, member):
                raise TypeError(
                    f"check: layer is of type {type(layer).__name__}, without {member!r}; "
                    "wanted an object with forward, backward, params and grads"
                )
        own = isinstance(layer, Layer)
        self.layer = layer.copy("float64") if own else layer
        for name, array in self.layer.params.items():
            if not isinstance(array, np.ndarray) or array.dtype != np.float64:
                raise TypeError(
                    f"check: params[{name!r}] is {getattr(array, 'dtype', type(array).__name__)}; "
                    "central differences need float64 arrays"
                )
        x = checking.real_array("check", "x", x)
        whole_numbers = x.dtype.kind in "iub" and (not own or _takes_indices(layer))
        self.x = x if whole_numbers else np.array(x, np.float64)
        if self.x.size == 0 or self.x.ndim == 0:
            raise ValueError(
                f"check: x has shape {self.x.shape}; wanted (batch, ...), none of them 0"
            )
        if loss is not None and not callable(loss):
            raise TypeError(f"check: loss is {loss!r}; wanted (output, labels) -> (loss, doutput)")
        if labels is not None and loss is None:
            loss = softmax_cross_entropy
        self.labels, self.loss_function = labels, loss
        self.rng = np.random.default_rng(seed)

        self.keywords = {}
        if lengths is not None:
            if not own and "lengths" not in inspect.signature(layer.forward).parameters:
                raise TypeError("check: lengths were given, but layer.forward takes none")
            self.keywords["lengths"] = lengths
        self.arrays = dict(self.layer.params)
        if self.x.dtype == np.float64:
            self.arrays["x"] = self.x
        self.states = ()
        if isinstance(self.layer, Recurrent):
            self._take_initial_state(initial_state)
        elif initial_state is not None:
            raise TypeError(
                f"check: layer is of type {type(layer).__name__}, which takes no initial_state"
            )

        output = self._forward()
        self.weights = self._random(output.shape)
        self.final_weights = [self._random(state.shape) for state in self._final_states()]

    def _take_initial_state(self, given):
        names = self.layer.cell.states
        shape = (len(self.x), self.layer.hidden_size)
        if given is None:
            given = states.join([0.5 * self._random(shape) for _ in names])
        given = states.split("check", "initial_state", given, names)
        self.states = tuple(np.array(state, np.float64) for state in given)
        self.keywords["initial_state"] = states.join(self.states)
        self.arrays |= {f"{name}0": state for name, state in zip(names, self.states, strict=True)}

    def _random(self, shape):
        return self.rng.standard_normal(shape)

    def _forward(self):
        return np.asarray(self.layer.forward(self.x, **self.keywords))

    def _final_states(self):
        """Final states that the loss looks at: none if the caller gave the loss."""
        if not self.states or self.loss_function is not None:
            return ()
        final = self.layer.final_state
        return final if isinstance(final, tuple) else (final,)

    def loss(self):
        """The loss with the arrays as they are now."""
        output = self._forward()
        if self.loss_function is not None:
            return float(self.loss_function(output, self.labels)[0])
        total = np.sum(output * self.weights)
        for state, weights in zip(self._final_states(), self.final_weights, strict=True):
            total += np.sum(state * weights)
        return float(total)

    def gradients(self):
        """What backward says of each array, by name."""
        output = self._forward()
        if self.loss_function is None:
            dy = self.weights
        else:
            dy = self.loss_function(output, self.labels)[1]
        final = self.final_weights
        if final:
            dx = self.layer.backward(dy, dfinal_state=states.join(final))
        else:
            dx = self.layer.backward(dy)
        missing = [name for name in self.layer.params if name not in self.layer.grads]
        if missing:
            raise ValueError(f"check: grads has no {missing[0]!r}, which params has")
        found = {name: np.array(self.layer.grads[name]) for name in self.layer.params}
        if dx is None:
            self.arrays.pop("x", None)  # an object of one's own need not return it
        else:
            found["x"] = np.array(dx)
        if self.states:
            dinitial = self.layer.dinitial_state
            dinitial = dinitial if isinstance(dinitial, tuple) else (dinitial,)
            names = self.layer.cell.states
            found |= {f"{name}0": array for name, array in zip(names, dinitial, strict=True)}
        return found


def _takes_indices(layer):
    """Whether a layer of the library begins with an Embedding: its x has no gradient."""
    while isinstance(layer, Sequential):
        layer = layer.layers[0]
    return isinstance(layer, Embedding)
