"""What a cell tells the engine: its equations and how its arrays are laid out."""

from collections.abc import Callable
from typing import NamedTuple


class Cell(NamedTuple):
    """A recurrent cell: the equations of one time step and of their derivative.

    Attributes
    ----------
    name : str
        For messages, and in files.
    family : str
        ``functional.lstm_backward`` takes the cache of every cell of the family "lstm".
    gates : tuple of str
        Names of the column blocks of ``Wx`` and ``Wh``, in order.
    projections : tuple of tuples (x_gate, h_gate) or (x_gate, h_gate, "intermediate")
        The projections ``z`` that ``step`` receives, in any order: which gate's columns of
        ``Wx`` (and ``b``) and of ``Wh`` go into it, or None to leave out that half.
        "intermediate": ``Wh`` multiplies what ``intermediate`` returns instead of h.
    states : tuple of str
        Names of the states carried through time; the first is ``h``, the output.
    saved : tuple of str
        Names of what ``step`` saves for ``step_backward``.
    step : function
        ``step(z, state) -> new_state, saved``, all tuples with one value a unit.
    step_backward : function
        ``step_backward(dstate, saved, state, new_state) -> dz, dbefore``;
        ``dstate`` is dL/d(new_state), ``dbefore`` dL/d(state).  Its ``dh``
        leaves out what flows back through ``z``: the engine adds dz Wh^T.
    recurrent_bias : bool
        Whether h has a bias of its own (``bh``) beside x's ``b``.
    unit_params : tuple of str
        Names of further parameters, one number a unit each (peepholes, gains).
        All four functions then take their values ``p`` as a last argument, and
        ``step_backward`` returns their gradients ``dp`` as a third result.
    unit_values : tuple of float
        What they are before training.
    intermediate : function or None
        ``intermediate(z, state) -> a``, which takes h's place in some projections; those
        are not in ``z`` yet.
    intermediate_backward : function or None
        ``intermediate_backward(da, dz, dbefore, saved, state) -> dz, dbefore``: adds
        what flows back through ``a``.
    whole_rows : bool
        Whether the equations look at all units of a row at once (a mean over
        them, say).  Their values are then NumPy arrays (H,).
    compiled : bool
        False runs the equations as plain NumPy on whole batches, (B, H), in
        ``engine/plain.py``: slow, and easy to look into.

    Otherwise the values are vector registers in compiled kernels and NumPy
    arrays under ``NUMBA_DISABLE_JIT=1``: the equations cannot tell, because
    they use only ``+ - * /`` and the functions of ``cells/functions.py``.
    """

    name: str
    family: str
    gates: tuple[str, ...]
    projections: tuple[tuple[str | None, ...], ...]
    states: tuple[str, ...]
    saved: tuple[str, ...]
    step: Callable
    step_backward: Callable
    recurrent_bias: bool = False
    unit_params: tuple[str, ...] = ()
    unit_values: tuple[float, ...] = ()
    intermediate: Callable | None = None
    intermediate_backward: Callable | None = None
    whole_rows: bool = False
    compiled: bool = True

    @property
    def z_names(self):
        """Names of the values of ``z``: their gates'."""
        return tuple(x_gate or h_gate for x_gate, h_gate, *_ in self.projections)
