"""What is checked: the arrays that can be moved, the loss, and backward's gradients."""

import inspect

import numpy as np

from rnnlite import checking
from rnnlite.layers import Layer, Recurrent, states
from rnnlite.losses import softmax_cross_entropy


class Subject:
    """A layer, or an object of one's own, with all that its gradients depend on."""

    def __init__(self, layer, x, labels, loss, initial_state, lengths, seed):
        kind = f"check: layer is of type {type(layer).__name__}"
        for member in ("forward", "backward", "params", "grads"):
            if not hasattr(layer, member):
                wanted = "wanted an object with forward, backward, params and grads"
                raise TypeError(f"{kind}, without {member!r}; {wanted}")
        self.is_layer = isinstance(layer, Layer)
        self.layer = layer.copy("float64") if self.is_layer else layer
        for name, array in self.layer.params.items():
            if not isinstance(array, np.ndarray) or array.dtype != np.float64:
                came = f"params[{name!r}] is {getattr(array, 'dtype', type(array).__name__)}"
                raise TypeError(f"check: {came}; central differences need float64 arrays")
        x = checking.real_array("check", "x", x)
        as_it_is = x.dtype.kind in "iub" and (not self.is_layer or layer.takes_indices)
        self.x = x if as_it_is else np.array(x, np.float64)
        if self.x.size == 0 or self.x.ndim == 0:
            shape = self.x.shape
            raise ValueError(f"check: x has shape {shape}; wanted (batch, ...), none of them 0")
        if loss is not None and not callable(loss):
            raise TypeError(f"check: loss is {loss!r}; wanted (output, labels) -> (loss, doutput)")
        if labels is not None and loss is None:
            loss = softmax_cross_entropy
        self.labels, self.loss_function = labels, loss
        self.rng = np.random.default_rng(seed)

        self.keywords = {}
        if lengths is not None:
            if not self.is_layer and "lengths" not in inspect.signature(layer.forward).parameters:
                raise TypeError("check: lengths were given, but layer.forward takes none")
            self.keywords["lengths"] = lengths
        self.arrays = dict(self.layer.params)
        if self.x.dtype == np.float64:
            self.arrays["x"] = self.x
        self.state_names = self.layer.cell.states if isinstance(self.layer, Recurrent) else ()
        if self.state_names:
            self._take_initial_state(initial_state)
        elif initial_state is not None:
            raise TypeError(f"{kind}, which takes no initial_state")
        output, final = self._value()
        self.weights, *self.final_weights = (self._random(a.shape) for a in (output, *final))

    def _take_initial_state(self, given):
        names, shape = self.state_names, (len(self.x), self.layer.hidden_size)
        if given is None:
            given = states.join([0.5 * self._random(shape) for _ in names])
        given = states.split("check", "initial_state", given, names)
        given = tuple(np.array(state, np.float64) for state in given)
        self.keywords["initial_state"] = states.join(given)
        self.arrays |= {f"{name}0": state for name, state in zip(names, given, strict=True)}

    def _random(self, shape):
        return self.rng.standard_normal(shape)

    def _value(self):
        """The output, and the final states that the loss looks at: none if the caller gave it."""
        if self.state_names and self.loss_function is None:
            y, final = self.layer(self.x, **self.keywords, return_state=True)
            return y, states.split("check", "final_state", final, self.state_names)
        run = self.layer if self.is_layer else self.layer.forward
        return np.asarray(run(self.x, **self.keywords)), ()

    def final_states(self):
        """The final states that the loss looks at."""
        return tuple(self._value()[1])

    def loss(self):
        """The loss with the arrays as they are now."""
        output, final = self._value()
        if self.loss_function is not None:
            return float(self.loss_function(output, self.labels)[0])
        weights = (self.weights, *self.final_weights)
        return float(sum(np.sum(a * w) for a, w in zip((output, *final), weights, strict=True)))

    def dy_of(self, output):
        """Gradient of the loss by the output."""
        return (
            self.weights
            if self.loss_function is None
            else self.loss_function(output, self.labels)[1]
        )

    def gradients(self):
        """What backward says of each array, by name."""
        output = np.asarray(self.layer.forward(self.x, **self.keywords))
        dy = self.dy_of(output)
        final = {"dfinal_state": states.join(self.final_weights)} if self.final_weights else {}
        dx = self.layer.backward(dy, **final)
        missing = [name for name in self.layer.params if name not in self.layer.grads]
        if missing:
            raise ValueError(f"check: grads has no {missing[0]!r}, which params has")
        found = {name: np.array(self.layer.grads[name]) for name in self.layer.params}
        if dx is None:
            self.arrays.pop("x", None)  # an object of one's own need not return it
        else:
            found["x"] = np.array(dx)
        if self.state_names:
            dinitial = self.layer.dinitial_state
            dinitial = states.split("check", "dinitial_state", dinitial, self.state_names)
            names = (f"{name}0" for name in self.state_names)
            found |= dict(zip(names, dinitial, strict=True))
        return found
