"""The buffers of a run, which the kernels fill and read; ``kernels/loop.py`` draws them."""

import numpy as np

from rnnlite.engine.memory import aligned_zeros
from rnnlite.kernels.product import packed_size, panel_width
from rnnlite.kernels.target import padded


class Workspace:
    """Buffers of a run of ``T`` steps over ``B`` rows, laid out as ``kernels/loop.py`` draws them.

    Kept for backward, in numbers per unit, step and row: the gates, which
    their own gradients overwrite, the states, and h once more for the product:
    7 for an LSTM, 6 for a GRU, 3 for an RNN, plus a copy of the input.  A cell
    with a intermediate before the product keeps its gates apart from their gradients:
    9 for the GRU of 2014, of whose gates there are three.

    Parameters
    ----------
    cell : Cell
    B, T, I, H : int
        Rows, steps, input features, hidden units.
    dtype : numpy.dtype
    keep : bool
        False for inference: room for the current step alone, and no backward.
    """

    def __init__(self, cell, B, T, I, H, dtype, keep=True):
        self.shape, self.dtype, self.cell = (B, T, I, H), np.dtype(dtype), cell
        self.keep = keep
        slots = T if keep else 1
        self.Hp = Hp = padded(H, self.dtype)
        self.h_offset = padded(I + 1 + cell.recurrent_bias, self.dtype)
        self.ld = self.h_offset + Hp
        self.gate_row = padded((cell.width - 1) * H + Hp, self.dtype)

        self.xh = aligned_zeros((slots, B, self.ld), dtype)
        self.gates = aligned_zeros((slots, B, self.gate_row), dtype)
        self.states = aligned_zeros((slots + 1, len(cell.states), B, Hp), dtype)
        self.intermediates = aligned_zeros((slots * (cell.intermediate is not None), B, Hp), dtype)
        self.dstate = aligned_zeros((len(cell.states), B, Hp), dtype)
        self.da = aligned_zeros((B, Hp), dtype)
        self.p = aligned_zeros((len(cell.unit_params), Hp), dtype)
        self.dp = aligned_zeros((B, len(cell.unit_params), Hp), dtype)
        self.no_mask = aligned_zeros((0, Hp), dtype)
        self.h_mask = self.no_mask
        self.zeros = aligned_zeros(max(self.gate_row, self.ld, I) + panel_width(dtype), dtype)
        self.lengths = np.full(B, T, np.int64)
        self.has_lengths = False
        self.from_zero = False  # whether all initial h are zero

        self.segments, size = _segments(cell, I, H, self.h_offset, dtype)
        self.packed = aligned_zeros(size, dtype)
        self.block_gates = np.array([_gates_of(cell, block) for block in cell.blocks], np.int64)
        (x0, x1), (h0, h1), (r0, r1) = cell.x_blocks, cell.h_blocks, cell.intermediate_blocks
        self.x_gates = _gate_list(cell.blocks[x0:x1], "x_gate")
        self.h_gates = _gate_list(cell.blocks[h0:h1], "h_gate")
        self.intermediate_gates = _gate_list(cell.blocks[r0:r1], "h_gate")
        self.x_columns = _columns(self.x_gates, x0, H)
        self.h_columns = _columns(self.h_gates, h0, H)
        self.intermediate_columns = _columns(self.intermediate_gates, r0, H)
        self.packed_intermediate = aligned_zeros(
            packed_size(H, self.intermediate_gates.size * H, dtype), dtype
        )
        # The transposes, which backward alone needs, are allocated by it.
        self.transposes = None
        self._dgates = None

    def room_for_dgates(self):
        """Where backward may write: over the gates, unless the cell still reads them."""
        if self.cell.intermediate is None:
            return self.gates
        if self._dgates is None:
            self._dgates = aligned_zeros(self.gates.shape, self.dtype)
        return self._dgates

    def set_lengths(self, lengths):
        """Take each row's number of valid steps; None means all."""
        if lengths is not None:
            self.lengths[:] = lengths
        elif self.has_lengths:
            self.lengths[:] = self.shape[1]
        self.has_lengths = lengths is not None

    def set_initial(self, initial):
        """Write the initial states, (B, H) arrays or None for zeros, into slot 0."""
        H = self.shape[3]
        self.from_zero = initial[0] is None
        for s, state in enumerate(initial):
            self.states[0, s, :, :H] = 0.0 if state is None else state

    def drop(self, rate, rng):
        """Drop this share of h on its way into the products; draws one mask for all steps."""
        if rate == 0.0:
            self.h_mask = self.no_mask
            return
        B, H = self.shape[0], self.shape[3]
        if self.h_mask is self.no_mask:
            self.h_mask = aligned_zeros((B, self.Hp), self.dtype)
        self.h_mask[:, :H] = (rng.random((B, H)) >= rate) / (1.0 - rate)

    def block(self, n):
        """Where a row of the gates holds block number ``n``, as a slice."""
        H = self.shape[3]
        return slice(n * H, (n + 1) * H)

    def final(self, s):
        """View (B, H) of final state number ``s``."""
        last = self.shape[1] if self.keep else self.shape[1] % 2
        return self.states[last, s, :, : self.shape[3]]

    def state(self, s):
        """Copy (B, T, H) of a state after every step; zero at padded steps."""
        return self._batch_first(self.states[1:, s, :, : self.shape[3]])

    def saved(self, name):
        """Copy (B, T, H) of what the cell saved at every step; zero at padded steps."""
        return self._batch_first(self.gates[:, :, self.block(self.cell.saved.index(name))])

    def _batch_first(self, view):
        result = np.ascontiguousarray(view.transpose(1, 0, 2))
        if self.has_lengths:
            past = np.arange(self.shape[1]) >= self.lengths[:, None]
            result[past] = 0.0
        return result


def _gates_of(cell, block):
    """Columns of Wx, of Wh (in the first product) and of bh that go into a block, -1 for none."""
    x_gate = -1 if block.x_gate is None else block.x_gate
    h_gate = -1 if block.h_gate is None else block.h_gate
    return x_gate, -1 if block.after_intermediate else h_gate, h_gate if cell.recurrent_bias else -1


def _gate_list(blocks, source):
    return np.array([getattr(block, source) for block in blocks], np.int64)


def _segments(cell, I, H, h_offset, dtype):
    """Neighbouring blocks that use the same columns of xh are one product.

    Returns
    -------
    segments : numpy.ndarray (n, 6)
        First column of xh, number of columns, start in the packed weights,
        first block, number of blocks, how many of the columns are h's.
    size : int
        Length of the packed weights.
    """
    segments, start = [], 0
    for number, block in enumerate(cell.blocks):
        x_gate, h_gate, bias_gate = _gates_of(cell, block)
        uses = (x_gate >= 0, bias_gate >= 0, h_gate >= 0)
        if segments and segments[-1][0] == uses:
            segments[-1][2] += 1
        else:
            segments.append([uses, number, 1])
    rows = []
    for (uses_x, uses_bias, uses_h), first, count in segments:
        K = (I + 1) * uses_x + uses_bias + H * uses_h
        column = h_offset - cell.recurrent_bias - (I + 1) * uses_x
        rows.append((column, K, start, first, count, H * uses_h))
        start += packed_size(K, count * H, dtype)
    return np.array(rows, np.int64), start


def _columns(gates, first_block, H):
    """Runs of columns of dgates that lie side by side in a weight gradient as well."""
    runs = []
    for i, gate in enumerate(gates):
        source, target = (first_block + i) * H, int(gate) * H
        if runs and (source, target) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1][2] += H
        else:
            runs.append([source, target, H])
    return np.array(runs, np.int64).reshape(-1, 3)
