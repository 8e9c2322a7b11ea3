"""Weights in the order in which the time loop's products read them: whose columns go where."""

from rnnlite.kernels.jit import kernel
from rnnlite.kernels.product import pack, pack_transposed


@kernel
def pack_parts(w, row_size, N, packed, parts):
    """Copy N columns of some rows of W into packed matrices, for [x 1 h] W.

    A row of ``parts`` (n, 6): where the part begins in w, its rows; where its packed matrix begins,
    the column and the row there, and how many rows that matrix has.
    """
    for n in range(len(parts)):
        at, K, start, column, row, rows = parts[n]
        pack(w, at, row_size, K, N, packed, start, column, row, rows)


@kernel
def pack_parts_transposed(w, row_size, K, packed, parts):
    """The same of their transposes, for dz W^T.

    A row of ``parts`` (n, 5): the same without the column.
    """
    for n in range(len(parts)):
        at, N, start, row, rows = parts[n]
        pack_transposed(w, at, row_size, K, N, packed, start, row, rows)
