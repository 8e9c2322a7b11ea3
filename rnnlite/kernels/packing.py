"""Weights in the order in which the time loop's products read them."""

from rnnlite.kernels.jit import kernel
from rnnlite.kernels.product import TILE_VECTORS, pack
from rnnlite.kernels.simd import lanes


@kernel
def pack_forward(wx, wx_row, wh, wh_row, bias_rows, packed, segments, gates, I, H, Hp):
    """Pack [Wx; b; Wh], or what a segment uses of it, for z = [x 1 h] W.

    ``wx`` is [Wx; b], ``wh`` is [Wh], or [bh; Wh] with ``bias_rows`` = 1.  ``gates`` (blocks, 3)
    names the columns that go into a block, -1 for none: of wx, of wh, and of bh.
    ``segments`` is described in ``engine.py``.
    """
    panel = TILE_VECTORS * lanes(packed)
    for s in range(segments.shape[0]):
        _, K, start, first, blocks = segments[s]
        for block in range(first, first + blocks):
            n = (block - first) * Hp
            x_gate, h_gate, bias_gate = gates[block]
            x_rows = I + 1 if x_gate >= 0 else 0
            if x_gate >= 0:
                pack(wx, x_gate * H, wx_row, 1, x_rows, H, packed, start, n, 0, K)
            if h_gate >= 0:
                # One row of ones carries both biases: where x brings it, bh is added below.
                skip = bias_rows if x_gate >= 0 else 0
                pack(wh, skip * wh_row + h_gate * H, wh_row, 1, H + bias_rows - skip, H,
                     packed, start, n, x_rows, K)  # fmt: skip
            if x_gate >= 0 and bias_gate >= 0:
                for j in range(H):
                    at = start + ((n + j) // panel * K + I) * panel + (n + j) % panel
                    packed[at] += wh[bias_gate * H + j]


@kernel
def pack_gates(w, w0, w_row, gates, packed, K, H, Hp):
    """Pack the columns of some gates of a matrix with K rows side by side."""
    for block in range(gates.size):
        pack(w, w0 + gates[block] * H, w_row, 1, K, H, packed, 0, block * Hp, 0, K)


@kernel
def pack_gates_transposed(w, w0, w_row, gates, packed, N, H, Hp):
    """Pack the transpose of the columns of some gates of a matrix with N rows, for dz W^T."""
    K = gates.size * Hp
    for block in range(gates.size):
        pack(w, w0 + gates[block] * H, 1, w_row, H, N, packed, 0, 0, block * Hp, K)
