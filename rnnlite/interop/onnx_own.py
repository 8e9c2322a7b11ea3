"""Files that ``export_onnx`` wrote, as the models they were.

The metadata say which model and which options; the weights are those of the graph.  The model that
comes of it is believed only if ``export_onnx`` makes the same graph of it again, node by node and
bit by bit: so what the file computes is what the model computes.
"""

import json

import numpy as np

from rnnlite.interop.onnx_build import Export, Options
from rnnlite.interop.onnx_recurrent import FORMS
from rnnlite.saving import architecture

KEY = "rnnlite_model"
DIGIT = 2**20  # float32 holds every whole number below 2^24


def own_metadata(model, options):
    """What a file says of its model, for ``own_model``."""
    content = {"architecture": architecture.describe(model), "options": options._asdict()}
    return {KEY: json.dumps(content, ensure_ascii=False)}


def own_model(onnx, message, arrays, cells):
    """The model of a file that ``export_onnx`` wrote, or None if the graph says otherwise."""
    texts = [entry.value for entry in message.metadata_props if entry.key == KEY]
    if not texts:
        return None
    content = _parsed(texts[0])
    options = Options(**content["options"])
    largest = sum(array.size for array in arrays.values())
    model = architecture.build(content["architecture"], cells, (), largest)
    if not _fill(onnx, model, options, arrays):
        return None
    return model if Export(onnx, model, options).write() == message.graph else None


def _parsed(text):
    """The metadata, if they are of the form that ``own_metadata`` gives them."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"its metadata {KEY} are not JSON, or too deep") from None
    fits = isinstance(content, dict) and set(content) == {"architecture", "options"}
    options = content["options"] if fits else None
    fits = fits and isinstance(options, dict) and set(options) == set(Options._fields)
    flags = ("lengths", "states", "softmax", "time")
    if not (
        fits
        and all(isinstance(options[name], bool) for name in flags)
        and type(options["opset"]) is int
        and options["form"] in FORMS
        and isinstance(options["names"], dict)
        and all(isinstance(name, str) for name in options["names"].values())
    ):
        raise ValueError(f"its metadata {KEY} are not what export_onnx writes")
    return content


def _fill(onnx, model, options, arrays):
    """Copy the weights of a graph into a model; whether every one has its place.

    A graph holds them in other orders.  Which number goes where shows in the graph of a model
    whose parameters are 1, 2, 3, ...: in digits, since float32 cannot tell large ones apart.
    """
    numbers = np.arange(1, model.flat_params.size + 1)
    found, scale, trial = {}, 1, model.copy()
    while scale <= numbers.size:
        trial.flat_params = numbers // scale % DIGIT
        export = Export(onnx, trial, options)
        export.write()
        for name in export.graph.of_model:
            digit = export.graph.arrays[name].astype(np.int64) * scale
            found[name] = found.get(name, 0) + digit
        scale *= DIGIT
    for name, places in found.items():
        array = arrays.get(name)
        if array is None or array.shape != places.shape or array.dtype != model.dtype:
            return False
        model.flat_params[places[places > 0] - 1] = array[places > 0]
    return True
