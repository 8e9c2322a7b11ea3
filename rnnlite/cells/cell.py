"""What a cell tells the engine: its equations and how its arrays are laid out."""

from collections.abc import Callable
from typing import NamedTuple


class Block(NamedTuple):
    """One projection ``z`` that a cell asks for: columns of Wx, of Wh, or of both, added.

    Attributes
    ----------
    x_gate, h_gate : int or None
        Which gate's columns of ``Wx`` (and ``b``) and of ``Wh`` go into it.
    after_intermediate : bool
        Whether ``Wh`` multiplies what ``Cell.intermediate`` returns instead of h.
    """

    x_gate: int | None
    h_gate: int | None
    after_intermediate: bool = False


class Cell(NamedTuple):
    """A recurrent cell: the equations of one time step and of their derivative.

    Attributes
    ----------
    name : str
        For messages.  Up to the first "-" it names the family: ``functional.lstm_backward``
        takes the cache of every "lstm".
    gates : tuple of str
        Names of the column blocks of ``Wx`` and ``Wh``, in order.
    blocks : tuple of Block
        The projections ``z`` that ``step`` receives, in order.  Blocks that
        use x must be neighbours, so must those that use h; blocks after the
        intermediate come last.
    states : tuple of str
        Names of the states carried through time; the first is ``h``, the output.
    saved : tuple of str
        Names of what ``step`` keeps for ``step_backward``.
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
        ``intermediate(z, state) -> a`` with ``z`` before the intermediate: what takes h's
        place in the product for the blocks after it.
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
    gates: tuple[str, ...]
    blocks: tuple[Block, ...]
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
    def width(self):
        """Blocks of one row of the gate buffer: z, then saved, then dz take turns in it."""
        return max(len(self.blocks), len(self.saved))

    @property
    def x_blocks(self):
        """First block that uses x, and one past the last."""
        return _range([block.x_gate is not None for block in self.blocks])

    @property
    def h_blocks(self):
        """First block that uses h itself, and one past the last."""
        return _range(
            [block.h_gate is not None and not block.after_intermediate for block in self.blocks]
        )

    @property
    def intermediate_blocks(self):
        """First block after the intermediate, and one past the last."""
        first = len(self.blocks) - sum(block.after_intermediate for block in self.blocks)
        if not all(block.after_intermediate for block in self.blocks[first:]):
            raise ValueError("the blocks of a cell after the intermediate must come last")
        return first, len(self.blocks)


def _range(used):
    if True not in used:
        return 0, 0
    first, last = used.index(True), len(used) - used[::-1].index(True)
    if not all(used[first:last]):
        raise ValueError("the blocks of a cell that use the same source must be neighbours")
    return first, last
