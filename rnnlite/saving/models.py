"""save and load: a model in a file.

The header of a file with a model, a checkpoint's too, has the key "model": its architecture and
its random states.  Its weights are the arrays "params/NAME".  ``beside.py`` says what else a
model's file may hold.
"""

import io
from typing import Any, NamedTuple

from rnnlite import checking
from rnnlite.cells import Cell
from rnnlite.saving import architecture, beside, cells_in_files, container, random_states
from rnnlite.saving.header import CorruptFile

KINDS = ("model", "checkpoint")
PREFIX = "params/"


class Loaded(NamedTuple):
    """All that a model's file holds, from ``load(path, return_all=True)``.

    Attributes
    ----------
    model : Layer
    extra : what JSON holds, or None
        What ``save`` was given; tuples have become lists.
    optimizer : Optimizer or None
        Of this model, to go on with.

    Examples
    --------
    >>> model, extra, optimizer = Loaded(None, {"classes": ["cat", "dog"]}, None)
    """

    model: Any
    extra: Any
    optimizer: Any


def save(model, path, *, extra=None, optimizer=None):
    """Write a model into a file: architecture, weights, dtype, random states.

    Parameters
    ----------
    model : Layer
        A single one too, of the library or of your own.
    path : str or os.PathLike
        Taken as it is, in a folder that exists.  ``.npz`` suits: ``numpy.load`` reads the
        weights, under ``"params/0.Wx"``, ....
    extra : dict, list, text, number, optional
        What you need beside the model, as JSON holds it: names of classes, a vocabulary, the scale
        of the data.  2 MiB at most; ``load(path, return_all=True)`` gives it back.
    optimizer : Adam or SGD, optional
        Of this model, to keep its settings and all that it has gathered.  A run that may be
        stopped at any moment is what ``fit(checkpoint=)`` is for.

    Raises
    ------
    OSError
        The file cannot be written; what was there before is as it was, or, where the last step
        of all fails, the new file is in place: the message says which.
    TypeError
        For something that is not a layer, or has an option that no file can hold, and for an
        ``extra`` with something in it that JSON cannot hold.
    ValueError
        ``extra`` is too large, or has NaN; the optimizer is of another model.

    Examples
    --------
    >>> import tempfile
    >>> from rnnlite import GRU, Dense, Sequential
    >>> model = Sequential([GRU(28, 64, seed=0), Dense(64, 10, seed=1)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.npz", extra={"classes": ["cat", "dog"]})
    ...     loaded = load(f"{folder}/model.npz", return_all=True)
    >>> bool((loaded.model.flat_params == model.flat_params).all()), loaded.extra
    (True, {'classes': ['cat', 'dog']})
    """
    header = {"model": model_header(model)} | beside.extra_header(extra)
    part, moments = beside.optimizer_parts(model, optimizer)
    container.write(path, "model", header | part, model_arrays(model) | moments)


def load(path, into=None, cells=(), layers=(), *, return_all=False):
    """Read a model from a file that ``save`` wrote, or from a checkpoint.

    Nothing in the file is run, and nothing is used before all of it is checked.

    Parameters
    ----------
    path : str or os.PathLike
    into : Layer, optional
        Of the same architecture, that gets weights and random states.
    cells : iterable of Cell, optional
        The cells of your own in a new model: the file has their names, and numbers by which it
        knows their equations.
    layers : iterable of classes, optional
        The classes of your own layers in a new model; the file has their names and options.
    return_all : bool
        Whether to return what stands beside the model, too.

    Returns
    -------
    Layer, a new model, or ``into``; with ``return_all`` a ``Loaded`` (model, extra, optimizer), the
    last two None where the file has none.  A checkpoint's optimizer goes on by ``fit(resume=True)``
    alone.

    Raises
    ------
    CorruptFile
        The file is damaged, or is none of a model; a ValueError.
    ValueError
        The model cannot be built here, or differs from ``into``, which is then as it was.

    Examples
    --------
    >>> import tempfile
    >>> from rnnlite import LSTM
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(LSTM(3, 4), f"{folder}/lstm.npz")
    ...     load(f"{folder}/lstm.npz")
    LSTM(3, 4)
    """
    return_all = checking.true_or_false("load", "return_all", return_all)
    kind, header, arrays = container.read(path, KINDS)
    try:
        if kind != "model":
            found = Loaded(load_model(header, arrays, into, cells, layers), None, None)
        else:
            found = _all_of(header, arrays, into, cells, layers)
        return found if return_all else found.model
    except ValueError as error:
        kind = CorruptFile if isinstance(error, CorruptFile) else ValueError
        raise kind(f"{path}: {error}") from None


def _all_of(header, arrays, into, cells, layers):
    """What the file of a model holds; ``into`` is as it was if anything of it is wrong."""
    beside.check_nothing_else(header, arrays, PREFIX)
    if into is not None and "optimizer" in header:  # it is built on a copy first
        beside.optimizer_of(load_model(header, arrays, into.copy()), header, arrays)
    model = load_model(header, arrays, into, cells, layers)
    return Loaded(model, header.get("extra"), beside.optimizer_of(model, header, arrays))


def to_bytes(model):
    """What ``save`` writes."""
    return b"".join(container.dump("model", {"model": model_header(model)}, model_arrays(model)))


def from_bytes(content, cells=(), layers=()):
    """The model that ``to_bytes`` had."""
    _, header, arrays = container.parse(io.BytesIO(content), KINDS)
    return load_model(header, arrays, None, cells, layers)


def own_parts(model):
    """The cells and the classes of layers in a model that ``load`` must be given."""
    found = [layer for _, layer in model.walk()]
    options = [value for layer in found for value in layer.options().values()]
    cells = [c for c in options if isinstance(c, Cell) and not cells_in_files.is_of_rnnlite(c)]
    classes = [cls for cls in map(type, found) if architecture.is_own(cls)]
    return tuple(dict.fromkeys(cells)), tuple(dict.fromkeys(classes))


def model_header(model):
    """What a file's header has under the key "model"."""
    described = architecture.describe(model)
    return {"architecture": described, "random_states": random_states.random_states(model)}


def model_arrays(model):
    """A model's weights, not copies of them, under the names that they have in a file."""
    return {f"{PREFIX}{name}": array for name, array in model.params.items()}


def load_model(header, arrays, into=None, cells=(), layers=()):
    """The model in what ``container.read`` returned: a new one, or ``into``, all or nothing."""
    part = header.get("model")
    if not isinstance(part, dict) or set(part) != {"architecture", "random_states"}:
        raise CorruptFile("its header does not describe a model")
    named = [(name, array) for name, array in arrays.items() if name.startswith(PREFIX)]
    weights = {name.removeprefix(PREFIX): array for name, array in named}
    model = into
    if into is None:
        largest = sum(array.size for array in weights.values())
        model = architecture.build(part["architecture"], cells, layers, largest)
    elif problem := architecture.difference(part["architecture"], architecture.describe(into)):
        raise ValueError(f"the model is another than into: {problem}")
    _check_weights(weights, model.params)
    states = random_states.checked_states(model, part["random_states"])
    # From here on nothing can fail.
    for name, array in model.params.items():
        array[...] = weights[name]
    for layer, state in states:
        layer.load_state_dict(state)
    return model


def _check_weights(weights, params):
    for name in {**params, **weights}:
        if name not in weights or name not in params:
            which = "file" if name in weights else "model"
            raise CorruptFile(f"the weight {name} is only in the {which}")
        found, wanted = (f"{array.dtype} {array.shape}" for array in (weights[name], params[name]))
        if found != wanted:
            raise CorruptFile(f"the weight {name} is {found} in the file; wanted {wanted}")
