"""Which numbers of somebody's parameters are Wx, Wh and b, as the catalogue's functions take them.

A layout is a guess that the forward numbers confirm or refuse.  It is a dict of places: for each
number of Wx, Wh, b, ... its place among all numbers of the parameters, so that gradients find
their way back through it; None for an array that they do not have.
"""

import itertools

import numpy as np

# By file of ``rnnlite.mistakes``: gates in order, states, weights in the order of its forward.
FAMILIES = {
    "rnn": ("h", 1, ("Wx", "Wh", "b")),
    "lstm": ("ifgo", 2, ("Wx", "Wh", "b")),
    "peephole_lstm": ("ifgo", 2, ("Wx", "Wh", "b", "p")),
    "gru": ("rzn", 1, ("Wx", "Wh", "b", "bh")),
    "gru_2014": ("rzn", 1, ("Wx", "Wh", "b", "bh")),
}


def places_of(params):
    """For each parameter an array of its shape: the places of its numbers among all."""
    places, start = {}, 0
    for name, array in params.items():
        places[name] = np.arange(start, start + array.size).reshape(array.shape)
        start += array.size
    return places


def of_cell(cell, params):
    """Layouts of a cell's own parameters: file, places, whether gates have their names' order."""
    places = places_of(params)
    units = [places[name] for name in cell.unit_params]
    for file, (gates, states, weights) in FAMILIES.items():
        fits = len(cell.gates) == len(gates) and len(cell.states) == states
        if not fits or len(units) != (3 if "p" in weights else 0):
            continue
        arrays = {name: places.get(name) for name in weights if name != "p"}
        by_name = [cell.gates.index(gate) for gate in gates if gate in cell.gates]
        for order in itertools.permutations(range(len(gates))):
            found = {name: _reordered(array, order) for name, array in arrays.items()}
            for peepholes in itertools.permutations(units):  # of none, there is one
                p = {"p": np.concatenate(peepholes)} if units else {}
                as_named = all(a is b for a, b in zip(peepholes, units, strict=True))
                yield file, found | p, as_named and list(order) == by_name


def _reordered(array, order):
    """The columns of an array, gate by gate in another order."""
    if array is None:
        return None
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[n] for n in order], axis=-1)


def of_shapes(params, I, H):
    """Layouts of parameters of any names, by their shapes alone."""
    arrays = list(places_of(params).values())
    if not arrays or any(array.ndim not in (1, 2) for array in arrays):
        return
    for file, (gates, _, weights) in FAMILIES.items():
        if "p" not in weights:
            for stacked in _stacked(arrays, len(gates), I, H):
                for order in itertools.permutations(range(len(gates))):
                    yield file, {n: _reordered(stacked.get(n), order) for n in weights}, False


def _stacked(arrays, K, I, H):
    """Wx (I, K H), Wh (H, K H), b and bh (K H), made of arrays that may be their transposes,
    [Wx; Wh] or [Wh; Wx] in one, or one array a gate."""
    if K > 1 and len(arrays) % K == 0:
        groups = [arrays[n : n + len(arrays) // K] for n in range(0, len(arrays), len(arrays) // K)]
        by_kind = [arrays[n : n + K] for n in range(0, len(arrays), K)]
        for kinds in ([list(kind) for kind in zip(*groups, strict=True)], by_kind):
            if all(len({a.shape for a in kind}) == 1 for kind in kinds):
                for turned in (False, True):
                    joined = [_joined(kind, turned) for kind in kinds]
                    yield from _assigned(joined, K, I, H)
    yield from _assigned(arrays, K, I, H)


def _joined(kind, turned):
    return np.concatenate([a.T if turned and a.ndim == 2 else a for a in kind], axis=-1)


def _assigned(arrays, K, I, H):
    """Which array is which, in all ways that the shapes allow."""
    for count in (1, 2):  # of matrices; the others are biases, as rows and columns too
        if len(arrays) - count in ((0, 1, 2) if K == 3 else (0, 1)):
            for chosen in itertools.combinations(range(len(arrays)), count):
                matrices = [arrays[n] for n in chosen]
                others = [array for n, array in enumerate(arrays) if n not in chosen]
                biases = [a.ravel() for a in others if a.size == max(a.shape) == K * H]
                if all(a.ndim == 2 for a in matrices) and len(biases) == len(others):
                    yield from _with_biases(matrices, biases, K, I, H)


def _with_biases(matrices, biases, K, I, H):
    for b, bh in itertools.permutations([*biases, None, None][:2]) if biases else [(None, None)]:
        if K == 3 or bh is None:
            for Wx, Wh in _matrices(matrices, K, I, H):
                yield {"Wx": Wx, "Wh": Wh, "b": b, "bh": bh}


def _matrices(matrices, K, I, H):
    if len(matrices) == 1:
        for both in _turns(matrices[0], (I + H, K * H)):
            yield both[:I], both[I:]
            yield both[H:], both[:H]
    if len(matrices) == 2:
        for first, second in (matrices, matrices[::-1]):
            yield from itertools.product(_turns(first, (I, K * H)), _turns(second, (H, K * H)))


def _turns(array, shape):
    """An array, and its transpose, as far as they have the shape."""
    return [a for a in (array, array.T) if a.shape == shape]
