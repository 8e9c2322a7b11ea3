"""Find the planted bug: a function with one mistake of the catalogue, another for each student."""

import functools

from rnnlite import mistakes
from rnnlite.exercises import functions as f
from rnnlite.exercises import judging
from rnnlite.exercises.exercise import Exercise, rng_of

# Functions that earlier exercises have explained: results, cases, and what is given.
GROUND = {
    "rnn_step_backward": (("dx", "dh_before", "dWx", "dWh", "db"), f.steps_back, ()),
    "rnn_backward": (
        ("dx", "dWx", "dWh", "db", "dh0"), f.sequences_back, ("rnn_step_backward",)
    ),
    "lstm_step": (("h_new", "c_new", ("i", "f", "g", "o")), f.lstm_steps, ()),
    "lstm_step_backward": (
        ("dx", "dh_before", "dc_before", "dWx", "dWh", "db"), f.lstm_steps_back, ()
    ),
    "gru_step_backward": (
        ("dx", "dh_before", "dWx", "dWh", "db", "dbh"), f.gru_steps_back, ()
    ),
    "adam_step": (("p", "m", "v"), f.adam_steps, ()),
}  # fmt: skip


@functools.cache
def planted(student):
    """The function and the mistake in it, of a student."""
    rng = rng_of(student, "find_bug")
    subject = str(rng.choice(list(GROUND)))
    cases = list(GROUND[subject][1](rng_of(student, "find_bug cases")))
    known, judge = mistakes.of(subject), judge_of(subject, cases)
    order = (known[n] for n in rng.permutation(len(known)))
    shows = (m for m in order if judge(mistakes.function(subject, m))[0] == "numbers")
    return subject, next(shows)  # not all show without lengths


def judge_of(subject, cases):
    """The judge of a function, on given cases."""
    names = GROUND[subject][0]
    return lambda function: judging.judge(function, cases, mistakes.function(subject), names)


def judge(function, student):
    """As in the exercise of that function; the mistake is not named as long as it is there."""
    subject, mistake = planted(student)
    cases = list(GROUND[subject][1](rng_of(student, "find_bug cases")))
    names, right = GROUND[subject][0], mistakes.function(subject)
    stage, message, found = judging.judge(function, cases, right, names, subject)
    if found == mistake.name:
        message = message.split("\n\nThe numbers are")[0] + "\n\nThe bug is still there."
        found = None
    return stage, message, found


def start(student):
    """The file with the mistake in it."""
    subject, mistake = planted(student)
    return f.start_text(subject, GROUND[subject][2], mistakes.text(subject, mistake))


def solution(student):
    """The file without it."""
    subject, mistake = planted(student)
    note = f"# It was: {mistake.wrong or 'a missing line'}\n# {mistake.why}\n"
    return note + f.start_text(subject, GROUND[subject][2], mistakes.text(subject))


FIND_BUG = Exercise(
    "find_bug", "find the planted bug",
    """
One line of this function is wrong: not a slip of Python, but of mathematics.  Every student has
another one.  Find it and put it right.

Read line by line with paper beside it, or check the gradient, or begin where the check stops.
""",
    start, judge,
    ("Begin at the result that the check names: which lines lead to it?",
     "Compare each line with the equation in the comment beside it.",
     "Make the case as small as you can: one row, one unit, one step."),
    "Whoever can find a wrong line by its numbers can trust their own.",
    "the function in it", solution,
)  # fmt: skip
