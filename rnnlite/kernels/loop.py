"""The time loop: any cell, forward and backward through time.

Rows of a batch never meet in time, so a thread takes some rows and walks
through the whole sequence with them; nobody waits for anybody at any step.
Within a step it works on a few rows at a time, product first, then the cell's
equations while the projections are still in the nearest cache.

What lies in memory (flat arrays; T steps, B rows, H units; Hp is H rounded up
to whole vector registers, and the lanes in between carry nothing that counts):

    xh      (T+1, B, ld)        row [ x_t | 1 | h_{t-1} ]; slot 0 holds the initial state.
                                x comes first and ends where a register ends, so h is aligned
    gates   (T, B, width*Hp)    z while projecting, then what the cell kept
    dgates  (T, B, width*Hp)    dL/dz; may be ``gates`` itself
    others  (T+1, S-1, B, Hp)   the states besides h (an LSTM's c); slot 0 initial
    dstate  (S, B, Hp)          dL/d(state), walking backward

With the one between x and h, the projections of a step are a single product,
z_t = [x_t, 1, h_{t-1}] [Wx; b; Wh], and all weight gradients another one.
"""

from rnnlite.kernels.jit import inner, kernel
from rnnlite.kernels.product import TILE_VECTORS, pack, product
from rnnlite.kernels.simd import groups, lanes, load, load_some, store, store_some, zero_like

# Rows that go through product and equations together.  Their projections,
# 32 x 512 floats for 128 LSTM units, are 64 KB: in the second-level cache.
ROWS_AT_ONCE = 32

# Rows of (time x batch) that go into a weight gradient together; 128 rows of
# dz and of [x 1 h] take 340 KB for 128 LSTM units.
ROWS_OF_GRADIENT = 128


def state_access(cell):
    """Load and store all states of a row: h from ``xh``, the others from ``others``."""
    if len(cell.states) == 1:

        @inner
        def load_state(xh, at_h, others, at_others, stride):
            return (load(xh, at_h),)

        @inner
        def store_state(xh, at_h, others, at_others, stride, state):
            store(xh, at_h, state[0])

    else:
        load_others, store_others = groups(len(cell.states) - 1)

        @inner
        def load_state(xh, at_h, others, at_others, stride):
            return (load(xh, at_h),) + load_others(others, at_others, stride)  # noqa: RUF005

        @inner
        def store_state(xh, at_h, others, at_others, stride, state):
            store(xh, at_h, state[0])
            store_others(others, at_others, stride, state[1:])

    return load_state, store_state


def make_forward(cell):
    """The forward loop of a cell, as a kernel."""
    step = inner(cell.step)
    load_z, _ = groups(len(cell.blocks))
    _, store_kept = groups(len(cell.kept))
    load_state, store_state = state_access(cell)
    n_others = len(cell.states) - 1
    width = cell.width

    @kernel(identity=cell.name)
    def forward(first, last, x, xh, ld, hx, gates, others, keep, w, segments, zeros,
                lengths, y, y_every_step, T, B, I, H, Hp):  # fmt: skip
        """Run rows ``first`` to ``last`` through all T steps.

        Reads x (B, T, I), packed w and its segments (see ``engine.py``), slot 0 of
        xh and others.  Writes gates, all later slots, and y: (B, T, H), or (B, H)
        at each row's last step.  Without ``keep`` the gates have one slot, written
        again at every step, and the states two that take turns: they stay in the cache.
        """
        gate_row = width * Hp
        for t in range(T):
            slot, next_slot, gate_slot = t, t + 1, t
            if not keep:
                slot, next_slot, gate_slot = t % 2, (t + 1) % 2, 0
            for block in range(first, last, ROWS_AT_ONCE):
                end = min(block + ROWS_AT_ONCE, last)
                for row in range(block, end):
                    place = (slot * B + row) * ld + hx - 1 - I
                    source = (row * T + t) * I
                    for j in range(0, I, lanes(xh)):
                        part = load_some(x, source + j, I - j)
                        if t >= lengths[row]:  # whatever stands in the padding, NaN included
                            part = zero_like(part)
                        store_some(xh, place + j, part, I - j)
                    xh[place + I] = 1.0

                for s in range(segments.shape[0]):
                    column, K, start, z_block, blocks = segments[s]
                    at_z = (gate_slot * B + block) * gate_row + z_block * Hp
                    product(zeros, 0, 0, xh, (slot * B + block) * ld + column, ld, 1,
                            w, start, TILE_VECTORS * lanes(w), K * TILE_VECTORS * lanes(w),
                            gates, at_z, gate_row, end - block, K, blocks * Hp)  # fmt: skip

                for row in range(block, end):
                    at_z = (gate_slot * B + row) * gate_row
                    at_h = (slot * B + row) * ld + hx
                    at_o = (slot * n_others * B + row) * Hp
                    to_h = (next_slot * B + row) * ld + hx
                    to_o = (next_slot * n_others * B + row) * Hp
                    at_y = (row * T + t) * H
                    for j in range(0, Hp, lanes(xh)):
                        state = load_state(xh, at_h + j, others, at_o + j, B * Hp)
                        if t < lengths[row]:
                            z = load_z(gates, at_z + j, Hp)
                            state, kept = step(z, state)
                            store_kept(gates, at_z + j, Hp, kept)
                            output = state[0]
                        else:
                            output = zero_like(state[0])
                        store_state(xh, to_h + j, others, to_o + j, B * Hp, state)
                        if y_every_step:
                            store_some(y, at_y + j, output, H - j)
                        elif t == T - 1:
                            store_some(y, row * H + j, state[0], H - j)

    return forward


def make_backward(cell):
    """Backpropagation through time of a cell, as a kernel."""
    step_backward = inner(cell.step_backward)
    load_kept, _ = groups(len(cell.kept))
    _, store_z = groups(len(cell.blocks))
    load_dstate, store_dstate = groups(len(cell.states))
    load_state, _ = state_access(cell)
    n_others = len(cell.states) - 1
    n_blocks = len(cell.blocks)
    width = cell.width
    x_first, x_last = cell.x_blocks
    h_first, h_last = cell.h_blocks

    @kernel(identity=cell.name)
    def backward(first, last, dy, dy_every_step, xh, ld, hx, gates, dgates, others, dstate,
                 wh, wx, zeros, lengths, dx, want_dx, T, B, I, H, Hp):  # fmt: skip
        """Run rows ``first`` to ``last`` back through all T steps.

        Reads dy (B, T, H) (or none), the buffers that ``forward`` filled, and the packed
        transposes of Wh and Wx.  Writes dgates and dx (B, T, I).  ``dstate``
        holds dL/d(final state) before and dL/d(initial state) afterwards.
        """
        gate_row = width * Hp
        panel = TILE_VECTORS * lanes(wh)
        Kh = (h_last - h_first) * Hp
        Kx = (x_last - x_first) * Hp
        for t in range(T - 1, -1, -1):
            for block in range(first, last, ROWS_AT_ONCE):
                end = min(block + ROWS_AT_ONCE, last)
                for row in range(block, end):
                    at_z = (t * B + row) * gate_row
                    at_h = (t * B + row) * ld + hx
                    at_o = (t * n_others * B + row) * Hp
                    new_h = at_h + B * ld
                    new_o = at_o + n_others * B * Hp
                    at_dy = (row * T + t) * H
                    if t < lengths[row]:
                        for j in range(0, Hp, lanes(xh)):
                            dnew = load_dstate(dstate, row * Hp + j, B * Hp)
                            if dy_every_step:
                                dh = dnew[0] + load_some(dy, at_dy + j, H - j)
                                dnew = (dh,) + dnew[1:]  # noqa: RUF005
                            kept = load_kept(gates, at_z + j, Hp)
                            state = load_state(xh, at_h + j, others, at_o + j, B * Hp)
                            new = load_state(xh, new_h + j, others, new_o + j, B * Hp)
                            dz, dbefore = step_backward(dnew, kept, state, new)
                            store_z(dgates, at_z + j, Hp, dz)
                            store_dstate(dstate, row * Hp + j, B * Hp, dbefore)
                    else:  # the state was carried through: so is its gradient
                        for j in range(0, n_blocks * Hp, lanes(xh)):
                            store(dgates, at_z + j, load(zeros, j))

                at_z = (t * B + block) * gate_row
                product(dstate, block * Hp, Hp, dgates, at_z + h_first * Hp, gate_row, 1,
                        wh, 0, panel, Kh * panel, dstate, block * Hp, Hp,
                        end - block, Kh, H)  # fmt: skip
                if want_dx:
                    product(zeros, 0, 0, dgates, at_z + x_first * Hp, gate_row, 1,
                            wx, 0, panel, Kx * panel, dx, (block * T + t) * I, T * I,
                            end - block, Kx, I)  # fmt: skip

    return backward


@inner
def _add_product(xh, ld, start, dgates, gate_row, k, K, columns, dw, dw_row, first, last):
    """Add the share of K rows, from row k on, to rows ``first`` to ``last`` of dW."""
    panel = TILE_VECTORS * lanes(dw)
    for c in range(columns.shape[0]):
        from_column, to_column, N = columns[c]
        to = first * dw_row + to_column
        product(dw, to, dw_row, xh, k * ld + start + first, 1, ld,
                dgates, k * gate_row + from_column, gate_row, panel,
                dw, to, dw_row, last - first, K, N)  # fmt: skip


@kernel
def weight_gradients(first, last, xh, ld, dgates, gate_row, rows,
                     start_x, dwx, dwx_row, x_columns, x_rows,
                     start_h, dwh, dwh_row, h_columns):  # fmt: skip
    """Rows ``first`` to ``last`` of d[Wx; b] = [x 1]^T dZ and, below it, d[Wh] = [h]^T dZ.

    Both are sums over all ``rows`` = T B rows of xh and dgates.  Threads share
    the rows of the result, never the sum, which always runs in ascending
    order: the same bits for any number of threads.

    ``x_columns`` and ``h_columns`` (n, 3) list runs of columns: position in
    dgates, position in the gradient, how many.
    """
    x_first, x_last = min(first, x_rows), min(last, x_rows)
    h_first, h_last = max(first - x_rows, 0), max(last - x_rows, 0)
    dwx[x_first * dwx_row : x_last * dwx_row] = 0.0
    dwh[h_first * dwh_row : h_last * dwh_row] = 0.0
    for k in range(0, rows, ROWS_OF_GRADIENT):
        K = min(ROWS_OF_GRADIENT, rows - k)
        _add_product(xh, ld, start_x, dgates, gate_row, k, K,
                     x_columns, dwx, dwx_row, x_first, x_last)  # fmt: skip
        _add_product(xh, ld, start_h, dgates, gate_row, k, K,
                     h_columns, dwh, dwh_row, h_first, h_last)  # fmt: skip


@kernel
def pack_forward(wx, wx_row, wh, wh_row, bias_rows, packed, segments, gates, I, H, Hp):
    """Pack [Wx; b; Wh] (or what a segment uses of it) for the forward product.

    ``wx`` is [Wx; b], ``wh`` is [Wh] or [bh; Wh] (``bias_rows`` 0 or 1); ``gates`` (blocks, 2)
    names the columns of each that go into a block, -1 for none.
    """
    panel = TILE_VECTORS * lanes(packed)
    for s in range(segments.shape[0]):
        _, K, start, first, blocks = segments[s]
        for block in range(first, first + blocks):
            n = (block - first) * Hp
            x_gate, h_gate = gates[block]
            x_rows = 0
            if x_gate >= 0:
                x_rows = I + 1
                pack(wx, x_gate * H, wx_row, 1, x_rows, H, packed, start, n, 0, K)
            if h_gate >= 0:
                both = bias_rows if x_gate >= 0 else 0  # b and bh share one row: b + bh
                pack(wh, both * wh_row + h_gate * H, wh_row, 1, H + bias_rows - both, H,
                     packed, start, n, x_rows, K)  # fmt: skip
                if both:
                    for j in range(H):
                        at = start + ((n + j) // panel * K + I) * panel + (n + j) % panel
                        packed[at] += wh[h_gate * H + j]


@kernel
def pack_backward(w, w0, w_row, gates, packed, N, H, Hp):
    """Pack the transpose of Wh or Wx for ``dz W^T``; ``gates`` lists its gate of each block."""
    K = gates.size * Hp
    for block in range(gates.size):
        pack(w, w0 + gates[block] * H, 1, w_row, H, N, packed, 0, 0, block * Hp, K)
