"""export_onnx: a model as an ONNX file."""

import importlib
import json

from rnnlite import checking
from rnnlite.interop.onnx_build import Export, Options, features_of
from rnnlite.interop.onnx_own import own_metadata
from rnnlite.interop.onnx_recurrent import FORMS
from rnnlite.layers import Layer
from rnnlite.needed import needed_onnx
from rnnlite.saving.atomic import replace_file

OLDEST = 13  # opset
LARGEST = 2**31 - 1  # bytes of a protobuf message


def export_onnx(
    model, path, *, lengths=True, states=False, softmax=False, opset=17, names=None,
    class_names=None, vocabulary=None, time=True, form="portable",
):  # fmt: skip
    """Write a model as an ONNX file, for inference in ONNX Runtime, OpenVINO, tract and others.

    The graph takes any number of rows and of steps, from one on.  Its numbers are float32 or
    float64, as the model's are.  Dropout is left out; LSTM, GRU and RNN layers become the
    operators of that name, or ``Scan``, as do cells of your own: their equations, node by node.
    The file is checked (``onnx.checker``) before it is written, and written as a whole.

    Parameters
    ----------
    model : Layer
        Of the library's layers; layers of your own and ``Group`` are refused by name.
    path : str or os.PathLike
        A file, in a folder that exists.
    lengths : bool
        Whether there is an input ``"lengths"``, int64 (B,): the valid steps of each row, 0 to T.
        Past them y is zero; a row of length 0 has the initial state and a y of zeros.
    states : bool
        Whether each recurrent layer has inputs and outputs for its states, (B, H): ``"0.h0"``,
        ``"0.c0"`` and ``"0.hT"``, ``"0.cT"`` of layer 0 in a ``Sequential``, ``"h0"`` of a layer
        alone, ``"0.forward.h0"`` and ``"0.backward.h0"`` of a ``Bidirectional``.
    softmax : bool
        Whether y are probabilities, softmax over the last axis, in place of logits.
    opset : int
        Version of ONNX's operators, 13 to what the installed onnx knows.
    names : dict of str to str, optional
        Other names for inputs and outputs, as ``{"x": "pixels", "y": "digit"}``.
    class_names : sequence of str, optional
        What the columns of y mean: written into the metadata as a JSON list.
    vocabulary : Vocabulary or str or sequence of str, optional
        What the indices in x mean: likewise.
    time : bool
        False for a model of rows, x (B, I), or indices (B,): it has no lengths.
    form : {"portable", "operators", "scan"}
        How recurrent layers are written.  "portable": as ONNX Runtime, OpenVINO and tract all
        compute what rnnlite does: the operators mostly, ``Scan`` for clip, peepholes, ReLU,
        float64, and for an LSTM with both lengths and states.  "operators": as ONNX's documents
        define them; ONNX Runtime has them all, but in float32 alone, and with another clip.
        "scan": ``Scan`` for each layer.

    Raises
    ------
    TypeError
        For a layer of your own, or an argument of another type.
    ValueError
        For a cell whose equations use what ONNX does not have, and arguments that do not fit.
    OSError
        The file cannot be written; the message says what is there then.

    Notes
    -----
    Inputs: ``"x"``, (B, T, I) of the model's dtype, or int64 (B, T) if the first layer is an
    ``Embedding``; ``"lengths"``.  Output: ``"y"``.  All axes but the last are dynamic; behind
    ``Flatten`` a layer with weights for each step fixes their number.  Metadata:
    ``rnnlite_version``, ``class_names``, ``vocabulary``, and for ``import_onnx`` ``rnnlite_model``.

    Examples
    --------
    >>> import tempfile
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> model = Sequential([LSTM(28, 64, seed=0), Dense(64, 10, seed=1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, f"{folder}/digits.onnx", softmax=True, class_names="0123456789")
    """
    where = "export_onnx"
    if not isinstance(model, Layer):
        raise TypeError(f"{where}: model is of type {type(model).__name__}; wanted a layer")
    onnx = needed_onnx(where)
    flags = {"lengths": lengths, "states": states, "softmax": softmax, "time": time}
    for name, value in flags.items():
        checking.true_or_false(where, name, value)
    checking.one_of(where, "form", form, FORMS)
    newest = onnx.defs.onnx_opset_version()
    opset = checking.whole_number(where, "opset", opset, OLDEST)
    if opset > newest:
        raise ValueError(f"{where}: opset is {opset}; the installed onnx knows {newest} at most")
    size = sum(array.nbytes for array in model.params.values())
    if size > LARGEST - 2**20:
        raise ValueError(f"{where}: the weights take {size:,} bytes; an ONNX file holds 2 GiB")
    options = Options(lengths, states, softmax, opset, _checked_names(names), time, form)
    file = checking.file_name(where, "path", path)
    graph = Export(onnx, model, options).write()
    metadata = _metadata(where, model, class_names, vocabulary) | own_metadata(model, options)
    opsets = [onnx.helper.make_opsetid("", opset)]
    found = onnx.helper.make_model(
        graph, opset_imports=opsets, producer_name="rnnlite", producer_version=_version(),
        ir_version=onnx.helper.find_min_ir_version_for(opsets),
    )  # fmt: skip
    onnx.helper.set_model_props(found, {"rnnlite_version": _version()} | metadata)
    onnx.checker.check_model(found, full_check=True)
    replace_file(file, found.SerializeToString())


def _version():
    return importlib.import_module("rnnlite").__version__  # the package that this is in


def _checked_names(names):
    if names is None:
        return {}
    if not isinstance(names, dict):
        raise TypeError(f"export_onnx: names is {names!r:.80}; wanted a dict, old names to new")
    for old, new in names.items():
        if not (isinstance(new, str) and new):
            raise TypeError(f"export_onnx: names[{old!r}] is {new!r:.80}; wanted a name")
    return dict(names)


def _metadata(where, model, class_names, vocabulary):
    found = {}
    if class_names is not None:
        found["class_names"] = _texts(where, "class_names", class_names)
        N = model.output_features(features_of(model))
        if N is not None and len(found["class_names"]) != N:
            count = len(found["class_names"])
            raise ValueError(f"{where}: class_names has {count} names; the model answers {N}")
    if vocabulary is not None:
        symbols = getattr(vocabulary, "characters", vocabulary)
        found["vocabulary"] = _texts(where, "vocabulary", symbols)
    return {name: json.dumps(texts, ensure_ascii=False) for name, texts in found.items()}


def _texts(where, name, value):
    texts = checking.sequence(where, name, value, "a sequence of str")
    for n, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{where}: {name}[{n}] is {text!r:.80}; wanted a str")
    return [str(text) for text in texts]
