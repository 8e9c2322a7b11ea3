"""Where a cell's numbers lie: its projections in a row of gates, and its weights in a flat array.

A cell names the projections that its equations want, in any order; here they
are put side by side so that few products make them all.  Users of x are
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

from rnnlite.kernels.product import packed_size
from rnnlite.kernels.target import padded


class Block(NamedTuple):
    """One projection by the numbers of its gates; -1 for a part that it leaves out."""

    x: int  # columns of Wx and b
    bias: int  # columns of bh
    h: int  # columns of Wh that multiply h
    a: int  # columns of Wh that multiply the intermediate


class Blocks(NamedTuple):
    """The projections of a cell as blocks of a row of gates.

    ``places[n]`` says in which block the cell's projection number n stands.  Ranges are (first,
    end): of the blocks from x, from h and from the intermediate.  Neighbours from the same
    sources are one product, a segment: (first block, blocks, uses x, uses bh, uses h).
    """

    blocks: tuple
    places: tuple
    from_x: tuple
    from_h: tuple
    from_a: tuple
    segments: tuple


@functools.cache
def blocks_of(cell):
    """The ``Blocks`` of a cell: in its own order if that will do, else sorted."""
    found = [_block(cell, *projection) for projection in cell.projections]
    order = range(len(found))
    if not _side_by_side(found):
        order = sorted(order, key=lambda n: _rank(found[n]))
    blocks = [found[n] for n in order]
    segments = []
    for number, block in enumerate(blocks):
        uses = (int(block.x >= 0), int(block.bias >= 0), int(block.h >= 0))
        if segments and segments[-1][2:] == uses:
            first, count, *_ = segments.pop()
            segments.append((first, count + 1, *uses))
        else:
            segments.append((number, 1, *uses))
    return Blocks(
        blocks=tuple(blocks),
        places=tuple(list(order).index(n) for n in range(len(found))),
        from_x=_range(block.x for block in blocks),
        from_h=_range(block.h for block in blocks),
        from_a=_range(block.a for block in blocks),
        segments=tuple(segments),
    )


def _block(cell, x_gate, h_gate, *intermediate):
    x, h = (-1 if gate is None else cell.gates.index(gate) for gate in (x_gate, h_gate))
    bias = h if cell.recurrent_bias else -1
    return Block(x, bias, -1, h) if intermediate else Block(x, bias, h, -1)


def _rank(block):
    """Sorts any blocks: from h; from h and x; from x; from x and the intermediate; from it alone."""
    if block.a >= 0:
        return 3 if block.x >= 0 else 4
    return 0 if block.x < 0 else 1 if block.h >= 0 else 2


def _side_by_side(blocks):
    for source in ("x", "h", "a"):
        first, end = _range(getattr(block, source) for block in blocks)
        if not all(getattr(block, source) >= 0 for block in blocks[first:end]):
            return False
    return end in (0, len(blocks))


def _range(gates):
    used = [n for n, gate in enumerate(gates) if gate >= 0]
    return (used[0], used[-1] + 1) if used else (0, 0)


class Layout:
    """Sizes and tables for a cell of ``H`` units over ``I`` features; never written after it is made.

    Attributes
    ----------
    Hp : int
        H rounded up to whole vector registers.
    x_at, h_at, a_at, xh_row : int
        Where [x | 1 | 1], h and the intermediate begin in a row of xh, and its length.
    dz_at, gate_row : int
        Where dL/dz begins in a row of gates, and its length.
    p_at : int
        Where p begins in the flat weights, which is also the size of W.
    packing, packed_size : numpy.ndarray, int
        What ``packing.pack_parts`` copies for the forward loop, and the room it takes.
    packing_back, packed_size_back : numpy.ndarray, int
        The same of the transposes for the backward loop; ``packing_dx`` for Wx^T behind them.
    gradients : numpy.ndarray
        What ``gradients.weight_gradients`` adds up.
    """

    def __init__(self, cell, I, H, dtype):
        found, bias_rows, dtype = blocks_of(cell), int(cell.recurrent_bias), np.dtype(dtype)
        self.columns = columns = len(cell.gates) * H
        self.Hp = padded(H, dtype)
        self.h_at = padded(I + 1 + bias_rows, dtype)
        self.x_at = self.h_at - bias_rows - 1 - I
        self.a_at = self.h_at + self.Hp
        self.xh_row = self.a_at + self.Hp * (cell.intermediate is not None)
        # z, what the equations save, and dz take turns in a row of gates.  A cell with an
        # intermediate still needs what it saved when dz is there: then dz stands behind it.
        self.dz_at = len(cell.saved) * H if cell.intermediate is not None else 0
        end = max(self.dz_at + len(found.blocks) * H, len(cell.saved) * H)
        self.gate_row = padded(end - H + self.Hp, dtype)
        h_row = I + 1 + bias_rows
        self.p_at = (h_row + H) * columns

        after = [block.a for block in found.blocks[slice(*found.from_a)]]
        # Source, its rows; where its packed matrix begins, the column and row there, its rows.
        parts = [(h_row * columns + gate * H, H, 0, n * H, 0, H) for n, gate in enumerate(after)]
        start = packed_size(H, len(after) * H, dtype)
        for first, count, uses_x, uses_bias, uses_h in found.segments:
            K = (I + 1) * uses_x + uses_bias + H * uses_h
            for n, block in enumerate(found.blocks[first : first + count]):
                if uses_x:
                    parts.append((block.x * H, I + 1, start, n * H, 0, K))
                if uses_bias or uses_h:
                    source = (I + 1) * columns + max(block.bias, block.h) * H
                    rows = uses_bias + H * uses_h
                    parts.append((source, rows, start, n * H, (I + 1) * uses_x, K))
            start += packed_size(K, count * H, dtype)
        self.packing, self.packed_size = _table(parts, 6), start

        direct = [block.h for block in found.blocks[slice(*found.from_h)]]
        inputs = [block.x for block in found.blocks[slice(*found.from_x)]]
        start, tables = 0, []
        for gates, row, N in ((after, h_row, H), (direct, h_row, H), (inputs, 0, I)):
            tables.append([
                (row * columns + gate * H, N, start, n * H, len(gates) * H)
                for n, gate in enumerate(gates)
            ])  # fmt: skip
            start += packed_size(len(gates) * H, N, dtype)
        self.packing_back, self.packing_dx = _table(tables[0] + tables[1], 5), _table(tables[2], 5)
        self.packed_size_back = start  # with the room of Wx^T

        parts = []  # rows of dW: first, end; column of xh minus row; columns of dz, of dW, how many
        for gates, (block, _), first, last, shift in (
            (inputs, found.from_x, 0, I + 1, 0),
            (direct, found.from_h, I + 1, h_row + H, 0),
            (after, found.from_a, I + 1, h_row, 0),
            (after, found.from_a, h_row, h_row + H, self.Hp),
        ):
            runs = _runs(gates, self.dz_at + block * H, H) if last > first else []
            from_h = (first, last) == (I + 1, h_row + H)
            parts += [(first, last, self.x_at + shift, *run, from_h) for run in runs]
        self.gradients = _table(parts, 7)


layout_of = functools.lru_cache(maxsize=256)(Layout)


def _table(rows, columns):
    return np.array(rows, np.int64).reshape(-1, columns)


def _runs(gates, dz_column, H):
    """Columns of dz that lie side by side in the gradient as well: (of dz, of dW, how many)."""
    runs = []
    for n, gate in enumerate(gates):
        source, target = dz_column + n * H, gate * H
        if runs and (source, target) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1][2] += H
        else:
            runs.append([source, target, H])
    return runs
