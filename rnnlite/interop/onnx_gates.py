"""The recurrent operators of ONNX beside the cells: order of the gates, shapes of the weights.

ONNX has matrices transposed, ``W`` (D, gates*H, I) and ``R`` (D, gates*H, H) with D directions,
two biases in one array ``B`` (D, 2*gates*H), ``P`` (D, 3*H), and the gates in the order i, o, f, c
and z, r, h, where rnnlite has i, f, g, o and r, z, n.
"""

from typing import NamedTuple

import numpy as np

from rnnlite import cells


class Operator(NamedTuple):
    """One operator, and how the numbers of a cell stand in it."""

    name: str
    order: tuple  # ours, in the order of theirs
    activations: tuple  # of one direction
    states: int

    @property
    def back(self):
        """Theirs, in the order of ours."""
        return tuple(self.order.index(k) for k in range(len(self.order)))


OPERATORS = {
    "RNN": Operator("RNN", (0,), ("Tanh",), 1),
    "GRU": Operator("GRU", (1, 0, 2), ("Sigmoid", "Tanh"), 1),
    "LSTM": Operator("LSTM", (0, 3, 1, 2), ("Sigmoid", "Tanh", "Tanh"), 2),
}
PEEPHOLES = ("p_i", "p_o", "p_f")  # in the order of P


def operator_of(layer):
    """Operator and attributes that compute a layer's cell, or (None, {})."""
    cell, clip = layer.cell, getattr(layer, "clip", None)
    known = [
        (cells.RNN["tanh"], "RNN", {}),
        (cells.RNN["relu"], "RNN", {"activations": ("Relu",)}),
        (cells.GRU, "GRU", {"linear_before_reset": 1}),
        (cells.GRU_2014, "GRU", {"linear_before_reset": 0}),
        (cells.LSTM, "LSTM", {}),
        (cells.peephole_lstm(), "LSTM", {}),
    ]
    if clip is not None:
        known.append((cells.clipped_lstm(clip), "LSTM", {"clip": clip}))
        known.append((cells.peephole_lstm(clip), "LSTM", {"clip": clip}))
    for one, name, attributes in known:
        if one == cell:  # a copied layer has an equal cell, not the same
            return OPERATORS[name], attributes
    return None, {}


def reordered(array, order, axis=0):
    """Blocks of an array in another order."""
    blocks = np.split(array, len(order), axis=axis)
    return np.concatenate([blocks[k] for k in order], axis=axis)


def to_onnx(operator, layer):
    """W, R, B and for peepholes P of one direction, from a layer's params."""
    params, order = layer.params, operator.order
    W, R = (reordered(params[name], order, axis=1).T for name in ("Wx", "Wh"))
    b = reordered(params["b"], order)
    bh = reordered(params["bh"], order) if "bh" in params else np.zeros_like(b)
    found = {"W": W, "R": R, "B": np.concatenate([b, bh])}
    if "p_i" in params:
        found["P"] = np.concatenate([params[name] for name in PEEPHOLES])
    return found


def to_layer(operator, given, layer):
    """Write W, R, B and P of one direction into a layer's params."""
    params, back = layer.params, operator.back
    params["Wx"], params["Wh"] = (reordered(given[name], back).T for name in ("W", "R"))
    b, bh = (reordered(half, back) for half in np.split(given["B"], 2))
    if "bh" in params:
        params["b"], params["bh"] = b, bh
    else:
        params["b"] = b + bh
    if "P" in given:
        for name, part in zip(PEEPHOLES, np.split(given["P"], 3), strict=True):
            params[name] = part
