"""What every layer and model does: inference, forward and backward; how to write one."""

import weakref

import numpy as np

from rnnlite import checking, padding
from rnnlite.layers.saved import Pool, Saved
from rnnlite.layers.stream import OF_YOUR_OWN, Stream
from rnnlite.layers.tree import Tree
from rnnlite.layers.turns import Turns


class Layer(Tree):
    """Base of all layers and models; derive from it to write one of your own.

    A class of your own defines three methods:

    ``__init__(self, ..., dtype="float32")`` calls ``super().__init__(shapes, dtype)`` with the
        shape of each parameter by name, and keeps each of its arguments (but a ``seed``) as an
        attribute of the same name: files, copies and ``repr`` are made of them.  Once it has
        ended they are read-only.
    ``forward_pass(self, x, saved)`` returns y.  x (B, ...) is an array of the layer's dtype.  What
        the derivative needs is set as attributes of ``saved``; nothing of a run is set on ``self``,
        since many threads may be in here.  ``saved.lengths``, int64 (B,) or None, and
        ``saved.training`` tell how it was called.
    ``backward_pass(self, dy, saved)`` writes dL/d(parameter) into ``self.grads[name][...]`` and
        returns dL/dx.

    All else is the same for every layer and done here: inference from any number of threads,
    checks, lengths (padded steps of x, y, dy and dx are zero), copies, files
    (``load(path, layers=[Mine])``), pickles, the gradient check.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Of the parameters, which are zero at first.
    dtype : {"float32", "float64"} or None for that of the layers inside
    layers : dict of str to Layer, optional
        Layers inside this one, each in no other model.  They are run by
        ``saved.run(layer, x, lengths)`` and go back by their ``backward``.

    Attributes
    ----------
    params, grads : dict of str to numpy.ndarray
        Parameters and their gradients by name: views into the flat arrays.  Write into them
        (``p[...] = value``) or assign (``params[name] = array``), which copies.
    flat_params, flat_grads : numpy.ndarray (n,)
        All parameters, and all gradients.
    dtype : numpy.dtype
    layers : list of Layer
        Those inside.

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
    only_passes_on = False  # whether all it does is to hand x from one layer inside to the next
    _zeroes_padding = False  # whether the layer does itself what ``lengths`` asks for
    _answers_afresh = False  # whether what forward_pass returns needs no look: it is the library's
    _starts = ()  # in flat_grads, of parts whose gradients backward knows one after the other
    _time_from = 3  # axes from which axis 1 of x is time

    def __init_subclass__(cls, **keywords):
        super().__init_subclass__(**keywords)
        if "forward_pass" in vars(cls):
            cls._answers_afresh = vars(cls).get("_answers_afresh", False)

    def output_features(self, features):
        """Features of y for so many of x; None where that is not known."""
        return None

    def _forget(self):
        """Drop all memory of runs."""
        self._saved, self._pool, self._turns = Saved(True), Pool(), Turns()

    def __call__(self, x, lengths=None):
        """Inference: compute the output, keep nothing, in any number of threads at once.

        While another thread trains the model, an answer may come of weights between two steps.
        ``x`` and ``lengths`` as in ``forward``; the result is yours to keep and to change.
        """
        y = self.infer(x, lengths)
        if y.base is None and y is not x and y is not getattr(x, "base", None):
            return y  # memory of its own; to compare addresses takes a microsecond
        return y.copy() if isinstance(x, np.ndarray) and np.may_share_memory(y, x) else y

    def forward(self, x, lengths=None, training=False):
        """Compute the output, and save what ``backward`` needs.

        Parameters
        ----------
        x : array_like (B, ...)
            Or (B, T, features) with a time axis; becomes of the layer's dtype.  A list of
            sequences (T_i, features) of different length is padded, and brings its lengths.
        lengths : array_like of int (B,), optional
            Valid steps of each row, 0 to T.  Past them outputs are zero, recurrent states stay
            as they were, and whatever the padding of x holds takes no part.
        training : bool
            True in a training loop: dropout is drawn, and the returned array is memory of
            the layer, written again by the next forward, so that nothing is allocated.

        Returns
        -------
        numpy.ndarray

        Raises
        ------
        RuntimeError
            If another thread's ``fit`` is training the model.
        """
        return self._forward(x, lengths, training)

    def backward(self, dy, need_dx=True, of=None):
        """Backpropagate through the last ``forward``; overwrites ``grads``.

        Each forward allows one backward.  For the gradients of two, run forward, backward, forward,
        backward, and add them up; answers that need no gradient are ``model(x)``.

        Parameters
        ----------
        dy : array_like, in the shape of forward's result
            Gradient of the loss by the output; ignored at padded steps.
        need_dx : bool
            False for a first layer: the gradient by x is not computed.
        of : numpy.ndarray, optional
            What forward returned: refused if that was not the last one.

        Returns
        -------
        numpy.ndarray, in the shape of x, or None
            Gradient by x, if needed and if x has one.  After ``forward(training=True)`` it is
            memory of the layer, written again by the next backward.

        Raises
        ------
        RuntimeError
            Without a forward before it, after one of another thread, or if ``of`` is of another
            forward.  A dy that does not fit may be corrected.
        """
        return self._backward(dy, need_dx, of)

    def infer(self, x, lengths=None, **states):
        """``model(x)`` for a caller that does not own x: the result may be x itself."""
        saved = self._pool.take(getattr(x, "shape", None))
        try:
            return self._run("", saved, x, lengths, False, states)
        finally:
            self._pool.give_back(saved)

    def stream(self, batch=1):
        """A stream: single steps of the whole model in microseconds, with the bits of ``forward``.

        Weights are copied when it is made, and again by ``stream.refresh()``.  Its kernel is
        compiled here, some seconds, once for all models of the same layers and sizes.

        Parameters
        ----------
        batch : int
            Rows of each step.

        Returns
        -------
        Stream
            ``stream(x_t)`` is a step, ``stream.run(x)`` many; ``stream.state``, ``reset()``,
            ``refresh()``.

        Raises
        ------
        TypeError, ValueError
            If a layer inside needs more than the steps so far (``Bidirectional``, ``go_backwards``,
            ``Flatten``), or is not compiled: a layer of your own, a cell with ``compiled=False``.
        """
        return Stream(self, batch)

    def stream_parts(self, features):
        """What one step of the layer computes, as parts of ``engine/stream.py`` or layers inside.

        ``features`` is the number of columns that come in.  The text of a TypeError goes on after
        the layer's name.
        """
        raise TypeError(OF_YOUR_OWN)

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
            wanted = "(batch, ...), two axes or more and none of them 0"
            raise ValueError(f"{where}: x has shape {x.shape}; wanted {wanted}")
        return checking.contiguous(x, self.dtype), self._checked_lengths(where, x, lengths)

    def check_indices(self, where, x, lengths):
        """Refuse indices that no table has, in all data before the first step; to override."""

    def _checked_lengths(self, where, x, lengths):
        if lengths is None:
            return None
        if x.ndim < self._time_from:
            wanted = "(batch, time, features)" if self._time_from > 2 else "(batch, time)"
            problem = f"lengths were given, but x has shape {x.shape}"
            raise ValueError(f"{where}: {problem}; wanted {wanted}")
        return checking.row_lengths(where, lengths, *x.shape[:2])

    def _run(self, method, saved, x, lengths, training, states):
        where = type(self).__name__ + method
        if type(x) is not np.ndarray or x.dtype.kind == "O":
            x, lengths = padding.as_array(where, "x", x, lengths)
        shape = x.shape if type(x) is np.ndarray else np.shape(x)
        if shape[:1] == (0,) and not saved.for_backward and self._answers_empty(shape):
            checking.row_lengths(where, lengths, 0, 0)
            one = np.zeros((1, *shape[1:]), np.asarray(x).dtype)
            return self._run(method, saved, one, None, False, {})[:0]
        x, saved.lengths = self.check_input(where, x, lengths)
        saved.training, saved.input_shape = training, getattr(x, "shape", None)
        if not self._zeroes_padding:
            x = saved.without_padding(x)
        y = self.forward_pass(x, saved, **states)
        if not self._answers_afresh:
            y = self._checked("forward_pass", y, (saved.input_shape or shape)[:1])
            y = saved.apart(y if self._zeroes_padding else saved.without_padding(y))
        saved.output_shape = y.shape
        return y

    def _answers_empty(self, shape):
        return 0 not in shape[1:] and len(shape) >= self._time_from - 1

    def _checked(self, method, array, shape):
        """What a method of a person's own may have returned: an array that begins with a shape."""
        fits = isinstance(array, np.ndarray) and array.dtype == self.dtype
        if fits and array.shape[: len(shape)] == shape:
            return array
        kind = getattr(array, "dtype", type(array).__name__)
        came = f"returned {kind} of shape {np.shape(array)}"
        wanted = f"{self.dtype} of shape {shape}" + " and more" * (len(shape) < 2)
        raise TypeError(f"{type(self).__name__}.{method}: {came}; wanted an array, {wanted}")

    def _forward(self, x, lengths, training, **states):
        turns = self._turns
        with turns:
            turns.forget_forward()
            try:
                y = self._run(".forward", self._saved, x, lengths, bool(training), states)
            except BaseException:  # some of the layers inside have run, some not: none goes back
                for _, layer in self.walk():
                    layer._turns.forget_forward()
                raise
            if training:  # the memory of the last result, but an array of its own
                y = y.view()
            turns.may_go_back, turns.result = True, weakref.ref(y)
            turns.note("forward")
        return y

    def _backward(self, dy, need_dx, of, **dstates):
        where, saved, turns = f"{type(self).__name__}.backward", self._saved, self._turns
        with turns:
            turns.check(where, "forward")
            if not turns.may_go_back:
                advice = "call forward first, and backward once after each forward"
                raise RuntimeError(f"{where}: there is no forward pass; {advice}")
            if of is not None and of is not turns.result():
                advice = "go back after each forward, before the next one"
                raise RuntimeError(f"{where}: of is not what the last forward returned; {advice}")
            if dy is not None or not dstates:
                meaning = "as forward's result"
                dy = checking.shaped(where, "dy", dy, saved.output_shape, meaning, self.dtype)
            turns.may_go_back, saved.need_dx = False, bool(need_dx)
            turns.note("backward")
            if self._zeroes_padding:
                dx = self.backward_pass(dy, saved, **dstates)
            else:
                dx = self.backward_pass(saved.without_padding(dy), saved, **dstates)
            if not need_dx or (dx is None and (self.takes_indices or self._layers)):
                return None
            dx = self._checked("backward_pass", dx, saved.input_shape or ())
            if not self._zeroes_padding:
                dx = saved.without_padding(dx)
            return dx.view() if saved.training else dx  # as y: an array of its own

    def trained_by_this_thread(self, where):
        """A block in which no other thread can train this model; for ``fit``."""
        return self._turns.owned(where)

    def check_gradients(self, where):
        """Refuse gradients that another thread's backward wrote; for optimizers."""
        self._turns.check(where, "backward")
