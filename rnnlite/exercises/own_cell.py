"""A cell of the student's own, which the engine runs."""

import numpy as np

from rnnlite import gradcheck
from rnnlite.cells.cell import Cell
from rnnlite.exercises.exercise import rng_of
from rnnlite.exercises.written import asked, plain, written_exercise
from rnnlite.reference import sigmoid


def judge_cell(function, student):
    """Its numbers are those of the equations, and its derivative passes the gradient check."""
    cell, problem = asked(function)
    if problem:
        return problem
    if not isinstance(cell, Cell):
        return "names", f"It returns a {type(cell).__name__}; wanted what custom_cell returns", None
    if cell.gates != ("f", "n") or cell.states != ("h",):
        came = f"gates {cell.gates} and states {cell.states}"
        return "names", f"The cell has {came}; wanted gates ('f', 'n') and states ('h',)", None
    rng = rng_of(student, "own_cell")
    layer = plain(cell, 2, 3)
    for array in layer.params.values():
        array[...] = rng.normal(size=array.shape)
    x = rng.normal(size=(2, 4, 2))
    h, (y, problem) = np.zeros((2, 3)), asked(lambda: layer(x))
    if problem:
        return problem
    for t in range(4):
        z_f, z_n = np.split(x[:, t] @ layer.params["Wx"] + layer.params["b"]
                            + h @ layer.params["Wh"], 2, axis=1)  # fmt: skip
        f, n = sigmoid(z_f), np.tanh(z_n)
        h = f * h + (1 - f) * n
        if np.abs(y[:, t] - h).max() > 1e-9:
            hint = ", as if f and 1 - f had changed places" if _swapped(layer, x, y) else ""
            return (
                "numbers",
                (
                    f"h is wrong at step {t}{hint}:\n  came   {y[:, t].round(4).tolist()}\n"
                    f"  wanted {h.round(4).tolist()}\nwith f = {f.round(4).tolist()} and n = "
                    f"{n.round(4).tolist()}"
                ),
                None,
            )
    report, problem = asked(lambda: gradcheck.check(layer, x))
    if problem:
        return problem
    if not report.passed:
        return "numbers", f"The forward pass is right; the derivative is not:\n\n{report}", None
    return "passed", "", None


def _swapped(layer, x, y):
    z_f, z_n = np.split(x[:, 0] @ layer.params["Wx"] + layer.params["b"], 2, axis=1)
    return np.allclose(y[:, 0], sigmoid(z_f) * np.tanh(z_n))


OWN_CELL = written_exercise(
    "own_cell", "a cell of your own for the engine",
    """
One gate that both keeps and takes:

    f = sigmoid(z_f),  n = tanh(z_n)
    h_t = f h_{t-1} + (1 - f) n

The engine makes z = x_t Wx + h_{t-1} Wh + b for you, runs the loop, and goes back through it: you
write one step and its derivative, by z and, apart from z, by h_{t-1}.  See rnnlite.custom_cell.
""",
    '''import rnnlite
from rnnlite.cells.functions import sigmoid, tanh


def step(z, state):
    """From z = (z_f, z_n) and state = (h,) to the new state and what backward needs."""
    raise NotImplementedError("to be written")


def step_backward(dstate, saved, state, new_state):
    """From dstate = (dh,) to (dz_f, dz_n) and (dh_before,), without what flows through z."""
    raise NotImplementedError("to be written")


def own_cell():
    """The cell."""
    return rnnlite.custom_cell(
        "mine", step, step_backward, gates=["f", "n"], saved=["f", "n"], compiled=False
    )
''',
    judge_cell,
    ("step returns ((h,), (f, n)).", "df = dh (h_{t-1} - n), dn = dh (1 - f).",
     "dz_f = df f (1 - f), dz_n = dn (1 - n n); dh_before = dh f."),
    "Any equations that you can derive run here, at the speed of the built-in cells once compiled.",
)  # fmt: skip
