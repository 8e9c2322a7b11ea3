"""The engine: owns the buffers of a run and deals a cell's kernels to the threads.

    Engine   the compiled kernels of one cell
    Weights  the parameters, or their gradients, as the kernels read them
    Tape     the buffers of one forward run, which backward reads (``tape.py``)

No validation happens here: ``functional`` and the layers hand over flat,
contiguous arrays of one dtype.
"""

import functools
from typing import NamedTuple

import numpy as np

from rnnlite import threads
from rnnlite.kernels import gradients, loop, packing
from rnnlite.kernels.jit import CompileError
from rnnlite.kernels.product import packed_size
from rnnlite.memory import aligned_zeros
from rnnlite.plain_engine import PlainEngine
from rnnlite.tape import Tape

__all__ = ["Engine", "Tape", "Weights", "engine_of"]

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

    def forward(self, tape, x, weights, y, y_every_step, reverse=False):
        """Run the sequence; initial states, lengths and mask are on the tape already.

        Parameters
        ----------
        tape : Tape
        x : (B*T*I,) array
        weights : Weights
        y : flat array, written
            (B, T, H) or, without ``y_every_step``, (B, H).
        reverse : bool
            Read each row from its last valid step to its first; y stays at
            the time of its input.
        """
        cell, (B, T, I, H), Hp = self.cell, tape.shape, tape.Hp
        columns, bias_rows = len(cell.gates) * H, int(cell.recurrent_bias)
        direct = B * T <= PACK_FROM
        if not direct:
            packing.pack_forward(
                weights.x, columns, weights.h, columns, bias_rows,
                tape.packed, tape.segments, tape.block_gates, I, H,
            )  # fmt: skip
        if tape.reset_gates.size:
            packing.pack_gates(
                weights.h, bias_rows * columns, columns, tape.reset_gates,
                tape.packed_reset, H, H,
            )  # fmt: skip
        if cell.unit_params:
            tape.p[:, :H] = weights.p.reshape(-1, H)
        self._share(
            self._forward, B, B * T * (I + H) * columns,
            x, tape.xh.reshape(-1), tape.ld, tape.hx,
            tape.gates.reshape(-1), tape.states.reshape(-1), tape.resets.reshape(-1),
            tape.h_mask.reshape(-1), tape.p.reshape(-1), tape.keep, tape.from_zero,
            tape.packed, tape.segments, tape.packed_reset,
            direct, weights.x, weights.h, columns, bias_rows, tape.block_gates,
            tape.gate_row, tape.zeros, tape.lengths, reverse, y, y_every_step, T, B, I, H, Hp,
        )  # fmt: skip

    def backward(self, tape, dgates, dy, dy_every_step, weights, grads, dx, reverse=False):
        """Backpropagate; ``tape.dstate`` holds dL/d(final) before, dL/d(initial) after.

        Parameters
        ----------
        tape : Tape
        dgates : (T, B, gate_row) array, written
            ``tape.gates`` itself, unless the cell has a reset or the gates are
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
        cell, (B, T, I, H), Hp = self.cell, tape.shape, tape.Hp
        columns, bias_rows = len(cell.gates) * H, int(cell.recurrent_bias)
        want_dx = dx is not None
        wh, wx, w_reset, dx_rows = self._transposes(tape, weights, want_dx)
        tape.dp[...] = 0.0
        flat_dgates = dgates.reshape(-1)
        self._share(
            self._backward, B, B * T * (H + I * want_dx) * columns,
            dy, dy_every_step, tape.gates.reshape(-1), flat_dgates, tape.gate_row,
            tape.states.reshape(-1), tape.dstate.reshape(-1), tape.da.reshape(-1),
            tape.h_mask.reshape(-1), tape.p.reshape(-1), tape.dp.reshape(-1),
            wh, wx, w_reset, tape.zeros, tape.lengths, reverse,
            dx if want_dx else tape.zeros, dx_rows, want_dx, T, B, I, H, Hp,
        )  # fmt: skip
        threads.share(
            gradients.weight_gradients, I + 1 + bias_rows + H, B * T * (I + H) * columns,
            tape.zeros, tape.xh.reshape(-1), tape.ld, flat_dgates, tape.gate_row, T * B,
            tape.hx - bias_rows - 1 - I, grads.x, columns, tape.x_columns, I + 1,
            tape.hx - bias_rows, grads.h, columns, tape.h_columns,
            B if tape.from_zero and not bias_rows else 0,  # bh is multiplied by 1 at t = 0 too
        )  # fmt: skip
        if tape.reset_gates.size:
            threads.share(
                gradients.weight_gradients, H, B * T * H * tape.reset_gates.size * H,
                tape.zeros, tape.resets.reshape(-1), Hp, flat_dgates, tape.gate_row, T * B,
                0, grads.h[bias_rows * columns :], columns, tape.reset_columns, H,
                0, grads.h, columns, tape.h_columns[:0], 0,
            )  # fmt: skip
            if bias_rows:  # b and bh of these gates act on the same row of ones
                for _, to, count in tape.reset_columns:
                    grads.h[to : to + count] = grads.x[I * columns :][to : to + count]
        if cell.unit_params:
            # One row after the other: the same sum at any number of threads.
            np.sum(tape.dp[:, :, :H], axis=0, out=grads.p.reshape(-1, H))

    def _share(self, kernel, *arguments):
        """``threads.share``, where the cell's equations may be compiled for the first time."""
        try:
            threads.share(kernel, *arguments)
        except CompileError as error:
            lines = [line.strip() for line in str(error).splitlines()]
            reason = next((line for line in lines if line and "Failed in" not in line), "")
            raise TypeError(
                f"{self.cell.name}: its equations do not compile; they may use "
                f"{_MAY_USE[self.cell.whole_rows]}; compiled=False runs any NumPy. "
                f"Numba says: {reason}"
            ) from error

    def _transposes(self, tape, weights, want_dx):
        """Packed Wh^T, Wx^T (if wanted) and the part of Wh^T after the reset."""
        cell, (B, _, I, H), dtype = self.cell, tape.shape, tape.dtype
        columns, bias_rows = len(cell.gates) * H, int(cell.recurrent_bias)
        if tape.transposes is None or want_dx > (tape.transposes[1].size > 0):
            tape.transposes = (
                aligned_zeros(packed_size(tape.h_gates.size * H, H, dtype), dtype),
                aligned_zeros(want_dx * packed_size(tape.x_gates.size * H, I, dtype), dtype),
                aligned_zeros(packed_size(tape.reset_gates.size * H, H, dtype), dtype),
                aligned_zeros(want_dx * B * I, dtype),
            )
        wh, wx, w_reset, dx_rows = tape.transposes
        h_start = bias_rows * columns
        packing.pack_gates_transposed(weights.h, h_start, columns, tape.h_gates, wh, H, H)
        if want_dx:
            packing.pack_gates_transposed(weights.x, 0, columns, tape.x_gates, wx, I, H)
        if tape.reset_gates.size:
            packing.pack_gates_transposed(
                weights.h, h_start, columns, tape.reset_gates, w_reset, H, H
            )
        return wh, wx, w_reset, dx_rows


@functools.cache
def engine_of(cell):
    """The one engine of a cell: compiled, or plain NumPy if the cell says so."""
    return Engine(cell) if cell.compiled else PlainEngine(cell)
