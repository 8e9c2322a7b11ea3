"""Is this gradient right?  Central differences against backward, number by number.

The derivative of a loss L by one number p is estimated by moving that number
a little both ways,

    dL/dp = (L(p + step) - L(p - step)) / (2 step),

and compared with what ``backward`` says.  In float64 the two agree to about
ten digits if the derivative is right, and to two or three if a term is
missing somewhere.

What is checked may be a layer of the library, a ``Sequential``, or any object
of your own with ``forward(x)``, ``backward(dy)`` and the dicts ``params`` and
``grads``.

A gradient check compares backward with forward.  It cannot notice that
forward itself computes the wrong thing.
"""

import functools
import inspect
from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.layers import Embedding, Layer, Recurrent, Sequential
from rnnlite.losses import softmax_cross_entropy

TOLERANCE = 1e-6
STEP = 1e-5


class ArrayReport(NamedTuple):
    """The check of one array.

    Attributes
    ----------
    name : str
    shape : tuple of int
    checked : int
        How many of its numbers were checked.
    relative_error : float
        Largest difference between backward and the estimate, divided by the
        largest of all values on either side.
    worst : tuple of int
        Index of that difference.
    analytic, numeric : float
        Both values there: what backward says, and the estimate.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> report = check(Dense(2, 1, seed=0), [[1.0, 2.0]])
    >>> report.arrays[1].name, report.arrays[1].shape, report.arrays[1].checked
    ('b', (1,), 1)
    """

    name: str
    shape: tuple
    checked: int
    relative_error: float
    worst: tuple
    analytic: float
    numeric: float


class Report(NamedTuple):
    """Result of a gradient check; ``print`` it for a table.

    Attributes
    ----------
    arrays : tuple of ArrayReport
        One for every parameter, the input, and the initial state.
    tolerance : float
    notes : tuple of str
        If it failed, what is known of the mistake: the time step at which the
        gradient of x first goes wrong, and the equation of the cell.

    Examples
    --------
    >>> from rnnlite.layers import Dense
    >>> report = check(Dense(2, 1, seed=0), [[1.0, 2.0]])
    >>> report.passed, report.max_relative_error < 1e-8, report.notes
    (True, True, ())
    """

    arrays: tuple
    tolerance: float
    notes: tuple = ()

    @property
    def max_relative_error(self):
        """Largest relative error of all arrays."""
        # np.max, unlike max, lets a NaN through.
        return float(np.max([array.relative_error for array in self.arrays]))

    @property
    def passed(self):
        """Whether every relative error is within the tolerance (a NaN is not)."""
        return bool(self.max_relative_error <= self.tolerance)

    def __str__(self):
        rows = [("array", "shape", "checked", "relative error", "worst at", "backward", "estimate")]
        for a in self.arrays:
            mark = "" if a.relative_error <= self.tolerance else "  <-- wrong"
            rows.append((
                a.name, str(a.shape), str(a.checked), f"{a.relative_error:.2e}",
                str(a.worst), f"{a.analytic:+.9e}", f"{a.numeric:+.9e}{mark}",
            ))  # fmt: skip
        widths = [max(len(row[i]) for row in rows) for i in range(7)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        verdict = "passed" if self.passed else "FAILED"
        lines.append(
            f"gradient check {verdict}: largest relative error {self.max_relative_error:.2e}, "
            f"allowed {self.tolerance:.0e}"
        )
        return "\n".join([*lines, *self.notes])


def check(
    layer,
    x,
    labels=None,
    loss=None,
    initial_state=None,
    lengths=None,
    tolerance=TOLERANCE,
    samples=None,
    seed=0,
):
    """Check every gradient of a layer or model against central differences.

    Without ``labels`` and ``loss``, the loss is a random weighted sum of the
    output, plus one of the final state if there is one: every output takes part.

    Parameters
    ----------
    layer : Layer, Sequential, or any object with forward, backward, params, grads
        A layer of the library is checked as a float64 copy and stays as it is.
        The parameters of another object must be float64; they are moved and
        put back.  Its ``backward(dy)`` fills ``grads`` and may return dx.
    x : array_like
        Input.  Random numbers are best: at a zero, ReLU has no derivative.
    labels : array_like, optional
        For ``loss``; on their own they choose ``softmax_cross_entropy``.
    loss : function ``(output, labels) -> (loss, doutput)``, optional
    initial_state : array or tuple of arrays, optional
        For a recurrent layer; random if not given.
    lengths : array_like of int (B,), optional
        Valid steps of each row, for layers that take them.
    tolerance : float
        Largest relative error that passes.
    samples : int, optional
        Check only so many numbers of each array, chosen at random, which makes
        large layers affordable; all of them if not given.
    seed : int
        Of everything random here.

    Returns
    -------
    Report
        ``report.passed``, ``report.max_relative_error``; ``str(report)`` is a table.

    Raises
    ------
    TypeError, ValueError
        For an object without the four members, parameters that are not
        float64, or gradients of a wrong shape.

    Examples
    --------
    >>> from rnnlite.layers import LSTM
    >>> report = check(LSTM(3, 4, seed=0), np.random.default_rng(0).normal(size=(2, 5, 3)))
    >>> report.passed, [array.name for array in report.arrays]
    (True, ['Wx', 'b', 'Wh', 'x', 'h0', 'c0'])
    """
    tolerance = checking.real_number("check", "tolerance", tolerance, 0.0, 1.0, low_included=False)
    if samples is not None:
        samples = checking.whole_number("check", "samples", samples)
    subject = _Subject(layer, x, labels, loss, initial_state, lengths, seed)
    rng = np.random.default_rng(seed)
    analytic = subject.gradients()
    reports, notes = [], []
    for name, array in subject.arrays.items():
        gradient = np.asarray(analytic[name])
        if gradient.shape != array.shape:
            raise ValueError(
                f"check: the gradient of {name} has shape {gradient.shape}; "
                f"wanted {array.shape}, that of {name}"
            )
        report, wrong = _check_array(subject.loss, name, array, gradient, tolerance, samples, rng)
        reports.append(report)
        if name == "x" and array.ndim == 3 and len(wrong):
            notes += _first_wrong_step(wrong, array.shape, subject.layer)
    subject.gradients()  # leave grads as backward made them
    report = Report(tuple(reports), tolerance)
    if not report.passed and isinstance(subject.layer, Recurrent):
        notes += check_equations(subject.layer.cell, tolerance, seed)
    return report._replace(notes=tuple(notes))


def check_equations(cell, tolerance=TOLERANCE, seed=0):
    """Check the derivative of a single step of a cell against central differences.

    Parameters
    ----------
    cell : Cell
    tolerance : float
        Largest relative error that passes.
    seed : int
        Of the random values that the step is tried on.

    Returns
    -------
    list of str
        A sentence for every result of ``step_backward`` (and ``reset_backward``)
        that is wrong; empty if the equations are right.

    Examples
    --------
    >>> from rnnlite import cells
    >>> check_equations(cells.LSTM)
    []
    >>> def wrong(dstate, kept, state, new_state):
    ...     dz, (dh, dc) = cells.LSTM.step_backward(dstate, kept, state, new_state)
    ...     return dz, (dh, dc * 1.01)
    >>> print(*check_equations(cells.LSTM._replace(step_backward=wrong)))
    step_backward: dbefore[1] (dc) is wrong: unit 1 has -5.6440e-01, the estimate is -5.5881e-01
    """
    rng = np.random.default_rng(seed)
    draw = functools.partial(_random_values, rng)
    z, state, p = draw(cell.blocks), draw(cell.states), draw(cell.unit_params)
    extra = (p,) if cell.unit_params else ()
    gates = [
        cell.gates[block.x_gate if block.x_gate is not None else block.h_gate]
        for block in cell.blocks
    ]
    results = ["dz", "dbefore", "dp"]
    moved = [
        list(zip(z, gates, strict=True)),
        [(value, f"d{name}") for value, name in zip(state, cell.states, strict=True)],
        list(zip(p, cell.unit_params, strict=True)),
    ]

    new_state, kept = cell.step(z, state, *extra)
    weights = draw(cell.states)

    def step_loss():
        values = cell.step(z, state, *extra)[0]
        return sum(float(np.sum(w * value)) for w, value in zip(weights, values, strict=True))

    found = cell.step_backward(weights, kept, state, new_state, *extra)
    notes = _wrong_results("step_backward", step_loss, results, moved, found, tolerance)
    if cell.reset is not None:
        (da,) = draw(["a"])
        nothing = [tuple(np.zeros_like(value) for value in values) for values in (z, state)]
        found = cell.reset_backward(da, *nothing, kept, state, *extra)
        notes += _wrong_results(
            "reset_backward", lambda: float(np.sum(da * cell.reset(z, state, *extra))),
            results[:2], moved[:2], found, tolerance,
        )  # fmt: skip
    return notes


def _takes_indices(layer):
    """Whether a layer of the library begins with an Embedding: its x has no gradient."""
    while isinstance(layer, Sequential):
        layer = layer.layers[0]
    return isinstance(layer, Embedding)


def _random_values(rng, names, units=5):
    return tuple(rng.standard_normal(units) for _ in names)


def _wrong_results(function, loss, results, moved, found, tolerance):
    """Sentences about those results of a function that differ from their estimates."""
    notes = []
    for result, values, gradients in zip(results, moved, found, strict=False):
        for n, ((value, label), gradient) in enumerate(zip(values, gradients, strict=True)):
            report, _ = _check_array(
                loss, label, value, np.asarray(gradient), tolerance, None, None
            )
            if not report.relative_error <= tolerance:
                notes.append(
                    f"{function}: {result}[{n}] ({label}) is wrong: unit {report.worst[0]} has "
                    f"{report.analytic:+.4e}, the estimate is {report.numeric:+.4e}"
                )
    return notes


def _first_wrong_step(wrong, shape, layer):
    """Where, on the way back through time, the gradient of x leaves the right values."""
    steps = np.unique(np.unravel_index(wrong, shape)[1])
    backwards = getattr(layer, "go_backwards", False)
    first = int(steps.min() if backwards else steps.max())
    yield (
        f"x: going back in time, the gradient is wrong first at time step {first} "
        f"(of 0..{shape[1] - 1}; wrong at {len(steps)} of them)"
    )


def _check_array(loss, name, array, gradient, tolerance, samples, rng):
    if samples is None or samples >= array.size:
        places = np.arange(array.size)
    else:
        places = np.sort(rng.choice(array.size, samples, replace=False))
    found = gradient.reshape(-1)[places].astype(np.float64)
    estimate = np.array([_central_difference(loss, array, place, STEP) for place in places])
    scale = max(np.max(np.abs(found)), np.max(np.abs(estimate)))
    if scale == 0.0:
        scale = 1.0
    # A kink (ReLU at 0) within reach of a step spoils that estimate.  A smaller
    # step no longer reaches it; a wrong derivative stays wrong at any step.
    for step in (STEP / 10, STEP / 100):
        for i in np.flatnonzero(~(np.abs(found - estimate) <= tolerance * scale)):
            closer = _central_difference(loss, array, places[i], step)
            if abs(found[i] - closer) < abs(found[i] - estimate[i]):
                estimate[i] = closer
    with np.errstate(invalid="ignore"):  # infinity / infinity: NaN, which does not pass
        error = np.abs(found - estimate) / scale
    wrong = places[~(error <= tolerance)]
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    index = tuple(int(i) for i in np.unravel_index(places[worst], array.shape))
    report = ArrayReport(
        name, array.shape, len(places), float(error[worst]), index,
        float(found[worst]), float(estimate[worst]),
    )  # fmt: skip
    return report, wrong


def _central_difference(loss, array, place, step):
    index = np.unravel_index(place, array.shape)
    value = array[index]
    try:
        array[index] = value + step
        above, high = array[index], loss()
        array[index] = value - step
        below, low = array[index], loss()
    finally:
        array[index] = value
    # The step that was really made: value + step is rounded.
    return (high - low) / (above - below)


class _Subject:
    """What is checked: the arrays that can be moved, the loss, and backward's gradients."""

    def __init__(self, layer, x, labels, loss, initial_state, lengths, seed):
        for member in ("forward", "backward", "params", "grads"):
            if not hasattr(layer, member):
                raise TypeError(
                    f"check: layer is a {type(layer).__name__} without {member!r}; wanted an "
                    "object with forward, backward, params and grads"
                )
        own = isinstance(layer, Layer)
        self.layer = layer.copy("float64") if own else layer
        for name, array in self.layer.params.items():
            if not isinstance(array, np.ndarray) or array.dtype != np.float64:
                raise TypeError(
                    f"check: params[{name!r}] is {getattr(array, 'dtype', type(array).__name__)}; "
                    "central differences need float64 arrays"
                )
        x = np.asarray(x)
        whole_numbers = x.dtype.kind in "iub" and (not own or _takes_indices(layer))
        self.x = x if whole_numbers else np.array(x, np.float64)
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
            raise TypeError(f"check: a {type(layer).__name__} takes no initial_state")

        output = self._forward()
        self.weights = self._random(output.shape)
        self.final_weights = [self._random(state.shape) for state in self._final_states()]

    def _take_initial_state(self, given):
        names = self.layer.cell.states
        shape = (len(self.x), self.layer.hidden_size)
        if given is None:
            given = [0.5 * self._random(shape) for _ in names]
        elif len(names) == 1:
            given = (given,)
        elif not isinstance(given, (tuple, list)) or len(given) != len(names):
            raise ValueError(f"check: initial_state must be a tuple ({', '.join(names)})")
        self.states = tuple(np.array(state, np.float64) for state in given)
        self.keywords["initial_state"] = self.states if len(names) > 1 else self.states[0]
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
        output = self._forward()
        if self.loss_function is not None:
            return float(self.loss_function(output, self.labels)[0])
        total = np.sum(output * self.weights)
        for state, weights in zip(self._final_states(), self.final_weights, strict=True):
            total += np.sum(state * weights)
        return float(total)

    def gradients(self):
        """What backward says, by name."""
        output = self._forward()
        if self.loss_function is None:
            dy = self.weights
        else:
            dy = self.loss_function(output, self.labels)[1]
        final = self.final_weights
        if final:
            dfinal = tuple(final) if len(final) > 1 else final[0]
            dx = self.layer.backward(dy, dfinal_state=dfinal)
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
