"""The buffers of a run, which the kernels fill and read; ``kernels/loop.py`` draws them."""

import functools

import numpy as np

from rnnlite.engine import door
from rnnlite.engine.compiled import engine_of
from rnnlite.engine.memory import aligned_zeros
from rnnlite.engine.weight_gradients import pairs_of
from rnnlite.kernels.layout import layout_of
from rnnlite.kernels.operands import operands_of
from rnnlite.kernels.product import panel_width
from rnnlite.kernels.target import padded


class Workspace:
    """Buffers of one run of ``T`` steps over ``B`` rows, and what the run was told.

    For backward a run saves, in numbers per unit, step and row: the gates, which their own
    gradients overwrite, the states, and h once more for the product: 7 for an LSTM, 6 for a GRU,
    3 for an RNN, 9 for the GRU of 2014, which saves its intermediate too and its three gates apart
    from their gradients.  Without ``for_backward`` there is room for the current step alone.
    """

    def __init__(self, cell, B, T, I, H, dtype, for_backward=True, compute_dtype=None):
        self.cell, self.shape, self.dtype = cell, (B, T, I, H), np.dtype(dtype)
        self.for_backward, self.compute_dtype = for_backward, compute_dtype
        self.made_for = cell, self.shape, self.dtype, for_backward, compute_dtype
        self.operands = operands_of(compute_dtype)
        self.layout = layout = layout_of(cell, I, H, self.dtype, self.operands.per_word)
        slots, Hp = T if for_backward else 1, layout.Hp
        states, params = len(cell.states), len(cell.unit_params)
        self.weights_shape = (layout.p_at + params * H,)
        self.xh = aligned_zeros((slots, B, layout.xh_row), dtype)
        self.gates = aligned_zeros((slots, B, layout.gate_row), dtype)
        self.states = aligned_zeros((slots + 1, states, B, Hp), dtype)
        self.p = aligned_zeros((params, Hp), dtype)
        self.no_mask = self.h_mask = aligned_zeros((0, Hp), dtype)
        longest_row = max(layout.gate_row, layout.xh_row, I)
        self.zeros = aligned_zeros(longest_row + panel_width(dtype), dtype)
        self.lengths, self.all_valid, self.all_run = np.full(B, T, np.int64), True, True
        self.reverse, self.return_sequences = False, True
        self.from_zero = False  # whether all initial h are zero
        self.nothing = np.zeros((B, 0, H), dtype)  # instead of y, or dy, of every step
        if for_backward:
            self.dstate = aligned_zeros((states, B, Hp), dtype)
            self.dp = aligned_zeros((B, params, Hp), dtype)
            self.no_dx = np.zeros((0, 0, 0), dtype)
            self.scratch = aligned_zeros((B, max(Hp, padded(I, self.dtype))), dtype)

    # Looked up once, not at each run.
    @functools.cached_property
    def engine(self):
        """What runs the cell."""
        return engine_of(self.cell, self.compute_dtype)

    @functools.cached_property
    def initial(self):
        """View (S, B, Hp) of the initial states."""
        return self.states[0]

    @functools.cached_property
    def final(self):
        """View (S, B, H) of the final states."""
        _, T, _, H = self.shape
        return self.states[T % len(self.states), :, :, :H]

    def __getstate__(self):
        """Copies and pickles look these up for themselves."""
        own = {"engine", "initial", "final"}
        return {name: value for name, value in vars(self).items() if name not in own}

    @functools.cached_property
    def packed(self):
        """Where forward packs the weights."""
        return self._packed(self.layout.packed_size, self.layout.xh_row)

    @functools.cached_property
    def mask(self):
        """Room for a mask of h."""
        return aligned_zeros((self.shape[0], self.layout.Hp), self.dtype)

    @functools.cached_property
    def rows_of_two(self):
        """A row of xh for each of two threads that share one row."""
        return aligned_zeros((2, self.layout.xh_row), self.dtype)

    @functools.cached_property
    def transposes(self):
        """Where backward packs the transposes of the weights."""
        return self._packed(self.layout.packed_size_back, self.layout.gate_row)

    def _packed(self, size, row_size):
        """Room for packed weights, and for the rows that they multiply if those are rounded."""
        rows = max(self.shape[0], 2)  # two threads may share one row, with a copy for each
        room = rows * self.operands.room(row_size)
        return aligned_zeros(size + room, self.operands.dtype(self.dtype))

    @functools.cached_property
    def pairs(self):
        """Where xh and dz are rounded for the weight gradients, or None."""
        rows, layout = self.shape[0] * self.shape[1], self.layout
        return pairs_of(self.compute_dtype, (rows, layout.xh_row), (rows, layout.gate_row))

    def begin(self, lengths, initial, dropout, rng):
        """Take what a run is told, as in ``run.forward``; states go into slot 0."""
        if lengths is not None or not self.all_valid:
            self._set_lengths(lengths)
        self.from_zero = initial is None or initial[0] is None
        _write(self.initial, initial, self.shape[3])
        self.h_mask = self._drawn(dropout, rng) if dropout else self.no_mask

    def _set_lengths(self, lengths):
        """Take each row's number of valid steps; None means all."""
        T = self.shape[1]
        self.all_valid = self.all_run = lengths is None  # all steps; some step of each row
        self.lengths[:] = T if lengths is None else lengths
        if lengths is not None:
            door.within(self.cell.name, "lengths", self.lengths, T + 1)
            self.all_run = bool(self.lengths.all())

    def set_dfinal(self, dfinal):
        """Write dL/d(final states), (B, H) arrays or None for zeros."""
        _write(self.dstate, dfinal, self.shape[3])

    def _drawn(self, rate, rng):
        """What drops this share of h on its way into the products: one mask for all steps."""
        B, H = self.shape[0], self.shape[3]
        self.mask[:, :H] = (rng.random((B, H)) >= rate) / (1.0 - rate)
        return self.mask

    def block(self, n):
        """Where a row of the gates holds block number ``n``, as a slice."""
        H = self.shape[3]
        return slice(n * H, (n + 1) * H)

    def final_states(self):
        """Copies (B, H) of the states after each row's last valid step."""
        return [state.copy() for state in self.final]

    def dinitial_states(self):
        """Copies (B, H) of dL/d(initial states), after backward."""
        return [dstate[:, : self.shape[3]].copy() for dstate in self.dstate]

    def state(self, s):
        """Copy (B, T, H) of a state after every step; zero at padded steps."""
        return self._batch_first(self.states[1:, s, :, : self.shape[3]])

    def saved(self, name):
        """Copy (B, T, H) of what the cell saved at every step; zero at padded steps."""
        return self._batch_first(self.gates[:, :, self.block(self.cell.saved.index(name))])

    def _batch_first(self, view):
        result = np.ascontiguousarray(view.transpose(1, 0, 2))
        if not self.all_valid:
            result[np.arange(self.shape[1]) >= self.lengths[:, None]] = 0.0
        return result


def _write(states, values, H):
    """Write (B, H) arrays, or zeros for None, into buffers (S, B, Hp)."""
    if values is None:
        states.fill(0.0)
        return
    for state, value in zip(states, values, strict=True):
        state[:, :H] = 0.0 if value is None else value
