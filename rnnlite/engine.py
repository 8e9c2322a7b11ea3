"""The engine: owns the buffers of a run and deals a cell's kernels to the threads.

    Engine   the compiled kernels of one cell
    Tape     the buffers of one forward run, which backward reads

No validation happens here: ``functional.py`` and the layers hand over flat,
contiguous arrays of one dtype.
"""

import functools

import numpy as np

from rnnlite import threads
from rnnlite.kernels import loop
from rnnlite.kernels.product import packed_size, panel_width
from rnnlite.kernels.target import padded
from rnnlite.memory import aligned_zeros


class Tape:
    """Buffers of a run of ``T`` steps over ``B`` rows, laid out as ``kernels/loop.py`` draws them.

    Kept for backward, in numbers per unit, step and row: the gates (4 for an
    LSTM, overwritten by their own gradients), the cell state and the hidden
    state: 6 for an LSTM, 5 for a GRU, 2 for an RNN, plus a copy of the input.

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
        slots = T + 1 if keep else 2
        self.Hp = Hp = padded(H, self.dtype)
        self.hx = padded(I + 1, self.dtype)
        self.ld = self.hx + Hp
        self.gate_row = cell.width * Hp
        self.others_count = len(cell.states) - 1

        self.xh = aligned_zeros((slots, B, self.ld), dtype)
        self.gates = aligned_zeros((T if keep else 1, B, cell.width, Hp), dtype)
        self.others = aligned_zeros((slots, self.others_count, B, Hp), dtype)
        self.dstate = aligned_zeros((len(cell.states), B, Hp), dtype)
        widest = max(self.gate_row, self.hx) + panel_width(dtype)
        self.zeros = aligned_zeros(widest, dtype)
        self.lengths = np.full(B, T, np.int64)
        self.has_lengths = False

        self.segments, size = _segments(cell, I, H, self.hx, Hp, dtype)
        self.block_gates = np.array(
            [[-1 if gate is None else gate for gate in block] for block in cell.blocks], np.int64
        )
        self.packed = aligned_zeros(size, dtype)
        (x0, x1), (h0, h1) = cell.x_blocks, cell.h_blocks
        self.x_gates = self.block_gates[x0:x1, 0].copy()
        self.h_gates = self.block_gates[h0:h1, 1].copy()
        self.packed_x = aligned_zeros(0, dtype)  # allocated when dx is first asked for
        self.packed_h = aligned_zeros(packed_size(self.h_gates.size * Hp, H, dtype), dtype)
        self.x_columns = _columns(self.x_gates, x0, H, Hp)
        self.h_columns = _columns(self.h_gates, h0, H, Hp)

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
        for s, state in enumerate(initial):
            slot = self._slot(s, 0)
            slot[:, :H] = 0.0 if state is None else state

    def final(self, s):
        """View (B, H) of final state number ``s``."""
        last = self.shape[1] if self.keep else self.shape[1] % 2
        return self._slot(s, last)[:, : self.shape[3]]

    def _slot(self, s, t):
        return self.xh[t, :, self.hx :] if s == 0 else self.others[t, s - 1]

    def state(self, s):
        """Copy (B, T, H) of a state after every step; zero at padded steps."""
        H = self.shape[3]
        view = self.xh[1:, :, self.hx :] if s == 0 else self.others[1:, s - 1]
        return self._batch_first(view[:, :, :H])

    def kept(self, name):
        """Copy (B, T, H) of what the cell kept at every step; zero at padded steps."""
        H = self.shape[3]
        return self._batch_first(self.gates[:, :, self.cell.kept.index(name), :H])

    def _batch_first(self, view):
        result = np.ascontiguousarray(view.transpose(1, 0, 2))
        if self.has_lengths:
            past = np.arange(self.shape[1]) >= self.lengths[:, None]
            result[past] = 0.0
        return result


def _segments(cell, I, H, hx, Hp, dtype):
    """Neighbouring blocks that use the same columns of xh are one product.

    Returns
    -------
    segments : numpy.ndarray (n, 5)
        First column of xh, number of columns, start in the packed weights,
        first block, number of blocks.
    size : int
        Length of the packed weights.
    """
    segments, start = [], 0
    for number, block in enumerate(cell.blocks):
        uses = (block.x_gate is not None, block.h_gate is not None)
        if segments and segments[-1][0] == uses:
            segments[-1][2] += 1
        else:
            segments.append([uses, number, 1])
    rows = []
    for (uses_x, uses_h), first, count in segments:
        one = uses_x or cell.recurrent_bias
        column = hx - (I * uses_x + one)
        K = I * uses_x + one + H * uses_h
        rows.append((column, K, start, first, count))
        start += packed_size(K, count * Hp, dtype)
    return np.array(rows, np.int64), start


def _columns(gates, first_block, H, Hp):
    """Runs of columns of dgates that lie side by side in a weight gradient as well."""
    runs = []
    for i, gate in enumerate(gates):
        source, target = (first_block + i) * Hp, int(gate) * H
        if runs and (source, target) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1][2] += H
        else:
            runs.append([source, target, H])
    return np.array(runs, np.int64)


class Engine:
    """The compiled kernels of one cell; ``engine_of(cell)`` makes it once.

    Compilation itself happens at the first call, for each dtype.
    """

    def __init__(self, cell):
        self.cell = cell
        self._forward = loop.make_forward(cell)
        self._backward = loop.make_backward(cell)

    def forward(self, tape, x, wx, wh, y, y_every_step):
        """Run the sequence; initial states and lengths are on the tape already.

        Parameters
        ----------
        tape : Tape
        x : (B*T*I,) array
        wx, wh : flat arrays
            [Wx; b] and [Wh] or [bh; Wh], row after row.
        y : flat array, written
            (B, T, H) or, without ``y_every_step``, (B, H).
        """
        cell, (B, T, I, H), Hp = self.cell, tape.shape, tape.Hp
        gates = len(cell.gates)
        loop.pack_forward(
            wx, gates * H, wh, gates * H, int(cell.recurrent_bias),
            tape.packed, tape.segments, tape.block_gates, I, H, Hp,
        )  # fmt: skip
        threads.share(
            self._forward, B, B * T * (I + H) * gates * H,
            x, tape.xh.ravel(), tape.ld, tape.hx,
            tape.gates.ravel(), tape.others.ravel(), tape.keep,
            tape.packed, tape.segments, tape.zeros, tape.lengths,
            y, y_every_step, T, B, I, H, Hp,
        )  # fmt: skip

    def backward(self, tape, dgates, dy, dy_every_step, wx, wh, dwx, dwh, dx):
        """Backpropagate; ``tape.dstate`` holds dL/d(final) before, dL/d(initial) after.

        Parameters
        ----------
        tape : Tape
        dgates : (T, B, width, Hp) array, written
            ``tape.gates`` itself, or another array if the gates are still wanted.
        dy : flat array
            (B, T, H), read with ``dy_every_step`` only.
        wx, wh : flat arrays
            As in ``forward``.
        dwx, dwh : flat arrays, written
            Gradients in the same layout.
        dx : flat array or None
            (B, T, I), written unless None.
        """
        cell, (B, T, I, H), Hp = self.cell, tape.shape, tape.Hp
        gates = len(cell.gates)
        bias_rows = int(cell.recurrent_bias)
        loop.pack_backward(
            wh, bias_rows * gates * H, gates * H, tape.h_gates, tape.packed_h, H, H, Hp
        )
        if dx is not None:
            if tape.packed_x.size == 0:
                size = packed_size(tape.x_gates.size * Hp, I, tape.dtype)
                tape.packed_x = aligned_zeros(size, tape.dtype)
            loop.pack_backward(wx, 0, gates * H, tape.x_gates, tape.packed_x, I, H, Hp)
        want_dx = dx is not None
        flat_dgates = dgates.ravel()
        threads.share(
            self._backward, B, B * T * (H + I * want_dx) * gates * H,
            dy, dy_every_step, tape.xh.ravel(), tape.ld, tape.hx,
            tape.gates.ravel(), flat_dgates, tape.others.ravel(), tape.dstate.ravel(),
            tape.packed_h, tape.packed_x, tape.zeros, tape.lengths,
            dx if want_dx else tape.zeros, want_dx, T, B, I, H, Hp,
        )  # fmt: skip
        threads.share(
            loop.weight_gradients, I + 1 + bias_rows + H, B * T * (I + H) * gates * H,
            tape.xh.ravel(), tape.ld, flat_dgates, tape.gate_row, T * B,
            tape.hx - 1 - I, dwx, gates * H, tape.x_columns, I + 1,
            tape.hx - bias_rows, dwh, gates * H, tape.h_columns,
        )  # fmt: skip


@functools.cache
def engine_of(cell):
    """The one engine of a cell."""
    return Engine(cell)
