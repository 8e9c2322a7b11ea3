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

import itertools
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rnnlite import checking

_RECURRENT = re.compile(r"(?:(.*)\.)?((?:weight|bias)_(?:ih|hh|hr))(?:_l(\d+)(_reverse)?)?")
_OTHER = re.compile(r"(?:(.*)\.)?(weight|bias)")
_PARAMETRIZED = re.compile(r"(^|\.)(parametrizations\.|(weight|bias)\w*_[gv]$|\w+_orig$)")
MOST_MODULES = 6  # whose orders are tried
ALPHABET = (
    "in which order the modules run: the names are in the order of the alphabet, as a"
    " safetensors file has them, and {fitting} orders fit"
)
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
    for name, value in state.items():
        if not isinstance(name, str):
            raise TypeError(f"{where}: the state_dict has the key {name!r}; wanted names, str")
        if isinstance(value, Mapping):
            problem = f"state_dict[{name!r}] is a dict, as in a checkpoint of several things"
            raise TypeError(f"{where}: {problem}; wanted the one that has the arrays alone")
    found = {}
    for name, value in state.items():
        _part(where, name)
        value = _of_tensor(where, name, value) if hasattr(value, "detach") else value
        array = checking.real_array(where, f"state_dict[{name!r}]", value)
        if array.dtype.kind != "f":
            raise TypeError(f"{where}: state_dict[{name!r}] holds {array.dtype}; wanted floats")
        if array.size == 0:
            raise ValueError(f"{where}: state_dict[{name!r}] has shape {array.shape}, no numbers")
        found[name] = array
    if not found:
        raise ValueError(f"{where}: the state_dict is empty; wanted arrays under torch.nn's names")
    return found


def _of_tensor(where, name, tensor):
    """A tensor's numbers; NumPy has no bfloat16."""
    if tensor.is_meta:
        raise ValueError(f"{where}: state_dict[{name!r}] is on the device meta: it has no numbers")
    tensor = tensor.detach().cpu()
    is_half = tensor.is_floating_point() and tensor.dtype.itemsize < 4
    return (tensor.float() if is_half else tensor).numpy()


def _part(where, name):
    """Module, part, level and "_reverse" in a name of torch.nn, None where there is none."""
    if match := _RECURRENT.fullmatch(name):
        return match.groups()
    if match := _OTHER.fullmatch(name):
        return (*match.groups(), None, None)
    advice = ""
    if _PARAMETRIZED.search(name):
        advice = "; remove_parametrizations, or remove_weight_norm, of torch.nn.utils makes it one"
    raise ValueError(f"{where}: state_dict has {name!r}, no name of {KNOWN}{advice}")


def blocks(where, state):
    """The blocks of a ``state_dict``, in its order."""
    found = {}
    for name in state:
        module, part, level, reverse = _part(where, name)
        module = module or ""
        if part == "weight_hr":
            problem = f"module {module!r} has {name!r}: proj_size, a projection of the states"
            raise ValueError(f"{where}: {problem}, which rnnlite does not have")
        ways = found.setdefault((module, level), {})
        ways.setdefault(reverse is not None, {})[part] = name
    for (module, _), ways in found.items():
        if False not in ways:
            problem = f"module {module!r} has {_listed(ways[True])}, and nothing forward beside it"
            raise ValueError(f"{where}: {problem}")
    result = [
        Block(module, level, tuple(ways[way] for way in sorted(ways)))
        for (module, level), ways in found.items()
    ]
    for block in result:
        _check(where, block, state)
    result.sort(key=_order(result))
    for _, stack in itertools.groupby(result, key=lambda block: block.module):
        _check_stack(where, list(stack), state)
    return result


def orders(found, state):
    """The orders in which the modules may run, as lists of blocks.

    One, that of the ``state_dict``; every one, if its names are in the order of the alphabet, as
    a safetensors file has them: PyTorch puts weight before bias.  Positions keep theirs.
    """
    modules = {}
    for block in found:
        modules.setdefault(block.module, []).append(block)
    names = list(state)
    lost = names == sorted(names) and any(len(way) > 1 for block in found for way in block.ways)
    if not lost or len(modules) == 1:
        return [found]
    numbers = [name.rpartition(".")[2] for name in modules]
    if all(map(str.isdecimal, numbers)) and len({n.rpartition(".")[0] for n in modules}) == 1:
        return [sorted(found, key=lambda block: int(block.module.rpartition(".")[2]))]
    if len(modules) > MOST_MODULES:
        return []
    return [[b for blocks in order for b in blocks]
            for order in itertools.permutations(modules.values())]  # fmt: skip


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


def _check_stack(where, stack, state):
    """Refuse layers of one module that no ``num_layers`` makes."""
    first = stack[0]
    if not any(block.recurrent for block in stack):
        return
    levels = [block.level for block in stack]
    if None in levels and len(levels) > 1:
        problem = f"{first} has arrays of its own beside those of its layers"
        raise ValueError(f"{where}: {problem}: {_listed(stack[-1].ways[0] | first.ways[0])}")
    missing = set(map(str, range(int(levels[-1] or 0)))) - set(levels)
    if missing:
        lacks = f"lacks layer {min(missing, key=int)} of its stack"
        raise ValueError(f"{where}: module {first.module!r} {lacks}; it has {', '.join(levels)}")
    rows, H = state[first.ways[0]["weight_hh"]].shape
    for block in stack:
        columns = state[block.ways[0]["weight_ih"]].shape[1]
        if block is not first:
            columns = H * len(first.ways)
        for way in block.ways:
            _check_shape(where, way["weight_hh"], state[way["weight_hh"]].shape, (rows, H))
            _check_shape(where, way["weight_ih"], state[way["weight_ih"]].shape, (rows, columns))


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
    got = arrays_by_part(state, way)
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
    return result | {"b": _added(b, bh)}


def arrays_by_part(state, way):
    """The arrays of one direction, or of a layer without any, by their part of the name."""
    return {part: state[name] for part, name in way.items()}


def _added(b, bh):
    return np.where(bh == 0.0, b, b + bh)  # -0.0 + 0.0 would be 0.0


def to_parts(params, like=None):
    """The other way round: torch.nn's arrays of one direction, or of a layer without any.

    One bias becomes two: those of ``like``, if they add up to it, else the second is zero.
    """
    if "Wx" in params:
        b = params["b"]
        biases = (b, params.get("bh", np.zeros_like(b)))
        if "bh" not in params and like and {"bias_ih", "bias_hh"} <= like.keys():
            given = tuple(like[part].astype(b.dtype) for part in ("bias_ih", "bias_hh"))
            biases = given if _added(*given).tobytes() == b.tobytes() else biases
        parts = {"weight_ih": params["Wx"].T, "weight_hh": params["Wh"].T}
        return parts | dict(zip(("bias_ih", "bias_hh"), biases, strict=True))
    if "gain" in params:
        return {"weight": params["gain"], "bias": params["b"]}
    if "b" in params:
        return {"weight": params["W"].T, "bias": params["b"]}
    return {"weight": params["W"]}
