"""The engine: owns the buffers of a run and deals a cell's kernels to the threads.

    Engine   the compiled kernels of one cell
    Weights  the parameters, or their gradients, as the kernels read them
    Workspace     the buffers of one forward run, which backward reads (``workspace.py``)

No validation happens here: ``functional`` and the layers hand over flat,
contiguous arrays of one dtype.
"""

import functools
from typing import NamedTuple

import numpy as np

from rnnlite.engine import threads
from rnnlite.engine.memory import aligned_zeros
from rnnlite.engine.plain import PlainEngine
from rnnlite.engine.workspace import Workspace
from rnnlite.kernels import gradients, loop, packing
from rnnlite.kernels.jit import CompileError
from rnnlite.kernels.product import packed_size

__all__ = ["Engine", "Weights", "Workspace", "engine_of"]

# What the equations of a compiled cell may use: of one unit, and of whole rows.
_MAY_USE = (
    "+ - * / and the functions of rnnlite.cells.functions (tanh, not np.tanh; x * x, not x**2)",
    "what Numba understands of NumPy",
)

# Rows times steps from which packing the weights pays.
PACK_FROM = 8


class Weights(NamedTuple):
    """Parameters of a cell, or their gradients, as flat arrays.

    Attributes
    ----------
    x : numpy.ndarray
        [Wx; b], row after row.
    h : numpy.ndarray
        [Wh], or [bh; Wh] if the cell has a recurrent bias.
    p : numpy.ndarray
        The parameters with one number a unit, (n, H).
    """

    x: np.ndarray
    h: np.ndarray
    p: np.ndarray


class Engine:
    """The compiled kernels of one cell; ``engine_of(cell)`` makes it once.

    Compilation itself happens at the first call, for each dtype.
    """

    def __init__(self, cell):
        self.cell = cell
        self._forward = loop.make_forward(cell)
        self._backward = loop.make_backward(cell)

    def forward(self, workspace, x, weights, y, y_every_step, reverse=False):
        """Run the sequence; initial states, lengths and mask are on the workspace already.

        Parameters
        ----------
        workspace : Workspace
        x : (B*T*I,) array
        weights : Weights
        y : flat array, written
            (B, T, H) or, without ``y_every_step``, (B, H).
        reverse : bool
            Read each row from its last valid step to its first; y stays at
            the time of its input.
        """
        cell, (B, T, I, H), Hp = self.cell, workspace.shape, workspace.Hp
        columns, bias_rows = len(cell.gates) * H, int(cell.recurrent_bias)
        direct = B * T <= PACK_FROM
        if not direct:
            packing.pack_forward(
                weights.x, columns, weights.h, columns, bias_rows,
                workspace.packed, workspace.segments, workspace.block_gates, I, H,
            )  # fmt: skip
        if workspace.intermediate_gates.size:
            packing.pack_gates(
                weights.h, bias_rows * columns, columns, workspace.intermediate_gates,
                workspace.packed_intermediate, H, H,
            )  # fmt: skip
        if cell.unit_params:
            workspace.p[:, :H] = weights.p.reshape(-1, H)
        self._parallel_for(
            self._forward, B, B * T * (I + H) * columns,
            x, workspace.xh.reshape(-1), workspace.ld, workspace.h_offset,
            workspace.gates.reshape(-1), workspace.states.reshape(-1), workspace.intermediates.reshape(-1),
            workspace.h_mask.reshape(-1), workspace.p.reshape(-1), workspace.keep, workspace.from_zero,
            workspace.packed, workspace.segments, workspace.packed_intermediate,
            direct, weights.x, weights.h, columns, bias_rows, workspace.block_gates,
            workspace.gate_row, workspace.zeros, workspace.lengths, reverse, y, y_every_step, T, B, I, H, Hp,
        )  # fmt: skip

    def backward(self, workspace, dgates, dy, dy_every_step, weights, grads, dx, reverse=False):
        """Backpropagate; ``workspace.dstate`` holds dL/d(final) before, dL/d(initial) after.

        Parameters
        ----------
        workspace : Workspace
        dgates : (T, B, gate_row) array, written
            ``workspace.gates`` itself, unless the cell has a intermediate or the gates are
            still wanted.
        dy : flat array
            (B, T, H), read with ``dy_every_step`` only.
        weights : Weights
        grads : Weights, written
        dx : flat array or None
            (B, T, I), written unless None.
        reverse : bool
            As in ``forward``.
        """
        cell, (B, T, I, H), Hp = self.cell, workspace.shape, workspace.Hp
        columns, bias_rows = len(cell.gates) * H, int(cell.recurrent_bias)
        want_dx = dx is not None
        wh, wx, w_intermediate, dx_rows = self._transposes(workspace, weights, want_dx)
        workspace.dp[...] = 0.0
        flat_dgates = dgates.reshape(-1)
        self._parallel_for(
            self._backward, B, B * T * (H + I * want_dx) * columns,
            dy, dy_every_step, workspace.gates.reshape(-1), flat_dgates, workspace.gate_row,
            workspace.states.reshape(-1), workspace.dstate.reshape(-1), workspace.da.reshape(-1),
            workspace.h_mask.reshape(-1), workspace.p.reshape(-1), workspace.dp.reshape(-1),
            wh, wx, w_intermediate, workspace.zeros, workspace.lengths, reverse,
            dx if want_dx else workspace.zeros, dx_rows, want_dx, T, B, I, H, Hp,
        )  # fmt: skip
        threads.parallel_for(
            gradients.weight_gradients, I + 1 + bias_rows + H, B * T * (I + H) * columns,
            workspace.zeros, workspace.xh.reshape(-1), workspace.ld, flat_dgates, workspace.gate_row, T * B,
            workspace.h_offset - bias_rows - 1 - I, grads.x, columns, workspace.x_columns, I + 1,
            workspace.h_offset - bias_rows, grads.h, columns, workspace.h_columns,
            B if workspace.from_zero and not bias_rows else 0,  # bh is multiplied by 1 at t = 0 too
        )  # fmt: skip
        if workspace.intermediate_gates.size:
            threads.parallel_for(
                gradients.weight_gradients, H, B * T * H * workspace.intermediate_gates.size * H,
                workspace.zeros, workspace.intermediates.reshape(-1), Hp, flat_dgates, workspace.gate_row, T * B,
                0, grads.h[bias_rows * columns :], columns, workspace.intermediate_columns, H,
                0, grads.h, columns, workspace.h_columns[:0], 0,
            )  # fmt: skip
            if bias_rows:  # b and bh of these gates act on the same row of ones
                for _, to, count in workspace.intermediate_columns:
                    grads.h[to : to + count] = grads.x[I * columns :][to : to + count]
        if cell.unit_params:
            # One row after the other: the same sum at any number of threads.
            np.sum(workspace.dp[:, :, :H], axis=0, out=grads.p.reshape(-1, H))

    def _parallel_for(self, kernel, *arguments):
        """``threads.parallel_for``, where the cell's equations may be compiled for the first time."""
        try:
            threads.parallel_for(kernel, *arguments)
        except CompileError as error:
            lines = [line.strip() for line in str(error).splitlines()]
            reason = next((line for line in lines if line and "Failed in" not in line), "")
            raise TypeError(
                f"{self.cell.name}: its equations do not compile; they may use "
                f"{_MAY_USE[self.cell.whole_rows]}; compiled=False runs any NumPy. "
                f"Numba says: {reason}"
            ) from error

    def _transposes(self, workspace, weights, want_dx):
        """Packed Wh^T, Wx^T (if wanted) and the part of Wh^T after the intermediate."""
        cell, (B, _, I, H), dtype = self.cell, workspace.shape, workspace.dtype
        columns, bias_rows = len(cell.gates) * H, int(cell.recurrent_bias)
        if workspace.transposes is None or want_dx > (workspace.transposes[1].size > 0):
            workspace.transposes = (
                aligned_zeros(packed_size(workspace.h_gates.size * H, H, dtype), dtype),
                aligned_zeros(want_dx * packed_size(workspace.x_gates.size * H, I, dtype), dtype),
                aligned_zeros(packed_size(workspace.intermediate_gates.size * H, H, dtype), dtype),
                aligned_zeros(want_dx * B * I, dtype),
            )
        wh, wx, w_intermediate, dx_rows = workspace.transposes
        h_start = bias_rows * columns
        packing.pack_gates_transposed(weights.h, h_start, columns, workspace.h_gates, wh, H, H)
        if want_dx:
            packing.pack_gates_transposed(weights.x, 0, columns, workspace.x_gates, wx, I, H)
        if workspace.intermediate_gates.size:
            packing.pack_gates_transposed(
                weights.h, h_start, columns, workspace.intermediate_gates, w_intermediate, H, H
            )
        return wh, wx, w_intermediate, dx_rows


@functools.cache
def engine_of(cell):
    """The one engine of a cell: compiled, or plain NumPy if the cell says so."""
    return Engine(cell) if cell.compiled else PlainEngine(cell)
