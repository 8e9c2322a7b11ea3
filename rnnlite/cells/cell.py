"""What a cell tells the engine: its equations and how its arrays are laid out."""

from collections.abc import Callable
from typing import NamedTuple


class Cell(NamedTuple):
    """A recurrent cell: the equations of one time step and of their derivative.

    ``rnnlite.custom_cell``, which makes one, says what each field means and what the functions
    take and return.  Their values are vector registers in compiled kernels and NumPy arrays under
    ``NUMBA_DISABLE_JIT=1``: the equations cannot tell, because they use only ``+ - * /`` and the
    functions of ``cells/functions.py``.
    """

    name: str  # for messages, and in files
    family: str  # ``lstm_backward`` takes the cache of every cell of the family "lstm"
    gates: tuple[str, ...]  # names of the column blocks of Wx and Wh, in order
    projections: tuple[tuple[str | None, ...], ...]  # the gates of each value of z
    states: tuple[str, ...]  # the first is h, the output
    saved: tuple[str, ...]  # what ``step`` saves for ``step_backward``
    step: Callable  # (z, state) -> new_state, saved
    step_backward: Callable  # (dstate, saved, state, new_state) -> dz, dbefore
    recurrent_bias: bool = False  # whether h has a bias bh beside x's b
    unit_params: tuple[str, ...] = ()  # parameters with one number a unit
    unit_values: tuple[float, ...] = ()  # what they are before training
    intermediate: Callable | None = None  # (z, state) -> a; z without what waits for a
    intermediate_backward: Callable | None = None  # (da, dz, dbefore, saved, state) -> dz, dbefore
    whole_rows: bool = False  # values are arrays (H,)
    compiled: bool = True  # False: values are arrays (B, H), in ``engine/plain.py``

    @property
    def z_names(self):
        """Names of the values of ``z``: their gates'."""
        return tuple(x_gate or h_gate for x_gate, h_gate, *_ in self.projections)

    @property
    def without_equations(self):
        """How its arrays are laid out, for what may outlive the cell."""
        intermediate = None if self.intermediate is None else True
        return self._replace(
            step=None, step_backward=None, intermediate=intermediate, intermediate_backward=None
        )
