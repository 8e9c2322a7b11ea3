"""Where a cell's numbers lie: its projections in a row of gates, and its weights in a flat array.

A cell names the projections that its equations want, in any order; here they are put side by side
so that few products make them all: users of x are neighbours, so are users of h, and those that
wait for the intermediate come last.  For a GRU, whose candidate wants x Wx_n and h Wh_n apart:

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
import itertools
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

    Hp                                  H rounded up to whole vector registers
    columns, gate_row, xh_row           lengths of a row of W, of gates and of xh
    x_at, h_at, a_at                    where [x 1 1], h and the intermediate begin in a row of xh
    p_at                                where p begins in the flat weights, and the size of W
    packing, packing_back, packing_dx   what ``packing.py`` copies: for forward, backward and dx
    packed_size, packed_size_back       room for it
    products, direct_products           what ``loop.project`` multiplies: by packed weights, by W
    gradients                           what ``gradients.weight_gradients`` adds up
    """

    def __init__(self, cell, I, H, dtype, per_word=1):
        self.I, self.H, self.dtype, self.blocks = I, H, dtype, blocks_of(cell)[0]
        self.per_word = per_word
        ones = 1 + cell.recurrent_bias
        self.columns, self.Hp = len(cell.gates) * H, padded(H, dtype)
        self.h_at = padded(I + ones, dtype)
        self.x_at, self.a_at = self.h_at - ones - I, self.h_at + self.Hp
        self.xh_row = self.a_at + self.Hp * (cell.intermediate is not None)
        # z, what the equations save, and dz take turns in a row of gates.  A cell with an
        # intermediate still needs what it saved when dz is there: then dz stands behind it.
        self.dz_at = len(cell.saved) * H if cell.intermediate is not None else 0
        end = max(self.dz_at + len(self.blocks) * H, len(cell.saved) * H)
        self.gate_row = padded(end - H + self.Hp, dtype)
        self.h_row = I + ones  # where Wh begins in W
        self.p_at = (self.h_row + H) * self.columns
        # By source: the first block, and the gates of its blocks.
        self.gates_of = {}
        for source in "xha":
            first, end = range_from(cell, source)
            gates = [getattr(block, source) for block in self.blocks[first:end]]
            self.gates_of[source] = (first, gates)
        self._lay_out_forward()
        self._lay_out_backward()

    def _lay_out_forward(self):
        I, H, columns, panel = self.I, self.H, self.columns, panel_width(self.dtype)
        packing, products, direct, start = [], [], [], 0
        for first, group in alike(self.blocks):
            x, bias, h, _ = group[0]  # they use rows ``top`` to ``end`` of W, as columns of xh
            top = 0 if x >= 0 else I + 1
            end = self.h_row + H if h >= 0 else self.h_row if bias >= 0 else I + 1
            K, N, of_h = end - top, len(group) * H, H if h >= 0 else 0
            rows = self._words(K)
            w = start, panel, rows * panel
            products.append((self.x_at + top, K, of_h, *w, first * H, N, 1, 0))
            for n, block in enumerate(group):
                z, recurrent = (first + n) * H, max(block.bias, block.h)
                for gate, row, count in ((block.x, 0, I + 1), (recurrent, I + 1, end - I - 1)):
                    source, used = row * columns + max(gate, 0) * H, count if gate >= 0 else 0
                    part = (self.x_at + row, used, 0, source, columns, panel)
                    direct.append((*part, z, H, row == 0, 0))
                    packing.append((source, used, start, n * H, row - top, rows))
            start += packed_size(rows, N, self.dtype)
        first, gates = self.gates_of["a"]
        N, rows = len(gates) * H, self._words(H)
        products.append((self.a_at, H, 0, start, panel, rows * panel, first * H, N, 0, 1))
        for n, gate in enumerate(gates):
            source, z = self.h_row * columns + gate * H, (first + n) * H
            direct.append((self.a_at, H, 0, source, columns, panel, z, H, 0, 1))
            packing.append((source, H, start, n * H, 0, rows))
        self.packed_size = start + packed_size(rows, N, self.dtype)
        self.products, self.direct_products = _table(products, 10), _table(direct, 10)
        self.packing = _table([part for part in packing if part[1] > 0], 6)

    def _lay_out_backward(self):
        I, H, h_row, start, tables = self.I, self.H, self.h_row, 0, {}
        for source, row, N in (("a", h_row, H), ("h", h_row, H), ("x", 0, I)):
            gates = self.gates_of[source][1]
            rows = self._words(len(gates) * H)
            tables[source] = [
                (row * self.columns + gate * H, N, start, n * H, rows)
                for n, gate in enumerate(gates)
            ]
            start += packed_size(rows, N, self.dtype)
        self.packing_back = _table(tables["a"] + tables["h"], 5)
        self.packing_dx, self.packed_size_back = _table(tables["x"], 5), start
        self.gradients = _table([
            (top, end, column, *run, source == "h")
            for source, top, end, column in (
                ("x", 0, I + 1, self.x_at), ("h", I + 1, h_row + H, self.x_at),
                ("a", I + 1, h_row, self.x_at), ("a", h_row, h_row + H, self.a_at - h_row),
            )
            for run in self._runs(*self.gates_of[source])
        ], 7)  # fmt: skip

    def _words(self, K):
        """Numbers, or words of ``per_word`` numbers, that K rows of a packed matrix take."""
        return -(-K // self.per_word)

    def _runs(self, block, gates):
        """Columns of dz that lie side by side in dW as well: (first of dz, of dW, how many)."""
        runs = []
        for n, gate in enumerate(gates):
            source, target = self.dz_at + (block + n) * self.H, gate * self.H
            if runs and (source, target) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
                runs[-1][2] += self.H
            else:
                runs.append([source, target, self.H])
        return runs


_layout_of = functools.lru_cache(maxsize=256)(Layout)


def layout_of(cell, I, H, dtype, per_word=1):
    """The one ``Layout`` of these sizes; it holds on to no equations."""
    return _layout_of(cell.without_equations, I, H, dtype, per_word)


def alike(blocks):
    """Neighbours that use the same parts of [x 1 1 h]: (number of the first, blocks)."""
    first = 0
    for _, group in itertools.groupby(blocks, lambda block: [gate >= 0 for gate in block[:3]]):
        alike = list(group)
        yield first, alike
        first += len(alike)


def _table(rows, columns):
    return np.array(rows, np.int64).reshape(-1, columns)
