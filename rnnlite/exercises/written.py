"""What the exercises share that are not one function of arrays: their texts, an answer, a layer."""

from importlib import resources
from importlib.util import find_spec

from rnnlite.exercises.exercise import Exercise, raised
from rnnlite.layers import Recurrent

SOLUTIONS = "rnnlite.exercises.solutions"


def solution_text(name):
    """The solution in the folder ``solutions``, which a lecturer may have left out."""
    return resources.files(SOLUTIONS).joinpath(f"{name}.py").read_text("utf-8")


def has_solutions():
    """Whether the folder is there."""
    return find_spec(SOLUTIONS) is not None


def written_exercise(name, title, about, stub, judge, hints, learned):
    """An exercise whose file begins with ``stub``."""
    return Exercise(
        name, title, about, lambda student: stub, judge, tuple(hints), learned,
        lambda student: solution_text(name),
    )  # fmt: skip


def asked(function):
    """What a function without arguments returns, and None; or None, and what went wrong."""
    try:
        return function(), None
    except (Exception, SystemExit) as error:  # of the student, who has to see it
        return None, ("call", raised(error), None)


def plain(cell, I, H):
    """A layer that NumPy runs, so that nothing has to be compiled first."""
    cell = cell._replace(compiled=False)
    return Recurrent(cell, I, H, return_sequences=True, dtype="float64")
