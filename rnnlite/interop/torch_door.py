"""from_torch and to_torch: models that PyTorch trained, and models for it."""

import contextlib
import os
import sys
from collections.abc import Mapping

import numpy as np

from rnnlite import checking, layers
from rnnlite.interop import torch_infer, torch_modules, torch_names
from rnnlite.interop.leaves import check_kind, directions, leaves, place_of
from rnnlite.needed import needed


def from_torch(
    module_or_state_dict, into=None, *, return_sequences=True, logits=False, seed=None, dtype=None
):
    """Make a model of a module of torch.nn, or of a ``state_dict``.

    Modules: LSTM, GRU and RNN with all options but ``proj_size``, Linear, Embedding, LayerNorm,
    Dropout, Tanh, ReLU, Sigmoid, GELU, SiLU, Softplus, Flatten, Identity, and Sequential of them.  A
    stack (``num_layers``) becomes a Sequential, with Dropout between its layers.  What is
    ``batch_first=False`` there takes (batch, time, features) here, as all of rnnlite.
    ``docs/coming_from.md`` has both libraries side by side.

    Parameters
    ----------
    module_or_state_dict : torch.nn.Module, or dict of str to array or tensor
        For a dict of arrays PyTorch need not be there.
    into : Layer, optional
        The architecture, with any weights, which are written over and only if all fit: for
        modules with a ``forward`` of your own, and where a ``state_dict`` leaves it open.  Its
        layers with weights take the arrays in the order of the ``state_dict``, or, if that is the
        alphabet's, as in safetensors files, in the one order that fits; the arguments below are
        then what it says.
    return_sequences : bool
        Whether the last recurrent layer gives every step, PyTorch's ``output``, or its last.
    logits : bool
        True leaves out a Softmax or LogSoftmax at the end, which is refused else: rnnlite's
        losses and ``predict_proba`` apply it.
    seed : int, optional
        Of the dropout masks.
    dtype : {"float32", "float64"}, optional
        float64 if one of the arrays is, else float32, if not given.

    Returns
    -------
    Layer, a new one, or ``into``

    Raises
    ------
    ValueError, TypeError
        For what rnnlite does not have, by the module's name; for a ``state_dict`` that leaves the
        architecture open, with a first draft of it; for arrays that do not fit ``into``; for a
        module whose options are not those of ``into`` (its ``state_dict()`` has none).
    ImportError
        Without PyTorch, for anything but a dict.

    Examples
    --------
    >>> names = {"weight_ih_l0": (16, 3), "weight_hh_l0": (16, 4), "bias_ih_l0": (16,), "bias_hh_l0": (16,)}
    >>> model = from_torch({name: np.ones(shape, "float32") for name, shape in names.items()})
    >>> model, float(model.params["b"][0])
    (LSTM(3, 4, return_sequences=True), 2.0)
    """  # noqa: E501
    source, module = module_or_state_dict, None
    checking.true_or_false("from_torch", "return_sequences", return_sequences)
    checking.true_or_false("from_torch", "logits", logits)
    seed = checking.seed("from_torch", seed)
    if not isinstance(source, Mapping):
        torch = needed("from_torch", "torch")
        if not isinstance(source, torch.nn.Module):
            came = f"module_or_state_dict is of type {type(source).__name__}"
            advice = ""
            if isinstance(source, str | os.PathLike):
                advice = ", as torch.load(path, weights_only=True) reads one from a file"
            wanted = f"a module of torch.nn or a state_dict{advice}"
            raise TypeError(f"from_torch: {came}; wanted {wanted}")
        if into is None:
            dtype = torch_modules.dtype_of("from_torch", _dtypes(source), dtype)
            reader = torch_modules.Reader(torch, source, return_sequences, logits, seed, dtype)
            return reader.read("", source)
        module, source = source, source.state_dict()
    state = torch_names.arrays_of("from_torch", source)
    found = torch_names.blocks("from_torch", state)
    if into is None:
        dtype = torch_modules.dtype_of("from_torch", state.values(), dtype)
        into = torch_infer.infer(found, state, return_sequences, dtype)
    elif dtype is not None and checking.float_dtype("from_torch", dtype) != into.dtype:
        raise ValueError(f"from_torch: dtype is {dtype!r}; into computes in {into.dtype}")
    plan = _matched("from_torch", into, found, state)
    if module is not None:
        torch_modules.check_options("from_torch", plan, module, training=True)
    for layer, block in plan:  # from here on nothing can fail
        torch_modules.fill(layer, block, state)
    return into


def _dtypes(module):
    """An array of each kind of number that a module has."""
    wide = any(str(p.dtype) == "torch.float64" for p in module.parameters())
    return [np.zeros(0, np.float64 if wide else np.float32)]


def _matched(where, model, found, state):
    """Pairs of a model's layer and its block, in the order in which they fit."""
    orders, fitting = torch_names.orders(found, state), []
    if len(orders) == 1:
        return _matched_in_order(where, model, orders[0], state)
    for order in orders:
        with contextlib.suppress(ValueError):  # it does not fit
            fitting.append(_matched_in_order(where, model, order, state))
    if len(fitting) > 1 or not orders:
        problem = torch_names.ALPHABET.format(fitting=len(fitting) or "many")
        wanted = "a dict in the order of the model's layers"
        raise ValueError(f"{where}: the state_dict does not say {problem}; wanted {wanted}")
    return fitting[0] if fitting else _matched_in_order(where, model, found, state)


def _matched_in_order(where, model, found, state):
    """Pairs of a model's layer and its block, after a check of every shape."""
    owners, pairs = leaves(where, model), []
    if len(owners) != len(found):
        mine = ", ".join(f"{key or 'itself'}: {layer!r}" for key, layer in owners)
        its = ", ".join(f"{block}" for block in found)
        counts = f"there are {len(found)} layers in the state_dict ({its}), {len(owners)} in"
        raise ValueError(f"{where}: {counts} the model ({mine})")
    for (key, layer), block in zip(owners, found, strict=True):
        inner = directions(layer)
        for _, one in inner or ():
            _check_kind(where, key, one)
        if (inner is not None) != block.recurrent or len(inner or [0]) != len(block.ways):
            problem = f"{block} has the arrays {', '.join(block.ways[0])}"
            problem += " in both directions" * (len(block.ways) == 2)
            raise ValueError(f"{where}: {problem}; they do not fit {place_of(key, layer)}")
        for _, params, way in torch_modules.ways_of(layer, block):
            parts = torch_names.to_parts(params)
            for part, name in way.items():
                if part not in parts:
                    problem = f"{name!r} has no counterpart in {place_of(key, layer)}"
                    raise ValueError(f"{where}: {problem}")
                got, wanted = state[name].shape, parts[part].shape
                if got != wanted:
                    problem = f"{name!r} has shape {got}; wanted {wanted}"
                    raise ValueError(f"{where}: {problem}, for {place_of(key, layer)}")
        pairs.append((layer, block))
    return pairs


def _check_kind(where, key, layer):
    check_kind(where, key, layer, "torch.nn", ("LSTM", "GRU", "RNN"))


def to_torch(model, like=None):
    """Write a model's weights as a ``state_dict`` of torch.nn.

    The names are those that the same layers have in torch.nn: ``weight_ih_l0`` of an LSTM,
    ``0.weight_ih_l0`` and ``1.weight`` of ``nn.Sequential(nn.LSTM(...), nn.Linear(...))``.  A Dense
    with an activation is two modules there, and takes two positions.  A Sequential of nothing
    but recurrent layers of one kind and size, with or without Dropout between them, is one
    stack: ``weight_ih_l0``, ``weight_ih_l1``.  PyTorch has two biases where only their sum counts:
    that of an LSTM or RNN goes to ``bias_ih``, and ``bias_hh`` is zero.

    Parameters
    ----------
    model : Layer
    like : torch.nn.Module or dict, optional
        A module that is to have the weights, or its ``state_dict``: its names are taken, in its
        order, for the model's layers with weights in theirs.  Biases that it does not have must
        be zero; two that add up to the model's bias stay as they are, so that what
        ``from_torch`` took comes back bit for bit.

    Returns
    -------
    dict of str to numpy.ndarray
        Copies.  ``module.load_state_dict(..., strict=True)`` takes them as they are.

    Raises
    ------
    ValueError, TypeError
        For what torch.nn does not have, by the layer's key, and what does not fit ``like``.

    Examples
    --------
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> state = to_torch(Sequential([LSTM(3, 4, seed=0), Dense(4, 2, seed=1)]))
    >>> list(state)[:2], list(state)[-2:], state["1.weight"].shape
    (['0.weight_ih_l0', '0.weight_hh_l0'], ['1.weight', '1.bias'], (2, 4))
    """
    if like is None:
        return {name: _array(array) for name, array in _named(model)}
    is_module = not isinstance(like, Mapping)
    if is_module and (isinstance(like, type) or not hasattr(like, "state_dict")):
        kind = type(like).__name__
        raise TypeError(f"to_torch: like is of type {kind}; wanted a module or a state_dict")
    state = torch_names.arrays_of("to_torch", like.state_dict() if is_module else like)
    result = dict.fromkeys(state)
    plan = _matched("to_torch", model, torch_names.blocks("to_torch", state), state)
    if is_module:
        torch_modules.check_options("to_torch", plan, like, training=False)
    for layer, block in plan:
        for _, params, way in torch_modules.ways_of(layer, block):
            for part, array in torch_names.to_parts(
                params, torch_names.arrays_by_part(state, way)
            ).items():
                if part in way:
                    result[way[part]] = _array(array)
                elif array.any():
                    name = f"{block} of like has no {part}"
                    raise ValueError(f"to_torch: {name}; {layer!r} has one that is not zero")
    if is_module:
        _check_shared(like, result)
    return result


def _check_shared(module, result):
    """Refuse two arrays for one parameter of the module, as where an output is tied to a table."""
    seen = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        before = seen.setdefault(id(parameter), name)
        if result[name].tobytes() != result[before].tobytes():
            problem = f"{before!r} and {name!r} are one parameter of like"
            raise ValueError(f"to_torch: {problem}; the model has other numbers for each")


class StateArray(np.ndarray):
    """A NumPy array that functions of PyTorch take for a tensor, as ``load_state_dict`` does."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        """Call the function with tensors that share the arrays' memory."""
        tensor = sys.modules["torch"].from_numpy

        def converted(value):
            return tensor(value.view(np.ndarray)) if isinstance(value, cls) else value

        kwargs = {name: converted(value) for name, value in (kwargs or {}).items()}
        return function(*map(converted, args), **kwargs)


def _array(array):
    return np.array(array, order="C").view(StateArray)


# ---- the names that the same layers have in torch.nn ---------------------------------------------


def _named(model):
    leaves("to_torch", model)
    return _names("", "", model)


def _names(prefix, key, layer):
    """Pairs of name and array; ``prefix`` opens the names."""
    writer = _WRITERS.get(type(layer))
    if writer is not None:
        yield from writer(prefix, key, layer)
    elif layer.params:
        problem = f"{place_of(key, layer)} is a layer that torch.nn does not have"
        raise TypeError(f"to_torch: {problem}; give the module it is for: to_torch(model, like=)")


def _of_plain(prefix, key, layer):
    for part, array in torch_names.to_parts(layer.params).items():
        yield f"{prefix}{part}", array


def _of_recurrent(prefix, key, layer, level=0):
    suffix = f"_l{level}"
    for (_, one), reverse in zip(directions(layer), ("", "_reverse"), strict=False):
        _check_kind("to_torch", key, one)
        for part, array in torch_names.to_parts(one.params).items():
            yield f"{prefix}{part}{suffix}{reverse}", array
    merge = getattr(layer, "merge", "concat")
    if merge != "concat" or getattr(layer, "go_backwards", False):
        odd = "go_backwards=True" if merge == "concat" else f"merge={merge!r}"
        problem = f"{place_of(key, layer)} has {odd}, which torch.nn does not have"
        raise ValueError(f"to_torch: {problem}; for its weights alone: to_torch(model, like=)")


def _of_sequential(prefix, key, model):
    if stack := _stack(model):
        for level, layer in enumerate(stack):
            yield from _of_recurrent(prefix, key, layer, level)
        return
    position = 0
    for n, layer in enumerate(model.layers):
        inner = f"{key}.{n}" if key else str(n)
        yield from _names(f"{prefix}{position}.", inner, layer)
        position += 2 if getattr(layer, "activation", None) and type(layer) is layers.Dense else 1


def _stack(model):
    """The recurrent layers of a model that torch.nn has as one module, or None."""
    found = [layer for layer in model.layers if type(layer) is not layers.Dropout]
    inner = [directions(layer) for layer in found]
    if len(found) < 2 or None in inner or any(layer.go_backwards for ((_, layer), *_) in inner):
        return None
    ends = type(model.layers[0]), type(model.layers[-1])
    alike = {(len(ways), ways[0][1].cell, ways[0][1].hidden_size) for ways in inner}
    return found if len(alike) == 1 and layers.Dropout not in ends else None


_WRITERS = {
    layers.Sequential: _of_sequential,
    **dict.fromkeys((layers.LSTM, layers.GRU, layers.RNN, layers.Recurrent), _of_recurrent),
    layers.Bidirectional: _of_recurrent,
    **dict.fromkeys((layers.Dense, layers.Embedding, layers.LayerNorm), _of_plain),
}
