"""A Keras layer or model as plain data: its layers one after another, and the arrays of each.

Keras describes every layer as ``{"class_name": "LSTM", "config": {"units": 6, ...}}``, and its
weights as one list.  Both are data: this file needs no Keras.
"""

import warnings
from numbers import Integral
from typing import NamedTuple

import numpy as np

from rnnlite import checking

RECURRENT = ("LSTM", "GRU", "SimpleRNN")
PER_STEP = ("Dense", "Activation", "LayerNormalization")  # what TimeDistributed may hold
# Options of a recurrent layer that both directions of a Bidirectional must have alike.
ALIKE = (
    "units", "activation", "recurrent_activation", "use_bias", "reset_after", "recurrent_dropout",
)  # fmt: skip


class Entry(NamedTuple):
    """One layer of Keras, with the classes around it undone."""

    name: str
    kind: str  # its class
    config: dict
    ways: tuple = ()  # of a Bidirectional: the configs of both directions
    where: str = "from_keras"  # the function that messages name

    def __str__(self):
        return f"layer {self.name!r} ({self.kind})"

    def get(self, option, default):
        """An option, or what Keras takes where it is not said."""
        return self.config.get(option, default)

    def refuse(self, problem, error=ValueError):
        """Raise an error that says which layer it was."""
        raise error(f"{self.where}: {self}: {problem}")

    def need(self, option):
        """An option without which nothing is known."""
        if option not in self.config:
            self.refuse(f"its config lacks {option!r}")
        return self.config[option]

    def size(self, option):
        """A number of units or rows."""
        value = self.need(option)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            self.refuse(f"{option} is {value!r:.80}; wanted a whole number of at least 1")
        return int(value)

    def parts(self):
        """Names of the arrays of each direction, or of the layer, in the order of its weights."""
        return [[part for part, is_there in PARTS.get(self.kind, _none)(config) if is_there]
                for config in self.ways or (self.config,)]  # fmt: skip


def _none(config):
    return []


def _of_recurrent(config):
    bias = config.get("use_bias", True)
    return [("kernel", True), ("recurrent_kernel", True), ("bias", bias)]


PARTS = {
    **dict.fromkeys(RECURRENT, _of_recurrent),
    "Dense": lambda config: [("kernel", True), ("bias", config.get("use_bias", True))],
    "Embedding": lambda config: [("embeddings", True)],
    "LayerNormalization": lambda config: [
        ("gamma", config.get("scale", True)), ("beta", config.get("center", True)),
    ],
}  # fmt: skip


def described(where, value, name="layer_or_model"):
    """The plain description of a layer or model, and its weights; (description, None) of a dict."""
    if isinstance(value, dict):
        return value, None
    is_class = isinstance(value, type)
    if is_class or not (hasattr(value, "get_config") and hasattr(value, "get_weights")):
        wanted = "a layer or a Sequential of Keras, or the dict that describes it"
        raise TypeError(f"{where}: {name} is of type {type(value).__name__}; wanted {wanted}")
    _check_shared(where, value, set())
    kind = type(value)
    found = {"class_name": kind.__name__, "config": value.get_config(), "module": kind.__module__}
    with warnings.catch_warnings():  # Keras on PyTorch, of its own __array__
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        return found, value.get_weights()


def _check_shared(where, model, seen):
    """Refuse a layer that stands twice in a Sequential, which its description has but once."""
    for layer in getattr(model, "layers", []):
        if id(layer) in seen:
            problem = f"layer {layer.name!r} ({type(layer).__name__}) stands in it twice"
            raise ValueError(f"{where}: {problem}; layers of rnnlite share no weights")
        seen.add(id(layer))
        _check_shared(where, layer, seen)


def entries(where, description, name=""):
    """The layers that a description has, in the order in which they run."""
    if not (isinstance(description, dict) and isinstance(description.get("config"), dict)):
        wanted = "a dict of class_name and config"
        raise TypeError(f"{where}: the description is {description!r:.200}; wanted {wanted}")
    kind, config = description.get("class_name"), description["config"]
    entry = Entry(config.get("name", name), kind, config, where=where)
    module = str(description.get("module") or "keras")
    if kind == "Functional" and module.split(".")[0] == "keras":
        advice = "from_keras(keras.Sequential(model.layers)), if they run one after another"
        entry.refuse(f"a graph of layers; wanted a Sequential: {advice}", TypeError)
    if description.get("registered_name") or module.split(".")[0] not in ("keras", "tf_keras"):
        entry.refuse("it is a class of your own, whose equations nobody knows", TypeError)
    if kind == "Sequential":
        inside = config.get("layers", [])
        if not isinstance(inside, list | tuple):
            entry.refuse(f"its layers are {inside!r:.80}; wanted a list", TypeError)
        for n, inner in enumerate(inside):
            yield from entries(where, inner, str(n))
    elif kind == "Bidirectional":
        yield _bidirectional(entry)
    elif kind == "TimeDistributed":
        (inner,) = entries(where, entry.need("layer"), entry.name)
        if inner.kind not in PER_STEP:
            entry.refuse(f"it holds a {inner.kind}; it can hold {', '.join(PER_STEP)}", TypeError)
        yield inner
    else:
        yield entry


def _bidirectional(entry):
    (there,) = entries(entry.where, entry.need("layer"))
    (back,) = entries(entry.where, entry.get("backward_layer", entry.need("layer")))
    if there.kind not in RECURRENT or back.kind != there.kind:
        entry.refuse(f"it holds {there.kind} and {back.kind}; wanted two {', '.join(RECURRENT)}")
    for option in ALIKE:
        one, two = there.config.get(option), back.config.get(option)
        if one != two:
            entry.refuse(f"its directions differ: {option} is {one!r} forward, {two!r} backward")
    if there.get("go_backwards", False):
        entry.refuse("its forward direction goes backwards")
    merge = entry.get("merge_mode", "concat")
    if merge not in ("concat", "sum"):
        entry.refuse(f"merge_mode is {merge!r}; rnnlite has 'concat' and 'sum'")
    config = there.config | {"name": entry.name, "merge": merge}
    return Entry(entry.name, there.kind, config, (there.config, back.config), entry.where)


def with_arrays(found, weights):
    """Pairs of each entry and its arrays by part, a dict for each direction."""
    weights = [_array(n, array) for n, array in enumerate(weights)]
    wanted = [(entry, part) for entry in found for way in entry.parts() for part in way]
    if len(weights) != len(wanted):
        names = ", ".join(f"{entry.name}.{part}" for entry, part in wanted)
        advice = "; a layer has its weights once it was called" * (not weights)
        problem = f"there are {len(weights)} arrays; the layers have {len(wanted)}"
        raise ValueError(f"from_keras: {problem} ({names}){advice}")
    rest = iter(weights)
    for entry in found:
        arrays = [{part: next(rest) for part in way} for way in entry.parts()]
        for way in arrays:
            check_shapes(entry, way)
        yield entry, arrays


def _array(n, value):
    array = np.asarray(value)
    if array.dtype.name in ("bfloat16", "float16"):
        array = array.astype(np.float32)
    array = checking.real_array("from_keras", f"array {n}", array)
    if array.dtype.kind != "f":
        raise TypeError(f"from_keras: array {n} holds {array.dtype}; wanted floats")
    return array


def check_shapes(entry, way):
    """Refuse arrays whose shapes are not those of the layer; sizes of the input may be any."""
    if entry.kind in RECURRENT:
        gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[entry.kind]
        H = entry.size("units")
        bias = (gates * H,)
        if entry.kind == "GRU" and entry.get("reset_after", True):
            bias = (2, gates * H)
        wanted = {"kernel": ("I", gates * H), "recurrent_kernel": (H, gates * H), "bias": bias}
    elif entry.kind == "Dense":
        wanted = {"kernel": ("I", entry.size("units")), "bias": (entry.size("units"),)}
    elif entry.kind == "Embedding":
        wanted = {"embeddings": (entry.size("input_dim"), entry.size("output_dim"))}
    else:
        wanted = dict.fromkeys(way, ("F",))
    for part, array in way.items():
        shape = wanted[part]
        fits = len(shape) == array.ndim
        if not fits or any(n not in (m, "I", "F") for n, m in zip(shape, array.shape, strict=True)):
            text = str(shape).replace("'", "")
            entry.refuse(f"{part} has shape {array.shape}; wanted {text}")
