"""The engine in plain NumPy: the same run as ``engine/compiled.py``, one line a thought.

For cells that are still being written.  Their equations get arrays (B, H) and
run as ordinary Python: print in them, stop in them with a debugger, call any
function of NumPy.  When the gradient check is content, ``compiled=True`` runs
the same two functions at full speed.
"""

import numpy as np

from rnnlite.engine.equation_results import checked


class PlainEngine:
    """Runs one cell; the methods are those of ``Engine``.

    Parameters
    ----------
    cell : Cell
    """

    def __init__(self, cell):
        self.cell = cell

    def forward(self, workspace, x, weights, y, y_every_step, reverse=False):
        """Run the sequence; see ``Engine.forward``."""
        cell, (B, T, I, H), h_offset = self.cell, workspace.shape, workspace.h_offset
        x, y = x.reshape(B, T, I), y.reshape((B, T, H) if y_every_step else (B, H))
        Wx, Wh, p = self._matrices(workspace, weights)
        rows, one = np.arange(B), h_offset - cell.recurrent_bias  # where bh's one is, or h begins
        if y_every_step:
            y[...] = 0.0
        for t in range(T):
            now, new, saved_at = (t, t + 1, t) if workspace.keep else (t % 2, (t + 1) % 2, 0)
            valid, time = self._times(workspace, t, reverse)
            xh, states = workspace.xh[saved_at], workspace.states[:, :, :, :H]
            xh[:, one - 1 - I : one - 1] = np.where(valid[:, None], x[rows, time], 0.0)
            xh[:, one - 1 : h_offset] = 1.0
            xh[:, h_offset : h_offset + H] = states[now, 0] * self._mask(workspace)
            z = [np.zeros((B, H), workspace.dtype) for _ in cell.blocks]
            for n, block in enumerate(cell.blocks):  # z = [x 1] [Wx; b] + h Wh
                if block.x_gate is not None:
                    z[n] += xh[:, one - 1 - I : one] @ Wx[:, block.x_gate]
                if block.h_gate is not None and not block.after_intermediate:
                    z[n] += xh[:, one : h_offset + H] @ Wh[:, block.h_gate]
            state = tuple(states[now])
            if cell.intermediate is not None:
                a = self._call("intermediate", tuple(z), state, *p) * self._mask(workspace)
                workspace.intermediates[saved_at, :, :H] = a
                for n, block in enumerate(cell.blocks):
                    if block.after_intermediate:
                        z[n] += a @ Wh[cell.recurrent_bias :, block.h_gate]
                        z[n] += Wh[: cell.recurrent_bias, block.h_gate].sum(axis=0)
            new_state, saved = self._call("step", tuple(z), state, *p)
            for n, value in enumerate(saved):
                workspace.gates[saved_at, :, workspace.block(n)] = value
            for s, value in enumerate(new_state):  # padding carries the state on
                states[new, s] = np.where(valid[:, None], value, states[now, s])
            if y_every_step:
                y[rows[valid], time[valid]] = states[new, 0][valid]
            elif t == T - 1:
                y[...] = states[new, 0]

    def backward(self, workspace, dgates, dy, dy_every_step, weights, grads, dx, reverse=False):
        """Backpropagate; see ``Engine.backward``."""
        cell, (B, T, I, H), h_offset = self.cell, workspace.shape, workspace.h_offset
        Wx, Wh, p = self._matrices(workspace, weights)
        dWx, dWh, dp = (np.zeros_like(a) for a in (Wx, Wh, weights.p.reshape(-1, H)))
        rows, bias_rows = np.arange(B), int(cell.recurrent_bias)
        one = h_offset - bias_rows
        dy = dy.reshape(B, T, H) if dy_every_step else None
        if dx is not None:
            dx = dx.reshape(B, T, I)
        dstate, mask = workspace.dstate[:, :, :H], self._mask(workspace)
        for t in range(T - 1, -1, -1):
            valid, time = self._times(workspace, t, reverse)
            if dy is not None:
                dstate[0] += np.where(valid[:, None], dy[rows, time], 0.0)
            saved = tuple(
                workspace.gates[t, :, workspace.block(n)].copy() for n in range(len(cell.saved))
            )
            state, new_state = (
                tuple(workspace.states[t, :, :, :H]),
                tuple(workspace.states[t + 1, :, :, :H]),
            )
            dnew = tuple(value.copy() for value in dstate)  # a result may be one of these
            results = self._call("step_backward", dnew, saved, state, new_state, *p)
            dz, before = list(results[0]), list(results[1])
            if cell.unit_params:
                for n, value in enumerate(results[2]):
                    dp[n] += np.where(valid[:, None], value, 0.0).sum(axis=0)
            if cell.intermediate is not None:
                da = np.zeros((B, H), workspace.dtype)
                for n, block in enumerate(cell.blocks):
                    if block.after_intermediate:
                        da += dz[n] @ Wh[bias_rows:, block.h_gate].T
                arguments = (da * mask, tuple(dz), tuple(before), saved, state, *p)
                dz, before = map(list, self._call("intermediate_backward", *arguments))
            dz = [np.where(valid[:, None], value, 0.0) for value in dz]
            xh = workspace.xh[t]
            dx_t = np.zeros((B, I), workspace.dtype)
            for n, block in enumerate(cell.blocks):
                if block.x_gate is not None:
                    dWx[:, block.x_gate] += xh[:, one - 1 - I : one].T @ dz[n]
                    dx_t += dz[n] @ Wx[:I, block.x_gate].T
                if block.after_intermediate:
                    dWh[bias_rows:, block.h_gate] += workspace.intermediates[t, :, :H].T @ dz[n]
                    dWh[:bias_rows, block.h_gate] += dz[n].sum(axis=0)
                elif block.h_gate is not None:
                    dWh[:, block.h_gate] += xh[:, one : h_offset + H].T @ dz[n]
                    before[0] = before[0] + mask * (dz[n] @ Wh[bias_rows:, block.h_gate].T)
            for s, value in enumerate(before):
                dstate[s] = np.where(valid[:, None], value, dstate[s])
            if dx is not None:
                dx[rows, time] = dx_t
        grads.x[:], grads.h[:], grads.p[:] = dWx.ravel(), dWh.ravel(), dp.ravel()

    def _matrices(self, workspace, weights):
        """[Wx; b] and [bh; Wh] as (rows, gates, H), and p as one argument, or none."""
        _, _, I, H = workspace.shape
        p = (tuple(weights.p.reshape(-1, H)),) if self.cell.unit_params else ()
        return weights.x.reshape(I + 1, -1, H), weights.h.reshape(-1, len(self.cell.gates), H), p

    @staticmethod
    def _times(workspace, t, reverse):
        """Which rows are still within their length, and where in its sequence each row stands."""
        valid = t < workspace.lengths
        return valid, np.where(valid & reverse, workspace.lengths - 1 - t, t)

    @staticmethod
    def _mask(workspace):
        return (
            workspace.h_mask[:, : workspace.shape[3]]
            if workspace.h_mask.size
            else workspace.dtype.type(1.0)
        )

    def _call(self, name, *arguments):
        """Call an equation with arrays (B, H), or row by row if it looks at whole rows."""
        function, (B, H) = getattr(self.cell, name), next(_arrays(arguments)).shape
        if not self.cell.whole_rows:
            return checked(self.cell, name, function(*arguments), (B, H))
        results = [
            checked(self.cell, name, function(*_row(arguments, row)), (H,)) for row in range(B)
        ]
        return _stacked(results)


def _arrays(nested):
    for part in nested:
        if isinstance(part, tuple):
            yield from _arrays(part)
        else:
            yield part


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
