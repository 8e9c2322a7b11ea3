"""What a layer or a model is made of: parameters, layers inside, options; and its copies."""

import collections
import copy
import functools
import inspect

from rnnlite import checking
from rnnlite.layers.parameters import Parameters

# Packages whose classes say what a layer has: their names in it stay.
OURS = ("rnnlite", "builtins")


def _building(constructor):
    """A constructor at the end of which the layer is built: what it was built with stays."""

    @functools.wraps(constructor)
    def __init__(self, *arguments, **options):
        if self._built:
            raise AttributeError(f"{type(self).__name__}: it is built already; make another layer")
        constructor(self, *arguments, **options)
        self._built = type(self).__init__ is __init__  # else that of a derived class goes on

    return __init__


class Tree:
    """A node with parameters of its own and nodes inside; ``Layer`` is one that runs."""

    _options = ()  # the constructor's arguments but a seed, which are attributes
    _built = _in_a_model = False
    _part_name = "layers[{}]"  # how a message calls a layer inside
    _largest = None  # most numbers it may have, where a file asks for them

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        if "__init__" in cls.__dict__:
            cls.__init__ = _building(cls.__init__)
            if "_options" not in cls.__dict__:
                cls._options = tuple(name for name in _defaults(cls) if name != "seed")

    @_building
    def __init__(self, shapes=(), dtype="float32", layers=None, aligned=True):
        where, self._layers = type(self).__name__, dict(layers or {})
        common = self._check_layers(where)
        dtype = common if dtype is None and self._layers else checking.float_dtype(where, dtype)
        self._parameters = Parameters(where, shapes, dtype, self._parts(), aligned, self._largest)
        self._own()

    def __setattr__(self, name, value):
        self._refuse_change(name)
        super().__setattr__(name, value)

    def __delattr__(self, name):
        self._refuse_change(name)
        super().__delattr__(name)

    def _refuse_change(self, name):
        """Buffers and kernels rely on what a layer was built with, and on what its class says.

        Private names are the library's, and all others that its classes do not know a person's.
        """
        if not self._built or (name.startswith("_") and not name.startswith("__")):
            return
        where, found = type(self).__name__, inspect.getattr_static(type(self), name, None)
        if isinstance(found, property) and found.fset:  # copies into place
            return
        kinds = type(self).__mro__
        if name in self._layers or any(name in vars(kind).get("_options", ()) for kind in kinds):
            fact = "is what the layer was built with and cannot be changed; make another layer"
            raise AttributeError(f"{where}: {name} {fact}")
        if any(name in vars(k) for k in kinds if k.__module__.partition(".")[0] in OURS):
            fact = "is what its class says and cannot be changed; derive a class of your own"
            raise AttributeError(f"{where}: {name} {fact}")

    def _parts(self):
        return {name: layer._parameters for name, layer in self._layers.items()}

    def _own(self):
        for layer in self._layers.values():
            layer._in_a_model = True
        self._forget()

    def _check_layers(self, where):
        """Refuse what cannot be part of a model; the dtype that all layers inside have."""
        layers = list(self._layers.values())
        times = collections.Counter(map(id, layers))
        for name, layer in self._layers.items():
            name = self._part_name.format(name)
            if not isinstance(layer, Tree):
                kind = type(layer).__name__
                raise TypeError(f"{where}: {name} is of type {kind}; wanted a layer")
            if layer._in_a_model or times[id(layer)] > 1:
                advice = "and its parameters with it; give this model layer.copy()"
                raise ValueError(f"{where}: {name}, {layer!r}, is in a model already, {advice}")
        # A layer without parameters takes the dtype of its model.
        first = next((layer for layer in layers if layer.params), layers[0] if layers else None)
        for name, layer in self._layers.items():
            if layer.params and layer.dtype != first.dtype:
                found = f"{self._part_name.format(name)} computes in {layer.dtype}"
                others = f"{first!r} in {first.dtype}"
                raise ValueError(f"{where}: {found}, {others}; wanted one dtype")
        return first and first.dtype

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
        return self._parameters.flat.view()

    @flat_params.setter
    def flat_params(self, value):
        self._parameters.flat[...] = self._flat("flat_params", value)

    @property
    def flat_grads(self):
        """All gradients as one array; what is assigned is copied into place."""
        return self._parameters.flat_gradients.view()

    @flat_grads.setter
    def flat_grads(self, value):
        self._parameters.flat_gradients[...] = self._flat("flat_grads", value)

    def _flat(self, name, value):
        shape = (self._parameters.size,)
        return checking.shaped(type(self).__name__, name, value, shape, "as it is", self.dtype)

    @property
    def places(self):
        """Where each parameter lies in the flat arrays, by name, as a slice."""
        return dict(self._parameters.places)

    @property
    def dtype(self):
        """float32 or float64, of all parameters and results."""
        return self._parameters.dtype

    @property
    def layers(self):
        """The layers inside, first to last."""
        return list(self._layers.values())

    def walk(self, key=""):
        """Pairs of key and layer, this one (``key``) and all inside: "", "0", "1.forward"."""
        yield key, self
        for name, layer in self._layers.items():
            yield from layer.walk(f"{key}.{name}" if key else name)

    def options(self):
        """All that its constructor needs to make a layer like it, but for the seed, by name.

        >>> from rnnlite.layers import Dropout
        >>> Dropout(0.5, seed=0).options()
        {'rate': 0.5, 'per_sequence': False, 'dtype': dtype('float32')}
        """
        for name in self._options:
            if not hasattr(self, name):
                problem = f"the constructor's argument {name!r} is no attribute"
                advice = f"write self.{name} = {name}, of which files, copies and repr are made"
                raise AttributeError(f"{type(self).__name__}: {problem}; {advice}")
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

    def num_params(self):
        """Number of trainable numbers."""
        return sum(array.size for array in self.params.values())

    def copy(self, dtype=None, compute_dtype=None):
        """An independent layer with the same parameters, without the memory of a forward pass.

        ``dtype``, "float32" or "float64", is the copy's precision: the layer's own if not given.
        ``compute_dtype``, "float32" or as for ``Recurrent``, is what each recurrent and Dense layer
        inside rounds to before it multiplies: each layer's own if not given, none in float64.

        >>> from rnnlite.layers import GRU
        >>> GRU(3, 4).copy(compute_dtype="bfloat16")
        GRU(3, 4, compute_dtype='bfloat16')
        """
        dtype = self.dtype if dtype is None else checking.float_dtype("copy", dtype)
        twin = self._copied(dtype, {})
        rounding = [layer for _, layer in twin.walk() if "compute_dtype" in layer._options]
        if compute_dtype is not None:
            value = checking.compute_dtype("copy", compute_dtype, dtype)
            if value and not rounding:
                problem = f"compute_dtype is {value!r}, and no layer of {self!r} has products"
                raise ValueError(f"copy: {problem}; recurrent layers and Dense have")
            for layer in rounding:
                vars(layer)["compute_dtype"] = value  # past "read-only", before anyone has seen it
        return twin

    def _copied(self, dtype, memo):
        twin = memo[id(self)] = object.__new__(type(self))
        twin._layers = {
            name: memo[id(layer)] if id(layer) in memo else layer._copied(dtype, memo)
            for name, layer in self._layers.items()
        }
        twin._parameters = self._parameters.copy(dtype, twin._parts())
        twin._own()
        made_here = {*twin.__dict__, "_in_a_model"}
        for name, value in self.__dict__.items():
            if name not in made_here:  # the constructor's arguments never change
                known = name in self._options
                twin.__dict__[name] = value if known else copy.deepcopy(value, memo)
        if dtype != self.dtype and "compute_dtype" in self.__dict__:
            twin.__dict__["compute_dtype"] = None
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

    ``**options`` stands for those arguments of the base class that have a default.
    """
    constructor = next(base for base in cls.__mro__ if "__init__" in base.__dict__)
    if constructor is Tree:  # whose arguments are no options
        return {}
    arguments = list(inspect.signature(constructor.__init__).parameters.values())[1:]
    found = {a.name: a.default for a in arguments if a.kind is not a.VAR_KEYWORD}
    if len(found) < len(arguments):
        for name, default in _defaults(constructor.__base__).items():
            if default is not inspect.Parameter.empty:
                found.setdefault(name, default)
    return found
