"""Modules of torch.nn as layers of rnnlite, each by its class."""

import numpy as np

from rnnlite import checking, layers
from rnnlite.interop import torch_infer, torch_names

ENDS = ("Softmax", "LogSoftmax")  # what rnnlite's losses and predict_proba do


class Reader:
    """Reads a tree of modules; ``seed`` is that of the dropout masks."""

    def __init__(self, torch, module, return_sequences, logits, seed, dtype):
        self.nn, self.rng, self.dtype = torch.nn, np.random.default_rng(seed), dtype
        found = [(n, m) for n, m in module.named_modules() if self.reader(m) is not None]
        # The module after which a softmax may be left out, and the one whose last step is asked.
        self.last_recurrent = max(
            (n for n, (_, m) in enumerate(found) if self.is_recurrent(m)), default=None
        )
        self.last = None if self.last_recurrent is None else found[self.last_recurrent][1]
        self.return_sequences, self.logits = return_sequences, logits
        self.end = _end(module)
        self.has_flatten = any(type(m) is torch.nn.Flatten for _, m in found)
        self.check_shared(module)

    def is_recurrent(self, module):
        """Whether it is an LSTM, a GRU or an RNN."""
        return type(module) in (self.nn.LSTM, self.nn.GRU, self.nn.RNN)

    def reader(self, module):
        """The method that reads a module of this class, which an own class has not."""
        name = type(module).__name__
        known = name in READERS and type(module) is getattr(self.nn, name, None)
        return READERS[name] if known else None

    def read(self, name, module):
        """The layer that computes what the module does."""
        where = f"from_torch: module {name!r} ({type(module).__name__})" if name else "from_torch"
        reader = self.reader(module)
        if reader is None:
            raise TypeError(f"{where}: {self.why_not(name, module)}")
        try:
            return reader(self, name, module)
        except (ValueError, TypeError) as error:
            text = str(error)
            if text.startswith("from_torch"):
                raise
            raise type(error)(f"{where}: {text.partition(': ')[2] or text}") from error

    def why_not(self, name, module):
        """What to do about a class of modules that is none of the table."""
        kind = type(module).__name__
        if kind in ENDS:
            if module is not self.end or self.logits:
                return f"{kind} can stand at the end only, behind other modules"
            problem = "rnnlite's models end in the logits before it, to which the losses and"
            return f"{problem} predict_proba apply it; logits=True leaves it out"
        if list(module.children()):
            parts = ", ".join(f"{n}: {type(m).__name__}" for n, m in module.named_children())
            problem = f"{kind} is a class of its own, and what it does with its parts ({parts})"
            advice = f"from_torch(module, into={self.draft(name, module)})"
            return f"{problem} is code; give the architecture, as in {advice}"
        return f"rnnlite has no layer for a {kind}; it has one for {', '.join(READERS)}"

    def draft(self, name, module):
        """The architecture of a class of its own, as far as its arrays say it."""
        try:
            state = module.state_dict() if not name else {}
            return torch_infer.draft("from_torch", state, self.return_sequences, self.dtype)
        except (ValueError, TypeError):  # arrays of other layers, or a part of a Sequential
            return "rnnlite.Sequential([...])"

    def check_shared(self, module):
        """Refuse arrays that two modules have in common: here each layer owns its own."""
        seen = {}
        for name, parameter in module.named_parameters(remove_duplicate=False):
            before = seen.setdefault(id(parameter), name)
            if before != name:
                problem = f"{name!r} and {before!r} are one parameter"
                raise ValueError(f"from_torch: {problem}; layers of rnnlite share none")

    def next_seed(self):
        """Of one layer's masks."""
        return int(self.rng.integers(2**63))

    # ---- the classes -----------------------------------------------------------------------------

    def sequential(self, name, module):
        """Each of its modules at its position."""
        children = [(f"{name}.{n}" if name else n, m) for n, m in module.named_children()]
        if self.logits and len(children) > 1 and type(children[-1][1]).__name__ in ENDS:
            self.check_end(*children.pop())
        return layers.Sequential([self.read(n, m) for n, m in children])

    def check_end(self, name, module):
        """Refuse to leave out a softmax over another axis than the last."""
        flat = self.last is None or not self.return_sequences or self.has_flatten
        if module.dim not in ((-1, 1, None) if flat else (-1, 2)):
            kind, axes = type(module).__name__, "(batch, features)"
            axes = axes if flat else "(batch, time, features)"
            problem = f"module {name!r} ({kind}): dim is {module.dim}, of {axes}"
            raise ValueError(f"from_torch: {problem}; wanted the last axis, -1")

    def recurrent(self, name, module):
        """One layer, or a Sequential of several with Dropout between them."""
        if module.proj_size:
            problem = f"proj_size is {module.proj_size}, a projection of the states"
            raise ValueError(f"{type(module).__name__}: {problem}, which rnnlite does not have")
        state = torch_names.arrays_of("from_torch", module.state_dict())
        found, stack = torch_names.blocks("from_torch", state), []
        for n, block in enumerate(found):
            sequences = n < len(found) - 1 or module is not self.last or self.return_sequences
            options = {"return_sequences": sequences, "dtype": self.dtype, "seed": self.next_seed()}
            layer = torch_infer.recurrent_layer(
                block, state, getattr(module, "nonlinearity", None), options
            )
            fill(layer, block, state)
            if stack and module.dropout:
                stack.append(self.dropout(name, module, module.dropout))
            stack.append(layer)
        return stack[0] if len(stack) == 1 else layers.Sequential(stack)

    def linear(self, name, module):
        """Dense; without a bias, b is zero."""
        layer = layers.Dense(module.in_features, module.out_features, dtype=self.dtype)
        return self.filled(layer, module)

    def embedding(self, name, module):
        """Embedding; its padding_idx stays."""
        for option in ("max_norm", "scale_grad_by_freq"):
            if getattr(module, option):
                raise ValueError(f"Embedding: {option} is set, which rnnlite does not have")
        return self.filled(
            layers.Embedding(
                module.num_embeddings, module.embedding_dim, dtype=self.dtype,
                padding_idx=module.padding_idx,
            ),
            module,
        )  # fmt: skip

    def layer_norm(self, name, module):
        """LayerNorm over the last axis; without weights, gain is 1 and b is 0."""
        if len(module.normalized_shape) != 1:
            shape = tuple(module.normalized_shape)
            raise ValueError(f"LayerNorm: normalized_shape is {shape}; wanted one axis, the last")
        layer = layers.LayerNorm(module.normalized_shape[0], module.eps, dtype=self.dtype)
        return self.filled(layer, module)

    def dropout(self, name, module, rate=None):
        """Dropout of single numbers."""
        rate = module.p if rate is None else rate
        return layers.Dropout(rate, seed=self.next_seed(), dtype=self.dtype)

    def activation(self, name, module):
        """Activation, of a function that is the same in both."""
        if getattr(module, "approximate", "none") != "none":
            raise ValueError(f"GELU: approximate is {module.approximate!r}; rnnlite has 'none'")
        if getattr(module, "beta", 1.0) != 1.0:
            raise ValueError(f"Softplus: beta is {module.beta}; rnnlite has 1")
        if getattr(module, "threshold", 20.0) < 20.0 and type(module).__name__ == "Softplus":
            problem = f"threshold is {module.threshold}, above which it is no softplus"
            raise ValueError(f"Softplus: {problem}; wanted 20 or more")
        return layers.Activation(type(module).__name__.lower(), dtype=self.dtype)

    def flatten(self, name, module):
        """Flatten of all axes but the batch's."""
        if (module.start_dim, module.end_dim) != (1, -1):
            axes = f"start_dim {module.start_dim}, end_dim {module.end_dim}"
            raise ValueError(f"Flatten: it has {axes}; wanted 1 and -1")
        return layers.Flatten(dtype=self.dtype)

    def identity(self, name, module):
        """Dropout of nothing: positions stay what they were."""
        return layers.Dropout(0.0, seed=0, dtype=self.dtype)

    def filled(self, layer, module):
        """The layer with the weights of a module that has a single block of them, or none."""
        if not dict(module.named_parameters()):
            return layer
        state = torch_names.arrays_of("from_torch", module.state_dict())
        (block,) = torch_names.blocks("from_torch", state)
        fill(layer, block, state)
        return layer


def fill(layer, block, state):
    """Write a block's arrays into a layer's parameters; their shapes must be right."""
    for prefix, params, way in ways_of(layer, block):
        for name, array in torch_names.from_way(state, way, params).items():
            layer.params[f"{prefix}{name}"] = array


def ways_of(layer, block):
    """Prefix in ``params``, parameters and names in the ``state_dict`` of each direction."""
    inner = [("", layer)]
    if len(block.ways) == 2:
        inner = list(zip(("forward.", "backward."), layer.layers, strict=True))
    return [(p, one.params, way) for (p, one), way in zip(inner, block.ways, strict=True)]


def check_options(where, plan, module, training):
    """Refuse a module whose options, which no array shows, are not those of its layer.

    ``padding_idx`` counts where it is to be trained: no answer shows it.
    """
    for layer, block in plan:
        source = module.get_submodule(block.module)
        one = layer.layers[0] if block.recurrent and layer.layers else layer
        for option, mine, said in (
            ("nonlinearity", getattr(one, "activation", None), "activation"),
            ("eps", getattr(one, "eps", None), "eps"),
            ("padding_idx", getattr(one, "padding_idx", None), "padding_idx"),
        ):
            theirs = getattr(source, option, mine)
            if theirs != mine and (training or option != "padding_idx"):
                advice = "give its state_dict() to take, or get, the weights alone"
                problem = f"{block} has {option}={theirs!r}, {layer!r} has {said}={mine!r}"
                raise ValueError(f"{where}: {problem}; {advice}")


def _end(module):
    """The module that answers last, in nested Sequentials too."""
    while type(module).__name__ == "Sequential" and len(module):
        module = module[-1]
    return module


READERS = {
    "Sequential": Reader.sequential,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), Reader.recurrent),
    "Linear": Reader.linear,
    "Embedding": Reader.embedding,
    "LayerNorm": Reader.layer_norm,
    "Dropout": Reader.dropout,
    **dict.fromkeys(("Tanh", "ReLU", "Sigmoid", "GELU", "SiLU", "Softplus"), Reader.activation),
    "Flatten": Reader.flatten,
    "Identity": Reader.identity,
}


def dtype_of(where, arrays, dtype):
    """The model's: as asked for, else float64 if one of the arrays is."""
    if dtype is not None:
        return checking.float_dtype(where, dtype)
    return checking.common_float(*arrays)
