"""The two products of a forward step, z = [x 1 h] W and z += a Wh, for ``loop.py``.

Both phases exist twice.  Packed weights (``packing.py``) are read from the first to the last
number, and neighbouring blocks that use the same part of [x 1 h] are one product.  For a few rows
and steps packing would take longer than the products: then each block is multiplied by the
weights where they lie, W (rows, gates H).
"""

from rnnlite.kernels.jit import inner
from rnnlite.kernels.layout import blocks_of
from rnnlite.kernels.product import TILE_VECTORS, packed_room, product
from rnnlite.kernels.simd import lanes


def packed_products(cell):
    """``project`` and ``project_intermediate`` with packed weights."""
    segments, (first_a, end_a) = blocks_of(cell).segments, blocks_of(cell).from_a
    bias_rows = int(cell.recurrent_bias)

    @inner
    def project(s, r, from_zero, w, xh, zeros, gates):
        """z = [x 1 h] W; with h = 0 at the first step, the rows of Wh are left out."""
        I, H, panel = s.I, s.H, TILE_VECTORS * lanes(w)
        at_h = r.xh + r.first * s.xh_row + s.h_at
        to = r.gates + r.first * s.gate_row
        start = packed_room(H, (end_a - first_a) * H, panel)
        for n in range(len(segments)):
            first, count, uses_x, uses_bias, uses_h = segments[n]
            K = (I + 1) * uses_x + uses_bias + H * uses_h
            used = K - H * uses_h * (from_zero and r.t == 0)
            product(zeros, 0, 0, xh, at_h - bias_rows - (I + 1) * uses_x, s.xh_row, 1,
                    w, start, panel, K * panel, gates, to + first * H, s.gate_row,
                    r.last - r.first, used, count * H)  # fmt: skip
            start += packed_room(K, count * H, panel)

    @inner
    def project_intermediate(s, r, w, xh, gates):
        """z += a Wh, all blocks at once."""
        H, panel = s.H, TILE_VECTORS * lanes(w)
        at_a = r.xh + r.first * s.xh_row + s.h_at + s.Hp
        to = r.gates + r.first * s.gate_row + first_a * H
        product(gates, to, s.gate_row, xh, at_a, s.xh_row, 1, w, 0, panel, H * panel,
                gates, to, s.gate_row, r.last - r.first, H, (end_a - first_a) * H)  # fmt: skip

    return project, project_intermediate


def unpacked_products(cell):
    """``project`` and ``project_intermediate`` with weights as they are."""
    blocks = tuple(tuple(block) for block in blocks_of(cell).blocks)
    bias_rows, n_gates = int(cell.recurrent_bias), len(cell.gates)

    @inner
    def project(s, r, from_zero, w, xh, zeros, gates):
        """z = [x 1] [Wx; b] + [1 h] [bh; Wh]."""
        I, H, panel, columns = s.I, s.H, TILE_VECTORS * lanes(w), n_gates * s.H
        at = r.xh + r.first * s.xh_row + s.h_at - bias_rows  # of the one for bh, or of h
        for n in range(len(blocks)):
            x_gate, bias_gate, h_gate, _ = blocks[n]
            to = r.gates + r.first * s.gate_row + n * H
            K = I + 1 if x_gate >= 0 else 0
            product(zeros, 0, 0, xh, at - 1 - I, s.xh_row, 1,
                    w, max(x_gate, 0) * H, columns, panel,
                    gates, to, s.gate_row, r.last - r.first, K, H)  # fmt: skip
            if h_gate >= 0 or bias_gate >= 0:
                K = bias_rows + (H if h_gate >= 0 else 0)
                product(gates, to, s.gate_row, xh, at, s.xh_row, 1,
                        w, (I + 1) * columns + max(h_gate, bias_gate) * H, columns, panel,
                        gates, to, s.gate_row, r.last - r.first, K, H)  # fmt: skip

    @inner
    def project_intermediate(s, r, w, xh, gates):
        """z += a Wh, block by block."""
        H, panel, columns = s.H, TILE_VECTORS * lanes(w), n_gates * s.H
        at_a = r.xh + r.first * s.xh_row + s.h_at + s.Hp
        for n in range(len(blocks)):
            _, _, _, a_gate = blocks[n]
            if a_gate >= 0:
                to = r.gates + r.first * s.gate_row + n * H
                product(gates, to, s.gate_row, xh, at_a, s.xh_row, 1,
                        w, (s.I + 1 + bias_rows) * columns + a_gate * H, columns, panel,
                        gates, to, s.gate_row, r.last - r.first, H, H)  # fmt: skip

    return project, project_intermediate
