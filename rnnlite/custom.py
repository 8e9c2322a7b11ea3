"""custom_cell: a recurrent cell of your own, from its equations."""

import copyreg
import functools
import types

from rnnlite import checking
from rnnlite.cells.cell import Cell
from rnnlite.engine.equation_results import try_out
from rnnlite.kernels.fingerprint import fingerprint
from rnnlite.kernels.freeze import EQUATIONS, frozen_cell

# Arguments, and the third part of a projection, by their names before the first release.
OLD_NAMES = {
    "kept": "saved", "blocks": "projections",
    "reset": "intermediate", "reset_backward": "intermediate_backward",
}  # fmt: skip


def _also_by_old_names(function):
    @functools.wraps(function)
    def call(*arguments, **named):
        return function(*arguments, **{OLD_NAMES.get(key, key): named[key] for key in named})

    return call


@_also_by_old_names
def custom_cell(
    name, step, step_backward, *, gates, saved, states=("h",), projections=None, unit_params=None,
    recurrent_bias=False, intermediate=None, intermediate_backward=None, whole_rows=False,
    compiled=True,
):  # fmt: skip
    """Make a cell from two functions; ``rnnlite.Recurrent`` runs it through time.

    You write one time step and its derivative; the engine adds the projections, the time loop,
    threads, lengths, backpropagation through time and the weight gradients.

    What the functions use beside their arguments, numbers, arrays and functions, also by way of a
    module, is copied here: what changes later does not change the cell.

    Parameters
    ----------
    name : str
        For messages.
    step : function ``(z, state) -> (new_state, saved)``
        Tuples: z has one projection x Wx + b + h Wh for each gate, state and new_state one value
        for each of ``states``, saved one for each of ``saved``.
    step_backward : function ``(dstate, saved, state, new_state) -> (dz, dbefore)``
        From dL/d(new_state) to dL/dz and dL/d(state).  Leave out of dbefore's dh what flows back
        through z: the engine adds dz Wh^T.
    gates, saved, states : sequence of str
        Names of the column blocks of Wx and Wh; of what ``step`` saves for ``step_backward``; of
        the states, of which the first must be "h", the output.
    projections : sequence of tuples (x_gate, h_gate) or (x_gate, h_gate, "intermediate"), optional
        The values of ``z``, in any order, if they are not simply the gates: which gate's
        columns of Wx (and b) and of Wh go into each, or None to leave out that half.
        ``"intermediate"``: Wh multiplies what ``intermediate`` returns, instead of h.
    unit_params : dict of str to float, optional
        Further parameters with one number a unit (peepholes, gains) and what they are at first.
        All functions then take a last argument p, the tuple of their values, and step_backward
        returns a third result dp.
    recurrent_bias : bool
        Whether h gets a bias bh of its own.
    intermediate : function ``(z, state) -> a``, optional
    intermediate_backward : function ``(da, dz, dbefore, saved, state) -> (dz, dbefore)``, optional
        What takes h's place in some products, like r h in the GRU of 2014.
    whole_rows : bool
        False: the functions see each unit by itself and use ``+ - * /`` and the functions of
        ``rnnlite.cells.functions``.  True: they get arrays (H,) and may use what Numba
        understands of NumPy (``np.mean(z[0])``).
    compiled : bool
        False while you are learning or searching: plain NumPy, arrays (B, H), ``print``, a
        debugger.  True: the functions are tried out here on some small arrays of one half.

    Returns
    -------
    Cell
        For ``rnnlite.Recurrent(cell, input_size, hidden_size)``.

    Examples
    --------
    A leaky unit, h = 0.9 h + 0.1 tanh(z):

    >>> import numpy as np
    >>> from rnnlite import Recurrent, gradcheck
    >>> from rnnlite.cells.functions import tanh
    >>> def step(z, state):
    ...     h = 0.9 * state[0] + 0.1 * tanh(z[0])
    ...     return (h,), (h,)
    >>> def step_backward(dstate, saved, state, new_state):
    ...     g = (new_state[0] - 0.9 * state[0]) * 10.0
    ...     return (dstate[0] * 0.1 * (1.0 - g * g),), (dstate[0] * 0.9,)
    >>> leaky = custom_cell("leaky", step, step_backward, gates=["h"], saved=["h"], compiled=False)
    >>> x = np.random.default_rng(0).normal(size=(2, 5, 3))
    >>> gradcheck.check(Recurrent(leaky, 3, 4, seed=0), x).passed
    True
    """
    where = "custom_cell"
    functions = {
        "step": step, "step_backward": step_backward,
        "intermediate": intermediate, "intermediate_backward": intermediate_backward,
    }  # fmt: skip
    for argument, function in functions.items():
        optional = argument.startswith("intermediate")
        if not (isinstance(function, types.FunctionType) or (optional and function is None)):
            raise TypeError(f"{where}: {argument} is {function!r}; wanted a Python function")
    if (intermediate is None) != (intermediate_backward is None):
        raise ValueError(
            f"{where}: intermediate and intermediate_backward belong together; one is missing"
        )
    if not isinstance(name, str) or not name:
        raise TypeError(f"{where}: name is {name!r}; wanted a str")
    gates, saved = _names(where, "gates", gates), _names(where, "saved", saved)
    states = _names(where, "states", states)
    if states[0] != "h":
        raise ValueError(f"{where}: states is {states}; the first must be 'h', the output")
    if not isinstance(unit_params, (dict, type(None))):
        raise TypeError(f"{where}: unit_params is {unit_params!r}; wanted a dict of names, numbers")
    values = tuple(
        checking.real_number(where, f"unit_params[{key!r}]", value, -1e30, 1e30)
        for key, value in (unit_params or {}).items()
    )
    cell = Cell(
        name=name, family=name, gates=gates, states=states, saved=saved,
        projections=_projections(where, projections, gates, intermediate is not None),
        unit_params=_names(where, "unit_params", unit_params) if unit_params else (),
        unit_values=values,
        recurrent_bias=checking.true_or_false(where, "recurrent_bias", recurrent_bias),
        whole_rows=checking.true_or_false(where, "whole_rows", whole_rows),
        compiled=checking.true_or_false(where, "compiled", compiled),
        **functions,
    )  # fmt: skip
    cell = frozen_cell(cell)
    fingerprint(
        where, [getattr(cell, name) for name in EQUATIONS]
    )  # what it cannot tell, no kernel could be cached for
    if cell.compiled:  # plain NumPy is looked at as it runs
        try_out(cell)
    return cell


def _names(where, argument, value):
    many = isinstance(value, (list, tuple, dict))
    if not (many and all(isinstance(name, str) and name for name in value)):
        raise TypeError(f"{where}: {argument} is {value!r}; wanted a sequence of names")
    value = tuple(value)
    if not value or len(set(value)) != len(value):
        raise ValueError(f"{where}: {argument} is {value}; wanted at least one name, none twice")
    return value


def _projections(where, projections, gates, has_intermediate):
    if projections is None:
        return tuple((gate, gate) for gate in gates)
    pairs = isinstance(projections, (list, tuple)) and all(
        isinstance(projection, (list, tuple)) and len(projection) >= 2 for projection in projections
    )
    if not pairs:
        raise TypeError(
            f"{where}: projections is {projections!r}; wanted a sequence of (x_gate, h_gate)"
        )
    found = []
    for x_gate, h_gate, *third in projections:
        third = [OLD_NAMES.get(part, part) for part in third]
        projection = (x_gate, h_gate, *third)
        if third not in ([], ["intermediate"]) or (third and not has_intermediate):
            wanted = "a third part is 'intermediate', with intermediate="
            raise ValueError(f"{where}: projections has {projection}; {wanted}")
        for gate in (x_gate, h_gate):
            if gate is not None and gate not in gates:
                known = ", ".join(gates)
                raise ValueError(f"{where}: projections names {gate!r}; gates has {known}")
        if x_gate is h_gate is None:
            raise ValueError(f"{where}: projections has {projection}, which uses neither x nor h")
        found.append(projection)
    for side, name in enumerate("xh"):
        used = [projection[side] for projection in found if projection[side] is not None]
        if sorted(used) != sorted(gates):
            raise ValueError(
                f"{where}: projections must use each gate exactly once on the {name} side; "
                f"gates are {', '.join(gates)}"
            )
    return tuple(found)


def _by_reference(cell):
    """Pickles hold equations by reference: the functions that a person wrote, frozen anew."""
    originals = tuple(getattr(field, "__wrapped__", field) for field in cell)
    return (Cell, tuple(cell)) if originals == tuple(cell) else (_frozen_again, originals)


def _frozen_again(*fields):
    return frozen_cell(Cell(*fields))


copyreg.pickle(Cell, _by_reference)
