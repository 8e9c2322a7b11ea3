"""Texts of exercises that are not one function of arrays, and of their solutions."""

from importlib import resources
from importlib.util import find_spec

from rnnlite.exercises.exercise import Exercise

SOLUTIONS = "rnnlite.exercises.solutions"


def solution_text(name):
    """The solution in the folder ``solutions``, which a lecturer may have left out."""
    return resources.files(SOLUTIONS).joinpath(f"{name}.py").read_text("utf-8")


def has_solutions():
    """Whether the folder is there."""
    return find_spec(SOLUTIONS) is not None


def written_exercise(name, title, about, stub, judge, hints, learned):
    """An exercise whose file begins with ``stub``."""
    entry = next(line for line in stub.splitlines() if line.startswith("def "))[4:].split("(")[0]
    return Exercise(
        name, title, about, lambda student: stub, judge, tuple(hints), learned, entry,
        lambda student: solution_text(name),
    )  # fmt: skip
