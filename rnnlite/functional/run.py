"""One run of any cell: check the arguments, run the engine, name the results."""

import numpy as np

from rnnlite import checking, engine
from rnnlite.engine.memory import aligned_zeros
from rnnlite.functional.cache import RecurrentCache


def forward(where, cell, x, Wx, Wh, b, bh, initial, lengths, compute_dtype, peephole=None):
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
    compute_dtype = checking.compute_dtype(where, compute_dtype, dtype)

    x = checking.dimensions(where, "x", x, 3, "(batch, time, input)")
    (B, T, I), G = x.shape, len(cell.gates)
    H = checking.dimensions(where, "Wh", Wh, 2, f"(hidden, {G}*hidden)").shape[0]
    columns = "hidden" if G == 1 else f"{G}*hidden"
    shapes = {  # in the order in which they are checked
        "Wh": ((H, G * H), f"(hidden, {columns})"),
        "Wx": ((I, G * H), f"(input, {columns}) with input = {I} of x and hidden = {H} of Wh"),
        "b": ((G * H,), f"({columns},) with hidden = {H} of Wh"),
        "bh": ((G * H,), f"({columns},) with hidden = {H} of Wh"),
        "peephole": ((3 * H,), f"(3*hidden,) with hidden = {H} of Wh"),
        **dict.fromkeys(initial, ((B, H), "(batch, hidden)")),
    }
    arrays = {
        name: checking.shaped(where, name, arrays[name], shape, meaning, dtype)
        for name, (shape, meaning) in shapes.items()
        if name in arrays
    }
    # In the engine's order, with room for a whole register behind them.
    parts = [arrays[name].ravel() for name in ("Wx", "b", "bh", "Wh", "peephole") if name in arrays]
    weights = aligned_zeros(sum(part.size for part in parts), dtype)
    np.concatenate(parts, out=weights)
    h, workspace = engine.forward(
        cell, checking.contiguous(x, dtype), weights, H,
        initial=[arrays.get(name) for name in initial],
        lengths=checking.row_lengths(where, lengths, B, T), compute_dtype=compute_dtype,
    )  # fmt: skip
    return h, workspace.final_states(), RecurrentCache(workspace, weights)


def backward(where, family, dh, cache, dfinal):
    """Check the arguments, run the engine, return the gradients by name."""
    if not isinstance(cache, RecurrentCache) or cache._workspace.cell.family != family:
        raise TypeError(f"{where}: cache is {cache!r}; wanted the cache of the matching forward")
    workspace = cache._workspace
    cell, (B, T, I, H), dtype = workspace.cell, workspace.shape, workspace.dtype
    if dh is not None:
        dh = checking.shaped(where, "dh", dh, (B, T, H), "(batch, time, hidden)", dtype)
    dfinal = [
        None if d is None else checking.shaped(where, f"d{s}T", d, (B, H), "(batch, hidden)", dtype)
        for s, d in zip(cell.states, dfinal, strict=True)
    ]
    grads, dx = np.empty(cache._weights.size, dtype), np.empty((B, T, I), dtype)
    engine.backward(workspace, dh, cache._weights, grads, dfinal=dfinal, dx=dx, keep_saved=True)
    columns, bias_rows = len(cell.gates) * H, int(cell.recurrent_bias)
    dW, dp = np.split(grads, [(I + 1 + bias_rows + H) * columns])
    dW = dW.reshape(-1, columns)
    found = {"dx": dx, "dWx": dW[:I], "db": dW[I], "dWh": dW[I + 1 + bias_rows :]}
    if bias_rows:
        found["dbh"] = dW[I + 1]
    if dp.size:
        found["dpeephole"] = dp
    dinitial = zip(cell.states, workspace.dinitial_states(), strict=True)
    return found | {f"d{state}0": value for state, value in dinitial}
