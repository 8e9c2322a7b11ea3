"""Exercises in which one function of NumPy arrays is to be written."""

import ast

import numpy as np

from rnnlite import mistakes
from rnnlite.exercises import judging
from rnnlite.exercises.exercise import Exercise, rng_of
from rnnlite.exercises.judging import Case
from rnnlite.mistakes.planting import called

STUB = 'raise NotImplementedError("to be written")'


def start_text(subject, given=(), body=None):
    """The beginning of a student's file: what may be used, and a function without its body."""
    text = mistakes.text(subject)
    imports = ["import numpy as np"]
    if given:
        imports += ["", f"from rnnlite.exercises.given import {', '.join(given)}"]
    if "sigmoid" in text:
        imports += ["", "from rnnlite.reference import sigmoid"]
    if body is None:
        function = ast.parse(text).body[0]
        head = text.splitlines()[: function.body[0].end_lineno]  # up to its docstring
        body = "\n".join([*head, f"    {STUB}"])
    return "\n".join([*imports, "", "", body, ""])


def solved_text(subject, given):
    """A function, after what it calls that is not given."""
    own = [name for name in called(subject) if name not in given and name != subject]
    return "\n\n\n".join(mistakes.text(name) for name in (*own, subject))


def function_exercise(
    name, title, about, results, cases, hints, learned, *, given=(), subject=None,
    tolerance=judging.TOLERANCE,
):  # fmt: skip
    """An exercise whose function is a subject of ``rnnlite.mistakes``; cases come from a seed."""
    subject = subject or name

    def judge(function, student):
        right, made = mistakes.function(subject), cases(rng_of(student, name))
        return judging.judge(function, made, right, results, subject, tolerance)

    def solution(student):
        return start_text(subject, given, solved_text(subject, given))

    def start(student):
        return start_text(subject, given)

    return Exercise(name, title, about, start, judge, tuple(hints), learned, solution, subject)


def numbers(rng, *shape):
    """Numbers of about one, of two digits, which a person can follow."""
    return rng.normal(size=shape).round(2)


# Rows, inputs, units: from what one can do on paper to what shows every transposed matrix.
SIZES = ((1, 1, 1, "one row, one input, one unit"), (1, 2, 3, "one row"), (4, 2, 3, "four rows"))


def weights(rng, I, H, gates=1):
    """Wx, Wh, b."""
    return {
        "Wx": numbers(rng, I, gates * H), "Wh": numbers(rng, H, gates * H) / 2,
        "b": numbers(rng, gates * H),
    }  # fmt: skip


def two_labels(rng):
    """Logits of rows, with what overflows at the end."""
    for B, C, words in ((1, 2, "one row, two classes"), (3, 4, "three rows, four classes")):
        yield Case(words, logits=numbers(rng, B, C), labels=rng.integers(0, C, B))
    large = "logits around 1000: exp overflows unless the largest is subtracted first"
    yield Case(large, logits=1000 + numbers(rng, 2, 3), labels=np.array([0, 2]))


def steps(rng):
    """x, h and the weights of an RNN, for one step."""
    for B, I, H, words in SIZES:
        yield Case(words, x=numbers(rng, B, I), h=numbers(rng, B, H) / 2, **weights(rng, I, H))


def steps_back(rng):
    """What one step of an RNN needs to go back."""
    for case in steps(rng):
        given = case.arguments
        h_new = mistakes.function("rnn_step")(**given)
        del given["b"]
        yield Case(case.words, dh=numbers(rng, *h_new.shape), h_new=h_new, **given)


# Steps of a sequence, and whether rows have lengths of their own.
SEQUENCES = (
    (1, 1, 1, 1, "a sequence of one step"),
    (1, 2, 3, 2, "two steps"),
    (3, 2, 3, 5, "five"),
)


def sequences(rng, gates=1):
    """Whole sequences."""
    for B, I, H, T, words in SEQUENCES:
        x, start = numbers(rng, B, T, I), numbers(rng, B, H) / 2
        yield Case(words, x=x, h0=start, **weights(rng, I, H, gates))


def padded(rng):
    """Sequences of different length in one array."""
    x, h0, lengths = numbers(rng, 3, 5, 2), numbers(rng, 3, 3) / 2, np.array([5, 2, 1])
    case = Case("rows of 5, 2 and 1 valid steps", x=x, h0=h0, lengths=lengths, **weights(rng, 2, 3))
    yield case
    holes = case.fresh()
    holes["x"][np.arange(5) >= lengths[:, None]] = np.nan
    yield Case("the same, with NaN in the padding", **holes)


def sequences_back(rng, cases=sequences):
    """What BPTT of an RNN needs."""
    for case in cases(rng):
        given = case.arguments
        y, h = mistakes.function("rnn_forward")(**given)
        dy, dhT = numbers(rng, *y.shape), numbers(rng, *h[:, 0].shape)
        rest = {name: value for name, value in given.items() if name not in ("b", "h0")}
        yield Case(case.words, dy=dy, dhT=dhT, h=h, **rest)


def padded_back(rng):
    """What BPTT of an RNN needs where rows have lengths."""
    return sequences_back(rng, padded)


def lstm_steps(rng):
    """One step of an LSTM."""
    for B, I, H, words in SIZES:
        x, h, c = numbers(rng, B, I), numbers(rng, B, H) / 2, numbers(rng, B, H)
        yield Case(words, x=x, h=h, c=c, **weights(rng, I, H, 4))


def lstm_steps_back(rng):
    """What one step of an LSTM needs to go back."""
    for case in lstm_steps(rng):
        given = case.arguments
        h_new, c_new, gates = mistakes.function("lstm_step")(**given)
        del given["b"]
        dh, dc = numbers(rng, *h_new.shape), numbers(rng, *h_new.shape)
        yield Case(case.words, dh=dh, dc=dc, c_new=c_new, gates=gates, **given)


def lstm_sequences_back(rng):
    """What BPTT of an LSTM needs."""
    for case in sequences(rng, gates=4):
        given = case.arguments
        c0 = numbers(rng, *given["h0"].shape)
        y, h, c, gates = mistakes.function("lstm_forward")(**given, c0=c0)
        dy, dhT, dcT = numbers(rng, *y.shape), numbers(rng, *c0.shape), numbers(rng, *c0.shape)
        rest = {name: given[name] for name in ("x", "Wx", "Wh")}
        yield Case(case.words, dy=dy, dhT=dhT, dcT=dcT, h=h, c=c, gates=gates, **rest)


def gru_steps(rng):
    """One step of a GRU."""
    for B, I, H, words in SIZES:
        x, h = numbers(rng, B, I), numbers(rng, B, H) / 2
        yield Case(words, x=x, h=h, **weights(rng, I, H, 3), bh=numbers(rng, 3 * H))


def gru_steps_back(rng):
    """What one step of a GRU needs to go back."""
    for case in gru_steps(rng):
        given = case.arguments
        h_new, gates = mistakes.function("gru_step")(**given)
        del given["b"], given["bh"]
        yield Case(case.words, dh=numbers(rng, *h_new.shape), gates=gates, **given)


class Bumpy:
    """A function of an array for the gradient check, with a name to print."""

    def __init__(self, rng):
        self.a, self.b = rng.uniform(2, 4), rng.uniform(1, 2)

    def __call__(self, x):
        """Its value at an array."""
        before = np.roll(x.ravel(), 1).reshape(x.shape)
        return float(np.sum(np.sin(self.a * x) + self.b * x**2 * before))

    def __repr__(self):
        return f"the sum of sin({self.a:.2f} x) + {self.b:.2f} x**2 roll(x, 1)"


def checked_functions(rng):
    """Functions of which the gradient is taken."""
    for shape, words in (((1,), "one number"), ((3,), "three numbers"), ((2, 3), "a matrix")):
        yield Case(words, f=Bumpy(rng), x=numbers(rng, *shape))


def vanishing(rng):
    """States of an RNN over short and long sequences."""
    for T, words in ((1, "one step"), (3, "three steps"), (40, "forty steps: see how it fades")):
        given = {"x": numbers(rng, 2, T, 2), "h0": np.zeros((2, 3)), **weights(rng, 2, 3)}
        _, h = mistakes.function("rnn_forward")(**given)
        yield Case(words, dhT=numbers(rng, 2, 3), h=h, Wh=given["Wh"])


def windows(rng):
    """A sequence of six steps, cut into windows."""
    given = {"x": numbers(rng, 2, 6, 2), "h0": np.zeros((2, 3)), **weights(rng, 2, 3)}
    y, h = mistakes.function("rnn_forward")(**given)
    for window, words in ((6, "one window"), (1, "windows of one step"), (2, "of two steps"),
                          (4, "of four steps: the last one is shorter")):  # fmt: skip
        rest = {name: given[name] for name in ("x", "Wx", "Wh")}
        yield Case(words, dy=numbers(rng, *y.shape), h=h, window=window, **rest)


def losses_of_steps(rng):
    """Losses of valid and padded steps."""
    yield Case("all steps valid", losses=numbers(rng, 2, 3), lengths=np.array([3, 3]))
    losses = numbers(rng, 3, 4)
    yield Case("rows of 4, 1 and 2 valid steps", losses=losses, lengths=np.array([4, 1, 2]))
    holes = losses.copy()
    holes[1, 1:] = np.nan
    yield Case("the same, with NaN in the padding", losses=holes, lengths=np.array([4, 1, 2]))


def gradients(rng):
    """Gradients below and above the norm."""
    small, large = numbers(rng, 3) / 10, numbers(rng, 2, 3) * 10
    yield Case("below the bound: nothing changes", grads=[small], max_norm=5.0)
    yield Case("one array above the bound", grads=[large], max_norm=5.0)
    yield Case("two arrays: one norm over both", grads=[large, small * 100], max_norm=2.0)


def adam_steps(rng):
    """First and later steps of Adam."""
    for t, words in ((1, "the first step"), (2, "the second step"), (100, "step 100")):
        p, g, m = numbers(rng, 3), numbers(rng, 3) * 1e-3, numbers(rng, 3) * 1e-3 * (t > 1)
        yield Case(words, p=p, g=g, m=m, v=(numbers(rng, 3) * 1e-3) ** 2 * (t > 1), t=t)


def dropped(rng):
    """Sequences, and the numbers that decide what is dropped."""
    for shape, words in (((1, 1, 4), "one row, one step"), ((2, 3, 4), "two rows, three steps")):
        yield Case(words, x=numbers(rng, *shape), draws=rng.random(shape).round(3), rate=0.4)
    case = {"x": numbers(rng, 1, 2, 3), "draws": rng.random((1, 2, 3)).round(3), "rate": 0.4}
    yield Case("not in training", **case, training=False)
