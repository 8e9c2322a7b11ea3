"""The engine: deals the compiled kernels of a cell to the threads."""

import collections
import weakref

import numpy as np

from rnnlite.engine import one_row, threads
from rnnlite.engine.plain import PlainEngine
from rnnlite.engine.weight_gradients import weight_gradients
from rnnlite.kernels import loop, packing
from rnnlite.kernels.fingerprint import identity
from rnnlite.kernels.freeze import frozen_cell
from rnnlite.kernels.jit import CompileError
from rnnlite.kernels.load_store import WRONG_LENGTH
from rnnlite.kernels.one_row import make_forward as make_forward_of_one_row
from rnnlite.kernels.operands import NUMBERS, operands_of

# What the equations of a compiled cell may use: of one unit, and of whole rows.
_MAY_USE = (
    "+ - * / and the functions of rnnlite.cells.functions (tanh, not np.tanh; x * x, not x**2)",
    "what Numba understands of NumPy",
)

# Rows times steps from which packing the weights pays.
PACK_FROM = 8


class Engine:
    """The kernels of one cell; any number of runs may be under way, each with its own workspace."""

    def __init__(self, cell, compute_dtype=None):
        self.cell = cell.without_equations  # it may outlive the cell
        self._operands = operands = operands_of(compute_dtype)
        self._forward = loop.make_forward(cell, operands)
        self._backward = loop.make_backward(cell, operands)
        self._forward_of_one_row = make_forward_of_one_row(cell, operands)
        self._packing = packing.make_packing(operands)

    def forward(self, workspace, x, weights, y):
        """Run the sequence; writes y (B, T, H), or nothing if it is (B, 0, H)."""
        (B, T, I, H), layout = workspace.shape, workspace.layout
        w, products = weights, layout.direct_products
        if B * T > PACK_FROM or self._operands is not NUMBERS:
            w, products = workspace.packed, layout.products
            self._packing.pack_parts(weights, layout.columns, H, w, layout.packing)
        if self.cell.unit_params:
            workspace.p[:, :H] = weights[layout.p_at :].reshape(-1, H)
        work = B * T * (I + H) * layout.columns
        if one_row.is_shared(workspace, work):
            one_row.run(
                self._parallel_for, self._forward_of_one_row, work, x, y, workspace.reverse,
                workspace.from_zero, workspace.rows_of_two, workspace.gates, workspace.states,
                workspace.p, w, products, workspace.zeros,
            )  # fmt: skip
            return
        self._parallel_for(
            self._forward, B, work,
            x, y, workspace.lengths, workspace.reverse, workspace.from_zero, workspace.xh,
            workspace.gates, workspace.states, workspace.h_mask, workspace.p, w, products,
            workspace.zeros,
        )  # fmt: skip

    def backward(self, workspace, gates, dy, weights, grads, dx):
        """Backpropagate; ``workspace.dstate`` holds dL/d(final) before, dL/d(initial) after.

        ``gates`` are the workspace's or a copy, to be overwritten with dz.  dy (B, T, H) may be
        (B, 0, H) for none, dx (B, T, I) or (0, 0, 0).
        """
        (B, T, I, H), layout = workspace.shape, workspace.layout
        w, want_dx = workspace.transposes, dx.size > 0
        pack = self._packing.pack_parts_transposed
        pack(weights, layout.columns, H, w, layout.packing_back)
        if want_dx:
            pack(weights, layout.columns, H, w, layout.packing_dx)
        workspace.dp[...] = 0.0
        self._parallel_for(
            self._backward, B, B * T * (H + I * want_dx) * layout.columns,
            dy, dx, workspace.lengths, workspace.reverse, gates, workspace.states,
            workspace.dstate, workspace.h_mask, workspace.p, workspace.dp, w,
            workspace.scratch, workspace.zeros,
        )  # fmt: skip
        dW = grads[: layout.p_at].reshape(-1, layout.columns)
        # bh is multiplied by 1 at t = 0 too.
        skipped = B if workspace.from_zero and not self.cell.recurrent_bias else 0
        weight_gradients(
            workspace.compute_dtype, workspace.xh.reshape(T * B, -1), gates.reshape(T * B, -1), dW,
            layout.gradients, skipped, workspace.zeros, B * T * (I + H) * layout.columns,
            workspace.pairs, (layout.dz_at, layout.dz_at + len(layout.blocks) * H),
        )  # fmt: skip
        if self.cell.unit_params:
            # One row after the other: the same sum at any number of threads.
            np.sum(workspace.dp[:, :, :H], axis=0, out=grads[layout.p_at :].reshape(-1, H))

    def _parallel_for(self, kernel, *arguments):
        """``threads.parallel_for``; the cell's equations may be compiled here."""
        try:
            threads.parallel_for(kernel, *arguments)
        except ValueError as error:
            if str(error) != WRONG_LENGTH:
                raise
            raise ValueError(f"{self.cell.family}: {WRONG_LENGTH}") from error
        except CompileError as error:
            lines = [line.strip() for line in str(error).splitlines()]
            reason = next((line for line in lines if line and "Failed in" not in line), "")
            raise TypeError(
                f"{self.cell.family}: its equations do not compile; they may use "
                f"{_MAY_USE[self.cell.whole_rows]}; compiled=False runs any NumPy, and print. "
                f"Numba says: {reason}"
            ) from error


# Kernels take seconds to compile, and Numba never frees machine code.  So equal cells share an
# engine, and the last few outlive their cells: who makes one cell again and again compiles it once.
_engines = weakref.WeakValueDictionary()  # by what the cell computes
_recent = collections.deque(maxlen=8)


def engine_of(cell, compute_dtype=None):
    """The engine of a cell: compiled, or plain NumPy if the cell says so.

    It stays with the cell's first equation, and goes with it.
    """
    try:
        return cell.step.engines[cell, compute_dtype]
    except AttributeError:
        cell.step.engines = {}
    except KeyError:
        pass
    engine = cell.step.engines[cell, compute_dtype] = _new_engine(frozen_cell(cell), compute_dtype)
    return engine


def _new_engine(cell, compute_dtype):
    if not cell.compiled:
        return PlainEngine(cell, compute_dtype)
    key = identity(cell), compute_dtype
    engine = _engines.get(key)
    if engine is None:
        engine = _engines[key] = Engine(cell, compute_dtype)
    _recent.append(engine)
    return engine
