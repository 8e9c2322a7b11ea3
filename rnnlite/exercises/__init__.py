"""Exercises: write the parts of a recurrent network; a check says what is wrong, and why.

    python -m rnnlite.exercises list            what there is, in the order of a course
    python -m rnnlite.exercises start rnn_step  writes a file to be filled in
    python -m rnnlite.exercises check           looks at it

The same check as a function, for a notebook, pytest or a grader: ``exercises.check``.

    course.py       all exercises in their order
    functions.py    those in which one function of arrays is written; find_bug.py, predict.py,
                    by_hand.py, own_cell.py: the others
    judging.py      the order in which an answer is looked at
    folder.py       a student's files
    solutions/      what a lecturer may leave out
"""

from rnnlite.exercises.exercise import Result

__all__ = ["Result", "check", "names"]


def names():
    """Names of all exercises, in the order of a course.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from rnnlite import exercises
    >>> exercises.names()[:3]
    ['rnn_step', 'rnn_forward', 'rnn_step_backward']
    """
    from rnnlite.exercises.course import EXERCISES

    return [exercise.name for exercise in EXERCISES]


def check(name, function, student=""):
    """Look at an answer to an exercise, up to the first thing that is not right.

    In this order: it runs and returns something; names, shapes, dtype; the inputs are as they
    were; then the numbers, from one row and one unit to whole sequences.  Wrong numbers are
    compared with the catalogue ``rnnlite.mistakes``.

    Parameters
    ----------
    name : str
        One of ``names()``.
    function : function
        The student's.
    student : str
        A name or number: the inputs are drawn from it, so that numbers cannot be passed on, and a
        lecturer sees the same.

    Returns
    -------
    Result
        ``passed``, ``message``, ``stage``, ``mistake``; ``print`` shows the message.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite import exercises
    >>> def rnn_step(x, h, Wx, Wh, b):
    ...     return np.tanh(x @ Wx + b)
    >>> result = exercises.check("rnn_step", rnn_step, student="4711")
    >>> result.passed, result.mistake
    (False, 'step-no-recurrence')
    """
    from rnnlite import checking
    from rnnlite.exercises.course import BY_NAME, EXERCISES, NEEDS

    checking.one_of("check", "name", name, list(BY_NAME))
    if not callable(function):
        kind = type(function).__name__
        raise TypeError(f"check: function is of type {kind}; wanted the function {name}")
    exercise = BY_NAME[name]
    stage, message, mistake = exercise.judge(function, str(student))
    if stage != "passed":
        return Result(name, False, stage, f"{name}: not yet.\n\n{message}", mistake)
    later, end = EXERCISES[EXERCISES.index(exercise) + 1 :], "That was the last one."
    if later:
        end = f"Next: {later[0].name}, {later[0].title}. It needs {NEEDS[later[0].name]}."
    parts = [f"{name}: passed.", message, exercise.learned, end]
    return Result(name, True, stage, "\n\n".join(part for part in parts if part))
