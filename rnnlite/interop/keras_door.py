"""from_keras and to_keras: models that Keras trained, and weights for its layers."""

import numpy as np

from rnnlite import checking, layers
from rnnlite.interop import keras_config, keras_layers
from rnnlite.interop.leaves import check_kind, directions, leaves, place_of


def from_keras(layer_or_model, weights=None, *, logits=False, seed=None, dtype=None):
    """Make a model of a layer or a Sequential of Keras 3.

    LSTM, GRU (both forms) and SimpleRNN with tanh, ReLU and sigmoid where they are usual,
    Bidirectional of them, Dense, Embedding, LayerNormalization, Dropout, Activation, ReLU,
    Flatten, TimeDistributed of Dense.  ``dropout=`` of a recurrent layer becomes a Dropout before
    it, one mask for both directions.  Regularisers, constraints and initializers stay behind.
    ``docs/coming_from.md`` has both libraries side by side.

    Keras hands masks from layer to layer; here they are lengths, which go in with x:
    ``model(x, lengths=lengths_from_mask(mask))``, with ``mask = x != 0`` where the Embedding had
    ``mask_zero``, and ``(x != mask_value).any(axis=-1)`` in place of a Masking.  Past a row's
    length Keras repeats its last output, rnnlite gives zeros.

    Parameters
    ----------
    layer_or_model : keras.Layer, or dict
        Built, that is, with weights; or its description, as ``json.loads(model.to_json())``, for
        which Keras need not be there.
    weights : list of arrays, optional
        As ``get_weights()`` gives them; needed with a description.
    logits : bool
        True leaves out a softmax at the end, which is refused else: rnnlite's losses and
        ``predict_proba`` apply it.
    seed : int, optional
        Of the dropout masks.
    dtype : {"float32", "float64"}, optional
        float64 if one of the arrays is, else float32, if not given.

    Returns
    -------
    Layer
        A Sequential of a Sequential.

    Raises
    ------
    ValueError, TypeError
        For what rnnlite does not have, by the layer's name, and for arrays that do not fit.

    Examples
    --------
    >>> described = {"class_name": "LSTM", "config": {"units": 4, "return_sequences": True}}
    >>> from_keras(described, [np.ones((3, 16)), np.ones((4, 16)), np.ones(16)])
    LSTM(3, 4, return_sequences=True)
    """
    checking.true_or_false("from_keras", "logits", logits)
    seed = checking.seed("from_keras", seed)
    description, own = keras_config.described("from_keras", layer_or_model)
    weights = own if weights is None else weights
    if weights is None:
        raise TypeError("from_keras: a description came alone; wanted its weights too, a list")
    weights = checking.sequence("from_keras", "weights", weights, "a list of arrays")
    try:
        found = list(keras_config.entries("from_keras", description))
    except RecursionError:
        raise ValueError("from_keras: the description is nested too deeply") from None
    for entry in found:
        keras_layers.check_known(entry)
    pairs = list(keras_config.with_arrays(found, weights))
    if dtype is None:
        arrays = [array for _, ways in pairs for way in ways for array in way.values()]
        dtype = checking.common_float(*arrays)
    dtype = checking.float_dtype("from_keras", dtype)
    reader, model = keras_layers.Reader(np.random.default_rng(seed), dtype, logits), []
    for n, (entry, arrays) in enumerate(pairs):
        model += reader.read(entry, arrays, not model, n == len(pairs) - 1)
    if not model:
        raise ValueError("from_keras: there is no layer in it that computes anything")
    alone = len(model) == 1 and description["class_name"] != "Sequential"
    return model[0] if alone else layers.Sequential(model)


def to_keras(model, like=None):
    """Write a model's weights as Keras has them, in the order of ``get_weights()``.

    They go into a layer, or into a Sequential, of the same layers by ``set_weights``.  Whoever
    makes a GRU says ``reset_after`` there as here.

    Parameters
    ----------
    model : Layer
    like : keras.Layer or dict, optional
        The layer or model that is to have them, or its description: what it does not have, as a
        bias with ``use_bias=False``, is left out, and must be zero (``gamma``: one).  Its
        activations and ``epsilon`` must be those of the model, which no weights would show.

    Returns
    -------
    list of numpy.ndarray
        Copies.

    Raises
    ------
    ValueError, TypeError
        For what Keras does not have, by the layer's key, and what does not fit ``like``.

    Examples
    --------
    >>> from rnnlite import GRU
    >>> [array.shape for array in to_keras(GRU(3, 4, seed=0))]
    [(3, 12), (4, 12), (2, 12)]
    """
    found = [by_part(key, layer, like is not None) for key, layer in leaves("to_keras", model)]
    if like is None:
        return [np.array(array) for ways in found for way in ways for array in way.values()]
    description, _ = keras_config.described("to_keras", like, "like")
    wanted = [e for e in keras_config.entries("to_keras", description) if any(e.parts())]
    if len(wanted) != len(found):
        problem = f"like has {len(wanted)} layers with weights, the model {len(found)}"
        raise ValueError(f"to_keras: {problem}")
    result = []
    owners = leaves("to_keras", model)
    for entry, ways, (key, layer) in zip(wanted, found, owners, strict=True):
        _check_options(entry, key, layer)
        if [set(way) for way in ways] != [_all_parts(entry)] * len(entry.parts()):
            problem = f"{entry} of like has the arrays {entry.parts()}"
            raise ValueError(f"to_keras: {problem}; the model's are {[list(w) for w in ways]}")
        for parts, way in zip(entry.parts(), ways, strict=True):
            for part, array in way.items():
                neutral = 1.0 if part == "gamma" else 0.0
                if part in parts:
                    result.append(np.array(array))
                elif (array != neutral).any():
                    problem = f"{entry} of like has no {part}"
                    raise ValueError(f"to_keras: {problem}; the model has one that is not neutral")
            keras_config.check_shapes(entry, {part: way[part] for part in parts})
    return result


def _check_options(entry, key, layer):
    """Refuse another function, or another epsilon, than the layer's; a kind shows by its arrays."""
    (_, one), *_ = directions(layer) or [("", layer)]
    mine, theirs, option = getattr(one, "activation", None), None, "activation"
    if entry.kind == "SimpleRNN":
        theirs = keras_layers.function_of(entry, option, "tanh")
    elif entry.kind == "LayerNormalization":
        option, mine = "epsilon", getattr(one, "eps", None)
        theirs = entry.get(option, 1e-3)
    elif entry.kind == "Dense" and mine is not None:
        theirs = keras_layers.function_of(entry, option, "linear")
        theirs = keras_layers.RENAMED.get(theirs, theirs)
    else:
        return
    if theirs != mine:
        problem = f"{option} is {theirs!r}; {place_of(key, layer)} has {mine!r}"
        entry.refuse(problem)


def _all_parts(entry):
    return {part for part, _ in keras_config.PARTS[entry.kind](entry.config)}


def by_part(key, layer, weights_alone):
    """Arrays of a layer by part, a dict for each direction."""
    inner = directions(layer)
    if inner is None:
        return [keras_layers.to_parts(layer)]
    for _, one in inner:
        check_kind("to_keras", key, one, "Keras", ("LSTM", "GRU", "GRU of 2014", "RNN"))
    alone = len(inner) == 1 and layer.go_backwards and layer.return_sequences
    if alone and not weights_alone:
        fact = "whose outputs come in the order of reading in Keras; for its weights alone: like="
        raise ValueError(f"to_keras: {place_of(key, layer)}, {fact}")
    return [keras_layers.to_parts(one) for _, one in inner]


def lengths_from_mask(mask):
    """Lengths of the rows of a mask, which is true at the steps that count, from the first on.

    Parameters
    ----------
    mask : array_like of bool (B, T)
        As ``compute_mask`` of Keras gives it.

    Returns
    -------
    numpy.ndarray of int64 (B,)

    Raises
    ------
    ValueError
        Of a mask with a hole or with padding in front, which no lengths can say.

    Examples
    --------
    >>> lengths_from_mask(np.array([[5, 2, 0], [7, 0, 0]]) != 0)
    array([2, 1])
    """
    if hasattr(mask, "detach"):  # Keras' masks are tensors of PyTorch, if that is its backend
        mask = mask.detach().cpu()
    mask = checking.any_array("lengths_from_mask", "mask", mask)
    if mask.dtype != np.bool_ or mask.ndim != 2:
        came = f"mask is {mask.dtype} of shape {mask.shape}"
        raise ValueError(f"lengths_from_mask: {came}; wanted bool (batch, time)")
    lengths = mask.sum(axis=1, dtype=np.int64)
    wrong = np.flatnonzero((mask != (np.arange(mask.shape[1]) < lengths[:, None])).any(axis=1))
    if len(wrong):
        row, T = int(wrong[0]), mask.shape[1]
        first = int(np.argmin(mask[row]))
        problem = f"row {row} of mask is false at step {first} and true later, of {T} steps"
        wanted = "wanted true up to the row's end and false after it (pad behind, not in front)"
        raise ValueError(f"lengths_from_mask: {problem}; {wanted}")
    return lengths
