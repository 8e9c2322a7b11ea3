"""Cells in files: rnnlite's by name, yours by name and by what their equations say.

    {"cell": "gru-2014"}
    {"cell": "mine", "gates": ["h"], "states": ["h"], ..., "step": [0.0123, ...], ...}

What equations say is what they compute in float64 from a few fixed numbers: so they may stand in
another module, be written in another way, and run under another Python.  Where one raises in
plain NumPy (it is meant for Numba alone, say), its numbers are null, and the rest is compared.
Left out on purpose: ``compiled``, ``whole_rows``, initial values.
"""

import itertools
import math
import re
import reprlib

import numpy as np

from rnnlite import cells as library
from rnnlite.engine.equation_results import checked
from rnnlite.kernels.fingerprint import identity

EQUATIONS = ("intermediate", "step", "step_backward", "intermediate_backward")
TOLERANCE = 1e-9  # relative, absolute below 1; a file has 12 digits
# Where gates are open, shut and between, and inside and outside of any likely bound.
_NUMBERS = np.array([0.03, -0.4, 0.9, -1.7, 2.8, -4.6, 7.3, -11.9])


def describe(cell):
    """The cell as plain data."""
    if is_of_rnnlite(cell):
        return {"cell": cell.name}
    return {
        "cell": cell.name,
        "gates": list(cell.gates),
        "projections": [list(projection) for projection in cell.projections],
        "states": list(cell.states),
        "saved": list(cell.saved),
        "unit_params": list(cell.unit_params),
        "recurrent_bias": cell.recurrent_bias,
    } | _results(cell)


def from_name(name):
    """A cell as files said it when they had names alone: yours with a hash behind the name.

    The hash was of the code, so of Python's version and of the module as well: nothing to compare.
    """
    own = re.fullmatch("(.+)-([0-9a-f]{16})", name, re.DOTALL)
    return {"cell": own[1], "hash": own[2]} if own else {"cell": name}


def is_of_rnnlite(cell):
    """Whether its name is enough to have it again."""
    return any(identity(cell) == identity(known) for known in _known(cell.name))


def _known(name):
    """The library's cells of this name."""
    cells = [library.LSTM, library.GRU, library.GRU_2014, *library.RNN.values()]
    if clip := re.fullmatch(r"lstm-(?:peephole-)?clip-(\d[0-9.e+-]{0,30}|inf)", name):
        try:
            cells += [library.peephole_lstm(float(clip[1])), library.clipped_lstm(float(clip[1]))]
        except ValueError:
            return []
    return [cell for cell in cells if cell.name == name]


def find(described, cells):
    """The cell that a file describes: one of ``cells``, or of rnnlite."""
    name, problem = described["cell"], None
    for cell in (*(cell for cell in cells if cell.name == name), *_known(name)):
        problem = difference(described, describe(cell))
        if problem is None:
            return cell
    given = ", ".join(cell.name for cell in cells) or "none"
    raise ValueError(
        problem
        or f"cell is {reprlib.repr(name)}, which is not of rnnlite; wanted the cell of that name "
        f"in load(path, cells=[...]), which has {given}"
    )


def difference(described, other):
    """Why the cell of a file, which may be anything, is not this other one; None if it is."""
    name = reprlib.repr(described["cell"])
    if described["cell"] != other["cell"]:
        return f"cell is {name} in the file, {other['cell']!r} in the model"
    if "hash" in described and "gates" in other:
        return None
    if described.keys() != other.keys():
        own, known = ("file", "model") if "gates" not in other else ("model", "file")
        return f"cell {name} is one of your own in the {own}, and that of rnnlite in the {known}"
    for key, wanted in other.items():
        found = described[key]
        if key in EQUATIONS and not _is_close(found, wanted):
            problem = f"from the same numbers, {key} computes something else"
            return f"cell {name} has other equations in the file than in the model: {problem}"
        if key not in EQUATIONS and found != wanted:
            return f"cell {name}: {key} is {reprlib.repr(found)} in the file, {wanted} in the model"
    return None


def _is_close(found, wanted):
    """Whether two results are equal but for rounding; what raises cannot be compared."""
    if found is None or wanted is None:
        return True
    if not isinstance(found, list) or len(found) != len(wanted):
        return False
    return all(
        math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        if type(one) is type(other) is float
        else one == other
        for one, other in zip(found, wanted, strict=True)
    )


def _results(cell):
    """What each equation computes from one row of numbers, as the plain engine would call it."""
    shape = _NUMBERS.shape if cell.whole_rows else (1, _NUMBERS.size)
    results, numbers = {}, (np.roll(_NUMBERS, 3 * n) * (1 + n / 16) for n in itertools.count())

    def values(names):
        return tuple(next(numbers).reshape(shape) for _ in names)

    def call(name, *arguments):
        function = getattr(cell, name)
        if function is None:
            return None
        try:
            with np.errstate(all="ignore"):
                found = checked(cell, name, function(*arguments, *p), shape)
        except Exception:
            results[name] = None
            return None
        results[name] = [_rounded(number) for value in _flat(found) for number in value.flat]
        return found

    z, state, dstate, da = map(values, (cell.projections, cell.states, cell.states, "a"))
    unit_params = tuple(value.reshape(-1) for value in values(cell.unit_params))
    p = (unit_params,) if unit_params else ()
    call("intermediate", z, state)
    new_state, saved = call("step", z, state) or (state, values(cell.saved))
    gradients = call("step_backward", dstate, saved, state, new_state) or (z, dstate)
    call("intermediate_backward", *da, *gradients[:2], saved, state)
    return results


def _flat(nested):
    return itertools.chain(*map(_flat, nested)) if isinstance(nested, tuple) else (nested,)


def _rounded(number):
    return float(f"{number:.12g}") if math.isfinite(number) else str(number)
