"""Weights set by hand: a latch, a counter and an adder, which the machine checks."""

import numpy as np

from rnnlite import cells
from rnnlite.exercises.exercise import rng_of
from rnnlite.exercises.written import asked, plain, written_exercise

GATES = "Columns of Wx, Wh and b are those of i, f, g, o, in this order"


def filled(layer, answer, **more):
    """Put a student's weights into a layer; what is wrong with them, or None.

    ``more`` are shapes of arrays beside the layer's own.
    """
    shapes = {name: array.shape for name, array in layer.params.items()} | more
    if not isinstance(answer, dict) or set(answer) != set(shapes):
        kind = type(answer).__name__
        if isinstance(answer, dict):
            kind = f"a dict with {sorted(map(str, answer))}"
        return f"It returns {kind}; wanted a dict with the arrays {', '.join(shapes)}"
    for name, shape in shapes.items():
        try:
            array = np.asarray(answer[name])
        except ValueError:  # lists of different length
            return f"{name} is no array; wanted numbers of shape {shape}"
        if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            return f"{name} is {array.dtype} of shape {array.shape}; wanted finite numbers {shape}"
        if name in layer.params:
            layer.params[name] = array
    return None


def unit(function):
    """An LSTM of one unit with a student's weights, or None and what is wrong with them."""
    layer, (answer, problem) = plain(cells.LSTM, 2, 1), asked(function)
    if problem is None and (words := filled(layer, answer)):
        problem = "shapes", f"{words}. {GATES}.", None
    return layer, problem


def gates_of_one_unit(layer, x, t):
    """The gates of one LSTM unit at a step, in a line."""
    from rnnlite.inside.trace import trace

    found = trace(layer, x[None])["0"]
    return ", ".join(f"{gate} = {getattr(found, gate)[0, t, 0]:.3f}" for gate in "ifgo")


def judge_latch(function, student):
    """The sign of h is the last value written."""
    (layer, problem), rng = unit(function), rng_of(student, "latch")
    if problem:
        return problem
    write = rng.random((20, 60)) < 0.15
    write[:, 0] = True
    values = rng.choice([-1.0, 1.0], (20, 60))
    x = np.stack([values, write], axis=2)
    last = np.maximum.accumulate(np.where(write, np.arange(60), 0), axis=1)
    wanted = np.take_along_axis(values, last, axis=1)
    h = layer(x)[:, :, 0]
    wrong = np.argwhere(h * wanted < 0.5)
    if not len(wrong):
        return "passed", "", None
    row, t = wrong[np.argmin(wrong[:, 1])]
    what = "This step writes" if write[row, t] else "This step must keep what was written"
    return (
        "numbers",
        (
            f"At step {t} h is {h[row, t]:.3f}; wanted {wanted[row, t]:+.0f} times 0.5 or more, "
            f"the value written at step {last[row, t]}.\n{what}: value = {values[row, t]:+.0f}, "
            f"write = {write[row, t]:d}, and the gates are {gates_of_one_unit(layer, x[row], t)}.\n"
            "To write, i is near 1 and f near 0; to keep, i is near 0 and f near 1; to show, o is "
            "near 1."
        ),
        None,
    )


def judge_counter(function, student):
    """The cell state is the number of a less the number of b."""
    (layer, problem), rng = unit(function), rng_of(student, "counter")
    if problem:
        return problem
    from rnnlite.inside.trace import trace

    x = np.eye(2)[rng.integers(0, 2, (10, 40))]
    wanted = np.cumsum(x[:, :, 0] - x[:, :, 1], axis=1)
    c = trace(layer, x)["0"].c[:, :, 0]
    wrong = np.argwhere(np.abs(c - wanted) > 0.1)
    if not len(wrong):
        return "passed", "", None
    row, t = wrong[np.argmin(wrong[:, 1])]
    read = "".join("ab"[k] for k in np.argmax(x[row, : t + 1], axis=1))
    return (
        "numbers",
        (
            f"After {read!r} c is {c[row, t]:.3f}; wanted {wanted[row, t]:.0f}, within 0.1."
            f"\nThe gates are {gates_of_one_unit(layer, x[row], t)}.\n"
            "To count, i and f are near 1 at every step, and g is +1 for a and -1 for b."
        ),
        None,
    )


def judge_adder(function, student):
    """The output's sign is each bit of the sum."""
    answer, problem = asked(function)
    if problem:
        return problem
    Wh = answer.get("Wh", ()) if isinstance(answer, dict) else ()
    H = max(len(Wh) if hasattr(Wh, "__len__") else 1, 1)
    layer = plain(cells.RNN["relu"], 2, H)
    problem = filled(layer, answer, W=(H, 1), bias=(1,))
    if problem:
        return "shapes", f"{problem}; the number of units, here {H}, is that of Wh's rows", None
    bits, rng = 12, rng_of(student, "adder")
    a, b = rng.integers(0, 2 ** (bits - 1), (2, 50))
    x = np.stack([(n[:, None] >> np.arange(bits)) & 1 for n in (a, b)], axis=2).astype(float)
    wanted = ((a + b)[:, None] >> np.arange(bits)) & 1
    out = (layer(x) @ np.asarray(answer["W"]) + np.asarray(answer["bias"]))[:, :, 0]
    wrong = np.argwhere((out > 0) != wanted)
    if not len(wrong):
        return "passed", "", None
    row, t = wrong[np.argmin(wrong[:, 1])]
    carry = int((a[row] % 2**t + b[row] % 2**t) >> t)
    return (
        "numbers",
        (
            f"{a[row]} + {b[row]}: bit {t} of the sum, from the lowest, is {wanted[row, t]}, and "
            f"your output is {out[row, t]:.3f}; wanted it above 0 for a one.\n"
            f"Bits {x[row, t, 0]:.0f} and {x[row, t, 1]:.0f} came, a carry of {carry}; the units "
            f"are {layer(x[row : row + 1])[0, t].round(3).tolist()}."
        ),
        None,
    )


ONE_UNIT = '''import numpy as np


def {name}():
    """Weights of an LSTM of one unit {does}."""
    Wx, Wh, b = np.zeros((2, 4)), np.zeros((1, 4)), np.zeros(4)
    {rows} = range(2)  # rows of Wx
    i, f, g, o = range(4)  # columns of Wx, Wh and b
{begun}    raise NotImplementedError("to be written")
    return {{"Wx": Wx, "Wh": Wh, "b": b}}
'''
BEGUN = "    Wx[write, i], b[i] = 20, -10  # i = sigmoid(20 write - 10): open where write is 1\n"
LATCH = written_exercise(
    "latch", "weights by hand: a latch",
    """
An LSTM of one unit reads (value, write) at every step: value is -1 or +1, write is 0 or 1.  Where
write is 1 it takes the value; where write is 0 it keeps what it has, however often that is.  The
first step writes.  At every step the sign of h is the value written last, and |h| is 0.5 or more.

    z = x_t Wx + h_{t-1} Wh + b, cut into z_i, z_f, z_g, z_o
    c_t = sigmoid(z_f) c_{t-1} + sigmoid(z_i) tanh(z_g),  h_t = sigmoid(z_o) tanh(c_t)

Return Wx (2, 4), Wh (1, 4) and b (4,); columns in the order i, f, g, o.
""",
    ONE_UNIT.format(name="latch", does="that holds one bit", rows="value, write", begun=BEGUN),
    judge_latch,
    ("sigmoid(10) is nearly 1, sigmoid(-10) nearly 0.", "Wh may be zero: c alone remembers.",
     "i is given; f is its opposite, g is the value, and o is open at every step."),
    "A gate that a network learns to open and close does what you did by hand.",
)  # fmt: skip
COUNTER = written_exercise(
    "counter", "weights by hand: a counter",
    """
An LSTM of one unit reads letters a = (1, 0) and b = (0, 1).  Its cell state is the number of a less
the number of b so far, within 0.1, over 40 letters (Weiss, Goldberg & Yahav 2018: LSTMs can count).

Return Wx (2, 4), Wh (1, 4) and b (4,); columns in the order i, f, g, o.
""",
    ONE_UNIT.format(
        name="counter", does="whose cell state counts", rows="read_a, read_b", begun=""
    ),
    judge_counter,
    ("f and i are 1 at every step.", "tanh(10) is nearly 1.",
     "0.9999 to the power 40 is 0.996: how near to 1 must f be?"),
    "c_t = c_{t-1} + g is a sum without a bound; a GRU, with states from -1 to 1, cannot do it.",
)  # fmt: skip
ADDER = written_exercise(
    "adder", "weights by hand: an adder",
    """
An RNN with ReLU reads two binary numbers, a bit of each at every step, lowest first.  At every step
h W + bias is above 0 where the bit of the sum is one, else not.  The carry has to be in the state.
As many units as you like; three will do.

Return Wx (2, H), Wh (H, H), b (H,), and W (H, 1), bias (1,) of the output.
""",
    '''import numpy as np


def adder():
    """Weights of a ReLU network that adds two binary numbers."""
    H = 3
    Wx, Wh, b = np.zeros((2, H)), np.zeros((H, H)), np.zeros(H)
    W, bias = np.zeros((H, 1)), np.zeros(1)
    raise NotImplementedError("to be written")
    return {"Wx": Wx, "Wh": Wh, "b": b, "W": W, "bias": bias}
''',
    judge_adder,
    ("Let n be the two bits and the carry, 0 to 3: units max(n, 0), max(n - 1, 0), max(n - 2, 0).",
     "The carry is 1 where n is 2 or 3: unit 2 less unit 3.",
     "The bit of the sum is 1 where n is 1 or 3."),
    "Three ReLUs and a loop are an adding machine for numbers of any length.",
)  # fmt: skip
