"""What ``custom_cell`` accepts: arguments, what equations return, and rows of the right length."""

import numpy as np
import pytest
from conftest import needs_jit
from custom_cases import CENTRED, GOOD, make_decaying, sequences, step, step_backward

import rnnlite
from rnnlite import cells, gradcheck
from rnnlite.cells.functions import tanh, zero_like
from rnnlite.engine.compiled import engine_of
from rnnlite.kernels import jit, load_store
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.target import lanes_of


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": np.tanh}, "step is"),
        ({"step_backward": None}, "step_backward is None"),
        ({"name": ""}, "name is ''"),
        ({"gates": "ifgo"}, "gates is 'ifgo'"),
        ({"gates": []}, "gates is"),
        ({"gates": ["h", "h"]}, "none twice"),
        ({"states": ["c"]}, "the first must be 'h'"),
        ({"saved": [1]}, "saved is"),
        ({"intermediate": step}, "intermediate_backward belong together"),
        ({"projections": [("a", "h")]}, "projections names 'a'"),
        ({"projections": [(None, None)]}, "uses neither"),
        ({"projections": [("h", "h", "intermediate")]}, "with intermediate="),
        ({"projections": [("h", None)]}, "on the h side"),
        ({"unit_params": {"gain": "1"}}, "unit_params"),
        ({"whole_rows": 1}, "whole_rows is 1"),
        ({"compiled": "yes"}, "compiled is 'yes'"),
    ],
)
def test_arguments_that_do_not_fit_are_named(change, message):
    arguments = {"name": "mine", "step": step, "step_backward": step_backward, **GOOD, **change}
    with pytest.raises((TypeError, ValueError), match="custom_cell") as caught:
        rnnlite.custom_cell(**arguments)
    assert message in str(caught.value)


def returning(new_state=None, saved=None, dz=None, dbefore=None):
    """The two functions above, with a part of what they return replaced by something of z or dz."""

    def odd_step(z, state):
        results = step(z, state)
        return tuple(f(z[0]) if f else r for f, r in zip((new_state, saved), results, strict=True))

    def odd_step_backward(dstate, saved, state, new_state):
        results = step_backward(dstate, saved, state, new_state)
        values = zip((dz, dbefore), results, strict=True)
        return tuple(f(dstate[0]) if f else r for f, r in values)

    return odd_step, odd_step_backward


FORMS = {
    "no tuple": (returning(saved=lambda z: z), "step: saved is an array of shape"),
    "too many": (returning(saved=lambda z: (z, z)), "step: saved is a tuple of 2; wanted a tuple"),
    "too few": (returning(dz=lambda d: ()), "step_backward: dz is a tuple of 0"),
    "a number": (returning(dbefore=lambda d: (0.0,)), "step_backward: dbefore[0] (h) is 0.0;"),
    "a sum": (returning(dz=lambda d: (d.sum(axis=0),)), "step_backward: dz[0] (h) has shape ("),
    "text": (returning(new_state=lambda z: (np.full(z.shape, "1"),)), "step: new_state[0] (h) h"),
    "nothing": ((lambda z, state: None, step_backward), "step: the result is None; wanted"),
    "one": ((step, lambda *given: (given[0],)), "step_backward: the result is a tuple of 1"),
}


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_what_an_equation_returns_is_looked_at(form, compiled):
    """A kernel would not compile, or would write past its memory; NumPy would take B for a name."""
    functions, message = FORMS[form]
    with pytest.raises((TypeError, ValueError)) as caught:
        cell = rnnlite.custom_cell("mine", *functions, **GOOD, compiled=compiled)
        gradcheck.check(rnnlite.Recurrent(cell, 3, 4, seed=0), sequences())
    assert str(caught.value).startswith(f"mine: {message}")


def test_a_message_names_each_value_of_z_by_its_gate():
    def two_steps(z, state):
        h = tanh(z[0] * z[1])
        return (h,), (h,)

    halves = {"gates": ["n"], "saved": ["h"], "projections": [("n", None), (None, "n")]}
    with pytest.raises(TypeError, match=r"dz is a tuple of 1; wanted a tuple of 2: n, n"):
        rnnlite.custom_cell("mine", two_steps, step_backward, **halves)


def test_a_row_that_is_too_long_never_reaches_a_kernel():
    functions = returning(saved=lambda z: (np.concatenate((z, z)),))
    with pytest.raises(ValueError, match=r"saved\[0\] \(h\) has shape \(6,\); wanted \(3,\)"):
        rnnlite.custom_cell("mine", *functions, **GOOD, whole_rows=True)


def test_plain_equations_may_return_lists_and_look_along_axis_1():
    """A derivative that is wrong is named all the same."""

    def centred_step(z, state):
        h = np.tanh(z[0] - z[0].mean(axis=1, keepdims=True))
        return [h], [h]

    def centred_step_backward(dstate, saved, state, new_state):
        d = dstate[0] * (1.0 - saved[0] ** 2)
        return [d], [np.zeros_like(d)]  # without - mean(d)

    cell = rnnlite.custom_cell(
        "centred", centred_step, centred_step_backward, **GOOD, compiled=False
    )
    report = gradcheck.check(rnnlite.Recurrent(cell, 3, 4, seed=0), sequences())
    assert "step_backward: dz[0] (h) is wrong" in report.notes[-1]


@pytest.mark.long  # its forward compiles first
@pytest.mark.skipif(JIT_DISABLED, reason="plain Python takes any equation")
def test_equations_that_do_not_compile_are_told_what_they_may_use():
    def squared(dstate, saved, state, new_state):
        return (dstate[0] * (1.0 - saved[0] ** 2),), (zero_like(dstate[0]),)

    cell = rnnlite.custom_cell("mine", step, squared, **GOOD)
    layer = rnnlite.Recurrent(cell, 3, 4, seed=0, dtype="float64")
    layer.forward(sequences())
    with pytest.raises(TypeError, match=r"mine: its equations do not compile.* x \* x, not x"):
        layer.backward(np.ones((4, 4)))


def test_recurrent_wants_a_cell():
    with pytest.raises(TypeError, match="Recurrent: cell is"):
        rnnlite.Recurrent("lstm", 3, 4)


@pytest.mark.long
def test_cells_that_differ_only_in_a_constant_are_told_apart():
    """By their identity: whether kernels of the other are compiled yet makes no difference."""
    other, cell = (
        rnnlite.custom_cell("decaying", make_decaying(rate), step_backward, **GOOD)
        for rate in (0.5, 0.25)
    )
    assert engine_of(other) is not engine_of(cell)
    outputs = [
        rnnlite.Recurrent(one, 3, 4, seed=0, dtype="float64").forward(sequences())
        for one in (cell, *(c._replace(compiled=False) for c in (cell, other)))
    ]
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-10)
    assert not np.allclose(outputs[0], outputs[2])


def test_a_name_is_what_was_given_and_kernels_are_told_apart_by_equations():
    first, second = (rnnlite.custom_cell("mine", step, step_backward, **GOOD) for _ in range(2))
    other = rnnlite.custom_cell("mine", make_decaying(0.5), step_backward, **GOOD)
    assert first.name == second.name == other.name == "mine"
    assert identity(first) == identity(second) != identity(other)


@pytest.mark.long
def test_equations_may_use_functions_of_numpy_in_whole_rows():
    assert gradcheck.check(rnnlite.Recurrent(CENTRED, 3, 7, seed=0), sequences()).passed


# --- rows of the right length, whatever a kernel is given -----------------------------------


ROWS = {"short": 16, "long": 24, "dp": 32}  # units for which something has another length


def cell_of_rows():
    """Whole rows, which for so many units are replaced: no try-out sees it."""
    short, long, of_dp = ROWS.values()

    def step(z, state, p):
        h = np.tanh(z[0]) * p[0]
        if h.size == short:
            h = h[:3].copy()
        elif h.size == long:
            h = np.concatenate((h, h))
        return (h,), (np.tanh(z[0]),)

    def step_backward(dstate, saved, state, new_state, p):
        d = dstate[0] * p[0] * (1.0 - saved[0] * saved[0])
        gain = dstate[0] * saved[0]
        if gain.size == of_dp:
            gain = np.zeros(400_000)
        return (d,), (np.zeros_like(d),), (gain,)

    return rnnlite.custom_cell(
        "rows", step, step_backward, **GOOD, unit_params={"gain": 1.0}, whole_rows=True
    )


@pytest.mark.parametrize("size", [3, 5, 400_000])
@pytest.mark.parametrize("method", ["store_unit", "add"])
def test_a_kernel_writes_no_row_of_another_length(method, size):
    write, array = getattr(load_store.ROWS, method), np.zeros(9)

    @jit.kernel(identity=method)
    def write_row(array, row):
        write(array, 2, row, 4)

    write_row(array, np.ones(4))
    with pytest.raises(ValueError, match=load_store.WRONG_LENGTH):
        write_row(array, np.ones(size))
    np.testing.assert_array_equal(array, [0, 0, 1, 1, 1, 1, 0, 0, 0])


@pytest.mark.long
@pytest.mark.parametrize("which", ROWS)
def test_a_row_of_another_length_is_an_error_and_not_an_access_to_other_memory(which):
    layer = rnnlite.Recurrent(cell_of_rows(), 3, ROWS[which], seed=0, dtype="float64")
    with pytest.raises(ValueError, match=r"^rows: "):
        layer.backward(layer.forward(sequences()))


def test_the_try_out_takes_several_sizes():
    with pytest.raises(ValueError, match=r"mine: step: new_state\[0\] \(h\) has shape \(3,\)"):
        rnnlite.custom_cell(
            "mine", *returning(new_state=lambda z: (z[:3],)), **GOOD, whole_rows=True
        )


def test_what_an_equation_raises_when_it_is_tried_out_is_told():
    def mistaken(z, state):
        return (tanh(z[1]),), (z[0],)  # there is but one

    with pytest.raises(ValueError, match=r"mine: step raises IndexError.*compiled=False") as caught:
        rnnlite.custom_cell("mine", mistaken, step_backward, **GOOD)
    assert isinstance(caught.value.__cause__, IndexError)


def test_the_try_out_lets_numbers_overflow():
    def steep(z, state):
        return (z[0] * 1e300 * 1e300,), (z[0],)

    with np.errstate(all="raise"):
        rnnlite.custom_cell("steep", steep, lambda d, s, h, new: ((d[0],), (d[0],)), **GOOD)


def test_a_cell_may_be_meant_for_one_size():
    scale = np.linspace(0.5, 1.5, 7)

    def scaled_step(z, state):
        h = np.tanh(z[0]) * scale
        return (h,), (h / scale,)

    def scaled_step_backward(dstate, saved, state, new_state):
        d = dstate[0] * scale * (1.0 - saved[0] * saved[0])
        return (d,), (np.zeros_like(d),)

    functions = scaled_step, scaled_step_backward
    cell = rnnlite.custom_cell("mine", *functions, **GOOD, whole_rows=True)
    plain = cell._replace(compiled=False)
    assert gradcheck.check(rnnlite.Recurrent(plain, 3, 7, seed=0), sequences()).passed


@needs_jit
def test_print_in_a_compiled_cell_is_one_sentence():
    def printing_step(z, state):
        print(z[0])
        return step(z, state)

    cell = rnnlite.custom_cell("mine", printing_step, step_backward, **GOOD)
    with pytest.raises(TypeError, match=r"^mine: .*compiled=False runs any NumPy, and print.*$"):
        rnnlite.Recurrent(cell, 3, 4, seed=0).forward(sequences())


@pytest.mark.parametrize("H", [4, 19])
def test_without_the_jit_an_equation_sees_its_units_and_no_others(H):
    if not JIT_DISABLED:
        pytest.skip("asked of NUMBA_DISABLE_JIT=1 alone")
    sizes = (min(H, lanes_of(np.dtype(float))), H % lanes_of(np.dtype(float)))

    def looking(z, state):
        if z[0].size not in sizes or state[0].size != z[0].size:
            raise AssertionError(f"{z[0].size} numbers")
        return step(z, state)

    cell = cells.RNN["tanh"]._replace(step=looking)
    layer = rnnlite.Recurrent(cell, 3, H, seed=0, dtype="float64")
    layer.forward(sequences()[:1])
