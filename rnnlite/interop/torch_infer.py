"""The architecture that a ``state_dict`` leaves no doubt about, or a sentence that asks for it."""

import itertools

from rnnlite import layers
from rnnlite.interop import torch_names

# What asks, and shows how an answer may begin.
_ASK = "from_torch: {reason}; give the architecture, as in from_torch(state, into={draft})"


def recurrent_layer(block, state, nonlinearity, options):
    """A layer, with initial weights, of a block's sizes; None of one gate without nonlinearity."""
    way = block.ways[0]
    (rows, I), H = state[way["weight_ih"]].shape, state[way["weight_hh"]].shape[1]
    kind = {4: layers.LSTM, 3: layers.GRU, 1: layers.RNN}[rows // H]
    if kind is layers.RNN:
        options = options | {"activation": nonlinearity}
    layer = kind(I, H, **options)
    return layers.Bidirectional(layer) if len(block.ways) == 2 else layer


def infer(found, state, return_sequences, dtype):
    """A model with initial weights for these blocks.

    Known are the sizes of every array, and the order in which the modules were made.  Not known
    are a vanilla RNN's function, and what has no weights: activations, dropout.
    """
    orders = torch_names.orders(found, state)
    drafts = [(order, *_first_draft(order, state, return_sequences, dtype)) for order in orders]
    fitting = [part for part in drafts if not _broken_chain(*part[:2])]
    in_dict = (found, *_first_draft(found, state, return_sequences, dtype))
    found, model, doubts = fitting[0] if len(fitting) == 1 else in_dict
    if len(fitting) > 1 or not orders:
        doubts = [torch_names.ALPHABET.format(fitting=len(fitting) or "many")]
    doubts += _of_order(found, model)
    if doubts:
        reason = f"the state_dict does not say {doubts[0]}"
        raise ValueError(_ASK.format(reason=reason, draft=_text(model)))
    return _joined(found, model, list(dict.fromkeys(block.module for block in found)))


def draft(where, state, return_sequences, dtype):
    """How the architecture may begin, as text, for a module whose ``forward`` is code."""
    found = torch_names.blocks(where, torch_names.arrays_of(where, state))
    return _text(_first_draft(found, state, return_sequences, dtype)[0])


def _first_draft(found, state, return_sequences, dtype):
    """Layers for the blocks, and what is in doubt about each of them."""
    doubts, model = [], []
    last = max((n for n, block in enumerate(found) if block.recurrent), default=None)
    for n, block in enumerate(found):
        if block.recurrent:
            options = {"return_sequences": n != last or return_sequences, "dtype": dtype}
            layer = recurrent_layer(block, state, "tanh", options)
            if layers.RNN in (type(layer), type(getattr(layer, "layer", None))):
                doubts.append(f"whether {block} is an RNN of tanh or of relu")
        else:
            layer, doubt = _other(found, n, state, model, dtype)
            doubts += doubt
        model.append(layer)
    return model, doubts


def _text(model):
    text = ", ".join(map(_written, model))
    return text if len(model) == 1 else f"Sequential([{text}])"


def _joined(found, model, names):
    """One layer, or a Sequential with one for each module, in which a stack is one of its own."""
    parts = []
    for name in names:
        own = [layer for block, layer in zip(found, model, strict=True) if block.module == name]
        parts.append(own[0] if len(own) == 1 else layers.Sequential(own))
    alone = len(parts) == 1 and _position(names[0]) is None
    return parts[0] if alone else layers.Sequential(parts)


def _other(found, n, state, before, dtype):
    """A layer for a block that is not recurrent, and what is in doubt about it."""
    way, block = found[n].ways[0], found[n]
    shape = state[way["weight"]].shape
    if len(shape) == 1:
        if "bias" not in way:
            return layers.LayerNorm(shape[0], dtype=dtype), [f"what {block} is"]
        return layers.LayerNorm(shape[0], dtype=dtype), []
    rows, columns = shape
    dense = layers.Dense(columns, rows, dtype=dtype)
    if "bias" in way or before:  # nothing but an Embedding takes indices, which no layer gives
        return dense, []
    embedding = layers.Embedding(rows, columns, dtype=dtype)
    after = next((block for block in found[n + 1 :]), None)
    takes = None if after is None else _takes(after, state)
    if takes is not None and rows != columns and takes in shape:
        return (embedding if takes == columns else dense), []
    return embedding, [f"whether {block} is an Embedding or a Linear without bias"]


def _takes(block, state):
    weight = state[block.ways[0]["weight_ih" if block.recurrent else "weight"]]
    return weight.shape[-1]


def _of_order(found, model):
    """Doubts about what stands between modules, and whether they run in the order of their names.

    Positions in an ``nn.Sequential`` without a gap leave none.  Else the usual is taken for
    granted: an Embedding, recurrent layers, and one Linear to the answers.
    """
    names = list(dict.fromkeys(block.module for block in found))
    if len(names) == 1 and names[0] in ("", "0"):
        return []
    if broken := _broken_chain(found, model):
        return [broken]
    positions = [_position(name) for name in names]
    if None not in positions:
        missing = [n for n in range(max(positions)) if n not in positions]
        return [f"what stands at the positions {missing}, without weights"] if missing else []
    kinds = [type(layer) for layer in model]
    for n, kind in enumerate(kinds):
        is_last = n == len(kinds) - 1
        if kind is layers.LayerNorm or (kind is layers.Dense and not is_last):
            return [f"what stands around {found[n]} without weights, as an activation would"]
    return []


def _broken_chain(found, model):
    """Where a layer does not take what the one before it gives, or None."""
    for (one, first), (two, second) in itertools.pairwise(zip(found, model, strict=True)):
        gives, takes = first.output_features(None), second.input_features
        if isinstance(second, layers.Embedding) or takes not in (None, gives):
            takes = "indices" if takes is None else takes
            return (f"in which order the modules run: {one} gives {gives} features, {two} takes"
                    f" {takes}")  # fmt: skip
    return None


def _position(name):
    """The number that is a module's name in an ``nn.Sequential``, or None."""
    return int(name) if name.isdecimal() else None


def _written(layer):
    """A layer as one would write it, ``activation`` too."""
    text = repr(layer)
    return text.replace(")", ", activation='tanh')", 1) if "RNN(" in text else text
