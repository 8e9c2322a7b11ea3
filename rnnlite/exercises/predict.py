"""Predict, then reveal: what one expects of small networks, and what they do."""

import numpy as np

from rnnlite import cells, mistakes, reference
from rnnlite.exercises.exercise import rng_of
from rnnlite.exercises.written import asked, plain, written_exercise
from rnnlite.layers import LSTM

CHOICES = ("shrinks", "grows", "stays")


def fading(scale):
    """How a gradient changes over 30 steps back, in an RNN near zero with Wh = scale I."""

    def measure(rng):
        h, dh = 0.01 * rng.normal(size=(1, 31, 8)), rng.normal(size=(1, 8))
        norms = mistakes.function("gradient_norms")(dh, h, scale * np.eye(8))
        ratio = norms[0] / norms[-1]
        answer = "shrinks" if ratio < 0.5 else "grows" if ratio > 2 else "stays"
        return answer, f"its norm is {ratio:.2g} times as large after 30 steps back"

    return measure


def first_loss(rng):
    """The loss of a classifier of ten classes before training."""
    h, W = plain(cells.LSTM, 5, 16)(rng.normal(size=(64, 7, 5)))[:, -1], rng.normal(size=(16, 10))
    loss, _ = reference.softmax_cross_entropy(h @ W / 4, rng.integers(0, 10, 64))
    return float(
        loss
    ), f"measured {loss:.3f}; log(10) is {np.log(10):.3f}: every class is as likely"


def size(rng):
    """Parameters of the digit network's LSTM."""
    count = LSTM(28, 128).num_params()
    return float(count), f"4 x 128 x (28 + 128 + 1) = {count}"


def forgotten(rng):
    """What is left of c after 20 steps at a forget gate of sigmoid(1)."""
    left = float((1 / (1 + np.exp(-1.0))) ** 20)
    return left, f"sigmoid(1)^20 = {left:.5f}"


QUESTIONS = {
    "gradient_small": (fading(0.9), CHOICES, "the gradient 30 steps back, Wh = 0.9 I"),
    "gradient_large": (fading(1.2), CHOICES, "the gradient 30 steps back, Wh = 1.2 I"),
    "first_loss": (first_loss, None, "the cross-entropy of ten classes before any training"),
    "parameters": (size, None, "the numbers that an LSTM of 28 inputs and 128 units learns"),
    "left_after_20": (forgotten, None, "what is left of c after 20 steps, f = sigmoid(1), i = 0"),
}


def judge_predict(function, student):
    """All is answered: then it is revealed."""
    answer, problem = asked(function)
    if problem:
        return problem
    if not isinstance(answer, dict) or set(answer) != set(QUESTIONS):
        return "names", f"It does not return a dict with {', '.join(QUESTIONS)}", None
    for name, (_, choices, _) in QUESTIONS.items():
        given = answer[name]
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if given not in choices if choices else not number:
            wanted = " or ".join(map(repr, choices)) if choices else "a number: guess one"
            return "shapes", f"{name} is {given!r}; wanted {wanted}", None
    lines, rng = [], rng_of(student, "predict")
    for name, (measure, choices, words) in QUESTIONS.items():
        truth, told = measure(rng)
        near = answer[name] == truth if choices else abs(answer[name] - truth) <= 0.1 * truth
        lines.append(f"  {'right' if near else 'no   '} {words}: you said {answer[name]}; {told}")
    return "passed", "\n".join(["Revealed (a number is right within a tenth):", *lines]), None


PREDICT = written_exercise(
    "predict", "predict, then reveal",
    """
Write down what you expect before you look.  There is no wrong answer, but none may be left out: the
check reveals what comes when it is tried.

"""
    + "\n".join(
        f"    {name}: {words}{' (' + ', '.join(choices) + ')' if choices else ' (a number)'}"
        for name, (_, choices, words) in QUESTIONS.items()
    )
    + "\n",
    '''def predict():
    """What you expect."""
    return {
'''
    + "".join(f'        "{name}": None,\n' for name in QUESTIONS)
    + '''    }
''',
    judge_predict,
    ("Guess: it is the surprise that teaches.",),
    "A prediction that was wrong shows where to look next.",
)  # fmt: skip
