"""Optimizers: they turn gradients into better parameters, in place."""

import numpy as np

from rnnlite import checking, threads
from rnnlite.kernels.adam import adam, amsgrad
from rnnlite.kernels.sgd import sgd, sgd_momentum
from rnnlite.memory import aligned_zeros

# Lowest and highest value of each number, and whether the highest is allowed.
LIMITS = {
    "lr": (0.0, 1e6, True),
    "beta1": (0.0, 1.0, False),
    "beta2": (0.0, 1.0, False),
    "eps": (0.0, 1.0, True),
    "weight_decay": (0.0, 1e6, True),
    "momentum": (0.0, 1.0, False),
}

BIASES = ("b", "bh")

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
            setattr(self, name, _setting(type(self).__name__, name, value))
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

        Raises
        ------
        ValueError, TypeError
            For a missing or an unknown key, a wrong shape, or a number outside
            its range; the optimizer is then as it was.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise TypeError(f"{where}: state is a {type(state).__name__}; it must be a dict")
        views = list(self._moment_views())
        wanted = {"t", *self._settings, *(key for key, _, _ in views)}
        if set(state) != wanted:
            raise ValueError(
                f"{where}: state lacks {sorted(wanted - set(state))} and has unknown "
                f"{sorted(set(state) - wanted)}; wanted what state_dict returns"
            )
        t = checking.whole_number(where, "t", _without_axes(state["t"]), 0)
        settings = {name: _setting(where, name, state[name]) for name in self._settings}
        arrays = [
            checking.shaped(where, key, state[key], shape, "as the parameter", view.dtype)
            for key, view, shape in views
        ]
        self.t = t
        for name, value in settings.items():
            setattr(self, name, value)
        for (_, view, _), array in zip(views, arrays, strict=True):
            view[...] = array.reshape(-1)

    def _start_step(self):
        """The step size, checked, and the arrays with their moments: (p, g), (m, ...) of each."""
        where = f"{type(self).__name__}.step"
        lr = checking.real_number(where, "lr", self.lr, *LIMITS["lr"][:2])
        pairs = self._arrays()
        self.t += 1
        return lr, list(zip(pairs, self._moments_of_array, strict=True))

    def _arrays(self):
        """Pairs of flat parameter and gradient arrays: one pair for a model of the library."""
        model, where = self._model, type(self).__name__
        if _is_flat(model):
            return [(model.flat_params, model.flat_grads)]
        params, grads = getattr(model, "params", None), getattr(model, "grads", None)
        if not isinstance(params, dict) or not isinstance(grads, dict) or not params:
            raise TypeError(
                f"{where}: model is a {type(model).__name__}; wanted a layer, or an object with "
                "the dicts params and grads"
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


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, algorithm 1), epsilon outside the bias-corrected square root.

        m = beta1 m + (1 - beta1) g            mean of the gradient
        v = beta2 v + (1 - beta2) g^2          mean of its square
        p = p - lr m/(1 - beta1^t) / (sqrt(v/(1 - beta2^t)) + eps)

    With ``weight_decay`` it is AdamW (Loshchilov & Hutter 2019, algorithm 2):
    before this, p = (1 - lr weight_decay) p.  With ``amsgrad`` (Reddi, Kale &
    Kumar 2018, algorithm 2) the largest v there has been stands in the root.

    Parameters
    ----------
    model : Layer, or any object with dicts ``params`` and ``grads`` of equal keys
        Arrays of one dtype, C-contiguous, changed in place by ``step``.
    lr : float
        Step size; an attribute that may be set between steps.
    beta1, beta2 : float
        Memory of the two means, in [0, 1).
    eps : float
        Keeps the division finite.
    weight_decay : float
        Pull of the weights towards zero.
    amsgrad : bool
        Never let a step size grow again.
    decay_bias : bool
        Whether weight decay is for the biases, ``b`` and ``bh``, too.

    Attributes
    ----------
    t : int
        Steps taken.

    Raises
    ------
    ValueError, TypeError
        For a number outside its range, or a model without usable parameters.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1, seed=0)
    >>> before = dense.params["W"].copy()
    >>> optimizer = Adam(dense, lr=0.1)
    >>> dense.grads["W"][...] = 5.0
    >>> optimizer.step()
    >>> (before - dense.params["W"]).round(4)    # the first step is lr, whatever the gradient
    array([[0.1]], dtype=float32)
    """

    def __init__(
        self,
        model,
        lr=1e-3,
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
        *,
        weight_decay=0.0,
        amsgrad=False,
        decay_bias=False,
    ):
        self.amsgrad = _setting("Adam", "amsgrad", amsgrad)
        super().__init__(
            model, ("m", "v", "highest") if self.amsgrad else ("m", "v"), lr=lr, beta1=beta1,
            beta2=beta2, eps=eps, weight_decay=weight_decay, decay_bias=decay_bias,
        )  # fmt: skip
        self._weights = _ranges(self._places, without=BIASES)

    def step(self):
        """Update the parameters by their gradients, once.

        Raises
        ------
        ValueError
            If ``lr`` was set to something that is not a number of at least 0,
            or the parameters have other names or shapes than at first.
        """
        lr, arrays = self._start_step()
        if self.weight_decay:
            everything = [(k, 0, p.size) for k, ((p, _), _) in enumerate(arrays)]
            for k, start, end in everything if self.decay_bias else self._weights:
                (p, _), _ = arrays[k]
                p[start:end] *= 1.0 - lr * self.weight_decay
        rate = lr / (1.0 - self.beta1**self.t)
        correction2 = 1.0 / (1.0 - self.beta2**self.t)
        kernel = amsgrad if self.amsgrad else adam
        for (p, g), moments in arrays:
            number = p.dtype.type
            threads.share(
                kernel, p.size, WORK * p.size,
                p, g, *moments, number(rate), number(self.beta1), number(1.0 - self.beta1),
                number(self.beta2), number(1.0 - self.beta2), number(correction2), number(self.eps),
            )  # fmt: skip


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted, as PyTorch defines it.

        d = g + weight_decay p
        m = momentum m + d                     (Polyak 1964)
        p = p - lr m
        p = p - lr (d + momentum m)            with ``nesterov`` (Sutskever et al. 2013)

    Parameters
    ----------
    model : Layer, or any object with dicts ``params`` and ``grads`` of equal keys
        Arrays C-contiguous, changed in place by ``step``.
    lr : float
        Step size; an attribute that may be set between steps.
    momentum : float
        How much of the last step goes on, in [0, 1).
    nesterov : bool
        Whether the gradient is added as if the step were taken already.
    weight_decay : float
        Slope of the penalty weight_decay/2 p^2, on all parameters.

    Attributes
    ----------
    t : int
        Steps taken.

    Raises
    ------
    ValueError, TypeError
        For a number outside its range, ``nesterov`` without momentum, or a model
        without usable parameters.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> dense = Dense(1, 1, seed=0)
    >>> before = dense.params["W"].copy()
    >>> optimizer = SGD(dense, lr=0.1)
    >>> dense.grads["W"][...] = 5.0
    >>> optimizer.step()
    >>> (before - dense.params["W"]).round(4)
    array([[0.5]], dtype=float32)
    """

    def __init__(self, model, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        moments = ("m",) if _setting("SGD", "momentum", momentum) else ()
        if _setting("SGD", "nesterov", nesterov) and not moments:
            raise ValueError("SGD: nesterov is True and momentum is 0; it needs momentum above 0")
        super().__init__(
            model, moments, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
        )

    def step(self):
        """Update the parameters by their gradients, once.

        Raises
        ------
        ValueError
            If ``lr`` was set to something that is not a number of at least 0,
            or the parameters have other names or shapes than at first.
        """
        lr, arrays = self._start_step()
        along_m, along_g = (self.momentum, 1.0) if self.nesterov else (1.0, 0.0)
        for (p, g), moments in arrays:
            number = p.dtype.type
            step = (p, g, *moments, number(lr), number(self.weight_decay))
            if moments:
                step = (*step, number(self.momentum), number(along_m), number(along_g))
            threads.share(sgd_momentum if moments else sgd, p.size, WORK * p.size, *step)


def _setting(where, name, value):
    """A number between its limits, or True or False."""
    value = _without_axes(value)
    if name in LIMITS:
        low, high, included = LIMITS[name]
        return checking.real_number(where, name, value, low, high, high_included=included)
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{where}: {name} is {value!r}; it must be True or False")
    return bool(value)


def _without_axes(value):
    """The number in an array without axes; anything else as it is."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _is_flat(model):
    """Whether the model keeps all parameters in one array, as those of the library."""
    return hasattr(model, "flat_params") and hasattr(model, "flat_grads")


def _address(array):
    return array.__array_interface__["data"][0]


def _ranges(places, without):
    """Parts of the arrays (number, start, end) that hold parameters of other names, merged."""
    ranges = []
    for name, (k, start, end, _) in sorted(places.items(), key=lambda item: item[1][:3]):
        if name.rpartition(".")[2] in without:
            continue
        if ranges and ranges[-1][0] == k and ranges[-1][2] == start:
            start = ranges.pop()[1]
        ranges.append((k, start, end))
    return ranges
