"""The functions of a cell as the time loop calls them: compiled, and with one signature."""

from rnnlite.kernels.jit import equation, inner


def equations(cell):
    """The four functions of a cell for compiled code, all with a last argument ``p``.

    Cells without parameters of their own leave it out, and ``dp``; those
    without a intermediate have none of its functions.
    """
    step, step_backward = equation(cell.step), equation(cell.step_backward)
    intermediate = equation(cell.intermediate or _no_intermediate)
    intermediate_backward = equation(cell.intermediate_backward or _no_intermediate_backward)
    if cell.unit_params:
        if cell.intermediate is not None:
            return step, step_backward, intermediate, intermediate_backward
    else:

        @inner
        def step_p(z, state, p):
            return step(z, state)

        @inner
        def step_backward_p(dstate, saved, state, new_state, p):
            dz, dbefore = step_backward(dstate, saved, state, new_state)
            return dz, dbefore, ()

    @inner
    def intermediate_p(z, state, p):
        return intermediate(z, state)

    @inner
    def intermediate_backward_p(da, dz, dbefore, saved, state, p):
        return intermediate_backward(da, dz, dbefore, saved, state)

    if cell.unit_params:
        return step, step_backward, intermediate_p, intermediate_backward_p
    return step_p, step_backward_p, intermediate_p, intermediate_backward_p


def _no_intermediate(z, state):
    return state[0]


def _no_intermediate_backward(da, dz, dbefore, saved, state):
    return dz, dbefore
