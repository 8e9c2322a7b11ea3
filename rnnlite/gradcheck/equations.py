"""The derivative of a single step, equation by equation."""

import numpy as np

from rnnlite import checking
from rnnlite.cells.cell import Cell
from rnnlite.engine.equation_results import checked
from rnnlite.gradcheck.differences import TOLERANCE, check_array
from rnnlite.gradcheck.naming import named, sentences
from rnnlite.gradcheck.runs import recorded
from rnnlite.gradcheck.subject import Subject
from rnnlite.layers import Recurrent

UNITS = 5


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
        A sentence for every result of ``step_backward`` (and ``intermediate_backward``)
        that is wrong, then the mistake of the catalogue that it is; empty if the equations
        are right.

    Examples
    --------
    >>> from rnnlite import cells
    >>> def wrong(dstate, saved, state, new_state):
    ...     dz, (dh, dc) = cells.LSTM.step_backward(dstate, saved, state, new_state)
    ...     return dz, (dh, dc * 1.01)
    >>> print(*check_equations(cells.LSTM._replace(step_backward=wrong)))
    step_backward: dbefore[1] (dc) is wrong: unit 1 has -5.6440e-01, the estimate is -5.5881e-01
    """
    where = "check_equations"
    if not isinstance(cell, Cell):
        raise TypeError(f"{where}: cell is {cell!r}; wanted a Cell, as custom_cell makes them")
    tolerance = checking.real_number(where, "tolerance", tolerance, 0.0, 1.0, low_included=False)
    seed = checking.seed(where, seed)
    notes = wrong_equations(cell, tolerance, seed)
    if notes:
        layer = Recurrent(cell._replace(compiled=False), 2, 3, return_sequences=True, seed=0)
        rng = np.random.default_rng(seed)
        for array in layer.params.values():
            array[...] = rng.standard_normal(array.shape)
        x = rng.standard_normal((2, 3, 2))
        subject = Subject(layer, x, None, None, None, None, seed)
        for _, run in recorded(subject):
            notes += sentences("", named(run))
    return notes


def wrong_equations(cell, tolerance, seed):
    """Sentences about the equations of a cell that are wrong."""
    rng = np.random.default_rng(seed)
    shape = (UNITS,) if cell.whole_rows else (1, UNITS)  # as in a run: a batch of one row

    def draw(names, shape=shape):
        return tuple(rng.standard_normal(shape) for _ in names)

    z, state, p = draw(cell.projections), draw(cell.states), draw(cell.unit_params, (UNITS,))
    extra = (p,) if cell.unit_params else ()
    moved = {  # by result: labels and arrays that it is the gradient by
        "dz": (cell.z_names, z),
        "dbefore": ([f"d{name}" for name in cell.states], state),
        "dp": (cell.unit_params, p),
    }
    new_state, saved = checked(cell, "step", cell.step(z, state, *extra), shape)
    weights = draw(cell.states)

    def step_loss():
        values = cell.step(z, state, *extra)[0]
        return sum(float(np.sum(w * value)) for w, value in zip(weights, values, strict=True))

    found = cell.step_backward(weights, saved, state, new_state, *extra)
    found = checked(cell, "step_backward", found, shape)
    notes = _wrong_results("step_backward", step_loss, moved, found, tolerance)
    if cell.intermediate is not None:
        (da,) = draw(["a"])
        nothing = [tuple(np.zeros_like(value) for value in values) for values in (z, state)]

        def intermediate_loss():
            return float(np.sum(da * cell.intermediate(z, state, *extra)))

        found = cell.intermediate_backward(da, *nothing, saved, state, *extra)
        found = checked(cell, "intermediate_backward", found, shape)
        notes += _wrong_results("intermediate_backward", intermediate_loss, moved, found, tolerance)
    return notes


def _wrong_results(function, loss, moved, found, tolerance):
    """Sentences about those results of a function that differ from their estimates."""
    notes = []
    for (result, arrays), gradients in zip(moved.items(), found, strict=False):  # dp is not in all
        for n, (label, value, gradient) in enumerate(zip(*arrays, gradients, strict=True)):
            report, _ = check_array(loss, label, value, np.asarray(gradient), tolerance, None, None)
            if not report.relative_error <= tolerance:
                notes.append(
                    f"{function}: {result}[{n}] ({label}) is wrong: unit {report.worst[-1]} has "
                    f"{report.analytic:+.4e}, the estimate is {report.numeric:+.4e}"
                )
    return notes
