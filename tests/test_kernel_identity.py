"""All that the equations of a cell are made of is part of the identity of its kernels."""

import functools

import numpy as np
import pytest

import rnnlite
from rnnlite import cells
from rnnlite.kernels.fingerprint import identity


def another_step(z, state):
    return (z[0],), (z[0],)


def test_all_that_a_kernel_is_made_of_is_part_of_a_cell_s_identity():
    made = cells.RNN["tanh"]
    others = [
        made._replace(name="other"),
        made._replace(gates=("k",)),
        made._replace(projections=(("h", None),)),
        made._replace(family="other"),
        made._replace(states=("h", "c")),
        made._replace(saved=("k",)),
        made._replace(step=another_step),
        made._replace(step_backward=made.step),
        made._replace(recurrent_bias=True),
        made._replace(unit_params=("p",)),
        made._replace(intermediate=another_step),
        made._replace(intermediate_backward=another_step),
        made._replace(whole_rows=True),
        cells.clipped_lstm(1.0)._replace(name="lstm"),
        cells.clipped_lstm(2.0)._replace(name="lstm"),
        cells.peephole_lstm(2.0)._replace(name="lstm"),
        cells.LSTM,
        cells.LSTM._replace(step=another_step),
    ]
    identities = [identity(cell) for cell in (made, *others)]
    assert len(set(identities)) == len(identities)
    assert identity(made._replace(unit_values=(1.0,))) == identities[0]  # no kernel knows them


# Equations of a leaky unit that take their constant, {0}, from different places.
LEAKY = {
    "in the equation": "def step(z, state):\n    h = {0} * state[0] + z[0]\n    return (h,), (h,)",
    "a global": "LEAK = {0}\ndef step(z, state):\n    h = LEAK * state[0] + z[0]\n"
    "    return (h,), (h,)",
    "a helper": "def leak(h):\n    return {0} * h\ndef step(z, state):\n"
    "    h = leak(state[0]) + z[0]\n    return (h,), (h,)",
    "a helper's helper": "def leak(h):\n    return {0} * h\ndef old(h):\n    return leak(h)\n"
    "def step(z, state):\n    h = old(state[0]) + z[0]\n    return (h,), (h,)",
    "around it": "def make(leak):\n    def step(z, state):\n        h = leak * state[0] + z[0]\n"
    "        return (h,), (h,)\n    return step\nstep = make({0})",
    "a default value": "def step(z, state, leak={0}):\n    h = leak * state[0] + z[0]\n"
    "    return (h,), (h,)",
    "a keyword's default value": "def leak(h, *, rate={0}):\n    return rate * h\n"
    "def step(z, state):\n    h = leak(state[0]) + z[0]\n    return (h,), (h,)",
    "an array": "import numpy as np\nrates = np.array([{0}])\ndef step(z, state):\n"
    "    h = rates[0] * state[0] + z[0]\n    return (h,), (h,)",
    "an array of many": "import numpy as np\nrates = np.zeros(5000)\nrates[2500] = {0}\n"
    "def step(z, state):\n    h = rates[2500] * state[0] + z[0]\n    return (h,), (h,)",
    "the name of a part": "import collections\nnames = 'a b' if {0} == 0.5 else 'b a'\n"
    "rates = collections.namedtuple('Rates', names)(0.5, 0.9)\n"
    "def step(z, state):\n    h = rates.a * state[0] + z[0]\n    return (h,), (h,)",
    "an enumeration": "import enum\nclass Rates(enum.Enum):\n    LEAK = {0}\n"
    "def step(z, state):\n    h = Rates.LEAK.value * state[0] + z[0]\n    return (h,), (h,)",
    "a module": "import types\nsettings = types.ModuleType('settings')\nsettings.LEAK = {0}\n"
    "def step(z, state):\n    h = settings.LEAK * state[0] + z[0]\n    return (h,), (h,)",
}


@pytest.mark.parametrize("text", LEAKY.values(), ids=LEAKY.keys())
def test_all_that_an_equation_of_ones_own_reaches_is_part_of_its_identity(text):
    identities = []
    for leak in (0.5, 0.9, 0.5):
        namespace = {}
        exec(text.format(leak), namespace)
        step = namespace["step"]
        assert step((1.0,), (1.0,))[0][0] == 1.0 + leak
        equations = {"gates": ["h"], "saved": ["h"], "compiled": False}
        cell = rnnlite.custom_cell("leaky", step, step, **equations)
        identities.append(identity(cell))
    assert identities[0] == identities[2] != identities[1]


def test_cells_that_call_another_function_of_numpy_are_told_apart():
    def with_function(bound):
        def step(z, state):
            h = bound(z[0], 0.5)
            return (h,), (h,)

        return rnnlite.custom_cell("bounded", step, step, compiled=False, **ONE)

    functions = (np.maximum, np.minimum, np.hypot, np.mean, np.median, max, min)
    assert len({identity(with_function(function)) for function in functions}) == len(functions)


ONE = {"gates": ["h"], "saved": ["h"]}


class Rate:
    """Holds a number that may change, in ways that no hash sees."""

    leak = 0.5

    def times(self, h):
        return self.leak * h


UNSEEN = {
    "a class": Rate, "an object": Rate(), "a method": Rate().times, "a list": [0.5],
    "a partial": functools.partial(max, 0.5), "an array of objects": np.array([Rate()]),
}  # fmt: skip


@pytest.mark.parametrize("value", UNSEEN.values(), ids=UNSEEN)
def test_what_may_change_unseen_is_refused(value):
    def step(z, state):
        h = z[0] * value
        return (h,), (h,)

    with pytest.raises(TypeError, match=r"custom_cell: the equations use .*numbers, arrays and"):
        rnnlite.custom_cell("mine", step, step, compiled=False, **ONE)
