"""What an exercise is, and what a check of one answers."""

import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Result(NamedTuple):
    """What a check found.

    Attributes
    ----------
    name : str
        Of the exercise.
    passed : bool
    stage : str
        Where it stopped: "call", "names", "shapes", "dtype", "inputs", "numbers", or "passed";
        at a terminal also "file", if the student's file does not run.
    message : str
        For the student: what came, what was wanted, and why; or what was learned, and what is next.
    mistake : str or None
        Name of the catalogued mistake that the numbers agree with; see ``rnnlite.mistakes``.
    """

    name: str
    passed: bool
    stage: str
    message: str
    mistake: str | None = None

    def __str__(self):
        return self.message


class Exercise(NamedTuple):
    """One exercise: what the student reads, and how an answer is judged."""

    name: str
    title: str  # a few words, for the list
    about: str  # what to write, with its equations
    start: Callable  # (student) -> text of the student's file, below its docstring
    judge: Callable  # (function, student) -> (stage, message, mistake or None)
    hints: tuple[str, ...]
    learned: str  # one sentence for a success
    solution: Callable  # (student) -> text of a file that passes
    subject: str = ""  # the function of ``rnnlite.mistakes`` that it is, if it is one


def rng_of(student, name):
    """A generator of numbers that differs for every student and every exercise."""
    digest = hashlib.sha256(f"{student}/{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def raised(error):
    """What a student is told of an error in their function."""
    if isinstance(error, NotImplementedError):
        return "It is not written yet: replace the line that raises."
    lines = traceback.extract_tb(error.__traceback__)
    own = [line for line in lines if Path(line.filename).parent != Path(__file__).parent]
    where = f", in line {own[-1].lineno}: {own[-1].line}" if own else ""
    return f"It raised {type(error).__name__}: {error}{where}"
