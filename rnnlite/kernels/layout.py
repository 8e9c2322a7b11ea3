"""Where a cell's numbers lie: its projections in a row of gates, and its weights in a flat array.

A cell names the projections that its equations want, in any order; here they
are put side by side so that few products make them all: users of x are
neighbours, so are users of h, and those that wait for the intermediate come
last.  For a GRU, whose candidate wants x Wx_n and h Wh_n apart:

    a row of gates      | x_n | r  z | h_n |
    from x                -----------
    from h                      -----------

The weights arrive as one flat array, row after row, all gates side by side:

    W    [ Wx ]   I rows            z = [ x 1 1 h ] W
         [ b  ]   one row
         [ bh ]   one row, if h has a bias of its own
         [ Wh ]   H rows
    p    one number a unit each, behind W
"""

import functools
from typing import NamedTuple

import numpy as np

from rnnlite.kernels.product import packed_size, panel_width
from rnnlite.kernels.target import padded


class Block(NamedTuple):
    """One projection by the numbers of its gates; -1 for a part that it leaves out."""

    x: int  # columns of Wx and b
    bias: int  # columns of bh
    h: int  # columns of Wh that multiply h
    a: int  # columns of Wh that multiply the intermediate


@functools.cache
def blocks_of(cell):
    """The blocks of a row of gates, and in which of them each projection of the cell stands."""
    blocks = []
    for x_gate, h_gate, *intermediate in cell.projections:
        x, h = (-1 if gate is None else cell.gates.index(gate) for gate in (x_gate, h_gate))
        bias = h if cell.recurrent_bias else -1
        blocks.append(Block(x, bias, -1, h) if intermediate else Block(x, bias, h, -1))
    order = list(range(len(blocks)))
    sources = [[block.x >= 0 for block in blocks], [block.h >= 0 for block in blocks],
               [block.a >= 0 for block in blocks] + [True]]  # fmt: skip
    if not all(map(_side_by_side, sources)):  # the cell's own order will not do
        # From h; from h and x; from x; from x and the intermediate; from it alone.
        rank = {(False, True): 0, (True, True): 1, (True, False): 2}
        order.sort(key=lambda n: rank[blocks[n].x >= 0, blocks[n].h >= 0]
                   if blocks[n].a < 0 else 4 - (blocks[n].x >= 0))  # fmt: skip
    return [blocks[n] for n in order], tuple(order.index(n) for n in range(len(order)))


def _side_by_side(used):
    return True not in used or all(used[used.index(True) : len(used) - used[::-1].index(True)])


def range_from(cell, source):
    """First block that uses "x", "h" or "a", and one past the last."""
    used = [n for n, block in enumerate(blocks_of(cell)[0]) if getattr(block, source) >= 0]
    return (used[0], used[-1] + 1) if used else (0, 0)


class Layout:
    """Sizes and tables for a cell of H units over I features; never written after it is made.

    Attributes
    ----------
    columns : int
        Length of a row of W.
    Hp : int
        H rounded up to whole vector registers.
    x_at, h_at, a_at, xh_row : int
        Where [x 1 1], h and the intermediate begin in a row of xh, and its length.
    gate_row : int
        Length of a row of gates.
    p_at : int
        Where p begins in the flat weights, which is also the size of W.
    packing, packing_back, packing_dx : numpy.ndarray
        What ``packing.py`` copies: for forward, for backward, and for dx if it is wanted.
    packed_size, packed_size_back : int
        Room for it.
    products, direct_products : numpy.ndarray
        What ``loop.project`` multiplies: by packed weights, or by W as it is.
    gradients : numpy.ndarray
        What ``gradients.weight_gradients`` adds up.
    """

    def __init__(self, cell, I, H, dtype):
        blocks, bias_rows, panel = blocks_of(cell)[0], int(cell.recurrent_bias), panel_width(dtype)
        self.columns = columns = len(cell.gates) * H
        self.Hp = padded(H, dtype)
        self.h_at = padded(I + 1 + bias_rows, dtype)
        self.x_at, self.a_at = self.h_at - bias_rows - 1 - I, self.h_at + self.Hp
        self.xh_row = self.a_at + self.Hp * (cell.intermediate is not None)
        # z, what the equations save, and dz take turns in a row of gates.  A cell with an
        # intermediate still needs what it saved when dz is there: then dz stands behind it.
        dz_at = len(cell.saved) * H if cell.intermediate is not None else 0
        end = max(dz_at + len(blocks) * H, len(cell.saved) * H)
        self.gate_row = padded(end - H + self.Hp, dtype)
        h_row = I + 1 + bias_rows  # where Wh begins in W
        self.p_at = (h_row + H) * columns

        # Rows of W, and columns of xh, that a block uses side by side: from ``top`` to ``end``.
        packing, products, direct, start = [], [], [], 0
        for first, group in _alike(blocks):
            block = group[0]
            top = 0 if block.x >= 0 else I + 1
            end = h_row + H if block.h >= 0 else h_row if block.bias >= 0 else I + 1
            for n, block in enumerate(group):
                z = (first + n) * H
                if block.x >= 0:
                    packing.append((block.x * H, I + 1, start, n * H, 0, end - top))
                begins = (
                    self.x_at,
                    I + 1 - top,
                    0,
                    max(block.x, 0) * H,
                    columns,
                    panel,
                    z,
                    H,
                    1,
                    0,
                )
                direct.append(begins)
                if end > I + 1:
                    source = (I + 1) * columns + max(block.bias, block.h) * H
                    rows = end - I - 1
                    packing.append((source, rows, start, n * H, I + 1 - top, end - top))
                    direct.append((self.x_at + I + 1, rows, 0, source, columns, panel, z, H, 0, 0))
            K, N = end - top, len(group) * H
            of_h = H if block.h >= 0 else 0
            products.append((self.x_at + top, K, of_h, start, panel, K * panel, first * H, N, 1, 0))
            start += packed_size(K, N, dtype)
        (x0, x1), (h0, h1), (a0, a1) = (range_from(cell, source) for source in "xha")
        inputs, recurrent, after = (
            [block.x for block in blocks[x0:x1]], [block.h for block in blocks[h0:h1]],
            [block.a for block in blocks[a0:a1]],
        )  # fmt: skip
        for n, gate in enumerate(after):
            source = h_row * columns + gate * H
            packing.append((source, H, start, n * H, 0, H))
            direct.append((self.a_at, H, 0, source, columns, panel, (a0 + n) * H, H, 0, 1))
        if after:
            N = len(after) * H
            products.append((self.a_at, H, 0, start, panel, H * panel, a0 * H, N, 0, 1))
        self.packed_size = start + packed_size(H, len(after) * H, dtype)
        self.packing, self.products = _table(packing, 6), _table(products, 10)
        self.direct_products = _table(direct, 10)

        start, tables = 0, []
        for gates, row, N in ((after, h_row, H), (recurrent, h_row, H), (inputs, 0, I)):
            K = len(gates) * H
            tables.append([
                (row * columns + gate * H, N, start, n * H, K) for n, gate in enumerate(gates)
            ])  # fmt: skip
            start += packed_size(K, N, dtype)
        self.packing_back, self.packing_dx = _table(tables[0] + tables[1], 5), _table(tables[2], 5)
        self.packed_size_back = start

        gradients = []
        for gates, block, top, end, column, from_h in (
            (inputs, x0, 0, I + 1, self.x_at, False),
            (recurrent, h0, I + 1, h_row + H, self.x_at, True),
            (after, a0, I + 1, h_row, self.x_at, False),
            (after, a0, h_row, h_row + H, self.a_at - h_row, False),
        ):
            for run in _runs(gates, dz_at + block * H, H):
                gradients.append((top, end, column, *run, from_h))
        self.gradients = _table(gradients, 7)


layout_of = functools.lru_cache(maxsize=256)(Layout)


def _alike(blocks):
    """Neighbours that use the same parts of [x 1 1 h]: (number of the first, blocks)."""
    groups = []
    for n, block in enumerate(blocks):
        uses = [gate >= 0 for gate in block[:3]]
        if groups and [gate >= 0 for gate in groups[-1][1][0][:3]] == uses:
            groups[-1][1].append(block)
        else:
            groups.append((n, [block]))
    return groups


def _table(rows, columns):
    return np.array(rows, np.int64).reshape(-1, columns)


def _runs(gates, dz_column, H):
    """Columns of dz that lie side by side in dW as well: (first of dz, of dW, how many)."""
    runs = []
    for n, gate in enumerate(gates):
        source, target = dz_column + n * H, gate * H
        if runs and (source, target) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1][2] += H
        else:
            runs.append([source, target, H])
    return runs
