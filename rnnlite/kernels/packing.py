"""Weights in the order in which the time loop's products read them."""

from rnnlite.kernels.jit import kernel
from rnnlite.kernels.product import pack, pack_transposed


@kernel
def pack_forward(wx, wx_row, wh, wh_row, bias_rows, packed, segments, gates, I, H):
    """Pack [Wx; b; Wh], or what a segment uses of it, for z = [x 1 h] W.

    ``wx`` is [Wx; b], ``wh`` is [Wh], or [bh; Wh] with ``bias_rows`` = 1.  ``gates`` (blocks, 3)
    names the columns that go into a block, -1 for none: of wx, of wh, and of bh.
    ``segments`` is described in ``engine/compiled.py``.
    """
    for s in range(segments.shape[0]):
        _, K, start, first, blocks, _ = segments[s]
        for block in range(first, first + blocks):
            n = (block - first) * H
            x_gate, h_gate, bias_gate = gates[block]
            x_rows = I + 1 if x_gate >= 0 else 0
            if x_gate >= 0:
                pack(wx, x_gate * H, wx_row, x_rows, H, packed, start, n, 0, K)
            if h_gate >= 0 or bias_gate >= 0:
                h_rows = bias_rows + (H if h_gate >= 0 else 0)
                pack(wh, max(h_gate, bias_gate) * H, wh_row, h_rows, H,
                     packed, start, n, x_rows, K)  # fmt: skip


@kernel
def pack_gates(w, w0, w_row, gates, packed, K, H):
    """Pack the columns of some gates of a matrix with K rows side by side."""
    for block in range(gates.size):
        pack(w, w0 + gates[block] * H, w_row, K, H, packed, 0, block * H, 0, K)


@kernel
def pack_gates_transposed(w, w0, w_row, gates, packed, N, H):
    """Pack the transpose of the columns of some gates of a matrix with N rows, for dz W^T."""
    K = gates.size * H
    for block in range(gates.size):
        pack_transposed(w, w0 + gates[block] * H, w_row, H, N, packed, 0, block * H, K)
