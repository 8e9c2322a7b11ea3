"""Layers of Keras as layers of rnnlite, each by its class; and arrays the other way round.

kernel (I, 4H)              Wx           LSTM: gates i, f, c, o, which are i, f, g, o here
recurrent_kernel (H, 4H)    Wh
bias (4H,)                  b
GRU: gates z, r, h          r, z, n here; bias (2, 3H) is b and bh with reset_after, (3H,) else
Dense: kernel, bias         W, b
Embedding: embeddings       W
LayerNormalization: gamma, beta          gain, b
"""

import numpy as np

from rnnlite import cells, layers
from rnnlite.layers.activation import FUNCTIONS

ENDS = ("softmax", "log_softmax")
RENAMED = {"linear": None, "swish": "silu"}


class Reader:
    """Makes layers of entries; ``rng`` draws the seeds of their masks."""

    def __init__(self, rng, dtype, logits):
        self.rng, self.dtype, self.logits = rng, dtype, logits

    def read(self, entry, arrays, is_first, is_last):
        """The layers, none or one or two, that compute what the entry does."""
        if entry.kind == "InputLayer" or (entry.kind == "Masking" and is_first):
            return []
        if entry.kind == "Masking":
            entry.refuse("a mask of what layers before it computed; it can stand at the beginning")
        try:
            return READERS[entry.kind](self, entry, arrays, is_last)
        except (ValueError, TypeError) as error:
            if str(error).startswith("from_keras"):
                raise
            entry.refuse(str(error).partition(": ")[2] or str(error), type(error))

    def recurrent(self, entry, arrays, is_last):
        """A recurrent layer, both directions of one, with Dropout before it if it has any."""
        cls, options = self.recurrent_options(entry)
        kernel = arrays[0]["kernel"]
        options |= {"dtype": self.dtype, "seed": self.next_seed()}
        layer = cls(len(kernel), entry.need("units"), **options)
        inner = [("", layer)]
        if entry.ways:
            layer = layers.Bidirectional(layer, merge=entry.config["merge"])
            inner = list(zip(("forward.", "backward."), layer.layers, strict=True))
        for (prefix, one), way in zip(inner, arrays, strict=True):
            for name, array in from_parts(way, one).items():
                layer.params[f"{prefix}{name}"] = array
        rate = entry.get("dropout", 0.0)
        return [*self.masks(rate, True), layer] if rate else [layer]

    def recurrent_options(self, entry):
        """The class here, and the options that it is made with."""
        if entry.get("stateful", False):
            advice = "set layer.stateful = False, and give model states by initial_state="
            entry.refuse(f"stateful=True: no layer of rnnlite remembers the last batch; {advice}")
        sequences, back = entry.get("return_sequences", False), entry.get("go_backwards", False)
        if sequences and back:
            fact = "comes in the order of reading; here each output stands at the time of its input"
            entry.refuse(f"what it returns with go_backwards and return_sequences {fact}")
        activation = function_of(entry, "activation", "tanh")
        options = {
            "return_sequences": sequences, "go_backwards": back,
            "recurrent_dropout": entry.get("recurrent_dropout", 0.0),
        }  # fmt: skip
        if entry.kind == "SimpleRNN":
            if activation not in ("tanh", "relu"):
                wanted = "rnnlite.RNN has 'tanh' and 'relu', and custom_cell any other"
                entry.refuse(f"activation is {activation!r}; {wanted}")
            return layers.RNN, options | {"activation": activation}
        for name, wanted in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
            found = function_of(entry, name, wanted)
            if found != wanted:
                known = f"rnnlite.{entry.kind} has {wanted!r}, and custom_cell any other"
                entry.refuse(f"{name} is {found!r}; {known}")
        if entry.kind == "GRU":
            return layers.GRU, options | {"reset_after": entry.get("reset_after", True)}
        return layers.LSTM, options

    def dense(self, entry, arrays, is_last):
        """Dense, with its activation."""
        (way,) = arrays
        activation = self.activation_of(entry, is_last)
        layer = layers.Dense(*way["kernel"].shape, dtype=self.dtype, activation=activation)
        layer.params["W"] = way["kernel"]
        if "bias" in way:
            layer.params["b"] = way["bias"]
        return [layer]

    def embedding(self, entry, arrays, is_last):
        """Embedding."""
        table = arrays[0]["embeddings"]
        layer = layers.Embedding(*table.shape, dtype=self.dtype)
        layer.params["W"] = table
        return [layer]

    def layer_norm(self, entry, arrays, is_last):
        """LayerNorm over the last axis."""
        axis, shape = entry.get("axis", -1), arrays[0]
        axis = axis if isinstance(axis, list | tuple) else [axis]
        if list(axis) != [-1] or entry.get("rms_scaling", False):
            entry.refuse(f"axis is {axis}, rms_scaling {entry.get('rms_scaling', False)}; wanted"
                         " the last axis, -1, and no scaling of another kind")  # fmt: skip
        if not shape:
            entry.refuse("scale and center are False: its size is not known")
        features = len(next(iter(shape.values())))
        layer = layers.LayerNorm(features, entry.get("epsilon", 1e-3), dtype=self.dtype)
        for part, name in (("gamma", "gain"), ("beta", "b")):
            if part in shape:
                layer.params[name] = shape[part]
        return [layer]

    def dropout(self, entry, arrays, is_last):
        """Dropout; of whole sequences where Keras has one mask for all steps."""
        noise = entry.get("noise_shape", None)
        shared = entry.kind == "SpatialDropout1D" or (
            noise is not None and list(noise)[1:] == [1, None]
        )
        if noise is not None and not shared:
            entry.refuse(f"noise_shape is {noise}; wanted None or (None, 1, None)")
        return self.masks(entry.get("rate", 0.0), shared)

    def masks(self, rate, per_sequence):
        """One layer of dropout."""
        return [
            layers.Dropout(rate, seed=self.next_seed(), per_sequence=per_sequence, dtype=self.dtype)
        ]

    def activation(self, entry, arrays, is_last):
        """Activation, which at the end may be a softmax to leave out."""
        function = self.activation_of(entry, is_last)
        return [] if function is None else [layers.Activation(function, dtype=self.dtype)]

    def relu(self, entry, arrays, is_last):
        """ReLU without slope or bounds."""
        for option, wanted in (("max_value", None), ("negative_slope", 0.0), ("threshold", 0.0)):
            found = entry.get(option, wanted)
            if found != wanted:
                entry.refuse(f"{option} is {found!r}; rnnlite has {wanted!r}")
        return [layers.Activation("relu", dtype=self.dtype)]

    def softmax(self, entry, arrays, is_last):
        """Nothing, at the end."""
        axis = entry.get("axis", -1)
        if axis not in (-1, 2):
            entry.refuse(f"axis is {axis}; wanted the last, -1")
        self.check_end(entry, "softmax", is_last)
        return []

    def flatten(self, entry, arrays, is_last):
        """Flatten."""
        if entry.get("data_format", "channels_last") != "channels_last":
            entry.refuse("data_format is 'channels_first'; wanted 'channels_last'")
        return [layers.Flatten(dtype=self.dtype)]

    def activation_of(self, entry, is_last):
        """The function's name here, None for none of them."""
        found = function_of(entry, "activation", "linear")
        if found in ENDS:
            self.check_end(entry, found, is_last)
            return None
        name = RENAMED.get(found, found)
        if name is not None and name not in FUNCTIONS:
            entry.refuse(f"activation is {found!r}; rnnlite has linear, {', '.join(FUNCTIONS)}")
        return name

    def check_end(self, entry, function, is_last):
        """A softmax can be left out at the end, if one says so."""
        if not is_last:
            entry.refuse(f"a {function} before other layers; rnnlite has none")
        if not self.logits:
            fact = "rnnlite's models end in the logits before it, to which the losses and"
            entry.refuse(f"a {function}: {fact} predict_proba apply it; logits=True leaves it out")

    def next_seed(self):
        """Of one layer's masks."""
        return int(self.rng.integers(2**63))


def check_known(entry):
    """Refuse a class of layers that is none of the table."""
    if entry.kind not in (*READERS, "InputLayer", "Masking"):
        known = f"it has one for {', '.join(READERS)}, Bidirectional, Masking at the beginning"
        entry.refuse(f"rnnlite has no layer for it; {known}", TypeError)


def function_of(entry, option, default):
    """The name of an activation; another object than a name is refused."""
    found = entry.get(option, default)
    if found is None:
        return "linear"
    if not isinstance(found, str):
        found = "a function of your own" if isinstance(found, dict) else repr(found)
        entry.refuse(f"{option} is {found:.80}; wanted the name of a function of Keras")
    return found


READERS = {
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), Reader.recurrent),
    "Dense": Reader.dense,
    "Embedding": Reader.embedding,
    "LayerNormalization": Reader.layer_norm,
    **dict.fromkeys(("Dropout", "SpatialDropout1D"), Reader.dropout),
    "Activation": Reader.activation,
    "ReLU": Reader.relu,
    "Softmax": Reader.softmax,
    "Flatten": Reader.flatten,
}


# ---- arrays --------------------------------------------------------------------------------------


def gates_swapped(array):
    """Columns of r, z, n as z, r, h, and back: the first two change places."""
    one, two, three = np.split(array, 3, axis=-1)
    return np.concatenate([two, one, three], axis=-1)


def from_parts(way, layer):
    """Parameters of one direction of a recurrent layer."""
    Wx, Wh = way["kernel"], way["recurrent_kernel"]
    bias = way.get("bias", np.zeros(Wx.shape[1], Wx.dtype))
    if "bh" not in layer.params:
        return {"Wx": Wx, "Wh": Wh, "b": bias}
    b, bh = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    found = {"Wx": Wx, "Wh": Wh, "b": b, "bh": bh}
    return {name: gates_swapped(array) for name, array in found.items()}


def to_parts(layer):
    """Arrays of Keras, by part, of one direction or of a layer without any."""
    params = layer.params
    if "bh" in params:
        Wx, Wh, b, bh = (gates_swapped(params[name]) for name in ("Wx", "Wh", "b", "bh"))
        bias = np.stack([b, bh])
        if layer.cell == cells.GRU_2014:
            bias = np.where(bh == 0.0, b, b + bh)  # they only add; -0.0 + 0.0 would be 0.0
        return {"kernel": Wx, "recurrent_kernel": Wh, "bias": bias}
    if "Wx" in params:
        return {"kernel": params["Wx"], "recurrent_kernel": params["Wh"], "bias": params["b"]}
    if "gain" in params:
        return {"gamma": params["gain"], "beta": params["b"]}
    if "b" in params:
        return {"kernel": params["W"], "bias": params["b"]}
    return {"embeddings": params["W"]}
