"""One step of a whole model as one kernel: what a stream calls.

At batch 1 a step of a small model computes for a microsecond or less, and Python needs ten to call
its layers one by one.  So the parts of a model become one kernel, each a function that is compiled
into it, and all that they read and write is one array:

    memory   | zeros | weights, states and rows of part 0 | of part 1 | ... |

Where everything is and how large it is are numbers that the kernel is compiled with.  Read from a
table at every step they doubled the time of a step of 20 units: short loops, and addresses.  (So a
model of other sizes is compiled anew, once.)  Numba takes some 100 nanoseconds for each array that
a kernel is given; this one gets three: memory, x and y.

A part reads the row that the one before has written.  All read and write whole registers, past the
end of a row, behind which there is room; masks would take twenty cycles each on some processors.

Products of bfloat16 numbers read weights that are packed as pairs, words in the same memory, and
rows that are rounded, and paired, in front of each product: ``pairs.py``.

The equations, and the order of every sum, are those of ``loop.py``, ``dense.py`` and the others: a
stream has the bits of ``forward``.  (Where h is zero, ``forward`` leaves it out at the first step,
and here it is multiplied: that differs for weights that are infinite or NaN.)
"""

import itertools
from typing import NamedTuple

from rnnlite.kernels import nonlinear
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.jit import JIT_DISABLED, equation, inner, kernel
from rnnlite.kernels.layer_norm import normalise
from rnnlite.kernels.layout import blocks_of
from rnnlite.kernels.load_store import REGISTERS, ROWS, argument_loader
from rnnlite.kernels.matvec import make_matvec
from rnnlite.kernels.operands import NUMBERS, PAIRS
from rnnlite.kernels.pairs import pair_columns
from rnnlite.kernels.product import TILE_VECTORS
from rnnlite.kernels.simd import fence, flat, lanes, load, load_masked, store, words_of
from rnnlite.kernels.target import padded

ZEROS = 0  # where products begin from


class Part(NamedTuple):
    """A part of a model: what it computes, and where in memory."""

    kind: str
    row: int  # where its result is
    row_size: int  # how far apart those of the batch are
    places: tuple  # what its kind needs beside: see the functions below
    what: object = None  # the cell, the name of the function, eps


class Product(NamedTuple):
    """A product of a cell: some columns of a row of xh by a packed W (K, N)."""

    column: int
    K: int
    w: int
    z: int  # first column of gates
    N: int
    begins: bool  # or adds to what is there
    waits: bool  # for the intermediate
    pairs: object  # where its rows are as pairs; None: it multiplies numbers as they are


class Sizes(NamedTuple):
    """What all parts have in common."""

    B: int
    dtype: object
    few: bool  # rows that are multiplied one by one


def identity_of(parts, sizes):
    """Text that tells the kernel of these parts from others, the same in every process."""
    return f"{sizes} " + " ".join(
        str(part._replace(what=identity(part.what)) if part.kind == "cell" else part)
        for part in parts
    )


def make_stream(parts, sizes):
    """The kernel of these parts."""
    B, first_part, last_part = sizes.B, parts[0], parts[-1]
    load_input, others = _MAKERS[first_part.kind](first_part, None, sizes), []
    for before, part in itertools.pairwise(parts):
        others.append(_MAKERS[part.kind](part, before, sizes))
    run, of_indices = _one_after_the_other(others), first_part.kind == "embedding"
    rows_of_table = first_part.places[-1]
    row, row_size, N = last_part.row, last_part.row_size, last_part.places[-1]

    # Without the GIL a thread that computes in Python would take it at every step, and hand it back
    # after five milliseconds; so it stays.
    @kernel(identity=identity_of(parts, sizes), nogil=False)
    def stream(memory, x, y, T, first, last):
        """Steps ``first`` to ``last`` of T; False, with nothing done, if an index is in no table.

        Reads x (B, T, I), or indices (B, T); writes y (B, T, N), and all else in ``memory``.
        """
        x, y = flat(x), flat(y)
        if of_indices:
            for b in range(B):
                for t in range(first, last):
                    if x[b * T + t] < 0 or x[b * T + t] >= rows_of_table:
                        return False
        for t in range(first, last):
            load_input(memory, x, T, t)
            run(memory)
            for b in range(B):
                to = (b * T + t) * N
                whole = N // lanes(y) * lanes(y)
                for j in range(0, whole, lanes(y)):
                    store(y, to + j, load(memory, row + b * row_size + j))
                for j in range(whole, N):
                    y[to + j] = memory[row + b * row_size + j]
        return True

    return stream


def _one_after_the_other(functions):
    """One function of memory that calls these; Numba knows no lists of functions."""
    if not functions:
        return inner(lambda memory: None)
    first, others = functions[0], _one_after_the_other(functions[1:])

    @inner
    def run(memory):
        fence()
        first(memory)
        others(memory)

    return run


@inner
def _copy(memory, at, to, size):
    for j in range(0, size, lanes(memory)):
        store(memory, to + j, load(memory, at + j))


def _make_multiply(K, N, sizes, pairs):
    """``(memory, s, s_row, a, a_row, w, c, c_row)``: C (B, N) = S + A (B, K) W, W (K, N) packed."""
    multiply = _make_multiply_factors(K, N, sizes, NUMBERS if pairs is None else PAIRS)
    if pairs is None:

        @inner
        def multiply_numbers(memory, s, s_row, a, a_row, w, c, c_row):
            multiply(memory, s, s_row, memory, a, a_row, w, c, c_row)

        return multiply_numbers

    B, pairs_row = sizes.B, padded(PAIRS.words(K), sizes.dtype)

    @inner
    def multiply_pairs(memory, s, s_row, a, a_row, w, c, c_row):
        words = words_of(memory)
        pair_columns(memory, a, a_row, B, K, words, pairs, pairs_row)
        multiply(memory, s, s_row, words, pairs, pairs_row, w, c, c_row)

    return multiply_pairs


def _make_multiply_factors(K, N, sizes, operands):
    """The same of A and W that are there as ``factors``: numbers, or words."""
    B, K, product = sizes.B, operands.words(K), operands.product
    if sizes.few:
        matvec = make_matvec(K, N, sizes.dtype)

        @inner
        def multiply_rows(memory, s, s_row, factors, a, a_row, w, c, c_row):
            for b in range(B):
                matvec(memory, s + b * s_row, factors, a + b * a_row, w, c + b * c_row)

        return multiply_rows

    @inner
    def multiply(memory, s, s_row, factors, a, a_row, w, c, c_row):
        panel = TILE_VECTORS * lanes(memory)
        product(memory, s, s_row, factors, a, a_row, 1, factors, w, panel, K * panel,
                memory, c, c_row, B, K, N)  # fmt: skip

    return multiply


# ---- the first part --------------------------------------------------------------------------


def _make_input(part, before, sizes):
    B, row, row_size, (I,) = sizes.B, part.row, part.row_size, part.places

    @inner
    def load_input(memory, x, T, t):
        for b in range(B):
            for j in range(0, I, lanes(memory)):
                numbers = load_masked(x, (b * T + t) * I + j, I - j)
                store(memory, row + b * row_size + j, numbers)

    return load_input


def _make_embedding(part, before, sizes):
    B, row, row_size, (w, _, _) = sizes.B, part.row, part.row_size, part.places

    @inner
    def look_up(memory, x, T, t):
        for b in range(B):
            _copy(memory, w + x[b * T + t] * row_size, row + b * row_size, row_size)

    return look_up


# ---- the others ------------------------------------------------------------------------------


def _make_dense(part, before, sizes):
    """y = [x 1] [W; b]."""
    B, row, row_size, (I, x1, x1_row, w, pairs, _) = sizes.B, part.row, part.row_size, part.places
    at, at_row = before.row, before.row_size
    multiply = _make_multiply(I + 1, row_size, sizes, pairs)

    @inner
    def dense(memory):
        for b in range(B):
            _copy(memory, at + b * at_row, x1 + b * x1_row, I)
            memory[x1 + b * x1_row + I] = 1.0
        multiply(memory, ZEROS, 0, x1, x1_row, w, row, row_size)

    return dense


def _make_nonlinear(part, before, sizes):
    B, row, row_size, (F,) = sizes.B, part.row, part.row_size, part.places
    at, at_row, function = before.row, before.row_size, nonlinear.of_row(part.what)

    @inner
    def apply(memory):
        for b in range(B):
            function(memory, at + b * at_row, memory, row + b * row_size, F)

    return apply


def _make_norm(part, before, sizes):
    B, row, row_size, (gain, bias, F) = sizes.B, part.row, part.row_size, part.places
    at, at_row, eps = before.row, before.row_size, part.what

    @inner
    def norm(memory):
        for b in range(B):
            x, y = memory[at + b * at_row :][:F], memory[row + b * row_size :][:F]
            normalise(x, memory[gain : gain + F], memory[bias : bias + F], eps, y, y)

    return norm


class CellPlaces(NamedTuple):
    """``places`` of a recurrent cell; ``row`` is its h, the first of its states."""

    units: int  # where H is in memory
    I: int
    xh: int
    xh_row: int
    x_at: int
    h_at: int
    gates: int
    gate_row: int
    p: int
    products: tuple
    H: int


def _make_cell(part, before, sizes):
    """One step of a recurrent cell, as in ``loop.py``; new states are written over the old ones."""
    cell, B, states, Hp = part.what, sizes.B, part.row, part.row_size
    units_at, I, xh, xh_row, x_at, h_at, gates, gate_row, p, products, H = part.places
    at, at_row = before.row, before.row_size
    load_store = ROWS if cell.whole_rows else REGISTERS
    store_unit, whole_rows = load_store.store_unit, cell.whole_rows
    load_z, _ = load_store.group(blocks_of(cell)[1])
    # What the cell saves is not needed; but without it, LLVM might fuse other multiply-adds.
    _, store_saved = load_store.group(range(len(cell.saved)))
    load_state, store_state = load_store.group(range(len(cell.states)))
    load_p = argument_loader(load_store, len(cell.unit_params))
    step, has_intermediate = equation(cell.step), cell.intermediate is not None
    intermediate = equation(cell.intermediate) if has_intermediate else None
    has_bias, exact = cell.recurrent_bias, whole_rows or JIT_DISABLED
    project, project_again = (
        _one_after_the_other([_make_project(p, part, sizes) for p in products if p.waits is waits])
        for waits in (False, True)
    )

    @inner
    def load_inputs(memory):
        """[ x | 1 | h ], in this order: x is written past its end, over the 1 and h."""
        for b in range(B):
            to = xh + b * xh_row
            _copy(memory, at + b * at_row, to + x_at, I)
            memory[to + x_at + I] = 1.0
            if has_bias:
                memory[to + h_at - 1] = 1.0
            _copy(memory, states + b * Hp, to + h_at, Hp)

    @inner
    def units(memory, j):
        """How many units to compute from j on: those there are, or a register with some more.

        For equations of whole rows it is read from memory: of sums over a row whose length is known
        LLVM would choose another order than in ``loop.py``.
        """
        if whole_rows:
            return int(memory[units_at])
        return H - j if exact else lanes(memory)

    @inner
    def apply_intermediate(memory):
        for b in range(B):
            for j in range(0, H, H if whole_rows else lanes(memory)):
                count = units(memory, j)
                z = load_z(memory, gates + b * gate_row + j, Hp, count)
                state = load_state(memory, states + b * Hp + j, B * Hp, count)
                a = intermediate(z, state, *load_p(memory, p + j, Hp, count))
                store_unit(memory, xh + b * xh_row + h_at + Hp + j, a, count)

    @inner
    def apply_step(memory):
        for b in range(B):
            for j in range(0, H, H if whole_rows else lanes(memory)):
                count, at_z = units(memory, j), gates + b * gate_row + j
                z = load_z(memory, at_z, Hp, count)
                state = load_state(memory, states + b * Hp + j, B * Hp, count)
                new_state, saved = step(z, state, *load_p(memory, p + j, Hp, count))
                store_saved(memory, at_z, Hp, saved, count)
                store_state(memory, states + b * Hp + j, B * Hp, new_state, count)

    @inner
    def cell_step(memory):
        load_inputs(memory)
        project(memory)
        if has_intermediate:
            fence()
            apply_intermediate(memory)
            project_again(memory)
        fence()
        apply_step(memory)

    return cell_step


def _make_project(product, part, sizes):
    """z = [x 1 h] W, or z += a Wh."""
    column, K, w, z, N, begins, _, pairs = product
    xh, xh_row, gates, gate_row = (part.places[n] for n in (2, 3, 6, 7))
    multiply = _make_multiply(K, N, sizes, pairs)
    s, s_row = (ZEROS, 0) if begins else (gates + z, gate_row)

    @inner
    def project(memory):
        multiply(memory, s, s_row, xh + column, xh_row, w, gates + z, gate_row)

    return project


_MAKERS = {
    "input": _make_input, "embedding": _make_embedding, "cell": _make_cell, "dense": _make_dense,
    "nonlinear": _make_nonlinear, "norm": _make_norm,
}  # fmt: skip
