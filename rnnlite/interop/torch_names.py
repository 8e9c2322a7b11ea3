"""A ``state_dict`` of torch.nn as blocks, each of them what one layer of rnnlite owns.

weight_ih_l0 (4H, I)          Wx = weight_ih_l0.T (I, 4H)     gates i, f, g, o in both
weight_hh_l0 (4H, H)          Wh = weight_hh_l0.T (H, 4H)
bias_ih_l0, bias_hh_l0 (4H,)  b  = bias_ih_l0 + bias_hh_l0    LSTM and RNN, where they only add
                              b, bh = bias_ih_l0, bias_hh_l0  GRU; gates r, z, n in both
..._l1                        the next layer of a stack
..._l0_reverse                the backward direction
weight (N, I), bias (N,)      Dense: W = weight.T, b
weight (N, D)                 Embedding: W
weight (F,), bias (F,)        LayerNorm: gain, b
"""

import re
from typing import NamedTuple

import numpy as np

from rnnlite import checking

_RECURRENT = re.compile(r"(?:(.*)\.)?((?:weight|bias)_(?:ih|hh|hr))(?:_l(\d+)(_reverse)?)?")
_OTHER = re.compile(r"(?:(.*)\.)?(weight|bias)")
KNOWN = "LSTM, GRU, RNN, Linear, Embedding, LayerNorm"


class Block(NamedTuple):
    """The names in a ``state_dict`` of one layer's arrays."""

    module: str  # the name of the module that owns them
    level: str | None  # which layer of a stack, "0", "1"; None where there are none
    ways: tuple  # for each direction, or once: the full name of "weight_ih", "bias", ...

    @property
    def recurrent(self):
        """Whether it is an LSTM, a GRU or an RNN."""
        return "weight_ih" in self.ways[0]

    def __str__(self):
        name = f"module {self.module!r}" if self.module else "the module"
        return name if self.level in (None, "0") else f"{name}, layer {self.level} of it"


def arrays_of(where, state):
    """The arrays of a ``state_dict``: tensors become arrays, whatever half precision they have."""
    found = {}
    for name, value in state.items():
        if not isinstance(name, str):
            raise TypeError(f"{where}: the state_dict has the key {name!r}; wanted names, str")
        if hasattr(value, "detach"):  # a tensor; NumPy has no bfloat16
            value = value.detach().cpu()
            value = (value.float() if value.dtype.itemsize < 4 else value).numpy()
        array = checking.real_array(where, f"state_dict[{name!r}]", value)
        if array.dtype.kind != "f":
            raise TypeError(f"{where}: state_dict[{name!r}] holds {array.dtype}; wanted floats")
        found[name] = array
    if not found:
        raise ValueError(f"{where}: the state_dict is empty; wanted arrays under torch.nn's names")
    return found


def blocks(where, state):
    """The blocks of a ``state_dict``, in its order."""
    found = {}
    for name in state:
        match = _RECURRENT.fullmatch(name)
        module, part, level, reverse = match.groups() if match else (None, None, None, None)
        if part is None:
            match = _OTHER.fullmatch(name)
            if match is None:
                raise ValueError(f"{where}: state_dict has {name!r}, no name of {KNOWN}")
            module, part = match.groups()
        module = module or ""
        if part == "weight_hr":
            problem = f"module {module!r} has {name!r}: proj_size, a projection of the states"
            raise ValueError(f"{where}: {problem}, which rnnlite does not have")
        ways = found.setdefault((module, level), {})
        ways.setdefault(reverse is not None, {})[part] = name
    result = [
        Block(module, level, tuple(ways[way] for way in sorted(ways)))
        for (module, level), ways in found.items()
    ]
    for block in result:
        _check(where, block, state)
    return sorted(result, key=_order(result))


def _order(found):
    """Modules as they stand, the layers of one by their number."""
    first = {}
    for n, block in enumerate(found):
        first.setdefault(block.module, n)
    return lambda block: (first[block.module], int(block.level or 0))


def _check(where, block, state):
    """Refuse a block that lacks an array, or whose arrays do not fit one another."""
    for way in block.ways:
        if not any(part.endswith(("_ih", "_hh")) for part in way):
            _check_other(where, way, state)
            continue
        for part in ("weight_ih", "weight_hh"):
            if part not in way:
                raise ValueError(f"{where}: {block} lacks {part}; it has {_listed(way)}")
        if ("bias_ih" in way) != ("bias_hh" in way):
            raise ValueError(f"{where}: {block} has one bias of two; it has {_listed(way)}")
        shape = state[way["weight_hh"]].shape
        rows, H = shape if len(shape) == 2 else (0, 0)
        if H == 0 or rows % H or rows // H not in (1, 3, 4):
            problem = f"{way['weight_hh']!r} has shape {shape}"
            raise ValueError(f"{where}: {problem}; wanted (gates * H, H), of 4, 3 or 1 gates")
        wanted = {"weight_ih": (rows, None), "bias_ih": (rows,), "bias_hh": (rows,)}
        for part, shape in wanted.items():
            if part in way:
                _check_shape(where, way[part], state[way[part]].shape, shape)
    if len(block.ways) == 2 and set(block.ways[0]) != set(block.ways[1]):
        raise ValueError(f"{where}: {block} has other arrays forward than in reverse")


def _check_other(where, way, state):
    if "weight" not in way:
        raise ValueError(f"{where}: state_dict has {way['bias']!r}, and no weight beside it")
    shape = state[way["weight"]].shape
    if len(shape) not in (1, 2):
        wanted = f"one or two axes, as in {KNOWN}"
        raise ValueError(f"{where}: {way['weight']!r} has shape {shape}; wanted {wanted}")
    if "bias" in way:
        _check_shape(where, way["bias"], state[way["bias"]].shape, shape[:1])


def _check_shape(where, name, shape, wanted):
    fits = len(shape) == len(wanted)
    if not fits or any(w is not None and n != w for n, w in zip(shape, wanted, strict=True)):
        wanted = str(wanted).replace("None", "I")
        raise ValueError(f"{where}: {name!r} has shape {shape}; wanted {wanted}")


def _listed(way):
    return ", ".join(map(repr, way.values()))


# ---- one direction of a recurrent layer, and the others ------------------------------------------


def from_way(state, way, params):
    """Parameters as rnnlite lays them out, from the arrays under the names of ``way``."""
    got = {part: state[name] for part, name in way.items()}
    if "weight_ih" not in got:
        main, shift = ("gain", "b") if "gain" in params else ("W", "b")
        weight = got["weight"]
        result = {main: weight.T if "b" in params and main == "W" else weight}
        if "b" in params:
            result[shift] = got.get("bias", np.zeros(len(weight), weight.dtype))
        return result
    result = {"Wx": got["weight_ih"].T, "Wh": got["weight_hh"].T}
    zeros = np.zeros(len(got["weight_ih"]), got["weight_ih"].dtype)
    b, bh = got.get("bias_ih", zeros), got.get("bias_hh", zeros)
    if "bh" in params:
        return result | {"b": b, "bh": bh}
    return result | {"b": np.where(bh == 0.0, b, b + bh)}  # -0.0 + 0.0 would be 0.0


def to_parts(params):
    """The other way round: torch.nn's arrays of one direction, or of a layer without any."""
    if "Wx" in params:
        b = params["b"]
        return {
            "weight_ih": params["Wx"].T, "weight_hh": params["Wh"].T,
            "bias_ih": b, "bias_hh": params.get("bh", np.zeros_like(b)),
        }  # fmt: skip
    if "gain" in params:
        return {"weight": params["gain"], "bias": params["b"]}
    if "b" in params:
        return {"weight": params["W"].T, "bias": params["b"]}
    return {"weight": params["W"]}
