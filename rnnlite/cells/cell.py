"""What a cell tells the engine: its equations and how its arrays are laid out."""

from collections.abc import Callable
from typing import NamedTuple


class Block(NamedTuple):
    """One projection ``z`` that a cell asks for: columns of Wx, of Wh, or of both, added.

    Attributes
    ----------
    x_gate, h_gate : int or None
        Which gate's columns of ``Wx`` (and ``b``) and of ``Wh`` go into it.
    """

    x_gate: int | None
    h_gate: int | None


class Cell(NamedTuple):
    """A recurrent cell: the equations of one time step and of their derivative.

    Attributes
    ----------
    name : str
        Unique; compiled kernels are kept under it.
    gates : tuple of str
        Names of the column blocks of ``Wx`` and ``Wh``, in order.
    blocks : tuple of Block
        The projections ``z`` that ``step`` receives, in order.  Blocks that
        use x must be neighbours, and so must those that use h.
    states : tuple of str
        Names of the states carried through time; the first is ``h``, the output.
    kept : tuple of str
        Names of what ``step`` keeps for ``step_backward``.
    step : function
        ``step(z, state) -> new_state, kept``, all tuples with one value a unit.
    step_backward : function
        ``step_backward(dstate, kept, state, new_state) -> dz, dstate_before``;
        ``dstate`` is dL/d(new_state), and the ``dh`` of ``dstate_before``
        leaves out what flows back through ``z``: the engine adds dz Wh^T.
    recurrent_bias : bool
        Whether h has a bias of its own (``bh``) beside x's ``b``.

    The values are whole vector registers in compiled kernels, NumPy arrays
    under ``NUMBA_DISABLE_JIT=1``: the equations cannot tell, because they use
    only ``+ - * /`` and the functions of ``rnnlite.kernels.activations``.
    """

    name: str
    gates: tuple[str, ...]
    blocks: tuple[Block, ...]
    states: tuple[str, ...]
    kept: tuple[str, ...]
    step: Callable
    step_backward: Callable
    recurrent_bias: bool = False

    @property
    def width(self):
        """Blocks of one row of the gate buffer: z, then kept, then dz take turns in it."""
        return max(len(self.blocks), len(self.kept))

    @property
    def x_blocks(self):
        """First block that uses x, and one past the last."""
        return _range([block.x_gate is not None for block in self.blocks])

    @property
    def h_blocks(self):
        """First block that uses h, and one past the last."""
        return _range([block.h_gate is not None for block in self.blocks])


def _range(used):
    first, last = used.index(True), len(used) - used[::-1].index(True)
    if not all(used[first:last]):
        raise ValueError("the blocks of a cell that use the same source must be neighbours")
    return first, last
