"""Weights in the order in which the time loop's products read them: whose columns go where."""

import functools
from typing import NamedTuple

from rnnlite.kernels.jit import kernel
from rnnlite.kernels.product import pack_transposed


class Packing(NamedTuple):
    """Kernels that pack weights as one kind of operands."""

    pack_parts: object
    pack_parts_transposed: object


@functools.cache
def make_packing(operands):
    """The ``Packing`` of these operands."""
    pack = operands.pack

    @kernel(identity=operands.name)
    def pack_parts(w, row_size, N, packed, parts):
        """Copy N columns of some rows of W into packed matrices, for [x 1 h] W.

        A row of ``parts`` (n, 6): where the part begins in w, its rows; where its packed matrix
        begins, the column and the row there, and how many rows that matrix has.
        """
        for n in range(len(parts)):
            at, K, start, column, row, rows = parts[n]
            pack(w, at, row_size, K, N, packed, start, column, row, rows)

    @kernel(identity=operands.name)
    def pack_parts_transposed(w, row_size, K, packed, parts):
        """The same of their transposes, for dz W^T.

        A row of ``parts`` (n, 5): the same without the column.
        """
        for n in range(len(parts)):
            at, N, start, row, rows = parts[n]
            pack_transposed(w, at, row_size, K, N, packed, start, row, rows)

    return Packing(pack_parts, pack_parts_transposed)
