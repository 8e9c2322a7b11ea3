"""save_safetensors and load_safetensors: weights by name, in a file that holds no code."""

import json
import math

import numpy as np

from rnnlite import checking
from rnnlite.layers import Layer
from rnnlite.needed import needed
from rnnlite.saving import CorruptFile, architecture, atomic, models
from rnnlite.saving.header import LARGEST

# Where the file says what the model is; a file of another library has none.
KEY = "rnnlite"
# So many numbers more than the file holds a model may have, to be told what is missing.
SPARE = 1_000_000
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# A bfloat16 is the upper half of a float32; a model in float32 takes all that it can hold exactly.
_FITS = {"float32": ("F32", "F16", "BF16"), "float64": tuple(_TYPES)}


def save_safetensors(model, path):
    """Write a model's weights into a safetensors file, under their names in ``params``.

    ``0.Wx``, ``0.b``, ``0.Wh``, ``1.W``, ``1.b``; a file that another program is to read under the
    names of torch.nn is ``safetensors.numpy.save_file(dict(to_torch(model)), path)``.  Under the
    key "rnnlite" of its metadata stands the architecture as JSON: classes and options, no code.

    Parameters
    ----------
    model : Layer
    path : str or os.PathLike
        Taken as it is; a file there is replaced as a whole.

    Raises
    ------
    ImportError
        Without the package safetensors.
    OSError
        The file cannot be written; see ``rnnlite.save``.

    Examples
    --------
    >>> import tempfile
    >>> from rnnlite import LSTM
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(LSTM(3, 4, seed=0), f"{folder}/lstm.safetensors")
    ...     load_safetensors(f"{folder}/lstm.safetensors")
    LSTM(3, 4)
    """
    library = needed("save_safetensors", "safetensors", "numpy").numpy
    if not isinstance(model, Layer):
        came = f"model is of type {type(model).__name__}"
        raise TypeError(f"save_safetensors: {came}; wanted a layer or a model of rnnlite")
    file = checking.file_name("save_safetensors", "path", path)
    about = json.dumps(models.model_header(model), separators=(",", ":"))
    atomic.replace_file(file, library.save(dict(model.params), {KEY: about}))


def load_safetensors(path, into=None, cells=(), layers=()):
    """Read weights from a safetensors file.

    Nothing in the file is run, and nothing is written before all of it is checked.

    Parameters
    ----------
    path : str or os.PathLike
    into : Layer, optional
        Gets the weights; the file may come from anywhere, and its names must be those of
        ``into.params``.  Without it the file must be one of ``save_safetensors``, whose metadata
        say what to build.
    cells, layers : as for ``rnnlite.load``, without ``into``

    Returns
    -------
    Layer, a new model, or ``into``

    Raises
    ------
    ValueError
        With all names that are missing, left over, or of another shape; ``into`` is then as it
        was.  ``CorruptFile``, a ValueError, if it is no such file.
    ImportError
        Without the package safetensors.

    Examples
    --------
    >>> import tempfile
    >>> from rnnlite import GRU
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(GRU(3, 4, seed=0), f"{folder}/gru.safetensors")
    ...     gru = load_safetensors(f"{folder}/gru.safetensors", into=GRU(3, 4, seed=1))
    >>> bool((gru.flat_params == GRU(3, 4, seed=0).flat_params).all())
    True
    """
    library = needed("load_safetensors", "safetensors")
    file = checking.file_name("load_safetensors", "path", path)
    where = f"load_safetensors: {path}"
    if into is not None and not isinstance(into, Layer):
        raise TypeError(f"{where}: into is of type {type(into).__name__}; wanted a model")
    content = file.read_bytes()
    try:
        found = dict(library.deserialize(content))
    except library.SafetensorError as error:
        raise CorruptFile(f"{where}: it is no safetensors file: {error}") from None
    if into is None:
        try:
            return _built(content, found, cells, layers)
        except ValueError as error:
            kind = CorruptFile if isinstance(error, CorruptFile) else ValueError
            raise kind(f"{where}: {error}") from None
    if problems := _problems(found, into):
        raise ValueError(f"{where}: {problems}")
    arrays = {name: _array(entry) for name, entry in found.items()}
    into.params.update(arrays)
    return into


def _built(content, found, cells, layers):
    """A model by the metadata, which have been checked to be JSON of short texts."""
    length = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + length]).get("__metadata__", {}).get(KEY)
    if about is None:
        names = ", ".join(sorted(found)[:6])
        problem = f"it does not say what the model is; its arrays are {names}"
        advice = "wanted into=model, or from_torch(arrays) for names of torch.nn"
        raise ValueError(f"{problem}; {advice}")
    try:
        header = json.loads(about) if len(about) <= LARGEST else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or set(header) != {"architecture", "random_states"}:
        raise CorruptFile(f"its metadata {KEY!r} are no description of a model")
    numbers = sum(math.prod(entry["shape"]) for entry in found.values())
    model = architecture.build(header["architecture"], cells, layers, numbers + SPARE)
    if problems := _problems(found, model):
        raise CorruptFile(problems)
    arrays = {
        f"{models.PREFIX}{name}": _array(entry).astype(model.dtype) for name, entry in found.items()
    }
    return models.load_model({"model": header}, arrays, model)


def _array(entry):
    """The numbers of one array."""
    array = np.frombuffer(entry["data"], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == "BF16":
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(array.dtype.newbyteorder("="))


def _problems(found, into):
    """One sentence of all names that do not fit, or None."""
    params, problems = into.params, []
    missing = [name for name in params if name not in found]
    left_over = [name for name in found if name not in params]
    for what, names in (("missing", missing), ("left over", left_over)):
        if names:
            problems.append(f"{what}: {', '.join(names)}")
    for name in params:
        if name in found:
            came, wanted = tuple(found[name]["shape"]), params[name].shape
            if came != wanted:
                problems.append(f"{name} has shape {came}, wanted {wanted}")
            elif found[name]["dtype"] not in _FITS[into.dtype.name]:
                advice = f"wanted {into.dtype}"
                if found[name]["dtype"] == "F64":
                    advice += ", or a model of float64: model.copy(dtype) makes one"
                problems.append(f"{name} holds {found[name]['dtype']}, {advice}")
    return f"the weights do not fit {into!r:.300}: {'; '.join(problems)}" if problems else None
