"""The time loop: any cell, forward and backward through time.

    forward, t = 0, 1, ...                        backward, t = T-1, T-2, ...

    load_inputs           [ x_t | 1 | h_{t-1} ]   load_dy                       dh += dy_t
    project               z = [x 1 h] W           differentiate_step            dz, by the cell
    apply_intermediate    a, by the cell          differentiate_intermediate    the same through a
    project               z += a Wh               project_back                  dh += dz Wh^T
    apply_step            h_t, by the cell        store_dx                      dx_t = dz Wx^T
    store_y               y_t = h_t

Rows of a batch never meet in time, so a thread takes some rows and walks through the whole
sequence with them; nobody waits for anybody at any step.  At each step it works on a few rows at
a time (``Rows``), one phase after the other, while their numbers are still in the nearest cache.

In memory (T steps, B rows, H units; Hp is H rounded up to whole vector registers; ``layout.py``
computes the sizes):

    xh      (T, B, xh_row)        rows [ x_t | 1 | h_{t-1} ], what the products read; a second one
                                  if h has a bias, and behind h the intermediate a if there is one
    states  (T+1, S, B, Hp)       h, and what else the cell carries (an LSTM's c); slot 0 is initial
    gates   (T, B, gate_row)      z, then what the cell saved, then dz: blocks of H numbers side by
                                  side, which one product writes, and room for one more register
    h_mask  (B, Hp) or (0, Hp)    multiplies h, and a, on the way into the products
    dstate  (S, B, Hp)            dL/d(state), walking backward
    p, dp   (n, Hp), (B, n, Hp)   parameters with one number a unit, and their gradients by row

With the one between x and h, the projections of a step are one product, [x 1 h] [Wx; b; Wh].
Inference needs no past: xh and gates then have one slot, written again at every step, and states
two that take turns.  They stay in the cache.
"""

from typing import NamedTuple

from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.jit import equation, inner
from rnnlite.kernels.layout import blocks_of, range_from
from rnnlite.kernels.load_store import REGISTERS, ROWS, argument_loader, group_adder
from rnnlite.kernels.operands import NUMBERS
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS, packed_room
from rnnlite.kernels.simd import flat, lanes, load, load_masked, store, store_masked, zero_like

# Rows that go through product and equations together: whole tiles of 4, 6 or 8.  Their projections,
# 48 x 512 floats for 128 LSTM units, are 96 KB, and stay in the second-level cache.
ROWS_AT_ONCE = 48


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
    room_row: int  # what products need for a row of operands in pairs, behind the packed weights
    room: int  # where that begins


class Rows(NamedTuple):
    """Rows ``first`` to ``last`` of the batch at step ``t``, and where the step's slots begin."""

    t: int
    first: int
    last: int
    xh: int
    gates: int
    before: int  # the states before the step
    after: int  # and after it


@inner
def rows_at(s, t, first, last):
    """``Rows`` of a step; a buffer with fewer slots than steps begins again at its first."""
    slot, states_row = t % s.slots, s.S * s.B * s.Hp
    before, after = t % (s.slots + 1) * states_row, (t + 1) % (s.slots + 1) * states_row
    return Rows(t, first, last, slot * s.B * s.xh_row, slot * s.B * s.gate_row, before, after)


@inner
def time_of(t, length, reverse):
    """Where in its sequence a row stands at step t of the loop: backwards within its length."""
    return length - 1 - t if reverse and t < length else t


# ---- forward -------------------------------------------------------------------------------------


def make_forward(cell, operands=NUMBERS):
    """The forward loop of a cell, as a kernel."""
    multiply, per_word = operands.multiply, operands.per_word
    load_store = ROWS if cell.whole_rows else REGISTERS
    load_unit, store_unit, whole_rows = load_store.load_unit, load_store.store_unit, cell.whole_rows
    n_states, bias_rows = len(cell.states), int(cell.recurrent_bias)
    load_z, _ = load_store.group(blocks_of(cell)[1])
    _, store_saved = load_store.group(range(len(cell.saved)))
    load_state, store_state = load_store.group(range(n_states))
    load_p = argument_loader(load_store, len(cell.unit_params))
    step, has_intermediate = equation(cell.step), cell.intermediate is not None
    intermediate = equation(cell.intermediate) if has_intermediate else None

    @inner
    def load_inputs(s, r, x, lengths, reverse, states, h_mask, xh):
        """Row by row [ x_t | 1 | h_{t-1} ]; of the padding nothing is used, NaN included."""
        T, I, Hp = s.T, s.I, s.Hp
        for row in range(r.first, r.last):
            to_h = r.xh + row * s.xh_row + s.h_at
            to_x = to_h - bias_rows - 1 - I
            at_x = (row * T + time_of(r.t, lengths[row], reverse)) * I
            for j in range(0, I, lanes(xh)):
                part = load_masked(x, at_x + j, I - j)
                if r.t >= lengths[row]:
                    part = zero_like(part)
                store_masked(xh, to_x + j, part, I - j)
            xh[to_x + I] = 1.0  # times b
            xh[to_h - 1] = 1.0  # times bh
            at_h = r.before + row * Hp
            for j in range(0, Hp, lanes(xh)):
                h = load(states, at_h + j)
                if h_mask.size > 0:
                    h = h * load(h_mask, row * Hp + j)
                store(xh, to_h + j, h)

    @inner
    def project(s, r, waits, from_zero, products, w, xh, zeros, gates):
        """z = [x 1 h] W, or, for the blocks that wait for it, z += a Wh.

        A row of ``products`` (n, 10): first column of xh, how many, and how many of them are h's,
        which are left out while h is zero; start, step by row and by panel in w; first column of
        gates, how many; 1 to begin z, 0 to add to it; 1 to wait.  Packed weights are few products;
        for a few rows and steps W is read as it is, block by block, since packing would take
        longer.
        """
        at, to, rows = r.xh + r.first * s.xh_row, r.gates + r.first * s.gate_row, r.last - r.first
        for n in range(len(products)):
            column, K, of_h, start, w_row, w_panel, z, N, begins, its_turn = products[n]
            if its_turn == waits:
                so_far, at_z, row = gates, to + z, s.gate_row
                if begins == 1:
                    so_far, at_z, row = zeros, 0, 0
                used = K - of_h * (from_zero and r.t == 0)
                multiply(so_far, at_z, row, xh, at + column, s.xh_row, w, start, w_row, w_panel,
                         gates, to + z, s.gate_row, rows, used, N,
                         s.room + r.first * s.room_row, s.room_row)  # fmt: skip

    @inner
    def apply_intermediate(s, r, states, h_mask, p, gates, xh):
        """a = intermediate(z, state), behind h."""
        B, H, Hp = s.B, s.H, s.Hp
        for row in range(r.first, r.last):
            at_z = r.gates + row * s.gate_row
            at_state = r.before + row * Hp
            to_a = r.xh + row * s.xh_row + s.h_at + Hp
            for j in range(0, H, H if whole_rows else lanes(xh)):
                z = load_z(gates, at_z + j, H, H - j)
                state = load_state(states, at_state + j, B * Hp, H - j)
                a = intermediate(z, state, *load_p(p, j, Hp, H - j))
                if h_mask.size > 0:
                    a = a * load_unit(h_mask, row * Hp + j, H - j)
                store_unit(xh, to_a + j, a, H - j)

    @inner
    def apply_step(s, r, lengths, p, gates, states):
        """state, saved = step(z, state); past the length of a row its state stays as it is."""
        B, H, Hp = s.B, s.H, s.Hp
        for row in range(r.first, r.last):
            at_z = r.gates + row * s.gate_row
            at, to = r.before + row * Hp, r.after + row * Hp
            for j in range(0, H, H if whole_rows else lanes(states)):
                state = load_state(states, at + j, B * Hp, H - j)
                if r.t < lengths[row]:
                    z = load_z(gates, at_z + j, H, H - j)
                    new_state, saved = step(z, state, *load_p(p, j, Hp, H - j))
                    store_saved(gates, at_z + j, H, saved, H - j)
                    store_state(states, to + j, B * Hp, new_state, H - j)
                else:
                    store_state(states, to + j, B * Hp, state, H - j)

    @inner
    def store_y(s, r, lengths, reverse, states, y):
        """y_t = h_t; zero in the padding."""
        T, H, Hp = s.T, s.H, s.Hp
        for row in range(r.first, r.last):
            at_h = r.after + row * Hp
            to_y = (row * T + time_of(r.t, lengths[row], reverse)) * H
            for j in range(0, H, lanes(y)):
                h = load(states, at_h + j)
                if r.t >= lengths[row]:
                    h = zero_like(h)
                store_masked(y, to_y + j, h, H - j)

    @parallel(identity=identity(cell) + operands.name)
    def forward(first, last, x, y, lengths, reverse, from_zero, xh, gates, states,
                h_mask, p, w, products, zeros):  # fmt: skip
        """Run rows ``first`` to ``last`` through all T steps.

        Read     x (B, T, I); lengths (B,); slot 0 of states; h_mask; p; w and products; zeros.
        Written  y (B, T, H), or nothing if it is (B, 0, H); the last slot of states.
        Saved for backward: xh, gates, states; with one slot, they are scratch.
        ``from_zero``: all initial h are zero, and the first step needs no product with them.
        """
        (B, T, I), (_, steps_of_y, H), Hp = x.shape, y.shape, states.shape[3]
        slots, _, xh_row = xh.shape
        h_at = xh_row - Hp * (2 if has_intermediate else 1)
        room_row = (per_word - 1) * xh_row
        s = Sizes(T, B, I, H, Hp, n_states, slots, xh_row, h_at, gates.shape[2],
                  room_row, w.size - B * room_row)  # fmt: skip
        x, y, xh, gates = flat(x), flat(y), flat(xh), flat(gates)
        states, h_mask, p = flat(states), flat(h_mask), flat(p)
        for t in range(T):
            for block in range(first, last, ROWS_AT_ONCE):
                r = rows_at(s, t, block, min(block + ROWS_AT_ONCE, last))
                load_inputs(s, r, x, lengths, reverse, states, h_mask, xh)
                project(s, r, 0, from_zero, products, w, xh, zeros, gates)
                if has_intermediate:
                    apply_intermediate(s, r, states, h_mask, p, gates, xh)
                    project(s, r, 1, from_zero, products, w, xh, zeros, gates)
                apply_step(s, r, lengths, p, gates, states)
                if steps_of_y > 0:
                    store_y(s, r, lengths, reverse, states, y)

    return forward


# ---- backward ------------------------------------------------------------------------------------


def make_backward(cell, operands=NUMBERS):
    """Backpropagation through time of a cell, as a kernel."""
    multiply, per_word = operands.multiply, operands.per_word
    load_store = ROWS if cell.whole_rows else REGISTERS
    load_unit, whole_rows = load_store.load_unit, cell.whole_rows
    n_states, n_params, n_blocks = map(len, (cell.states, cell.unit_params, cell.projections))
    load_saved, _ = load_store.group(range(len(cell.saved)))
    load_dz, store_dz = load_store.group(blocks_of(cell)[1])
    load_state, store_state = load_store.group(range(n_states))
    load_p = argument_loader(load_store, n_params)
    add_dp = group_adder(load_store.add, n_params)
    step_backward, has_intermediate = equation(cell.step_backward), cell.intermediate is not None
    intermediate_backward = equation(cell.intermediate_backward) if has_intermediate else None
    (first_x, end_x), (first_h, end_h), (first_a, end_a) = (range_from(cell, s) for s in "xha")
    # In blocks: dz takes the place of what was saved, unless that is needed once more.
    dz_block = len(cell.saved) if has_intermediate else 0

    @inner
    def load_dy(s, r, dy, lengths, reverse, dstate):
        """dh += dy_t, but not in the padding."""
        T, H, Hp = s.T, s.H, s.Hp
        for row in range(r.first, r.last):
            if r.t < lengths[row]:
                at_dy = (row * T + time_of(r.t, lengths[row], reverse)) * H
                for j in range(0, H, lanes(dy)):
                    dh = load(dstate, row * Hp + j) + load_masked(dy, at_dy + j, H - j)
                    store(dstate, row * Hp + j, dh)

    @inner
    def differentiate_step(s, r, lengths, states, p, gates, dstate, dp):
        """dz, dstate, dp = step_backward(dstate, ...); a state carried on hands its gradient on."""
        B, H, Hp = s.B, s.H, s.Hp
        for row in range(r.first, r.last):
            at = r.gates + row * s.gate_row
            to_dz = at + dz_block * H
            before, after = r.before + row * Hp, r.after + row * Hp
            if r.t < lengths[row]:
                for j in range(0, H, H if whole_rows else lanes(states)):
                    dnew = load_state(dstate, row * Hp + j, B * Hp, H - j)
                    saved = load_saved(gates, at + j, H, H - j)
                    state = load_state(states, before + j, B * Hp, H - j)
                    new_state = load_state(states, after + j, B * Hp, H - j)
                    results = step_backward(dnew, saved, state, new_state, *load_p(p, j, Hp, H - j))
                    dz, dbefore = results[:2]
                    if n_params > 0:
                        add_dp(dp, row * n_params * Hp + j, Hp, results[2], H - j)
                    store_dz(gates, to_dz + j, H, dz, H - j)
                    store_state(dstate, row * Hp + j, B * Hp, dbefore, H - j)
            else:
                for j in range(0, n_blocks * H, lanes(gates)):
                    zero = zero_like(load(states, before))
                    store_masked(gates, to_dz + j, zero, n_blocks * H - j)

    @inner
    def differentiate_intermediate(s, r, lengths, states, h_mask, p, w, zeros, scratch, gates,
                                   dstate):  # fmt: skip
        """da = dz Wh^T of the blocks that waited for a; what flows on adds to dz and dstate."""
        B, H, Hp = s.B, s.H, s.Hp
        panel, K, scratch_row = TILE_VECTORS * lanes(w), (end_a - first_a) * H, scratch.size // B
        at_dz = r.gates + r.first * s.gate_row + (dz_block + first_a) * H
        multiply(zeros, 0, 0, gates, at_dz, s.gate_row,
                 w, 0, panel, -(-K // per_word) * panel,
                 scratch, r.first * scratch_row, scratch_row, r.last - r.first, K, H,
                 s.room + r.first * s.room_row, s.room_row)  # fmt: skip
        for row in range(r.first, r.last):
            if r.t < lengths[row]:
                at = r.gates + row * s.gate_row
                to_dz = at + dz_block * H
                before = r.before + row * Hp
                for j in range(0, H, H if whole_rows else lanes(states)):
                    da = load_unit(scratch, row * scratch_row + j, H - j)
                    if h_mask.size > 0:
                        da = da * load_unit(h_mask, row * Hp + j, H - j)
                    dz = load_dz(gates, to_dz + j, H, H - j)
                    dbefore = load_state(dstate, row * Hp + j, B * Hp, H - j)
                    saved = load_saved(gates, at + j, H, H - j)
                    state = load_state(states, before + j, B * Hp, H - j)
                    values = load_p(p, j, Hp, H - j)
                    dz, dbefore = intermediate_backward(da, dz, dbefore, saved, state, *values)
                    store_dz(gates, to_dz + j, H, dz, H - j)
                    store_state(dstate, row * Hp + j, B * Hp, dbefore, H - j)

    @inner
    def project_back(s, r, gates, h_mask, w, zeros, scratch, dstate):
        """dh += dz Wh^T, times the mask."""
        B, H, Hp = s.B, s.H, s.Hp
        panel, K, masked = TILE_VECTORS * lanes(w), (end_h - first_h) * H, h_mask.size > 0
        start = packed_room(-(-(end_a - first_a) * H // per_word), H, panel)
        at_dz = r.gates + r.first * s.gate_row + (dz_block + first_h) * H
        so_far, at, row_size, result, to_row = dstate, r.first * Hp, Hp, dstate, Hp
        if masked:
            so_far, at, row_size, result, to_row = zeros, 0, 0, scratch, scratch.size // B
        multiply(so_far, at, row_size, gates, at_dz, s.gate_row,
                 w, start, panel, -(-K // per_word) * panel, result, r.first * to_row, to_row,
                 r.last - r.first, K, H, s.room + r.first * s.room_row, s.room_row)  # fmt: skip
        if masked:
            for row in range(r.first, r.last):
                for j in range(0, Hp, lanes(dstate)):
                    dh = load(scratch, row * to_row + j) * load(h_mask, row * Hp + j)
                    store(dstate, row * Hp + j, load(dstate, row * Hp + j) + dh)

    @inner
    def store_dx(s, r, lengths, reverse, gates, w, zeros, scratch, dx):
        """dx_t = dz Wx^T, by way of ``scratch``: read backwards, rows stand at different times."""
        T, B, I, H = s.T, s.B, s.I, s.H
        panel, K, scratch_row = TILE_VECTORS * lanes(w), (end_x - first_x) * H, scratch.size // B
        start = packed_room(-(-(end_a - first_a) * H // per_word), H, panel)
        start += packed_room(-(-(end_h - first_h) * H // per_word), H, panel)
        at_dz = r.gates + r.first * s.gate_row + (dz_block + first_x) * H
        multiply(zeros, 0, 0, gates, at_dz, s.gate_row,
                 w, start, panel, -(-K // per_word) * panel,
                 scratch, r.first * scratch_row, scratch_row, r.last - r.first, K, I,
                 s.room + r.first * s.room_row, s.room_row)  # fmt: skip
        for row in range(r.first, r.last):
            to_x = (row * T + time_of(r.t, lengths[row], reverse)) * I
            for j in range(0, I, lanes(dx)):
                part = load_masked(scratch, row * scratch_row + j, I - j)
                store_masked(dx, to_x + j, part, I - j)

    @parallel(identity=identity(cell) + operands.name)
    def backward(first, last, dy, dx, lengths, reverse, gates, states, dstate,
                 h_mask, p, dp, w, scratch, zeros):  # fmt: skip
        """Run rows ``first`` to ``last`` back through all T steps.

        Read     dy (B, T, H), or (B, 0, H) for none; what forward saved in gates and states;
                 lengths, h_mask, p; w, the packed transposes; zeros.
        Written  dx (B, T, I), or nothing if I is 0; dz in gates; dstate, dL/d(final state) before
                 and dL/d(initial state) afterwards; dp, added to.  Scratch (B, Hp or more).
        """
        (T, B, gate_row), (_, steps_of_dy, H) = gates.shape, dy.shape
        I, Hp = dx.shape[2], states.shape[3]
        room_row = (per_word - 1) * gate_row
        s = Sizes(T, B, I, H, Hp, n_states, slots=T, xh_row=0, h_at=0, gate_row=gate_row,
                  room_row=room_row, room=w.size - B * room_row)  # fmt: skip
        dy, dx, gates, states = flat(dy), flat(dx), flat(gates), flat(states)
        dstate, scratch = flat(dstate), flat(scratch)
        h_mask, p, dp = flat(h_mask), flat(p), flat(dp)
        for t in range(T - 1, -1, -1):
            for block in range(first, last, ROWS_AT_ONCE):
                r = rows_at(s, t, block, min(block + ROWS_AT_ONCE, last))
                if steps_of_dy > 0:
                    load_dy(s, r, dy, lengths, reverse, dstate)
                differentiate_step(s, r, lengths, states, p, gates, dstate, dp)
                if has_intermediate:
                    differentiate_intermediate(
                        s, r, lengths, states, h_mask, p, w, zeros, scratch, gates, dstate
                    )
                project_back(s, r, gates, h_mask, w, zeros, scratch, dstate)
                if I > 0:
                    store_dx(s, r, lengths, reverse, gates, w, zeros, scratch, dx)

    return backward
