"""What every layer and model is: parameters, inference, forward and backward, copies."""

import copy
import inspect

import numpy as np

from rnnlite import checking
from rnnlite.layers.parameters import Parameters
from rnnlite.layers.saved import Pool, Saved
from rnnlite.layers.turns import Turns


class Layer:
    """Base of all layers and models; derive from it to write one of your own.

    A class of your own defines three methods:

    ``__init__(self, ..., dtype="float32")``
        calls ``super().__init__(shapes, dtype)`` with the shape of each parameter by
        name, and keeps each of its arguments (but a ``seed``) as an attribute of the same
        name: files, copies and ``repr`` are made of them.
    ``forward_pass(self, x, saved)``
        returns y.  x (B, ...) is an array of the layer's dtype.  What the derivative
        needs is set as attributes of ``saved``; nothing of a run is set on ``self``,
        since many threads may be in here.  ``saved.lengths``, int64 (B,) or None, and
        ``saved.training`` tell how it was called.
    ``backward_pass(self, dy, saved)``
        writes dL/d(parameter) into ``self.grads[name][...]`` and returns dL/dx.

    All else is done here and is the same for every layer: inference from any number of
    threads, checks, one flat array of parameters, lengths (padded steps of x, y, dy and dx
    are zero), copies, files (``load(path, layers=[Mine])``), pickles, the gradient check.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Of the parameters, which are zero at first.
    dtype : {"float32", "float64"}
    layers : dict of str to Layer, optional
        Layers inside this one, each in no other model.  They are run by
        ``saved.run(layer, x, lengths)`` and go back by their ``backward``.

    Attributes
    ----------
    params, grads : dict of str to numpy.ndarray
        Parameters and their gradients by name: views into the flat arrays.  Write into them
        (``p[...] = value``) or assign (``params[name] = array``), which copies.
    flat_params, flat_grads : numpy.ndarray (n,)
        All parameters, and all gradients, as one array each.
    dtype : numpy.dtype
    layers : list of Layer
        The layers inside.

    Examples
    --------
    >>> class Scale(Layer):
    ...     def __init__(self, features, dtype="float32"):
    ...         super().__init__({"s": (features,)}, dtype)
    ...         self.features = features
    ...         self.params["s"][...] = 2.0
    ...
    ...     def forward_pass(self, x, saved):
    ...         saved.x = x
    ...         return x * self.params["s"]
    ...
    ...     def backward_pass(self, dy, saved):
    ...         self.grads["s"][...] = (dy * saved.x).reshape(-1, self.features).sum(axis=0)
    ...         return dy * self.params["s"]
    >>> from rnnlite import gradcheck
    >>> Scale(2)([[1.0, 3.0]]), gradcheck.check(Scale(2), np.random.rand(4, 2)).passed
    (array([[2., 6.]], dtype=float32), True)
    """

    takes_indices = False  # whether x holds whole numbers, which have no gradient
    input_features = None  # features of x, where one number of them is wanted
    _zeroes_padding = False  # whether the layer does itself what ``lengths`` asks for
    _time_from = 3  # axes from which axis 1 of x is time
    _in_a_model = False
    _largest = None  # most numbers it may have, where a file asks for them

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        if "_options" not in cls.__dict__:
            cls._options = tuple(name for name in _defaults(cls) if name != "seed")

    def __init__(self, shapes=(), dtype="float32", layers=None, aligned=True):
        where = type(self).__name__
        dtype = checking.float_dtype(where, dtype)
        self._layers = dict(layers or {})
        for name, layer in self._layers.items():
            _check_free(where, name, layer, self._layers)
        self._parameters = Parameters(
            where, shapes, dtype, self._parts(), aligned, largest=self._largest
        )
        for layer in self._layers.values():
            layer._in_a_model = True
        self._forget()

    # ---- what it is made of ----

    @property
    def parameters(self):
        """Where the parameters lie; see ``rnnlite/layers/parameters.py``."""
        return self._parameters

    @property
    def params(self):
        """Parameters by name; what is assigned to one is copied into place."""
        return self._parameters.values

    @property
    def grads(self):
        """Gradients of the last backward by name."""
        return self._parameters.gradients

    @params.setter
    def params(self, value):
        if value is not self.params:  # as after ``layer.params |= ...``
            self.params.update(value)

    @grads.setter
    def grads(self, value):
        if value is not self.grads:
            self.grads.update(value)

    @property
    def flat_params(self):
        """All parameters as one array; what is assigned is copied into place."""
        return self._parameters.flat

    @flat_params.setter
    def flat_params(self, value):
        self._parameters.flat[...] = self._flat("flat_params", value)

    @property
    def flat_grads(self):
        """All gradients as one array; what is assigned is copied into place."""
        return self._parameters.flat_gradients

    @flat_grads.setter
    def flat_grads(self, value):
        self._parameters.flat_gradients[...] = self._flat("flat_grads", value)

    def _flat(self, name, value):
        shape = (self._parameters.size,)
        return checking.shaped(type(self).__name__, name, value, shape, "as it is", self.dtype)

    @property
    def dtype(self):
        """float32 or float64, of all parameters and results."""
        return self._parameters.dtype

    @property
    def layers(self):
        """The layers inside, first to last."""
        return list(self._layers.values())

    def walk(self, key=""):
        """This layer and all inside it, each with its key, as in ``params``.

        Parameters
        ----------
        key : str
            Of this layer.

        Yields
        ------
        key : str
            ``""`` for this layer, ``"0"``, ``"1.forward"`` for those inside.
        layer : Layer
        """
        yield key, self
        for name, layer in self._layers.items():
            yield from layer.walk(f"{key}.{name}" if key else name)

    def options(self):
        """All that its constructor needs to make a layer like it, but for the seed.

        Returns
        -------
        dict
            Arguments by name.

        Examples
        --------
        >>> from rnnlite.layers import Dropout
        >>> Dropout(0.5, seed=0).options()
        {'rate': 0.5, 'per_sequence': False, 'dtype': dtype('float32')}
        """
        for name in self._options:
            if not hasattr(self, name):
                raise AttributeError(
                    f"{type(self).__name__}: the constructor's argument {name!r} is no attribute; "
                    f"write self.{name} = {name}, of which files, copies and repr are made"
                )
        return {name: getattr(self, name) for name in self._options}

    def __repr__(self):
        defaults, given = _defaults(type(self)), []
        for name, value in self.options().items():
            default = defaults.get(name, inspect.Parameter.empty)
            if default is inspect.Parameter.empty:
                given.append(getattr(value, "name", None) or repr(value))
            elif name != "dtype" and value != default:
                given.append(f"{name}={getattr(value, 'name', value)!r}")
        return f"{type(self).__name__}({', '.join(given)})"

    def output_features(self, features):
        """Features of y for so many of x; None where that is not known."""
        return None

    def num_params(self):
        """Number of trainable numbers.

        Returns
        -------
        int
        """
        return sum(array.size for array in self.params.values())

    # ---- how it is run ----

    def __call__(self, x, lengths=None):
        """Inference: compute the output, keep nothing, in any number of threads at once.

        While another thread trains the model, an answer may come of weights between two steps.

        Parameters
        ----------
        x : array_like (B, ...)
            Rows; (B, T, features) for layers with a time axis.
        lengths : array_like of int (B,), optional
            Valid steps of each row, 1 to T.

        Returns
        -------
        numpy.ndarray
            Yours to keep and to change.

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        """
        return self._owned(self.infer(x, lengths), x)

    def forward(self, x, lengths=None, training=False):
        """Compute the output, and save what ``backward`` needs.

        Parameters
        ----------
        x : array_like (B, ...)
            Rows; (B, T, features) for layers with a time axis.  Converted to the layer's dtype.
        lengths : array_like of int (B,), optional
            Valid steps of each row, 1 to T.  Past them outputs are zero, recurrent states stay
            as they were, and whatever the padding of x holds takes no part.
        training : bool
            True in a training loop: dropout is drawn, and the returned array is memory of
            the layer, written again by the next forward, so that nothing is allocated.

        Returns
        -------
        numpy.ndarray

        Raises
        ------
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers.
        RuntimeError
            If another thread's ``fit`` is training the model.
        """
        return self._forward(x, lengths, training)

    def backward(self, dy, need_dx=True):
        """Backpropagate through the last ``forward``; overwrites ``grads``.

        Only the last forward counts, whichever it was meant for: two of them and then one
        backward give the gradient of the second.  For two inputs run forward, backward,
        forward, backward, and add up the gradients; answers that need no gradient are
        ``model(x)``.  ``backward`` also refuses a forward of another thread.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result
            Gradient of the loss by the output; ignored at padded steps.
        need_dx : bool
            False for a first layer: the gradient by x is not computed.

        Returns
        -------
        numpy.ndarray, in the shape of x, or None
            Gradient by x, if needed and if x has one.  After ``forward(training=True)`` it is
            memory of the layer, written again by the next backward.

        Raises
        ------
        RuntimeError
            Without a forward before it; each forward allows one backward.
        ValueError, TypeError
            For a wrong shape, or an array that does not hold real numbers; the forward may
            then be used by a corrected call.
        """
        return self._backward(dy, need_dx)

    def infer(self, x, lengths=None, **states):
        """``model(x)`` for a caller that does not own x: the result may be x itself."""
        saved = self._pool.take(getattr(x, "shape", None))
        try:
            return self._run("", saved, x, lengths, False, states)
        finally:
            self._pool.give_back(saved)

    def forward_pass(self, x, saved):
        """Compute y, saving what ``backward_pass`` needs; see the class."""
        raise NotImplementedError(f"{type(self).__name__} has no forward_pass(x, saved)")

    def backward_pass(self, dy, saved):
        """Write ``grads`` and return dx; see the class."""
        raise NotImplementedError(f"{type(self).__name__} has no backward_pass(dy, saved)")

    def check_input(self, where, x, lengths):
        """x as ``forward_pass`` takes it, and lengths as int64, or an error; to override."""
        x = checking.real_array(where, "x", x)
        if x.ndim < 2 or 0 in x.shape:
            raise ValueError(
                f"{where}: x has shape {x.shape}; wanted (batch, ...), two axes or more and none "
                "of them 0"
            )
        return checking.contiguous(x, self.dtype), self._checked_lengths(where, x, lengths)

    def _checked_lengths(self, where, x, lengths):
        if lengths is None:
            return None
        if x.ndim < self._time_from:
            raise ValueError(
                f"{where}: lengths were given, but x has shape {x.shape}; wanted (batch, time"
                f"{', features' if self._time_from > 2 else ''})"
            )
        return checking.row_lengths(where, lengths, *x.shape[:2])

    def _run(self, method, saved, x, lengths, training, states):
        where = type(self).__name__ + method
        x, saved.lengths = self.check_input(where, x, lengths)
        saved.training, saved.input_shape = training, getattr(x, "shape", None)
        if self._zeroes_padding:
            y = self.forward_pass(x, saved, **states)
        else:
            y = saved.without_padding(self.forward_pass(saved.without_padding(x), saved, **states))
        saved.output_shape = y.shape
        return y

    def _forward(self, x, lengths, training, **states):
        with self._turns:
            self._may_go_back = False  # should it fail half-way
            y = self._run(".forward", self._saved, x, lengths, bool(training), states)
            self._may_go_back = True
            self._turns.note("forward")
        return y

    def _backward(self, dy, need_dx, **dstates):
        where, saved = f"{type(self).__name__}.backward", self._saved
        with self._turns:
            if not self._may_go_back:
                raise RuntimeError(
                    f"{where}: there is no forward pass to go back through; "
                    "call forward first, and backward once after each forward"
                )
            self._turns.check(where, "forward")
            if dy is not None or not dstates:
                meaning = "as forward's result"
                dy = checking.shaped(where, "dy", dy, saved.output_shape, meaning, self.dtype)
            self._may_go_back, saved.need_dx = False, bool(need_dx)
            self._turns.note("backward")
            if self._zeroes_padding:
                return self.backward_pass(dy, saved, **dstates)
            dx = self.backward_pass(saved.without_padding(dy), saved, **dstates)
            return None if dx is None or not need_dx else saved.without_padding(dx)

    def _owned(self, y, x):
        """``y``, copied if it is the caller's own x."""
        return y.copy() if isinstance(x, np.ndarray) and np.may_share_memory(y, x) else y

    def training_turn(self, where):
        """A block in which no other thread can train this model; for ``fit``."""
        return self._turns.owned(where)

    def check_gradients(self, where):
        """Refuse gradients that another thread's backward wrote; for optimizers."""
        self._turns.check(where, "backward")

    # ---- copies ----

    def _parts(self):
        return {name: layer.parameters for name, layer in self._layers.items()}

    def _forget(self):
        """Drop all memory of runs."""
        self._saved, self._pool, self._turns = Saved(True), Pool(), Turns()
        self._may_go_back = False

    def copy(self, dtype=None):
        """An independent layer with the same parameters.

        Parameters
        ----------
        dtype : {"float32", "float64"}, optional
            Precision of the copy; the layer's own if not given.

        Returns
        -------
        Layer
            Of the same class, without the memory of a forward pass.

        Raises
        ------
        ValueError
            For another dtype.
        """
        dtype = self.dtype if dtype is None else checking.float_dtype("copy", dtype)
        return self._copied(dtype, {})

    def _copied(self, dtype, memo):
        twin = memo[id(self)] = object.__new__(type(self))
        twin._layers = {
            name: memo[id(layer)] if id(layer) in memo else layer._copied(dtype, memo)
            for name, layer in self._layers.items()
        }
        twin._parameters = self._parameters.copy(dtype, twin._parts())
        for layer in twin._layers.values():
            layer._in_a_model = True
        twin._forget()
        made_here = {*twin.__dict__, "_in_a_model"}
        for name, value in self.__dict__.items():
            if name not in made_here:  # the constructor's arguments never change
                known = name in self._options
                twin.__dict__[name] = value if known else copy.deepcopy(value, memo)
        return twin

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self._copied(self.dtype, memo)

    def __reduce__(self):
        """Pickles hold the file that ``save`` would write; cells and classes go by reference."""
        from rnnlite.saving import models  # a room above this one, which need not be there before

        return models.from_bytes, (models.to_bytes(self), *models.own_parts(self))


def _defaults(cls):
    """Default, or ``Parameter.empty``, of each argument of a layer's constructor.

    ``**options`` stands for the arguments of the base class that have a default.
    """
    found, empty = {}, inspect.Parameter.empty
    for base in cls.__mro__:
        if "__init__" not in base.__dict__ or base is Layer:
            continue
        arguments = list(inspect.signature(base.__init__).parameters.values())[1:]
        for argument in arguments:
            first = base is next(b for b in cls.__mro__ if "__init__" in b.__dict__)
            if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL):
                continue
            if first or argument.default is not empty:
                found.setdefault(argument.name, argument.default)
        if not any(argument.kind is argument.VAR_KEYWORD for argument in arguments):
            break
    return found


def _check_free(where, name, layer, layers):
    """Refuse what cannot be a part of a model."""
    if not isinstance(layer, Layer):
        raise TypeError(
            f"{where}: layers[{name}] is of type {type(layer).__name__}; wanted a layer"
        )
    if layer._in_a_model or sum(layer is other for other in layers.values()) > 1:
        raise ValueError(
            f"{where}: layers[{name}], {layer!r}, is in a model already, and its parameters with "
            "it; give this model layer.copy()"
        )
