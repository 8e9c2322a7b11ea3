"""import_onnx: a model out of an ONNX file."""

from rnnlite import checking
from rnnlite.interop.onnx_own import own_model
from rnnlite.interop.onnx_reading import Reading
from rnnlite.needed import needed_onnx

EXTERNAL = "it keeps numbers in other files, which are not read; save it with all of them inside"


def import_onnx(path, *, cells=()):
    """Read a recurrent model out of an ONNX file.

    Of a file that ``export_onnx`` wrote comes an equal model, dropout rates and all; where its y
    are probabilities (``softmax=True``), the model gives the logits.  Of other files these nodes
    are read, in one line from x to y: LSTM, GRU and RNN with their biases, peepholes, directions,
    ``layout``, ``sequence_lens``, and as ``activations`` those of rnnlite's layers; MatMul, Add and
    Gemm as ``Dense``; Gather from a table as ``Embedding``; LayerNormalization; Tanh, Relu,
    Sigmoid, Softplus; Transpose, Squeeze, Reshape of the directions, Dropout, Identity, Cast of
    lengths, and a Softmax at the end, which is left out, as above.  All else is refused by name.

    Nothing in the file is run.  Weights must be in the file itself.

    Parameters
    ----------
    path : str or os.PathLike
    cells : iterable of Cell, optional
        The cells of your own in a file that ``export_onnx`` wrote.

    Returns
    -------
    Layer
        Rows first, whatever the file's layout: x is (B, T, I).  Both directions stand side by
        side.  What the file has as inputs for lengths and for initial states is given to the
        layers as ``lengths`` and ``initial_state``.

    Raises
    ------
    ValueError
        The file is damaged, or has what rnnlite has not: the message names it.

    Examples
    --------
    >>> import tempfile
    >>> from rnnlite import GRU, Dense, Sequential
    >>> from rnnlite.interop import export_onnx
    >>> model = Sequential([GRU(3, 8, seed=0), Dense(8, 2, seed=1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, f"{folder}/model.onnx")
    ...     again = import_onnx(f"{folder}/model.onnx")
    >>> again, bool((again.flat_params == model.flat_params).all())
    (Sequential([GRU(3, 8), Dense(8, 2)]), True)
    """
    onnx = needed_onnx("import_onnx")
    file = checking.file_name("import_onnx", "path", path)
    try:
        message = _message(onnx, file.read_bytes())
        arrays = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in message.graph.initializer
        }
        model = own_model(onnx, message, arrays, cells)
        return model if model is not None else Reading(onnx, message.graph, arrays).model()
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"import_onnx: {path}: {error}") from error


def _message(onnx, content):
    """The file's message, checked, with nothing in it that is elsewhere."""
    from google.protobuf.message import DecodeError  # which onnx brings

    message = onnx.ModelProto()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise ValueError("it is no ONNX file, or is damaged") from error
    for tensor in _tensors(message.graph):
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError(f"{tensor.name or 'a number'}: {EXTERNAL}")
    if message.functions:
        raise ValueError(f"it has functions of its own, {message.functions[0].name} for one")
    if message.graph.sparse_initializer:
        raise ValueError("it has sparse weights; wanted arrays")
    try:
        onnx.checker.check_model(message, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"onnx.checker refuses it: {str(error).strip()}") from error
    return message


def _tensors(graph):
    """All arrays in a graph, also in the bodies of loops."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from _tensors(inner)
