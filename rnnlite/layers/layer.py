"""What every layer and model has: parameters, their gradients, forward and backward."""

import math

import numpy as np

from rnnlite import checking
from rnnlite.engine.memory import aligned_zeros


class Layer:
    """Base of all layers.

    Attributes
    ----------
    params, grads : dict of str to numpy.ndarray
        Parameters and their gradients by name.  The arrays are views into
        ``flat_params`` and ``flat_grads``; write into them (``p[...] = value``)
        rather than replacing them.
    flat_params, flat_grads : numpy.ndarray (n,)
        All parameters, and all gradients, as one array each: an optimizer is
        one pass over them.  A ``Sequential`` moves the arrays of its layers
        into its own.
    dtype : numpy.dtype
        float32 or float64.
    """

    _in_a_model = False  # whether a Sequential owns the memory
    _largest = None  # most numbers it may have, where a file asks for them
    # The constructor's arguments but for the seed, each an attribute of that name.
    _options = ()
    layers = ()  # the layers that a model is made of

    def __call__(self, x, lengths=None, **others):
        """Inference: as ``forward``, but nothing is kept, and the result is the caller's."""
        return self.forward(x, lengths=lengths, keep=False, **others)

    def walk(self, key=""):
        """Yield ``(key, layer)``: ``("", this)``, ``("0", its first layer)``, ``("0.forward", ...)``."""
        yield key, self
        for name, layer in zip(self._names(), self.layers, strict=True):
            yield from layer.walk(f"{key}.{name}" if key else name)

    def _names(self):
        return map(str, range(len(self.layers)))

    def __init__(self, where, shapes, dtype):
        self._forget()
        self.dtype = checking.float_dtype(where, dtype)
        self._shapes = dict(shapes)  # in the order of their place in memory
        size = sum(math.prod(shape) for shape in self._shapes.values())
        if self._largest is not None and size > self._largest:
            raise ValueError(f"{where}: has {size:,} numbers; there are {self._largest:,} for it")
        checking.number_of_numbers(where, size)
        self.params, self.grads = {}, {}
        self.flat_params = self.flat_grads = None
        self._bind(aligned_zeros(size, self.dtype), aligned_zeros(size, self.dtype))

    def _bind(self, flat_params, flat_grads):
        """Live in these arrays from now on, with the values there were."""
        if flat_params.dtype != self.dtype:  # without parameters, a layer takes its model's
            self.dtype = flat_params.dtype
            self._forget()
        if self.flat_params is not None:
            flat_params[...] = self.flat_params
            flat_grads[...] = self.flat_grads
        self.flat_params, self.flat_grads = flat_params, flat_grads
        for views, flat in ((self.params, flat_params), (self.grads, flat_grads)):
            start = 0
            for name, shape in self._shapes.items():
                size = math.prod(shape)
                views[name] = flat[start : start + size].reshape(shape)
                start += size

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
        return {name: getattr(self, name) for name in self._options}

    def num_params(self):
        """Number of trainable numbers.

        Returns
        -------
        int
        """
        return sum(array.size for array in self.params.values())

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
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._in_a_model = False
        twin.dtype = dtype
        twin.params, twin.grads = {}, {}
        twin.flat_params = twin.flat_grads = None
        twin.__dict__.update(self._own_state())
        twin._bind(
            aligned_zeros(self.flat_params.size, dtype), aligned_zeros(self.flat_grads.size, dtype)
        )
        twin.flat_params[...] = self.flat_params
        twin._forget()
        return twin

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce_ex__(self, protocol):
        raise TypeError(f"{type(self).__name__} cannot be pickled; layers are copied by .copy()")

    def _own_state(self):
        """Attributes that a copy must not share with the original."""
        return {}

    def _forget(self):
        """Drop the memory of the last forward pass and all buffers."""
        self._unused_forward = False
        self._results = {}  # arrays that forward and backward return while training, by name

    def _result(self, name, shape, reused):
        """A fresh array, or the layer's own of that name, if the shape is still the same."""
        if not reused:
            return np.empty(shape, self.dtype)
        array = self._results.get(name)
        if array is None or array.shape != shape:
            array = self._results[name] = np.empty(shape, self.dtype)
        return array

    def _incoming(self, dy, shape, meaning="as forward's result"):
        """``dy`` as backward takes it.  It may be corrected: forward is used up afterwards."""
        self._need_forward()
        where = f"{type(self).__name__}.backward"
        return checking.shaped(where, "dy", dy, shape, meaning, self.dtype)

    def _need_forward(self):
        """Each forward allows one backward: the buffers are overwritten by it."""
        if not self._unused_forward:
            raise RuntimeError(
                f"{type(self).__name__}.backward: there is no forward pass to go back through; "
                "call forward first, and backward once after each forward"
            )

    def forward(self, x, lengths=None, training=False, keep=True):
        """Compute the output; see the layer's own documentation."""
        raise NotImplementedError

    def backward(self, dy, need_dx=True):
        """Compute the gradients; see the layer's own documentation."""
        raise NotImplementedError
