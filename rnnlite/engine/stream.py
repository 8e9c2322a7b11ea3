"""A stream's memory: where each part of a model has its weights, rows and states, and its kernel.

``kernels/stream.py`` draws it.  A part lays itself out once, and packs its weights whenever it is
told to, from where its layer has them then.
"""

import collections
import weakref

import numpy as np

from rnnlite.engine.memory import CACHE_LINE, aligned_zeros
from rnnlite.kernels import stream as kernels
from rnnlite.kernels.freeze import frozen_cell
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.layout import alike, layout_of
from rnnlite.kernels.matvec import panels
from rnnlite.kernels.operands import NUMBERS, operands_of
from rnnlite.kernels.product import packed_size, panel_width
from rnnlite.kernels.simd.plain import pair
from rnnlite.kernels.target import padded

# Up to so many rows are multiplied one by one, by the wide tile of one row.
FEW = 3


class Room:
    """Counts out places in a flat array of numbers; each begins a cache line."""

    def __init__(self, batch, dtype, widest):
        self.batch, self.dtype, self.size, self.products = batch, dtype, 0, 0
        self.few = batch <= FEW and not JIT_DISABLED
        self.take(widest + panel_width(dtype))  # the zeros

    def take(self, size):
        """Where ``size`` numbers, and one register more, may stand."""
        at, line = self.size, CACHE_LINE // self.dtype.itemsize
        self.size = -(-(at + size + line) // line) * line
        return at

    def rows(self, size):
        """Rows of so many numbers for the batch: where, and how far apart."""
        size = padded(size, self.dtype)
        return self.take(self.batch * size), size

    def matrix(self, K, N, operands):
        """Where a packed matrix may stand, N whole registers; and rows (B, K) as pairs, or None."""
        self.products += K * N
        rows = operands.words(K)
        w = self.take(rows * N if self.few else packed_size(rows, N, self.dtype))
        return w, None if operands is NUMBERS else self.rows(rows)[0]

    def pack(self, matrix, packed, operands):
        """Write a matrix (K, N) in the panels of the products."""
        if operands is not NUMBERS:
            matrix, packed = pairs_of_rows(matrix), packed.view(np.int32)
        K, N = matrix.shape
        if self.few:
            for begin, end in panels(N, self.dtype):
                packed[begin * K : end * K] = matrix[:, begin:end].reshape(-1)
            return
        width = panel_width(self.dtype)
        for begin in range(0, N, width):
            part = matrix[:, begin : begin + width]
            panel = packed[begin * K :][: K * width].reshape(K, width)
            panel[:, : part.shape[1]] = part


def pairs_of_rows(matrix):
    """Rows 2k and 2k + 1 of a matrix (K, N), rounded to bfloat16, as words; K may be odd."""
    K, N = matrix.shape
    even = np.zeros((K + K % 2, N), matrix.dtype)
    even[:K] = matrix
    return pair(even[::2], even[1::2])


class Input:
    """Numbers of x, the first part of a model."""

    def __init__(self, features):
        self.columns = self.widest = features

    def lay_out(self, room):
        """What the kernel needs to know of it."""
        return kernels.Part("input", *room.rows(self.columns), (self.columns,))

    def pack(self, room, memory, part):
        """It has no weights."""


class Embedding:
    """Rows of a table (n, dim), the first part of a model; ``weights()`` is where they are."""

    widest = 0

    def __init__(self, weights, n, dim):
        self.weights, self.n, self.columns = weights, n, dim

    def lay_out(self, room):
        """As in ``Input``."""
        row, size = room.rows(self.columns)
        places = room.take(self.n * size), self.columns, self.n
        return kernels.Part("embedding", row, size, places)

    def pack(self, room, memory, part):
        """The table, each row filled up to whole registers."""
        n, w, size = self.n, part.places[0], part.row_size
        memory[w : w + n * size].reshape(n, size)[:, : self.columns] = self.weights().reshape(n, -1)


class Dense:
    """y = [x 1] [W; b]; ``weights()`` is [W; b], flat."""

    def __init__(self, weights, I, N, compute_dtype):
        self.weights, self.I, self.columns, self.widest = weights, I, N, N
        self.operands = operands_of(compute_dtype)

    def lay_out(self, room):
        """As in ``Input``."""
        (row, size), x1, I = room.rows(self.columns), room.rows(self.I + 1), self.I
        places = I, *x1, *room.matrix(I + 1, size, self.operands), self.columns
        return kernels.Part("dense", row, size, places)

    def pack(self, room, memory, part):
        """[W; b], filled up to whole registers."""
        matrix = np.zeros((self.I + 1, part.row_size), room.dtype)
        matrix[:, : self.columns] = self.weights().reshape(self.I + 1, -1)
        room.pack(matrix, memory[part.places[3] :], self.operands)


class Nonlinear:
    """A function of every number."""

    widest = 0

    def __init__(self, function, columns):
        self.function, self.columns = function, columns

    def lay_out(self, room):
        """As in ``Input``."""
        places = (self.columns,)
        return kernels.Part("nonlinear", *room.rows(self.columns), places, self.function)

    def pack(self, room, memory, part):
        """It has no weights."""


class Norm:
    """Layer normalisation; ``weights()`` are gain and b, flat."""

    widest = 0

    def __init__(self, weights, features, eps):
        self.weights, self.columns, self.eps = weights, features, eps

    def lay_out(self, room):
        """As in ``Input``."""
        F = self.columns
        return kernels.Part("norm", *room.rows(F), (room.take(F), room.take(F), F), self.eps)

    def pack(self, room, memory, part):
        """The gain and b."""
        F = self.columns
        for at, values in zip(part.places[:2], self.weights().reshape(2, F), strict=True):
            memory[at : at + F] = values


class Cell:
    """A step of a recurrent cell; ``weights()`` are those of ``kernels/layout.py``, flat."""

    def __init__(self, weights, cell, I, H, dtype, compute_dtype):
        self.weights, self.columns, self.cell = weights, H, frozen_cell(cell)
        self.operands = operands_of(compute_dtype)
        self.layout = layout = layout_of(cell, I, H, dtype)
        self.widest = max(len(layout.blocks), len(cell.saved)) * layout.Hp  # a row of gates
        # Gates that wait for the intermediate, and the first of their blocks.
        self.first_waiting, self.waiting = layout.gates_of["a"]

    def lay_out(self, room):
        """As in ``Input``."""
        layout, B, gate_row = self.layout, room.batch, self.widest
        states = room.take(len(self.cell.states) * B * layout.Hp)
        places = kernels.CellPlaces(
            units=room.take(1), I=layout.I, xh=room.take(B * layout.xh_row), xh_row=layout.xh_row,
            x_at=layout.x_at, h_at=layout.h_at, gates=room.take(B * gate_row), gate_row=gate_row,
            p=room.take(len(self.cell.unit_params) * layout.Hp),
            products=tuple(self._products(room)), H=layout.H,
        )  # fmt: skip
        return kernels.Part("cell", states, layout.Hp, places, self.cell)

    def _products(self, room):
        layout, H, Hp = self.layout, self.layout.H, self.layout.Hp
        for first, group in alike(layout.blocks):
            top, end = self._rows(group)
            K, N = end - top, len(group) * Hp
            w, pairs = room.matrix(K, N, self.operands)
            yield kernels.Product(layout.x_at + top, K, w, first * Hp, N, True, False, pairs)
        if self.waiting:
            N, z = len(self.waiting) * Hp, self.first_waiting * Hp
            w, pairs = room.matrix(H, N, self.operands)
            yield kernels.Product(layout.a_at, H, w, z, N, False, True, pairs)

    def _rows(self, group):
        """First row of W that the blocks of a group use, and one past the last."""
        x, bias, h, _ = group[0]
        layout, I = self.layout, self.layout.I
        end = layout.h_row + layout.H if h >= 0 else layout.h_row if bias >= 0 else I + 1
        return 0 if x >= 0 else I + 1, end

    def pack(self, room, memory, part):
        """Each product's part of W, gate by gate, filled up to whole registers; and p."""
        layout, flat, products = self.layout, self.weights(), part.places.products
        I, H, Hp = layout.I, layout.H, layout.Hp
        W = flat[: layout.p_at].reshape(-1, len(self.cell.gates), H)
        for (_, group), product in zip(alike(layout.blocks), products, strict=False):
            top, end = self._rows(group)
            matrix = np.zeros((end - top, len(group), Hp), room.dtype)
            for n, block in enumerate(group):
                if block.x >= 0:
                    matrix[: I + 1, n, :H] = W[: I + 1, block.x]
                if (gate := max(block.bias, block.h)) >= 0:
                    matrix[I + 1 - top :, n, :H] = W[I + 1 : end, gate]
            room.pack(matrix.reshape(end - top, -1), memory[product.w :], self.operands)
        if self.waiting:
            matrix = np.zeros((H, len(self.waiting), Hp), room.dtype)
            matrix[:, :, :H] = W[layout.h_row :, self.waiting]
            room.pack(matrix.reshape(H, -1), memory[products[-1].w :], self.operands)
        memory[part.places.units] = H
        n_params = len(self.cell.unit_params)
        p = memory[part.places.p :][: n_params * Hp].reshape(n_params, Hp)
        p[:, :H] = flat[layout.p_at :].reshape(n_params, H)


# As in ``engine/compiled.py``: equal models share a kernel, and the last few outlive their streams.
_kernels = weakref.WeakValueDictionary()  # by what they compute
_recent = collections.deque(maxlen=8)


class Memory:
    """The memory of one stream of ``batch`` rows through these parts, and its kernel."""

    def __init__(self, parts, batch, dtype):
        self.parts, self.dtype = parts, dtype
        self.room = room = Room(batch, dtype, max(part.widest for part in parts))
        self.placed = tuple(part.lay_out(room) for part in parts)
        self.numbers = aligned_zeros(room.size, dtype)
        self.kernel = self._kernel()
        self.pack()

    def _kernel(self):
        sizes = kernels.Sizes(self.room.batch, self.dtype, self.room.few)
        key = kernels.identity_of(self.placed, sizes)
        kernel = _kernels.get(key)
        if kernel is None:
            kernel = _kernels[key] = kernels.make_stream(self.placed, sizes)
        _recent.append(kernel)
        return kernel

    @property
    def steps_at_once(self):
        """Steps that take about a millisecond, after which other threads may have their turn."""
        return 1 + 20_000_000 // (1000 + self.room.batch * self.room.products)

    def pack(self):
        """Take the weights as they are now."""
        for part, placed in zip(self.parts, self.placed, strict=True):
            part.pack(self.room, self.numbers, placed)

    def states(self, number):
        """View (S, B, H) of the states of the part of this number, a cell."""
        part, placed = self.parts[number], self.placed[number]
        shape = len(part.cell.states), self.room.batch, placed.row_size
        S, B, Hp = shape
        return self.numbers[placed.row :][: S * B * Hp].reshape(shape)[:, :, : part.columns]
