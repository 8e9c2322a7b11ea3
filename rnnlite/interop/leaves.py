"""The layers of a model that have weights, in the order of its data; how messages call them."""

from rnnlite import cells, layers

# Cells that other libraries have too, by the name of their layer there.
KINDS = {
    cells.LSTM: "LSTM",
    cells.GRU: "GRU",
    cells.GRU_2014: "GRU of 2014",
    cells.RNN["tanh"]: "RNN",
    cells.RNN["relu"]: "RNN",
}
RECURRENT = (layers.LSTM, layers.GRU, layers.RNN, layers.Recurrent)
LEAVES = (*RECURRENT, layers.Bidirectional, layers.Dense, layers.Embedding, layers.LayerNorm)


def place_of(key, layer):
    """``layer 0, LSTM(3, 4)``."""
    return f"layer {key}, {layer!r}" if key else repr(layer)


def leaves(where, model):
    """Pairs of key and layer; a model with weights that nobody else has names for is refused."""
    if not isinstance(model, layers.Layer):
        kind = type(model).__name__
        raise TypeError(f"{where}: it is of type {kind}; wanted a layer or a model of rnnlite")
    found, inside = [], None
    for key, layer in model.walk():
        if inside is not None and key.startswith(inside):
            continue  # a direction of a Bidirectional, which is one leaf
        if type(layer) in LEAVES:
            found.append((key, layer))
            inside = f"{key}." if key else ""
        elif own := set(layer.params) - {f"{k}.{p}" for k, l in _inner(layer) for p in l.params}:
            problem = f"{place_of(key, layer)} is a layer of your own with weights of its own"
            raise TypeError(f"{where}: {problem}, {min(own)!r}, which no other library has")
    return found


def _inner(layer):
    return [(key, inner) for key, inner in layer.walk() if key]


def directions(layer):
    """A recurrent layer by its directions: prefix in ``params``, and layer; None for others."""
    if type(layer) in RECURRENT:
        return [("", layer)]
    if type(layer) in LEAVES and layer.layers:
        return list(zip(("forward.", "backward."), layer.layers, strict=True))
    return None


def check_kind(where, key, layer, library, kinds):
    """Refuse one direction of a recurrent layer whose equations the library does not have."""
    kind = KINDS.get(layer.cell)
    if kind not in kinds:
        odd = [name for name in ("peephole", "clip") if getattr(layer, name, None)]
        odd = " and ".join(odd) if odd else f"the cell {layer.cell.name!r}"
        if kind is not None:
            odd = "reset_after=False"
        problem = f"{place_of(key, layer)} has {odd}"
        raise ValueError(f"{where}: {problem}, which {library} does not have")
