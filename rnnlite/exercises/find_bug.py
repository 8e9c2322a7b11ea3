"""Find the planted bug: a function with one mistake of the catalogue, another for each student."""

import functools

from rnnlite import mistakes
from rnnlite.exercises.exercise import Exercise, rng_of

ABOUT = """
One line of this function is wrong: not a slip of Python, but of mathematics.  Every student has
another one.  Find it and put it right.

Read line by line with paper beside it, or check the gradient, or begin where the check stops.
"""


class Bug:
    """A student's bug: in the function of an earlier exercise, which judges it."""

    def __init__(self, student, exercises):
        rng = rng_of(student, "find_bug")
        self.exercise = exercises[rng.integers(len(exercises))]
        subject = self.exercise.subject
        known = mistakes.of(subject)
        for n in rng.permutation(len(known)):  # not all show without lengths
            stage, *_ = self.exercise.judge(mistakes.function(subject, known[n]), student)
            if stage == "numbers":
                break
        self.mistake = known[n]
        right = mistakes.text(subject)
        self.solution = self.exercise.solution(student)
        self.start = self.solution.replace(right, mistakes.text(subject, self.mistake))


def find_bug(exercises):
    """The exercise, for functions that these exercises have explained."""

    @functools.cache
    def bug_of(student):
        return Bug(student, exercises)

    def judge(function, student):
        """As that exercise does; the mistake is not named as long as it is there."""
        bug = bug_of(student)
        stage, message, found = bug.exercise.judge(function, student)
        if found == bug.mistake.name:
            message = message.split("\n\nThe numbers are")[0] + "\n\nThe bug is still there."
            found = None
        return stage, message, found

    def solution(student):
        bug = bug_of(student)
        note = f"# It was: {bug.mistake.wrong or 'a missing line'}\n# {bug.mistake.why}\n"
        return note + bug.solution

    return Exercise(
        "find_bug", "find the planted bug", ABOUT, lambda student: bug_of(student).start, judge,
        ("Begin at the result that the check names: which lines lead to it?",
         "Compare each line with the equation in the comment beside it.",
         "Make the case as small as you can: one row, one unit, one step."),
        "Whoever can find a wrong line by its numbers can trust their own.", solution,
    )  # fmt: skip
