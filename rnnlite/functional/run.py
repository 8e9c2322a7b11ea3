"""One run of any cell: check the arguments, run the engine, name the results."""

import numpy as np

from rnnlite import checking
from rnnlite.engine import Weights, Workspace, engine_of
from rnnlite.engine.memory import aligned_zeros
from rnnlite.functional.cache import RecurrentCache


def forward(where, cell, x, Wx, Wh, b, bh, initial, lengths, peephole=None):
    """Check the arguments, run the engine, return h, the final states and the cache."""
    given = {"x": x, "Wx": Wx, "Wh": Wh, "b": b}
    if cell.recurrent_bias:
        given["bh"] = bh
    if peephole is not None:
        given["peephole"] = peephole
    initial = dict(zip((f"{name}0" for name in cell.states), initial, strict=True))
    given |= {name: value for name, value in initial.items() if value is not None}
    arrays = {name: checking.real_array(where, name, value) for name, value in given.items()}
    dtype = checking.common_float(*arrays.values())

    x = checking.dimensions(where, "x", x, 3, "(batch, time, input)")
    (B, T, I), G = x.shape, len(cell.gates)
    H = checking.dimensions(where, "Wh", Wh, 2, f"(hidden, {G}*hidden)").shape[0]
    columns = "hidden" if G == 1 else f"{G}*hidden"
    parts = {
        "Wh": ((H, G * H), f"(hidden, {columns})"),
        "Wx": ((I, G * H), f"(input, {columns}) with input = {I} of x and hidden = {H} of Wh"),
        "b": ((G * H,), f"({columns},) with hidden = {H} of Wh"),
        "bh": ((G * H,), f"({columns},) with hidden = {H} of Wh"),
        "peephole": ((3 * H,), f"(3*hidden,) with hidden = {H} of Wh"),
    }
    parts = {
        name: checking.shaped(where, name, arrays[name], shape, meaning, dtype)
        for name, (shape, meaning) in parts.items()
        if name in arrays
    }
    states = [
        None
        if value is None
        else checking.shaped(where, name, value, (B, H), "(batch, hidden)", dtype)
        for name, value in initial.items()
    ]

    workspace = Workspace(cell, B, T, I, H, dtype)
    workspace.set_lengths(checking.row_lengths(where, lengths, B, T))
    workspace.set_initial(states)
    wx, wh = (
        _stacked([parts[name] for name in names if name in parts], dtype)
        for names in (("Wx", "b"), ("bh", "Wh"))
    )
    h = np.empty((B, T, H), dtype)
    flat_x = checking.contiguous(x, dtype).ravel()
    p = parts.get("peephole", np.zeros(len(cell.unit_params) * H, dtype))
    weights = Weights(wx, wh, p)
    engine_of(cell).forward(workspace, flat_x, weights, h.ravel(), True)
    final = [workspace.final(s).copy() for s in range(len(cell.states))]
    return h, final, RecurrentCache(workspace, weights)


def _stacked(arrays, dtype):
    """All numbers one after the other, with room for a whole register behind them."""
    result = aligned_zeros(sum(array.size for array in arrays), dtype)
    return np.concatenate([array.ravel() for array in arrays], out=result)


def backward(where, family, dh, cache, dfinal):
    """Check the arguments, run the engine, return the gradients by name."""
    if not isinstance(cache, RecurrentCache) or cache._workspace.cell.name.split("-")[0] != family:
        raise TypeError(f"{where}: cache is {cache!r}; wanted the cache of the matching forward")
    workspace = cache._workspace
    cell, (B, T, I, H), dtype, G = (
        workspace.cell,
        workspace.shape,
        workspace.dtype,
        len(workspace.cell.gates),
    )
    if dh is None:
        dh = np.zeros(0, dtype)
    else:
        dh = checking.shaped(where, "dh", dh, (B, T, H), "(batch, time, hidden)", dtype)
    workspace.dstate[...] = 0.0
    for s, (state, value) in enumerate(zip(cell.states, dfinal, strict=True)):
        if value is not None:
            name = f"d{state}T"
            workspace.dstate[s, :, :H] = checking.shaped(
                where, name, value, (B, H), "(batch, hidden)", dtype
            )
    bias_rows = int(cell.recurrent_bias)
    dx = np.empty((B, T, I), dtype)
    dwx, dwh = np.empty((I + 1, G * H), dtype), np.empty((bias_rows + H, G * H), dtype)
    dp = np.empty(cache._weights.p.size, dtype)
    # The cache stays as it is: gradients of the gates get a buffer of their own.
    dgates = aligned_zeros(workspace.gates.shape, dtype)
    engine_of(cell).backward(
        workspace, dgates, dh.ravel(), dh.size > 0, cache._weights,
        Weights(dwx.ravel(), dwh.ravel(), dp), dx.ravel(),
    )  # fmt: skip
    found = {"dx": dx, "dWx": dwx[:I], "db": dwx[I], "dWh": dwh[bias_rows:]}
    if bias_rows:
        found["dbh"] = dwh[0]
    if dp.size:
        found["dpeephole"] = dp
    for s, state in enumerate(cell.states):
        found[f"d{state}0"] = workspace.dstate[s, :, :H].copy()
    return found
