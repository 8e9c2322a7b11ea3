"""The time loop: any cell, forward and backward through time.

Rows of a batch never meet in time, so a thread takes some rows and walks
through the whole sequence with them; nobody waits for anybody at any step.
Within a step it works on a few rows at a time, product first, then the cell's
equations while the projections are still in the nearest cache.

What lies in memory (flat arrays; T steps, B rows, H units; Hp is H rounded up
to whole vector registers, and the lanes in between carry nothing that counts):

    xh      (T, B, ld)          row [ x_t | 1 | h_{t-1} ], what the product reads; with
                                a second one for a cell whose h has a bias of its own.
                                h begins where a vector register begins
    states  (T+1, S, B, Hp)     h, and what else the cell carries (an LSTM's c);
                                slot 0 holds the initial states
    gates   (T, B, gate_row)    z while projecting, then what the cell saved: ``width`` blocks
                                of H numbers, none between them for a product to waste its
                                time on, and room for a register that begins in the last
    dgates  (T, B, gate_row)    dL/dz; may be ``gates`` itself
    intermediates  (T, B, Hp)          what a reset gate makes of h (a GRU's r h), if the cell has one
    dstate  (S, B, Hp)          dL/d(state), walking backward
    p       (n, Hp)             parameters with one number a unit, and dp (B, n, Hp)

With the one between x and h, the projections of a step are a single product,
z_t = [x_t, 1, h_{t-1}] [Wx; b; Wh].
"""

from rnnlite.kernels.equations import equations
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.jit import inner
from rnnlite.kernels.load_store import REGISTERS, ROWS
from rnnlite.kernels.parallel import parallel
from rnnlite.kernels.product import TILE_VECTORS, product
from rnnlite.kernels.simd import lanes, load, load_masked, store, store_masked, zero_like

# Rows that go through product and equations together.  Their projections,
# 32 x 512 floats for 128 LSTM units, are 64 KB: in the second-level cache.
ROWS_AT_ONCE = 32


@inner
def time_of(t, length, reverse):
    """Where in its sequence a row stands at step t of the loop: backwards within its length."""
    if reverse and t < length:
        return length - 1 - t
    return t


@inner
def unpacked_product(zeros, xh, at_h, ld, I, wx, wh, columns, bias_rows, source,
                     gates, at_z, gate_row, rows, H):  # fmt: skip
    """One block of z from weights that are not packed; ``source`` as in ``packing.py``."""
    x_gate, h_gate, bias_gate = source
    panel = TILE_VECTORS * lanes(wx)
    K = I + 1 if x_gate >= 0 else 0
    product(zeros, 0, 0, xh, at_h - bias_rows - 1 - I, ld, 1,
            wx, max(x_gate, 0) * H, columns, panel,
            gates, at_z, gate_row, rows, K, H)  # fmt: skip
    if h_gate >= 0 or bias_gate >= 0:
        K = bias_rows + (H if h_gate >= 0 else 0)
        product(gates, at_z, gate_row, xh, at_h - bias_rows, ld, 1,
                wh, max(h_gate, bias_gate) * H, columns, panel,
                gates, at_z, gate_row, rows, K, H)  # fmt: skip


def make_forward(cell):
    """The forward loop of a cell, as a kernel."""
    load_store = ROWS if cell.whole_rows else REGISTERS
    chunk, load_output, store_output = (
        load_store.chunk,
        load_store.load_output,
        load_store.store_output,
    )
    load_z, _ = load_store.group(len(cell.blocks))
    _, store_saved = load_store.group(len(cell.saved))
    load_state, store_state = load_store.group(len(cell.states))
    load_p, _ = load_store.group(len(cell.unit_params))
    step, _, intermediate, _ = equations(cell)
    intermediate_first, intermediate_last = cell.intermediate_blocks
    n_states, n_blocks = len(cell.states), len(cell.blocks)

    @parallel(identity=identity(cell))
    def forward(first, last, x, xh, ld, h_offset, gates, states, intermediates, h_mask, p, keep, from_zero,
                w, segments, w_intermediate, direct, wx, wh, columns, bias_rows, block_gates,
                gate_row, zeros, lengths, reverse, y, y_every_step, T, B, I, H, Hp):  # fmt: skip
        """Run rows ``first`` to ``last`` through all T steps.

        Reads x (B, T, I), the packed weights (see ``packing.py``), slot 0 of states.
        Writes xh, gates, intermediates, all later slots of states, and y: (B, T, H), or
        (B, H) at each row's last step.  Without ``keep`` the gates have one slot,
        written again at every step, and the states two that take turns: they
        stay in the cache.  ``from_zero``: all initial h are zero, and the first step needs no
        product with them.  A non-empty ``h_mask`` (B, Hp) multiplies h on its way
        into the products.  With ``direct`` the weights are read where they lie, not
        packed: for a few rows and steps packing would take longer than the product.
        """
        panel = TILE_VECTORS * lanes(w)
        for t in range(T):
            slot, next_slot, gate_slot = t, t + 1, t
            if not keep:
                slot, next_slot, gate_slot = t % 2, (t + 1) % 2, 0
            for block in range(first, last, ROWS_AT_ONCE):
                end = min(block + ROWS_AT_ONCE, last)
                for row in range(block, end):
                    at = (gate_slot * B + row) * ld + h_offset - bias_rows - 1 - I
                    source = (row * T + time_of(t, lengths[row], reverse)) * I
                    for j in range(0, I, lanes(xh)):
                        part = load_masked(x, source + j, I - j)
                        if t >= lengths[row]:  # whatever stands in the padding, NaN included
                            part = zero_like(part)
                        store_masked(xh, at + j, part, I - j)
                    xh[at + I] = 1.0  # times b
                    xh[at + I + bias_rows] = 1.0  # times bh
                    at_h = (slot * n_states * B + row) * Hp
                    to_h = (gate_slot * B + row) * ld + h_offset
                    for j in range(0, Hp, lanes(xh)):
                        h = load(states, at_h + j)
                        if h_mask.size > 0:
                            h = h * load(h_mask, row * Hp + j)
                        store(xh, to_h + j, h)

                for n in range(n_blocks * direct):
                    unpacked_product(zeros, xh, (gate_slot * B + block) * ld + h_offset, ld, I,
                                     wx, wh, columns, bias_rows, block_gates[n],
                                     gates, (gate_slot * B + block) * gate_row + n * H, gate_row,
                                     end - block, H)  # fmt: skip
                for s in range(segments.shape[0] * (not direct)):
                    column, K, start, z_block, blocks, h_rows = segments[s]
                    used = K - h_rows * (from_zero and t == 0)
                    at_z = (gate_slot * B + block) * gate_row + z_block * H
                    product(zeros, 0, 0, xh, (gate_slot * B + block) * ld + column, ld, 1,
                            w, start, panel, K * panel,
                            gates, at_z, gate_row, end - block, used, blocks * H)  # fmt: skip

                if intermediate_first < intermediate_last:
                    for row in range(block, end):
                        at_z = (gate_slot * B + row) * gate_row
                        at_s = (slot * n_states * B + row) * Hp
                        to = (gate_slot * B + row) * Hp
                        for j in range(0, H, chunk(xh, H)):
                            z = load_z(gates, at_z + j, H, H)
                            state = load_state(states, at_s + j, B * Hp, H)
                            a = intermediate(z, state, load_p(p, j, Hp, H))
                            if h_mask.size > 0:
                                a = a * load_output(h_mask, row * Hp + j, H - j)
                            store_output(intermediates, to + j, a, H - j)
                    at_a = (gate_slot * B + block) * Hp
                    at_z = (gate_slot * B + block) * gate_row + intermediate_first * H
                    product(gates, at_z, gate_row, intermediates, at_a, Hp, 1,
                            w_intermediate, 0, panel, H * panel, gates, at_z, gate_row,
                            end - block, H, (intermediate_last - intermediate_first) * H)  # fmt: skip

                for row in range(block, end):
                    at_z = (gate_slot * B + row) * gate_row
                    at_s = (slot * n_states * B + row) * Hp
                    to_s = (next_slot * n_states * B + row) * Hp
                    at_y = (row * T + time_of(t, lengths[row], reverse)) * H
                    for j in range(0, H, chunk(xh, H)):
                        state = load_state(states, at_s + j, B * Hp, H)
                        if t < lengths[row]:
                            z = load_z(gates, at_z + j, H, H)
                            new_state, saved = step(z, state, load_p(p, j, Hp, H))
                            store_saved(gates, at_z + j, H, saved, H - j)
                            store_state(states, to_s + j, B * Hp, new_state, H - j)
                            if y_every_step:
                                store_output(y, at_y + j, new_state[0], H - j)
                            elif t == T - 1:
                                store_output(y, row * H + j, new_state[0], H - j)
                        else:
                            store_state(states, to_s + j, B * Hp, state, H - j)
                            if not y_every_step and t == T - 1:
                                store_output(y, row * H + j, state[0], H - j)
                    if y_every_step and t >= lengths[row]:
                        for j in range(at_y, at_y + H):
                            y[j] = 0.0

    return forward


def make_backward(cell):
    """Backpropagation through time of a cell, as a kernel."""
    load_store = ROWS if cell.whole_rows else REGISTERS
    chunk, load_output, add = load_store.chunk, load_store.load_output, load_store.add
    add_dp = load_store.add_group(len(cell.unit_params))
    load_saved, _ = load_store.group(len(cell.saved))
    load_z, store_z = load_store.group(len(cell.blocks))
    load_state, store_state = load_store.group(len(cell.states))
    load_p, _ = load_store.group(len(cell.unit_params))
    _, step_backward, _, intermediate_backward = equations(cell)
    has_intermediate = cell.intermediate is not None
    x_first, x_last = cell.x_blocks
    h_first, h_last = cell.h_blocks
    intermediate_first, intermediate_last = cell.intermediate_blocks
    n_states, n_blocks = len(cell.states), len(cell.blocks)
    n_params = len(cell.unit_params)

    @parallel(identity=identity(cell))
    def backward(first, last, dy, dy_every_step, gates, dgates, gate_row, states, dstate, da,
                 h_mask, p, dp, wh, wx, w_intermediate, zeros, lengths, reverse, dx, dx_rows, want_dx,
                 T, B, I, H, Hp):  # fmt: skip
        """Run rows ``first`` to ``last`` back through all T steps.

        Reads dy (B, T, H) (or none), the buffers that ``forward`` filled, and the packed
        transposes of Wh and Wx.  Writes dgates, dp and dx (B, T, I).  ``dstate``
        holds dL/d(final state) before and dL/d(initial state) afterwards;
        ``da`` (B, Hp) and ``dx_rows`` (B, I) are scratch.
        """
        panel = TILE_VECTORS * lanes(wh)
        Kh = (h_last - h_first) * H
        Kx = (x_last - x_first) * H
        Kr = (intermediate_last - intermediate_first) * H
        for t in range(T - 1, -1, -1):
            for block in range(first, last, ROWS_AT_ONCE):
                end = min(block + ROWS_AT_ONCE, last)
                for row in range(block, end):
                    at_z = (t * B + row) * gate_row
                    at_s = (t * n_states * B + row) * Hp
                    new_s = at_s + n_states * B * Hp
                    at_dy = (row * T + time_of(t, lengths[row], reverse)) * H
                    if t < lengths[row]:
                        for j in range(0, H, chunk(states, H)):
                            if dy_every_step:
                                add(dstate, row * Hp + j, load_output(dy, at_dy + j, H - j))
                            dnew = load_state(dstate, row * Hp + j, B * Hp, H)
                            saved = load_saved(gates, at_z + j, H, H)
                            state = load_state(states, at_s + j, B * Hp, H)
                            new = load_state(states, new_s + j, B * Hp, H)
                            values = load_p(p, j, Hp, H)
                            dz, dbefore, dvalues = step_backward(dnew, saved, state, new, values)
                            add_dp(dp, row * n_params * Hp + j, Hp, dvalues)
                            store_z(dgates, at_z + j, H, dz, H - j)
                            store_state(dstate, row * Hp + j, B * Hp, dbefore, H - j)
                    else:  # the state was carried through: so is its gradient
                        for j in range(0, n_blocks * H, lanes(states)):
                            store(dgates, at_z + j, load(zeros, j))

                at_z = (t * B + block) * gate_row
                if has_intermediate:
                    product(zeros, 0, 0, dgates, at_z + intermediate_first * H, gate_row, 1,
                            w_intermediate, 0, panel, Kr * panel, da, block * Hp, Hp,
                            end - block, Kr, H)  # fmt: skip
                    for row in range(block, end):
                        if t < lengths[row]:
                            at_row = (t * B + row) * gate_row
                            at_s = (t * n_states * B + row) * Hp
                            for j in range(0, H, chunk(states, H)):
                                back = load_output(da, row * Hp + j, H - j)
                                if h_mask.size > 0:
                                    back = back * load_output(h_mask, row * Hp + j, H - j)
                                dz, dbefore = intermediate_backward(
                                    back,
                                    load_z(dgates, at_row + j, H, H),
                                    load_state(dstate, row * Hp + j, B * Hp, H),
                                    load_saved(gates, at_row + j, H, H),
                                    load_state(states, at_s + j, B * Hp, H),
                                    load_p(p, j, Hp, H),
                                )
                                store_z(dgates, at_row + j, H, dz, H - j)
                                store_state(dstate, row * Hp + j, B * Hp, dbefore, H - j)

                masked = h_mask.size > 0
                before, at, stride = (zeros, 0, 0) if masked else (dstate, block * Hp, Hp)
                product(before, at, stride, dgates, at_z + h_first * H, gate_row, 1,
                        wh, 0, panel, Kh * panel, da if masked else dstate, block * Hp, Hp,
                        end - block, Kh, H)  # fmt: skip
                if masked:
                    for j in range(block * Hp, end * Hp, lanes(da)):
                        store(dstate, j, load(dstate, j) + load(da, j) * load(h_mask, j))
                if want_dx:
                    product(zeros, 0, 0, dgates, at_z + x_first * H, gate_row, 1,
                            wx, 0, panel, Kx * panel, dx_rows, block * I, I,
                            end - block, Kx, I)  # fmt: skip
                    for row in range(block, end):
                        to = (row * T + time_of(t, lengths[row], reverse)) * I
                        for j in range(0, I, lanes(dx)):
                            store_masked(
                                dx, to + j, load_masked(dx_rows, row * I + j, I - j), I - j
                            )

    return backward
