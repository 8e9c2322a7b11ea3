"""The time loop: any cell, forward and backward through time.

    forward, for t = 0, 1, ...                        backward, for t = T-1, T-2, ...
        load_inputs           [ x_t | 1 | h_{t-1} ]       load_dy                       dh += dy_t
        project               z = [x 1 h] W               differentiate_step            dz
        apply_intermediate    z += a Wh                   differentiate_intermediate    dz via a
        apply_step            h_t                         project_back                  dh += dz Wh^T
        store_y               y_t = h_t                   store_dx                      dx_t = dz Wx^T

Rows of a batch never meet in time, so a thread takes some rows and walks through the whole
sequence with them; nobody waits for anybody at any step.  Within a step it works on a few rows at
a time, product first, then the cell's equations while the projections are still in the nearest
cache.  A phase below does its part for these few rows (``Rows``) at one step.

What lies in memory (T steps, B rows, H units; Hp is H rounded up to whole vector registers, and
the lanes in between carry nothing that counts; ``kernels/layout.py`` computes the sizes):

    xh      (T, B, xh_row)        row [ x_t | 1 | h_{t-1} ], what the products read; with a
                                  second one for a cell whose h has a bias of its own, and
                                  behind h the intermediate a (r h in the GRU of 2014), if the
                                  cell has one.  h begins where a vector register begins
    states  (T+1, S, B, Hp)       h, and what else the cell carries (an LSTM's c);
                                  slot 0 holds the initial states
    gates   (T, B, gate_row)      z while projecting, then what the cell saved, then dz: blocks
                                  of H numbers, none between them for a product to waste its
                                  time on, and room for a register that begins in the last
    h_mask  (B, Hp) or (0, Hp)    multiplies h, and a, on the way into the products
    dstate  (S, B, Hp)            dL/d(state), walking backward
    p, dp   (n, Hp), (B, n, Hp)   parameters with one number a unit, and their gradients by row

With the one between x and h, the projections of a step are a single product,
z_t = [x_t, 1, h_{t-1}] [Wx; b; Wh].

Inference needs no past: xh and gates then have one slot, written again at every step, and states
two that take turns.  They stay in the cache.
"""

from typing import NamedTuple

from rnnlite.kernels.equations import equations
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.jit import inner
from rnnlite.kernels.layout import blocks_of
from rnnlite.kernels.load_store import REGISTERS, ROWS
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS, packed_room, product
from rnnlite.kernels.simd import lanes, load, load_masked, store, store_masked, zero_like

# Rows that go through product and equations together.  Their projections,
# 32 x 512 floats for 128 LSTM units, are 64 KB: in the second-level cache.
ROWS_AT_ONCE = 32


class Sizes(NamedTuple):
    """The lengths of all axes, read off the arrays."""

    T: int
    B: int
    I: int
    H: int
    Hp: int
    S: int  # states
    slots: int  # of xh and gates; states have one more
    xh_row: int
    h_at: int  # where h begins in a row of xh
    gate_row: int


class Rows(NamedTuple):
    """Rows ``first`` to ``last`` of the batch at step ``t``, and where their numbers begin."""

    t: int
    first: int
    last: int
    xh: int
    gates: int
    before: int  # the states before the step, and after it
    after: int


@inner
def rows_at(s, t, first, last):
    """``Rows`` of a step; a buffer with fewer slots than steps begins again at its first."""
    row = t % s.slots * s.B + first
    before, after = t % (s.slots + 1), (t + 1) % (s.slots + 1)
    return Rows(
        t, first, last, row * s.xh_row, row * s.gate_row,
        (before * s.S * s.B + first) * s.Hp, (after * s.S * s.B + first) * s.Hp,
    )  # fmt: skip


@inner
def time_of(t, length, reverse):
    """Where in its sequence a row stands at step t of the loop: backwards within its length."""
    if reverse and t < length:
        return length - 1 - t
    return t


@inner
def nothing(*_):
    """The phase of a cell that has no use for it."""


# ---- forward -------------------------------------------------------------------------------------


def make_forward(cell, packed):
    """The forward loop of a cell, as a kernel.

    ``packed``: whether its weights come in the order in which the products read them
    (``packing.py``), or as they are: for a few rows and steps packing would take longer than the
    products.
    """
    load_store = ROWS if cell.whole_rows else REGISTERS
    chunk, load_unit, store_unit = load_store.chunk, load_store.load_unit, load_store.store_unit
    n_states, bias_rows = len(cell.states), int(cell.recurrent_bias)
    load_z, _ = load_store.group(blocks_of(cell).places)
    _, store_saved = load_store.group(range(len(cell.saved)))
    load_state, store_state = load_store.group(range(n_states))
    load_p, _ = load_store.group(range(len(cell.unit_params)))
    step, _, intermediate, _ = equations(cell)
    project, project_intermediate = (packed_products if packed else unpacked_products)(cell)
    h_and_a = 1 + (cell.intermediate is not None)

    @inner
    def load_inputs(s, r, x, lengths, reverse, states, h_mask, xh):
        """Row by row [ x_t | 1 | h_{t-1} ]; of the padding nothing is used, NaN included."""
        for row in range(r.first, r.last):
            to_h = r.xh + (row - r.first) * s.xh_row + s.h_at
            to_x = to_h - bias_rows - 1 - s.I
            at_x = (row * s.T + time_of(r.t, lengths[row], reverse)) * s.I
            for j in range(0, s.I, lanes(xh)):
                part = load_masked(x, at_x + j, s.I - j)
                if r.t >= lengths[row]:
                    part = zero_like(part)
                store_masked(xh, to_x + j, part, s.I - j)
            xh[to_x + s.I] = 1.0  # times b
            xh[to_h - 1] = 1.0  # times bh
            at_h = r.before + (row - r.first) * s.Hp
            for j in range(0, s.Hp, lanes(xh)):
                h = load(states, at_h + j)
                if h_mask.size > 0:
                    h = h * load(h_mask, row * s.Hp + j)
                store(xh, to_h + j, h)

    @inner
    def apply_intermediate(s, r, states, h_mask, p, w, xh, gates):
        """a = intermediate(z, state), behind h; then z += a Wh in the blocks that wait for it."""
        for row in range(r.first, r.last):
            at_z = r.gates + (row - r.first) * s.gate_row
            at_state = r.before + (row - r.first) * s.Hp
            to_a = r.xh + (row - r.first) * s.xh_row + s.h_at + s.Hp
            for j in range(0, s.H, chunk(xh, s.H)):
                z = load_z(gates, at_z + j, s.H, s.H)
                state = load_state(states, at_state + j, s.B * s.Hp, s.H)
                a = intermediate(z, state, load_p(p, j, s.Hp, s.H))
                if h_mask.size > 0:
                    a = a * load_unit(h_mask, row * s.Hp + j, s.H - j)
                store_unit(xh, to_a + j, a, s.H - j)
        project_intermediate(s, r, w, xh, gates)

    @inner
    def apply_step(s, r, lengths, p, gates, states):
        """state, saved = step(z, state); past the length of a row its state stays as it is."""
        for row in range(r.first, r.last):
            at_z = r.gates + (row - r.first) * s.gate_row
            at, to = r.before + (row - r.first) * s.Hp, r.after + (row - r.first) * s.Hp
            for j in range(0, s.H, chunk(states, s.H)):
                state = load_state(states, at + j, s.B * s.Hp, s.H)
                if r.t < lengths[row]:
                    z = load_z(gates, at_z + j, s.H, s.H)
                    new_state, saved = step(z, state, load_p(p, j, s.Hp, s.H))
                    store_saved(gates, at_z + j, s.H, saved, s.H - j)
                    store_state(states, to + j, s.B * s.Hp, new_state, s.H - j)
                else:
                    store_state(states, to + j, s.B * s.Hp, state, s.H - j)

    @inner
    def store_y(s, r, lengths, reverse, states, y):
        """y_t = h_t; zero in the padding."""
        for row in range(r.first, r.last):
            at_h = r.after + (row - r.first) * s.Hp
            to_y = (row * s.T + time_of(r.t, lengths[row], reverse)) * s.H
            for j in range(0, s.H, lanes(y)):
                h = load(states, at_h + j)
                if r.t >= lengths[row]:
                    h = zero_like(h)
                store_masked(y, to_y + j, h, s.H - j)

    if cell.intermediate is None:
        apply_intermediate = nothing

    @parallel(identity=f"{identity(cell)} {packed}")
    def forward(first, last, x, y, lengths, reverse, from_zero, xh, gates, states,
                h_mask, p, w, zeros):  # fmt: skip
        """Run rows ``first`` to ``last`` through all T steps.

        Read     x (B, T, I); lengths (B,); slot 0 of states; h_mask; p; w, packed or not; zeros.
        Written  y (B, T, H), or nothing if it is (B, 0, H); the last slot of states.
        Saved for backward: xh, gates, states; with one slot, they are scratch.

        ``reverse``: rows are read from their last valid step to the first.  ``from_zero``: all
        initial h are zero, and the first step needs no product with them.
        """
        s = Sizes(
            x.shape[1], x.shape[0], x.shape[2], y.shape[2], states.shape[3], n_states,
            xh.shape[0], xh.shape[2], xh.shape[2] - h_and_a * states.shape[3], gates.shape[2],
        )  # fmt: skip
        want_y = y.shape[1] > 0
        x, y, xh, gates = x.reshape(-1), y.reshape(-1), xh.reshape(-1), gates.reshape(-1)
        states, h_mask, p = states.reshape(-1), h_mask.reshape(-1), p.reshape(-1)
        for t in range(s.T):
            for block in range(first, last, ROWS_AT_ONCE):
                r = rows_at(s, t, block, min(block + ROWS_AT_ONCE, last))
                load_inputs(s, r, x, lengths, reverse, states, h_mask, xh)
                project(s, r, from_zero, w, xh, zeros, gates)
                apply_intermediate(s, r, states, h_mask, p, w, xh, gates)
                apply_step(s, r, lengths, p, gates, states)
                if want_y:
                    store_y(s, r, lengths, reverse, states, y)

    return forward


def packed_products(cell):
    """The phases z = [x 1 h] W and z += a Wh, from weights that ``packing.py`` packed."""
    segments, (first_a, end_a) = blocks_of(cell).segments, blocks_of(cell).from_a
    bias_rows = int(cell.recurrent_bias)

    @inner
    def project(s, r, from_zero, w, xh, zeros, gates):
        """Neighbouring blocks that use the same part of [x 1 h] are one product."""
        panel = TILE_VECTORS * lanes(w)
        start = packed_room(s.H, (end_a - first_a) * s.H, panel)
        for n in range(len(segments)):
            first, count, uses_x, uses_bias, uses_h = segments[n]
            K = (s.I + 1) * uses_x + uses_bias + s.H * uses_h
            used = K - s.H * uses_h * (from_zero and r.t == 0)
            at = r.xh + s.h_at - bias_rows - (s.I + 1) * uses_x
            product(zeros, 0, 0, xh, at, s.xh_row, 1, w, start, panel, K * panel,
                    gates, r.gates + first * s.H, s.gate_row,
                    r.last - r.first, used, count * s.H)  # fmt: skip
            start += packed_room(K, count * s.H, panel)

    @inner
    def project_intermediate(s, r, w, xh, gates):
        panel = TILE_VECTORS * lanes(w)
        to = r.gates + first_a * s.H
        product(gates, to, s.gate_row, xh, r.xh + s.h_at + s.Hp, s.xh_row, 1,
                w, 0, panel, s.H * panel, gates, to, s.gate_row,
                r.last - r.first, s.H, (end_a - first_a) * s.H)  # fmt: skip

    return project, project_intermediate


def unpacked_products(cell):
    """The same phases, block by block, from the weights as they are: W (rows, gates H)."""
    blocks = tuple(tuple(block) for block in blocks_of(cell).blocks)
    bias_rows, n_gates = int(cell.recurrent_bias), len(cell.gates)

    @inner
    def project(s, r, from_zero, w, xh, zeros, gates):
        panel, columns = TILE_VECTORS * lanes(w), n_gates * s.H
        at = r.xh + s.h_at - bias_rows  # of the one for bh, or of h
        for n in range(len(blocks)):
            x_gate, bias_gate, h_gate, _ = blocks[n]
            to = r.gates + n * s.H
            K = s.I + 1 if x_gate >= 0 else 0
            product(zeros, 0, 0, xh, at - 1 - s.I, s.xh_row, 1,
                    w, max(x_gate, 0) * s.H, columns, panel,
                    gates, to, s.gate_row, r.last - r.first, K, s.H)  # fmt: skip
            if h_gate >= 0 or bias_gate >= 0:
                K = bias_rows + (s.H if h_gate >= 0 else 0)
                product(gates, to, s.gate_row, xh, at, s.xh_row, 1,
                        w, (s.I + 1) * columns + max(h_gate, bias_gate) * s.H, columns, panel,
                        gates, to, s.gate_row, r.last - r.first, K, s.H)  # fmt: skip

    @inner
    def project_intermediate(s, r, w, xh, gates):
        panel, columns = TILE_VECTORS * lanes(w), n_gates * s.H
        for n in range(len(blocks)):
            _, _, _, a_gate = blocks[n]
            if a_gate >= 0:
                to = r.gates + n * s.H
                product(gates, to, s.gate_row, xh, r.xh + s.h_at + s.Hp, s.xh_row, 1,
                        w, (s.I + 1 + bias_rows) * columns + a_gate * s.H, columns, panel,
                        gates, to, s.gate_row, r.last - r.first, s.H, s.H)  # fmt: skip

    return project, project_intermediate


# ---- backward ------------------------------------------------------------------------------------


def make_backward(cell):
    """Backpropagation through time of a cell, as a kernel."""
    load_store = ROWS if cell.whole_rows else REGISTERS
    chunk, load_unit = load_store.chunk, load_store.load_unit
    n_states, n_params, n_blocks = (
        len(cell.states), len(cell.unit_params), len(cell.projections),
    )  # fmt: skip
    load_saved, _ = load_store.group(range(len(cell.saved)))
    load_dz, store_dz = load_store.group(blocks_of(cell).places)
    load_state, store_state = load_store.group(range(n_states))
    load_p, _ = load_store.group(range(n_params))
    add_dp = load_store.add_group(n_params)
    _, step_backward, _, intermediate_backward = equations(cell)
    (first_x, end_x), (first_h, end_h), (first_a, end_a) = blocks_of(cell)[2:5]
    # In blocks: dz takes the place of what was saved, unless that is needed once more.
    dz_block = 0 if cell.intermediate is None else len(cell.saved)

    @inner
    def load_dy(s, r, dy, lengths, reverse, dstate):
        """dh += dy_t, but not in the padding."""
        for row in range(r.first, r.last):
            if r.t < lengths[row]:
                at_dy = (row * s.T + time_of(r.t, lengths[row], reverse)) * s.H
                for j in range(0, s.H, lanes(dy)):
                    dh = load(dstate, row * s.Hp + j) + load_masked(dy, at_dy + j, s.H - j)
                    store(dstate, row * s.Hp + j, dh)

    @inner
    def differentiate_step(s, r, lengths, states, p, gates, dstate, dp):
        """dz, dstate, dp = step_backward(dstate, ...); a state carried on hands its gradient on."""
        for row in range(r.first, r.last):
            at = r.gates + (row - r.first) * s.gate_row
            to_dz = at + dz_block * s.H
            before, after = r.before + (row - r.first) * s.Hp, r.after + (row - r.first) * s.Hp
            if r.t < lengths[row]:
                for j in range(0, s.H, chunk(states, s.H)):
                    dnew = load_state(dstate, row * s.Hp + j, s.B * s.Hp, s.H)
                    saved = load_saved(gates, at + j, s.H, s.H)
                    state = load_state(states, before + j, s.B * s.Hp, s.H)
                    new_state = load_state(states, after + j, s.B * s.Hp, s.H)
                    values = load_p(p, j, s.Hp, s.H)
                    dz, dbefore, dvalues = step_backward(dnew, saved, state, new_state, values)
                    add_dp(dp, row * n_params * s.Hp + j, s.Hp, dvalues)
                    store_dz(gates, to_dz + j, s.H, dz, s.H - j)
                    store_state(dstate, row * s.Hp + j, s.B * s.Hp, dbefore, s.H - j)
            else:
                for j in range(0, n_blocks * s.H, lanes(gates)):
                    zero = zero_like(load(states, before))
                    store_masked(gates, to_dz + j, zero, n_blocks * s.H - j)

    @inner
    def differentiate_intermediate(s, r, lengths, states, h_mask, p, w, zeros, scratch, gates,
                                   dstate):  # fmt: skip
        """da = dz Wh^T of the blocks that waited for a; what flows on adds to dz and dstate."""
        panel, K = TILE_VECTORS * lanes(w), (end_a - first_a) * s.H
        scratch_row = scratch.size // s.B
        product(zeros, 0, 0, gates, r.gates + (dz_block + first_a) * s.H, s.gate_row, 1,
                w, 0, panel, K * panel, scratch, r.first * scratch_row, scratch_row,
                r.last - r.first, K, s.H)  # fmt: skip
        for row in range(r.first, r.last):
            if r.t < lengths[row]:
                at = r.gates + (row - r.first) * s.gate_row
                to_dz = at + dz_block * s.H
                before = r.before + (row - r.first) * s.Hp
                for j in range(0, s.H, chunk(states, s.H)):
                    da = load_unit(scratch, row * scratch_row + j, s.H - j)
                    if h_mask.size > 0:
                        da = da * load_unit(h_mask, row * s.Hp + j, s.H - j)
                    dz, dbefore = intermediate_backward(
                        da,
                        load_dz(gates, to_dz + j, s.H, s.H),
                        load_state(dstate, row * s.Hp + j, s.B * s.Hp, s.H),
                        load_saved(gates, at + j, s.H, s.H),
                        load_state(states, before + j, s.B * s.Hp, s.H),
                        load_p(p, j, s.Hp, s.H),
                    )
                    store_dz(gates, to_dz + j, s.H, dz, s.H - j)
                    store_state(dstate, row * s.Hp + j, s.B * s.Hp, dbefore, s.H - j)

    @inner
    def project_back(s, r, gates, h_mask, w, zeros, scratch, dstate):
        """dh += dz Wh^T, times the mask."""
        panel, K, masked = TILE_VECTORS * lanes(w), (end_h - first_h) * s.H, h_mask.size > 0
        start = packed_room((end_a - first_a) * s.H, s.H, panel)
        so_far, at, row_size = dstate, r.first * s.Hp, s.Hp
        to, to_row = at, row_size
        result = dstate
        if masked:
            so_far, at, row_size = zeros, 0, 0
            result, to_row = scratch, scratch.size // s.B
            to = r.first * to_row
        product(so_far, at, row_size, gates, r.gates + (dz_block + first_h) * s.H, s.gate_row, 1,
                w, start, panel, K * panel, result, to, to_row,
                r.last - r.first, K, s.H)  # fmt: skip
        if masked:
            for row in range(r.first, r.last):
                for j in range(0, s.Hp, lanes(dstate)):
                    dh = load(scratch, row * to_row + j) * load(h_mask, row * s.Hp + j)
                    store(dstate, row * s.Hp + j, load(dstate, row * s.Hp + j) + dh)

    @inner
    def store_dx(s, r, lengths, reverse, gates, w, zeros, scratch, dx):
        """dx_t = dz Wx^T, by way of ``scratch``: read backwards, rows stand at different times."""
        panel, K = TILE_VECTORS * lanes(w), (end_x - first_x) * s.H
        start = packed_room((end_a - first_a) * s.H, s.H, panel)
        start += packed_room((end_h - first_h) * s.H, s.H, panel)
        scratch_row = scratch.size // s.B
        product(zeros, 0, 0, gates, r.gates + (dz_block + first_x) * s.H, s.gate_row, 1,
                w, start, panel, K * panel, scratch, r.first * scratch_row, scratch_row,
                r.last - r.first, K, s.I)  # fmt: skip
        for row in range(r.first, r.last):
            to_x = (row * s.T + time_of(r.t, lengths[row], reverse)) * s.I
            for j in range(0, s.I, lanes(dx)):
                part = load_masked(scratch, row * scratch_row + j, s.I - j)
                store_masked(dx, to_x + j, part, s.I - j)

    if cell.intermediate is None:
        differentiate_intermediate = nothing

    @parallel(identity=identity(cell))
    def backward(first, last, dy, dx, lengths, reverse, gates, states, dstate,
                 h_mask, p, dp, w, scratch, zeros):  # fmt: skip
        """Run rows ``first`` to ``last`` back through all T steps.

        Read     dy (B, T, H), or (B, 0, H) for none; what forward saved in gates and states;
                 lengths, h_mask, p; w, the packed transposes (``packing.py``); zeros.
        Written  dx (B, T, I), or nothing if I is 0; dz in gates; dstate, dL/d(final state)
                 before and dL/d(initial state) afterwards; dp, added to.
        Scratch  scratch (B, Hp or more).
        """
        s = Sizes(
            gates.shape[0], gates.shape[1], dx.shape[2], dy.shape[2], states.shape[3], n_states,
            gates.shape[0], 0, 0, gates.shape[2],
        )  # fmt: skip
        has_dy = dy.shape[1] > 0
        dy, dx, gates, states = dy.reshape(-1), dx.reshape(-1), gates.reshape(-1), states.reshape(-1)
        dstate, h_mask, p, dp = dstate.reshape(-1), h_mask.reshape(-1), p.reshape(-1), dp.reshape(-1)
        scratch = scratch.reshape(-1)
        for t in range(s.T - 1, -1, -1):
            for block in range(first, last, ROWS_AT_ONCE):
                r = rows_at(s, t, block, min(block + ROWS_AT_ONCE, last))
                if has_dy:
                    load_dy(s, r, dy, lengths, reverse, dstate)
                differentiate_step(s, r, lengths, states, p, gates, dstate, dp)
                differentiate_intermediate(
                    s, r, lengths, states, h_mask, p, w, zeros, scratch, gates, dstate
                )
                project_back(s, r, gates, h_mask, w, zeros, scratch, dstate)
                if s.I > 0:
                    store_dx(s, r, lengths, reverse, gates, w, zeros, scratch, dx)

    return backward
