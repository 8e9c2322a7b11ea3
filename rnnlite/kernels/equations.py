"""The functions of a cell as the time loop calls them: compiled, and with one signature."""

from rnnlite.kernels.jit import equation, inner


def equations(cell):
    """The four functions of a cell for compiled code, all with a last argument ``p``.

    Cells without parameters of their own leave it out, and ``dp``; those
    without a reset have none of its functions.
    """
    step, step_backward = equation(cell.step), equation(cell.step_backward)
    reset = equation(cell.reset or _no_reset)
    reset_backward = equation(cell.reset_backward or _no_reset_backward)
    if cell.unit_params:
        if cell.reset is not None:
            return step, step_backward, reset, reset_backward
    else:

        @inner
        def step_p(z, state, p):
            return step(z, state)

        @inner
        def step_backward_p(dstate, kept, state, new_state, p):
            dz, dbefore = step_backward(dstate, kept, state, new_state)
            return dz, dbefore, ()

    @inner
    def reset_p(z, state, p):
        return reset(z, state)

    @inner
    def reset_backward_p(da, dz, dbefore, kept, state, p):
        return reset_backward(da, dz, dbefore, kept, state)

    if cell.unit_params:
        return step, step_backward, reset_p, reset_backward_p
    return step_p, step_backward_p, reset_p, reset_backward_p


def _no_reset(z, state):
    return state[0]


def _no_reset_backward(da, dz, dbefore, kept, state):
    return dz, dbefore
