"""How the answer of a function is judged: in the order in which a person would look."""

import inspect

import numpy as np

from rnnlite import mistakes
from rnnlite.exercises.exercise import raised

TOLERANCE = 1e-9  # of float64, where the largest numbers are about one


class Case:
    """One call: its arguments, and in words what is special about it."""

    def __init__(self, words, **arguments):
        self.words, self.arguments = words, arguments

    def fresh(self):
        """The arguments as copies, which the function may spoil."""
        return {name: copied(value) for name, value in self.arguments.items()}


def copied(value):
    """A copy of an argument: an array, a number, or a list or tuple of them."""
    if isinstance(value, list | tuple):
        return type(value)(copied(part) for part in value)
    return value.copy() if isinstance(value, np.ndarray) else value


def flat(value, names):
    """What a function returned as a dict: ``names`` is nested as the value is."""
    if isinstance(names, str):
        return {names: value}
    return {
        key: array
        for part, name in zip(value, names, strict=True)
        for key, array in flat(part, name).items()
    }


def fits(value, names):
    """Whether a value is nested as ``names``."""
    if isinstance(names, str):
        return True
    several = isinstance(value, list | tuple) and len(value) == len(names)
    return several and all(map(fits, value, names))


def written(names):
    """Names as a person writes what is returned: ``dx, (i, f)``."""
    parts = [n if isinstance(n, str) else f"({written(n)})" for n in names]
    return ", ".join(parts) if not isinstance(names, str) else names


def judge(function, cases, right, results, subject=None, tolerance=TOLERANCE):
    """Look at a function, and stop at the first thing that is not right.

    ``results`` are the names of what it returns, nested as it is, or a function of what is wanted.
    ``subject`` is the function of ``rnnlite.mistakes`` that it should equal.  Returns stage,
    message and mistake, as ``Exercise.judge`` does.
    """
    seen = []
    for case in cases:
        given = case.fresh()
        try:
            with np.errstate(all="ignore"):  # infinities show in the numbers
                value = function(**given)
        except (Exception, SystemExit) as error:  # of the student, who has to see it
            return "call", f"{raised(error)}\n\n{_shown(case)}", None
        wanted = right(**case.fresh())
        names = results if not callable(results) else results(wanted)
        for stage, look in (
            ("names", _names), ("shapes", _shapes), ("dtype", _dtypes), ("inputs", _inputs),
        ):  # fmt: skip
            problem = look(value, wanted, names, case, given)
            if problem:
                return stage, f"{problem}\n\n{_shown(case)}", None
        seen.append((case, value, wanted, names))
    for n, (case, value, wanted, names) in enumerate(seen, 1):
        wanted = flat(wanted, names)
        for name, array in flat(value, names).items():
            if not _close(array, wanted[name], tolerance):
                found = _which(subject, seen) if subject else ()
                problem = f"{name} is wrong in case {n} of {len(seen)}, {case.words}."
                text = "\n".join([problem, _difference(name, array, wanted[name]), _shown(case)])
                return "numbers", text + _explained(found), found[0].name if found else None
    return "passed", "", None


def _names(value, wanted, names, case, given):
    if value is None:
        return f"It returns nothing (None); wanted: return {written(names)}"
    if not fits(value, names):
        kind = type(value).__name__
        size = f" of {len(value)}" if isinstance(value, list | tuple) else ""
        return f"It returns something of type {kind}{size}; wanted: return {written(names)}"
    return None


def _shapes(value, wanted, names, case, given):
    right = flat(wanted, names)
    for name, array in flat(value, names).items():
        shape = np.shape(right[name])
        try:
            came = np.shape(array)
        except ValueError:  # lists of different length
            return f"{name} is no array; wanted one of shape {shape}"
        if came != shape:
            return f"{name} has shape {came}; wanted {shape}"
    return None


def _dtypes(value, wanted, names, case, given):
    for name, array in flat(value, names).items():
        dtype = np.asarray(array).dtype
        if dtype != np.float64:
            cause = "was a result made by np.zeros_like of whole numbers, or rounded?"
            return f"{name} holds {dtype}; wanted float64, as the inputs: {cause}"
    return None


def _inputs(value, wanted, names, case, given):
    for name, before in case.arguments.items():
        if not _same(before, given[name]):
            advice = f"write into a copy, {name}.copy(), or make a new array"
            return (
                f"Your function changed its input {name}, which belongs to who calls it: {advice}."
            )
    return None


def _same(a, b):
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else a == b


def _close(came, wanted, tolerance):
    scale = 1 + np.max(np.abs(wanted), initial=0)
    return bool(np.all(np.abs(np.asarray(came) - wanted) <= tolerance * scale))  # False for NaN


def _difference(name, came, wanted):
    with np.printoptions(precision=6, suppress=True, threshold=60, edgeitems=2):
        return f"\n  {name} came\n{_indented(came)}\n  wanted\n{_indented(wanted)}\n"


def _indented(array):
    return "\n".join("    " + line for line in str(np.asarray(array)).splitlines())


def _shown(case):
    with np.printoptions(precision=6, suppress=True, threshold=30, edgeitems=2):
        lines = [f"  {name} = {_inline(value)}" for name, value in case.arguments.items()]
    return "\n".join(["Its inputs were", *lines])


def _inline(value):
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(part) for part in value) + "]"
    return str(value).replace("\n", "\n" + " " * 6)


def _which(subject, seen):
    """The catalogued mistakes with which the function agrees in every case: one, or two."""
    parameters = inspect.signature(mistakes.function(subject)).parameters.values()
    cases = [tuple(case.fresh().get(p.name, p.default) for p in parameters) for case, *_ in seen]
    values = [value for _, value, *_ in seen]
    own = mistakes.of(subject)
    found = mistakes.fitting(subject, cases, values, own)
    if not found:  # in what it calls, which may be written anew
        found = mistakes.fitting(subject, cases, values, most=1)
    return found[0] if found else ()


def _explained(found):
    if not found:
        return "\n\nIt is none of the mistakes known here. Read the equation once more; hint helps."
    lines = [f"\n\nThe numbers are {m}\n{m.why}\nTo read: {m.lesson}" for m in found]
    return "".join(lines)
