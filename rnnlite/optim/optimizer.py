"""What all optimizers share: whose parameters, what is remembered of them, and checkpoints."""

import numpy as np

from rnnlite import checking
from rnnlite.engine.memory import aligned_zeros
from rnnlite.optim.settings import LIMITS, setting, without_axes

# A step takes, for each parameter, the time of this many multiplications in a product.
WORK = 30


class Optimizer:
    """What all optimizers share; use ``Adam`` or ``SGD``.

    Parameters
    ----------
    model : Layer, or any object with dicts ``params`` and ``grads`` of equal keys
    moments : tuple of str
        Names of what is remembered of each parameter; zeros at first.
    **settings
        Attributes that ``state_dict`` holds: see ``LIMITS`` for the numbers; the others are bool.
    """

    def __init__(self, model, moments, **settings):
        self._settings = tuple(settings)
        for name, value in settings.items():
            setattr(self, name, setting(type(self).__name__, name, value))
        self.t = 0
        self._model = model
        self._shapes = None  # of the parameters, once they are known to be usable
        arrays = [p for p, _ in self._arrays()]
        self._shapes = {name: p.shape for name, p in model.params.items()}
        self._moments = {
            moment: [aligned_zeros(p.size, p.dtype) for p in arrays] for moment in moments
        }
        self._moments_of_array = [
            tuple(moment[k] for moment in self._moments.values()) for k in range(len(arrays))
        ]
        self._places = self._find_places(arrays)

    @property
    def model(self):
        """The model, or whatever it is, whose parameters are changed."""
        return self._model

    def state_dict(self):
        """All that the next steps depend on besides the model, to keep in a checkpoint.

        Returns
        -------
        dict
            ``t`` and the settings (numbers, True or False), and for each moment
            and parameter an array in the parameter's shape, as ``"m.0.Wx"``; copies.

        Examples
        --------
        >>> from rnnlite.layers import Dense
        >>> from rnnlite.optim import SGD
        >>> sorted(SGD(Dense(2, 3), lr=0.1, momentum=0.9).state_dict())
        ['lr', 'm.W', 'm.b', 'momentum', 'nesterov', 't', 'weight_decay']
        """
        state = {"t": self.t} | {name: getattr(self, name) for name in self._settings}
        for key, view, shape in self._moment_views():
            state[key] = view.reshape(shape).copy()
        return state

    def load_state_dict(self, state):
        """Go on from a state that ``state_dict`` returned.

        Parameters
        ----------
        state : dict
            Numbers may also come as arrays without axes, as ``numpy.load`` returns them.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise TypeError(f"{where}: state is of type {type(state).__name__}; it must be a dict")
        views = list(self._moment_views())
        wanted = {"t", *self._settings, *(key for key, _, _ in views)}
        if set(state) != wanted:
            raise ValueError(
                f"{where}: state lacks {sorted(wanted - set(state))} and has unknown "
                f"{sorted(set(state) - wanted, key=str)}; wanted what state_dict returns"
            )
        t = checking.whole_number(where, "t", without_axes(state["t"]), 0)
        settings = {name: setting(where, name, state[name]) for name in self._settings}
        arrays = [
            checking.shaped(where, key, state[key], shape, "as the parameter", view.dtype)
            for key, view, shape in views
        ]
        self.t = t
        for name, value in settings.items():
            setattr(self, name, value)
        for (_, view, _), array in zip(views, arrays, strict=True):
            view[...] = array.reshape(-1)

    def step(self):
        """Update the parameters by their gradients, once."""
        where = f"{type(self).__name__}.step"
        if hasattr(self._model, "check_gradients"):
            self._model.check_gradients(where)
        lr = checking.real_number(where, "lr", self.lr, *LIMITS["lr"][:2])
        pairs = self._arrays()
        self.t += 1
        self._update(lr, list(zip(pairs, self._moments_of_array, strict=True)))

    def _update(self, lr, arrays):
        """Change the parameters; ``arrays`` holds (p, g), (m, ...) of each array of them."""
        raise NotImplementedError

    def _arrays(self):
        """Pairs of flat parameter and gradient arrays: one pair for a model of the library."""
        model, where = self._model, type(self).__name__
        if _is_flat(model):
            return [(model.flat_params, model.flat_grads)]
        params, grads = getattr(model, "params", None), getattr(model, "grads", None)
        if not isinstance(params, dict) or not isinstance(grads, dict) or not params:
            raise TypeError(
                f"{where}: model is of type {type(model).__name__}; wanted a layer, or an object "
                "with the dicts params and grads"
            )
        if set(params) != set(grads):
            raise ValueError(
                f"{where}: params has {sorted(params)}, grads has {sorted(grads)}; "
                "wanted equal keys"
            )
        if self._shapes is not None:
            self._check_unchanged(params)
        pairs = []
        for name, p in params.items():
            g = checking.real_array(where, f"grads[{name!r}]", grads[name])
            if not isinstance(p, np.ndarray) or p.dtype not in (np.float32, np.float64):
                raise TypeError(f"{where}: params[{name!r}] must be a float32 or float64 array")
            if not p.flags.c_contiguous or not p.flags.writeable:
                raise ValueError(f"{where}: params[{name!r}] must be C-contiguous and writeable")
            if g.shape != p.shape:
                raise ValueError(
                    f"{where}: grads[{name!r}] has shape {g.shape}; "
                    f"wanted {p.shape}, as the parameter"
                )
            pairs.append((p.reshape(-1), checking.contiguous(g, p.dtype).reshape(-1)))
        return pairs

    def _check_unchanged(self, params):
        """The moments have the shapes that the parameters had at first."""
        shapes = {name: np.shape(p) for name, p in params.items()}
        for name in shapes | self._shapes:
            now, first = shapes.get(name, "no array"), self._shapes.get(name, "no array")
            if now != first:
                raise ValueError(
                    f"{type(self).__name__}.step: params[{name!r}] was {first} when this optimizer "
                    f"was made and is {now} now; make a new optimizer"
                )

    def _find_places(self, arrays):
        """Of each parameter: which array of ``_arrays`` it lies in, start, end, and shape."""
        params = self._model.params
        if not _is_flat(self._model):
            return {name: (k, 0, p.size, p.shape) for k, (name, p) in enumerate(params.items())}
        flat, places = arrays[0], {}
        for name, p in params.items():
            start = (_address(p) - _address(flat)) // flat.itemsize
            if p.size and not 0 <= start <= flat.size - p.size:
                raise ValueError(
                    f"{type(self).__name__}: params[{name!r}] is no longer part of flat_params; "
                    "write into it (p[...] = value) instead of replacing it"
                )
            places[name] = (0, start, start + p.size, p.shape)
        return places

    def _moment_views(self):
        """Key, flat view and shape of each moment of each parameter."""
        for moment, arrays in self._moments.items():
            for name, (k, start, end, shape) in self._places.items():
                yield f"{moment}.{name}", arrays[k][start:end], shape


def _is_flat(model):
    """Whether the model keeps all parameters in one array, as those of the library."""
    return hasattr(model, "flat_params") and hasattr(model, "flat_grads")


def _address(array):
    return array.__array_interface__["data"][0]
