"""The engine in plain NumPy: the same run as ``engine/compiled.py``, one line a thought.

For cells that are still being written.  Their equations get arrays (B, H) and run as ordinary
Python: print in them, stop in them with a debugger, call any function of NumPy.
"""

import numpy as np

from rnnlite.engine.equation_results import checked
from rnnlite.kernels.simd.plain import rounded


class PlainEngine:
    """Runs one cell; the methods are those of ``Engine``."""

    def __init__(self, cell, compute_dtype=None):
        self.cell = cell
        self._operand = _rounded if compute_dtype == "bfloat16" else _as_it_is
        self._gradient_operand = _as_it_is if compute_dtype is None else _rounded

    def forward(self, workspace, x, weights, y):
        """Run the sequence; as in ``Engine.forward``."""
        cell, (B, T, I, H), at_a = self.cell, workspace.shape, workspace.layout.a_at
        dot, operand = self._dot, self._operand
        bias_rows, rows, mask = int(cell.recurrent_bias), np.arange(B), self._mask(workspace)
        Wx, Wh, p = self._parameters(workspace, weights)
        y[...] = 0.0
        for t in range(T):
            valid, time = self._times(workspace, t)
            now, new = (workspace.states[n % len(workspace.states), :, :, :H] for n in (t, t + 1))
            slot, state = t % len(workspace.gates), tuple(now)
            x1, h1 = self._inputs(workspace, slot)  # [x 1], and [1 h] or [h]
            x1[:, :I], x1[:, I] = np.where(valid[:, None], x[rows, time], 0.0), 1.0
            h1[:, :bias_rows], h1[:, bias_rows:] = 1.0, now[0] * mask
            z = [np.zeros((B, H), workspace.dtype) for _ in cell.projections]
            for n, (x_gate, h_gate, *after_intermediate) in enumerate(cell.projections):
                if x_gate is not None:
                    z[n] += dot(x1, Wx[x_gate])
                if h_gate is not None and not after_intermediate:
                    z[n] += dot(h1, Wh[h_gate])
            if cell.intermediate is not None:
                a = self._call("intermediate", tuple(z), state, *p) * mask
                workspace.xh[slot, :, at_a : at_a + H] = a
                for n, (_, h_gate, *after_intermediate) in enumerate(cell.projections):
                    if after_intermediate:
                        z[n] += dot(a, Wh[h_gate][bias_rows:])
                        z[n] += operand(Wh[h_gate][:bias_rows]).sum(axis=0)
            new_state, saved = self._call("step", tuple(z), state, *p)
            for n, value in enumerate(saved):
                workspace.gates[slot, :, workspace.block(n)] = value
            for s, value in enumerate(new_state):  # padding carries the state on
                new[s] = np.where(valid[:, None], value, now[s])
            if y.size:
                y[rows[valid], time[valid]] = new[0][valid]

    def backward(self, workspace, gates, dy, weights, grads, dx):
        """Backpropagate; as in ``Engine.backward``."""
        cell, (B, T, I, H), at_a = self.cell, workspace.shape, workspace.layout.a_at
        dot, gradient_operand = self._dot, self._gradient_operand
        bias_rows, rows, mask = int(cell.recurrent_bias), np.arange(B), self._mask(workspace)
        Wx, Wh, p = self._parameters(workspace, weights)
        grads[...] = 0.0
        dWx, dWh, dp = self._parameters(workspace, grads)
        dstate = workspace.dstate[:, :, :H]
        for t in range(T - 1, -1, -1):
            valid, time = self._times(workspace, t)
            if dy.size:
                dstate[0] += np.where(valid[:, None], dy[rows, time], 0.0)
            state, new_state = (tuple(workspace.states[n, :, :, :H]) for n in (t, t + 1))
            saved = tuple(gates[t, :, workspace.block(n)].copy() for n in range(len(cell.saved)))
            dnew = tuple(value.copy() for value in dstate)  # a result may be one of these
            results = self._call("step_backward", dnew, saved, state, new_state, *p)
            dz, before = list(results[0]), list(results[1])
            if cell.unit_params:
                for total, value in zip(dp[0], results[2], strict=True):
                    total += np.where(valid[:, None], value, 0.0).sum(axis=0)
            if cell.intermediate is not None:
                da = np.zeros((B, H), workspace.dtype)
                for n, (_, h_gate, *after_intermediate) in enumerate(cell.projections):
                    if after_intermediate:
                        da += dot(dz[n], Wh[h_gate][bias_rows:].T)
                arguments = (da * mask, tuple(dz), tuple(before), saved, state, *p)
                dz, before = map(list, self._call("intermediate_backward", *arguments))
            dz = [np.where(valid[:, None], value, 0.0) for value in dz]
            x1, h1 = self._inputs(workspace, t)
            dx_t = np.zeros((B, I), workspace.dtype)
            for n, (x_gate, h_gate, *after_intermediate) in enumerate(cell.projections):
                if x_gate is not None:
                    dWx[x_gate] += self._gradient(x1, dz[n])
                    dx_t += dot(dz[n], Wx[x_gate][:I].T)
                if after_intermediate:
                    a = workspace.xh[t, :, at_a : at_a + H]
                    dWh[h_gate][bias_rows:] += self._gradient(a, dz[n])
                    dWh[h_gate][:bias_rows] += gradient_operand(dz[n]).sum(axis=0)
                elif h_gate is not None:
                    dWh[h_gate] += self._gradient(h1, dz[n])
                    before[0] = before[0] + mask * dot(dz[n], Wh[h_gate][bias_rows:].T)
            for s, value in enumerate(before):
                dstate[s] = np.where(valid[:, None], value, dstate[s])
            if dx.size:
                dx[rows, time] = dx_t

    def _parameters(self, workspace, flat):
        """Views: [Wx; b] and [bh; Wh] by gate, and p as one argument, or none."""
        (_, _, I, H), p_at = workspace.shape, workspace.layout.p_at
        W = flat[:p_at].reshape(-1, len(self.cell.gates), H)
        Wx = {gate: W[: I + 1, n] for n, gate in enumerate(self.cell.gates)}
        Wh = {gate: W[I + 1 :, n] for n, gate in enumerate(self.cell.gates)}
        return Wx, Wh, (tuple(flat[p_at:].reshape(-1, H)),) if self.cell.unit_params else ()

    @staticmethod
    def _inputs(workspace, slot):
        """Views of what the products read: x with a one behind, and h, with a one before for bh."""
        layout, (_, _, I, H) = workspace.layout, workspace.shape
        xh = workspace.xh[slot, :, layout.x_at : layout.h_at + H]
        return xh[:, : I + 1], xh[:, I + 1 :]

    @staticmethod
    def _times(workspace, t):
        """Which rows are still within their length, and where in its sequence each row stands."""
        valid = t < workspace.lengths
        return valid, np.where(valid & workspace.reverse, workspace.lengths - 1 - t, t)

    @staticmethod
    def _mask(workspace):
        H = workspace.shape[3]
        return workspace.h_mask[:, :H] if workspace.h_mask.size else workspace.dtype.type(1.0)

    def _dot(self, a, b):
        """a @ b; with ``compute_dtype`` of numbers rounded to it."""
        return self._operand(a) @ self._operand(b)

    def _gradient(self, a, dz):
        """a.T @ dz, of numbers rounded as those of weight gradients are."""
        return self._gradient_operand(a).T @ self._gradient_operand(dz)

    def _call(self, name, *arguments):
        """Call an equation with arrays (B, H), or row by row if it looks at whole rows."""
        function, (B, H) = getattr(self.cell, name), np.shape(arguments[0])[-2:]
        if not self.cell.whole_rows:
            return checked(self.cell, name, function(*arguments), (B, H))
        rows = (function(*_row(arguments, row)) for row in range(B))
        return _stacked([checked(self.cell, name, result, (H,)) for result in rows])


def _as_it_is(a):
    return a


def _rounded(a):
    return rounded(np.ascontiguousarray(a))


def _row(nested, row):
    """The same nest of tuples with row ``row`` of every array (B, H); arrays (H,) stay."""
    return tuple(
        _row(part, row) if isinstance(part, tuple) else (part[row] if part.ndim == 2 else part)
        for part in nested
    )


def _stacked(results):
    """One nest of arrays (B, H) from B nests of arrays (H,)."""
    if isinstance(results[0], tuple):
        return tuple(_stacked([result[i] for result in results]) for i in range(len(results[0])))
    return np.stack(results)
