"""One run of a cell over sequences, forward and back: for ``functional`` and for the layers.

All arrays are C-contiguous and of one dtype.  Parameters, and their gradients, are one flat array:
[Wx; b], then [bh; Wh] (or Wh alone), row after row, then those with one number a unit.
"""

import numpy as np

from rnnlite.engine import door
from rnnlite.engine.memory import aligned_zeros
from rnnlite.engine.workspace import Workspace


def forward(cell, x, weights, hidden_size, workspace=None, *, initial=None, lengths=None, y=None,
            return_sequences=True, reverse=False, for_backward=True, dropout=0.0,
            rng=None, compute_dtype=None):  # fmt: skip
    """Run a cell; returns y (B, T, H), or (B, H) after each row's last step, and the workspace.

    A workspace that fits is used again; it belongs to the caller: one run at a time.  ``initial``
    has one array (B, H), or None for zeros, a state.  ``reverse`` reads each row from its last
    valid step to its first; y stays at the time of its input.  ``dropout`` is the share of h that
    ``rng`` drops on its way into the recurrent product.  ``compute_dtype`` rounds what is
    multiplied, as for ``layers.Recurrent``, here and on the way back; arrays are float32 then.
    """
    shape = (*x.shape, hidden_size)
    made_for = cell, shape, x.dtype, for_backward, compute_dtype
    if workspace is None or workspace.made_for != made_for:
        workspace = Workspace(cell, *shape, x.dtype, for_backward, compute_dtype)
    workspace.begin(lengths, initial, dropout, rng)
    workspace.reverse, workspace.return_sequences = reverse, return_sequences
    B, T, _, H = shape
    y_shape = (B, T, H) if return_sequences else (B, H)
    if y is None:
        y = np.empty(y_shape, x.dtype)
    right = workspace.weights_shape
    door.compare(cell.name, x.dtype, ("x", x, x.shape), ("weights", weights, right))
    workspace.engine.forward(workspace, x, weights, y if return_sequences else workspace.nothing)
    if not return_sequences:
        y[...] = workspace.final[0]
        if not workspace.all_run:  # without a last step a row answers zeros
            y[workspace.lengths == 0] = 0.0
    return y, workspace


def backward(workspace, dy, weights, grads, *, dfinal=None, dx=None, keep_saved=False):
    """Take a run back; writes ``grads``, and ``dx`` (B, T, I) unless it is None.

    ``dy`` is in y's shape, or None; ``dfinal`` as ``initial``.  With ``keep_saved``, what the
    cell saved can still be read afterwards, and backward be called again.
    """
    (B, T, I, H), dtype = workspace.shape, workspace.dtype
    y_shape = (B, T, H) if workspace.return_sequences else (B, H)
    door.compare(
        workspace.cell.name, dtype, ("weights", weights, workspace.weights_shape),
        ("grads", grads, workspace.weights_shape), ("dy", dy, y_shape), ("dx", dx, (B, T, I)),
    )  # fmt: skip
    workspace.set_dfinal(dfinal)
    dy_of_steps = workspace.nothing
    if dy is not None and workspace.return_sequences:
        dy_of_steps = dy
    elif dy is not None:
        dh = workspace.dstate[0, :, :H]
        some = True if workspace.all_run else workspace.lengths[:, None] > 0
        np.add(dh, dy, out=dh, where=some)
    gates = workspace.gates
    if keep_saved:
        gates = aligned_zeros(gates.shape, gates.dtype)
        gates[...] = workspace.gates
    workspace.engine.backward(
        workspace, gates, dy_of_steps, weights, grads, workspace.no_dx if dx is None else dx
    )
