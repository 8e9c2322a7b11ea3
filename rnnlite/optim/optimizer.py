"""What all optimizers share: whose parameters, what is remembered of them, and checkpoints."""

import numpy as np

from rnnlite import checking
from rnnlite.engine.memory import aligned_zeros

# A step takes, for each parameter, the time of this many multiplications in a product.
WORK = 30

# Lowest and highest value of each number, and whether the highest is allowed.
LIMITS = {
    "lr": (0.0, 1e6, True),
    "beta1": (0.0, 1.0, False),
    "beta2": (0.0, 1.0, False),
    "eps": (0.0, 1.0, True),
    "weight_decay": (0.0, 1e6, True),
    "momentum": (0.0, 1.0, False),
}


def setting(where, name, value):
    """A number between its limits, or True or False, also if in an array without axes."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if name == "t":
        return checking.whole_number(where, name, value, 0)
    if name in LIMITS:
        low, high, included = LIMITS[name]
        return checking.real_number(where, name, value, low, high, high_included=included)
    return checking.true_or_false(where, name, value)


def is_flat(model):
    """Whether the model keeps all parameters in one array, as those of the library do."""
    return hasattr(getattr(model, "parameters", None), "places")


class Optimizer:
    """What all optimizers share; use ``Adam`` or ``SGD``.

    ``moments`` names what is remembered of each parameter, zero at first; ``settings`` become the
    attributes that ``state_dict`` holds: the numbers in ``LIMITS``, the others bool.
    """

    def __init__(self, model, moments, **settings):
        self._settings = tuple(settings)
        for name, value in settings.items():
            setattr(self, name, setting(type(self).__name__, name, value))
        self.t, self._model = 0, model
        self._shapes = None  # of the parameters, once they are known to be usable
        self._moments = [
            {moment: aligned_zeros(p.size, p.dtype) for moment in moments}
            for p, _ in self._arrays()
        ]
        self._shapes = {name: p.shape for name, p in model.params.items()}
        # Of each parameter: in which of the pairs of arrays it lies, and where there.
        if is_flat(model):
            self._places = {name: (0, place) for name, place in model.parameters.places.items()}
        else:
            self._places = {name: (k, slice(None)) for k, name in enumerate(model.params)}

    @property
    def model(self):
        """The model, or whatever it is, whose parameters are changed."""
        return self._model

    def state_dict(self):
        """All that the next steps depend on besides the model, to keep in a checkpoint.

        Returns
        -------
        dict
            ``t``, the settings (numbers, True or False), and for each moment and parameter an
            array in the parameter's shape, as ``"m.0.Wx"``; copies.

        Examples
        --------
        >>> from rnnlite.layers import Dense
        >>> from rnnlite.optim import SGD
        >>> sorted(SGD(Dense(2, 3), lr=0.1, momentum=0.9).state_dict())
        ['lr', 'm.W', 'm.b', 'momentum', 'nesterov', 't', 'weight_decay']
        """
        state = {name: getattr(self, name) for name in ("t", *self._settings)}
        return state | {key: view.copy() for key, view in self._moment_views().items()}

    def load_state_dict(self, state):
        """Go on from a state that ``state_dict`` returned; one that does not fit changes nothing.

        Parameters
        ----------
        state : dict; numbers may be arrays without axes, as ``numpy.load`` returns them
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise TypeError(f"{where}: state is of type {type(state).__name__}; it must be a dict")
        views = self._moment_views()
        wanted = {"t", *self._settings, *views}
        if set(state) != wanted:
            lacks, unknown = sorted(wanted - set(state)), sorted(set(state) - wanted, key=str)
            problem = f"state lacks {lacks} and has unknown {unknown}"
            raise ValueError(f"{where}: {problem}; wanted what state_dict returns")
        settings = {name: setting(where, name, state[name]) for name in ("t", *self._settings)}
        arrays = {
            key: checking.shaped(where, key, state[key], view.shape, "as the parameter", view.dtype)
            for key, view in views.items()
        }
        for name, value in settings.items():
            setattr(self, name, value)
        for key, array in arrays.items():
            views[key][...] = array

    def step(self):
        """Update the parameters by their gradients, once."""
        where = f"{type(self).__name__}.step"
        if is_flat(self._model):
            self._model.check_gradients(where)
        lr = setting(where, "lr", self.lr)
        pairs = self._arrays()
        self.t += 1
        moments = [tuple(moments.values()) for moments in self._moments]
        self._update(lr, [(*p_g, *more) for p_g, more in zip(pairs, moments, strict=True)])

    def _update(self, lr, arrays):
        """Change the parameters; ``arrays`` holds (p, g, *moments) of each array of them."""
        raise NotImplementedError

    def _arrays(self):
        """Pairs of flat parameter and gradient arrays: one pair for a model of the library."""
        model, where = self._model, type(self).__name__
        if is_flat(model):
            return [(model.flat_params, model.flat_grads)]
        params, grads = getattr(model, "params", None), getattr(model, "grads", None)
        if not isinstance(params, dict) or not isinstance(grads, dict) or not params:
            wanted = "a layer, or an object with the dicts params and grads"
            raise TypeError(f"{where}: model is of type {type(model).__name__}; wanted {wanted}")
        if set(params) != set(grads):
            keys = f"params has {sorted(params)}, grads has {sorted(grads)}"
            raise ValueError(f"{where}: {keys}; wanted equal keys")
        if self._shapes is not None:
            self._check_unchanged(params)
        pairs = []
        for name, p in params.items():
            if not isinstance(p, np.ndarray) or p.dtype not in (np.float32, np.float64):
                raise TypeError(f"{where}: params[{name!r}] must be a float32 or float64 array")
            if not p.flags.c_contiguous or not p.flags.writeable:
                raise ValueError(f"{where}: params[{name!r}] must be C-contiguous and writeable")
            key = f"grads[{name!r}]"
            g = checking.shaped(where, key, grads[name], p.shape, "as the parameter", p.dtype)
            pairs.append((p.reshape(-1), g.reshape(-1)))
        return pairs

    def _check_unchanged(self, params):
        """The moments have the shapes that the parameters had at first."""
        shapes = {name: np.shape(p) for name, p in params.items()}
        for name in shapes | self._shapes:
            now, first = shapes.get(name, "no array"), self._shapes.get(name, "no array")
            if now != first:
                change = f"was {first} when this optimizer was made and is {now} now"
                where = f"{type(self).__name__}.step: params[{name!r}]"
                raise ValueError(f"{where} {change}; make a new optimizer")

    def _moment_views(self):
        """Each moment of each parameter, in its shape, as ``"m.0.Wx"``."""
        return {
            f"{moment}.{name}": self._moments[k][moment][place].reshape(self._shapes[name])
            for moment in self._moments[0]
            for name, (k, place) in self._places.items()
        }
