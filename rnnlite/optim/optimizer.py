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
    return hasattr(model, "flat_params") and hasattr(model, "places")


class Optimizer:
    """What all optimizers share; use ``Adam`` or ``SGD``.

    ``moments`` names what is remembered of each parameter, zero at first; ``settings`` become the
    attributes that ``state_dict`` holds: the numbers in ``LIMITS``, the others bool.  They may be
    set to what the constructor takes.
    """

    _settings = ()

    def __init__(self, model, moments, **settings):
        self._settings, self._model, self._kinds = tuple(settings), model, None
        for name, value in settings.items():
            setattr(self, name, value)
        self.t = 0
        arrays = self._arrays()
        self._kinds = {name: _kind(p) for name, (p, _) in arrays.items()}
        # Of each array, by its name: one array that is called None for a model of the library.
        self._moments = {
            name: {moment: aligned_zeros(p.size, p.dtype) for moment in moments}
            for name, (p, _) in arrays.items()
        }
        # Of each parameter: in which array it lies, where there, and its shape.
        places = model.places if is_flat(model) else {}
        self._places = {
            name: (None if places else name, places.get(name, slice(None)), p.shape)
            for name, p in model.params.items()
        }

    def __setattr__(self, name, value):
        if name == "t" or name in self._settings:
            value = self._setting(type(self).__name__, name, value)
        elif not name.startswith("_") and hasattr(type(self), name):
            fact = "is what its class says and cannot be changed"
            raise AttributeError(f"{type(self).__name__}: {name} {fact}; make another optimizer")
        super().__setattr__(name, value)

    def __delattr__(self, name):
        raise AttributeError(f"{type(self).__name__}: {name} cannot be deleted")

    def _setting(self, where, name, value):
        """A setting as it may stand between two steps, or an error."""
        return setting(where, name, value)

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
        names = ("t", *self._settings)
        settings = {name: self._setting(where, name, state[name]) for name in names}
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
        arrays = {
            name: (p.reshape(-1), g.reshape(-1), *self._moments[name].values())
            for name, (p, g) in self._arrays().items()
        }
        self.t += 1
        self._update(arrays)

    def _update(self, arrays):
        """Change the parameters; ``arrays`` has (p, g, *moments), each (n,), by their names."""
        raise NotImplementedError

    def _arrays(self):
        """Pairs of parameter and gradient arrays by name: one pair for a model of the library."""
        model, where = self._model, type(self).__name__
        if is_flat(model):
            return self._checked(where, {None: model.flat_params}, {None: model.flat_grads})
        params, grads = getattr(model, "params", None), getattr(model, "grads", None)
        if not isinstance(params, dict) or not isinstance(grads, dict) or not params:
            wanted = "a layer, or an object with the dicts params and grads"
            raise TypeError(f"{where}: model is of type {type(model).__name__}; wanted {wanted}")
        if set(params) != set(grads):
            keys = f"params has {sorted(params)}, grads has {sorted(grads)}"
            raise ValueError(f"{where}: {keys}; wanted equal keys")
        return self._checked(where, params, grads)

    def _checked(self, where, params, grads):
        if self._kinds is not None:
            self._check_unchanged(params)
        pairs = {}
        for name, p in params.items():
            if not isinstance(p, np.ndarray) or p.dtype not in (np.float32, np.float64):
                raise TypeError(f"{where}: params[{name!r}] must be a float32 or float64 array")
            if not p.flags.c_contiguous or not p.flags.writeable:
                raise ValueError(f"{where}: params[{name!r}] must be C-contiguous and writeable")
            key = f"grads[{name!r}]"
            g = checking.shaped(where, key, grads[name], p.shape, "as the parameter", p.dtype)
            pairs[name] = (p, g)
        return pairs

    def _check_unchanged(self, params):
        """The moments are of the shapes and dtypes that the parameters had at first."""
        first, now = self._kinds, {name: _kind(p) for name, p in params.items()}
        for name in () if now == first else first | now:
            was, is_ = (" ".join(map(str, k.get(name, ["no array"]))) for k in (first, now))
            if was != is_:
                change = f"was {was} when this optimizer was made and is {is_} now"
                where = f"{type(self).__name__}.step: params[{name!r}]"
                raise ValueError(f"{where} {change}; make a new optimizer")

    def _moment_views(self):
        """Each moment of each parameter, in its shape, as ``"m.0.Wx"``."""
        moments = next(iter(self._moments.values()))
        return {
            f"{moment}.{name}": self._moments[array][moment][place].reshape(shape)
            for moment in moments
            for name, (array, place, shape) in self._places.items()
        }


def _kind(array):
    return getattr(array, "dtype", type(array).__name__), np.shape(array)
